"""The one envelope for every fact: a signed statement, COSE_Sign1 (RFC 9052) over the digest of its content.

One profile: tag 18; the protected header holds exactly the labels below; no external data; an empty
unprotected header, so that a leaf of the log cannot be changed without breaking the signature; the payload
is the SHA-256 of the content (RFC 9995). `docs/spec/statement.md` is the normative text.

A statement's *digest* is the SHA-256 of what was signed (the Sig_structure). It does not depend on the
signature's bytes, so a second valid signature over the same statement makes no second statement.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, ALGORITHMS, ED25519, check_signed_with
from carbonseal_attest.cose import (
    ALG,
    CWT_CLAIMS,
    CWT_ISSUED_AT,
    CWT_ISSUER,
    CWT_SUBJECT,
    KID,
    TYP,
    Label,
    sig_structure,
    sign1,
    split_sign1,
)
from carbonseal_attest.errors import CarbonsealError, CoseInvalid, SignatureInvalid, StatementInvalid
from carbonseal_attest.identifiers import check_code, check_name, check_origin
from carbonseal_attest.instants import MAX_INSTANT, Interval, check_interval
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import MAX_TREE_SIZE
from carbonseal_attest.signing import Signer

HASH_ALGORITHM, CONTENT_TYPE = 258, 259
# Private use (below -65536, RFC 9052 §11.1); the table of docs/spec/statement.md.
ORIGIN, STREAM, SEQUENCE, PREVIOUS, INTERVAL, CHECKPOINT, TREE_SIZE = (
    -70001, -70002, -70003, -70004, -70005, -70006, -70007,
)  # fmt: skip
SHA256: Final = -16
STATEMENT_TYPE: Final = "application/vnd.carbonseal.statement+cose"
MAX_STATEMENT: Final = 4096  # bytes, of which an ML-DSA-44 signature takes 2,420; it must fit a tile
MAX_SEQUENCE: Final = (1 << 53) - 1

_REQUIRED: Final = frozenset(
    {ALG, KID, CWT_CLAIMS, TYP, HASH_ALGORITHM, CONTENT_TYPE, ORIGIN, STREAM, SEQUENCE}
)
_OPTIONAL: Final = frozenset({PREVIOUS, INTERVAL, CHECKPOINT})
_MEDIA_TYPE: Final = re.compile(
    r"application/vnd\.carbonseal\.([a-z][a-z_]{1,39})\.v(0|[1-9][0-9]{0,2})\+cbor"
)


@dataclass(frozen=True, slots=True)
class Header:
    """What a statement says about itself; every field is signed.

    `issued_at` is in whole seconds since 1970 (CWT iat); `interval` in milliseconds, half-open; `previous` is
    the digest of the statement before it in the same stream; `checkpoint` is (size, root) of the newest
    checkpoint of the same log that the signer knew: the lower bound of the signing time.
    """

    kid: bytes
    kind: str
    version: int
    issuer: str
    subject: str
    issued_at: int
    origin: str
    stream: str
    sequence: int
    previous: bytes | None = None
    interval: Interval | None = None
    checkpoint: tuple[int, bytes] | None = None
    algorithm: int = ED25519


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A parsed statement. Parsing checks the form; `verify_signature` checks the signature."""

    header: Header
    payload: bytes
    signature: bytes
    raw: bytes
    protected: bytes
    digest: bytes

    @classmethod
    def parse(cls, data: bytes) -> SignedStatement:
        """Return the statement that `data` encodes.

        Raises:
            StatementInvalid: not exactly our profile; `field` names the place.
        """
        try:
            protected, unprotected, payload, signature = split_sign1(data, max_size=MAX_STATEMENT)
        except CoseInvalid as error:
            raise _refusal(error.field, error.reason) from error
        if unprotected:
            raise _refusal("unprotected header", "not empty")
        if payload is None or len(payload) != 32:
            raise _refusal("payload", "not a SHA-256 digest")
        try:
            labels = cbor.decode(protected, max_size=MAX_STATEMENT, max_depth=3)
            header = _read_header(labels)
        except StatementInvalid:
            raise
        except CarbonsealError as error:
            raise _refusal(f"header.{error.field}", error.reason) from error
        return cls(header, payload, signature, data, protected, _digest(protected, payload))

    def verify_signature(self, key: PublicKey, *, admitted: Container[int] = ADMITTED) -> None:
        """Check that `key` signed this statement.

        Args:
            key: the key that the header must name.
            admitted: the algorithms that the caller admits; legacy numbers only if they stand here.

        Raises:
            AlgorithmRefused: the header's algorithm is not that of the key, or not admitted.
            SignatureInvalid: the header names another key, or the signature does not verify.
        """
        if key.kid != self.header.kid:
            raise SignatureInvalid(
                "header.kid", "names another key", "check with the key that the header names"
            )
        check_signed_with(self.header.algorithm, key.algorithm, admitted)
        key.verify(self.signature, sig_structure(self.protected, self.payload))


