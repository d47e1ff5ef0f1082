"""Passwords: Argon2id (RFC 9106) as PHC strings, by `cryptography`; nothing of it is home-made.

Parameters are the RFC's second recommendation (64 MiB, three passes) with one lane. Only a few are worked on
at a time, so that a flood of sign-ins cannot take the machine's memory; who waits too long is told to come
back.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from carbonseal_api.problems import RequestInvalid, ServiceUnavailable

MIN_LENGTH: Final = 12  # characters; a one-time code stands beside it
MAX_LENGTH: Final = 128
_MEMORY_KIB: Final = 65_536
_PASSES: Final = 3
# With more, two at once in one process wait for each other's threads for ever (seen with OpenSSL's pool of
# threads, which all lanes share). One lane alone is no slower here.
_LANES: Final = 1
_AT_A_TIME: Final = 2  # 128 MiB in all
_WAIT_SECONDS: Final = 10.0
_places = threading.BoundedSemaphore(_AT_A_TIME)


def check_password(password: str, login: str) -> str:
    """Return a password that may be set, normalised (NFKC, as NIST SP 800-63B has it).

    Raises:
        RequestInvalid: Too short, too long, one character only, or the login name.
    """
    normal = _normal(password)
    if not MIN_LENGTH <= len(normal) <= MAX_LENGTH:
        raise RequestInvalid(
            "password", f"has not {MIN_LENGTH} to {MAX_LENGTH} characters", "take several words"
        )
    if len(set(normal)) < 4 or login.partition("@")[0] in normal.lower():
        raise RequestInvalid("password", "is too easy to guess", "take several words of your own")
    return normal


def hash_password(password: str) -> str:
    """Return the PHC string of a password, with a fresh salt.

    Raises:
        ServiceUnavailable: Too many are being worked on.
    """
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB)
    with _place():
        return kdf.derive_phc_encoded(_normal(password).encode("utf-8", "replace"))


def is_password(password: str, stored: str | None) -> bool:
    """Return whether a password is the stored one; as long as it takes when nothing is stored.

    Raises:
        ServiceUnavailable: Too many are being worked on.
    """
    offered = _normal(password[: MAX_LENGTH * 4]).encode("utf-8", "replace")
    reference = stored or _nobodys()
    with _place():
        try:
            Argon2id.verify_phc_encoded(offered, reference)
        except InvalidKey:
            return False
    return stored is not None


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    # What an unknown name is compared with, so that time does not tell.
    return hash_password(os.urandom(16).hex())


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(timeout=_WAIT_SECONDS):
        raise ServiceUnavailable("sign-in", "too many sign in at this moment", "try again in a minute")
    try:
        yield
    finally:
        _places.release()
