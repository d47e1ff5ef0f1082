"""The audit (fsck): re-hashes what is stored and compares it with everything that was signed or published.

Stored *values* are hashed again, not only chained digests: an audit that walks the chain alone says
"consistent" about a log whose bytes were edited. Covered are: every leaf (by tiles, checkpoint and epoch
heads), every column that repeats a header (by the leaf), stream heads (by the leaves), every content (by its
digest, and its digest by the leaf), epochs and their heads (by recomputation). Exempt, because nothing
outside the database repeats them: `opened_at`, `published_size`, what a log has used of its policy's rates,
`erased_at`, a content's `log_id`; `registered_at` is bounded by
order and by the ticks around it. Signatures were checked on the way in and are covered by the leaf; `check`
verifies them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from carbonseal_attest.contents import KINDS, check_content
from carbonseal_attest.epoch import EpochEntry, EpochMap, MapEntry
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import Frontier, leaf_hash
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tiles import TILE_WIDTH, entries_path, grown_tiles, tile_path
from carbonseal_ledger.heads import KNOWN_KINDS
from carbonseal_ledger.log_key_audit import wrong_keys
from carbonseal_ledger.log_keys import open_head, open_note, spans_of
from carbonseal_ledger.publishing import PublishedCopy

_PAGE: Final = (
    8 * TILE_WIDTH
)  # entries read at a time; a whole number of tiles, so that each tile is compared once
# The payload, by which contents are found, stands before the signature and the head that tells its length: 64
# bytes, or 2,420 for ML-DSA-44.
_ENTRIES: Final = text(
    "SELECT e.index AS place, e.sequence, e.interval_start, e.interval_end, e.registered_at, e.digest, e.raw,"
    " k.name AS kind, s.name AS subject, t.id AS stream_id, t.kid, t.stream, t.log_id AS stream_log, c.data,"
    " x.digest IS NOT NULL AS is_erased FROM ledger_entries e"
    " LEFT JOIN ledger_kinds k ON k.id = e.kind_id LEFT JOIN ledger_subjects s ON s.id = e.subject_id"
    " LEFT JOIN ledger_streams t ON t.id = e.stream_id"
    " CROSS JOIN LATERAL (SELECT substr(e.raw, length(e.raw) - CASE WHEN length(e.raw) > 2455"
    " AND substr(e.raw, length(e.raw) - 2422, 3) = decode('590974', 'hex') THEN 2454 ELSE 97 END, 32)"
    " AS digest) p"
    " LEFT JOIN ledger_contents c ON c.digest = p.digest LEFT JOIN ledger_erasures x ON x.digest = p.digest"
    " WHERE e.log_id = :log_id AND e.index >= :start AND e.index < :end ORDER BY e.index"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """One place where what is stored is not what was signed: where, what, and how to mend it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


@dataclass(slots=True)
class AuditReport:
    """What an audit covered and found; `damages` stands in the order in which it was found."""

    logs: int = 0
    entries: int = 0
    contents: int = 0
    epochs: int = 0
    damages: list[Damage] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """True when nothing was found."""
        return not self.damages

    @property
    def first(self) -> Damage | None:
        """The first damaged place."""
        return self.damages[0] if self.damages else None


@dataclass(slots=True)
class _Walk:
    """The state of one log's walk from its first entry to its last."""

    row: Any
    frontier: Frontier = field(default_factory=Frontier)
    last_at: int = 0
    genesis: bytes | None = None
    streams: dict[int, tuple[int, bytes, bytes | None]] = field(default_factory=dict)
    conflicts: dict[tuple[bytes, str, int], int] = field(default_factory=dict)


