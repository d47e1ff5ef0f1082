"""Receipts on demand: inclusion proofs at the newest published head, and how far each statement has come.

Nothing is stored: a receipt is made out of cached tile nodes whenever somebody asks (`docs/spec/log.md`,
Receipt). Many are made together, because a gateway that drained its spool asks for hundreds at once: one
head, one query, shared nodes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from carbonseal_attest.receipt import make_consistency_receipt, make_receipt
from carbonseal_attest.signing import Signer
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.epochs import EpochLedger
from carbonseal_ledger.errors import LogDamaged, RangeInvalid
from carbonseal_ledger.log_keys import LogKeys
from carbonseal_ledger.outcomes import Head, ReceiptState
from carbonseal_ledger.registration import LogTerms
from carbonseal_ledger.tree_reader import TreeReader

_REMEMBERED_LEAVES: Final = 65_536  # statements registered last by this process, about 250 bytes each
_REMEMBERED_HEADS: Final = 10_000  # heads whose signature this process has checked


class AnchoredHeads(Protocol):
    """What the ledger needs to know of the chain: how far the log of logs has been anchored.

    `anchoring.Anchorer` satisfies it. Sizes are tree sizes of the log of logs, 0 when there is none.
    """

    def anchored_size(self) -> int:
        """The largest size whose anchor transaction is mined and confirmed in the contract's state."""

    def final_size(self) -> int:
        """The largest size whose anchor block is final."""


class WitnessedHeads(Protocol):
    """What the ledger needs to know of witnesses: how far they have cosigned the log of logs.

    `witnessing.Witnessing` satisfies it.
    """

    def witnessed_size(self) -> int:
        """The largest size of the log of logs that the quorum cosigned; 0 where there is none."""

    def cosigned(self, note: str) -> str:
        """A checkpoint's note with the cosignatures that are held of it; any other log's as it is."""


class RecentLeaves:
    """Index and leaf hash of the statements that this process registered last.

    Most receipts are asked for at once; these need no database. What is logged never changes, so nothing here
    can go stale.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, bytes], tuple[int, bytes]] = {}
        self._lock = threading.Lock()

    def add(self, origin: str, leaves: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Remember (statement digest, index, leaf hash) of published entries."""
        with self._lock:
            for digest, index, leaf in leaves:
                self._held[origin, digest] = (index, leaf)
            while len(self._held) > _REMEMBERED_LEAVES:
                del self._held[next(iter(self._held))]

    def get(self, origin: str, digest: bytes) -> tuple[int, bytes] | None:
        """Index and leaf hash of a statement; None when it is not remembered."""
        return self._held.get((origin, digest))


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """The answer for one digest. All None when the log does not hold it or has not published it yet.

    `receipt` is None as well in a log of one entry, for which RFC 9942 has no receipt.
    """

    receipt: bytes | None = None
    state: ReceiptState | None = None
    index: int | None = None


