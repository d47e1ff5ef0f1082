"""Routes about devices, meters and load curves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.devices import service
from carbonseal_api.devices.schemas import Device, LoadCurve, MeterReading
from carbonseal_api.documented import problems
from carbonseal_api.incoming import parts_of
from carbonseal_api.paging import Paging
from carbonseal_api.reaching import reaching
from carbonseal_attest.instants import parse_instant

Start = Annotated[str, Query(description="RFC 3339, UTC; included.", examples=["2025-12-31T16:00:00Z"])]
End = Annotated[str, Query(description="RFC 3339, UTC; excluded.", examples=["2026-01-01T16:00:00Z"])]

router = APIRouter(prefix="/organisations/{party}", tags=["devices"])


@router.get("/devices", summary="Enrolled devices", responses=problems(401, 403, 404, 422))
async def list_devices(party: str, request: Request, page: Paging) -> list[Device]:
    """Return the organisation's devices as their newest statements say."""
    await reaching(request, party)
    found = await run_in_threadpool(service.devices, parts_of(request), party)
    return page.cut(found, lambda one: (one.device,))


@router.get("/meters", summary="Meters with last reading and age", responses=problems(401, 403, 404, 422))
async def list_meters(party: str, request: Request, page: Paging) -> list[MeterReading]:
    """Return the last reading of each point."""
    await reaching(request, party)
    found = await run_in_threadpool(service.meters, parts_of(request), party)
    return page.cut(found, lambda one: (one.device, one.point))


@router.get(
    "/meters/{device}/{point:path}/load-curve",
    summary="Load curve",
    responses=problems(400, 401, 403, 404, 422),
)
async def get_load_curve(
    party: str, device: str, point: str, start: Start, end: End, request: Request
) -> LoadCurve:
    """Return mean loads of a point within [start, end), with maximum, minimum and mean."""
    await reaching(request, party)
    start_ms, end_ms = parse_instant(start, field="start"), parse_instant(end, field="end")
    return await run_in_threadpool(
        service.load_curve, parts_of(request), party, device, point, start_ms, end_ms
    )
