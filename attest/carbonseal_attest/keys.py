"""Public keys, their identifiers, and what their signatures are checked with.

A key has one of the algorithms of `algorithms`; its raw form is what that algorithm defines: Ed25519 the
32 bytes of RFC 8032, P-256 and SM2 the coordinates x and y (64 bytes), ML-DSA-44 the 1,312 bytes of FIPS 204.
Key identifier = COSE key thumbprint (RFC 9679). Weak, malformed and second spellings are refused when a key
is read. `docs/spec/keys.md` is the normative text. Secret keys are in `signing`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import (
    AKP,
    ALGORITHMS,
    EC2,
    ED25519,
    ESP256,
    KEY_ALGORITHMS,
    ML_DSA_44,
    OKP,
    SM2,
    algorithm_named,
)
from carbonseal_attest.curve_points import P256, SM2P256, check_ed25519_point, check_short_curve_point
from carbonseal_attest.errors import AlgorithmRefused, KeyRefused, SignatureInvalid

MAX_KEY_TEXT: Final = 2700  # characters; an ML-DSA-44 key takes 2,634
_KTY, _ALG = 1, 3
_TEXT: Final = re.compile(r"(?:([a-z0-9-]{1,20}):)?([0-9a-f]{1,2640})")
_VerifyRaw = Callable[[bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that may verify signatures; valid once built."""

    algorithm: int
    raw: bytes
    kid: bytes = field(init=False, compare=False)
    _verify: _VerifyRaw = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        row = ALGORITHMS.get(self.algorithm)
        if row is None or row.id not in KEY_ALGORITHMS:
            raise KeyRefused(
                "key.alg",
                f"algorithm {self.algorithm} is not admitted",
                "use Ed25519 (-19), ESP256 (-9) or ML-DSA-44 (-48)",
            )
        if len(self.raw) != row.key_size:
            raise KeyRefused(
                "key.x",
                f"{len(self.raw)} bytes instead of {row.key_size}",
                f"give the raw {row.title} public key",
            )
        object.__setattr__(self, "_verify", _OPENERS[self.algorithm](self.raw))
        thumbprint = self.cose_key()
        if row.key_type != AKP:  # RFC 9679 §4: kty, crv and coordinates; of an AKP key kty, alg and pub
            del thumbprint[_ALG]
        object.__setattr__(self, "kid", hashlib.sha256(cbor.encode(thumbprint)).digest())

    @classmethod
    def from_cose_key(cls, value: object) -> PublicKey:
        """Return the key of a COSE_Key map, as `cose_key` writes it.

        {1: 1, 3: -19, -1: 6, -2: x} for Ed25519, {1: 2, 3: -9, -1: 1, -2: x, -3: y} for P-256,
        {1: 7, 3: -48, -1: pub} for ML-DSA-44.
        """
        remedy = "write the COSE_Key as docs/spec/keys.md has it"
        algorithm = value.get(_ALG) if isinstance(value, Mapping) else None
        if type(algorithm) is not int or algorithm not in KEY_ALGORITHMS or not isinstance(value, Mapping):
            raise KeyRefused("key", "not a COSE_Key of an admitted algorithm", remedy)
        parts = [value.get(label) for label in COORDINATES[ALGORITHMS[algorithm].key_type]]
        raw = b"".join(part for part in parts if isinstance(part, bytes))
        if ALGORITHMS[algorithm].key_type == EC2 and any(len(p) != 32 for p in parts if isinstance(p, bytes)):
            raise KeyRefused("key", "x or y is not 32 bytes", remedy)
        result = cls(algorithm, raw)
        written = result.cose_key()
        # Types are asked for by name: in Python true equals 1.
        if dict(value) != written or {k: type(v) for k, v in value.items()} != {
            k: type(v) for k, v in written.items()
        }:
            raise KeyRefused("key", "not exactly the members of its key type", remedy)
        return result

    def cose_key(self) -> dict[int, Any]:
        """Return the COSE_Key map (RFC 9053 §7; AKP keys as ML-DSA for COSE has them)."""
        row = ALGORITHMS[self.algorithm]
        labels = COORDINATES[row.key_type]
        size = len(self.raw) // len(labels)
        key: dict[int, Any] = {_KTY: row.key_type, _ALG: self.algorithm}
        if row.curve is not None:
            key[-1] = row.curve
        return key | {label: self.raw[at * size : (at + 1) * size] for at, label in enumerate(labels)}

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Return the key that `text` writes: 64 hex digits for Ed25519, else `<name>:<hex>`.

        Raises:
            KeyRefused: not the one spelling of an admitted key.
        """
        found = _TEXT.fullmatch(text)
        remedy = "write 64 lower-case hex digits for Ed25519, or esp256:<hex>, or ml-dsa-44:<hex>"
        if found is None or len(found[2]) % 2:
            raise KeyRefused("key", "not a public key in text", remedy)
        try:
            algorithm = ED25519 if found[1] is None else algorithm_named(found[1]).id
        except AlgorithmRefused as error:
            raise KeyRefused("key", "of an algorithm without a name here", remedy) from error
        result = cls(algorithm, bytes.fromhex(found[2]))
        if result.text() != text:
            raise KeyRefused("key", "not its one spelling", remedy)
        return result

    def text(self) -> str:
        """Return the key as text: 64 hex digits for Ed25519, else `<name>:<hex>`."""
        prefix = "" if self.algorithm == ED25519 else f"{ALGORITHMS[self.algorithm].name}:"
        return prefix + self.raw.hex()

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check `signature` over `data`.

        An ECDSA or SM2 signature is r and s, 32 bytes each, both from 1 to the order less 1. Of ECDSA the
        high s verifies too: nothing may hang on a signature's bytes.

        Raises:
            SignatureInvalid: the signature does not verify.
        """
        try:
            self._verify(signature, data)
        except (InvalidSignature, ValueError):
            raise SignatureInvalid(
                "signature",
                f"does not verify under key {self.kid.hex()[:16]}",
                "sign the very bytes sent, with that key",
            ) from None


