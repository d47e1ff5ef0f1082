"""The components that every deployment has: database, copy, clock, queue, jobs, epochs, anchors.

`register_components` fills the health book; witnesses, reconciliation and other parts add themselves where
they are assembled. Decisions are in plain functions of a snapshot, so that a test needs no waiting.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from carbonseal_api.health import OFF, OK, ComponentState, HealthBook, State
from carbonseal_api.operation.job_runs import JobState
from carbonseal_api.operation.standing_figures import Standing, StandingReader
from carbonseal_api.settings import Settings
from carbonseal_attest.errors import CarbonsealError
from carbonseal_ledger.log_host import LogHost

CLOCK_SLACK_SECONDS: Final = 1.0  # as the sequencer's
EPOCHS_LATE: Final = 2.0  # periods after which an epoch is late
ANCHOR_EPOCHS_LATE: Final = 3.0  # periods after which a final anchor is late
JOB_PERIODS_LATE: Final = 6.0
JOB_SECONDS_LATE: Final = 60.0  # at least; a job of five seconds may wait behind a long one
DISK_LOW: Final = 0.10
DISK_FULL: Final = 0.02


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often jobs run, in seconds by name."""

    periods: Mapping[str, float]


def register_components(
    book: HealthBook, settings: Settings, host: LogHost, reader: StandingReader, schedule: Schedule
) -> None:
    """Register the components that every deployment has."""
    epoch = float(settings.epoch_seconds)
    has_chain = settings.chain_rpc_url is not None
    book.register("database", partial(_database, reader), is_needed=True)
    book.register(
        "published_copy",
        partial(_published_copy, host, settings),
        is_needed=True,
        figures={
            "published_free_bytes": "Room left where the published copy lies.",
            "published_total_bytes": "Size of the disk where the published copy lies.",
        },
    )
    book.register("clock", lambda: clock_state(reader.read()), is_needed=True)
    book.register(
        "queue",
        partial(queue_state, settings.redis_url),
        figures={"jobs_queued": "Queue depth: background jobs that wait for a worker."},
    )
    book.register("jobs", lambda: jobs_state(reader.read(), schedule.periods))
    book.register("epochs", lambda: epochs_state(reader.read(), epoch))
    book.register("anchoring", lambda: anchoring_state(reader.read(), epoch) if has_chain else OFF)


def _database(reader: StandingReader) -> ComponentState:
    try:
        reader.read()
    except CarbonsealError:
        return ComponentState(State.DOWN, "database-unreachable", "the database does not answer")
    return OK


def _published_copy(host: LogHost, settings: Settings) -> ComponentState:
    figures: dict[str, float] = {}
    if settings.published_bucket is None and settings.published.is_dir():  # a bucket has no disk of ours
        usage = shutil.disk_usage(settings.published)
        figures = {"published_free_bytes": usage.free, "published_total_bytes": usage.total}
        if usage.free < usage.total * DISK_FULL:
            return ComponentState(State.DOWN, "disk-full", "its disk is full", figures)
    try:
        host.head(host.log_of_logs)
    except CarbonsealError:
        return ComponentState(
            State.DOWN, "copy-unreadable", "the log of logs cannot be read from it", figures
        )
    if figures and figures["published_free_bytes"] < figures["published_total_bytes"] * DISK_LOW:
        return ComponentState(State.DEGRADED, "disk-low", "its disk is nearly full", figures)
    return ComponentState(State.OK, figures=figures)


def queue_state(url: str) -> ComponentState:
    """Whether the queue answers, and how many jobs wait in it."""
    from kombu.connection import Connection  # the queue's client, by whose address any broker answers

    try:
        options = {"socket_connect_timeout": 2, "socket_timeout": 2}
        with Connection(url, transport_options=options, connect_timeout=2) as connection:  # type: ignore[no-untyped-call]
            connection.connect()  # once; the other ways in try again and again
            depth = connection.channel().queue_declare("celery", passive=True).message_count
    except Exception as problem:  # noqa: BLE001 - each transport has errors of its own, and a missing queue is one
        if "NOT_FOUND" in str(problem):
            return ComponentState(State.OK, figures={"jobs_queued": 0})
        return ComponentState(State.DOWN, "queue-unreachable", "the queue of background jobs does not answer")
    return ComponentState(State.OK, figures={"jobs_queued": float(depth)})


def clock_state(at: Standing) -> ComponentState:
    """Whether the clock stands before the newest registration, which would keep everything out."""
    if at.last_registered_at is not None and at.taken_at < at.last_registered_at - CLOCK_SLACK_SECONDS * 1000:
        return ComponentState(
            State.DOWN, "clock-behind", "the clock stands before the newest registration; set it right"
        )
    return OK


def jobs_state(at: Standing, periods: Mapping[str, float]) -> ComponentState:
    """Whether scheduled jobs run and end well."""
    if not at.jobs:
        return ComponentState(State.DEGRADED, "no-job-yet", "no background job ever ran; start a worker")
    late = [name for name, period in periods.items() if _is_late(at, at.jobs.get(name), period)]
    if late:
        return ComponentState(
            State.DEGRADED, "jobs-late", f"overdue: {', '.join(sorted(late))}; look at workers and queue"
        )
    return OK


def _is_late(at: Standing, job: JobState | None, period: float) -> bool:
    if job is None:
        return False  # it may never have been due; the others tell whether a worker runs
    age = at.age_seconds(job.succeeded_at if job.succeeded_at is not None else job.began_at)
    return age is not None and age > max(JOB_PERIODS_LATE * period, JOB_SECONDS_LATE)


def epochs_state(at: Standing, epoch_seconds: float) -> ComponentState:
    """Whether epochs are closed in time, and none was refused: a refusal is a second history or damage."""
    job = at.jobs.get("build_epoch")
    if job is not None and job.problem is not None:
        return ComponentState(
            State.DOWN, "epoch-refused", "the last epoch could not be closed; see the book of jobs"
        )
    age = at.age_seconds(at.last_epoch_at)
    if age is None:
        return ComponentState(State.DEGRADED, "no-epoch-yet", "no epoch is closed yet")
    if age > EPOCHS_LATE * epoch_seconds + JOB_SECONDS_LATE:
        return ComponentState(State.DEGRADED, "epoch-late", "the next epoch is overdue")
    return OK


def anchoring_state(at: Standing, epoch_seconds: float) -> ComponentState:
    """Whether anchors become final in time, and no step has failed for good."""
    if failed := at.steps.get("failed", 0):
        return ComponentState(
            State.DOWN, "anchoring-failed", f"{failed} anchoring steps have failed; see the runbook"
        )
    age = at.age_seconds(at.final_at)
    if age is None:
        return ComponentState(State.DEGRADED, "no-anchor-yet", "no anchor is final yet")
    if at.epochs_unanchored and age > ANCHOR_EPOCHS_LATE * epoch_seconds + 600:
        return ComponentState(State.DEGRADED, "anchor-late", "the newest final anchor is old")
    return OK
