"""The route by which an organisation sees who did what: JSON, or CSV for a spreadsheet."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from carbonseal_api.access_records.service import record
from carbonseal_api.activity import service
from carbonseal_api.activity.csv_export import MEDIA_TYPE, deeds_csv
from carbonseal_api.activity.schemas import Activity
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.paging import link_next
from carbonseal_attest.instants import MAX_INSTANT, parse_instant

router = APIRouter(tags=["activity"])

_AN_INSTANT = "2026-03-01T16:00:00Z"
Kinds = Annotated[list[str], Query(alias="kind", max_length=50, description="Once for each kind wanted.")]
By = Annotated[str | None, Query(alias="party", max_length=60, description="Only what this party did.")]
Since = Annotated[
    str | None,
    Query(alias="from", max_length=40, description="RFC 3339, UTC; included.", examples=[_AN_INSTANT]),
]
Until = Annotated[
    str | None, Query(max_length=40, description="RFC 3339, UTC; excluded.", examples=[_AN_INSTANT])
]
Subject = Annotated[str | None, Query(max_length=60, description="Only what is about this code.")]
Limit = Annotated[int | None, Query(ge=1, le=service.MAX_EXPORT, description="At most 1,000; of CSV 10,000.")]
Cursor = Annotated[str | None, Query(max_length=30, description="`next` of the page before.")]
Format = Annotated[Literal["json", "csv"] | None, Query(description="Left out: by `Accept`, else json.")]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Activity,
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "One page, newest first; `Link` names the next one.",
    },
    **problems(400, 401, 403, 404, 422),
}


@router.get("/organisations/{party}/activity", summary="Who did what, when", responses=_RESPONSES)
async def get_activity(
    party: str,
    request: Request,
    kind: Kinds = [],  # noqa: B006 - FastAPI copies it for each call
    by: By = None,
    since: Since = None,
    until: Until = None,
    subject: Subject = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002 - the name in the query
) -> Response:
    """Return statements by the organisation and about it, looks at its data, and acts on its accounts."""
    principal = await caller(request)
    principal.require_party(party)
    is_csv = format == "csv" or (format is None and MEDIA_TYPE in request.headers.get("accept", ""))
    most = service.MAX_EXPORT if is_csv else service.MAX_LIMIT
    size = min(limit or (most if is_csv else service.DEFAULT_LIMIT), most)
    found = await run_in_threadpool(
        _answer,
        parts_of(request),
        principal,
        party,
        kinds=kind,
        by=by,
        since=0 if since is None else parse_instant(since, field="from"),
        until=MAX_INSTANT if until is None else parse_instant(until, field="until"),
        subject=subject,
        limit=size,
        cursor=cursor,
    )
    headers = {}
    if found.next is not None:
        headers["Link"] = link_next(request, {"cursor": found.next})
    if is_csv:
        headers["Content-Disposition"] = f'attachment; filename="activity-{quote(party, safe="")}.csv"'
        return Response(deeds_csv(found.deeds), media_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)
    return JSONResponse(found.model_dump(), headers=headers)


def _answer(parts: Parts, principal: Principal, party: str, **asked: Any) -> Activity:
    parts.projections.refresh()
    found = service.activity(parts, party, **asked)
    purpose = "supervision" if "regulator" in principal.roles else "operation"
    record(
        parts,
        principal,
        owner=party,
        action="read",
        resource=f"/organisations/{party}/activity",
        purpose=purpose,
    )
    return found
