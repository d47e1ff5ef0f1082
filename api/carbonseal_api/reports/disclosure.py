"""Who may see which emissions report of an organisation: its people, supervision, others under a grant.

Figures, report.json and PDF are of level `report`, the evidence bundle of level `evidence`. Under a grant
only reports of a period that it covers whole are there; any other answers like one that does not exist. Every
query by others is recorded for the owner before it is answered, refused ones too.
"""

from __future__ import annotations

from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.grants import service as grants
from carbonseal_api.grants.refusals import GrantExpired, GrantMissing, GrantWithdrawn
from carbonseal_api.grants.standing import STANDING
from carbonseal_api.problems import NotFound
from carbonseal_api.quality import queries
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval

REPORT: Final = "report"
EVIDENCE: Final = "evidence"
_NO_GRANT: Final = (GrantMissing, GrantWithdrawn, GrantExpired)


def require_listing(parts: Parts, principal: Principal, owner: str, resource: str) -> list[Interval] | None:
    """Return the periods of which a caller may be shown reports; None: all that there are.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired, NotFound: none at all; recorded.
    """
    granted = grants.require_access(parts, principal, owner, REPORT, action="list", resource=resource)
    if granted is None:
        return None
    purposes = {grants.PURPOSE_OF[role] for role in principal.roles & grants.PURPOSE_OF.keys()}
    now = parts.clock()
    return [
        grant.period
        for grant in grants.given_by(parts, owner)
        if grant.to == principal.party
        and grant.state(now) == STANDING
        and grant.reaches(REPORT, None, purposes)
    ]


def require_report(
    parts: Parts, principal: Principal, owner: str, digest: bytes, level: str, resource: str
) -> None:
    """Refuse unless a caller may see a report at a level.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired: No grant of this level stands at all.
        NotFound: There is no such report, or the grants do not cover its period.
    """
    if principal.party == owner:
        _period(parts, owner, digest)
        return
    try:
        grant = grants.require_access(parts, principal, owner, level)
    except CarbonsealError:
        grants.require_access(parts, principal, owner, level, resource=resource)
        raise
    try:
        period = _period(parts, owner, digest)
        if grant is not None:
            grant = grants.require_access(parts, principal, owner, level, period)
    except (*_NO_GRANT, NotFound) as refusal:
        grants.note_query(parts, principal, owner, resource=resource, refusal=NotFound.code)
        raise _missing() from refusal
    grants.note_query(parts, principal, owner, resource=resource, grant=grant)


def is_within(period: Interval, granted: list[Interval] | None) -> bool:
    """Whether one of the granted periods holds the whole period; None holds everything."""
    return granted is None or any(start <= period[0] and period[1] <= end for start, end in granted)


def _period(parts: Parts, owner: str, digest: bytes) -> Interval:
    row = queries.result_by_digest(parts.engine, owner, digest)
    if row is None or row["kind"] != "emissions_report":
        raise _missing()
    return row["interval_start"], row["interval_end"]


def _missing() -> NotFound:
    return NotFound("digest", "no such emissions report", "list the reports of the organisation")