class ReceiptDesk:
    """Makes receipts for all logs of one host. Safe to use from many threads."""

    def __init__(
        self,
        signer: Signer,
        keys: LogKeys,
        party: str,
        entries: EntryReader,
        reader: TreeReader,
        epochs: EpochLedger,
        head_of: Callable[[str], Head],
        anchors: AnchoredHeads | None,
        witnesses: WitnessedHeads | None = None,
    ) -> None:
        self._signer = signer
        self._keys = keys
        self._party = party
        self._entries = entries
        self._reader = reader
        self._epochs = epochs
        self._head_of = head_of
        self.anchors = anchors
        self.witnesses = witnesses
        self.recent = RecentLeaves()
        self._signed: dict[str, Head] = {}

    def answers(
        self, origin: str, digests: Sequence[bytes], *, with_receipts: bool, with_states: bool
    ) -> list[ReceiptAnswer]:
        """One answer per digest, in order, all at one head.

        Raises:
            LogUnknown: no such log.
            LogDamaged: the published tiles do not lead from an entry to the signed root.
        """
        terms, head = self._entries.terms(origin), self._head_of(origin)
        found = self._leaves(terms, digests)
        has_receipts = with_receipts and head.tree_size > 1
        if has_receipts:
            self._check_signed(head)
        sizes = self._state_sizes(terms) if with_states and found else {}
        nodes = self._reader.nodes(origin, head.tree_size)
        answers = []
        for digest in digests:
            index, leaf = found.get(digest, (head.tree_size, b""))
            if index >= head.tree_size:
                answers.append(ReceiptAnswer())
                continue
            state = next((state for state, size in sizes.items() if index < size), ReceiptState.LOGGED)
            receipt = self._make(head, index, leaf, nodes) if has_receipts else None
            answers.append(ReceiptAnswer(receipt, state if with_states else None, index))
        return answers

    def consistency(self, origin: str, old_size: int) -> bytes:
        """A receipt that the newest published head extends the one of `old_size` leaves.

        Raises:
            LogUnknown: no such log.
            RangeInvalid: not from 1 to less than the published size.
            LogDamaged: the published tiles do not give the signed root.
        """
        head = self._head_of(origin)
        if not 1 <= old_size < head.tree_size:
            reason = f"{old_size} is not from 1 to {head.tree_size - 1}"
            raise RangeInvalid("old_size", reason, "ask from a size before the newest checkpoint's")
        self._check_signed(head)
        nodes = self._reader.nodes(origin, head.tree_size)
        old_root, path = (
            self._reader.root(origin, old_size),
            consistency_path(old_size, head.tree_size, nodes),
        )
        try:
            verify_consistency(old_size, head.tree_size, old_root, head.root_hash, path)
        except CarbonsealError as error:
            raise LogDamaged(
                "log", f"{old_size} does not lead to the root of {origin}", "run fsck"
            ) from error
        return make_consistency_receipt(
            self._signer,
            log_host=self._party,
            origin=origin,
            old_size=old_size,
            new_size=head.tree_size,
            path=path,
            root=head.root_hash,
        )

    def _leaves(self, terms: LogTerms, digests: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        found: dict[bytes, tuple[int, bytes]] = {}
        missing = []
        for digest in digests:
            held = self.recent.get(terms.origin, digest)
            if held is None:
                missing.append(digest)
            else:
                found[digest] = held
        if missing:
            stored = self._entries.leaves(terms, missing)
            found |= {digest: (index, leaf_hash(raw)) for digest, (index, raw) in stored.items()}
        return found

    def _make(self, head: Head, index: int, leaf: bytes, nodes: Callable[[int, int], bytes]) -> bytes:
        path = inclusion_path(index, head.tree_size, nodes)
        try:
            verify_inclusion(index, head.tree_size, leaf, path, head.root_hash)
        except CarbonsealError as error:
            reason = f"entry {index} of {head.origin} does not lead to its root"
            raise LogDamaged("log", reason, "run fsck") from error
        return make_receipt(
            self._signer,
            log_host=self._party,
            origin=head.origin,
            tree_size=head.tree_size,
            index=index,
            path=path,
            root=head.root_hash,
        )

    def _state_sizes(self, terms: LogTerms) -> dict[ReceiptState, int]:
        """The log's tree size in the newest epoch of each state, the farthest state first."""
        heads: dict[ReceiptState, int] = {}
        if self.anchors is not None:
            anchored, final = self.anchors.anchored_size(), self.anchors.final_size()
            heads = {ReceiptState.FINAL: final, ReceiptState.ANCHORED: max(anchored, final)}
        if self.witnesses is not None:
            heads[ReceiptState.WITNESSED] = self.witnesses.witnessed_size()
        sizes: dict[int, int] = {0: 0, 1: 0}  # before the first epoch
        for head in heads.values():
            if head not in sizes:
                sizes[head] = self._epochs.size_in_epoch(terms.id, head)
        return {state: sizes[head] for state, head in heads.items()}

    def _check_signed(self, head: Head) -> None:
        """A receipt signs a root: only one that the log key has already signed as a checkpoint."""
        if self._signed.get(head.origin) == head:
            return
        self._keys.open_head(head.checkpoint, head.origin)
        if len(self._signed) > _REMEMBERED_HEADS:
            self._signed.clear()
        self._signed[head.origin] = head
