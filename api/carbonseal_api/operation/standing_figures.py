"""Where a deployment stands, read from its database in a few cheap queries, at most every few seconds.

One snapshot serves the components' checks and `/metrics`. Ages are by the injected clock, in seconds; what
has not happened yet has no age. It counts and never reads a statement. Leaves out what only a chain node, a
witness or the queue could say: those parts answer for themselves (`carbonseal_api.health`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, text

from carbonseal_api.operation.job_runs import JobBook, JobState
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_models import AnchorState
from carbonseal_ledger.errors import DatabaseUnusable

KEPT_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 3.0  # for whoever else is asking; below the deadline of the components' checks
_LOGS = text(
    "SELECT count(*), coalesce(sum(size), 0), max(last_registered_at) FROM ledger_logs WHERE log <> 'epochs'"
)
_EPOCHS = text("SELECT count(*), max(built_at), max(entry_index) + 1 FROM ledger_epochs")
_STEPS = text("SELECT state, count(*) FROM anchoring_steps GROUP BY state")
_ANCHORS = text(
    "SELECT max(new_size), max(new_size) FILTER (WHERE state = 'final'), max(block_at),"
    " max(block_at) FILTER (WHERE state = 'final') FROM anchoring_steps"
    " WHERE state IN ('mined', 'safe', 'final') AND kind <> 'deploy'"
)
_UNANCHORED = text("SELECT count(*) FROM ledger_epochs WHERE entry_index >= :size")
_BYTES = text("SELECT pg_database_size(current_database())")


@dataclass(frozen=True, slots=True)
class Standing:
    """A snapshot. Instants are milliseconds since 1970 UTC, None for what never happened.

    Attributes:
        taken_at: When it was taken.
        logs: Open logs, the log of logs not counted.
        entries: Their entries.
        last_registered_at: Of the newest entry.
        epochs: Epochs built.
        last_epoch_at: When the newest was built.
        epochs_unanchored: Epochs that no final anchor covers.
        steps: Anchoring steps by state.
        anchored_at: Block time of the newest anchor.
        final_at: Block time of the newest anchor in a final block.
        database_bytes: Size of the database.
        jobs: The book of jobs.
    """

    taken_at: int
    logs: int
    entries: int
    last_registered_at: int | None
    epochs: int
    last_epoch_at: int | None
    epochs_unanchored: int
    steps: Mapping[str, int]
    anchored_at: int | None
    final_at: int | None
    database_bytes: int
    jobs: Mapping[str, JobState] = field(default_factory=dict)

    def age_seconds(self, instant: int | None) -> float | None:
        """Seconds since an instant, never negative; None for none."""
        return None if instant is None else max(0.0, (self.taken_at - instant) / 1000)


class StandingReader:
    """Takes snapshots of one database; one is shared by all who ask within a few seconds."""

    def __init__(
        self, engine: Engine, clock: Clock, jobs: JobBook, *, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._clock, self._jobs, self._ticks = engine, clock, jobs, ticks
        self._lock = threading.Lock()
        self._held: Standing | None = None
        self._held_at = 0.0

    def read(self) -> Standing:
        """Return the newest snapshot.

        Raises:
            DatabaseUnusable: The database does not answer.
        """
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise DatabaseUnusable(
                "database", "did not answer in time", "look at its load and its connections"
            )
        try:
            held = self._held
            if held is None or self._ticks() - self._held_at >= KEPT_SECONDS:
                with self._engine.connect() as connection:
                    self._held = held = self._take(connection)
                self._held_at = self._ticks()
            return held
        finally:
            self._lock.release()

    def _take(self, connection: Connection) -> Standing:
        logs, entries, last = connection.execute(_LOGS).one()
        epochs, built_at, _ = connection.execute(_EPOCHS).one()
        steps = {row[0]: int(row[1]) for row in connection.execute(_STEPS)}
        _, final_size, anchored_at, final_at = connection.execute(_ANCHORS).one()
        unanchored = connection.execute(_UNANCHORED, {"size": final_size or 0}).scalar_one()
        size = connection.execute(_BYTES).scalar_one()
        return Standing(
            taken_at=self._clock(),
            logs=int(logs),
            entries=int(entries),
            last_registered_at=last,
            epochs=int(epochs),
            last_epoch_at=built_at,
            epochs_unanchored=int(unanchored),
            steps=steps,
            anchored_at=anchored_at,
            final_at=final_at,
            database_bytes=int(size),
            jobs=self._jobs.states(),
        )


class StandingCollector(Collector):
    """The snapshot as metrics; without a database there is none, and Prometheus sees that."""

    def __init__(self, reader: StandingReader, version: str) -> None:
        self._reader, self._version = reader, version

    def collect(self) -> Iterator[Metric]:
        """Yield the families; those of an unreachable database stay empty."""
        build = InfoMetricFamily("carbonseal_build", "Version of the service.")
        build.add_metric([], {"version": self._version})
        yield build
        try:
            standing: Standing | None = self._reader.read()
        except CarbonsealError:
            standing = None
        yield from _plain(standing)
        yield from _anchoring(standing)
        yield from _jobs(standing)


def _plain(at: Standing | None) -> Iterator[Metric]:
    def gauge(name: str, meaning: str, value: Callable[[Standing], float | None]) -> Metric:
        family = GaugeMetricFamily(f"carbonseal_{name}", meaning)
        found = None if at is None else value(at)
        if found is not None:
            family.add_metric([], found)
        return family

    yield gauge("logs", "Open logs, the log of logs not counted.", lambda s: s.logs)
    yield gauge("entries", "Entries of all logs together.", lambda s: s.entries)
    yield gauge("database_bytes", "Size of the database.", lambda s: s.database_bytes)
    yield gauge(
        "registration_age_seconds",
        "Time since the newest registration.",
        lambda s: s.age_seconds(s.last_registered_at),
    )
    yield gauge("epochs", "Epochs built.", lambda s: s.epochs)
    yield gauge("epoch_age_seconds", "Time since the newest epoch.", lambda s: s.age_seconds(s.last_epoch_at))
    yield gauge("epochs_unanchored", "Epochs that no final anchor covers.", lambda s: s.epochs_unanchored)


def _anchoring(at: Standing | None) -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        "carbonseal_anchor_age_seconds",
        "Time since the block of the newest anchor, of any block (mined) or of a final one.",
        labels=["state"],
    )
    steps = GaugeMetricFamily(
        "carbonseal_anchoring_steps", "Steps of the anchoring journal by state.", labels=["state"]
    )
    if at is not None:
        for state, instant in (("mined", at.anchored_at), ("final", at.final_at)):
            if (age := at.age_seconds(instant)) is not None:
                ages.add_metric([state], age)
        for state in AnchorState:
            steps.add_metric([str(state)], at.steps.get(str(state), 0))
    yield ages
    yield steps


def _jobs(at: Standing | None) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "carbonseal_job_runs", "Ended runs of background jobs by outcome.", labels=["job", "outcome"]
    )
    ages = GaugeMetricFamily(
        "carbonseal_job_age_seconds", "Time since a background job last ended well.", labels=["job"]
    )
    lasted = GaugeMetricFamily(
        "carbonseal_job_seconds", "How long a background job's last run took.", labels=["job"]
    )
    for name, job in sorted(at.jobs.items()) if at is not None else ():
        runs.add_metric([name, "succeeded"], job.runs - job.failures)
        runs.add_metric([name, "failed"], job.failures)
        if at is not None and (age := at.age_seconds(job.succeeded_at)) is not None:
            ages.add_metric([name], age)
        if job.last_ms is not None:
            lasted.add_metric([name], job.last_ms / 1000)
    yield runs
    yield ages
    yield lasted
