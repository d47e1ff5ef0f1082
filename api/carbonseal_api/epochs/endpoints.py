"""Routes about epochs and their jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.epochs import service
from carbonseal_api.epochs.schemas import Epoch, QueuedJob
from carbonseal_api.incoming import caller, parts_of

router = APIRouter(tags=["epochs"])


@router.get("/epochs", summary="Epochs with their anchors", responses=problems(422))
async def list_epochs(
    request: Request, start: Annotated[int, Query(ge=1)] = 1, end: Annotated[int | None, Query(ge=1)] = None
) -> list[Epoch]:
    """Return the epochs [start, end), at most 200; public."""
    return await run_in_threadpool(service.epochs, parts_of(request), start, end)


@router.post(
    "/jobs/{job}", status_code=202, summary="Queue a background job", responses=problems(401, 403, 404, 503)
)
async def queue_job(job: str, request: Request) -> QueuedJob:
    """Queue `build_epoch`, `step_anchoring` or `refresh_projections` now instead of at its time."""
    await caller(request)
    return await run_in_threadpool(service.queue, parts_of(request), job)
