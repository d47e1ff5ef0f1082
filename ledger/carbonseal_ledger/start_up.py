"""Start-up comparison: database, published copy and outsiders must tell one history, or nothing runs.

A database that was restored from an old backup agrees perfectly with itself; only the second failure domain
can tell, and only witnesses and the contract can tell when both went back together. The highest head counts.
A copy that is behind by what a crash between commit and publication explains is completed; everything else is
refused, and the refusal says how to recover. Nothing is written before every log was compared. Other
processes may go on registering meanwhile: each source is read before the one that must not be behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT
from carbonseal_ledger.decisions_in_force import CLOCK_STANDS, REBUILD_COPY, START_WITHOUT
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import (
    ClockWentBack,
    CopyUnreachable,
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

_RESTORE_DATABASE: Final = (
    "restore a backup that is at least as new; what was receipted may not be sequenced again"
)
_RESTORE_COPY: Final = "restore it, or rebuild it from the database on the word of two persons"
_EVIDENCE: Final = "stop every writer and keep both heads: they are evidence of a second history"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: the log, empty when it is about all of them, and the refusal it means.

    `act` is what two operators may decide to get over it, None where nobody may, because going on would lose
    or fork what others hold. `view` names the outsider that an act would leave out.
    """

    origin: str
    error: LedgerError
    act: str | None = None
    view: str | None = None


class _Disagreement(Exception):
    """A refusal on its way out of the comparison of one log."""

    def __init__(self, error: LedgerError, act: str | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.act = act


@dataclass(frozen=True, slots=True)
class _Signed:
    """A head under the log key's signature."""

    size: int
    root_hash: bytes


_EMPTY: Final = _Signed(0, EMPTY_ROOT)


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
        excused: Container[str] = (),
    ) -> None:
        """Bind the sources; views whose names are `excused` may be out of reach, by two operators' word."""
        self._entries = entries
        self._published = published
        self._reader = reader
        self._keys = entries.keys(log_key, retiring)
        self._clock = clock
        self._outside = outside
        self._excused = excused
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
            publisher.publish(CommittedHead.of_stored(head))

    def findings(self) -> list[Finding]:
        """Every disagreement, of all logs; empty when the ledger may run."""
        self._behind = []
        try:
            origins = self._published.origins()
        except CopyUnreachable as error:
            return [Finding("", error)]
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
        found += [
            Finding(
                origin,
                RollbackDetected(
                    "database",
                    f"{origin} has {size} entries where epoch {epoch} maps {mapped}",
                    _RESTORE_DATABASE,
                ),
            )
            for origin, size, epoch, mapped in self._entries.shrunk_since_epoch()
        ]
        for head in stored:
            try:
                outside = self._outside_heads(head.origin, found)
                self._compare(head, outside)
            except _Disagreement as refusal:
                found.append(Finding(head.origin, refusal.error, refusal.act))
            except LogDamaged as error:  # the copy's checkpoint is none
                found.append(Finding(head.origin, error, REBUILD_COPY))
            except CopyUnreachable as error:
                found.append(Finding(head.origin, error))
        return found

    def _clock_findings(self, stored: Sequence[StoredHead]) -> list[Finding]:
        now = self._clock()
        last = max((head.last_registered_at for head in stored), default=now)
        if now >= last - CLOCK_SLACK_MS:
            return []
        reason = f"it stands {last - now} ms before the last registration"
        return [Finding("", ClockWentBack("clock", reason, "set the clock right"), CLOCK_STANDS)]

    def _outside_heads(self, origin: str, found: list[Finding]) -> list[tuple[str, OutsideHead]]:
        heads = []
        for view in self._outside:
            try:
                head = view.head(origin)
            except OutsideUnreachable as error:
                if view.name in self._excused:
                    _logger.warning("%s is not asked about %s, as two operators decided", view.name, origin)
                else:
                    found.append(Finding(origin, error, START_WITHOUT, view.name))
                continue
            if head is not None:
                heads.append((view.name, head))
        return heads

    def _compare(self, head: StoredHead, outside: Sequence[tuple[str, OutsideHead]]) -> None:
        origin = head.origin
        note = self._published.checkpoint(origin)
        copy = _EMPTY if note is None else self._open(note, origin, "published copy", REBUILD_COPY)
        if copy.size < head.published_size:
            raise _Disagreement(
                RollbackDetected(
                    "published copy",
                    f"of {origin} shows {copy.size} entries where {head.published_size} were published",
                    _RESTORE_COPY,
                ),
                REBUILD_COPY,
            )
        if max([copy.size, *(seen.size for _, seen in outside)]) > head.size:
            # Another process may have registered since the row was read: this time after the others.
            head = self._entries.stored_head(origin)
        if self._open(head.checkpoint, origin, "database", None) != _Signed(head.size, head.root_hash):
            raise _Disagreement(
                LogDamaged(
                    "database",
                    f"checkpoint and head of {origin} differ",
                    "restore the database from a backup",
                )
            )
        if copy.size > head.size:
            raise _behind("database", head, "the published copy", copy.size, _RESTORE_DATABASE)
        if copy.size == head.size and copy.root_hash != head.root_hash:
            raise _Disagreement(
                RollbackDetected("published copy", f"of {origin} contradicts the database", _EVIDENCE)
            )
        if not published_root_matches(self._reader, origin, copy.size, copy.root_hash):
            raise _Disagreement(
                LogDamaged("published copy", f"tiles of {origin} do not give its checkpoint", _RESTORE_COPY),
                REBUILD_COPY,
            )
        for name, seen in outside:
            self._compare_outside(head, copy, name, seen)
        if copy.size < head.size:
            self._behind.append(head)

    def _compare_outside(self, head: StoredHead, copy: _Signed, name: str, seen: OutsideHead) -> None:
        """An outsider may be behind, as the contract is between two anchors, but never ahead or beside."""
        if seen.size > head.size:
            raise _behind("database", head, f"the {name}", seen.size, _RESTORE_DATABASE)
        if seen.size > copy.size:
            shown = f"of {head.origin} shows {copy.size} entries where the {name} has {seen.size}"
            raise _Disagreement(RollbackDetected("published copy", shown, _RESTORE_COPY), REBUILD_COPY)
        if not published_root_matches(self._reader, head.origin, seen.size, seen.root_hash):
            other = f"{head.origin} contradicts the {name} at size {seen.size}"
            raise _Disagreement(RollbackDetected("database", other, _EVIDENCE))

    def _open(self, note: str, origin: str, where: str, act: str | None) -> _Signed:
        try:
            checkpoint = self._keys.open_head(note, origin)
        except CarbonsealError as error:
            reason = f"the checkpoint of {origin} {error.reason}"
            damaged = LogDamaged(where, reason, "start with the log's own key; else restore it")
            raise _Disagreement(damaged, act) from error
        return _Signed(checkpoint.tree_size, checkpoint.root_hash)


def _behind(where: str, head: StoredHead, other: str, size: int, remedy: str) -> _Disagreement:
    reason = f"{head.origin} has {head.size} entries where {other} has {size}"
    return _Disagreement(RollbackDetected(where, reason, remedy))
