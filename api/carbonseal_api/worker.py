"""Background jobs as Celery tasks on Redis or RabbitMQ: epochs, anchoring, projections, reports.

Tasks are idempotent and hold no state: a job that is lost or runs twice does no harm, because each one
asks the ledger where things stand. The deployment is opened once per worker process, after the fork.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from celery import Celery

from carbonseal_api.assembly import Parts
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_api.impacts.closing import close_epoch
from carbonseal_api.operation.schedule import periods
from carbonseal_api.settings import Settings, load_settings

_LINES: Final = logging.getLogger("carbonseal.jobs")
_RARE_SECONDS: Final = 30.0  # jobs that come more often say something only when they fail
PREFIX: Final = "carbonseal."  # of task names
_TASK_SECONDS: Final = 600  # hard limit of one task


def make_queue(redis_url: str, *, with_results: bool = False) -> Celery:
    """Return the queue; who only sends jobs needs no results."""
    results = redis_url if redis_url.startswith("redis") else "rpc://"  # a RabbitMQ keeps none by address
    queue = Celery("carbonseal", broker=redis_url, backend=results if with_results else None)
    queue.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_time_limit=_TASK_SECONDS,
        task_ignore_result=False,
        result_expires=86_400,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"socket_connect_timeout": 3},
    )
    return queue


def make_worker(settings: Settings) -> Celery:
    """Return the Celery application with tasks and their schedule.

    Each worker may carry a clock (`--beat`): the book of jobs lets one of them run each period's job.
    """
    queue = make_queue(settings.redis_url, with_results=True)
    schedule = periods(settings)
    for work in JOBS:
        name = work.__name__
        queue.task(name=f"{PREFIX}{name}")(_noted(name, work, schedule.get(name)))
        if name in schedule:
            queue.conf.beat_schedule[name] = {
                "task": f"{PREFIX}{name}",
                "schedule": schedule[name],
                "kwargs": {"is_scheduled": True},
                "options": {"expires": max(schedule[name], 60.0)},  # of jobs that piled up, the last will do
            }
    return queue


def _noted(name: str, work: Callable[..., Any], period: float | None) -> Callable[..., Any]:
    """The task of a job: noted in the book; as a scheduled one, run by whichever worker claims the period."""

    def run(*given: Any, is_scheduled: bool = False, **named: Any) -> Any:
        jobs = _parts().jobs
        if is_scheduled and period is not None and not jobs.claim(name, int(period * 1000)):
            return None
        started = time.monotonic()
        outcome = "failed"
        try:
            with jobs.run(name):
                done = work(*given, **named)
            outcome = "succeeded"
            return done
        finally:
            said = {"job": name, "outcome": outcome, "duration_ms": int((time.monotonic() - started) * 1000)}
            frequent = period is not None and period < _RARE_SECONDS and outcome == "succeeded"
            _LINES.log(
                logging.DEBUG if frequent else logging.INFO,
                "job %s %s",
                name,
                outcome,
                extra={"fields": said},
            )

    return run


def build_epoch() -> dict[str, Any]:
    """Mark what no longer stands, then close an epoch over all logs."""
    record = close_epoch(_parts())
    return {"epoch": record.epoch, "origins": record.origins, "map_root": record.map_root.hex()}


def step_anchoring() -> int:
    """Plan an anchor for each new epoch and take the next steps; returns how many anchors are unfinished."""
    parts = _parts()
    if parts.anchors is None:
        return 0
    if isinstance(parts.anchors, ChainAnchors):
        parts.anchors.plan_epochs(parts.host)
    return parts.anchors.step()


def gather_cosignatures() -> int:
    """Ask the witnesses for what the newest head lacks; returns the size that the quorum has cosigned."""
    from carbonseal_api.witnesses.service import gather

    return gather(_parts())


def refresh_projections() -> int:
    """Read what the logs have gained; returns the number of entries read."""
    return _parts().projections.refresh()


def step_assets() -> int:
    """Take the next steps of acts on carbon-asset records; returns how many are unfinished."""
    from carbonseal_api.assets.service import step

    return step(_parts())


def reconcile() -> bool:
    """Compare every source and keep what disagrees; returns whether all of them were asked and agree."""
    from carbonseal_api.reconciliation import service

    run = service.run(_parts())
    return not run.present and not run.missing


def mirror_contracts() -> int:
    """Mirror the registrar's contracts in its log; returns how many events that were."""
    from carbonseal_api.registrar_contracts import mirror_configured

    return sum(each.mirrored for each in mirror_configured(_parts()))


def render_report(party: str, digest: str, lang: str) -> str:
    """Render the PDF of a filed report and keep it for its owner; returns the file's digest."""
    import hashlib

    from carbonseal_api.evidence.service import put_document
    from carbonseal_api.reports.service import report_pdf

    parts = _parts()
    data = report_pdf(parts, party, bytes.fromhex(digest), lang)
    file_digest = hashlib.sha256(data).digest()
    put_document(parts, party, file_digest, data, f"report-{lang}.pdf", "application/pdf")
    return file_digest.hex()


JOBS: Final[tuple[Callable[..., Any], ...]] = (
    build_epoch,
    step_anchoring,
    gather_cosignatures,
    refresh_projections,
    render_report,
    step_assets,
    reconcile,
    mirror_contracts,
)


@cache
def _parts() -> Parts:
    # Opened at the first task of a worker process, after the fork: connections must not be shared across it.
    from carbonseal_api.deployment import open_deployment

    return open_deployment(load_settings())
