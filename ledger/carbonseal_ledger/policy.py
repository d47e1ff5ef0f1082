"""What a log's registration policy means here: refusals with their codes, and the allowance of rates.

The policy itself is data that party, log host and registrar signed; `carbonseal_attest.identity.policies`
folds it, for the ledger and for the checker. Rates are held by the ledger alone, under the log's row lock, so
that any number of processes share one allowance and a restart gives nobody a new one. A refusal for rate is
for now only: nothing is stored, the stream's place stays free, and the same bytes are accepted later. Pure:
time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from carbonseal_attest.commit_delay import is_imported_late, is_late
from carbonseal_attest.contents import KINDS
from carbonseal_attest.identity.policies import (
    ALWAYS,
    CLOCK,
    CONTENT_SIZE,
    KIND,
    STATEMENT_SIZE,
    RegistrationPolicy,
)
from carbonseal_attest.statement import Header, SignedStatement
from carbonseal_ledger.errors import (
    BodyTooLarge,
    ClockOutOfTolerance,
    ContentMissing,
    KindUnknown,
    RateLimited,
    Refused,
)

MAX_BATCH: Final = 10_000  # statements a call; bounds memory and the time that a log's row stays locked
DAY_MS: Final = 86_400_000
# What takes a stolen key's rights away, or amends what is too narrow: whoever fills a log cannot keep it out.
RESERVED: Final = frozenset(kind for kind in ALWAYS if KINDS[kind].signer in {"party", "registrar"})
_THOUSAND: Final = 1000  # parts of a statement
_REFUSALS: Final[dict[str, type[Refused]]] = {
    KIND: KindUnknown,
    STATEMENT_SIZE: BodyTooLarge,
    CONTENT_SIZE: BodyTooLarge,
    CLOCK: ClockOutOfTolerance,
}


class Lateness(StrEnum):
    """How a measured value came, by the policy's `late_after_ms`; late ones are accepted and marked."""

    TIMELY = "timely"
    LATE = "late"
    IMPORTED_LATE = "imported late"


@dataclass(slots=True)
class Allowance:
    """What a log may still take: a bucket of statements that leaks by the second, and bytes by the UTC day.

    `owed` is what the bucket held at `owed_at` (ms), in thousandths of a statement, so that a rate a second
    times milliseconds is a whole number. Another policy leaks it at another rate, and the debt stays what it
    is: statements.
    """

    owed: int = 0
    owed_at: int = 0
    day: int = 0
    day_bytes: int = 0

    def take(self, policy: RegistrationPolicy, now: int, size: int, *, is_reserved: bool = False) -> None:
        """Take a statement that brings `size` bytes, content included, at `now` in ms.

        The bucket holds one batch (`max_batch_statements`), and for those of `RESERVED` kinds another.

        Raises:
            RateLimited: nothing was taken; it says when there will be room.
        """
        rate = policy.statements_per_second
        full = _THOUSAND * policy.max_batch_statements * (1 + is_reserved)
        owed = max(0, self.owed - rate * max(0, now - self.owed_at)) + _THOUSAND
        if owed > full:
            raise _limited(f"more than {rate} statements a second", -(-(owed - full) // rate))
        self.take_bytes(policy, now, size, is_reserved=is_reserved)
        self.owed, self.owed_at = owed, max(now, self.owed_at)

    def take_bytes(
        self, policy: RegistrationPolicy, now: int, size: int, *, is_reserved: bool = False
    ) -> None:
        """Take bytes alone, as of a content that is stored before its statement; raises as `take` does."""
        day = now // DAY_MS
        spent = self.day_bytes if day <= self.day else 0
        if spent + size > policy.bytes_per_day * (1 + is_reserved):
            raise _limited(f"more than {policy.bytes_per_day} bytes a day", (day + 1) * DAY_MS - now)
        self.day, self.day_bytes = max(day, self.day), spent + size


def check_policy(
    policy: RegistrationPolicy, statement: SignedStatement, content_bytes: int | None, now: int
) -> None:
    """Hold a statement that is about to be registered at `now` (ms) against the policy in force.

    Raises:
        KindUnknown, BodyTooLarge, ClockOutOfTolerance, ContentMissing: what the policy does not admit.
    """
    header = statement.header
    misfit = policy.misfit(
        header, statement_bytes=len(statement.raw), content_bytes=content_bytes, registered_by=now
    )
    if misfit is not None:
        raise _REFUSALS[misfit.rule](misfit.field, misfit.reason, misfit.remedy)
    if content_bytes is None and policy.is_content_first(header.kind):
        raise ContentMissing(
            "content",
            f"{header.kind} needs its content before the receipt",
            f"send it along, or upload it first under {statement.payload.hex()}",
        )


def lateness(header: Header, registered_at: int, policy: RegistrationPolicy) -> Lateness | None:
    """How a measured value came; None for statements that no device measures.

    A late one that by its own word was signed late too is a file from the past, not a slow line; the signer's
    word is believed only there, against its interest (decision 0024).
    """
    if header.interval is None or KINDS[header.kind].signer != "device":
        return None
    limit = policy.late_after_ms
    if is_imported_late(header.interval, header.issued_at * 1000, registered_at, limit):
        return Lateness.IMPORTED_LATE
    return Lateness.LATE if is_late(header.interval, registered_at, limit) else Lateness.TIMELY


def _limited(reason: str, wait_ms: int) -> RateLimited:
    seconds = max(1, -(-wait_ms // 1000))
    return RateLimited("log", reason, f"send the same bytes again in {seconds} s", retry_after_s=seconds)
