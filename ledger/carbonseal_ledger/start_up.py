"""Start-up comparison: database and published copy must tell one history, or nothing runs.

A database that was restored from an old backup agrees perfectly with itself; only the second failure domain
can tell. The larger of the two counts. A copy that is behind by what a crash between commit and publication
explains is completed; everything else refuses, and the refusal says how to recover. It leaves out the
contract's head, which anchoring compares when it next runs, and witnesses, which come later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT
from carbonseal_ledger.errors import ClockWentBack, LogDamaged, RollbackDetected
from carbonseal_ledger.heads import CommittedHead
from carbonseal_ledger.publication import Publisher, published_root_matches
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.sequencing import CLOCK_SLACK_MS
from carbonseal_ledger.tree_reader import TreeReader

RawReader = Callable[[str, int, int], list[bytes]]


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A log's head as the database has it."""

    origin: str
    size: int
    root_hash: bytes
    checkpoint: str
    published_size: int
    last_registered_at: int


def compare(
    stored: list[StoredHead],
    published: PublishedCopy,
    reader: TreeReader,
    publisher: Publisher,
    *,
    log_key: PublicKey,
    now: int,
) -> dict[str, int]:
    """Compare every log with its published copy, complete what a crash left; returns published sizes.

    Raises:
        RollbackDetected: database or published copy is older than the other, or they contradict.
        LogDamaged: a stored or published checkpoint is not the log key's, or tiles do not give it.
        ClockWentBack: the clock stands before a registration.
    """
    known = {head.origin for head in stored}
    for origin in published.origins():
        if origin not in known:
            raise RollbackDetected(
                "database",
                f"it does not know {origin}, of which a published copy exists",
                "restore the newest backup of the database, or point the ledger at the right one",
            )
    return {head.origin: _compare_log(head, published, reader, publisher, log_key, now) for head in stored}


def _compare_log(
    head: StoredHead,
    published: PublishedCopy,
    reader: TreeReader,
    publisher: Publisher,
    log_key: PublicKey,
    now: int,
) -> int:
    origin = head.origin
    if now < head.last_registered_at - CLOCK_SLACK_MS:
        behind = head.last_registered_at - now
        raise ClockWentBack(
            "clock", f"it stands {behind} ms before the last registration", "set the clock right"
        )
    signed = _open(head.checkpoint, origin, log_key, "database")
    if signed != (head.size, head.root_hash):
        raise LogDamaged(
            "database", f"checkpoint and head of {origin} differ", "restore the database from a backup"
        )
    note = published.checkpoint(origin)
    size, root = (0, EMPTY_ROOT) if note is None else _open(note, origin, log_key, "published copy")
    if size > head.size:
        raise RollbackDetected(
            "database",
            f"{origin} has {head.size} entries where the published copy has {size}",
            "restore a backup that is at least as new; what was receipted may not be sequenced again",
        )
    if size < head.published_size:
        raise RollbackDetected(
            "published copy",
            f"of {origin} shows {size} entries where {head.published_size} were published",
            "restore it, or rebuild it from the database on the word of two persons",
        )
    if size == head.size and root != head.root_hash:
        raise RollbackDetected(
            "published copy", f"of {origin} contradicts the database", "compare both with the anchor"
        )
    if size and not published_root_matches(reader, origin, size, root):
        raise LogDamaged("published copy", f"tiles of {origin} do not give its checkpoint", "rebuild it")
    if size == head.size:
        return size
    # old_size is deliberately not the copy's size, so that the publisher reads the entries and proves the
    # growth.
    pending = CommittedHead(origin, -1, b"", head.size, head.root_hash, head.checkpoint, [], [])
    return publisher.publish(pending)


def _open(note: str, origin: str, key: PublicKey, where: str) -> tuple[int, bytes]:
    try:
        checkpoint = open_checkpoint(note, origin=origin, key=key)
    except CarbonsealError as error:
        raise LogDamaged(
            where,
            f"the checkpoint of {origin} {error.reason}",
            "start with the log's own key; else restore it",
        ) from error
    return checkpoint.tree_size, checkpoint.root_hash
