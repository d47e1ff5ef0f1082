"""The audit (fsck): re-hashes what is stored and compares it with everything that was signed or published.

Stored *values* are hashed again, not only chained digests: an audit that walks the chain alone says
"consistent" about a log whose bytes were edited. What covers which column stands in `coverage.toml`; the
parts of the audit are `audit_entries`, `audit_published` and `audit_epochs`, and row checksums find what
nothing else repeats (`row_checksums`). Damage hides nothing: the walk goes on behind it, so that many damaged
places are found in one run; some are then named more than once, by all that they contradict. Signatures of
statements were checked on the way in and are covered by the leaf; `check` verifies them again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.audit_entries import PAGE, Walk, audit_page, read_page
from carbonseal_ledger.audit_epochs import audit_epochs
from carbonseal_ledger.audit_published import (
    audit_bundles,
    audit_leaf_tiles,
    audit_upper_tiles,
    published_leaves,
)
from carbonseal_ledger.audit_report import AuditReport, Damage, Progress, silent
from carbonseal_ledger.coverage import LEDGER, Coverage
from carbonseal_ledger.heads import KNOWN_KINDS
from carbonseal_ledger.log_key_audit import wrong_keys
from carbonseal_ledger.log_keys import LogKeySpan, open_note, spans_of
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.row_checksums import checksummed, has_trigger, wrong_rows

__all__ = ["AuditReport", "Damage", "LogAudit"]
_MEND: Final = "restore the row; the entries are right"
_HEADS: Final = text(
    "SELECT h.epoch, h.tree_size, h.root_hash FROM ledger_epoch_heads h WHERE h.log_id = :id"
    " ORDER BY h.tree_size"
)
_STRAY_ENTRIES: Final = text(
    "SELECT e.log_id, e.index AS place FROM ledger_entries e LEFT JOIN ledger_logs l ON l.id = e.log_id"
    " WHERE l.id IS NULL OR e.index < 0 OR e.index >= l.size ORDER BY 1, 2"
)
_VOTERS: Final = 20  # entries asked for the origin of their log
_GENESIS: Final = text(
    "SELECT log_id FROM ledger_entries WHERE index = 0 AND (digest = :digest OR log_id = :id)"
    " ORDER BY digest <> :digest"
)
_FIRST: Final = text("SELECT raw FROM ledger_entries WHERE log_id = :id ORDER BY index LIMIT :most")
_COUNT: Final = text("SELECT count(*) FROM ledger_entries WHERE log_id = :id")
_SAID: Final = text(
    "SELECT max(tree_size) FROM ledger_epoch_heads WHERE log_id = :id AND tree_size <= :most"
    " UNION SELECT max(index) + 1 FROM ledger_entries WHERE log_id = :id AND index < :most"
)
_SUBJECTS: Final = text(
    "SELECT s.id, s.name FROM ledger_subjects s LEFT JOIN ledger_entries e"
    " ON e.subject_id = s.id AND e.log_id = s.log_id WHERE e.subject_id IS NULL ORDER BY s.id"
)


class LogAudit:
    """Audits one database against one published copy. Reads only; may run beside the service."""

    def __init__(
        self,
        engine: Engine,
        published: PublishedCopy,
        log_key: PublicKey,
        *,
        limit: int = 1_000,
        progress: Progress = silent,
    ) -> None:
        """Bind the parts; `engine` carries the key of the row checksums, `limit` ends a hopeless audit."""
        self._engine = engine
        self._published = published
        self._log_key = log_key
        self._limit = limit
        self._progress = progress
        self._epoch_logs: list[tuple[str, int, list[LogKeySpan]]] = []
        self._origins: set[str] = set()

    def run(
        self, *, origins: list[str] | None = None, coverage: Sequence[Coverage] = (LEDGER,)
    ) -> AuditReport:
        """Audit some logs, or all with every content, epoch and row checksum; stops after `limit` damages."""
        report, self._epoch_logs, self._origins = AuditReport(), [], set(self._published.origins())
        # One snapshot for everything, so that batches that arrive meanwhile are not taken for damage.
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            for damage in self._damages(connection, report, origins, coverage):
                report.damages.append(damage)
                if len(report.damages) >= self._limit:
                    report.is_cut_off = True
                    break
        return report

    def _damages(
        self,
        connection: Connection,
        report: AuditReport,
        origins: list[str] | None,
        coverage: Sequence[Coverage],
    ) -> Iterator[Damage]:
        logs = connection.execute(text("SELECT * FROM ledger_logs ORDER BY id")).all()
        for row in logs:
            if origins is None or row.origin in origins:
                report.logs += 1
                yield from self._audit_log(connection, row, report)
        if origins is None:
            yield from self._audit_contents(connection, report)
            for origin, log_id, spans in self._epoch_logs:
                yield from audit_epochs(connection, origin, log_id, spans, report)
            yield from _audit_names(connection)
            for part in coverage:
                yield from audit_checksums(connection, part, report)
            known = {row.origin for row in logs}
            for origin in self._published.origins():
                if origin not in known:
                    yield Damage(origin, "published, but not in the database", "restore the newest backup")

    # -- one log

    def _audit_log(self, connection: Connection, row: Any, report: AuditReport) -> Iterator[Damage]:
        origin, log_id = _identity(connection, row, self._origins)
        spans = _spans(row, self._log_key)
        damages, head, public = self._heads(row, origin, spans)
        yield from damages
        walk = Walk(origin, log_id, origin.endswith("/epochs"))
        size = _believed_size(connection, row, log_id) if head is None else head.tree_size
        public = size if public is None else public
        if walk.is_epochs:
            self._epoch_logs.append((origin, log_id, spans))
        pending = [
            (at.tree_size, f"epoch {at.epoch}", bytes(at.root_hash))
            for at in connection.execute(_HEADS, {"id": walk.log_id})
        ]
        pending.append((row.size, "stored root_hash", bytes(row.root_hash)))
        if head is not None:
            pending.append((head.tree_size, "checkpoint", head.root_hash))
        if walk.is_epochs:
            pending += _epoch_checkpoints(connection)
        pending.sort(key=lambda one: one[0])
        for start in range(0, size, PAGE):
            end = min(size, start + PAGE)
            self._progress(f"{origin}: entries", start, size)
            items = read_page(connection, walk, start, end)
            report.entries += len(items)
            tiles = published_leaves(self._published, origin, start, end, public)
            found, rows, held, taken = audit_page(walk, start, end, items, tiles)
            yield from found
            raws = [bytes(items[at].raw) if at in items else None for at in range(start, end)]
            for one in (
                *audit_leaf_tiles(self._published, origin, start, taken, public),
                *audit_bundles(self._published, origin, start, raws, public),
            ):
                report.tiles += one is None
                if one is not None:
                    yield one
            while pending and pending[0][0] <= end:
                at, name, root = pending.pop(0)
                if at < start or root not in walk.roots(at - start, rows, held, taken):
                    what = f"the stored entries do not give the root of the {name}"
                    yield Damage(f"{origin} head at {at}", what, "restore the one that is wrong")
            walk.grow(rows, held, taken)
        for at, name, _ in pending:
            what = f"the {name} is larger than the log"
            yield Damage(f"{origin} head at {at}", what, "restore a newer backup")
        for one in audit_upper_tiles(self._published, walk, public):
            report.tiles += one is None
            if one is not None:
                yield one
        yield from _audit_keys(connection, walk, row, self._log_key)
        yield from _audit_state(connection, walk, row)

    def _heads(
        self, row: Any, origin: str, spans: list[LogKeySpan]
    ) -> tuple[list[Damage], Checkpoint | None, int | None]:
        """The damages of a log's two checkpoints, the head to hold its entries against, and its copy's size.

        The last two are None where no checkpoint can be believed.
        """
        where, damages = f"{origin} head", []
        stored = public = None
        if row.origin != origin:
            damages.append(
                Damage(where, f"origin differs from that of its genesis: {row.origin!r:.120}", _MEND)
            )
        try:
            stored = open_note(row.checkpoint, origin, spans)
            if (stored.tree_size, stored.root_hash) != (row.size, bytes(row.root_hash)):
                what = "size or root_hash differ from the checkpoint"
                damages.append(Damage(where, what, "restore the row from the published copy"))
        except CarbonsealError as error:
            what = f"the stored checkpoint {error.reason}"
            damages.append(Damage(where, what, "restore it from the published copy"))
        try:
            note = self._published.checkpoint(origin)
            if note is None:
                damages.append(Damage(where, "never published", "restart the ledger, which publishes it"))
                return damages, stored, 0
            public = open_note(note, origin, spans)
        except CarbonsealError as error:
            what = f"the published checkpoint {error.reason}"
            damages.append(Damage(where, what, "rebuild the published copy"))
            return damages, stored, None
        if stored is None:
            return damages, public, public.tree_size
        if public.tree_size == stored.tree_size and public.root_hash != stored.root_hash:
            what = "the published checkpoint has another root"
            damages.append(Damage(where, what, "two histories: stop the log"))
        elif public.tree_size < min(row.published_size, stored.tree_size):
            what = "the published copy was rolled back"
            damages.append(Damage(where, what, "rebuild it from the database"))
        return damages, stored, public.tree_size

    def _audit_contents(self, connection: Connection, report: AuditReport) -> Iterator[Damage]:
        query = text("SELECT digest, sha256(data) = digest AS is_whole FROM ledger_contents")
        total = connection.execute(text("SELECT count(*) FROM ledger_contents")).scalar() or 0
        for item in connection.execution_options(yield_per=5_000).execute(query):
            report.contents += 1
            if report.contents % 5_000 == 1:
                self._progress("contents", report.contents, total)
            if not item.is_whole:
                where = f"content {bytes(item.digest).hex()}"
                yield Damage(where, "its bytes do not give its digest", "restore the content from its owner")


def _identity(connection: Connection, row: Any, published: set[str]) -> tuple[str, int]:
    """Origin and id of a log, by what most of row, checkpoint and first entries say; published ones first."""
    found = connection.execute(_GENESIS, {"digest": row.genesis_digest, "id": row.id}).all()
    log_id = found[0].log_id if found else row.id
    votes = [row.origin]
    with contextlib.suppress(CarbonsealError):
        votes.append(Checkpoint.of_note(row.checkpoint).origin)
    for entry in connection.execute(_FIRST, {"id": log_id, "most": _VOTERS}):
        with contextlib.suppress(CarbonsealError):
            votes.append(SignedStatement.parse(bytes(entry.raw)).header.origin)
    return max(votes, key=lambda origin: (origin in published, votes.count(origin))), log_id


def _spans(row: Any, present: PublicKey) -> list[LogKeySpan]:
    """The log keys that a row names; the present one alone where it names none that can be read."""
    try:
        spans = spans_of(row.log_keys)
    except (CarbonsealError, ValueError):
        return [(0, present)]
    is_in_order = bool(spans) and [at for at, _ in spans] == sorted(at for at, _ in spans)
    return spans if is_in_order and spans[0][0] == 0 else [(0, present)]


def _audit_keys(connection: Connection, walk: Walk, row: Any, present: PublicKey) -> Iterator[Damage]:
    """Hold the log keys that a row names against the logs; of a row whose other columns may be wrong."""
    party = row.party if walk.genesis_body is None else walk.genesis_body["party"]
    log = "epochs" if walk.is_epochs else walk.origin.rsplit("/", 1)[1]
    seen = SimpleNamespace(log_keys=row.log_keys, id=walk.log_id, log=log, party=party, origin=walk.origin)
    where = f"{walk.origin} log keys"
    try:
        for wrong in wrong_keys(connection, seen):
            yield Damage(where, wrong, _MEND)
        if spans_of(row.log_keys)[-1][1].kid != present.kid:
            yield Damage(where, "the newest log key is not the present one", _MEND)
    except (CarbonsealError, ValueError, IndexError) as error:
        yield Damage(where, f"log_keys cannot be read: {error}", _MEND)


def _believed_size(connection: Connection, row: Any, log_id: int) -> int:
    """How far to walk a log without a checkpoint that verifies: the largest likely size that is said."""
    count = connection.execute(_COUNT, {"id": log_id}).scalar() or 0
    most = 2 * count + 16
    said = [row.size, *connection.execute(_SAID, {"id": log_id, "most": most}).scalars()]
    return max((size for size in said if size is not None and 0 <= size <= most), default=count)


def audit_checksums(connection: Connection, coverage: Coverage, report: AuditReport) -> Iterator[Damage]:
    """Find the rows whose checksum is missing or wrong, and tables without their trigger."""
    tables = checksummed(connection, coverage)
    for name, stands in has_trigger(connection, tables).items():
        if not stands:
            what = "its trigger for row checksums is gone or another one"
            yield Damage(name, what, "start the service, which puts it back, and ask who took it away")
    for table in tables:
        count = connection.exec_driver_sql(f"SELECT count(*) FROM {table.table}").scalar()  # noqa: S608
        report.rows += count or 0
        for wrong in wrong_rows(connection, table):
            columns = ", ".join(wrong.columns)
            what = f"the row checksum over {columns} is {'missing' if wrong.is_missing else 'another'}"
            remedy = "ask who wrote to the table; restore the row from a backup"
            yield Damage(wrong.where, what, remedy)


def _epoch_checkpoints(connection: Connection) -> list[tuple[int, str, bytes]]:
    """The heads that the epochs' own checkpoints name; what cannot be read is said with the epochs."""
    found = []
    for row in connection.execute(text("SELECT epoch, checkpoint FROM ledger_epochs ORDER BY epoch")):
        try:
            head = Checkpoint.of_note(row.checkpoint)
        except CarbonsealError:
            continue
        found.append((head.tree_size, f"epoch {row.epoch}'s checkpoint", head.root_hash))
    return found


