"""The route by which an organisation sees who asked for what of it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.access_records import service
from carbonseal_api.access_records.schemas import AccessRecordView
from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.paging import Page, Paging
from carbonseal_api.problems import RequestInvalid

router = APIRouter(tags=["access records"])
_GREATEST: Final = 2**53  # far beyond any number of records


@router.get(
    "/organisations/{party}/access-records",
    summary="Who asked for what of the organisation",
    responses=problems(401, 403, 404, 422),
)
async def list_access_records(party: str, request: Request, page: Paging) -> list[AccessRecordView]:
    """Return queries by other parties, answered and refused, newest first."""
    (await caller(request)).require_party(party)
    parts, after = parts_of(request), _after(page)

    def read() -> list[AccessRecordView]:
        rows = service.list_for(parts, party, limit=page.limit + 1, after=after)
        shown = page.cut(rows, key=lambda row: (row["record_id"],), newest_first=True)
        return [service.view_of(row) for row in shown]

    return await run_in_threadpool(read)


def _after(page: Page) -> int | None:
    match page.after:
        case None:
            return None
        case (int(number),) if 0 < number < _GREATEST:
            return number
        case _:
            raise RequestInvalid(
                "cursor", "is none of this list", "follow the Link header of the page before"
            )
