"""Route of a log's registration policy: public, since everybody who signs for the log must know it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import parts_of
from carbonseal_api.logs import service
from carbonseal_api.logs.schemas import PolicyView

router = APIRouter(tags=["logs"])


@router.get(
    "/logs/{origin:path}/policy", summary="Registration policy of a log", responses=problems(400, 404, 422)
)
async def get_policy(origin: str, request: Request) -> PolicyView:
    """Return the policy in force and those before it, each with the register entry that states it."""
    return await run_in_threadpool(service.policies, parts_of(request), origin)
