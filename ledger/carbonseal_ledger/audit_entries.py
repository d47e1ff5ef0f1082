"""Audits the entries of one log: every stored value is hashed again and held against header, tile and heads.

An entry that is damaged or gone hides nothing behind it: where the row is not sound its leaf is taken from
the published tile, and heads are compared with the roots over the rows, over the tiles, and over both. A head
is called wrong only when it is the root of none of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text

from carbonseal_attest.contents import KINDS, check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import Frontier, leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tiles import TILE_WIDTH
from carbonseal_ledger.audit_report import Damage

PAGE: Final = 8 * TILE_WIDTH  # entries read at a time; a whole number of tiles
_RESTORE: Final = "restore the row from a backup or from the bundle of its owner"
# The payload, by which contents are found, stands before the signature and the head that tells its length: 64
# bytes, or 2,420 for ML-DSA-44.
_ENTRIES: Final = text(
    "SELECT e.index AS place, e.sequence, e.interval_start, e.interval_end, e.registered_at, e.digest, e.raw,"
    " k.name AS kind, s.name AS subject, s.log_id AS subject_log, t.id AS stream_id, t.kid, t.stream,"
    " t.log_id AS stream_log, c.data, x.digest IS NOT NULL AS is_erased FROM ledger_entries e"
    " LEFT JOIN ledger_kinds k ON k.id = e.kind_id LEFT JOIN ledger_subjects s ON s.id = e.subject_id"
    " LEFT JOIN ledger_streams t ON t.id = e.stream_id"
    " CROSS JOIN LATERAL (SELECT substr(e.raw, length(e.raw) - CASE WHEN length(e.raw) > 2455"
    " AND substr(e.raw, length(e.raw) - 2422, 3) = decode('590974', 'hex') THEN 2454 ELSE 97 END, 32)"
    " AS digest) p"
    " LEFT JOIN ledger_contents c ON c.digest = p.digest LEFT JOIN ledger_erasures x ON x.digest = p.digest"
    " WHERE e.log_id = :log_id AND e.index >= :start AND e.index < :end ORDER BY e.index"
)


@dataclass(slots=True)
class Walk:
    """What the entries of one log say, gathered from the first to the last.

    Attributes:
        origin: of the log.
        log_id: of the rows of its entries.
        is_epochs: whether it is the log of logs.
        upper: for level 1 and above, the hashes of the tree over the leaves taken.
        leaves: the leaves taken since the last whole tile.
    """

    origin: str
    log_id: int
    is_epochs: bool
    frontiers: dict[str, Frontier] = field(
        default_factory=lambda: {name: Frontier() for name in ("rows", "tiles", "taken")}
    )
    upper: list[list[bytes]] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    last_at: int = 0
    genesis: SignedStatement | None = None
    genesis_body: dict[str, Any] | None = None
    last_tick: tuple[int, int] = (0, 0)
    streams: dict[int, tuple[int, bytes, bytes | None]] = field(default_factory=dict)
    conflicts: dict[tuple[bytes, str, int], int] = field(default_factory=dict)

    def roots(self, stop: int, rows: list[bytes], tiles: list[bytes], taken: list[bytes]) -> set[bytes]:
        """The roots that the log may have had after the first `stop` leaves of a page."""
        pages = {"rows": rows, "tiles": tiles, "taken": taken}
        return {at.extend(pages[name][:stop]).root() for name, at in self.frontiers.items()}

    def grow(self, rows: list[bytes], tiles: list[bytes], taken: list[bytes]) -> None:
        """Go on behind a page."""
        if rows == tiles == taken and len(set(self.frontiers.values())) == 1:
            grown = self.frontiers["taken"].extend(taken)
            self.frontiers = dict.fromkeys(self.frontiers, grown)
        else:
            pages = {"rows": rows, "tiles": tiles, "taken": taken}
            self.frontiers = {name: at.extend(pages[name]) for name, at in self.frontiers.items()}
        for leaf in taken:
            self.leaves.append(leaf)
            if len(self.leaves) == TILE_WIDTH:
                self._lift(0, root_of(self.leaves))
                self.leaves = []

    def _lift(self, level: int, node: bytes) -> None:
        if len(self.upper) <= level:
            self.upper.append([])
        self.upper[level].append(node)
        if len(self.upper[level]) % TILE_WIDTH == 0:
            self._lift(level + 1, root_of(self.upper[level][-TILE_WIDTH:]))


def read_page(connection: Connection, walk: Walk, start: int, end: int) -> dict[int, Any]:
    """The rows of the entries [start, end), by index."""
    found = connection.execute(_ENTRIES, {"log_id": walk.log_id, "start": start, "end": end})
    return {item.place: item for item in found}


def audit_page(
    walk: Walk, start: int, end: int, items: dict[int, Any], tiles: list[bytes | None]
) -> tuple[list[Damage], list[bytes], list[bytes], list[bytes]]:
    """The damages of a page, and its leaves by rows, by tiles, and those taken.

    `tiles` holds the published leaf of each entry, None where none is published or it cannot be read.
    """
    damages = [_missing(walk.origin, *run) for run in _runs(start, end, items)]
    rows, published, taken = [], [], []
    for place in range(start, end):
        item, tile = items.get(place), tiles[place - start]
        found = [] if item is None else list(audit_entry(walk, item))
        leaf = None if item is None else leaf_hash(bytes(item.raw))
        if leaf is not None and tile is not None and leaf != tile:
            what = "leaf and published tile differ"
            found.append(Damage(f"{walk.origin} entry {place}", what, "restore the one that is wrong"))
        is_sound = leaf is not None and (leaf == tile or not _is_local(found))
        chosen = (leaf if is_sound else tile or leaf) or bytes(32)
        damages += found
        rows.append(leaf or tile or bytes(32))
        published.append(tile or leaf or bytes(32))
        taken.append(chosen)
    return damages, rows, published, taken


def audit_entry(walk: Walk, item: Any) -> Iterator[Damage]:
    """Hold one row against its own bytes."""
    raw = bytes(item.raw)
    where = f"{walk.origin} entry {item.place}"
    if item.registered_at < walk.last_at:
        yield Damage(where, "registered_at is before the entry before it", _RESTORE)
    walk.last_at = item.registered_at
    if walk.is_epochs and item.place > 0:
        if item.kind != "epoch" or hashlib.sha256(raw).digest() != bytes(item.digest):
            yield Damage(where, "digest or kind differ from its bytes", _RESTORE)
        columns = ("sequence", "stream_id", "subject", "interval_start", "interval_end")
        for column in columns:
            if getattr(item, column) is not None:
                yield Damage(where, f"{column} is set, and an epoch's entry has none", _RESTORE)
        return
    try:
        statement = SignedStatement.parse(raw)
    except CarbonsealError as error:
        yield Damage(where, f"raw: the leaf is no statement ({error.field} {error.reason})", _RESTORE)
        return
    header = statement.header
    interval = None
    if item.interval_start is not None or item.interval_end is not None:
        interval = (item.interval_start, item.interval_end)
    for column, stored, signed in (
        ("digest", bytes(item.digest), statement.digest),
        ("kind", item.kind, header.kind),
        ("subject", item.subject, header.subject),
        ("subject log", item.subject_log, walk.log_id),
        ("sequence", item.sequence, header.sequence),
        ("stream", item.stream, header.stream),
        ("kid", None if item.kid is None else bytes(item.kid), header.kid),
        ("stream log", item.stream_log, walk.log_id),
        ("interval", interval, header.interval),
        ("origin", walk.origin, header.origin),
    ):
        if stored != signed:
            yield Damage(where, f"{column} differs from the signed header", _RESTORE)
    if item.place == 0:
        walk.genesis = statement
    if header.kind == "tick":
        walk.last_tick = (item.place + 1, item.registered_at)
    void_digest = None
    for found in _audit_content(walk, item, statement, where):
        if isinstance(found, Damage):
            yield found
        else:
            void_digest = found
    walk.streams[item.stream_id] = (header.sequence, statement.digest, void_digest)


def _audit_content(walk: Walk, item: Any, statement: SignedStatement, where: str) -> Iterator[Damage | bytes]:
    """The damages of an entry's content; of a void, the digest that it stands for."""
    header = statement.header
    if item.data is None:
        kind = KINDS.get(header.kind)
        if kind is not None and not kind.may_follow and not item.is_erased:
            yield Damage(f"{where} content", "it is missing and was not erased", "ask its owner to upload it")
        return
    try:
        content = check_content(statement, bytes(item.data))
    except CarbonsealError as error:
        what = f"{error.field} {error.reason}"
        yield Damage(f"{where} content", what, "restore the content from its owner")
        return
    if header.kind == "genesis" and item.place == 0:
        walk.genesis_body = content.body
    elif header.kind == "void":
        yield bytes(content.body["digest"])
    elif header.kind == "equivocation":
        place = (content.body["kid"], content.body["stream"], content.body["sequence"])
        walk.conflicts[place] = item.place
    elif header.kind == "tick" and content.body["at"] != item.registered_at:
        yield Damage(where, "registered_at is another time than its tick says", "restore the row")


def _is_local(damages: list[Damage]) -> bool:
    """Whether what was found speaks against the leaf's own bytes, and not only against columns beside it."""
    return any(damage.what.startswith(("raw", "digest")) for damage in damages)


def _runs(start: int, end: int, items: dict[int, Any]) -> Iterator[tuple[int, int]]:
    """The runs [first, last] of indices without a row."""
    first = None
    for place in range(start, end + 1):
        is_missing = place < end and place not in items
        if is_missing and first is None:
            first = place
        elif not is_missing and first is not None:
            yield first, place - 1
            first = None


def _missing(origin: str, first: int, last: int) -> Damage:
    if first == last:
        return Damage(f"{origin} entry {first}", "the row is missing", "restore it from a backup")
    return Damage(f"{origin} entries {first} to {last}", "the rows are missing", "restore them from a backup")
