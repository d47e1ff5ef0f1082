"""Extended receipts on demand: from a statement to the head of the log of logs that the chain holds.

The receipt is made at the head that the log had in the first epoch covering the statement, and the rest is
the map proof and the inclusion of the epoch's entry (`docs/spec/extended-receipt.md`). What was made is
checked with the very code of a relying party before it leaves, so that a damaged copy or row is found here
and not by whoever holds the receipt. It leaves out the evidence of the chain, which the caller adds.
"""

from __future__ import annotations

from collections.abc import Callable

from carbonseal_attest.epoch import EpochEntry, MapEntry
from carbonseal_attest.errors import AttestError
from carbonseal_attest.extended_receipt import ExtendedReceipt
from carbonseal_attest.merkle import inclusion_path
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.signing import Signer
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.epochs import EpochLedger
from carbonseal_ledger.errors import EntryUnknown, EpochPending, LogDamaged, RangeInvalid
from carbonseal_ledger.log_keys import LogKeys
from carbonseal_ledger.outcomes import EpochRecord
from carbonseal_ledger.receipting import AnchoredHeads
from carbonseal_ledger.tree_reader import TreeReader


class ReceiptExtender:
    """Makes extended receipts for all logs of one host. Safe to use from many threads."""

    def __init__(
        self,
        signer: Signer,
        keys: LogKeys,
        party: str,
        entries: EntryReader,
        reader: TreeReader,
        epochs: EpochLedger,
        published_size: Callable[[], int],
        log_of_logs: str,
    ) -> None:
        self._signer = signer
        self._keys = keys
        self._party = party
        self._entries = entries
        self._reader = reader
        self._epochs = epochs
        self._published_size = published_size
        self._log_of_logs = log_of_logs

    def extend(
        self, origin: str, digest: bytes, *, anchors: AnchoredHeads | None, size: int | None
    ) -> ExtendedReceipt:
        """The extended receipt of a statement, without evidence.

        Args:
            origin: the log that holds it.
            digest: its statement digest.
            anchors: how far the chain has come; the newest final head that covers it is chosen, else the
                newest anchored one, else the newest epoch's.
            size: of the log of logs, to be used instead; an epoch must have ended there.

        Raises:
            EntryUnknown: the log holds no such statement.
            EpochPending: no published epoch covers it yet.
            RangeInvalid: no epoch ended at `size`, or not one that covers the statement.
            LogDamaged: what is stored does not lead to what was signed.
        """
        terms = self._entries.terms(origin)
        found = self._entries.leaves(terms, [digest])
        if digest not in found:
            raise EntryUnknown("digest", f"{origin} holds no {digest.hex()}", "register the statement first")
        index, raw = found[digest]
        published = self._published_size()
        # Heads of before the log's present key cannot be signed any more; a later epoch's covers it as well.
        least = max(index + 1, self._keys.present_from(origin))
        epoch = self._epochs.covering(terms.id, least)
        if epoch is None or epoch.tree_size > published:
            raise EpochPending(
                "digest", f"entry {index} of {origin} is in no epoch yet", "ask again after the next epoch"
            )
        upper = self._upper(epoch, published, anchors, size)
        try:
            made = self._made(origin, index, epoch, upper)
            head = self._keys.open(upper.checkpoint, self._log_of_logs)
            made.verify(raw, origin=origin, key=self._signer.public, head=head)
        except AttestError as error:
            reason = f"entry {index} of {origin} does not lead to epoch {epoch.epoch} ({error.reason})"
            raise LogDamaged("log", reason, "run fsck") from error
        return made

    def _upper(
        self, epoch: EpochRecord, published: int, anchors: AnchoredHeads | None, size: int | None
    ) -> EpochRecord:
        """The epoch whose head of the log of logs the receipt ends in."""
        if size is None:
            reached = () if anchors is None else (anchors.final_size(), anchors.anchored_size())
            size = next((one for one in reached if epoch.tree_size <= one <= published), published)
        at = self._epochs.records(size - 1, size) if epoch.tree_size <= size <= published else []
        if not at or at[0].tree_size != size:
            raise RangeInvalid(
                "tree_size",
                f"no epoch that covers the statement ended at size {size} of the log of logs",
                f"ask for a size from {epoch.tree_size} to {published}",
            )
        return at[0]

    def _made(self, origin: str, index: int, epoch: EpochRecord, upper: EpochRecord) -> ExtendedReceipt:
        proof = self._epochs.map_of(epoch.epoch).prove(origin)
        mapped: MapEntry = proof.entry
        nodes = self._reader.nodes(origin, mapped.tree_size)
        receipt = make_receipt(
            self._signer,
            log_host=self._party,
            origin=origin,
            tree_size=mapped.tree_size,
            index=index,
            path=inclusion_path(index, mapped.tree_size, nodes),
            root=mapped.root_hash,
        )
        above = self._reader.nodes(self._log_of_logs, upper.tree_size)
        return ExtendedReceipt(
            receipt,
            proof.index,
            proof.path,
            EpochEntry(epoch.epoch, epoch.map_root, epoch.origins, epoch.built_at),
            tuple(inclusion_path(epoch.entry_index, upper.tree_size, above)),
            upper.checkpoint,
            None,
        )