def sign_statement(
    signer: Signer,
    *,
    kind: str,
    version: int = 1,
    issuer: str,
    subject: str,
    issued_at: int,
    origin: str,
    stream: str,
    sequence: int,
    previous: bytes | None,
    interval: Interval | None,
    checkpoint: tuple[int, bytes] | None,
    content: bytes,
) -> SignedStatement:
    """Return a statement over `content`, signed by `signer`.

    The signer stores the bytes before it first sends them and only ever sends those again.

    `issued_at` is in whole seconds since 1970; `previous` is the digest of the stream's statement before this
    one, None exactly when `sequence` is 0; `interval`, half-open and in milliseconds, is what the content
    covers, if it covers time; `checkpoint` is (tree size, root hash) of the newest checkpoint of `origin`
    known to the signer; of `content` only the digest is signed.

    Raises:
        StatementInvalid: the result would not be a statement.
    """
    labels: dict[Label, Any] = {
        ALG: signer.public.algorithm,
        KID: signer.public.kid,
        CWT_CLAIMS: {CWT_ISSUER: issuer, CWT_SUBJECT: subject, CWT_ISSUED_AT: issued_at},
        TYP: STATEMENT_TYPE,
        HASH_ALGORITHM: SHA256,
        CONTENT_TYPE: media_type(kind, version),
        ORIGIN: origin,
        STREAM: stream,
        SEQUENCE: sequence,
    }
    if previous is not None:
        labels[PREVIOUS] = previous
    if interval is not None:
        labels[INTERVAL] = list(interval)
    if checkpoint is not None:
        labels[CHECKPOINT] = list(checkpoint)
    return SignedStatement.parse(sign1(signer, labels, hashlib.sha256(content).digest()))


def media_type(kind: str, version: int) -> str:
    """Return the content type of a kind, e.g. `application/vnd.carbonseal.readings.v1+cbor`."""
    return f"application/vnd.carbonseal.{kind}.v{version}+cbor"


def _digest(protected: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(sig_structure(protected, payload)).digest()


def _read_header(labels: object) -> Header:
    if not isinstance(labels, dict) or not labels.keys() >= _REQUIRED:
        raise _refusal("header", "a required label is missing")
    if labels.keys() - _REQUIRED - _OPTIONAL:
        raise _refusal("header", "holds a label outside the profile")
    if type(labels[ALG]) is not int or labels[ALG] not in ALGORITHMS:
        raise _refusal("header.alg", "an algorithm that is not known")
    if labels[TYP] != STATEMENT_TYPE or labels[HASH_ALGORITHM] != SHA256:
        raise _refusal("header.typ", "not a Carbonseal statement over SHA-256")
    claims = labels[CWT_CLAIMS]
    if not isinstance(claims, dict) or claims.keys() != {CWT_ISSUER, CWT_SUBJECT, CWT_ISSUED_AT}:
        raise _refusal("header.cwt", "not exactly iss, sub and iat")
    content_type = labels[CONTENT_TYPE]
    named = _MEDIA_TYPE.fullmatch(content_type) if isinstance(content_type, str) else None
    if named is None:
        raise _refusal("header.content_type", "not the content type of a statement kind")
    sequence = _uint(labels[SEQUENCE], "sequence", MAX_SEQUENCE)
    previous = _digest_or_none(labels, PREVIOUS, "previous")
    if (sequence == 0) != (previous is None):
        raise _refusal("header.previous", "must stand exactly where sequence is above 0")
    return Header(
        kid=_bytes32(labels[KID], "kid"),
        kind=named[1],
        version=int(named[2]),
        issuer=check_code(claims[CWT_ISSUER], field="iss"),
        subject=check_code(claims[CWT_SUBJECT], field="sub"),
        issued_at=_uint(claims[CWT_ISSUED_AT], "iat", MAX_INSTANT // 1000),
        origin=check_origin(labels[ORIGIN]),
        stream=check_name(labels[STREAM], field="stream"),
        sequence=sequence,
        previous=previous,
        interval=check_interval(labels[INTERVAL], field="interval") if INTERVAL in labels else None,
        checkpoint=_checkpoint_or_none(labels),
        algorithm=labels[ALG],
    )


def _checkpoint_or_none(labels: dict[int, Any]) -> tuple[int, bytes] | None:
    if CHECKPOINT not in labels:
        return None
    match labels[CHECKPOINT]:
        case [size, root]:
            return _uint(size, "checkpoint.size", MAX_TREE_SIZE), _bytes32(root, "checkpoint.root")
        case _:
            raise _refusal("header.checkpoint", "not a pair of size and root")


def _digest_or_none(labels: dict[int, Any], label: int, name: str) -> bytes | None:
    return _bytes32(labels[label], name) if label in labels else None


def _uint(value: object, name: str, limit: int) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise _refusal(f"header.{name}", "not a whole number within limits")
    return value


def _bytes32(value: object, name: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != 32:
        raise _refusal(f"header.{name}", "not 32 bytes")
    return value


def _refusal(field: str, reason: str) -> StatementInvalid:
    return StatementInvalid(
        field, reason, "sign the statement again in the profile of docs/spec/statement.md"
    )
