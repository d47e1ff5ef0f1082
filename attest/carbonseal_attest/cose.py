"""COSE_Sign1 (RFC 9052 §4.2): a header and a payload under one signature, ours or anybody's.

`sign1` and `split_sign1` write and read the strict form that our statements, receipts and endorsements
share: tag 18, deterministic, nothing empty that must be protected. `Sign1` reads what others wrote: any
well-formed CBOR, any label, an untagged message where the caller says so. It verifies the protected header as
it was received, never a re-encoding, with the algorithms that the caller admits. COSE_Sign, MACs and
encryption are named as unsupported. Certificates are left out: which key is whose, the caller says.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest import cbor, foreign_cbor
from carbonseal_attest.algorithms import ALGORITHMS, check_signed_with
from carbonseal_attest.errors import CoseInvalid, EncodingError, SignatureInvalid, Unsupported
from carbonseal_attest.foreign_cbor import Tag
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer

ALG, CRIT, KID, CWT_CLAIMS, TYP = 1, 2, 4, 15, 16
CWT_ISSUER, CWT_SUBJECT, CWT_ISSUED_AT = 1, 2, 6
SIGN1_TAG: Final = 18
MAX_MESSAGE: Final = cbor.MAX_SIZE  # bytes of a foreign message; some carry certificates and attestations
NO_AAD: Final = b""

Label = int | str
Headers = dict[Label, Any]

_TAG: Final = 0xD2  # tag 18 in one byte
_EMPTY_MAP: Final = b"\xa0"
_OTHER_MESSAGES: Final[Mapping[int, str]] = {
    16: "COSE_Encrypt0", 17: "COSE_Mac0", 96: "COSE_Encrypt", 97: "COSE_Mac", 98: "COSE_Sign",
}  # fmt: skip
_OTHER_ALGORITHMS: Final[Mapping[int, str]] = {
    -35: "ES384", -36: "ES512", -51: "ESP384", -52: "ESP512", -53: "Ed448", -47: "ES256K",
    -49: "ML-DSA-65", -50: "ML-DSA-87", -37: "PS256", -38: "PS384", -39: "PS512",
    -257: "RS256", -258: "RS384", -259: "RS512",
}  # fmt: skip
# Labels that this reader understands, or that say nothing which a signature depends on (RFC 9052 §3.1).
_UNDERSTOOD: Final[frozenset[Label]] = frozenset({ALG, CRIT, 3, KID})


def sig_structure(protected: bytes, payload: bytes, external_aad: bytes = NO_AAD) -> bytes:
    """Return the bytes that a COSE_Sign1 signature covers (RFC 9052 §4.4).

    A protected header that encodes an empty map is signed as the empty string, whichever way it was sent.
    """
    # Written out rather than encoded generically: this runs for every statement of a log.
    if protected == _EMPTY_MAP:
        protected = b""
    return b"\x84\x6aSignature1" + _bstr(protected) + _bstr(external_aad) + _bstr(payload)


def sign1(
    signer: Signer,
    labels: Mapping[Label, Any],
    payload: bytes,
    *,
    unprotected: Mapping[Label, Any] | None = None,
    external_aad: bytes = NO_AAD,
    is_detached: bool = False,
) -> bytes:
    """Return a tagged COSE_Sign1 in deterministic CBOR; a detached payload is written as null."""
    protected = cbor.encode(dict(labels))
    signature = signer.sign(sig_structure(protected, payload, external_aad))
    return join_sign1(protected, unprotected or {}, None if is_detached else payload, signature)


def join_sign1(
    protected: bytes, unprotected: Mapping[Label, Any], payload: bytes | None, signature: bytes
) -> bytes:
    """Return the tagged COSE_Sign1 made of these four parts, in deterministic CBOR."""
    return bytes([_TAG]) + cbor.encode([protected, dict(unprotected), payload, signature])


def split_sign1(
    data: bytes, *, max_size: int, max_depth: int = 3
) -> tuple[bytes, Headers, bytes | None, bytes]:
    """Return (protected, unprotected, payload or None if detached, signature) in our strict form.

    Raises:
        CoseInvalid: no tag 18 in one byte, not deterministic, not these four parts, or nothing protected.
    """
    if not data or data[0] != _TAG:
        raise _refusal("tag", "not a COSE_Sign1 with tag 18")
    try:
        parts = cbor.decode(data[1:], max_size=max_size, max_depth=max_depth)
    except EncodingError as error:
        raise _refusal("message", error.reason) from error
    match parts:
        case [bytes(protected), dict(unprotected), bytes() | None as payload, bytes(signature)]:
            if not protected or protected == _EMPTY_MAP:
                raise _refusal("header", "empty")
            return protected, unprotected, payload, signature
        case _:
            raise _refusal("message", "not the four parts of a COSE_Sign1")


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 of anybody; nothing in it counts before `verify`.

    `protected` and `raw` are as received; `headers` is what `protected` says. `departures` names how the
    message, its protected header included, differs from deterministic CBOR.
    """

    protected: bytes
    headers: Headers
    unprotected: Headers
    payload: bytes | None
    signature: bytes
    is_tagged: bool
    departures: frozenset[str]
    raw: bytes

    @classmethod
    def parse(cls, data: bytes, *, admits_untagged: bool = False, max_size: int = MAX_MESSAGE) -> Sign1:
        """Return the COSE_Sign1 that `data` encodes.

        Args:
            data: the message.
            admits_untagged: whether the context says what the bytes are, so that tag 18 may be missing.
            max_size: greatest length in bytes.

        Raises:
            CoseInvalid: no well-formed CBOR, another tag or form, a label twice, or `crit` misused.
            Unsupported: another message of COSE, by name.
        """
        try:
            item = foreign_cbor.read(data, max_size=max_size)
        except EncodingError as error:
            raise _refusal("message", error.reason) from error
        parts = item.value
        is_tagged = isinstance(parts, Tag)
        if isinstance(parts, Tag):
            if parts.number in _OTHER_MESSAGES:
                raise _unsupported("message", _OTHER_MESSAGES[parts.number])
            if parts.number != SIGN1_TAG:
                raise _refusal("tag", f"tag {parts.number} instead of 18")
            parts = parts.value
        elif not admits_untagged:
            raise _refusal("tag", "not a COSE_Sign1 with tag 18")
        match parts:
            case [bytes(protected), unprotected, bytes() | None as payload, bytes(signature)]:
                headers, departures = _protected_headers(protected)
                outer = _labels(unprotected, "unprotected header")
            case [bytes(), _, bytes() | None, list()] if not is_tagged:
                raise _unsupported("message", _OTHER_MESSAGES[98])
            case _:
                raise _refusal("message", "not the four parts of a COSE_Sign1")
        if headers.keys() & outer.keys():
            raise _refusal("unprotected header", "a label stands in the protected header too")
        _check_crit(headers, outer)
        return cls(
            protected, headers, outer, payload, signature, is_tagged, item.departures | departures, data
        )

    @property
    def algorithm(self) -> Any:
        """Return label 1, from the protected header or else from the unprotected one; None if missing."""
        return self.headers.get(ALG, self.unprotected.get(ALG))

    def to_be_signed(self, *, payload: bytes | None = None, external_aad: bytes = NO_AAD) -> bytes:
        """Return the Sig_structure over the header as received and the payload, carried or `payload`.

        Raises:
            CoseInvalid: the payload is detached and none is given, or another is given than is carried.
        """
        signed = self.payload if payload is None else payload
        if signed is None:
            raise _refusal("payload", "detached, and none is given")
        if self.payload not in (None, signed):
            raise _refusal("payload", "another payload than the message carries")
        return sig_structure(self.protected if self.headers else b"", signed, external_aad)

    def verify(
        self,
        key: PublicKey,
        *,
        admitted: Container[int],
        payload: bytes | None = None,
        external_aad: bytes = NO_AAD,
        understood: Container[Label] = (),
    ) -> None:
        """Check that `key` signed this message.

        Args:
            key: the public key.
            admitted: the algorithms that may stand in the header, legacy numbers included only if named.
            payload: the payload, where it is detached.
            external_aad: what both sides know and the signature covers.
            understood: labels, beyond alg, crit, content type and kid, on which the caller acts; `crit`
                may name them.

        Raises:
            AlgorithmRefused: the algorithm is missing, not that of the key, or not admitted.
            Unsupported: an algorithm of COSE that this product does not have, by name.
            SignatureInvalid: the signature does not verify, or `crit` names what is not understood.
            CoseInvalid: the payload is detached and none is given, or another is given than is carried.
        """
        if any(label not in _UNDERSTOOD and label not in understood for label in self.headers.get(CRIT, ())):
            raise SignatureInvalid(
                "header.crit", "names a label that is not understood", "check with a reader of that label"
            )
        algorithm = self.algorithm
        if type(algorithm) is int and algorithm in _OTHER_ALGORITHMS and algorithm not in ALGORITHMS:
            raise _unsupported("header.alg", f"{_OTHER_ALGORITHMS[algorithm]} ({algorithm})")
        check_signed_with(algorithm, key.algorithm, admitted)
        key.verify(self.signature, self.to_be_signed(payload=payload, external_aad=external_aad))


