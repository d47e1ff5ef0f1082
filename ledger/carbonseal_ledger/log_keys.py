"""Which log key signs which heads of which log: by tree size, in the log's own row.

A log begins with the key that its genesis names. When the host's log key is rotated, the first head under the
new key is signed by both, the entry that it adds says so (`log_key`), and the row keeps from which size the
new key counts. Heads of before stay the old key's for ever, so old receipts and checkpoints stay checkable.
Nothing is remembered here: another process may have rotated meanwhile. The change is `log_key_rotation`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, text

from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint
from carbonseal_attest.keys import PublicKey
from carbonseal_ledger.errors import LogKeyRetired, LogUnknown

LogKeySpan = tuple[int, PublicKey]  # from which tree size, the key


def spans_of(lines: Sequence[str]) -> list[LogKeySpan]:
    """Return what a row's `log_keys` say, oldest first: `<from size> <key as text>` each."""
    parted = [line.partition(" ") for line in lines]
    return [(int(size), PublicKey.from_text(public)) for size, _, public in parted]


def line_of(from_size: int, key: PublicKey) -> str:
    """Return one line of a row's `log_keys`."""
    return f"{from_size} {key.text()}"


def key_at(spans: Sequence[LogKeySpan], size: int) -> PublicKey:
    """Return the key that signs heads of a size."""
    return [key for from_size, key in spans if from_size <= size][-1]


def open_note(note: str, origin: str, spans: Sequence[LogKeySpan]) -> Checkpoint:
    """Return the checkpoint of a note that the log's key for its size signed; where keys change, both did.

    Raises:
        NoteInvalid: malformed, of another log, or without a signature that it must carry.
    """
    size = Checkpoint.of_note(note).tree_size
    head = open_checkpoint(note, origin=origin, key=key_at(spans, size))
    for from_size, _ in spans[1:]:
        if from_size == size:
            open_checkpoint(note, origin=origin, key=key_at(spans, size - 1))
    return head


def open_head(note: str, origin: str, spans: Sequence[LogKeySpan], present: PublicKey) -> Checkpoint:
    """As `open_note`, for a log whose newest key must be the present one.

    Raises:
        LogKeyRetired: it is another.
    """
    if spans[-1][1].kid != present.kid:
        raise retired(origin)
    return open_note(note, origin, spans)


class LogKeys:
    """The log keys of one host as the rows have them, beside the one that this process signs with."""

    def __init__(self, engine: Engine, present: PublicKey, retiring: PublicKey | None = None) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.present = present
        self._all: list[PublicKey] | None = None
        self._may_sign = {present.kid} | ({retiring.kid} if retiring is not None else set())

    def spans(self, origin: str) -> list[LogKeySpan]:
        """The keys of a log with the sizes from which they sign, oldest first.

        Raises:
            LogUnknown: no such log.
        """
        query = text("SELECT log_keys FROM ledger_logs WHERE origin = :origin")
        with self._engine.connect() as connection:
            lines = connection.execute(query, {"origin": origin}).scalar()
        if lines is None:
            raise LogUnknown("origin", f"no log {origin} is open here", "open it with its genesis")
        return spans_of(lines)

    def open(self, note: str, origin: str) -> Checkpoint:
        """The checkpoint of a note, of any size; see `open_note`."""
        return open_note(note, origin, self.spans(origin))

    def open_head(self, note: str, origin: str) -> Checkpoint:
        """As `open`, for a newest head: its key must be the one that this process signs with.

        Raises:
            LogKeyRetired: the log has another key by now.
        """
        spans = self.spans(origin)
        if spans[-1][1].kid not in self._may_sign:
            raise retired(origin)
        return open_note(note, origin, spans)

    def present_from(self, origin: str) -> int:
        """The smallest tree size of a log that the key of this process signs.

        Raises:
            LogKeyRetired: it signs none any more.
        """
        from_size, key = self.spans(origin)[-1]
        if key.kid != self.present.kid:
            raise retired(origin)
        return from_size

    def all(self) -> list[PublicKey]:
        """Every key of any log here, the present one first.

        Read once: with another present key a process is refused everything.
        """
        if self._all is not None:
            return self._all
        query = text("SELECT DISTINCT unnest(log_keys) FROM ledger_logs")
        with self._engine.connect() as connection:
            lines = connection.execute(query).scalars().all()
        found = {key.kid: key for _, key in spans_of(lines)}
        others = sorted(found.keys() - {self.present.kid})
        self._all = [self.present, *(found[kid] for kid in others)]
        return self._all


def retired(origin: str) -> LogKeyRetired:
    """The refusal of a process whose key is not, or no longer, the log's."""
    return LogKeyRetired(
        "log key",
        f"{origin} is signed by another log key than this process has",
        "start with the log's own key; if it was rotated, restart every process",
    )
