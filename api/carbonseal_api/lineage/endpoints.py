"""Routes about lineage: JSON, W3C PROV and SVG of the same answer."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import Language, caller, language_of, parts_of
from carbonseal_api.lineage import service
from carbonseal_api.lineage.disclosing import disclosed
from carbonseal_api.lineage.drawing import graph_svg
from carbonseal_api.lineage.prov import MEDIA_TYPE, prov_json
from carbonseal_api.lineage.schemas import Lineage
from carbonseal_api.lineage.walk import MAX_DEPTH
from carbonseal_api.paging import link_next

router = APIRouter(prefix="/lineage", tags=["lineage"])

SVG_TYPE = "image/svg+xml"
Direction = Annotated[
    Literal["down", "up"], Query(description="down: what it rests on; up: what rests on it.")
]
Depth = Annotated[int, Query(ge=1, le=MAX_DEPTH, description="Links away.")]
Limit = Annotated[int, Query(ge=1, le=service.MAX_LIMIT, description="Nodes of one page.")]
Cursor = Annotated[
    str | None, Query(max_length=8, pattern="^[0-9]+$", description="`next` of the page before.")
]
Format = Annotated[
    Literal["json", "prov", "svg"] | None,
    Query(description="Left out: by `Accept` (application/prov+json or image/svg+xml), else json."),
]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Lineage,
        "content": {MEDIA_TYPE: {"schema": {"type": "object"}}, SVG_TYPE: {"schema": {"type": "string"}}},
        "description": "One page of the lineage; `Link` names the next one.",
    },
    **problems(401, 403, 404, 422),
}


@router.get("/{id:path}", summary="What something rests on, or what rests on it", responses=_RESPONSES)
async def get_lineage(
    id: str,  # noqa: A002 - the name in the path
    request: Request,
    direction: Direction = "down",
    depth: Depth = MAX_DEPTH,
    limit: Limit = service.DEFAULT_LIMIT,
    cursor: Cursor = None,
    format: Format = None,  # noqa: A002 - the name in the query
    lang: Language = None,
) -> Response:
    """Return the lineage of a statement, figure, code, grade, asset record, device, document or package.

    `id` is a statement digest, `figure:REPORT/total/total`, `figure:PARTY/2026-01/total/total`,
    `asset:RECORD`, `package:ID@VERSION`, `device:PARTY/CODE`, or the code of a party or device. What the
    caller may not see stands as `undisclosed`.
    """
    principal, parts, wished = await caller(request), parts_of(request), lang or language_of(request)

    def answer() -> Lineage:
        parts.projections.refresh()
        found = service.lineage(
            parts, principal, id, direction=direction, depth=depth, limit=limit, cursor=cursor
        )
        disclosed(parts, principal, found)
        return found

    found = await run_in_threadpool(answer)
    headers = {}
    if found.next is not None:
        headers["Link"] = link_next(request, {"cursor": found.next})
    accepted = request.headers.get("accept", "")
    if format == "prov" or (format is None and MEDIA_TYPE in accepted):
        text = json.dumps(prov_json(found, wished), ensure_ascii=False)
        return Response(text, media_type=MEDIA_TYPE, headers=headers)
    if format == "svg" or (format is None and SVG_TYPE in accepted and "text/html" not in accepted):
        return Response(str(graph_svg(found, wished)), media_type=SVG_TYPE, headers=headers)
    return JSONResponse(found.model_dump(), headers=headers)
