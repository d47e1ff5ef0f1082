"""Decides which grant stands. Pure: grants in, a grant or a refusal out; no log, no clock.

A grant stands for a grantee when its purpose is the one asked for, its level is the one asked for or one that
includes it (grade < report < evidence), its period holds the whole period asked for, `at` lies in its
half-open validity, and no withdrawal or correction of it is in the owner's register log, whenever registered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from carbonseal_api.grants.refusals import GrantExpired, GrantWithdrawn, missing
from carbonseal_attest.contents.disclosing import LEVELS
from carbonseal_attest.instants import Interval, format_instant

PUBLIC: Final = "p-public"  # names everybody, and no party: what it is granted is published
STANDING: Final = "standing"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
NOT_YET: Final = "not yet valid"


@dataclass(frozen=True, slots=True)
class Ending:
    """The statement that ended a grant early: a withdrawal, or a correction that supersedes it."""

    digest: bytes
    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as its statement says, and how it ended, if it did. Intervals are half-open, in ms."""

    digest: bytes
    grant: str
    owner: str
    to: str
    purpose: str
    level: str
    period: Interval
    valid: Interval
    registered_at: int
    entry_index: int
    ending: Ending | None = None

    def state(self, at: int) -> str:
        """Return standing, withdrawn, expired, or not yet valid at an instant."""
        if self.ending is not None:
            return WITHDRAWN
        start, end = self.valid
        return NOT_YET if at < start else EXPIRED if at >= end else STANDING

    def reaches(self, level: str, period: Interval | None, purposes: Collection[str] | None) -> bool:
        """Whether it would allow this, if it stood."""
        return (
            LEVELS.index(self.level) >= LEVELS.index(level)
            and (purposes is None or self.purpose in purposes)
            and (period is None or (self.period[0] <= period[0] and period[1] <= self.period[1]))
        )


def find_standing(
    grants: Iterable[Grant],
    *,
    grantee: str,
    level: str,
    period: Interval | None,
    at: int,
    purposes: Collection[str] | None = None,
) -> Grant:
    """Return the newest grant that stands for a grantee.

    Where none does, the newest that would reach as far says why: withdrawn, expired, or not valid yet, which
    is told like one that was never given.

    Args:
        grants: All of one owner, in the order of its log.
        grantee: Party code of who asks.
        level: The level that is needed.
        period: The period that must be covered whole; None: any.
        at: Now, in ms.
        purposes: Purposes that fit what is asked; None: any.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired: As their names say.
    """
    reaching = [grant for grant in grants if grant.to == grantee and grant.reaches(level, period, purposes)]
    for grant in reversed(reaching):
        if grant.state(at) == STANDING:
            return grant
    if not reaching or reaching[-1].state(at) == NOT_YET:
        raise missing()
    last = reaching[-1]
    if last.ending is not None:
        raise GrantWithdrawn(
            "grant",
            f"{last.grant} was withdrawn on {format_instant(last.ending.at)}",
            "ask the enterprise for a new grant",
        )
    raise GrantExpired(
        "grant",
        f"{last.grant} expired on {format_instant(last.valid[1])}",
        "ask the enterprise for a new grant",
    )
