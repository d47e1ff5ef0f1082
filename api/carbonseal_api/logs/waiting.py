"""Registrations that outlast their call: what a caller was told to ask for again (SCRAPI, 303 and 302).

A registration that takes longer than the caller waits goes on by itself. What is known of it meanwhile stands
in a table, so that any replica can answer: under way, or refused and why. Accepted statements need no row:
the log has them. A row is no promise: of a process that died it says "under way" for some minutes, then
nothing, and the caller sends the same bytes again, which does nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Engine, Index, LargeBinary, Text, delete, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_api.database import Base
from carbonseal_attest.instants import Clock
from carbonseal_ledger.outcomes import Problem

UNDER_WAY_MS: Final = 300_000  # after which nobody believes any more that a registration goes on
KEPT_MS: Final = 3_600_000  # for how long a refusal can be asked for


class Wait(Base):
    """One statement whose registration outlasted its call."""

    __tablename__ = "api_registration_waits"
    __table_args__ = (Index("api_registration_waits_begun", "begun_at"),)

    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, doc="statement digest")
    begun_at: Mapped[int] = mapped_column(BigInteger, doc="ms")
    problem: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), doc="why it was refused; none while it is under way"
    )


class WaitingRoom:
    """What is known of registrations that outlasted their calls. Safe to use from many threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def begin(self, origin: str, digest: bytes) -> None:
        """Note that a registration is under way, and forget the old ones."""
        now = self._clock()
        row = insert(Wait).values(origin=origin, digest=digest, begun_at=now, problem=None)
        again = row.on_conflict_do_update(
            index_elements=["origin", "digest"], set_={"begun_at": now, "problem": None}
        )
        with self._engine.begin() as connection:
            connection.execute(delete(Wait).where(Wait.begun_at < now - KEPT_MS))
            connection.execute(again)

    def end(self, origin: str, digest: bytes, problem: Problem | None) -> None:
        """Note that a registration has ended: logged, or refused for a problem."""
        with self._engine.begin() as connection:
            connection.execute(delete(Wait).where(Wait.origin == origin, Wait.digest == digest))
            if problem is not None:
                connection.execute(
                    insert(Wait).values(
                        origin=origin, digest=digest, begun_at=self._clock(), problem=_told(problem)
                    )
                )

    def look(self, origin: str, digest: bytes) -> Problem | bool:
        """Return why a registration was refused; else whether one is under way."""
        query = select(Wait.begun_at, Wait.problem).where(Wait.origin == origin, Wait.digest == digest)
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        if found is None:
            return False
        if found.problem is not None:
            return Problem(**found.problem)
        return bool(found.begun_at > self._clock() - UNDER_WAY_MS)


def _told(problem: Problem) -> Mapping[str, Any]:
    return {name: getattr(problem, name) for name in Problem.__dataclass_fields__}
