"""Why there is no grade to give, or none can be made."""

from __future__ import annotations

from carbonseal_api.problems import ApiError


class CreditCodeInvalid(ApiError):
    """What stands for a credit code has not 18 characters, or a wrong check character."""

    code = "credit-code-invalid"
    status = 422


class GradeUnknown(ApiError):
    """No grade was in force then."""

    code = "grade-unknown"
    status = 404


class GradeRuleMissing(ApiError):
    """No grade rule of that name is in this distribution."""

    code = "grade-rule-unknown"
    status = 404


class GradeRuleUnpublished(ApiError):
    """The registrar has not published the rule as it is here, or it is not in force."""

    code = "grade-rule-unpublished"
    status = 409


class NothingToGrade(ApiError):
    """The organisation has filed no emissions report yet."""

    code = "nothing-to-grade"
    status = 409