def _audit_names(connection: Connection) -> Iterator[Damage]:
    """Rows that no log reaches: entries outside it, and subjects of nothing."""
    strays: dict[int, list[int]] = {}
    for row in connection.execute(_STRAY_ENTRIES):
        strays.setdefault(row.log_id, []).append(row.place)
    for log_id, places in strays.items():
        shown = ", ".join(map(str, places[:20])) + (f" and {len(places) - 20} more" if places[20:] else "")
        what = f"no log reaches to the entries with index {shown}"
        yield Damage(f"ledger_entries log_id={log_id}", what, "restore the rows from a backup")
    for name in connection.execute(text("SELECT name FROM ledger_kinds ORDER BY id")).scalars():
        if name not in KNOWN_KINDS:
            yield Damage(f"kind {name}", "no kind of this version has that name", "restore the row")
    for row in connection.execute(_SUBJECTS):
        what = f"{row.name!r:.80} is the subject of no entry"
        yield Damage(f"ledger_subjects id={row.id}", what, "restore the row from a backup")


def _audit_state(connection: Connection, walk: Walk, row: Any) -> Iterator[Damage]:
    where = f"{row.origin} head"
    frontiers = {b"".join(at.hashes) for at in walk.frontiers.values()}
    if bytes(row.frontier) not in frontiers:
        yield Damage(where, "the stored frontier differs from the entries", _MEND)
    if walk.genesis is not None and walk.genesis.digest != bytes(row.genesis_digest):
        yield Damage(where, "genesis_digest is not that of entry 0", _MEND)
    if walk.genesis_body is not None:
        party = walk.genesis_body["party"]
        if (row.party, row.log) != (party, walk.origin.rsplit("/", 1)[1]):
            yield Damage(where, "party or log are not those of the genesis", _MEND)
    else:
        what = "party and log cannot be held against the genesis, whose content is damaged or gone"
        yield Damage(where, what, "restore that content, then audit again")
    if row.last_registered_at != walk.last_at:
        yield Damage(where, "last_registered_at is not the last entry's", _MEND)
    if (row.ticked_size, row.last_tick_at) != walk.last_tick:
        yield Damage(where, "ticked_size or last_tick_at are not those of the last tick", _MEND)
    yield from _audit_streams(connection, walk)


def _audit_streams(connection: Connection, walk: Walk) -> Iterator[Damage]:
    query = text("SELECT * FROM ledger_streams WHERE log_id = :id ORDER BY id")
    for stream in connection.execute(query, {"id": walk.log_id}):
        void = None if stream.void_digest is None else bytes(stream.void_digest)
        found = (stream.last_sequence, bytes(stream.last_digest), void)
        if walk.streams.get(stream.id) != found:
            where = f"{walk.origin} stream {stream.stream}"
            yield Damage(where, "its head is not that of the last entry", _MEND)
    conflicts = text(
        "SELECT s.kid, s.stream, q.sequence, q.entry_index FROM ledger_equivocations q"
        " JOIN ledger_streams s ON s.id = q.stream_id WHERE s.log_id = :id"
    )
    held = {
        (bytes(item.kid), item.stream, item.sequence): item.entry_index
        for item in connection.execute(conflicts, {"id": walk.log_id})
    }
    if held != walk.conflicts:
        what = "differ from the statements in the log"
        yield Damage(f"{walk.origin} equivocations", what, _MEND)
