"""The route about witnesses."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import parts_of
from carbonseal_api.witnesses import service
from carbonseal_api.witnesses.schemas import WitnessView

router = APIRouter(tags=["epochs"])


@router.get("/witnesses", summary="Who witnesses the log of logs", responses=problems(503))
async def get_witnesses(request: Request) -> WitnessView:
    """Return the verifier key of the log of logs, the witnesses asked for it, and how far they have come."""
    return await run_in_threadpool(service.view, parts_of(request))
