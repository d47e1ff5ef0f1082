"""Key files: one secret key, encrypted with a pass phrase, its work factor written down.

Deterministic CBOR: scrypt (RFC 7914) with its parameters, then AES-256-GCM with everything before the
ciphertext as associated data. One format for every algorithm; `docs/spec/keys.md` is the normative text.
Reading and writing files is the caller's.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from carbonseal_attest import cbor
from carbonseal_attest.errors import AlgorithmRefused, EncodingError, KeyRefused
from carbonseal_attest.signing import SoftwareSigner, signer_from_seed

MAX_KEY_FILE: Final = 4096  # bytes
SCRYPT_N: Final = 1 << 15  # 32 MiB at r = 8; a gateway box opens its key in well under a second
_SCRYPT_N_LIMITS: Final = (1 << 14, 1 << 18)  # below is weak; above (256 MiB) would exhaust a small box
_FORMAT: Final = "carbonseal-key/v1"


def encrypt_key_file(signer: SoftwareSigner, passphrase: str, *, work_factor: int = SCRYPT_N) -> bytes:
    """Return the bytes of an encrypted key file; salt and nonce are fresh.

    Raises:
        KeyRefused: a work factor that no reader would take.
    """
    if not _is_admitted(work_factor):
        raise KeyRefused("work factor", "outside the limits", "choose a power of two from 2^14 to 2^18")
    salt, nonce = os.urandom(16), os.urandom(12)
    head = [_FORMAT, signer.public.algorithm, signer.public.raw, ["scrypt", work_factor, 8, 1, salt], nonce]
    sealed = AESGCM(_derive(passphrase, work_factor, salt)).encrypt(nonce, signer.seed, cbor.encode(head))
    return cbor.encode([*head, sealed])


def decrypt_key_file(data: bytes, passphrase: str) -> SoftwareSigner:
    """Return the signer whose key an encrypted key file holds.

    Raises:
        KeyRefused: not a key file, a work factor outside the limits, or a wrong pass phrase.
    """
    remedy = "give a key file that Carbonseal made"
    try:
        value = cbor.decode(data, max_size=MAX_KEY_FILE)
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
        ] if form == _FORMAT:
            pass
        case _:
            raise KeyRefused("key file", "not a Carbonseal key file", remedy)
    if not _is_admitted(n) or len(salt) != 16 or len(nonce) != 12:
        raise KeyRefused("key file", "work factor, salt or nonce outside the limits", remedy)
    try:
        seed = AESGCM(_derive(passphrase, n, salt)).decrypt(nonce, sealed, cbor.encode(value[:5]))
    except InvalidTag:
        raise KeyRefused(
            "pass phrase", "does not open the key file", "give the pass phrase it was made with"
        ) from None
    try:
        signer = signer_from_seed(algorithm, seed)
    except (AlgorithmRefused, KeyRefused) as error:
        raise KeyRefused("key file", f"holds something else than a key ({error.reason})", remedy) from error
    if signer.public.raw != raw:
        raise KeyRefused("key file", "public and secret key do not belong together", remedy)
    return signer


def _is_admitted(n: int) -> bool:
    return _SCRYPT_N_LIMITS[0] <= n <= _SCRYPT_N_LIMITS[1] and not n & (n - 1)


def _derive(passphrase: str, work_factor: int, salt: bytes) -> bytes:
    try:
        secret = passphrase.encode()
    except UnicodeEncodeError as error:  # bytes of another encoding, from an environment or a terminal
        raise KeyRefused("pass phrase", "not Unicode text", "give the pass phrase in UTF-8") from error
    return Scrypt(salt=salt, length=32, n=work_factor, r=8, p=1).derive(secret)
