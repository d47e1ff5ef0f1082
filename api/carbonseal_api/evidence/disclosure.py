"""What of an organisation's evidence others may see: under a grant at that level, what belongs to its period.

A statement belongs to the time that it covers, a document to that of what rests on it or what it is about, a
calibration to its validity. Statements of the register log that cover no time (plans, devices, corrections)
go with any such grant, as they go with every bundle. What belongs to no time stays with its owner. Every
query by others is recorded for the owner before it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from carbonseal_api import access_records
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import refresh
from carbonseal_api.grants import service as grants
from carbonseal_api.grants.standing import STANDING
from carbonseal_api.problems import NotFound
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval
from carbonseal_ledger.outcomes import LoggedEntry

LEVEL: Final = "evidence"
Row = Mapping[str, Any]
Times = Callable[[], Collection[Interval] | None]


def require(parts: Parts, principal: Principal, owner: str, resource: str, times: Times) -> None:
    """Refuse unless a caller may see one thing of an owner; others' queries are recorded under `resource`.

    `times` is asked once a grant stands, so that nothing is confirmed to exist without one: it returns the
    times that the thing belongs to, None where any grant will do, and raises NotFound where there is no such.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired, NotFound: it may not.
    """
    if principal.party == owner:
        return
    if principal.sees_all:
        grants.require_access(parts, principal, owner, LEVEL, resource=resource)
        return
    granted = require_listing(parts, principal, owner, None)
    wanted = times()
    if wanted is None:
        grants.require_access(parts, principal, owner, LEVEL, resource=resource)
        return
    for time in wanted:
        if is_within(time, granted):
            grants.require_access(parts, principal, owner, LEVEL, time, resource=resource)
            return
    _refuse(parts, principal, owner, resource)


def require_all(
    parts: Parts, principal: Principal, owner: str, resource: str, times: Callable[[], Collection[Interval]]
) -> None:
    """As `require`, for what shows several things at once: each of the times must lie in a granted period."""
    if principal.party == owner:
        return
    granted = require_listing(parts, principal, owner, None)
    if not all(is_within(time, granted) for time in times()):
        _refuse(parts, principal, owner, resource)
    grants.require_access(parts, principal, owner, LEVEL, resource=resource)


def require_listing(
    parts: Parts, principal: Principal, owner: str, resource: str | None
) -> list[Interval] | None:
    """Return the periods of which a caller may be shown what `resource` lists; None: all that there is.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired, NotFound: no grant at this level stands; recorded.
    """
    try:
        granted = grants.require_access(parts, principal, owner, LEVEL, resource=resource)
    except CarbonsealError:
        if resource is None:
            grants.require_access(parts, principal, owner, LEVEL, resource=LEVEL)
        raise
    if granted is None:
        return None
    purposes = {grants.PURPOSE_OF[role] for role in principal.roles & grants.PURPOSE_OF.keys()}
    now = parts.clock()
    return [
        grant.period
        for grant in grants.given_by(parts, owner)
        if grant.to == principal.party
        and grant.state(now) == STANDING
        and grant.reaches(LEVEL, None, purposes)
    ]


def is_within(time: Interval, periods: Collection[Interval] | None) -> bool:
    """Whether one of the periods holds the whole time; None holds everything."""
    return periods is None or any(start <= time[0] and time[1] <= end for start, end in periods)


def times_of_entry(parts: Parts, owner: str, entry: LoggedEntry) -> Collection[Interval] | None:
    """Return the times that a logged statement belongs to; None: it goes with every bundle."""
    if entry.interval is not None:
        return [entry.interval]
    if entry.origin.endswith("/register") or entry.kind == "tick":
        return None
    if entry.kind != "document":
        return []
    refresh(parts, owner)
    return times_of_documents(parts, owner, [entry.digest], [])


def times_of_file(parts: Parts, owner: str, file_digest: bytes) -> list[Interval]:
    """Return the times that a document file belongs to, by its statements."""
    refresh(parts, owner)
    rows = queries.statements(parts.engine, owner, ["document"], document_digest=file_digest.hex())
    return times_of_documents(parts, owner, [bytes(row["statement_digest"]) for row in rows], [file_digest])


def times_of_documents(
    parts: Parts, owner: str, statements: Collection[bytes], files: Collection[bytes]
) -> list[Interval]:
    """Return the times of what rests on documents, and of what they say they relate to."""
    rows = queries.naming_documents(
        parts.engine,
        owner,
        statements=[digest.hex() for digest in statements],
        files=[digest.hex() for digest in files],
    )
    for digest in statements:
        said = queries.statement(parts.engine, owner, digest)
        related = [] if said is None else [bytes.fromhex(one) for one in said["body"]["relates_to"]]
        found = [queries.statement(parts.engine, owner, one) for one in related]
        rows += [row for row in found if row is not None]
    return [time for row in rows if (time := time_of_row(row)) is not None]


def time_of_row(row: Row) -> Interval | None:
    """Return the time that a statement covers, for a calibration its validity; None without any."""
    if row["interval_start"] is not None:
        return row["interval_start"], row["interval_end"]
    if row["kind"] == "calibration":
        return row["body"]["calibrated_at"], row["body"]["valid_until"]
    return None


def _refuse(parts: Parts, principal: Principal, owner: str, resource: str) -> None:
    refusal = NotFound("digest", "no such resource for this key", "ask the owner for a grant of its period")
    purposes = sorted({grants.PURPOSE_OF[role] for role in principal.roles & grants.PURPOSE_OF.keys()})
    access_records.record(
        parts,
        principal,
        owner=owner,
        action="read",
        resource=resource,
        purpose="/".join(purposes) or "none",
        refusal=refusal.code,
    )
    raise refusal
