"""The spool: a durable queue of signed statements, and everything a gateway must not forget.

One SQLite database in WAL mode with synchronous=FULL: what a transaction has committed survives kill -9 and
power loss. Stream heads (sequence and previous digest) change in the very transaction that stores the
statement, before anything is sent. A statement goes queued → sent → logged → anchored; its bytes are kept
until its receipt is anchored. Encryption at rest is left to the disk.

One connection, one lock: any thread may call. Other processes may look on; `spool_lock` admits one agent.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from carbonseal_collectors.adapter import Sample, SourceFile
from carbonseal_collectors.errors import SpoolFull, SpoolRefused

QUEUED: Final = "queued"
SENT: Final = "sent"
LOGGED: Final = "logged"
ANCHORED: Final = "anchored"
VOIDED: Final = "voided"
STATES: Final = (QUEUED, SENT, LOGGED, ANCHORED, VOIDED)
KEPT_ANCHORED: Final = (
    100_000  # rows of anchored statements kept for `status`; their bytes are let go at once
)
_VERSION: Final = "1"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (
  kid BLOB NOT NULL, stream TEXT NOT NULL, next_sequence INTEGER NOT NULL, head BLOB NOT NULL,
  PRIMARY KEY (kid, stream)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statements (
  id INTEGER PRIMARY KEY, place INTEGER NOT NULL, kid BLOB NOT NULL, stream TEXT NOT NULL, sequence INTEGER
  NOT NULL, digest BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
  statement BLOB, content BLOB, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  entry_index INTEGER, tree_size INTEGER, receipt BLOB, problem TEXT) STRICT;
CREATE INDEX IF NOT EXISTS statements_waiting ON statements (place) WHERE state IN ('queued', 'sent');
CREATE INDEX IF NOT EXISTS statements_by_state ON statements (state, id);
CREATE INDEX IF NOT EXISTS statements_by_index ON statements (entry_index) WHERE state = 'logged';
CREATE TABLE IF NOT EXISTS samples (
  source TEXT NOT NULL, meter TEXT NOT NULL, point TEXT NOT NULL, at INTEGER NOT NULL,
  width_ms INTEGER NOT NULL, value TEXT, unit TEXT NOT NULL, form TEXT NOT NULL, quality TEXT NOT NULL,
  source_status TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS samples_by_meter ON samples (meter);
CREATE TABLE IF NOT EXISTS meters (meter TEXT PRIMARY KEY, resume_from INTEGER NOT NULL) STRICT, WITHOUT
ROWID; CREATE TABLE IF NOT EXISTS signed_slots (
  meter TEXT NOT NULL, window_start INTEGER NOT NULL, marks BLOB NOT NULL,
  PRIMARY KEY (meter, window_start)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
  source TEXT NOT NULL, digest BLOB NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, rows INTEGER NOT
  NULL, PRIMARY KEY (source, digest)) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class StreamHead:
    """Where a stream stands: the next sequence number, and the digest that the next statement names."""

    next_sequence: int
    head: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement in the spool."""

    id: int
    stream: str
    sequence: int
    digest: bytes
    kind: str
    interval: tuple[int, int]
    statement: bytes
    content: bytes
    state: str
    attempts: int
    entry_index: int | None
    problem: str | None


