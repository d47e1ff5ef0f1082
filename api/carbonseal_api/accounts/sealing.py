"""Seals the secrets that must be computed with (those of one-time codes), by AES-256-GCM.

The key lies in the deployment's key folder, encrypted like the log key: whoever reads the database alone, or
a backup of it, cannot make codes. Each secret is bound to its person.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy import Engine, text

from carbonseal_api.assembly import Parts
from carbonseal_api.key_files import KeyFolder
from carbonseal_api.problems import PartMissing

_NAME: Final = "accounts"  # of the key file
_NONCE: Final = 12
_LOCK: Final = text("SELECT pg_advisory_xact_lock(x'CA4B5EAC'::bigint)")


def seal_secret(parts: Parts, person: str, secret: bytes) -> bytes:
    """Return a person's secret, sealed; the key is made when it is missing."""
    _make_key(parts.engine, _folder(parts))
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(parts).encrypt(nonce, secret, person.encode())


def open_secret(parts: Parts, person: str, sealed: bytes) -> bytes:
    """Return a person's secret.

    Raises:
        PartMissing: The key is gone, or is another one, or the row was changed.
    """
    try:
        return _cipher(parts).decrypt(sealed[:_NONCE], sealed[_NONCE:], person.encode())
    except (InvalidTag, ValueError) as problem:
        raise PartMissing(
            f"keys/{_NAME}.key", "does not open what was sealed", "restore it from a backup"
        ) from problem


def _make_key(engine: Engine, folder: KeyFolder) -> None:
    # Two processes must not each make one: the second would lock out the persons of the first.
    with engine.begin() as connection:
        connection.execute(_LOCK)
        folder.make(_NAME)


def _cipher(parts: Parts) -> AESGCM:
    settings = parts.settings
    return AESGCM(_key(settings.data_folder / "keys", settings.passphrase.get_secret_value()))


def _folder(parts: Parts) -> KeyFolder:
    return KeyFolder(parts.settings.data_folder / "keys", parts.settings.passphrase)


@lru_cache(maxsize=16)
def _key(folder: Path, passphrase: str) -> bytes:
    # Opening a key file takes a slow key derivation; a sign-in must not pay for it each time.
    return KeyFolder(folder, SecretStr(passphrase)).signer(_NAME).seed
