"""Reads epochs, and queues the jobs that build and anchor them."""

from __future__ import annotations

from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.epochs.schemas import Epoch, QueuedJob
from carbonseal_api.problems import NotFound, ServiceUnavailable
from carbonseal_attest import cbor
from carbonseal_attest.instants import format_instant
from carbonseal_ledger.errors import RangeInvalid

JOBS: Final = ("build_epoch", "step_anchoring", "gather_cosignatures", "refresh_projections")
MAX_LISTED: Final = 200


def epochs(parts: Parts, start: int, end: int | None) -> list[Epoch]:
    """Return the epochs [start, end), at most 200, oldest first."""
    last = start + MAX_LISTED if end is None else min(end, start + MAX_LISTED)
    return [
        Epoch(
            epoch=record.epoch,
            entry_index=record.entry_index,
            map_root=record.map_root.hex(),
            origins=record.origins,
            built_at=format_instant(record.built_at),
            tree_size=record.tree_size,
            root_hash=record.root_hash.hex(),
            anchor=None if parts.anchors is None else parts.anchors.anchor_of(record.tree_size),
        )
        for record in parts.host.epochs(start, last)
    ]


def epoch_map(parts: Parts, epoch: int) -> bytes:
    """Return the leaves of an epoch's map, in order, as a CBOR array of byte strings.

    Raises:
        NotFound: No such epoch.
    """
    try:
        entries = parts.host.epoch_map(epoch).entries
    except RangeInvalid as problem:
        raise NotFound("epoch", "there is no such epoch", "ask for a built one") from problem
    return cbor.encode([entry.encode() for entry in entries])


def queue(parts: Parts, job: str) -> QueuedJob:
    """Queue a background job.

    Raises:
        NotFound: No such job.
        ServiceUnavailable: The queue does not answer.
    """
    if job not in JOBS:
        raise NotFound("job", "no such job", f"choose from {', '.join(JOBS)}")
    # Imported here: the queue's client is needed by this one call only, not by every process that serves
    # pages.
    from kombu.exceptions import OperationalError

    from carbonseal_api.worker import make_queue

    try:
        result = make_queue(parts.settings.redis_url).send_task(
            f"carbonseal.{job}", retry=False, ignore_result=True
        )
    except (OperationalError, OSError) as problem:
        raise ServiceUnavailable(
            "redis", "the queue does not answer", "start it with `carbonseal up`"
        ) from problem
    return QueuedJob(job=str(result.id), task=job)
