"""Start-up comparison: database, published copy and outsiders must tell one history, or nothing runs.

A database that was restored from an old backup agrees perfectly with itself; only the second failure domain
can tell, and only witnesses and the contract can tell when both went back together. The highest head counts.
A copy that is behind by what a crash between commit and publication explains is completed; everything else is
refused, and the refusal says how to recover. Nothing is written before every log was compared. Other
processes may go on registering meanwhile: each source is read before the one that must not be behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import (
    ClockWentBack,
    LedgerError,
    LogDamaged,
    OutsideUnreachable,
    RollbackDetected,
)
from carbonseal_ledger.heads import CommittedHead
from carbonseal_ledger.outcomes import StoredHead
from carbonseal_ledger.outside_heads import OutsideHead, OutsideView
from carbonseal_ledger.publication import Publisher, published_root_matches
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.sequencing import CLOCK_SLACK_MS
from carbonseal_ledger.tree_reader import TreeReader

_RESTORE_DATABASE = "restore a backup that is at least as new; what was receipted may not be sequenced again"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: the log, empty when it is about all of them, and the refusal it means."""

    origin: str
    error: LedgerError


@dataclass(frozen=True, slots=True)
class _Signed:
    """A head under the log key's signature."""

    size: int
    root_hash: bytes


class StartUp:
    """Compares the heads of all logs of one host. It reads only, except in `complete`."""

    def __init__(
        self,
        entries: EntryReader,
        published: PublishedCopy,
        reader: TreeReader,
        *,
        log_key: PublicKey,
        retiring: PublicKey | None = None,
        clock: Clock,
        outside: Sequence[OutsideView] = (),
    ) -> None:
        self._entries = entries
        self._published = published
        self._reader = reader
        self._keys = entries.keys(log_key, retiring)
        self._clock = clock
        self._outside = outside
        self._behind: list[StoredHead] = []

    def complete(self, publisher: Publisher) -> None:
        """Compare every log, then publish what a crash kept from being published.

        Raises:
            RollbackDetected: database or published copy is older than another source, or they contradict.
            LogDamaged: a stored or published checkpoint is not the log key's, or tiles do not give it.
            ClockWentBack: the clock stands before a registration.
            OutsideUnreachable: a witness or the contract cannot be asked.
        """
        for finding in self.findings():
            raise finding.error
        for head in self._behind:
            # old_size is deliberately not the copy's size, so that the publisher reads the entries and proves
            # the growth.
            publisher.publish(
                CommittedHead(head.origin, -1, b"", head.size, head.root_hash, head.checkpoint, [], [])
            )

    def findings(self) -> list[Finding]:
        """Every disagreement, of all logs; empty when the ledger may run."""
        self._behind = []
        origins = self._published.origins()
        stored = self._entries.stored_heads()
        known = {head.origin for head in stored}
        found = [
            Finding(
                origin,
                RollbackDetected(
                    "database",
                    f"it does not know {origin}, of which a published copy exists",
                    "restore the newest backup of the database, or point the ledger at the right one",
                ),
            )
            for origin in origins
            if origin not in known
        ]
        found += self._clock_findings(stored)
        for head in stored:
            try:
                outside = self._outside_heads(head.origin, found)
                self._compare(head, outside)
            except LedgerError as error:
                found.append(Finding(head.origin, error))
        return found

    def _clock_findings(self, stored: Sequence[StoredHead]) -> list[Finding]:
        now = self._clock()
        last = max((head.last_registered_at for head in stored), default=now)
        if now >= last - CLOCK_SLACK_MS:
            return []
        reason = f"it stands {last - now} ms before the last registration"
        return [Finding("", ClockWentBack("clock", reason, "set the clock right"))]

    def _outside_heads(self, origin: str, found: list[Finding]) -> list[tuple[str, OutsideHead]]:
        heads = []
        for view in self._outside:
            try:
                head = view.head(origin)
            except OutsideUnreachable as error:
                found.append(Finding(origin, error))
                continue
            if head is not None:
                heads.append((view.name, head))
        return heads

    def _compare(self, head: StoredHead, outside: Sequence[tuple[str, OutsideHead]]) -> None:
        origin = head.origin
        note = self._published.checkpoint(origin)
        copy = _Signed(0, EMPTY_ROOT) if note is None else self._open(note, origin, "published copy")
        if copy.size < head.published_size:
            raise RollbackDetected(
                "published copy",
                f"of {origin} shows {copy.size} entries where {head.published_size} were published",
                "restore it, or rebuild it from the database on the word of two persons",
            )
        highest = max([copy.size, *(seen.size for _, seen in outside)])
        if highest > head.size:
            # Another process may have registered since the row was read: this time after the others.
            head = self._entries.stored_head(origin)
        signed = self._open(head.checkpoint, origin, "database")
        if signed != _Signed(head.size, head.root_hash):
            raise LogDamaged(
                "database", f"checkpoint and head of {origin} differ", "restore the database from a backup"
            )
        if copy.size > head.size:
            raise RollbackDetected(
                "database",
                f"{origin} has {head.size} entries where the published copy has {copy.size}",
                _RESTORE_DATABASE,
            )
        if copy.size == head.size and copy.root_hash != head.root_hash:
            raise RollbackDetected(
                "published copy", f"of {origin} contradicts the database", "compare both with the anchor"
            )
        if copy.size and not published_root_matches(self._reader, origin, copy.size, copy.root_hash):
            raise LogDamaged("published copy", f"tiles of {origin} do not give its checkpoint", "rebuild it")
        for name, seen in outside:
            self._compare_outside(head, copy, name, seen)
        if copy.size < head.size:
            self._behind.append(head)

    def _compare_outside(self, head: StoredHead, copy: _Signed, name: str, seen: OutsideHead) -> None:
        """An outsider may be behind, as the contract is between two anchors, but never ahead or beside."""
        origin = head.origin
        if seen.size > head.size:
            raise RollbackDetected(
                "database",
                f"{origin} has {head.size} entries where the {name} has {seen.size}",
                _RESTORE_DATABASE,
            )
        if seen.size > copy.size:
            raise RollbackDetected(
                "published copy",
                f"of {origin} shows {copy.size} entries where the {name} has {seen.size}",
                "restore it, or rebuild it from the database on the word of two persons",
            )
        if not published_root_matches(self._reader, origin, seen.size, seen.root_hash):
            raise RollbackDetected(
                "database",
                f"{origin} contradicts the {name} at size {seen.size}",
                "stop every writer and keep both heads: they are evidence of a second history",
            )

    def _open(self, note: str, origin: str, where: str) -> _Signed:
        try:
            checkpoint = self._keys.open_head(note, origin)
        except CarbonsealError as error:
            raise LogDamaged(
                where,
                f"the checkpoint of {origin} {error.reason}",
                "start with the log's own key; else restore it",
            ) from error
        return _Signed(checkpoint.tree_size, checkpoint.root_hash)