def _bstr(data: bytes) -> bytes:
    size = len(data)
    if size < 24:
        return bytes([0x40 | size]) + data
    if size < 256:
        return bytes([0x58, size]) + data
    if size < 65_536:
        return b"\x59" + size.to_bytes(2, "big") + data
    return cbor.encode(data)


def _protected_headers(protected: bytes) -> tuple[Headers, frozenset[str]]:
    if not protected:
        return {}, frozenset()
    try:
        item = foreign_cbor.read(protected, max_size=MAX_MESSAGE)
    except EncodingError as error:
        raise _refusal("header", error.reason) from error
    return _labels(item.value, "header"), item.departures


def _labels(value: Any, field: str) -> Headers:
    if isinstance(value, dict) and set(map(type, value)) <= {int, str}:
        return value
    raise _refusal(field, "not a map of labels")


def _check_crit(headers: Headers, outer: Headers) -> None:
    if CRIT in outer:
        raise _refusal("unprotected header", "holds crit")
    if CRIT not in headers:
        return
    named = headers[CRIT]
    if not isinstance(named, list) or not named or not set(map(type, named)) <= {int, str}:
        raise _refusal("header.crit", "not a list of labels")
    if not headers.keys() >= set(named):
        raise _refusal("header.crit", "names a label that is not protected")


def _unsupported(field: str, what: str) -> Unsupported:
    return Unsupported(field, f"{what} is not supported", "check it with other software")


def _refusal(field: str, reason: str) -> CoseInvalid:
    return CoseInvalid(field, reason, "send a COSE_Sign1 as RFC 9052 §4.2 has it")
