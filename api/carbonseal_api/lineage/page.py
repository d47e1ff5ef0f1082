"""The page of a lineage: summary, graph and list, each node leading to its own lineage and its statement."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.incoming import parts_of
from carbonseal_api.lineage import service
from carbonseal_api.lineage.disclosing import disclosed
from carbonseal_api.lineage.drawing import graph_svg
from carbonseal_api.lineage.identifiers import is_code, is_statement
from carbonseal_api.lineage.naming import marked, sealed, title, words_of
from carbonseal_api.lineage.prov import MEDIA_TYPE, prov_json
from carbonseal_api.lineage.schemas import Lineage, LineageNode
from carbonseal_api.lineage.walk import DIRECTIONS, MAX_DEPTH
from carbonseal_api.organisations.service import organisation
from carbonseal_api.problems import NotFound
from carbonseal_api.web import sessions
from carbonseal_api.web.rendering import HEADERS, page, page_language

router = APIRouter(include_in_schema=False)

PAGE_LIMIT = 150  # nodes on one page: a graph of more says nothing any more
DEPTHS = (1, 2, 3, 5, MAX_DEPTH)


@router.get("/pages/{party}/lineage/{id:path}")
async def lineage_page(
    party: str,
    id: str,  # noqa: A002 - the name in the path
    request: Request,
    direction: str = "down",
    depth: str = str(MAX_DEPTH),
    cursor: str | None = None,
    format: str = "html",  # noqa: A002 - the name in the query
) -> Response:
    """Show the lineage of something, or give it as a file in W3C PROV or SVG."""
    principal = await sessions.visitor(request)
    principal.require_party(party)
    if not is_code(party):
        raise NotFound("party", "no such resource for this key", "use the code of your own organisation")
    lang, parts = page_language(request), parts_of(request)
    chosen = direction if direction in DIRECTIONS else "down"
    levels = int(depth) if depth in {str(one) for one in DEPTHS} else MAX_DEPTH

    def gather() -> tuple[Lineage, dict[str, Any]]:
        found = _found(parts, principal, id[:400], chosen, levels, cursor)
        return found, {} if format in {"prov", "svg"} else _context(parts, principal, party, found, lang)

    found, context = await run_in_threadpool(gather)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="lineage"'}
    if format == "prov":
        text = json.dumps(prov_json(found, lang), ensure_ascii=False)
        return Response(text, media_type=MEDIA_TYPE, headers=headers)
    if format == "svg":
        return Response(str(graph_svg(found, lang)), media_type="image/svg+xml", headers=headers)
    return page(request, "lineage.html.j2", lang=lang, party=party, **context)


def _found(
    parts: Parts, principal: Principal, text: str, direction: str, depth: int, cursor: str | None
) -> Lineage:
    parts.projections.refresh()
    found = service.lineage(
        parts, principal, text, direction=direction, depth=depth, limit=PAGE_LIMIT, cursor=cursor
    )
    disclosed(parts, principal, found)
    return found


def _context(parts: Parts, principal: Principal, party: str, found: Lineage, lang: str) -> dict[str, Any]:
    terms = words_of(lang)
    shown = [node for node in found.nodes if node.kind not in {"undisclosed", "unknown", "head"}]
    addresses = {node.id: _address(party, node.id, found.direction) for node in shown}
    here = _address(party, found.id, found.direction)
    return {
        "organisation": organisation(parts, party),
        "found": found,
        "terms": terms,
        "graph": graph_svg(found, lang, links=addresses),
        "rows": [
            {
                "node": node,
                "title": title(node, terms),
                "address": addresses.get(node.id),
                "statement": _statement(principal, node),
                "seal": sealed(node, terms),
                "mark": marked(node, terms),
            }
            for node in found.nodes
        ],
        "depths": DEPTHS,
        "action": f"/pages/{party}/lineage/{quote(found.id, safe=':/@')}",
        "following": None if found.next is None else f"{here}&{_query(found, cursor=found.next)}",
        "as_prov": f"{here}&{_query(found, format='prov')}",
        "as_svg": f"{here}&{_query(found, format='svg')}",
    }


def _query(found: Lineage, **more: str) -> str:
    return urlencode({"depth": found.depth, **more})


def _address(party: str, node: str, direction: str) -> str:
    return f"/pages/{party}/lineage/{quote(node, safe=':/@')}?direction={direction}"


def _statement(principal: Principal, node: LineageNode) -> str | None:
    """Return the address of a statement's own page, where the visitor may open it."""
    if not is_statement(node.id) or node.party is None:
        return None
    if node.party != principal.party and not principal.sees_all:
        return None
    return f"/pages/{node.party}/statements/{node.id}"
