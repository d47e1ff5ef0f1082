"""The route by which an organisation sees what of its own no longer stands, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.access_records.service import record
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.documented import problems
from carbonseal_api.impacts.listing import impacts
from carbonseal_api.impacts.schemas import Impact
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.paging import link_next

router = APIRouter(tags=["impacts"])

Which = Annotated[
    Literal["open", "all"], Query(description="open: with something not cured; all: those cured whole too.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="Impacts of one page.")]
Cursor = Annotated[
    str | None, Query(pattern="^[0-9a-f]{64}$", description="Impact that the last page ended with.")
]


@router.get(
    "/organisations/{party}/impacts",
    summary="What no longer stands, why, and what cures it",
    responses=problems(401, 403, 404, 422),
)
async def list_impacts(
    party: str,
    request: Request,
    response: Response,
    state: Which = "open",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[Impact]:
    """Return the impacts on what is the organisation's, newest first; `Link` names the next page."""
    principal = await caller(request)
    principal.require_party(party)
    found = await run_in_threadpool(_answer, parts_of(request), principal, party, only_open=state == "open")
    first = next((at + 1 for at, one in enumerate(found) if one.impact == cursor), 0)
    page = found[first : first + limit]
    if first + limit < len(found):
        response.headers["Link"] = link_next(request, {"cursor": page[-1].impact})
    return page


def _answer(parts: Parts, principal: Principal, party: str, *, only_open: bool) -> list[Impact]:
    parts.projections.refresh()
    purpose = "supervision" if "regulator" in principal.roles else "operation"
    record(
        parts,
        principal,
        owner=party,
        action="read",
        resource=f"/organisations/{party}/impacts",
        purpose=purpose,
    )
    return impacts(parts, party, only_open=only_open)