def _open_ed25519(raw: bytes) -> _VerifyRaw:
    check_ed25519_point(raw)
    return Ed25519PublicKey.from_public_bytes(raw).verify


def _open_p256(raw: bytes) -> _VerifyRaw:
    check_short_curve_point(raw, P256)
    handle = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
    scheme = ec.ECDSA(hashes.SHA256())

    def verify(signature: bytes, data: bytes) -> None:
        handle.verify(encode_dss_signature(*split_raw_signature(signature, P256.order)), data, scheme)

    return verify


def _open_ml_dsa_44(raw: bytes) -> _VerifyRaw:
    handle = MLDSA44PublicKey.from_public_bytes(raw)

    def verify(signature: bytes, data: bytes) -> None:
        handle.verify(signature, data)

    return verify


def _open_sm2(raw: bytes) -> _VerifyRaw:
    from carbonseal_attest.sm2 import sm2_verifier  # which builds on this module

    check_short_curve_point(raw, SM2P256)

    return sm2_verifier(raw)


def split_raw_signature(signature: bytes, order: int) -> tuple[int, int]:
    """Return r and s of a raw signature of 64 bytes, both from 1 to `order` - 1; else raise ValueError."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < order or not 0 < s < order:
        raise ValueError("not r and s within the order")
    return r, s


COORDINATES: Final[Mapping[int, tuple[int, ...]]] = {OKP: (-2,), EC2: (-2, -3), AKP: (-1,)}
_OPENERS: Final[Mapping[int, Callable[[bytes], _VerifyRaw]]] = {
    ED25519: _open_ed25519,
    ESP256: _open_p256,
    ML_DSA_44: _open_ml_dsa_44,
    SM2: _open_sm2,
}
