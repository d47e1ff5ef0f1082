"""What a witness must never forget: the newest head of each log that it cosigned, in one SQLite file.

Comparing with the stored head and storing the new one are one transaction that takes the file's write lock
first, so that two requests, in one process or in several, cannot undo each other; a commit is on the disk
before it returns. The file belongs to one key, and only `create` makes one: a lost file means a new key,
because a witness that has forgotten may cosign a second history. Never restore it from a backup.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.errors import WitnessStateRefused

MAX_KEPT: Final = 100  # refused heads of one log that are kept as possible evidence
_FORMAT: Final = 1
_WAIT_S: Final = 10  # for another process's transaction
_TABLES: Final = """
CREATE TABLE witness (keys TEXT NOT NULL);
CREATE TABLE heads (
  origin_hash TEXT PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
  note BLOB NOT NULL, cosigned_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE refused (
  origin TEXT NOT NULL, size TEXT NOT NULL, root BLOB NOT NULL, is_conflict INTEGER NOT NULL,
  held BLOB NOT NULL, note BLOB NOT NULL, refused_at INTEGER NOT NULL, PRIMARY KEY (origin, size, root)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class CosignedHead:
    """The newest head of a log that this witness cosigned: `note` carries the cosignatures.

    `cosigned_at` is in seconds since 1970.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    note: bytes
    cosigned_at: int


@dataclass(frozen=True, slots=True)
class RefusedHead:
    """A head that a log signed and this witness did not cosign.

    `is_conflict`: of the very size of the held one, with another root; the two notes prove a split view.
    Otherwise only its proof was missing, which says nothing about the log.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    is_conflict: bool
    held: bytes
    note: bytes
    refused_at: int


class CosignedHeads:
    """The file of one witness. Safe to use from many threads: each call opens the file for itself."""

    def __init__(self, path: Path) -> None:
        """Open the file of a witness; `keys` are its verifier keys.

        Raises:
            WitnessStateRefused: there is none, or it is damaged.
        """
        self._path = path
        if not path.is_file():
            raise _refusal(
                f"{str(path)!r:.120} is not there",
                "look at the path; where it is lost make a new key with `witness key`: a witness that forgot "
                "what it cosigned may cosign a second history",
            )
        try:
            with self._open() as connection:
                row = connection.execute("SELECT keys FROM witness").fetchone()
                known = connection.execute("PRAGMA user_version").fetchone()[0] == _FORMAT
            self.keys = tuple(map(Vkey.parse, row[0].split("\n"))) if known and row else ()
        except KeyRefused as error:
            raise _refusal(f"{str(path)!r:.120} is damaged", "make a new key") from error
        if not self.keys:
            raise _refusal(f"{str(path)!r:.120} is no witness's", "name the file made with the key")

    @classmethod
    def create(cls, path: Path, keys: Sequence[Vkey]) -> CosignedHeads:
        """Make the file of a new witness with these verifier keys.

        Raises:
            WitnessStateRefused: something stands there, or it cannot be written.
        """
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.executescript(_TABLES)
                connection.execute("INSERT INTO witness (keys) VALUES (?)", ("\n".join(map(str, keys)),))
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
        except (OSError, sqlite3.Error) as error:
            raise _refusal(f"{str(path)!r:.120} can't be made: {error}", "name a new file") from error
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[Cursor]:
        """Hold the file's write lock; what was stored is on the disk when the block has ended.

        Raises:
            WitnessStateRefused: the file cannot be read or written; nothing was stored.
        """
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Cursor(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def by_hash(self, origin_hash: str) -> CosignedHead | None:
        """Return the head of the log whose origin has this SHA-256, in lower-case hexadecimal.

        Raises:
            WitnessStateRefused: the file cannot be read; so in the calls below.
        """
        with self._open() as connection:
            return _head(connection.execute(f"{_HEADS} WHERE origin_hash = ?", (origin_hash,)).fetchone())

    def all(self) -> list[CosignedHead]:
        """Return the newest head of every log, by origin."""
        with self._open() as connection:
            rows = connection.execute(f"{_HEADS} ORDER BY origin").fetchall()
            return [head for row in rows if (head := _head(row))]

    def refused(self) -> list[RefusedHead]:
        """Return the heads that were kept as possible evidence, oldest first."""
        query = (
            "SELECT origin, size, root, is_conflict, held, note, refused_at FROM refused ORDER BY refused_at"
        )
        with self._open() as connection:
            return [RefusedHead(r[0], int(r[1]), r[2], bool(r[3]), *r[4:]) for r in connection.execute(query)]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A file of its own, opened for writing only where it exists: sqlite would make an empty one.
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)) as connection:
                # Rollback journal with full syncing: what COMMIT has returned from is on the disk.
                connection.execute("PRAGMA synchronous = EXTRA")
                yield connection
        except sqlite3.Error as error:
            raise _refusal(
                f"{str(self._path)!r:.120} can't be used: {error}", "see to the disk; nothing was cosigned"
            ) from error


class Cursor:
    """The file, locked."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def head(self, origin_hash: str) -> CosignedHead | None:
        """Return the stored head of a log."""
        found = self._connection.execute(f"{_HEADS} WHERE origin_hash = ?", (origin_hash,)).fetchone()
        return _head(found)

    def store(self, origin_hash: str, head: CosignedHead) -> None:
        """Store a head in place of the one before."""
        self._connection.execute(
            "INSERT OR REPLACE INTO heads (origin_hash, origin, size, root, note, cosigned_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (origin_hash, head.origin, head.tree_size, head.root_hash, head.note, head.cosigned_at),
        )

    def keep(self, refused: RefusedHead) -> None:
        """Keep a refused head once, as long as there is room; a conflict always has some."""
        count = self._connection.execute(
            "SELECT count(*) FROM refused WHERE origin = ? AND is_conflict = ?",
            (refused.origin, refused.is_conflict),
        ).fetchone()[0]
        if count < MAX_KEPT:
            self._connection.execute(
                "INSERT INTO refused (origin, size, root, is_conflict, held, note, refused_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET is_conflict = excluded.is_conflict,"
                " held = excluded.held, note = excluded.note WHERE excluded.is_conflict > is_conflict",
                (
                    refused.origin,
                    str(refused.tree_size),
                    refused.root_hash,
                    refused.is_conflict,
                    refused.held,
                    refused.note,
                    refused.refused_at,
                ),
            )


_HEADS: Final = "SELECT origin, size, root, note, cosigned_at FROM heads"


def _head(row: tuple[str, int, bytes, bytes, int] | None) -> CosignedHead | None:
    return None if row is None else CosignedHead(*row)


def _refusal(reason: str, remedy: str) -> WitnessStateRefused:
    return WitnessStateRefused("state", reason, remedy)
