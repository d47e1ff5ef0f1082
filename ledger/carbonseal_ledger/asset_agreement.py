"""Whether contract, journal and mirrored statements tell one story of the records: a pure comparison.

Four tellings are compared: what the contract's storage holds now, which acts its events tell, which acts the
journal believes done, and which acts the registrar's statements mirror. Movements stop while they differ. It
leaves out where the rows come from and what is done about a difference (the service's).

An act is known by its transaction, what it does, and the record: a reorganisation may put the same
transaction into another block, so block and log index tell nothing. Ids and digests are bytes as the chain
has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from eth_abi.abi import encode

from carbonseal_attest.evm_proof import keccak256
from carbonseal_ledger.asset_acts import ActKind
from carbonseal_ledger.asset_events import AssetEvent
from carbonseal_ledger.carbon_assets_calls import AssetRecord, AssetState

_Key = tuple[bytes, str, bytes]  # transaction, act, record

_NOBODY: Final = bytes(32)


class Difference(StrEnum):
    """What can differ."""

    STORAGE = "contract-contradicts-its-events"
    NOT_MIRRORED = "act-not-mirrored"
    MIRRORED_NOTHING = "mirror-without-act"
    MIRRORED_TWICE = "act-mirrored-twice"
    MIRRORED_OTHERWISE = "mirror-differs-from-act"
    NOT_IN_JOURNAL = "act-not-in-journal"
    JOURNAL_AHEAD = "journal-ahead-of-contract"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference: which, about which record, and in words what each side says."""

    difference: Difference
    record: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """A record as the contract's storage holds it, or as the events tell that it should."""

    record: bytes
    registry: bytes
    batch: bytes
    first: int
    last: int
    holder: bytes
    report_leaf: bytes
    state: AssetState
    freezes: int
    pledgee: bytes = _NOBODY

    @classmethod
    def of(cls, record: bytes, held: AssetRecord) -> PartRow:
        """Return the row of a record that the contract holds."""
        what = (held.registry, held.batch, held.first, held.last, held.holder, held.report_leaf)
        return cls(record, *what, held.state, held.freezes, held.pledgee)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """An act that the journal believes mined or final."""

    kind: str
    record: bytes
    transaction: bytes


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """An act as a statement mirrors it; ids of texts as the chain has them, None where an act has none.

    `first`, `last` and `holder` are those before the act, of a new record right after it; `to` is the new
    holder of a move, `reference` the official act or transfer.
    """

    kind: str
    record: bytes
    transaction: bytes
    first: int
    last: int
    holder: bytes
    to: bytes | None = None
    parts: tuple[bytes, ...] = ()
    reference: bytes | None = None


_ENDS: Final[Mapping[str, AssetState]] = {
    ActKind.RETIRE: AssetState.RETIRED,
    ActKind.SURRENDER: AssetState.SURRENDERED,
    ActKind.CANCEL: AssetState.CANCELLED,
}


def disagreements(
    *,
    parts: Iterable[PartRow],
    events: Sequence[AssetEvent],
    journal: Iterable[JournalRow],
    mirrors: Iterable[MirrorRow],
) -> list[Disagreement]:
    """Return every difference between the four tellings; an empty list when they agree.

    Args:
        parts: the contract's storage, of every record that the events name.
        events: the acts that the contract's events tell, in order.
        journal: the acts that the journal believes done.
        mirrors: the acts that statements mirror.
    """
    held = {part.record: part for part in parts}
    before, after = _replay(events, held)
    acts = {_key_of(event): event for event in events}
    return [*_storage(held, after), *_mirrors(acts, before, mirrors), *_journal(acts, journal)]


def _replay(
    events: Sequence[AssetEvent], held: Mapping[bytes, PartRow]
) -> tuple[dict[_Key, PartRow], dict[bytes, PartRow]]:
    """Return each act's record as it stood before it, and all records as they stand after all acts."""
    before: dict[_Key, PartRow] = {}
    records: dict[bytes, PartRow] = {}
    for event in events:
        claim = event.claim
        if claim is not None:
            what = (claim.registry, claim.batch, claim.first, claim.last, claim.holder, claim.report_leaf)
            records[event.record] = PartRow(event.record, *what, AssetState.LIVE, 0)
        known = records.get(event.record)
        if known is None:
            continue  # an act upon nothing: the storage of that record will have no telling beside it
        before[_key_of(event)] = known
        records[event.record] = _after(event, known)
        records |= _parts_of(event, known, held)
    return before, records


