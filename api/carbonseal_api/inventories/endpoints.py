"""Routes about inventories."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.evidence.disclosure import require
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.inventories import comparisons as comparing
from carbonseal_api.inventories import service
from carbonseal_api.inventories.comparison_schemas import Comparison
from carbonseal_api.inventories.schemas import Inventory
from carbonseal_api.reaching import reaching
from carbonseal_attest.instants import Interval

router = APIRouter(prefix="/organisations/{party}/inventories", tags=["inventories"])
comparisons = APIRouter(prefix="/organisations/{party}/comparisons", tags=["inventories"])


@router.get("", summary="Months with readings", responses=problems(401, 403, 404))
async def list_inventories(party: str, request: Request) -> list[str]:
    """Return the civil months of the site that hold readings, oldest first."""
    await reaching(request, party)
    return await run_in_threadpool(service.months, parts_of(request), party)


@comparisons.get("", summary="Declared beside metered", responses=problems(400, 401, 403, 404, 422))
async def get_comparison(
    party: str,
    request: Request,
    period: Annotated[
        str, Query(max_length=60, description="Whole civil months, at most twelve.", examples=["2026-01"])
    ],
) -> Comparison:
    """Return for each source stream and month what every data source gives, and which one counts and why."""
    principal, parts = await caller(request), parts_of(request)

    def read() -> Comparison:
        def times() -> list[Interval]:
            return [comparing.interval_of(parts, party, period)]

        require(parts, principal, party, f"comparisons/{period}", times)
        return comparing.compare(parts, party, period)

    return await run_in_threadpool(read)


@router.get("/{month}", summary="Inventory of a month", responses=problems(400, 401, 403, 404, 422))
async def get_inventory(party: str, month: str, request: Request) -> Inventory:
    """Return the inventory of a civil month under the newest plan, as the logs stand now."""
    await reaching(request, party)
    return await run_in_threadpool(service.month_inventory, parts_of(request), party, month)
