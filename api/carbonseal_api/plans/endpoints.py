"""Routes about monitoring plans."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import parts_of
from carbonseal_api.paging import Paging
from carbonseal_api.plans import service
from carbonseal_api.plans.schemas import Plan
from carbonseal_api.reaching import reaching
from carbonseal_attest.instants import parse_instant

router = APIRouter(prefix="/organisations/{party}/plans", tags=["plans"])


@router.get("", summary="Monitoring plans", responses=problems(401, 403, 404, 422))
async def list_plans(party: str, request: Request, page: Paging) -> list[Plan]:
    """Return every version of the organisation's monitoring plans, newest last."""
    await reaching(request, party)
    found = await run_in_threadpool(service.plans, parts_of(request), party)
    return page.cut(found, lambda one: (parse_instant(one.effective_start), one.plan, one.plan_version))
