"""The page of who did what: a form that filters, a table, and the same as CSV."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.access_records.service import record
from carbonseal_api.activity import service
from carbonseal_api.activity.csv_export import MEDIA_TYPE, deeds_csv
from carbonseal_api.activity.schemas import Activity
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.incoming import parts_of
from carbonseal_api.lineage.naming import words_of as lineage_words
from carbonseal_api.organisations.service import organisation
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.reports.wording import load_wording
from carbonseal_api.web import sessions
from carbonseal_api.web.rendering import HEADERS, page, page_language
from carbonseal_attest.instants import MAX_INSTANT, parse_instant

router = APIRouter(include_in_schema=False)

CATALOGUE: Final = "activity/wording.json"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@router.get("/pages/{party}/activity")
async def activity_page(
    party: str,
    request: Request,
    kind: str = "",
    by: str = "",
    subject: str = "",
    since: str = "",
    until: str = "",
    cursor: str | None = None,
    format: str = "html",  # noqa: A002 - the name in the query
) -> Response:
    """Show who did what for an organisation, or give it as CSV."""
    principal = await sessions.visitor(request)
    principal.require_party(party)
    asked: dict[str, Any] = {
        "kinds": [kind] if kind else [],
        "by": by[:60].strip() or None,
        "subject": subject[:60].strip() or None,
        "since": _day(since, "from", 0),
        "until": _day(until, "until", MAX_INSTANT),
        "cursor": cursor,
    }
    limit = service.MAX_EXPORT if format == "csv" else service.DEFAULT_LIMIT
    found = await run_in_threadpool(_answer, parts_of(request), principal, party, asked, limit)
    if format == "csv":
        headers = {
            **HEADERS,
            "Content-Disposition": f'attachment; filename="activity-{quote(party, safe="")}.csv"',
        }
        return Response(deeds_csv(found.deeds), media_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)
    lang = page_language(request)
    wanted = {"kind": kind, "by": by, "subject": subject, "since": since, "until": until}
    organised = await run_in_threadpool(organisation, parts_of(request), party)
    return page(
        request,
        "activity.html.j2",
        lang=lang,
        party=party,
        organisation=organised,
        found=found,
        wanted=wanted,
        kinds=sorted(service.ACTIVITY_KINDS),
        terms=load_wording(lang, CATALOGUE),
        names=lineage_words(lang),
        as_csv=urlencode({**wanted, "format": "csv"}),
        following=None if found.next is None else urlencode({**wanted, "cursor": found.next}),
    )


def _answer(parts: Parts, principal: Principal, party: str, asked: dict[str, Any], limit: int) -> Activity:
    parts.projections.refresh()
    found = service.activity(parts, party, limit=limit, **asked)
    purpose = "supervision" if "regulator" in principal.roles else "operation"
    place = f"/pages/{party}/activity"
    record(parts, principal, owner=party, action="read", resource=place, purpose=purpose)
    return found


def _day(text: str, field: str, missing: int) -> int:
    if not text:
        return missing
    if not _DAY.fullmatch(text):
        raise RequestInvalid(field, f"{text[:20]!r} is no day", "write it as 2026-01-31")
    return parse_instant(f"{text}T00:00:00Z", field=field)
