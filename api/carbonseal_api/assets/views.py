"""What the routes and commands show of carbon-asset records, and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import queries
from carbonseal_api.assets.acts import Act, subject_of
from carbonseal_api.assets.chain import DONE
from carbonseal_api.assets.mirroring import data_origin
from carbonseal_api.assets.models import AssetAct
from carbonseal_api.assets.opinion_checks import find_opinion, report_entry
from carbonseal_api.assets.schemas import (
    ActView,
    MirrorView,
    Person,
    RecordLineage,
    RecordView,
    RestsOn,
)
from carbonseal_api.assets.service import chain_of
from carbonseal_api.authentication import Principal
from carbonseal_api.grants.refusals import GrantMissing
from carbonseal_api.grants.service import require_access
from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.lineage.describing import mark_view
from carbonseal_api.problems import NotFound
from carbonseal_api.quality.queries import results_by_digests
from carbonseal_attest.instants import format_instant
from carbonseal_ledger.asset_book import ActRecord, ActState

MAX_RECORDS = 100_000  # looked at for one list
_PROPOSING = (ActState.PLANNED, ActState.PROPOSAL_SIGNED, ActState.PROPOSAL_SENT)


def records(parts: Parts, principal: Principal, holder: str | None) -> list[RecordView]:
    """Return the records that a caller may see: its own, a named holder's, or all of them.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired, NotFound: The holder is another one, and nothing lets the
            caller see it.
    """
    if holder is None and principal.sees_all:
        holders = None
    else:
        owner = holder or principal.party
        require_access(parts, principal, owner, "report", resource="assets")
        holders = [owner]
    rows = queries.records(parts.engine, parts.registrar, holders=holders, limit=MAX_RECORDS)
    return [RecordView(**one) for one in _records(parts, rows)]


def record(parts: Parts, principal: Principal, record_id: bytes) -> RecordLineage:
    """Return one record with its way.

    Raises:
        NotFound: There is no such record for this caller, or no grant for it.
        GrantWithdrawn, GrantExpired: It is another's, and the grant for it has ended.
    """
    row = queries.record(parts.engine, parts.registrar, record_id)
    if row is None:
        raise _missing()
    try:
        require_access(parts, principal, row["holder"], "report", resource=f"asset {record_id.hex()}")
    except (GrantMissing, NotFound) as refusal:
        raise _missing() from refusal  # whether another holder has it is not said
    way = [record_id]
    while (ancestor := queries.parent(parts.engine, parts.registrar, way[-1])) is not None:
        way.append(ancestor)
    told = [
        one
        for member in reversed(way)
        for one in queries.acts_about(parts.engine, parts.registrar, subject_of(member))
    ]
    return RecordLineage(
        **_records(parts, [row])[0],
        ancestors=[member.hex() for member in way[1:]],
        history=[_mirror(parts, one) for one in sorted(told, key=lambda one: int(one["entry_index"]))],
        rests_on=_rests_on(parts, bytes(row["verification_report"])),
    )


def owner_of_folder(parts: Parts) -> Principal:
    """Return the caller that a command stands for: whoever may read the registrar's key folder sees all."""
    return Principal("desk", parts.registrar, frozenset({"registrar"}), frozenset({"registrar"}))


def acts(parts: Parts, principal: Principal) -> list[ActView]:
    """Return the acts that a caller may see, newest first."""
    holders = None if principal.sees_all else [principal.party]
    return [act(parts, row) for row in queries.acts(parts.engine, holders=holders)]


def act(parts: Parts, row: AssetAct) -> ActView:
    """Return an act with how far it has come."""
    told = chain_of(parts).act(row.act_id)
    asked = Act.from_json(row.act)
    shown: dict[str, Any] = asked.to_json()
    shown["act"] = shown.pop("kind")
    return ActView(
        **shown,
        id=row.act_id,
        state=_state(row, told),
        proposed_at=format_instant(row.proposed_at),
        confirmed_at=None if row.confirmed_at is None else format_instant(row.confirmed_at),
        proposer=Person(party=row.proposer_party, account=_address(told.proposer)),
        confirmer=None
        if row.confirmer_party is None
        else Person(party=row.confirmer_party, account=_address(told.confirmer)),
        transaction=_address(told.transaction_hash),
        block_number=told.block_number,
        statement_digest=None if row.statement_digest is None else row.statement_digest.hex(),
        problem=told.problem,
    )


def _state(row: AssetAct, told: ActRecord) -> str:
    if told.state is ActState.FAILED:
        return "failed"
    if told.state in DONE:
        return "confirmed" if row.statement_digest is None else "mirrored"
    if told.state in _PROPOSING:
        return "proposing"
    return "proposed" if row.confirmer_party is None else "confirming"


def _records(parts: Parts, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ids = [bytes(row["record"]) for row in rows]
    causes = queries.standing_causes(parts.engine, parts.registrar, ids)
    marks = marks_on(parts, ids)
    return [_record(row, causes, marks) for row in rows]


def _record(
    row: Mapping[str, Any], causes: Mapping[bytes, list[bytes]], marks: Mapping[bytes, list[Mark]]
) -> dict[str, Any]:
    record_id = bytes(row["record"])
    standing = causes.get(record_id, [])
    return {
        "record": record_id.hex(),
        "registry": row["registry"],
        "batch": row["batch"],
        "first": row["first"],
        "last": row["last"],
        "holder": row["holder"],
        "state": row["state"],
        "is_frozen": bool(standing),
        "causes": [cause.hex() for cause in standing],
        "verification_report": row["verification_report"].hex(),
        "statement_digest": row["statement_digest"].hex(),
        "marks": [mark_view(mark) for mark in marks.get(record_id, [])],
    }


def _mirror(parts: Parts, row: Mapping[str, Any]) -> MirrorView:
    body, digest = row["body"], bytes(row["statement_digest"])
    return MirrorView(
        statement_digest=digest.hex(),
        receipt_state=str(parts.host.receipt_state(data_origin(parts), digest)),
        registered_at=format_instant(row["registered_at"]),
        **{name: body[name] for name in ("act", "record", "holder", "to", "reference", "parts", "chain")},
        proposed_by=body["proposed_by"],
        confirmed_by=body["confirmed_by"],
    )


def _rests_on(parts: Parts, verification_report: bytes) -> list[RestsOn]:
    opinion = find_opinion(parts, verification_report)
    found = [
        RestsOn(
            kind="verification_report",
            party=opinion.party,
            statement_digest=opinion.digest.hex(),
            receipt_state=str(parts.host.receipt_state(opinion.entry.origin, opinion.digest)),
            says=opinion.opinion,
        )
    ]
    entry = report_entry(parts, opinion)
    if entry is not None:
        row = results_by_digests(parts.engine, [opinion.report]).get(opinion.report)
        totals = {} if row is None else row["body"]["totals"]
        total = totals.get("total") or next(iter(totals.values()), None)
        found.append(
            RestsOn(
                kind="emissions_report",
                party=opinion.operator,
                statement_digest=opinion.report.hex(),
                receipt_state=str(parts.host.receipt_state(entry.origin, opinion.report)),
                says="" if total is None else f"{total['value']} {total['unit']}",
            )
        )
    return found


def _address(data: bytes | None) -> str | None:
    return None if data is None else "0x" + data.hex()


def _missing() -> NotFound:
    return NotFound("record_id", "no such record for this key", "list them with GET /assets")