class LogAudit:
    """Audits one database against one published copy. Reads only; may run beside the service."""

    def __init__(
        self, engine: Engine, published: PublishedCopy, log_key: PublicKey, *, limit: int = 1_000
    ) -> None:
        self._engine = engine
        self._published = published
        self._log_key = log_key
        self._limit = limit

    def run(self, *, origins: list[str] | None = None) -> AuditReport:
        """Audit some logs, or all with every content and epoch; stops after `limit` damages."""
        report = AuditReport()
        # One snapshot for everything, so that batches that arrive meanwhile are not taken for damage.
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            for damage in self._damages(connection, report, origins):
                report.damages.append(damage)
                if len(report.damages) >= self._limit:
                    break
        return report

    def _damages(
        self, connection: Connection, report: AuditReport, origins: list[str] | None
    ) -> Iterator[Damage]:
        logs = connection.execute(text("SELECT * FROM ledger_logs ORDER BY id")).all()
        for row in logs:
            if origins is None or row.origin in origins:
                report.logs += 1
                yield from self._audit_log(connection, row, report)
        if origins is None:
            for name in connection.execute(text("SELECT name FROM ledger_kinds ORDER BY id")).scalars():
                if name not in KNOWN_KINDS:
                    yield Damage(f"kind {name}", "no kind of this version has that name", "restore the row")
            yield from self._audit_contents(connection, report)
            yield from self._audit_epochs(connection, report)
            known = {row.origin for row in logs}
            for origin in self._published.origins():
                if origin not in known:
                    yield Damage(origin, "published, but not in the database", "restore the newest backup")

    # -- one log
    # -------------------------------------------------------------------------------------------------

    def _audit_log(self, connection: Connection, row: Any, report: AuditReport) -> Iterator[Damage]:
        origin, walk = row.origin, _Walk(row)
        yield from self._audit_head(row)
        heads = connection.execute(
            text(
                "SELECT epoch, tree_size, root_hash FROM ledger_epoch_heads WHERE log_id = :id ORDER BY"
                " tree_size"
            ),
            {"id": row.id},
        ).all()
        pending = [(head.tree_size, f"epoch {head.epoch}", bytes(head.root_hash)) for head in heads]
        pending.append((row.size, "checkpoint", bytes(row.root_hash)))
        pending.sort(key=lambda head: head[0])
        for start in range(0, row.size, _PAGE):
            end = min(row.size, start + _PAGE)
            found = connection.execute(_ENTRIES, {"log_id": row.id, "start": start, "end": end}).all()
            report.entries += len(found)
            if [item.place for item in found] != list(range(start, end)):
                held = {item.place for item in found}
                missing = next(at for at in range(start, end) if at not in held)
                yield Damage(f"{origin} entry {missing}", "the row is missing", "restore it from a backup")
                return
            for item in found:
                yield from self._audit_entry(walk, item)
            leaves = [leaf_hash(bytes(item.raw)) for item in found]
            yield from self._audit_tiles(origin, walk.frontier, start, leaves)
            yield from self._audit_bundles(origin, start, [bytes(item.raw) for item in found])
            while pending and pending[0][0] <= end:
                size, name, root = pending.pop(0)
                if walk.frontier.extend(leaves[: size - start]).root() != root:
                    yield Damage(
                        f"{origin} head at {size}",
                        f"the stored entries do not give the root of the {name}",
                        "see above",
                    )
            walk.frontier = walk.frontier.extend(leaves)
        for size, name, _ in pending:
            yield Damage(
                f"{origin} head at {size}", f"the {name} is larger than the log", "restore a newer backup"
            )
        yield from self._audit_state(connection, walk)

    def _audit_head(self, row: Any) -> Iterator[Damage]:
        where = f"{row.origin} head"
        try:
            head = open_head(row.checkpoint, row.origin, spans_of(row.log_keys), self._log_key)
            if (head.tree_size, head.root_hash) != (row.size, bytes(row.root_hash)):
                yield Damage(
                    where, "the checkpoint differs from the row", "restore the row from the published copy"
                )
        except CarbonsealError as error:
            yield Damage(where, f"the stored checkpoint {error.reason}", "restore it from the published copy")
        try:
            note = self._published.checkpoint(row.origin)
            if note is None:
                yield Damage(where, "never published", "restart the ledger, which publishes it")
                return
            public = open_head(note, row.origin, spans_of(row.log_keys), self._log_key)
            if public.tree_size == row.size and public.root_hash != bytes(row.root_hash):
                yield Damage(
                    where, "the published checkpoint has another root", "two histories: stop the log"
                )
            elif public.tree_size < row.published_size:
                yield Damage(where, "the published copy was rolled back", "rebuild it from the database")
        except CarbonsealError as error:
            yield Damage(where, f"the published checkpoint {error.reason}", "rebuild the published copy")

    def _audit_entry(self, walk: _Walk, item: Any) -> Iterator[Damage]:
        origin, raw = walk.row.origin, bytes(item.raw)
        where = f"{origin} entry {item.place}"
        restore = "restore the row from a backup or from the bundle of its owner"
        if item.registered_at < walk.last_at:
            yield Damage(where, "registered before the entry before it", restore)
        walk.last_at = item.registered_at
        if walk.row.log == "epochs" and item.place > 0:
            if item.kind != "epoch" or hashlib.sha256(raw).digest() != bytes(item.digest):
                yield Damage(where, "digest or kind differ from its bytes", restore)
            return
        try:
            statement = SignedStatement.parse(raw)
        except CarbonsealError as error:
            yield Damage(where, f"the leaf is no statement ({error.field} {error.reason})", restore)
            return
        header = statement.header
        interval = None if item.interval_start is None else (item.interval_start, item.interval_end)
        for column, stored, signed in (
            ("digest", bytes(item.digest), statement.digest),
            ("kind", item.kind, header.kind),
            ("subject", item.subject, header.subject),
            ("sequence", item.sequence, header.sequence),
            ("stream", item.stream, header.stream),
            ("kid", None if item.kid is None else bytes(item.kid), header.kid),
            ("stream log", item.stream_log, walk.row.id),
            ("interval", interval, header.interval),
            ("origin", origin, header.origin),
        ):
            if stored != signed:
                yield Damage(where, f"{column} differs from the signed header", restore)
        yield from self._audit_content(walk, item, statement, where)

    def _audit_content(
        self, walk: _Walk, item: Any, statement: SignedStatement, where: str
    ) -> Iterator[Damage]:
        header, void_digest = statement.header, None
        if item.data is None:
            kind = KINDS.get(header.kind)
            if kind is not None and not kind.may_follow and not item.is_erased:
                yield Damage(
                    f"{where} content", "it is missing and was not erased", "ask its owner to upload it"
                )
        else:
            try:
                content = check_content(statement, bytes(item.data))
            except CarbonsealError as error:
                yield Damage(
                    f"{where} content", f"{error.field} {error.reason}", "restore the content from its owner"
                )
            else:
                if header.kind == "void":
                    void_digest = content.body["digest"]
                elif header.kind == "equivocation":
                    place = (content.body["kid"], content.body["stream"], content.body["sequence"])
                    walk.conflicts[place] = item.place
                elif header.kind == "tick" and content.body["at"] != item.registered_at:
                    yield Damage(where, "registered at another time than its tick says", "restore the row")
        if item.place == 0:
            walk.genesis = statement.digest
        walk.streams[item.stream_id] = (header.sequence, statement.digest, void_digest)

    def _audit_tiles(
        self, origin: str, frontier: Frontier, start: int, leaves: list[bytes]
    ) -> Iterator[Damage]:
        try:
            size = self._published.tree_size(origin)
        except CarbonsealError:
            return  # the head's audit has said so
        leaves = leaves[: max(0, size - start)]
        # Pages begin at whole tiles; what lies left of them on higher levels is read, and was compared
        # before.
        try:
            grown = grown_tiles(start, leaves, lambda *tile: self._published.read_tile(origin, *tile))
        except CarbonsealError as error:
            yield Damage(f"{origin} tiles", error.reason, "rebuild the published copy")
            return
        for (level, index, width), made in grown.items():
            for held_width in {width, *self._published.partial_widths(origin, level, index)}:
                yield from self._audit_tile(origin, (level, index, held_width), made)

    def _audit_tile(self, origin: str, tile: tuple[int, int, int], made: bytes) -> Iterator[Damage]:
        level, index, width = tile
        path = f"{origin} {tile_path(level, index, width)}"
        try:
            held = self._published.read_tile(origin, level, index, width)
        except CarbonsealError as error:
            yield Damage(path, error.reason, "rebuild the published copy")
            return
        for at in range(0, min(len(made), len(held)), 32):
            if held[at : at + 32] != made[at : at + 32]:
                first = (index * TILE_WIDTH + at // 32) << (8 * level)
                what = "leaf and published tile differ" if level == 0 else "stored entries and tile differ"
                yield Damage(f"{origin} entry {first}", f"{what} ({path})", "restore the one that is wrong")
                break

    def _audit_bundles(self, origin: str, start: int, raws: list[bytes]) -> Iterator[Damage]:
        if not self._published.with_entry_bundles:
            return
        for at in range(0, len(raws), TILE_WIDTH):
            chunk = raws[at : at + TILE_WIDTH]
            path = entries_path((start + at) // TILE_WIDTH, len(chunk))
            try:
                held = self._published.read_entries(origin, (start + at) // TILE_WIDTH, len(chunk))
            except CarbonsealError as error:
                yield Damage(f"{origin} {path}", f"cannot be read: {error}", "rebuild the published copy")
                continue
            if held != chunk:
                yield Damage(
                    f"{origin} {path}", "differs from the stored entries", "rebuild the published copy"
                )

    def _audit_state(self, connection: Connection, walk: _Walk) -> Iterator[Damage]:
        row, mend = walk.row, "restore the row; the entries are right"
        if walk.frontier.size == row.size and b"".join(walk.frontier.hashes) != bytes(row.frontier):
            yield Damage(f"{row.origin} head", "the stored frontier differs from the entries", mend)
        if walk.genesis is not None and walk.genesis != bytes(row.genesis_digest):
            yield Damage(f"{row.origin} head", "genesis_digest is not that of entry 0", mend)
        if row.last_registered_at != walk.last_at:
            yield Damage(f"{row.origin} head", "last_registered_at is not the last entry's", mend)
        for wrong in wrong_keys(connection, row):
            yield Damage(f"{row.origin} log keys", wrong, mend)
        query = text("SELECT * FROM ledger_streams WHERE log_id = :id ORDER BY id")
        for stream in connection.execute(query, {"id": row.id}):
            void = None if stream.void_digest is None else bytes(stream.void_digest)
            found = (stream.last_sequence, bytes(stream.last_digest), void)
            if walk.streams.get(stream.id) != found:
                yield Damage(
                    f"{row.origin} stream {stream.stream}", "its head is not that of the last entry", mend
                )
        conflicts = text(
            "SELECT s.kid, s.stream, q.sequence, q.entry_index FROM ledger_equivocations q"
            " JOIN ledger_streams s ON s.id = q.stream_id WHERE s.log_id = :id"
        )
        held = {
            (bytes(item.kid), item.stream, item.sequence): item.entry_index
            for item in connection.execute(conflicts, {"id": row.id})
        }
        if held != walk.conflicts:
            yield Damage(f"{row.origin} equivocations", "differ from the statements in the log", mend)

    # -- everything
    # ----------------------------------------------------------------------------------------------

    def _audit_contents(self, connection: Connection, report: AuditReport) -> Iterator[Damage]:
        query = text("SELECT digest, sha256(data) = digest AS is_whole FROM ledger_contents")
        for item in connection.execution_options(yield_per=5_000).execute(query):
            report.contents += 1
            if not item.is_whole:
                where = f"content {bytes(item.digest).hex()}"
                yield Damage(where, "its bytes do not give its digest", "restore the content from its owner")

    def _audit_epochs(self, connection: Connection, report: AuditReport) -> Iterator[Damage]:
        heads = text(
            "SELECT l.origin, h.tree_size, h.root_hash FROM ledger_epoch_heads h"
            " JOIN ledger_logs l ON l.id = h.log_id WHERE h.epoch = :epoch"
        )
        leaf = text(
            "SELECT e.raw, l.origin, l.log_keys FROM ledger_entries e JOIN ledger_logs l ON l.id = e.log_id"
            " WHERE l.log = 'epochs' AND e.index = :index"
        )
        for at, row in enumerate(
            connection.execute(text("SELECT * FROM ledger_epochs ORDER BY epoch")).all(), 1
        ):
            report.epochs += 1
            where, mend = f"epoch {row.epoch}", "restore its rows; the log of logs is right"
            entries = [
                MapEntry(head.origin, head.tree_size, bytes(head.root_hash))
                for head in connection.execute(heads, {"epoch": row.epoch})
            ]
            logged = connection.execute(leaf, {"index": row.entry_index}).first()
            if logged is None or row.epoch != at:
                yield Damage(where, "it has no entry in the log of logs, or one before it is missing", mend)
                continue
            try:
                entry = EpochEntry.decode(bytes(logged.raw))
                head = open_note(row.checkpoint, logged.origin, spans_of(logged.log_keys))
                recomputed = EpochMap(entries).close(row.epoch, row.built_at)
            except CarbonsealError as error:
                yield Damage(where, f"{error.field} {error.reason}", mend)
                continue
            stored = EpochEntry(row.epoch, bytes(row.map_root), row.origins, row.built_at)
            if not recomputed == stored == entry or head.tree_size != row.entry_index + 1:
                yield Damage(where, "map, row and entry in the log of logs differ", mend)
