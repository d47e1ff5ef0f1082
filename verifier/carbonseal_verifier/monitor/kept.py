"""What a monitor has seen, in one SQLite file: each log's newest proved head, every note, epochs, map heads.

A log's new head and all that follows from it are stored in one transaction, after everything was checked; a
monitor that was killed starts from the head before. Notes are kept for good: what a log signed once stays
evidence. The file belongs to one log of logs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from carbonseal_attest import cbor
from carbonseal_attest.epoch import EpochEntry, MapEntry
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import Frontier
from carbonseal_verifier.errors import MonitorStateRefused
from carbonseal_verifier.monitor.growth import FollowedTree, edges_of_value, edges_to_value

FILE: Final = "monitor.sqlite"
_FORMAT: Final = 1
_TABLES: Final = """
CREATE TABLE monitor (log_of_logs TEXT NOT NULL);
CREATE TABLE followed (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL, edges BLOB NOT NULL,
  note TEXT NOT NULL, seen_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE notes (
  origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, source TEXT NOT NULL, note TEXT NOT NULL,
  seen_at INTEGER NOT NULL, PRIMARY KEY (origin, size, root, source)
) WITHOUT ROWID;
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, entry BLOB NOT NULL, is_map_read INTEGER NOT NULL DEFAULT 0);
CREATE TABLE heads (
  origin TEXT PRIMARY KEY, epoch INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """A log at the newest head that was proved: its tree, the note, and when it was first seen (ms)."""

    tree: FollowedTree
    note: str
    seen_at: int


class Kept:
    """The file of one monitor, for a `with` block; one process at a time writes."""

    def __init__(self, folder: Path, log_of_logs: str) -> None:
        """Open the folder's file, or make it.

        Raises:
            MonitorStateRefused: it is another log host's, damaged, or cannot be written.
        """
        path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5)
            self._connection.execute("PRAGMA synchronous = FULL")
            if is_new:
                path.chmod(0o600)
                self._connection.executescript(_TABLES)
                self._connection.execute("INSERT INTO monitor VALUES (?)", (log_of_logs,))
                self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            owner = self._connection.execute("SELECT log_of_logs FROM monitor").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise _refusal(f"{str(path)!r:.120} can't be used: {error}", "name another folder") from error
        if version != _FORMAT or owner is None or owner[0] != log_of_logs:
            raise _refusal(f"{str(path)!r:.120} is about {owner and owner[0]}", "name another folder")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store everything of the block, or nothing.

        Raises:
            MonitorStateRefused: it cannot be written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _refusal(f"can't be written: {error}", "see to the disk") from error

    def followed(self, origin: str) -> FollowedLog | None:
        """Return the newest proved head of a log.

        Raises:
            MonitorStateRefused: what is kept is damaged.
        """
        query = "SELECT size, frontier, edges, note, seen_at FROM followed WHERE origin = ?"
        row = self._connection.execute(query, (origin,)).fetchone()
        if row is None:
            return None
        size, frontier, edges, note, seen_at = row
        try:
            hashes = tuple(frontier[at : at + 32] for at in range(0, len(frontier), 32))
            tree = FollowedTree(Frontier(size, hashes), dict(edges_of_value(cbor.decode(edges))))
        except (CarbonsealError, ValueError) as error:
            raise _refusal(f"what it kept of {origin} is damaged", "begin again in a new folder") from error
        return FollowedLog(tree, note, seen_at)

    def follow(self, origin: str, log: FollowedLog) -> None:
        """Store a log's newest proved head."""
        self._connection.execute(
            "INSERT OR REPLACE INTO followed (origin, size, frontier, edges, note, seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                origin,
                log.tree.size,
                b"".join(log.tree.frontier.hashes),
                cbor.encode(edges_to_value(log.tree.edges)),
                log.note,
                log.seen_at,
            ),
        )

    def keep_note(self, origin: str, size: int, root: bytes, source: str, note: str, at: int) -> None:
        """Keep a note that the log signed, once a source."""
        self._connection.execute(
            "INSERT OR IGNORE INTO notes (origin, size, root, source, note, seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (origin, size, root, source, note, at),
        )

    def other_root(self, origin: str, size: int, root: bytes) -> tuple[str, str] | None:
        """Return source and note of a head of this size with another root, where one was seen."""
        query = "SELECT source, note FROM notes WHERE origin = ? AND size = ? AND root != ? LIMIT 1"
        found: tuple[str, str] | None = self._connection.execute(query, (origin, size, root)).fetchone()
        return found

    def add_epochs(self, entries: Iterable[EpochEntry]) -> None:
        """Store entries of the log of logs."""
        rows = [(entry.epoch, entry.encode()) for entry in entries]
        self._connection.executemany("INSERT INTO epochs (epoch, entry) VALUES (?, ?)", rows)

    def newest_epoch(self) -> EpochEntry | None:
        """Return the newest epoch whose entry was read."""
        row = self._connection.execute("SELECT entry FROM epochs ORDER BY epoch DESC LIMIT 1").fetchone()
        return None if row is None else EpochEntry.decode(row[0])

    def unread_maps(self) -> list[EpochEntry]:
        """Return the epochs whose maps were not read yet, in order."""
        query = "SELECT entry FROM epochs WHERE NOT is_map_read ORDER BY epoch"
        return [EpochEntry.decode(row[0]) for row in self._connection.execute(query)]

    def heads(self) -> dict[str, MapEntry]:
        """Return each origin's head in the newest map that was read."""
        rows = self._connection.execute("SELECT origin, size, root FROM heads")
        return {origin: MapEntry(origin, size, root) for origin, size, root in rows}

    def store_map(self, epoch: int, entries: Iterable[MapEntry]) -> None:
        """Store an epoch's map as the newest that was read."""
        self._connection.execute("DELETE FROM heads")
        self._connection.executemany(
            "INSERT INTO heads (origin, epoch, size, root) VALUES (?, ?, ?, ?)",
            [(entry.origin, epoch, entry.tree_size, entry.root_hash) for entry in entries],
        )
        self._connection.execute("UPDATE epochs SET is_map_read = 1 WHERE epoch = ?", (epoch,))


def _refusal(reason: str, remedy: str) -> MonitorStateRefused:
    return MonitorStateRefused("--state", reason, remedy)
