"""Whether contract, database and log tell the same story about every carbon-asset record.

Nothing moves while they do not, nor before a person has looked (`reconciliation`). `stories` has what each of
the three tells. Besides, each contract event must have exactly one statement, and each statement its event.
What is on its way (confirmed, its statement still to be written) is finished first, and else named as
pending: never as agreement, never as a difference in silence.

A reorganisation may put a transaction into another block after its statement was written. The transaction is
the same and so is the record; the block that the statement names is then where it was first seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import queries, refusals
from carbonseal_api.assets.acts import FREEZE, RELEASE
from carbonseal_api.assets.chain import DONE, AssetChain
from carbonseal_api.assets.mirroring import MirrorStatement, mirror_statements
from carbonseal_api.assets.schemas import AgreementView, DifferenceView
from carbonseal_api.assets.stories import (
    FIELDS,
    Leaves,
    Story,
    contract_story,
    database_story,
    held_records,
    log_story,
)
from carbonseal_api.authentication import Principal
from carbonseal_api.projections.replay import json_value
from carbonseal_attest.instants import format_instant
from carbonseal_ledger.asset_acts import text_id
from carbonseal_ledger.asset_agreement import Difference as Kinds
from carbonseal_ledger.asset_agreement import JournalRow, MirrorRow, PartRow, disagreements
from carbonseal_ledger.asset_events import AssetEvent
from carbonseal_ledger.carbon_assets_calls import AssetRecord
from carbonseal_ledger.reconciliation import Disagreement, confirmed

AREA: Final = "assets"  # in the book of reconciliation
CONTRACT, DATABASE, LOG, JOURNAL = "contract", "database", "log", "journal"
_PLACES: Final = {
    Kinds.STORAGE: CONTRACT,
    Kinds.NOT_IN_JOURNAL: JOURNAL,
    Kinds.JOURNAL_AHEAD: JOURNAL,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about one record that the three do not tell alike; None where one of them is silent.

    `place` is the one that stands alone, `all` where no two agree, `journal` the ledger's journal of acts;
    `detail` says it in words where it is about an act; `holder` is the party that the log names.
    """

    place: str
    record: str
    field: str
    contract: str | None
    database: str | None
    log: str | None
    detail: str | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found; `pending` are ids of confirmed acts without their statement."""

    checked_at: int
    records: int
    acts: int
    pending: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def is_agreed(self) -> bool:
        """Whether nothing differs and nothing is on its way."""
        return not self.differences and not self.pending


def agreement(parts: Parts, chain: AssetChain) -> list[Difference]:
    """Return every difference between contract, database and log."""
    return list(compare(parts, chain).differences)


def compare(parts: Parts, chain: AssetChain) -> Comparison:
    """Compare contract, database and log, whole.

    Raises:
        ChainUnreachable: The node does not answer.
    """
    parts.projections.refresh()
    statements, events = mirror_statements(parts), chain.book.events()
    leaves = Leaves(parts)
    held = held_records(chain, events)
    contract = contract_story(held, events)
    database, log = database_story(parts, leaves), log_story(parts.registrar, statements, leaves)
    holders = {bytes(one.body["record"]): str(one.body["to"] or one.body["holder"]) for one in statements}
    pending = _pending(parts, chain, statements)
    transactions = {transaction for _, transaction in pending}
    on_its_way = {
        record
        for event in events
        if event.transaction_hash in transactions
        for record in (event.record, *event.parts)
    }
    differences = [
        *_record_differences(contract, database, log, on_its_way),
        *_act_differences(chain, held, events, statements, transactions),
        *_row_differences(parts, statements),
    ]
    return Comparison(
        checked_at=parts.clock(),
        records=len({*contract, *database, *log}),
        acts=len(events),
        pending=tuple(act_id for act_id, _ in pending),
        differences=tuple(replace(one, holder=holders.get(bytes.fromhex(one.record))) for one in differences),
    )


def require_agreement(parts: Parts, chain: AssetChain, *, for_party: str | None = None) -> None:
    """Refuse to move anything while contract, database and log disagree.

    `for_party` sees the differences about its own records only; None sees all.

    Raises:
        ActsPending: A confirmed act waits for its statement.
        RecordsDisagree: They differ.
        ReconciliationOpen: They did, or other sources of the ledger do, and no person has looked.
    """
    found = _noted(parts, compare(parts, chain), lambda: compare(parts, chain))
    if found.differences:
        shown = [_view(one).model_dump() for one in found.differences if for_party in {None, one.holder}]
        raise refusals.RecordsDisagree(
            "records",
            f"contract, database and log differ in {len(found.differences)} places",
            "nothing moves until that is resolved; see GET /assets/agreement and the runbook",
            shown,
        )
    if found.pending:
        raise refusals.ActsPending(
            "records",
            f"{len(found.pending)} confirmed acts wait for their mirror statement",
            "have the registrar's desk opened, then try again",
        )
    parts.holding.require_none("records")


def check_and_keep(parts: Parts, chain: AssetChain) -> AgreementView:
    """Compare, keep what was found for `GET /assets/agreement`, and return it."""
    view = _shown(_noted(parts, compare(parts, chain), lambda: compare(parts, chain)))
    queries.keep_agreement(parts.engine, parts.clock(), view.model_dump(), is_agreed=view.is_agreed)
    return view


def newest(parts: Parts, chain: AssetChain, principal: Principal) -> AgreementView:
    """Return the newest comparison, made now if there is none; others' records only to who sees all."""
    kept = queries.newest_agreement(parts.engine)
    view = check_and_keep(parts, chain) if kept is None else AgreementView(**kept)
    if principal.sees_all:
        return view
    own = [one for one in view.differences if one.holder == principal.party]
    return view.model_copy(update={"differences": own})


