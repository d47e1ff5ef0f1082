"""Receipts (RFC 9942): a log's signed proof that a statement is an entry.

Origin and tree size stand in the protected header and must equal the proof's: the proof itself is not
signed, and a flipped size or index in it could still verify. The payload is detached, so that whoever
checks must recompute the root. Receipts are made on demand and never for a log of one entry.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, ALGORITHMS, check_signed_with
from carbonseal_attest.errors import EncodingError, IdentifierInvalid, ProofInvalid, StatementInvalid
from carbonseal_attest.identifiers import check_code
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import MAX_PATH, MAX_TREE_SIZE, leaf_hash, root_from_inclusion
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import (
    ALG,
    CWT_CLAIMS,
    CWT_ISSUER,
    CWT_SUBJECT,
    KID,
    ORIGIN,
    TREE_SIZE,
    sig_structure,
)

VDS, VDP, RFC9162_SHA256, INCLUSION = 395, 396, 1, -1
MAX_RECEIPT: Final = 4096  # bytes
_TAG: Final = b"\xd2"
_LABELS: Final = frozenset({ALG, KID, CWT_CLAIMS, VDS, ORIGIN, TREE_SIZE})


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt; nothing in it counts before `verify`."""

    log_host: str
    origin: str
    algorithm: int
    kid: bytes
    tree_size: int
    index: int
    path: tuple[bytes, ...]
    protected: bytes
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Return the receipt that `data` encodes.

        Raises:
            ProofInvalid: not our profile of RFC 9942, or header and proof disagree about the size.
        """
        try:
            if data[:1] != _TAG:
                raise _refusal("not a COSE_Sign1 with tag 18")
            parts = cbor.decode(data[1:], max_size=MAX_RECEIPT, max_depth=4)
            match parts:
                case [bytes(protected), dict(unprotected), None, bytes(signature)]:
                    labels = cbor.decode(protected, max_depth=3)
                    match unprotected:
                        case {396: {-1: [bytes(proof)]}} if len(unprotected) == len(unprotected[VDP]) == 1:
                            return cls._read(protected, labels, cbor.decode(proof, max_depth=3), signature)
                case _:
                    pass
        except (EncodingError, IdentifierInvalid) as error:
            raise _refusal(error.reason) from error
        raise _refusal("not a detached COSE receipt with one inclusion proof")

    @classmethod
    def _read(cls, protected: bytes, labels: Any, proof: Any, signature: bytes) -> Receipt:
        if not isinstance(labels, dict) or labels.keys() != _LABELS:
            raise _refusal("header is not that of an RFC 9162 receipt")
        claims, origin, kid, signed_size = (labels[n] for n in (CWT_CLAIMS, ORIGIN, KID, TREE_SIZE))
        numbers = [labels[ALG], labels[VDS], signed_size]
        # Types are asked for by name throughout: in Python true equals 1, and isinstance calls it an int.
        if set(map(type, numbers)) != {int} or numbers[1] != RFC9162_SHA256 or numbers[0] not in ALGORITHMS:
            raise _refusal("header is not that of an RFC 9162 receipt")
        match proof:
            case [size, index, list(path)] if (
                type(size) is int and type(index) is int and len(path) <= MAX_PATH
            ):
                pass
            case _:
                raise _refusal("malformed inclusion proof")
        if not 0 <= index < size <= MAX_TREE_SIZE or size < 2:
            raise _refusal("index or tree size outside the limits")
        if not all(isinstance(h, bytes) and len(h) == 32 for h in path):
            raise _refusal("malformed inclusion proof")
        if size != signed_size:
            raise _refusal("signed tree size and the proof's differ")
        match claims:
            case {1: str(issuer), 2: str(subject)} if (
                len(claims) == 2 and subject == origin and isinstance(kid, bytes) and len(kid) == 32
            ):
                check_code(issuer)
                return cls(issuer, subject, labels[ALG], kid, size, index, tuple(path), protected, signature)
            case _:
                raise _refusal("header does not name host and log")

    def verify(
        self, entry: bytes, *, origin: str, key: PublicKey, admitted: Container[int] = ADMITTED
    ) -> bytes:
        """Check that `entry` is in the log `origin` signed by `key`, and return the root hash at `tree_size`.

        Raises:
            AlgorithmRefused: the header's algorithm is not that of the key, or not among the `admitted`.
            ProofInvalid: another log or key, or the proof leads to a root that is not signed.
            SignatureInvalid: the signature does not verify over the recomputed root.
        """
        if self.origin != origin or self.kid != key.kid:
            raise _refusal("of another log or key")
        check_signed_with(self.algorithm, key.algorithm, admitted)
        root = root_from_inclusion(self.index, self.tree_size, leaf_hash(entry), self.path)
        key.verify(self.signature, sig_structure(self.protected, root))
        return root


def make_receipt(
    signer: Signer, *, log_host: str, origin: str, tree_size: int, index: int, path: list[bytes], root: bytes
) -> bytes:
    """Return the receipt for the entry at `index` in the tree of `tree_size` leaves with `root`."""
    if tree_size < 2:
        raise StatementInvalid("tree_size", "no receipt for a log of one entry", "wait for the next entry")
    labels: dict[int, Any] = {
        ALG: signer.public.algorithm,
        KID: signer.public.kid,
        CWT_CLAIMS: {CWT_ISSUER: log_host, CWT_SUBJECT: origin},
        VDS: RFC9162_SHA256,
        ORIGIN: origin,
        TREE_SIZE: tree_size,
    }
    protected = cbor.encode(labels)
    proof = cbor.encode([tree_size, index, path])
    signature = signer.sign(sig_structure(protected, root))
    return _TAG + cbor.encode([protected, {VDP: {INCLUSION: [proof]}}, None, signature])


def _refusal(reason: str) -> ProofInvalid:
    return ProofInvalid("receipt", reason, "ask the log host for the receipt again")
