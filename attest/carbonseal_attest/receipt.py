"""Receipts of our logs: RFC 9942, narrowed to what a check may rely on.

Origin and tree size stand in the protected header and must equal the proof's: the proof itself is not
signed, and a flipped size or index in it could still verify. The payload is detached, so that whoever
checks must recompute the root. A receipt of inclusion proves that a statement is an entry, a receipt of
consistency that a later head extends an earlier one. They are made on demand, and never for a log of one
entry. Receipts of others are read by `cose_receipt`.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, ALGORITHMS, check_signed_with
from carbonseal_attest.cose import (
    ALG,
    CWT_CLAIMS,
    CWT_ISSUER,
    CWT_SUBJECT,
    KID,
    Label,
    join_sign1,
    sig_structure,
    split_sign1,
)
from carbonseal_attest.cose_receipt import (
    CONSISTENCY,
    INCLUSION,
    RFC9162_SHA256,
    VDP,
    VDS,
    ConsistencyProof,
    InclusionProof,
)
from carbonseal_attest.errors import AttestError, ProofInvalid, StatementInvalid
from carbonseal_attest.identifiers import check_code, check_origin
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import ORIGIN, TREE_SIZE

MAX_RECEIPT: Final = 8192  # bytes: 63 hashes, the headers, and the largest signature
_LABELS: Final = frozenset({ALG, KID, CWT_CLAIMS, VDS, ORIGIN, TREE_SIZE})
_DEPTH: Final = 4  # the message, its unprotected header, the map of proofs, their list


_HeadFields = tuple[str, str, int, bytes, int, bytes, bytes]


@dataclass(frozen=True, slots=True)
class _SignedHead:
    """What the protected header says: a head of a log, without its root."""

    log_host: str
    origin: str
    algorithm: int
    kid: bytes
    tree_size: int
    protected: bytes
    signature: bytes

    def _verify_root(self, root: bytes, origin: str, key: PublicKey, admitted: Container[int]) -> None:
        if self.origin != origin or self.kid != key.kid:
            raise _refusal("of another log or key")
        check_signed_with(self.algorithm, key.algorithm, admitted)
        key.verify(self.signature, sig_structure(self.protected, root))


@dataclass(frozen=True, slots=True)
class Receipt(_SignedHead):
    """A parsed receipt of inclusion; nothing in it counts before `verify`."""

    index: int
    path: tuple[bytes, ...]

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Return the receipt that `data` encodes.

        Raises:
            ProofInvalid: not our profile of RFC 9942, or header and proof disagree about the size.
        """
        head, value = _split(data, INCLUSION)
        proof = InclusionProof.from_value(value)
        receipt = cls(*head, proof.index, proof.path)
        if proof.tree_size != receipt.tree_size:
            raise _refusal("signed tree size and the proof's differ")
        return receipt

    def verify(
        self, entry: bytes, *, origin: str, key: PublicKey, admitted: Container[int] = ADMITTED
    ) -> bytes:
        """Check that `entry` is in the log `origin` signed by `key`, and return the root hash at `tree_size`.

        Raises:
            AlgorithmRefused: the header's algorithm is not that of the key, or not among the `admitted`.
            ProofInvalid: another log or key, or the proof has not the number of hashes it needs.
            SignatureInvalid: the signature does not verify over the recomputed root.
        """
        root = InclusionProof(self.tree_size, self.index, self.path).root(entry)
        self._verify_root(root, origin, key, admitted)
        return root


@dataclass(frozen=True, slots=True)
class ConsistencyReceipt(_SignedHead):
    """A parsed receipt of consistency from `old_size` to `tree_size`; nothing counts before `verify`."""

    old_size: int
    path: tuple[bytes, ...]

    @classmethod
    def parse(cls, data: bytes) -> ConsistencyReceipt:
        """Return the receipt that `data` encodes.

        Raises:
            ProofInvalid: not our profile of RFC 9942, or header and proof disagree about the new size.
        """
        head, value = _split(data, CONSISTENCY)
        proof = ConsistencyProof.from_value(value)
        receipt = cls(*head, proof.old_size, proof.path)
        if proof.new_size != receipt.tree_size:
            raise _refusal("signed tree size and the proof's differ")
        if proof.old_size == proof.new_size:
            raise _refusal("from a size to itself")
        return receipt

    def verify(
        self,
        old_size: int,
        old_root: bytes,
        *,
        origin: str,
        key: PublicKey,
        admitted: Container[int] = ADMITTED,
    ) -> bytes:
        """Check that `key` signed a head that extends the one given; return the root hash at `tree_size`.

        The signature is checked first and then the proof (RFC 9942 §5.3), and there is one answer.

        Raises:
            AlgorithmRefused: the header's algorithm is not that of the key, or not among the `admitted`.
            ProofInvalid: another log or key, or the proof does not lead from that head.
            SignatureInvalid: the signature does not verify over the recomputed new root.
        """
        if self.old_size != old_size:
            raise _refusal("from another old size")
        old, new = ConsistencyProof(self.old_size, self.tree_size, self.path).roots(old_root)
        self._verify_root(new, origin, key, admitted)
        if old != old_root:
            raise _refusal("leads from another old root")
        return new


