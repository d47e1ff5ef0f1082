"""Signers: whatever shows a public key and signs bytes; the ones here hold their key in memory.

`Signer` is all that the rest of the product knows, so that a key may live in a file (`key_file`), a PKCS#11
token or a TPM. It is handed the bytes themselves, never a digest: Ed25519 and ML-DSA-44 need them, and a
device that only signs digests hashes them on its own side of the interface. `docs/spec/keys.md` says what a
signer must do, low-s among it. Reading and writing files is the caller's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from carbonseal_attest.algorithms import ALGORITHMS, ED25519, ESP256, ML_DSA_44, SM2
from carbonseal_attest.curve_points import P256
from carbonseal_attest.errors import AlgorithmRefused, KeyRefused
from carbonseal_attest.keys import PublicKey

SEED_SIZE: Final = 32  # bytes of every secret here: an RFC 8032 seed, a scalar, a FIPS 204 seed


class Signer(Protocol):
    """Whatever signs: it shows its public key and signs bytes."""

    @property
    def public(self) -> PublicKey:
        """Return the public key that verifies what `sign` returns."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`, in the raw form that `public.verify` takes; ECDSA in low-s."""
        ...


class SoftwareSigner(Signer, Protocol):
    """A signer whose secret is 32 bytes in memory, and can be written to a key file."""

    @property
    def seed(self) -> bytes:
        """Return the 32 secret bytes; only a key file should ever see them."""
        ...


class _RawKeySigner:
    """A signer whose key the library writes as raw bytes, and whose signatures it gives raw."""

    _algorithm: ClassVar[int]

    def __init__(self, private: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
        self._private = private
        self._public = PublicKey(self._algorithm, private.public_key().public_bytes_raw())

    @property
    def public(self) -> PublicKey:
        """Return the public key."""
        return self._public

    @property
    def seed(self) -> bytes:
        """Return the 32 secret bytes; only a key file should ever see them."""
        return self._private.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`; of ML-DSA with an empty context."""
        return self._private.sign(data)


class Ed25519Signer(_RawKeySigner):
    """Ed25519 (RFC 8032), its key in memory; signatures of 64 bytes."""

    _algorithm = ED25519

    @classmethod
    def generate(cls) -> Ed25519Signer:
        """Return a signer with a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Ed25519Signer:
        """Return the signer of a 32-byte RFC 8032 seed."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))


class Esp256Signer:
    """ECDSA on P-256 with SHA-256, its key in memory: deterministic (RFC 6979), low-s."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._public = PublicKey(ESP256, point[1:])

    @classmethod
    def generate(cls) -> Esp256Signer:
        """Return a signer with a new key from the operating system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_seed(cls, seed: bytes) -> Esp256Signer:
        """Return the signer of a secret scalar, 32 bytes, from 1 to the order less 1."""
        scalar = int.from_bytes(seed, "big")
        if len(seed) != SEED_SIZE or not 0 < scalar < P256.order:
            raise KeyRefused("secret key", "no scalar of P-256", "make a new key pair")
        return cls(ec.derive_private_key(scalar, ec.SECP256R1()))

    @property
    def public(self) -> PublicKey:
        """Return the public key."""
        return self._public

    @property
    def seed(self) -> bytes:
        """Return the 32 secret bytes; only a key file should ever see them."""
        return self._private.private_numbers().private_value.to_bytes(SEED_SIZE, "big")

    def sign(self, data: bytes) -> bytes:
        """Return r and s over `data`, 32 bytes each."""
        der = self._private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return low_s(*decode_dss_signature(der))


class MlDsa44Signer(_RawKeySigner):
    """ML-DSA-44 (FIPS 204), its key in memory; signatures of 2,420 bytes, hedged, so that two differ."""

    _algorithm = ML_DSA_44

    @classmethod
    def generate(cls) -> MlDsa44Signer:
        """Return a signer with a new key from the operating system's randomness."""
        return cls(MLDSA44PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> MlDsa44Signer:
        """Return the signer of a 32-byte FIPS 204 seed (xi)."""
        return cls(MLDSA44PrivateKey.from_seed_bytes(seed))


def low_s(r: int, s: int) -> bytes:
    """Return a P-256 signature of 64 bytes with the lower of s and order - s; both verify."""
    return r.to_bytes(32, "big") + min(s, P256.order - s).to_bytes(32, "big")


def signer_from_seed(algorithm: int, seed: bytes) -> SoftwareSigner:
    """Return the signer of 32 secret bytes.

    Raises:
        AlgorithmRefused: no key in memory can have that algorithm.
        KeyRefused: the bytes are no secret key of it.
    """
    if algorithm not in _SIGNERS:
        name = ALGORITHMS[algorithm].title if algorithm in ALGORITHMS else str(algorithm)
        raise AlgorithmRefused("algorithm", f"no signer for {name}", "choose an admitted algorithm")
    if len(seed) != SEED_SIZE:
        raise KeyRefused("secret key", f"{len(seed)} bytes instead of {SEED_SIZE}", "make a new key pair")
    return _SIGNERS[algorithm](seed)


def generate_signer(algorithm: int = ED25519) -> SoftwareSigner:
    """Return a signer with a new key from the operating system's randomness."""
    while True:
        try:
            return signer_from_seed(algorithm, secrets.token_bytes(SEED_SIZE))
        except KeyRefused:  # no scalar of the curve: once in 2^32 draws
            continue


def _sm2_from_seed(seed: bytes) -> SoftwareSigner:
    from carbonseal_attest.sm2 import Sm2Signer  # an optional part

    return Sm2Signer.from_seed(seed)


_SIGNERS: Final[Mapping[int, Callable[[bytes], SoftwareSigner]]] = {
    ED25519: Ed25519Signer.from_seed,
    ESP256: Esp256Signer.from_seed,
    ML_DSA_44: MlDsa44Signer.from_seed,
    SM2: _sm2_from_seed,
}
