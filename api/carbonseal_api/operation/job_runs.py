"""The book of background jobs: when each last began, ended well or failed, shared by all workers.

It keeps a scheduled job from running twice in one period, however many clocks (Celery's beat) send it: the
first worker to claim the period in the database runs it, the others pass. So each worker may carry a clock,
and no single one is missed when it dies. A claim needs no release: a worker that is killed has only used up
this period. Jobs are idempotent all the same; the book saves work and shows a standstill, it guards no
truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Engine, Text, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_api.database import Base
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock

CLAIMED_SHARE: Final = 0.9  # of a period that must have passed: of clocks out of step, one sets the pace
_PROBLEM_LENGTH: Final = 200


class JobRun(Base):
    """What is known of one job by name. Instants are milliseconds since 1970 UTC."""

    __tablename__ = "api_job_runs"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    began_at: Mapped[int] = mapped_column(BigInteger)
    succeeded_at: Mapped[int | None] = mapped_column(BigInteger)
    runs: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
    last_ms: Mapped[int | None] = mapped_column(BigInteger, doc="how long the last one took")
    problem: Mapped[str | None] = mapped_column(
        Text, doc="why the last one failed; null after one that did not"
    )


@dataclass(frozen=True, slots=True)
class JobState:
    """A row of the book."""

    name: str
    began_at: int
    succeeded_at: int | None
    runs: int
    failures: int
    last_ms: int | None
    problem: str | None


class JobBook:
    """The book of one database."""

    def __init__(self, engine: Engine, clock: Clock, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock, self._ticks = engine, clock, ticks

    def claim(self, name: str, period_ms: int) -> bool:
        """Whether a scheduled job is due now and this worker is to run it; at most one of several hears yes.

        A clock that went back must not stop the jobs: a beginning in the future counts as none.
        """
        now = self._clock()
        due = or_(JobRun.began_at <= now - int(period_ms * CLAIMED_SHARE), JobRun.began_at > now + period_ms)
        fresh = {"name": name, "began_at": now, "runs": 0, "failures": 0}
        statement = insert(JobRun).values(fresh)
        statement = statement.on_conflict_do_update(
            index_elements=[JobRun.name], set_={"began_at": now}, where=due
        )
        with self._engine.begin() as connection:
            return connection.execute(statement.returning(JobRun.name)).first() is not None

    @contextmanager
    def run(self, name: str) -> Iterator[None]:
        """Note beginning and end of a job that runs within the block; its failure is noted and goes on."""
        started = self._ticks()
        self._begin(name, self._clock())
        try:
            yield
        except Exception as failure:
            # Only our own words: those of other exceptions may hold a statement's bytes or an address.
            said = str(failure) if isinstance(failure, CarbonsealError) else type(failure).__name__
            self._end(name, self._ticks() - started, said)
            raise
        self._end(name, self._ticks() - started, None)

    def note(self, name: str, *, began_at: int, problem: str | None) -> None:
        """Note a job that has ended; `began_at` in milliseconds. For commands run by hand or a timer."""
        self._begin(name, began_at)
        self._end(name, max(0, self._clock() - began_at) / 1000, problem)

    def states(self) -> Mapping[str, JobState]:
        """Every job that ever began here, by name."""
        columns = [getattr(JobRun, one) for one in JobState.__slots__]
        with self._engine.connect() as connection:
            return {row.name: JobState(*row) for row in connection.execute(select(*columns))}

    def _begin(self, name: str, at: int) -> None:
        statement = insert(JobRun).values({"name": name, "began_at": at, "runs": 0, "failures": 0})
        with self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[JobRun.name], set_={"began_at": at})
            )

    def _end(self, name: str, seconds: float, problem: str | None) -> None:
        changes: dict[str, object] = {
            "runs": JobRun.runs + 1,
            "last_ms": int(seconds * 1000),
            "problem": None if problem is None else problem[:_PROBLEM_LENGTH],
        }
        if problem is None:
            changes["succeeded_at"] = self._clock()
        else:
            changes["failures"] = JobRun.failures + 1
        with self._engine.begin() as connection:
            connection.execute(update(JobRun).where(JobRun.name == name).values(changes))
