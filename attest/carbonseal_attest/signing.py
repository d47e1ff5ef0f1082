"""Signers, and key files encrypted with a pass phrase.

A signer is anything with a public key that signs bytes: a file today, PKCS#11 or a TPM later. A key file is
deterministic CBOR: scrypt (RFC 7914) with its work factor written down, then AES-256-GCM with everything
before the ciphertext as associated data. Reading and writing files is the caller's.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from carbonseal_attest import cbor
from carbonseal_attest.errors import EncodingError, KeyRefused
from carbonseal_attest.keys import ED25519, PublicKey

SCRYPT_N: Final = 1 << 15  # 32 MiB at r = 8; a gateway box opens its key in well under a second
_SCRYPT_N_LIMITS: Final = (1 << 14, 1 << 18)  # below is weak; above (256 MiB) would exhaust a small box
_FORMAT: Final = "carbonseal-key/v1"


class Signer(Protocol):
    """Whatever signs: it shows its public key and signs bytes."""

    @property
    def public(self) -> PublicKey:
        """Return the public key that verifies what `sign` returns."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`."""
        ...


class Ed25519Signer:
    """A signer with its key in memory."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public = PublicKey(ED25519, private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Ed25519Signer:
        """Return a signer with a new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Ed25519Signer:
        """Return the signer of a 32-byte RFC 8032 seed."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> PublicKey:
        """Return the public key."""
        return self._public

    @property
    def seed(self) -> bytes:
        """Return the 32 secret bytes; only a key file should ever see them."""
        return self._private.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature over `data`."""
        return self._private.sign(data)


def encrypt_key_file(signer: Ed25519Signer, passphrase: str, *, work_factor: int = SCRYPT_N) -> bytes:
    """Return the bytes of an encrypted key file; salt and nonce are fresh."""
    salt, nonce = os.urandom(16), os.urandom(12)
    head = [_FORMAT, ED25519, signer.public.raw, ["scrypt", work_factor, 8, 1, salt], nonce]
    sealed = AESGCM(_derive(passphrase, work_factor, salt)).encrypt(nonce, signer.seed, cbor.encode(head))
    return cbor.encode([*head, sealed])


def decrypt_key_file(data: bytes, passphrase: str) -> Ed25519Signer:
    """Return the signer whose key an encrypted key file holds.

    Raises:
        KeyRefused: not a key file, a work factor outside the limits, or a wrong pass phrase.
    """
    remedy = "give a key file made by `carbonseal-collector key new`"
    try:
        value = cbor.decode(data, max_size=4096)
    except EncodingError as error:
        raise KeyRefused("key file", "not a Carbonseal key file", remedy) from error
    match value:
        case [
            str(form),
            int(algorithm),
            bytes(raw),
            ["scrypt", int(n), 8, 1, bytes(salt)],
            bytes(nonce),
            bytes(sealed),
        ] if form == _FORMAT and algorithm == ED25519:
            pass
        case _:
            raise KeyRefused("key file", "not a Carbonseal key file", remedy)
    if (
        not _SCRYPT_N_LIMITS[0] <= n <= _SCRYPT_N_LIMITS[1]
        or n & (n - 1)
        or len(salt) != 16
        or len(nonce) != 12
    ):
        raise KeyRefused("key file", "work factor, salt or nonce outside the limits", remedy)
    try:
        seed = AESGCM(_derive(passphrase, n, salt)).decrypt(nonce, sealed, cbor.encode(value[:5]))
    except InvalidTag:
        raise KeyRefused(
            "pass phrase", "does not open the key file", "give the pass phrase it was made with"
        ) from None
    if len(seed) != 32:
        raise KeyRefused("key file", "holds something else than a key", remedy)
    signer = Ed25519Signer.from_seed(seed)
    if signer.public.raw != raw:
        raise KeyRefused("key file", "public and secret key do not belong together", remedy)
    return signer


def _derive(passphrase: str, work_factor: int, salt: bytes) -> bytes:
    try:
        secret = passphrase.encode()
    except UnicodeEncodeError as error:  # bytes of another encoding, from an environment or a terminal
        raise KeyRefused("pass phrase", "not Unicode text", "give the pass phrase in UTF-8") from error
    return Scrypt(salt=salt, length=32, n=work_factor, r=8, p=1).derive(secret)