class Spool:
    """The spool in one folder, for one gateway and one log.

    Args:
        folder: made when absent; the database inside is `spool.sqlite3`.
        gateway: the gateway's code; a spool is not handed from one gateway to another.
        origin: the log that its statements are for.
        max_bytes: size of the database from which on nothing new is taken in.

    Raises:
        SpoolRefused: not a spool, or of another gateway or log.
    """

    def __init__(self, folder: Path, *, gateway: str, origin: str, max_bytes: int = 1 << 30) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._depth = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                folder / "spool.sqlite3", isolation_level=None, check_same_thread=False, timeout=10
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._check_fact("version", _VERSION)
            self._check_fact("gateway", gateway)
            self._check_fact("origin", origin)
        except (OSError, sqlite3.Error) as exc:
            raise SpoolRefused(str(folder), f"cannot be opened ({exc})", "check folder and disk") from exc

    def close(self) -> None:
        """Closes the database; everything committed stays."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what happens inside, on disk when it ends. May be nested.

        Raises:
            SpoolFull: the disk is full; nothing of it stays, everything before does.
            SpoolRefused: the database fails in another way.
        """
        with self._lock:
            try:
                yield from self._transaction()
            except sqlite3.Error as exc:
                remedy = "make room on the disk; what was taken before is kept"
                kind = SpoolFull if "full" in str(exc) else SpoolRefused
                raise kind(str(self.folder), f"cannot be written ({exc})", remedy) from exc

    def _transaction(self) -> Iterator[None]:
        if self._depth == 0:
            self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self._roll_back()
            raise
        self._depth -= 1
        if self._depth == 0:
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        # A full disk makes SQLite roll back by itself.
        if self._depth == 0 and self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def check_room(self) -> None:
        """Raises SpoolFull when nothing new may be taken in."""
        with self._lock:
            pages, free = self._number("PRAGMA page_count"), self._number("PRAGMA freelist_count")
            used = (pages - free) * self._number("PRAGMA page_size")
        if used > self._max_bytes:
            raise SpoolFull(
                str(self.folder),
                f"holds {used} bytes, more than spool_max_bytes",
                "restore the line to the ledger, or raise spool_max_bytes",
            )

    # Statements

    def head(self, kid: bytes, stream: str) -> StreamHead:
        """Where the stream of that key stands."""
        with self._lock:
            row = self._db.execute(
                "SELECT next_sequence, head FROM streams WHERE kid = ? AND stream = ?", (kid, stream)
            ).fetchone()
        return StreamHead(row[0], row[1]) if row else StreamHead(0, None)

    def heads(self, kid: bytes) -> list[tuple[str, int, bytes]]:
        """The last statement of each stream of that key: stream, sequence, digest of what stands there.

        Where a void took the place of the last statement, its digest stands there in the log.
        """
        with self._lock:
            heads = self._db.execute(
                "SELECT stream, next_sequence - 1, head FROM streams WHERE kid = ? ORDER BY stream", (kid,)
            ).fetchall()
            voids = self._db.execute(
                "SELECT stream, sequence, digest FROM statements WHERE kid = ? AND kind = 'void' "
                "AND state != 'voided'",
                (kid,),
            ).fetchall()
        stands = {(stream, sequence): digest for stream, sequence, digest in voids}
        return [(s, n, stands.get((s, n), digest)) for s, n, digest in heads]

    def resume(self, kid: bytes, stream: str, next_sequence: int, previous: bytes) -> None:
        """Lets a stream that this spool knows nothing of go on where the party's resume says.

        Raises:
            SpoolRefused: the spool knows the stream: nothing was lost, or it has gone on already.
        """
        with self.transaction():
            if self.head(kid, stream).next_sequence:
                raise SpoolRefused(stream, "is known to this spool", "resume only what a lost spool held")
            self._db.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?)", (kid, stream, next_sequence, previous)
            )

    def append(
        self,
        *,
        kid: bytes,
        stream: str,
        sequence: int,
        digest: bytes,
        kind: str,
        interval: tuple[int, int],
        statement: bytes,
        content: bytes,
    ) -> None:
        """Stores a signed statement and moves its stream's head, in one transaction.

        Raises:
            SpoolRefused: it is not the next one of its stream.
        """
        with self.transaction():
            head = self.head(kid, stream)
            if head.next_sequence != sequence:
                raise SpoolRefused(
                    f"{stream}/{sequence}", f"does not follow {head.next_sequence - 1}", "sign it again"
                )
            self._db.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?) ON CONFLICT (kid, stream) DO UPDATE SET "
                "next_sequence = excluded.next_sequence, head = excluded.head",
                (kid, stream, sequence + 1, digest),
            )
            self._db.execute(
                "INSERT INTO statements (place, kid, stream, sequence, digest, kind, start, end, statement, "
                "content, state) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM statements), "
                "?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')",
                (kid, stream, sequence, digest, kind, *interval, statement, content),
            )

    def waiting(self, *, limit: int, max_bytes: int, without: Iterable[str] = ()) -> list[Entry]:
        """The oldest statements that are not logged yet, in order, at least one if there is any.

        Args:
            limit: most statements.
            max_bytes: of statements and contents together; the first is given whatever its size.
            without: streams to leave out for now.
        """
        left_out = list(without)
        marks = ",".join("?" * len(left_out))
        entries: list[Entry] = []
        size = 0
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM statements INDEXED BY statements_waiting "  # noqa: S608 - constants
                "WHERE state IN ('queued', 'sent') "
                f"AND stream NOT IN ({marks}) ORDER BY place LIMIT ?",
                (*left_out, limit),
            )
            for row in rows:
                entry = _entry(row)
                size += len(entry.statement) + len(entry.content)
                if entries and size > max_bytes:
                    break
                entries.append(entry)
        return entries

    def logged(self, *, limit: int, without_receipt: bool = False) -> list[Entry]:
        """The oldest logged statements; with `without_receipt` only those that still lack theirs."""
        more = "AND receipt IS NULL" if without_receipt else ""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM statements WHERE state = 'logged' {more} ORDER BY id LIMIT ?",  # noqa: S608
                (limit,),
            ).fetchall()
        return [_entry(row) for row in rows]

    def mark_sent(self, entries: Sequence[Entry]) -> None:
        """Counts an attempt."""
        with self.transaction():
            self._db.executemany(
                "UPDATE statements SET state = 'sent', attempts = attempts + 1 WHERE id = ?",
                [(entry.id,) for entry in entries],
            )

    def mark_logged(self, answers: Sequence[tuple[Entry, int]]) -> None:
        """Notes the entry index that the log gave to each statement."""
        with self.transaction():
            self._db.executemany(
                "UPDATE statements SET state = 'logged', entry_index = ?, problem = NULL WHERE id = ?",
                [(index, entry.id) for entry, index in answers],
            )

    def requeue(self, entry: Entry, problem: str) -> None:
        """Puts a statement back that the log accepted and then did not know: it is sent again."""
        with self.transaction():
            self._db.execute(
                "UPDATE statements SET state = 'queued', entry_index = NULL, problem = ? WHERE id = ?",
                (problem, entry.id),
            )

    def keep_receipt(self, entry: Entry, receipt: bytes, *, index: int, tree_size: int) -> None:
        """Keeps a receipt that was checked, with the index and size that it proves."""
        with self.transaction():
            self._db.execute(
                "UPDATE statements SET receipt = ?, entry_index = ?, tree_size = ?, problem = NULL "
                "WHERE id = ?",
                (receipt, index, tree_size, entry.id),
            )

    def receipted(self) -> list[tuple[int, bytes]]:
        """Entry index and digest of every logged statement whose receipt is kept, by index."""
        with self._lock:
            rows = self._db.execute(
                "SELECT entry_index, digest FROM statements WHERE state = 'logged' AND receipt IS NOT NULL "
                "ORDER BY entry_index"
            ).fetchall()
        return [(int(row[0]), bytes(row[1])) for row in rows]

    def receipt(self, digest: bytes) -> bytes | None:
        """The kept receipt of a statement, or None."""
        with self._lock:
            row = self._db.execute("SELECT receipt FROM statements WHERE digest = ?", (digest,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def mark_anchored(self, below: int) -> int:
        """Lets go of the bytes of every logged statement with receipt and an entry index below `below`.

        Returns:
            How many there were.
        """
        with self.transaction():
            done = self._db.execute(
                "UPDATE statements SET state = 'anchored', statement = NULL, content = NULL "
                "WHERE state = 'logged' AND receipt IS NOT NULL AND entry_index < ?",
                (below,),
            ).rowcount
            self._db.execute(
                "DELETE FROM statements WHERE state = 'anchored' AND id <= "
                "(SELECT id FROM statements WHERE state = 'anchored' ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (KEPT_ANCHORED,),
            )
        return done

    def note_problem(self, entry: Entry, problem: str) -> None:
        """Notes why a statement waits; it stays where it is."""
        with self.transaction():
            self._db.execute("UPDATE statements SET problem = ? WHERE id = ?", (problem, entry.id))

    def replace_by_void(
        self, entry: Entry, *, digest: bytes, statement: bytes, content: bytes, problem: str
    ) -> None:
        """Puts a void statement in the place of one that was refused for good; the refused bytes are kept."""
        with self.transaction():
            self._db.execute(
                "UPDATE statements SET state = 'voided', problem = ? WHERE id = ?", (problem, entry.id)
            )
            self._db.execute(
                "INSERT INTO statements (place, kid, stream, sequence, digest, kind, start, end, statement, "
                "content, state) SELECT place, kid, stream, sequence, ?, 'void', start, end, ?, ?, 'queued' "
                "FROM statements WHERE id = ?",
                (digest, statement, content, entry.id),
            )

    # Samples, meters, files

    def journal(self, source: str, samples: Sequence[Sample]) -> None:
        """Keeps samples that could not be read again until they are signed."""
        with self.transaction():
            self._db.executemany(
                "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(source, *s[:4], None if s.value is None else str(s.value), *s[5:]) for s in samples],
            )

    def journalled(self, meter: str) -> list[Sample]:
        """The samples of a meter that are not signed yet, in the order in which they came."""
        with self._lock:
            rows = self._db.execute(
                "SELECT meter, point, at, width_ms, value, unit, form, quality, source_status FROM samples "
                "WHERE meter = ? ORDER BY rowid",
                (meter,),
            ).fetchall()
        return [_sample(row) for row in rows]

    def forget_samples(self, meter: str, *, before: int) -> None:
        """Lets go of a meter's samples before that instant: they are signed."""
        with self.transaction():
            self._db.execute("DELETE FROM samples WHERE meter = ? AND at < ?", (meter, before))

    def resume_from(self, meter: str) -> int | None:
        """The end of what was signed of a meter, or None."""
        with self._lock:
            row = self._db.execute("SELECT resume_from FROM meters WHERE meter = ?", (meter,)).fetchone()
        return None if row is None else int(row[0])

    def set_resume_from(self, meter: str, instant: int) -> None:
        """Notes the end of what is signed of a meter."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO meters VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET resume_from = excluded.resume_from",
                (meter, instant),
            )

    def signed_marks(self, meter: str, window_start: int) -> bytes:
        """Marks of the readings signed in a window, see `sealing.mark`; empty when there are none."""
        with self._lock:
            row = self._db.execute(
                "SELECT marks FROM signed_slots WHERE meter = ? AND window_start = ?", (meter, window_start)
            ).fetchone()
        return b"" if row is None else bytes(row[0])

    def add_marks(self, meter: str, window_start: int, marks: bytes) -> None:
        """Adds marks to a window."""
        with self.transaction():
            known = self.signed_marks(meter, window_start)
            self._db.execute(
                "INSERT INTO signed_slots VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET marks = excluded.marks",
                (meter, window_start, known + marks),
            )

    def known_files(self, source: str) -> list[bytes]:
        """Digests of the files of a source whose readings are all signed."""
        with self._lock:
            return [
                bytes(row[0])
                for row in self._db.execute("SELECT digest FROM files WHERE source = ?", (source,))
            ]

    def add_files(self, source: str, files: Sequence[SourceFile]) -> None:
        """Notes that all readings of these files are signed."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?)",
                [(source, item.digest, item.name, item.size, item.rows) for item in files],
            )

    # Facts

    def fact(self, name: str) -> str | None:
        """A remembered text, such as the newest checkpoint."""
        with self._lock:
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Remembers a text."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def counts(self) -> dict[str, int]:
        """How many statements are in each state."""
        with self._lock:
            rows = self._db.execute("SELECT state, count(*) FROM statements GROUP BY state").fetchall()
        return dict.fromkeys(STATES, 0) | {str(state): int(count) for state, count in rows}

    def problems(self, *, limit: int = 20) -> list[dict[str, object]]:
        """The statements that wait for a reason or were refused for good, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT stream, sequence, digest, state, problem FROM statements WHERE problem IS NOT NULL "
                "ORDER BY id LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            {
                "stream": row[0],
                "sequence": row[1],
                "digest": bytes(row[2]).hex(),
                "state": row[3],
                "problem": row[4],
            }
            for row in rows
        ]

    def _check_fact(self, name: str, value: str) -> None:
        with self.transaction():
            known = self.fact(name)
            if known is None:
                self.set_fact(name, value)
            elif known != value:
                raise SpoolRefused(
                    str(self.folder),
                    f"is of {name} {known}, not {value}",
                    "give each gateway a spool folder of its own",
                )

    def _number(self, pragma: str) -> int:
        return int(self._db.execute(pragma).fetchone()[0])


_COLUMNS: Final = (
    "id, stream, sequence, digest, kind, start, end, statement, content, state, attempts, entry_index, "
    "problem"
)


def _entry(row: Sequence[Any]) -> Entry:
    (id_, stream, sequence, digest, kind, start, end, statement, content, state, attempts, index, problem) = (
        row
    )
    interval = (start, end)
    return Entry(
        id_, stream, sequence, digest, kind, interval, statement, content, state, attempts, index, problem
    )


def _sample(row: Sequence[Any]) -> Sample:
    meter, point, at, width_ms, value, unit, form, quality, status = row
    number = None if value is None else Decimal(value)
    return Sample(meter, point, at, width_ms, number, unit, form, quality, status)
