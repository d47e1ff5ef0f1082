"""Public keys and their identifiers.

Ed25519 as the fully specified algorithm -19 (RFC 9864); key identifier = COSE key thumbprint (RFC 9679).
Low-order and non-canonical points, and bytes that are no point, are refused when a key is read. ESP256 (-9),
ML-DSA-44 (-48) and SM2 come with later work; their numbers are reserved here so that nothing else takes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from carbonseal_attest import cbor
from carbonseal_attest.errors import KeyRefused, SignatureInvalid

ED25519: Final = -19

_FIELD_PRIME: Final = (1 << 255) - 19
_CURVE_D: Final = -121665 * pow(121666, -1, _FIELD_PRIME) % _FIELD_PRIME
# y-coordinates of the points of order 1, 2, 4 and 8 (RFC 8032 curve); 8-torsion has five distinct ones.
_LOW_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that may verify signatures; valid once built."""

    algorithm: int
    raw: bytes
    kid: bytes = field(init=False, compare=False)
    _handle: Ed25519PublicKey = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.algorithm != ED25519:
            raise KeyRefused("key.alg", f"algorithm {self.algorithm} is not admitted", "use Ed25519 (-19)")
        if len(self.raw) != 32:
            raise KeyRefused(
                "key.x", f"{len(self.raw)} bytes instead of 32", "give the raw Ed25519 public key"
            )
        y = int.from_bytes(self.raw, "little") & ((1 << 255) - 1)
        if y >= _FIELD_PRIME or y in _LOW_ORDER_Y:
            raise KeyRefused("key.x", "a low-order or non-canonical point", "make a new key pair")
        if not _is_on_curve(y):
            raise KeyRefused("key.x", "no point of the curve", "give the raw Ed25519 public key")
        object.__setattr__(self, "_handle", Ed25519PublicKey.from_public_bytes(self.raw))
        thumbprint = cbor.encode({1: 1, -1: 6, -2: self.raw})  # RFC 9679 §4: kty, crv, x
        object.__setattr__(self, "kid", hashlib.sha256(thumbprint).digest())

    @classmethod
    def from_cose_key(cls, value: object) -> PublicKey:
        """Return the key of a COSE_Key map {1: 1 (OKP), 3: -19, -1: 6 (Ed25519), -2: x}."""
        if not isinstance(value, Mapping) or set(value) != {1, 3, -1, -2}:
            raise KeyRefused(
                "key", "not a COSE_Key with kty, alg, crv and x", "write {1: 1, 3: -19, -1: 6, -2: x}"
            )
        numbers = (value[1], value[3], value[-1])
        if numbers != (1, ED25519, 6) or set(map(type, numbers)) != {int} or not isinstance(value[-2], bytes):
            raise KeyRefused("key", "not an Ed25519 key of kty OKP", "write {1: 1, 3: -19, -1: 6, -2: x}")
        return cls(ED25519, value[-2])

    def cose_key(self) -> dict[int, Any]:
        """Return the COSE_Key map (RFC 9053 §7.2)."""
        return {1: 1, 3: self.algorithm, -1: 6, -2: self.raw}

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check `signature` over `data`.

        Raises:
            SignatureInvalid: the signature does not verify.
        """
        try:
            self._handle.verify(signature, data)
        except InvalidSignature:
            raise SignatureInvalid(
                "signature",
                f"does not verify under key {self.kid.hex()[:16]}",
                "sign the very bytes sent, with that key",
            ) from None


def _is_on_curve(y: int) -> bool:
    """Say whether some x² = (y² - 1) / (d·y² + 1) exists (RFC 8032 §5.1.3), by Euler's criterion."""
    u, v = y * y - 1, _CURVE_D * y * y + 1
    return pow(u * v, (_FIELD_PRIME - 1) // 2, _FIELD_PRIME) == 1
