"""SM2 signatures with SM3 (GM/T 0003.2-2012, GB/T 32918.2), by Tongsuo: an optional part, off unless named.

Needs `carbonseal-attest[sm2]`; without it every use refuses and says so. The identity is the usual
`1234567812345678` (GM/T 0009), so that a signature says nothing else than key and bytes. Libraries in pure
Python are not used, not even to verify: the common one draws its nonces from a predictable generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from carbonseal_attest.algorithms import SM2
from carbonseal_attest.curve_points import SM2P256
from carbonseal_attest.errors import AlgorithmRefused, KeyRefused
from carbonseal_attest.keys import PublicKey, split_raw_signature

_SEED_SIZE = 32


class _Part(NamedTuple):
    """What of Tongsuo is used."""

    ec: Any
    scheme: Any
    invalid: type[Exception]


class Sm2Signer:
    """SM2 with SM3, its key in memory."""

    def __init__(self, private: Any, part: _Part) -> None:
        self._private = private
        self._part = part
        numbers = private.public_key().public_numbers()
        self._public = PublicKey(SM2, numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big"))

    @classmethod
    def from_seed(cls, seed: bytes) -> Sm2Signer:
        """Return the signer of a secret scalar, 32 bytes, from 1 to the order less 2.

        Raises:
            AlgorithmRefused: the optional part is not installed.
            KeyRefused: the bytes are no such scalar.
        """
        part = _load_part()
        scalar = int.from_bytes(seed, "big")
        if len(seed) != _SEED_SIZE or not 0 < scalar < SM2P256.order - 1:
            raise KeyRefused("secret key", "no scalar of SM2", "make a new key pair")
        return cls(part.ec.derive_private_key(scalar, part.ec.SM2()), part)

    @property
    def public(self) -> PublicKey:
        """Return the public key."""
        return self._public

    @property
    def seed(self) -> bytes:
        """Return the 32 secret bytes; only a key file should ever see them."""
        scalar: int = self._private.private_numbers().private_value
        return scalar.to_bytes(_SEED_SIZE, "big")

    def sign(self, data: bytes) -> bytes:
        """Return r and s over `data`, 32 bytes each."""
        der = self._private.sign(data, self._part.scheme)
        r, s = decode_dss_signature(der)
        return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def sm2_verifier(raw: bytes) -> Callable[[bytes, bytes], None]:
    """Return what checks signatures of the public key x, y, already known to be a point of the curve."""
    x, y = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    def verify(signature: bytes, data: bytes) -> None:
        part = _load_part()
        handle = part.ec.EllipticCurvePublicNumbers(x, y, part.ec.SM2()).public_key()
        der = encode_dss_signature(*split_raw_signature(signature, SM2P256.order))
        try:
            handle.verify(der, data, part.scheme)
        except part.invalid as error:
            raise ValueError("does not verify") from error

    return verify


def _load_part() -> _Part:
    try:
        from tongsuopy.crypto import hashes
        from tongsuopy.crypto.asymciphers import ec
        from tongsuopy.crypto.exceptions import InvalidSignature
    except ImportError as error:
        raise AlgorithmRefused(
            "alg", "SM2 needs a part that is not installed", "install carbonseal-attest[sm2]"
        ) from error
    return _Part(ec, ec.ECDSA(hashes.SM3()), InvalidSignature)
