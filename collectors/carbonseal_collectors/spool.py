"""The spool: a durable queue of signed statements, and everything a gateway must not forget.

Stream heads (sequence and previous digest) change in the very transaction that stores the statement, before
anything is sent. A statement goes queued → sent → logged → anchored; its bytes are kept until its receipt is
anchored. The file, its lock and its limits are `spool_database`'s; what waits to be signed is
`sample_journal`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_collectors.errors import SpoolRefused
from carbonseal_collectors.sample_journal import SampleJournal

QUEUED: Final = "queued"
SENT: Final = "sent"
LOGGED: Final = "logged"
ANCHORED: Final = "anchored"
VOIDED: Final = "voided"
STATES: Final = (QUEUED, SENT, LOGGED, ANCHORED, VOIDED)
KEPT_ANCHORED: Final = (
    100_000  # rows of anchored statements kept for `status`; their bytes are let go at once
)


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
    kid: bytes


class Spool(SampleJournal):
    """The spool in one folder, for one gateway and one log; opened as `SpoolDatabase` says."""

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

    def waiting(
        self, *, limit: int, max_bytes: int, without: Iterable[tuple[bytes, str]] = ()
    ) -> list[Entry]:
        """The oldest statements that are not logged yet, in order, at least one if there is any.

        Args:
            limit: most statements.
            max_bytes: of statements and contents together; the first is given whatever its size.
            without: streams, by key and stream id, to leave out for now. A key that was replaced leaves
                streams of the same name behind, which must not hold up those of the new one.
        """
        left_out = list(without)
        marks = ",".join(["(?, ?)"] * len(left_out))
        narrowed = f"AND (kid, stream) NOT IN (VALUES {marks}) " if left_out else ""
        entries: list[Entry] = []
        size = 0
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM statements INDEXED BY statements_waiting "  # noqa: S608 - constants
                "WHERE state IN ('queued', 'sent') "
                f"{narrowed}ORDER BY place LIMIT ?",
                (*(value for pair in left_out for value in pair), limit),
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

    def counts(self) -> dict[str, int]:
        """How many statements are in each state."""
        with self._lock:
            rows = self._db.execute("SELECT state, count(*) FROM statements GROUP BY state").fetchall()
        return dict.fromkeys(STATES, 0) | {str(state): int(count) for state, count in rows}

    def oldest_waiting(self) -> int | None:
        """The end of the oldest interval that is not logged yet, in ms since 1970 UTC; None where all is."""
        with self._lock:
            row = self._db.execute(
                "SELECT min(end) FROM statements WHERE state IN (?, ?)", (QUEUED, SENT)
            ).fetchone()
        return None if row is None or row[0] is None else int(row[0])

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


_COLUMNS: Final = (
    "id, stream, sequence, digest, kind, start, end, statement, content, state, attempts, entry_index, "
    "problem, kid"
)


def _entry(row: Sequence[Any]) -> Entry:
    id_, stream, sequence, digest, kind, start, end, *rest = row
    statement, content, state, attempts, index, problem, kid = rest
    return Entry(
        id_,
        stream,
        sequence,
        digest,
        kind,
        (start, end),
        statement,
        content,
        state,
        attempts,
        index,
        problem,
        kid,
    )
