"""Records queries by other parties before they are answered, and shows them to the owner.

A query that cannot be recorded is not answered: `record` commits before it returns, and raises when it
cannot. A party's queries about itself are not recorded; those of regulator and log host are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.access_records import queries
from carbonseal_api.access_records.schemas import AccessRecordView
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_attest.instants import format_instant

ANSWERED: Final = "answered"
REFUSED: Final = "refused"
_MAX_RESOURCE: Final = 300  # characters; a caller chooses the path


def record(
    parts: Parts,
    principal: Principal,
    *,
    owner: str | None,
    action: str,
    resource: str,
    purpose: str,
    grant: bytes | None = None,
    refusal: str | None = None,
) -> None:
    """Record a query, durably; call it before the answer leaves.

    Args:
        parts: The deployment.
        principal: Who asks.
        owner: Party code of whose it is; None where nobody here has the credit code that was asked for.
        action: `read`, or the act.
        resource: What was asked for, as the route names it.
        purpose: The grant's, or what the role asks for.
        grant: Statement digest of the grant that was relied upon.
        refusal: Stable code of the refusal; None: it was answered.

    Raises:
        OperationalError: It could not be recorded; then nothing may be answered.
    """
    if owner == principal.party:
        return
    row = {
        "recorded_at": parts.clock(),
        "owner": owner,
        "party": principal.party,
        "client": principal.key_id,
        "action": action,
        "resource": resource[:_MAX_RESOURCE],
        "purpose": purpose,
        "grant_digest": grant,
        "outcome": ANSWERED if refusal is None else REFUSED,
        "refusal": refusal,
    }
    queries.add(parts.engine, row)


def list_for(
    parts: Parts,
    owner: str,
    *,
    since: int | None = None,
    until: int | None = None,
    limit: int = 200,
    after: int | None = None,
) -> list[Mapping[str, Any]]:
    """Return rows about an owner recorded in [since, until) (ms), newest first.

    `after` is the `record_id` of the last row seen: only older ones follow.
    """
    return queries.page(parts.engine, owner, before=after, limit=limit, since=since, until=until)


def records_of(
    parts: Parts, owner: str, *, limit: int, cursor: int | None
) -> tuple[list[AccessRecordView], int | None]:
    """Return queries about an organisation, newest first, and the cursor of the next page if any."""
    rows = list_for(parts, owner, limit=limit + 1, after=cursor)
    shown = rows[:limit]
    return [view_of(row) for row in shown], shown[-1]["record_id"] if len(rows) > limit else None


def view_of(row: Mapping[str, Any]) -> AccessRecordView:
    """Return what is shown of a record."""
    return AccessRecordView(
        recorded_at=format_instant(row["recorded_at"]),
        party=row["party"],
        client=row["client"],
        action=row["action"],
        resource=row["resource"],
        purpose=row["purpose"],
        grant_digest=None if row["grant_digest"] is None else row["grant_digest"].hex(),
        outcome=row["outcome"],
        refusal=row["refusal"],
    )
