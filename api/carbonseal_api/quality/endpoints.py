"""Routes about data codes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import parse_digest, parts_of
from carbonseal_api.paging import Paging
from carbonseal_api.quality import service
from carbonseal_api.quality.schemas import DataCode
from carbonseal_api.reaching import reaching

router = APIRouter(prefix="/organisations/{party}/codes", tags=["quality"])


@router.get("", summary="Data codes", responses=problems(401, 403, 404, 422))
async def list_data_codes(party: str, request: Request, page: Paging) -> list[DataCode]:
    """Return the organisation's data codes (数据红绿码) with reasons and cures, newest first."""
    await reaching(request, party)
    return await run_in_threadpool(service.codes, parts_of(request), party, page)


@router.get("/{digest}", summary="One data code", responses=problems(401, 403, 404, 422))
async def get_data_code(party: str, digest: str, request: Request) -> DataCode:
    """Return the data code of a statement digest."""
    await reaching(request, party)
    return await run_in_threadpool(service.code_by_digest, parts_of(request), party, parse_digest(digest))