def _parts_of(event: AssetEvent, known: PartRow, held: Mapping[bytes, PartRow]) -> dict[bytes, PartRow]:
    """Return the parts of a split. Its event names their ids alone; an id commits to its serials."""
    if len(event.parts) != 2 or event.parts[0] not in held:
        return {}
    left, right = event.parts
    cut = held[left].last
    parts = {
        left: replace(known, record=left, last=cut),
        right: replace(known, record=right, first=cut + 1),
    }
    return {record: part for record, part in parts.items() if record == _id_of(part)}


def _id_of(part: PartRow) -> bytes:
    serials = [part.registry, part.batch, part.first, part.last]
    return keccak256(encode(["bytes32", "bytes32", "uint64", "uint64"], serials))


def _after(event: AssetEvent, known: PartRow) -> PartRow:
    match event.act:
        case ActKind.SPLIT:
            return replace(known, state=AssetState.SPLIT)
        case ActKind.MOVE:
            return replace(known, holder=event.to_party or b"")
        case ActKind.PLEDGE:
            return replace(known, pledgee=event.to_party or _NOBODY)
        case ActKind.UNPLEDGE:
            return replace(known, pledgee=_NOBODY)
        case ActKind.FREEZE:
            return replace(known, freezes=known.freezes + 1)
        case ActKind.RELEASE:
            return replace(known, freezes=known.freezes - 1)
        case _:
            return replace(known, state=_ENDS.get(event.act, known.state))


def _storage(held: Mapping[bytes, PartRow], told: Mapping[bytes, PartRow]) -> list[Disagreement]:
    return [
        Disagreement(
            Difference.STORAGE, record, f"storage: {_row(held.get(record))}; events: {_row(told.get(record))}"
        )
        for record in sorted(set(held) | set(told))
        if held.get(record) != told.get(record)
    ]


def _mirrors(
    acts: Mapping[_Key, AssetEvent], before: Mapping[_Key, PartRow], mirrors: Iterable[MirrorRow]
) -> list[Disagreement]:
    found: list[Disagreement] = []
    seen: set[_Key] = set()
    for mirror in mirrors:
        key = (mirror.transaction, str(mirror.kind), mirror.record)
        event = acts.get(key)
        if event is None:
            found.append(Disagreement(Difference.MIRRORED_NOTHING, mirror.record, _named(key)))
            continue
        if key in seen:
            found.append(Disagreement(Difference.MIRRORED_TWICE, event.record, _named(key)))
        seen.add(key)
        for name, said, is_so in _compared(mirror, event, before.get(key)):
            if said != is_so:
                detail = f"{_named(key)}: {name} is {_shown(is_so)}, mirrored {_shown(said)}"
                found.append(Disagreement(Difference.MIRRORED_OTHERWISE, event.record, detail))
    found += [
        Disagreement(Difference.NOT_MIRRORED, event.record, _named(key))
        for key, event in acts.items()
        if key not in seen
    ]
    return found


def _compared(
    mirror: MirrorRow, event: AssetEvent, known: PartRow | None
) -> list[tuple[str, object, object]]:
    pairs: list[tuple[str, object, object]] = [
        ("to", mirror.to, event.to_party),
        ("parts", tuple(mirror.parts), event.parts),
        ("reference", mirror.reference, event.reference),
    ]
    if known is not None:
        pairs += [
            ("first", mirror.first, known.first),
            ("last", mirror.last, known.last),
            ("holder", mirror.holder, known.holder),
        ]
    return pairs


def _journal(acts: Mapping[_Key, AssetEvent], journal: Iterable[JournalRow]) -> list[Disagreement]:
    rows = {(row.transaction, str(row.kind), row.record): row for row in journal}
    ahead = [
        Disagreement(Difference.JOURNAL_AHEAD, row.record, _named(key))
        for key, row in rows.items()
        if key not in acts
    ]
    behind = [
        Disagreement(Difference.NOT_IN_JOURNAL, event.record, _named(key))
        for key, event in acts.items()
        if key not in rows
    ]
    return [*ahead, *behind]


def _key_of(event: AssetEvent) -> _Key:
    return (event.transaction_hash, str(event.act), event.record)


def _named(key: _Key) -> str:
    return f"{key[1]} in transaction 0x{key[0].hex()}"


def _row(row: PartRow | None) -> str:
    if row is None:
        return "nothing"
    frozen = f", frozen for {row.freezes}" if row.freezes else ""
    return f"{row.first} to {row.last} of 0x{row.holder.hex()}, {row.state.name.lower()}{frozen}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value) or "none"
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