def make_receipt(
    signer: Signer,
    *,
    log_host: str,
    origin: str,
    tree_size: int,
    index: int,
    path: Sequence[bytes],
    root: bytes,
) -> bytes:
    """Return the receipt for the entry at `index` in the tree of `tree_size` leaves with `root`."""
    proof = InclusionProof(tree_size, index, tuple(path)).encode()
    return _make(signer, log_host, origin, tree_size, root, {INCLUSION: [proof]})


def make_consistency_receipt(
    signer: Signer,
    *,
    log_host: str,
    origin: str,
    old_size: int,
    new_size: int,
    path: Sequence[bytes],
    root: bytes,
) -> bytes:
    """Return the receipt that the tree of `new_size` leaves with `root` extends that of `old_size`."""
    proof = ConsistencyProof(old_size, new_size, tuple(path)).encode()
    return _make(signer, log_host, origin, new_size, root, {CONSISTENCY: [proof]})


def _make(
    signer: Signer, log_host: str, origin: str, tree_size: int, root: bytes, proofs: dict[int, list[bytes]]
) -> bytes:
    if tree_size < 2:
        raise StatementInvalid("tree_size", "no receipt for a log of one entry", "wait for the next entry")
    labels: dict[Label, Any] = {
        ALG: signer.public.algorithm,
        KID: signer.public.kid,
        CWT_CLAIMS: {CWT_ISSUER: log_host, CWT_SUBJECT: origin},
        VDS: RFC9162_SHA256,
        ORIGIN: origin,
        TREE_SIZE: tree_size,
    }
    protected = cbor.encode(labels)
    return join_sign1(protected, {VDP: proofs}, None, signer.sign(sig_structure(protected, root)))


def _split(data: bytes, kind: int) -> tuple[_HeadFields, Any]:
    """Return the signed head and the one proof, of `kind`, that stands beside it."""
    try:
        protected, unprotected, payload, signature = split_sign1(data, max_size=MAX_RECEIPT, max_depth=_DEPTH)
        match unprotected:
            case {396: {**proofs}} if len(unprotected) == len(proofs) == 1 and payload is None:
                match proofs.get(kind):
                    case [bytes(proof)]:
                        return _read_head(protected, signature), cbor.decode(proof, max_depth=2)
    except ProofInvalid:
        raise
    except AttestError as error:
        raise _refusal(error.reason) from error
    named = "inclusion" if kind == INCLUSION else "consistency"
    raise _refusal(f"not a detached COSE receipt with one {named} proof")


def _read_head(protected: bytes, signature: bytes) -> _HeadFields:
    labels = cbor.decode(protected, max_depth=3)
    if not isinstance(labels, dict) or labels.keys() != _LABELS:
        raise _refusal("header is not that of an RFC 9162 receipt")
    claims, origin, kid, size = (labels[n] for n in (CWT_CLAIMS, ORIGIN, KID, TREE_SIZE))
    numbers = [labels[ALG], labels[VDS], size]
    # Types are asked for by name throughout: in Python true equals 1, and isinstance calls it an int.
    if set(map(type, numbers)) != {int} or numbers[1] != RFC9162_SHA256 or numbers[0] not in ALGORITHMS:
        raise _refusal("header is not that of an RFC 9162 receipt")
    if size < 2:
        raise _refusal("of a log of one entry")
    match claims:
        case {1: str(issuer), 2: str(subject)} if (
            len(claims) == 2 and subject == origin and isinstance(kid, bytes) and len(kid) == 32
        ):
            check_code(issuer)
            check_origin(subject)
            return issuer, subject, labels[ALG], kid, size, protected, signature
        case _:
            raise _refusal("header does not name host and log")


def _refusal(reason: str) -> ProofInvalid:
    return ProofInvalid("receipt", reason, "ask the log host for the receipt again")
