"""Refusals of the accounting room: one root, leaves named by reason, each with a stable code.

Each carries the field, the reason and the remedy (`carbonseal_attest.errors`). Nothing here is a warning:
what an inventory may go on with (a duplicate, a late value) is a finding of `activity`, not an error.
"""

from __future__ import annotations

from carbonseal_attest.errors import CarbonsealError


class AccountingError(CarbonsealError):
    """Root of all refusals of this room."""

    code = "accounting-error"


class UnitUnknown(AccountingError):
    """A unit code or name is not in the table."""

    code = "unit-unknown"


class UnitMismatch(AccountingError):
    """A quantity has another dimension than the place that takes it."""

    code = "unit-mismatch"


class PeriodInvalid(AccountingError):
    """A time zone, month or reporting period is malformed, or an interval crosses a month."""

    code = "period-invalid"


class ExpressionInvalid(AccountingError):
    """An equation is malformed, too large, or its dimensions do not agree."""

    code = "expression-invalid"


class ArithmeticRefused(AccountingError):
    """A division by zero, or a number outgrew the exact context."""

    code = "arithmetic-refused"


class FactorSetInvalid(AccountingError):
    """A factor package is malformed."""

    code = "factor-set-invalid"


class FactorSetUnknown(AccountingError):
    """A factor package is named that is not at hand."""

    code = "factor-set-unknown"


class FactorUnknown(AccountingError):
    """A factor package has no factor of that key."""

    code = "factor-unknown"


class FactorRefused(AccountingError):
    """A factor does not fit the parameter that names it: kind, unit, year, region or method family."""

    code = "factor-refused"


class MethodInvalid(AccountingError):
    """A method package is malformed."""

    code = "method-invalid"


class MethodUnknown(AccountingError):
    """A method is named that is not at hand."""

    code = "method-unknown"


class PlanRefused(AccountingError):
    """A monitoring plan lacks what the computation needs, or does not cover the period."""

    code = "plan-refused"


class DowngradeRefused(AccountingError):
    """A downgrade does not follow the plan's order of data sources, or leads to a value that is not there."""

    code = "downgrade-refused"


class InputInvalid(AccountingError):
    """A computation's input is unfilled or malformed."""

    code = "input-invalid"


class TraceInvalid(AccountingError):
    """A trace, performed again, does not give its own figures."""

    code = "trace-invalid"
