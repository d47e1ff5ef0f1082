"""Read what database, published copy, log of logs, anchors and contract tell, for `reconciliation`.

It reads only, in the order that `reconciliation` wants, with nothing cached from earlier runs: a tile that
was changed on disk is read again. A source that cannot be asked is named as missing; nothing about it is then
compared, and the run is called incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, text

from carbonseal_attest.anchor import history_link
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_ledger.anchoring import Anchorer
from carbonseal_ledger.chain_answers import ChainRefused, ChainUnreachable, ContractWrong
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import OutsideUnreachable
from carbonseal_ledger.log_keys import LogKeySpan, open_head, spans_of
from carbonseal_ledger.outcomes import StoredHead
from carbonseal_ledger.outside_heads import OutsideView
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.reconciliation import (
    AnchorTelling,
    ContractTelling,
    Disagreement,
    LogTelling,
    OutsideTelling,
    Tellings,
    ToldHead,
    confirmed,
    disagreements,
)
from carbonseal_ledger.tree_reader import TreeReader

_EPOCHS = text("SELECT checkpoint FROM ledger_epochs ORDER BY epoch")
_MAPPED = text(
    "SELECT l.origin, h.tree_size, h.root_hash FROM ledger_epoch_heads h"
    " JOIN ledger_logs l ON l.id = h.log_id WHERE h.epoch = (SELECT max(epoch) FROM ledger_epochs)"
)
_KEYS = text("SELECT origin, log_keys FROM ledger_logs")
Progress = Callable[[int, int], None]  # told how many logs of how many were read


def _silent(_done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found: confirmed disagreements, the sources that could not be asked, logs compared."""

    disagreements: tuple[Disagreement, ...]
    missing: tuple[str, ...]
    logs: int


class TellingReader:
    """Reads the sources of one log host.

    Args:
        engine: the ledger's database.
        published: the published copy.
        log_key: the host's present log key; which earlier ones a log had, its row says.
        log_of_logs: its origin.
        anchorer: the anchors of the log of logs; None for a deployment without a chain.
        outside: witnesses; the contract is asked through the anchorer.
    """

    def __init__(
        self,
        engine: Engine,
        published: PublishedCopy,
        *,
        log_key: PublicKey,
        log_of_logs: str,
        anchorer: Anchorer | None = None,
        outside: Sequence[OutsideView] = (),
    ) -> None:
        self._engine = engine
        self._published = published
        self._log_key = log_key
        self._spans: dict[str, list[LogKeySpan]] = {}
        self._log_of_logs = log_of_logs
        self._anchorer = anchorer
        self._outside = outside
        self._entries = EntryReader(engine)

    def compare(self, progress: Progress = _silent) -> Found:
        """Compare everything, twice if need be, and return what both times was found."""
        told = self.read(progress)
        found = disagreements(told)
        if found:
            again = self.read(progress)
            found = confirmed(found, disagreements(again))
        return Found(tuple(found), told.missing, len(told.logs))

    def read(self, progress: Progress = _silent) -> Tellings:
        """Return what all sources tell now."""
        missing: list[str] = []
        contract = self._contract(missing)
        reader = TreeReader(self._published)
        outside = self._views(reader, missing)
        anchors = self._anchors()
        with self._engine.connect() as connection:
            self._spans = {row.origin: spans_of(row.log_keys) for row in connection.execute(_KEYS)}
            notes = [row.checkpoint for row in connection.execute(_EPOCHS)]
            mapped = {
                row.origin: ToldHead(row.tree_size, bytes(row.root_hash))
                for row in connection.execute(_MAPPED)
            }
        copies = {origin: self._copy(origin) for origin in self._published.origins()}
        stored = {head.origin: head for head in self._entries.stored_heads()}
        logs = []
        origins = sorted({*copies, *stored})
        for at, origin in enumerate(origins):
            logs.append(self._log(origin, stored.get(origin), copies, mapped.get(origin), reader))
            progress(at + 1, len(origins))
        epochs = tuple(_signed_by_nobody(note) for note in notes)
        return Tellings(
            self._log_of_logs, tuple(logs), epochs, anchors, contract, tuple(outside), tuple(missing)
        )

    def _log(
        self,
        origin: str,
        row: StoredHead | None,
        copies: Mapping[str, tuple[ToldHead | None, bool]],
        mapped: ToldHead | None,
        reader: TreeReader,
    ) -> LogTelling:
        copy, is_signed = copies.get(origin, (None, True))
        return LogTelling(
            origin=origin,
            database=None if row is None else ToldHead(row.size, row.root_hash),
            signed=None if row is None else self._opened(row.checkpoint, origin),
            was_published=0 if row is None else row.published_size,
            published=copy,
            is_copy_signed=is_signed,
            tiles_root=None if copy is None else _root(reader, origin, copy.size),
            mapped=mapped,
            mapped_root=None if mapped is None else _root(reader, origin, mapped.size),
        )

    def _copy(self, origin: str) -> tuple[ToldHead | None, bool]:
        """Return the published head, and whether what stands there is the log key's."""
        try:
            note = self._published.checkpoint(origin)
        except CarbonsealError:
            return None, False
        head = None if note is None else self._opened(note, origin)
        return head, note is None or head is not None

    def _opened(self, note: str, origin: str) -> ToldHead | None:
        """Return the head of a note that the log's key for its size signed, None for any other note."""
        spans = self._spans.get(origin, [(0, self._log_key)])
        try:
            head = open_head(note, origin, spans, self._log_key)
        except CarbonsealError:
            return None
        return ToldHead(head.tree_size, head.root_hash)

    def _anchors(self) -> tuple[AnchorTelling, ...]:
        if self._anchorer is None:
            return ()
        return tuple(
            AnchorTelling(ToldHead(one.tree_size, one.root_hash), str(one.state), one.final_losses)
            for one in self._anchorer.records()
        )

    def _contract(self, missing: list[str]) -> ContractTelling | None:
        if self._anchorer is None or not self._anchorer.anchored_size():
            return None
        name = f"contract 0x{self._anchorer.contract.hex()}"
        try:
            held = self._anchorer.held_by_contract()
        except (ChainUnreachable, ChainRefused, ContractWrong) as problem:
            missing.append(f"{name}: {problem.reason}")
            return None
        replayed = bytes(32)
        for head in held.heads:
            replayed = history_link(replayed, head)
        heads = tuple(ToldHead(head.tree_size, head.root_hash) for head in held.heads)
        newest = ToldHead(held.newest.tree_size, held.newest.root_hash)
        return ContractTelling(name, heads, newest, replayed == held.history)

    def _views(self, reader: TreeReader, missing: list[str]) -> list[OutsideTelling]:
        told = []
        for view in self._outside:
            try:
                head = view.head(self._log_of_logs)
            except OutsideUnreachable as problem:
                missing.append(f"{view.name}: {problem.reason}")
                continue
            if head is not None:
                root = _root(reader, self._log_of_logs, head.size)
                told.append(
                    OutsideTelling(view.name, self._log_of_logs, ToldHead(head.size, head.root_hash), root)
                )
        return told


def _root(reader: TreeReader, origin: str, size: int) -> bytes | None:
    try:
        return reader.root(origin, size)
    except CarbonsealError:
        return None


def _signed_by_nobody(note: str) -> ToldHead:
    """Read an epoch's head; a note that says none is told as a head that nothing equals."""
    try:
        head = Checkpoint.of_note(note)
    except CarbonsealError:
        return ToldHead(0, b"")
    return ToldHead(head.tree_size, head.root_hash)
