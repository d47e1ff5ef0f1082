"""The page of an organisation's impacts: what no longer stands, why, what cures it, and what was cured."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts.listing import impacts
from carbonseal_api.impacts.service import CATALOGUE
from carbonseal_api.incoming import parts_of
from carbonseal_api.organisations.service import organisation
from carbonseal_api.reports.wording import load_wording
from carbonseal_api.web import sessions
from carbonseal_api.web.rendering import page, page_language

router = APIRouter(include_in_schema=False)

SHOWN = 50  # impacts on one page
LISTED = 200  # things of one impact on the page


@router.get("/pages/{party}/impacts")
async def impacts_page(party: str, request: Request, state: str = "open") -> Response:
    """Show what of an organisation no longer stands."""
    (await sessions.visitor(request)).require_party(party)
    lang = page_language(request)

    def gather(parts: Parts) -> dict[str, Any]:
        parts.projections.refresh()
        found = impacts(parts, party, only_open=state != "all")
        return {
            "impacts": found[:SHOWN],
            "organisation": organisation(parts, party),
            "more": max(len(found) - SHOWN, 0),
            "listed": LISTED,
            "only_open": state != "all",
            "terms": load_wording(lang, CATALOGUE),
        }

    context = await run_in_threadpool(gather, parts_of(request))
    return page(request, "impacts.html.j2", lang=lang, party=party, **context)
