"""Routes about epochs and their jobs."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import answers, problems
from carbonseal_api.epochs import service
from carbonseal_api.epochs.schemas import Epoch, QueuedJob
from carbonseal_api.incoming import caller, parts_of

CBOR: Final = "application/cbor"
router = APIRouter(tags=["epochs"])


@router.get("/epochs", summary="Epochs with their anchors", responses=problems(422))
async def list_epochs(
    request: Request, start: Annotated[int, Query(ge=1)] = 1, end: Annotated[int | None, Query(ge=1)] = None
) -> list[Epoch]:
    """Return the epochs [start, end), at most 200; public."""
    return await run_in_threadpool(service.epochs, parts_of(request), start, end)


@router.get(
    "/epochs/{epoch}/map",
    summary="The whole map of an epoch",
    responses=answers(
        CBOR,
        "The map's leaves: an array of byte strings, each CBOR [origin, size, root].",
        401,
        403,
        404,
        422,
    ),
    response_class=Response,
)
async def get_epoch_map(epoch: Annotated[int, Path(ge=1)], request: Request) -> Response:
    """Return every origin's head in an epoch, sorted by origin: what a monitor of all logs reads."""
    await caller(request)
    data = await run_in_threadpool(service.epoch_map, parts_of(request), epoch)
    return Response(data, media_type=CBOR)


@router.post(
    "/jobs/{job}", status_code=202, summary="Queue a background job", responses=problems(401, 403, 404, 503)
)
async def queue_job(job: str, request: Request) -> QueuedJob:
    """Queue a job (`build_epoch`, `step_anchoring`, `gather_cosignatures`, `refresh_projections`) now."""
    await caller(request)
    return await run_in_threadpool(service.queue, parts_of(request), job)
