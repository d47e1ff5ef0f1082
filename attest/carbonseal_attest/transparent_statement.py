"""Transparent statements (RFC 9943): a signed statement that carries its receipts.

The receipts stand in the unprotected header under label 394 (RFC 9942), so the signature does not cover them,
and taking them away gives back the very bytes that are the log's leaf. Whoever checks names the logs it
knows: receipts of others are left aside, as unknown signatures of a note are, and a receipt in a known log's
name that does not hold refuses the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.cose import KID, join_sign1, split_sign1
from carbonseal_attest.cose_receipt import RECEIPTS, CoseReceipt
from carbonseal_attest.errors import AttestError, CoseInvalid, ProofInvalid, StatementInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import ORIGIN, TREE_SIZE, SignedStatement

MAX_RECEIPTS: Final = 16  # as many as a note's reader accepts signatures, at least
MAX_ONE: Final = 1 << 14  # bytes of one receipt, whoever issued it; some carry certificates
MAX_TRANSPARENT: Final = 1 << 17  # bytes

LogKey = Callable[[str, int], PublicKey | None]
"""Origin and tree size to the key that signs heads of that log at that size; None for a log not known."""


@dataclass(frozen=True, slots=True)
class TransparentStatement:
    """A statement and its receipts as they stand; nothing counts before `verify`."""

    statement: SignedStatement
    receipts: tuple[bytes, ...]

    @classmethod
    def parse(cls, data: bytes) -> TransparentStatement:
        """Return the transparent statement that `data` encodes.

        Raises:
            StatementInvalid: without its receipts it is not a statement of our profile, or more stands in the
                unprotected header than receipts.
            ProofInvalid: a receipt is no COSE receipt at all.
        """
        try:
            protected, unprotected, payload, signature = split_sign1(data, max_size=MAX_TRANSPARENT)
        except CoseInvalid as error:
            raise _refusal(error.field, error.reason) from error
        receipts = unprotected.get(RECEIPTS)
        if len(unprotected) != 1 or not isinstance(receipts, list) or not 0 < len(receipts) <= MAX_RECEIPTS:
            raise _refusal("unprotected header", f"not exactly 1 to {MAX_RECEIPTS} receipts")
        if not all(isinstance(receipt, bytes) for receipt in receipts):
            raise _refusal("unprotected header", "a receipt is not a byte string")
        statement = SignedStatement.parse(join_sign1(protected, {}, payload, signature))
        return cls.of(statement, receipts)

    @classmethod
    def of(cls, statement: SignedStatement, receipts: Sequence[bytes]) -> TransparentStatement:
        """Return `statement` with `receipts`, the one to be tried first in front.

        Raises:
            StatementInvalid: no receipt, or more than are read.
            ProofInvalid: a receipt is no COSE receipt at all.
        """
        if not 0 < len(receipts) <= MAX_RECEIPTS:
            raise _refusal("unprotected header", f"not exactly 1 to {MAX_RECEIPTS} receipts")
        for receipt in receipts:
            _read(receipt)
        return cls(statement, tuple(receipts))

    def encode(self) -> bytes:
        """Return the bytes: the statement with its receipts under label 394."""
        made = self.statement
        return join_sign1(made.protected, {RECEIPTS: list(self.receipts)}, made.payload, made.signature)

    def verify(
        self, *, key: PublicKey, log_key: LogKey, admitted: Container[int] = ADMITTED
    ) -> tuple[Receipt, bytes]:
        """Check the signature of the statement and its receipts; return the first that counts and its root.

        Args:
            key: the key that must have signed the statement.
            log_key: the logs that the caller knows, with their keys by tree size.
            admitted: the algorithms that the caller admits, in the statement and in its receipts.

        Raises:
            SignatureInvalid: the statement's or a known log's signature does not verify.
            AlgorithmRefused: one of the two has an algorithm that is not its key's, or not admitted.
            ProofInvalid: a receipt of a known log does not hold or is not of our profile, or none is of a
                known log.
        """
        self.statement.verify_signature(key, admitted=admitted)
        origin = self.statement.header.origin
        first: tuple[Receipt, bytes] | None = None
        for data in self.receipts:
            signer = _known_signer(_read(data), origin, log_key)
            if signer is None:
                continue
            receipt = Receipt.parse(data)
            root = receipt.verify(self.statement.raw, origin=origin, key=signer, admitted=admitted)
            first = first or (receipt, root)
        if first is None:
            raise ProofInvalid("receipts", "none is of a known log", "name the log, or ask it for a receipt")
        return first


def _known_signer(receipt: CoseReceipt, origin: str, log_key: LogKey) -> PublicKey | None:
    """Return the key in whose name a receipt of this statement's log is, if the caller knows it."""
    headers = receipt.message.headers
    size = headers.get(TREE_SIZE)
    if headers.get(ORIGIN) != origin or type(size) is not int:
        return None
    key = log_key(origin, size)
    return key if key is not None and headers.get(KID) == key.kid else None


def _read(receipt: bytes) -> CoseReceipt:
    try:
        return CoseReceipt.parse(receipt, max_size=MAX_ONE)
    except AttestError as error:
        raise ProofInvalid("receipts", error.reason, "send receipts as RFC 9942 has them") from error


def _refusal(field: str, reason: str) -> StatementInvalid:
    return StatementInvalid(field, reason, "send a statement with its receipts under label 394")
