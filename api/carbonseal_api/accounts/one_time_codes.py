"""One-time codes: TOTP of RFC 6238 (SHA-1, six digits, thirty seconds, as every authenticator has it).

The calculation is `cryptography`'s. A code counts one step early or late; all three are computed and compared
each time, in constant time. That a code counts only once is decided where the last step is kept (`persons`).
"""

from __future__ import annotations

import hmac
import os
import re
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_SIZE: Final = 20  # bytes, the digest's size (RFC 4226 §4, R6)
DIGITS: Final = 6
STEP_SECONDS: Final = 30
ISSUER: Final = "Carbonseal"
_CODE: Final = re.compile(r"[0-9]{6}")


def new_secret() -> bytes:
    """Return a fresh secret."""
    return os.urandom(SECRET_SIZE)


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step (thirty seconds since 1970)."""
    return _totp(secret).generate(step * STEP_SECONDS).decode("ascii")


def step_of(secret: bytes, code: str, now_ms: int) -> int | None:
    """Return the time step whose code this is, the present one or its neighbours; None for any other code."""
    present = now_ms // (STEP_SECONDS * 1000)
    given = code if _CODE.fullmatch(code) else "x" * DIGITS
    found = None
    for step in (present - 1, present, present + 1):
        # No early end: how long it takes says nothing about which step, or whether any.
        if hmac.compare_digest(code_at(secret, step), given):
            found = step
    return found


def provisioning_uri(secret: bytes, login: str) -> str:
    """Return the otpauth URI that an authenticator reads."""
    return _totp(secret).get_provisioning_uri(login, ISSUER)


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - HMAC-SHA-1 is what RFC 6238 has by default
