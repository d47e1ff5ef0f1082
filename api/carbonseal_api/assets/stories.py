"""What contract, database and log each tell of the carbon-asset records, in the same terms, to be compared.

The contract's story is its state, for each record that its events name. The log's is drawn from the
registrar's asset_act statements by the very function that draws the database's rows. Texts stand as the ids
under which the chain knows them, a verification report as the leaf hash of its statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import queries
from carbonseal_api.assets.chain import AssetChain
from carbonseal_api.assets.mirroring import MirrorStatement
from carbonseal_api.assets.opinion_checks import find_opinion
from carbonseal_api.assets.projector import records_of
from carbonseal_api.assets.refusals import OpinionUnknown
from carbonseal_api.projections.rows import Projected, Rows
from carbonseal_api.projections.tables import ASSET_FREEZES, ASSET_RECORDS
from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.asset_acts import ActKind, text_id
from carbonseal_ledger.asset_events import AssetEvent
from carbonseal_ledger.carbon_assets_calls import AssetRecord

FIELDS = ("registry", "batch", "first", "last", "holder", "verification_report", "state", "causes")


@dataclass(frozen=True, slots=True)
class Told:
    """What one of the three tells of a record, in the contract's terms: texts by their ids."""

    registry: bytes
    batch: bytes
    first: int
    last: int
    holder: bytes
    verification_report: bytes
    state: str
    causes: frozenset[bytes] = frozenset()


Story = dict[bytes, Told]  # by record


class Leaves:
    """Leaf hashes of verification reports by statement digest, each looked up once."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._known = parts, dict[bytes, bytes]()

    def __call__(self, digest: bytes) -> bytes:
        """Return the leaf hash of a verification report's statement; empty for one that no log holds."""
        if digest not in self._known:
            try:
                self._known[digest] = leaf_hash(find_opinion(self._parts, digest).entry.raw)
            except OpinionUnknown:
                self._known[digest] = b""
        return self._known[digest]


def held_records(chain: AssetChain, events: Iterable[AssetEvent]) -> dict[bytes, AssetRecord]:
    """Return what the contract's storage holds of each record that its events name."""
    named = dict.fromkeys(record for event in events for record in (event.record, *event.parts))
    return {record: chain.book.record_of(record) for record in named}


def contract_story(held: Mapping[bytes, AssetRecord], events: Iterable[AssetEvent]) -> Story:
    """Return what the contract says of each record; which causes stand is told by its events alone."""
    causes: dict[bytes, set[bytes]] = {}
    for event in events:
        if event.act == ActKind.FREEZE and event.cause is not None:
            causes.setdefault(event.record, set()).add(event.cause)
        elif event.act == ActKind.RELEASE and event.cause is not None:
            causes.get(event.record, set()).discard(event.cause)
    return {
        record: Told(
            *(one.registry, one.batch, one.first, one.last, one.holder, one.report_leaf),
            one.state.name.lower(),
            frozenset(causes.get(record, ())),
        )
        for record, one in held.items()
    }


def database_story(parts: Parts, leaves: Leaves) -> Story:
    """Return what the projection says of each record."""
    freezes = queries.every_freeze(parts.engine, parts.registrar)
    return _story(queries.every_record(parts.engine, parts.registrar), freezes, leaves)


def log_story(registrar: str, statements: Iterable[MirrorStatement], leaves: Leaves) -> Story:
    """Return what the registrar's statements say of each record, the later ones over the earlier."""
    rows = Rows()
    for one in statements:
        records_of(rows, Projected(registrar, one.entry, one.statement, one.content))
    records, freezes = (rows.more.get(table, {}).values() for table in (ASSET_RECORDS, ASSET_FREEZES))
    return _story(records, freezes, leaves)


def _story(records: Iterable[queries.Row], freezes: Iterable[queries.Row], leaves: Leaves) -> Story:
    standing: dict[bytes, set[bytes]] = {}
    for freeze in freezes:
        if freeze["is_standing"]:
            standing.setdefault(bytes(freeze["record"]), set()).add(bytes.fromhex(freeze["cause"]))
    return {
        bytes(row["record"]): Told(
            registry=text_id(row["registry"]),
            batch=text_id(row["batch"]),
            first=row["first"],
            last=row["last"],
            holder=text_id(row["holder"]),
            verification_report=leaves(bytes(row["verification_report"])),
            state=row["state"],
            causes=frozenset(standing.get(bytes(row["record"]), ())),
        )
        for row in records
    }
