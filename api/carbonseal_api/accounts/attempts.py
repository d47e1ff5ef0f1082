"""Counts attempts to sign in, per login name, whether or not anybody has that name.

An attempt is counted before it is looked at, so that many at once cannot slip through, and the count is taken
back only by success: whatever breaks in between leaves it standing. Five in a quarter of an hour; then the
name is refused until the quarter is over, with the right password too. With password and code unknown that is
480 guesses a day at a code of a million, after the password was guessed.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import case, delete, func
from sqlalchemy.dialects.postgresql import insert

from carbonseal_api.accounts.models import SignInAttempts
from carbonseal_api.assembly import Parts
from carbonseal_api.problems import ApiError

MAX_FAILURES: Final = 5
WINDOW_MS: Final = 15 * 60_000
_ENOUGH: Final = 1000  # counting further says nothing


class SignInBlocked(ApiError):
    """Too many attempts under this login name, whether or not anybody has it."""

    code = "sign-in-blocked"
    status = 429


def count_attempt(parts: Parts, login: str) -> None:
    """Count an attempt, before anything of it is looked at.

    Raises:
        SignInBlocked: There were too many.
    """
    now, row = parts.clock(), SignInAttempts
    fresh = row.ends_at <= now
    statement = (
        insert(row)
        .values(login_hash=_hash(login), failures=1, ends_at=now + WINDOW_MS)
        .on_conflict_do_update(
            index_elements=[row.login_hash],
            set_={
                "failures": case((fresh, 1), else_=func.least(row.failures + 1, _ENOUGH)),
                "ends_at": case((fresh, now + WINDOW_MS), else_=row.ends_at),
            },
        )
        .returning(row.failures)
    )
    with parts.engine.begin() as connection:
        connection.execute(delete(row).where(row.ends_at <= now - WINDOW_MS))
        failures = connection.execute(statement).scalar_one()
    if failures > MAX_FAILURES:
        raise SignInBlocked(
            "login",
            f"more than {MAX_FAILURES} attempts under this name",
            "wait a quarter of an hour, or ask whoever runs the service",
        )


def clear_attempts(parts: Parts, login: str) -> None:
    """Take the count back, after a success."""
    with parts.engine.begin() as connection:
        connection.execute(delete(SignInAttempts).where(SignInAttempts.login_hash == _hash(login)))


def _hash(login: str) -> bytes:
    return hashlib.sha256(login.encode("utf-8", "replace")).digest()
