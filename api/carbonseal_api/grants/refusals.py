"""Why a grant does not let somebody see something; the codes are stable and banks act on them.

`grant-missing` answers alike whether there is no such organisation, no grant, or one that does not reach as
far, so that it confirms nothing. `grant-withdrawn` and `grant-expired` are told only to whom the grant named.
"""

from __future__ import annotations

from carbonseal_api.problems import ApiError

MISSING_REASON = "no grant lets your organisation see this"
MISSING_REMEDY = "ask the enterprise for a grant of this purpose, level and period"


class GrantMissing(ApiError):
    """No grant reaches as far, or nobody here has that credit code."""

    code = "grant-missing"
    status = 403


class GrantWithdrawn(ApiError):
    """The grant was withdrawn by its owner."""

    code = "grant-withdrawn"
    status = 403


class GrantExpired(ApiError):
    """The grant's time is over."""

    code = "grant-expired"
    status = 403


class GrantInvalid(ApiError):
    """The grant that was to be given is none that can be given."""

    code = "grant-invalid"
    status = 422


def missing() -> GrantMissing:
    """Return the one refusal for whatever is not granted."""
    return GrantMissing("grant", MISSING_REASON, MISSING_REMEDY)
