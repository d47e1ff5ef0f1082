"""Routes about inventories."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.inventories import service
from carbonseal_api.inventories.schemas import Inventory

router = APIRouter(prefix="/organisations/{party}/inventories", tags=["inventories"])


@router.get("", summary="Months with readings", responses=problems(401, 403, 404))
async def list_months(party: str, request: Request) -> list[str]:
    """Return the civil months of the site that hold readings, oldest first."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(service.months, parts_of(request), party)


@router.get("/{month}", summary="Inventory of a month", responses=problems(400, 401, 403, 404, 422))
async def get_month(party: str, month: str, request: Request) -> Inventory:
    """Return the inventory of a civil month under the newest plan, as the logs stand now."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(service.month_inventory, parts_of(request), party, month)
