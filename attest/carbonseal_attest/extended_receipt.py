"""Extended receipts: from one statement up to the head of the log of logs that the chain holds.

A receipt says that a statement is in a log, which only that log's key confirms. Extended, it also shows that
log's head in the sorted map of an epoch, that epoch's entry in the log of logs, and a checkpoint of the log
of logs, which witnesses cosign and the chain holds (`docs/spec/extended-receipt.md`). What follows from
another part is not written a second time: the map's leaf is made of the receipt's origin, size and recomputed
root, and the epoch's number is its index. Offline evidence of the anchor may travel with it. It leaves out
whom to believe: keys, quorum and chain are the caller's.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.anchor import MAX_EVIDENCE_SIZE, AnchorEvidence
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.epoch import EpochEntry, MapEntry, MapProof
from carbonseal_attest.errors import AttestError, ProofInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import MAX_PATH, leaf_hash, verify_inclusion
from carbonseal_attest.note import MAX_NOTE
from carbonseal_attest.receipt import MAX_RECEIPT, Receipt

FORMAT: Final = "carbonseal-extended-receipt/v1"
MAX_EXTENDED: Final = 3_072  # bytes of one without cosignatures and evidence; the service gives none above
MAX_SIZE: Final = MAX_EVIDENCE_SIZE + MAX_NOTE + 2 * MAX_RECEIPT  # bytes that are read
_DEPTH: Final = 3  # the message, the map proof, its path


@dataclass(frozen=True, slots=True)
class Covered:
    """What an extended receipt has shown: an entry, the head it was logged under, and the epoch of that head.

    `head` is the head of the log of logs that holds the epoch; a chain that holds it anchors the entry.
    """

    index: int
    logged: MapEntry
    epoch: EpochEntry
    head: Checkpoint


@dataclass(frozen=True, slots=True)
class ExtendedReceipt:
    """A parsed extended receipt; nothing in it counts before `verify`.

    Attributes:
        receipt: the receipt's bytes, of the log's head in the epoch's map.
        map_index: place of the log in the map.
        map_path: from the log's leaf to the map's root.
        epoch: the entry of the log of logs; its index there is its number.
        path: from that entry to the root of the log of logs at the checkpoint's size.
        checkpoint: signed note of the log of logs, with any cosignatures.
        evidence: offline evidence of the anchor (`attest.anchor`), None where there is none.
    """

    receipt: bytes
    map_index: int
    map_path: tuple[bytes, ...]
    epoch: EpochEntry
    path: tuple[bytes, ...]
    checkpoint: str
    evidence: bytes | None

    @classmethod
    def parse(cls, data: bytes) -> ExtendedReceipt:
        """Return the extended receipt that `data` encodes; its form is checked, nothing is proved yet.

        Raises:
            ProofInvalid: not deterministic CBOR of the parts within their limits.
            AnchorInvalid: the evidence beside it is malformed.
        """
        try:
            value = cbor.decode(data, max_size=MAX_SIZE, max_depth=_DEPTH)
        except AttestError as error:
            raise _refusal(error.reason) from error
        match value:
            case [
                str(form),
                bytes(receipt),
                [int(index), map_path],
                bytes(entry),
                path,
                str(note),
                proof,
            ] if (
                form == FORMAT
                and type(index) is int
                and 0 <= index < 1 << 48
                and _is_path(map_path)
                and _is_path(path)
                and len(note) <= MAX_NOTE
                and (proof is None or isinstance(proof, bytes))
            ):
                Receipt.parse(receipt)
                if proof is not None:
                    AnchorEvidence.from_cbor(proof)
                epoch = EpochEntry.decode(entry)
                return cls(receipt, index, tuple(map_path), epoch, tuple(path), note, proof)
            case _:
                raise _refusal(f"not the seven parts of {FORMAT}")

    def encode(self) -> bytes:
        """Return the one way to write it."""
        proof = [self.map_index, list(self.map_path)]
        return cbor.encode(
            [
                FORMAT,
                self.receipt,
                proof,
                self.epoch.encode(),
                list(self.path),
                self.checkpoint,
                self.evidence,
            ]
        )

    def logged(
        self, entry: bytes, *, origin: str, key: PublicKey, admitted: Container[int] = ADMITTED
    ) -> MapEntry:
        """Check the receipt alone: `key` signed a head of `origin` with `entry` in it; return that head.

        Raises:
            AlgorithmRefused, ProofInvalid, SignatureInvalid: as `Receipt.verify`.
        """
        receipt = Receipt.parse(self.receipt)
        root = receipt.verify(entry, origin=origin, key=key, admitted=admitted)
        return MapEntry(origin, receipt.tree_size, root)

    def verify(
        self,
        entry: bytes,
        *,
        origin: str,
        key: PublicKey,
        head: Checkpoint,
        admitted: Container[int] = ADMITTED,
    ) -> Covered:
        """Check every step from `entry` up to `head`.

        Args:
            entry: the statement's bytes as logged.
            origin: the log that must hold it.
            key: the log key that the caller believes for the receipt's size.
            head: the checkpoint of this receipt, opened by the caller under the log host's key.
            admitted: the algorithms that the caller admits.

        Raises:
            AlgorithmRefused, SignatureInvalid: the receipt's signature does not count.
            ProofInvalid: the receipt, the map proof or the inclusion in the log of logs does not hold.
        """
        logged = self.logged(entry, origin=origin, key=key, admitted=admitted)
        self.verify_mapped(logged)
        self.verify_head(head)
        return Covered(Receipt.parse(self.receipt).index, logged, self.epoch, head)

    def verify_mapped(self, logged: MapEntry) -> None:
        """Check that the log's head stands in the map of the epoch.

        Raises:
            ProofInvalid: it does not: this epoch has another head of that log, or none.
        """
        MapProof(logged, self.map_index, self.map_path).verify(self.epoch)

    def verify_head(self, head: Checkpoint) -> None:
        """Check that the epoch's entry stands in the log of logs with `head`.

        Raises:
            ProofInvalid: it does not, or `head` is not that of the checkpoint carried.
        """
        if Checkpoint.of_note(self.checkpoint) != head:
            raise _refusal("its checkpoint has another head")
        leaf = leaf_hash(self.epoch.encode())
        verify_inclusion(self.epoch.epoch, head.tree_size, leaf, self.path, head.root_hash)


def _is_path(value: Any) -> bool:
    if not isinstance(value, list) or len(value) > MAX_PATH:
        return False
    return all(isinstance(item, bytes) and len(item) == 32 for item in value)


def _refusal(reason: str) -> ProofInvalid:
    return ProofInvalid("extended receipt", reason, "ask the log host for it again")
