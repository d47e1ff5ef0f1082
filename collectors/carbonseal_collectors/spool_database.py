"""The spool's database: one SQLite file, opened, locked, bounded, changed by whole transactions.

WAL mode with synchronous=FULL: what a transaction has committed survives kill -9 and power loss. One
connection, one lock: any thread may call. Other processes may look on; `spool_lock` admits one agent. It
leaves out what the tables mean: statements are `spool`'s, samples `sample_journal`'s. Encryption at rest is
left to the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from carbonseal_collectors.errors import SpoolFull, SpoolRefused

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


class SpoolDatabase:
    """The database of the spool in one folder, for one gateway and one log.

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
