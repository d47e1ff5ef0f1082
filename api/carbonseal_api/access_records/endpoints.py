"""The route by which an organisation sees who asked for what of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.access_records import service
from carbonseal_api.access_records.schemas import AccessRecordView
from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of

router = APIRouter(tags=["access records"])

Limit = Annotated[int, Query(ge=1, le=200, description="Records of one page.")]
Cursor = Annotated[int | None, Query(ge=1, le=2**53, description="From the page before, in `Link`.")]


@router.get(
    "/organisations/{party}/access-records",
    summary="Who asked for what of the organisation",
    responses=problems(401, 403, 404, 422),
)
async def list_access_records(
    party: str, request: Request, response: Response, limit: Limit = 50, cursor: Cursor = None
) -> list[AccessRecordView]:
    """Return queries by other parties, answered and refused, newest first; `Link` names the next page."""
    (await caller(request)).require_party(party)
    views, following = await run_in_threadpool(
        service.records_of, parts_of(request), party, limit=limit, cursor=cursor
    )
    if following is not None:
        response.headers["Link"] = f'<{request.url.path}?limit={limit}&cursor={following}>; rel="next"'
    return views
