"""COSE receipts (RFC 9942) of anybody: a signed head of a log, with the proofs that lead to it.

Reads what other logs issue: several proofs, an attached payload, other verifiable data structures, headers
that ours would not have. Proofs of RFC9162_SHA256 (vds 1) are read and verified; of other structures the
proofs stay as they stand and verifying names the structure as unsupported. What our own logs issue, and what
our checks rely on, is the narrower profile of `receipt`: here size and index of a proof are signed by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor, foreign_cbor
from carbonseal_attest.cose import MAX_MESSAGE, Headers, Label, Sign1
from carbonseal_attest.errors import AttestError, CoseInvalid, ProofInvalid, Unsupported
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import (
    MAX_PATH,
    MAX_TREE_SIZE,
    consistency_roots,
    leaf_hash,
    root_from_inclusion,
)

RECEIPTS, VDS, VDP = 394, 395, 396
RFC9162_SHA256: Final = 1
INCLUSION, CONSISTENCY = -1, -2
MAX_PROOFS: Final = 64  # of one kind in one receipt


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """[tree size, index, path]: RFC 9942 §5.2; within bounds once built."""

    tree_size: int
    index: int
    path: tuple[bytes, ...]

    @classmethod
    def from_value(cls, value: object) -> InclusionProof:
        """Return the proof that a decoded value is; raises ProofInvalid."""
        size, index, path = _numbers_and_path(value, "inclusion")
        if not 0 <= index < size <= MAX_TREE_SIZE:
            raise _broken("index or tree size outside the limits")
        return cls(size, index, path)

    def encode(self) -> bytes:
        """Return the proof as it stands in a receipt."""
        return cbor.encode([self.tree_size, self.index, list(self.path)])

    def root(self, entry: bytes) -> bytes:
        """Return the root hash to which the proof leads from `entry`; raises ProofInvalid."""
        return root_from_inclusion(self.index, self.tree_size, leaf_hash(entry), self.path)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """[old size, new size, path]: RFC 9942 §5.3; within bounds once built."""

    old_size: int
    new_size: int
    path: tuple[bytes, ...]

    @classmethod
    def from_value(cls, value: object) -> ConsistencyProof:
        """Return the proof that a decoded value is; raises ProofInvalid."""
        old, new, path = _numbers_and_path(value, "consistency")
        if not 0 < old <= new <= MAX_TREE_SIZE:
            raise _broken("tree sizes outside the limits")
        return cls(old, new, path)

    def encode(self) -> bytes:
        """Return the proof as it stands in a receipt."""
        return cbor.encode([self.old_size, self.new_size, list(self.path)])

    def roots(self, old_root: bytes) -> tuple[bytes, bytes]:
        """Return the old and the new root hash to which the proof leads; raises ProofInvalid."""
        return consistency_roots(self.old_size, self.new_size, old_root, self.path)


@dataclass(frozen=True, slots=True)
class CoseReceipt:
    """A receipt of anybody; nothing in it counts before it verifies.

    `structure` is the signed `vds`; `proofs` is the unprotected `vdp` as it stands. `inclusion` and
    `consistency` are read from it where the structure is RFC9162_SHA256, and empty elsewhere.
    """

    message: Sign1
    structure: int
    proofs: Headers
    inclusion: tuple[InclusionProof, ...]
    consistency: tuple[ConsistencyProof, ...]

    @classmethod
    def parse(cls, data: bytes, *, max_size: int = MAX_MESSAGE) -> CoseReceipt:
        """Return the receipt that `data` encodes.

        Raises:
            CoseInvalid: not a tagged COSE_Sign1, or without vds or proofs.
            ProofInvalid: a proof of RFC9162_SHA256 is malformed.
            Unsupported: another message of COSE.
        """
        message = Sign1.parse(data, max_size=max_size)
        structure = message.headers.get(VDS)
        if type(structure) is not int:
            raise _refusal("header.vds", "no verifiable data structure in the protected header")
        proofs = message.unprotected.get(VDP)
        if not isinstance(proofs, dict) or not proofs or not set(map(type, proofs)) <= {int, str}:
            raise _refusal("unprotected header.vdp", "no map of proofs")
        if structure != RFC9162_SHA256:
            return cls(message, structure, proofs, (), ())
        inclusion = tuple(InclusionProof.from_value(v) for v in _proof_values(proofs, INCLUSION))
        consistency = tuple(ConsistencyProof.from_value(v) for v in _proof_values(proofs, CONSISTENCY))
        return cls(message, structure, proofs, inclusion, consistency)

    def verify_inclusion(
        self, entry: bytes, *, key: PublicKey, admitted: Container[int], understood: Collection[Label] = ()
    ) -> tuple[InclusionProof, bytes]:
        """Check that one of the proofs leads from `entry` to a root that `key` signed; return both.

        The proof's size and index are what the log host says and nobody signed.

        Raises:
            Unsupported: another verifiable data structure, by number.
            AttestError: no proof of inclusion holds; of several, the last one's reason.
        """
        self._check_structure()
        failure: AttestError = _broken("no proof of inclusion")
        for proof in self.inclusion:
            try:
                root = proof.root(entry)
                self._verify_root(root, key, admitted, understood)
            except AttestError as error:
                failure = error
            else:
                return proof, root
        raise failure

    def verify_consistency(
        self,
        old_size: int,
        old_root: bytes,
        *,
        key: PublicKey,
        admitted: Container[int],
        understood: Collection[Label] = (),
    ) -> tuple[ConsistencyProof, bytes]:
        """Check that one of the proofs leads from the old head to a root that `key` signed; return both.

        The signature comes first, then the proof, as RFC 9942 §5.3 has it; there is one answer.

        Raises:
            Unsupported: another verifiable data structure, by number.
            AttestError: no proof from that size holds; of several, the last one's reason.
        """
        self._check_structure()
        failure: AttestError = _broken(f"no proof of consistency from size {old_size}")
        for proof in self.consistency:
            if proof.old_size != old_size:
                continue
            try:
                old, new = proof.roots(old_root)
                self._verify_root(new, key, admitted, understood)
                if old != old_root:
                    raise _broken("leads from another old root")
            except AttestError as error:
                failure = error
            else:
                return proof, new
        raise failure

    def _check_structure(self) -> None:
        if self.structure != RFC9162_SHA256:
            raise Unsupported(
                "header.vds",
                f"verifiable data structure {self.structure} is not supported",
                "check it with other software",
            )

    def _verify_root(
        self, root: bytes, key: PublicKey, admitted: Container[int], understood: Collection[Label]
    ) -> None:
        if self.message.payload not in (None, root):
            raise _broken("leads to another root than the receipt carries")
        self.message.verify(key, admitted=admitted, payload=root, understood=(VDS, *understood))


def _proof_values(proofs: Headers, kind: int) -> list[Any]:
    """Return the decoded proofs of one kind; a kind that stands there has at least one."""
    if kind not in proofs:
        return []
    listed = proofs[kind]
    if (
        not isinstance(listed, list)
        or not 0 < len(listed) <= MAX_PROOFS
        or not all(isinstance(item, bytes) for item in listed)
    ):
        raise _refusal("unprotected header.vdp", f"proofs are not 1 to {MAX_PROOFS} byte strings")
    try:
        return [foreign_cbor.read(item, max_depth=2).value for item in listed]
    except AttestError as error:
        raise _refusal("unprotected header.vdp", error.reason) from error


def _numbers_and_path(value: object, what: str) -> tuple[int, int, tuple[bytes, ...]]:
    match value:
        # Types are asked for by name: in Python true equals 1, and isinstance calls it an int.
        case [first, second, list(path)] if type(first) is int and type(second) is int:
            if len(path) <= MAX_PATH and all(isinstance(h, bytes) and len(h) == 32 for h in path):
                return first, second, tuple(path)
        case _:
            pass
    raise _broken(f"malformed {what} proof")


def _broken(reason: str) -> ProofInvalid:
    return ProofInvalid("receipt", reason, "ask the log host for the receipt again")


def _refusal(field: str, reason: str) -> CoseInvalid:
    return CoseInvalid(field, reason, "send a receipt as RFC 9942 has it")