def _noted(parts: Parts, found: Comparison, again: Callable[[], Comparison]) -> Comparison:
    """Keep differences in the book of reconciliation, once a second look has confirmed them.

    Nothing moves from then on until a person has looked, also when they go away by themselves.
    """
    first = [_disagreement(one) for one in found.differences]
    second = [_disagreement(one) for one in again().differences] if first else []
    parts.holding.book.note(confirmed(first, second), areas=[AREA])
    return found


def _disagreement(one: Difference) -> Disagreement:
    told = f"contract {one.contract}, database {one.database}, log {one.log}"
    facts = (one.place, one.field, one.detail or told)
    return Disagreement(AREA, "asset-records-differ", one.record, f"{one.field}: {one.detail or told}", facts)


# -- what differs


def _record_differences(
    contract: Story, database: Story, log: Story, on_its_way: Collection[bytes]
) -> Iterator[Difference]:
    for record in sorted({*contract, *database, *log} - {*on_its_way}):
        told = (contract.get(record), database.get(record), log.get(record))
        if None in told:
            shown = ["recorded" if one else None for one in told]
            yield _difference(record, "record", shown)
            continue
        for name in FIELDS:
            shown = [_text(getattr(one, name)) for one in told]
            if len(set(shown)) > 1:
                yield _difference(record, name, shown)


def _act_differences(
    chain: AssetChain,
    held: Mapping[bytes, AssetRecord],
    events: Sequence[AssetEvent],
    statements: Sequence[MirrorStatement],
    pending: Collection[bytes],
) -> Iterator[Difference]:
    """Find acts that chain, journal and log do not tell alike, each with exactly one statement."""
    found = disagreements(
        parts=[PartRow.of(record, one) for record, one in held.items()],
        events=events,
        journal=[
            JournalRow(one.kind, one.record, one.transaction_hash)
            for one in chain.book.acts()
            if one.state in DONE and one.record is not None and one.transaction_hash is not None
        ],
        mirrors=[_mirror_row(one) for one in statements],
    )
    waiting = {one.record for one in events if one.transaction_hash in pending}
    for one in found:
        if one.difference != Kinds.NOT_MIRRORED or one.record not in waiting:
            place = _PLACES.get(one.difference, LOG)
            yield Difference(place, one.record.hex(), str(one.difference), None, None, None, one.detail)


def _mirror_row(one: MirrorStatement) -> MirrorRow:
    body = one.body
    transaction, record, act = one.key
    names_official = body["reference"] is not None and act not in {FREEZE, RELEASE}
    return MirrorRow(
        kind=act,
        record=record,
        transaction=transaction,
        first=body["first"],
        last=body["last"],
        holder=text_id(body["holder"]),
        to=None if body["to"] is None else text_id(body["to"]),
        parts=tuple(body["parts"]),
        reference=text_id(body["reference"]) if names_official else None,
    )


def _row_differences(parts: Parts, statements: Iterable[MirrorStatement]) -> Iterator[Difference]:
    """Find rows of acts that say something else than their statement, and made-up or missing ones."""
    rows = {
        bytes(row["statement_digest"]): row["body"]
        for row in queries.every_act_row(parts.engine, parts.registrar)
    }
    told = {one.entry.digest: json_value(one.body) for one in statements}
    for digest in sorted({*rows, *told}):
        row, said = rows.get(digest), told.get(digest)
        if row != said:
            record = (said or row or {}).get("record", "")
            yield Difference(
                DATABASE,
                record,
                "act",
                None,
                None if row is None else f"act {row.get('act')}",
                None if said is None else f"act {said['act']} {digest.hex()}",
            )


def _difference(record: bytes, name: str, shown: Sequence[str | None]) -> Difference:
    contract, database, log = shown
    alone = {contract == log: DATABASE, contract == database: LOG, database == log: CONTRACT}
    return Difference(alone.get(True, "all"), record.hex(), name, contract, database, log)


def _pending(
    parts: Parts, chain: AssetChain, statements: Iterable[MirrorStatement]
) -> list[tuple[str, bytes]]:
    """Return the acts whose statement is still to be written, with their transactions."""
    told = {one.key for one in statements}
    found = []
    for row in queries.acts(parts.engine, unmirrored=True):
        act = chain.act(row.act_id)
        transaction = act.transaction_hash
        if act.state in DONE and transaction is not None and (transaction, row.record, row.kind) not in told:
            found.append((row.act_id, transaction))
    return found


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset):
        return ", ".join(sorted(one.hex() for one in value))
    return str(value)


def _shown(found: Comparison) -> AgreementView:
    return AgreementView(
        is_agreed=found.is_agreed,
        checked_at=format_instant(found.checked_at),
        records=found.records,
        acts=found.acts,
        pending=list(found.pending),
        differences=[_view(one) for one in found.differences],
    )


def _view(one: Difference) -> DifferenceView:
    return DifferenceView(**asdict(one))
