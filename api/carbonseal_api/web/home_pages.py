"""Routes of the pages beside an enterprise's own: supervisors, banks, verification bodies, the public.

Every party's home is `/pages/{party}`; what it shows follows from the roles that the party was admitted with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.desk.service import civil_period
from carbonseal_api.grants import service as grants
from carbonseal_api.incoming import parse_digest, parts_of
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.web import bank_views, sessions, supervision_views
from carbonseal_api.web.forms import field, read_form
from carbonseal_api.web.rendering import page, page_language

router = APIRouter(include_in_schema=False)


@router.get("/public")
async def public_page(request: Request) -> Response:
    """Show what was published, to everybody."""
    context = await run_in_threadpool(supervision_views.public_page, parts_of(request))
    return page(request, "public.html.j2", lang=page_language(request), **context)


@router.get("/pages/{party}/find")
async def find(party: str, request: Request, id: str = "") -> Response:  # noqa: A002 - the form's own word
    """Go to the lineage of whatever was typed."""
    (await sessions.visitor(request)).require_party(party)
    wanted = id.strip()[:200]
    if not wanted:
        raise RequestInvalid("id", "is empty", "type a digest, a record id, a device or a credit code")
    return RedirectResponse(f"/pages/{party}/lineage/{quote(wanted, safe=':/@')}", 303)


@router.get("/pages/{party}/grade")
async def grade_page(party: str, request: Request, credit_code: str = "", as_of: str = "") -> Response:
    """Show the grade of an organisation, as `GET /grades/{credit_code}` gives it."""
    principal = await sessions.visitor(request)
    principal.require_party(party)

    def gather(parts: Parts, asker: Principal) -> dict[str, Any]:
        return bank_views.grade_page(parts, asker, party, credit_code.strip(), as_of.strip())

    return await _shown(request, party, "grade.html.j2", principal, gather)


@router.post("/pages/{party}/grants")
async def give_grant(party: str, request: Request) -> Response:
    """Write a grant of the organisation, from the form on its page."""
    (await sessions.visitor(request)).require_party(party)
    form = await read_form(request)
    await run_in_threadpool(_give, parts_of(request), party, form)
    return RedirectResponse(f"/pages/{party}#grants", 303)


@router.post("/pages/{party}/grants/{digest}/withdraw")
async def withdraw_grant(party: str, digest: str, request: Request) -> Response:
    """Write the withdrawal of a grant."""
    (await sessions.visitor(request)).require_party(party)
    wanted = parse_digest(digest)
    await read_form(request)
    await run_in_threadpool(
        grants.withdraw, parts_of(request), party, wanted, "withdrawn by its owner on its page"
    )
    return RedirectResponse(f"/pages/{party}#grants", 303)


async def home_of(request: Request, party: str, roles: list[str], principal: Principal) -> Response:
    """Return the home page of a party that emits nothing."""
    if "bank" in roles:
        return await _shown(request, party, "bank.html.j2", principal, lambda p, _: bank_views.home(p, party))
    if "verification_body" in roles:
        return await _shown(
            request,
            party,
            "verification_body.html.j2",
            principal,
            lambda p, _: bank_views.body_home(p, party),
        )
    if "laboratory" in roles:
        return await _shown(
            request, party, "laboratory.html.j2", principal, lambda p, _: bank_views.home(p, party)
        )
    return await _shown(
        request,
        party,
        "supervision.html.j2",
        principal,
        lambda p, asker: supervision_views.supervision_page(p, party, asker),
    )


def _give(parts: Parts, party: str, form: dict[str, str]) -> None:
    first, last, until = (_day(form, name) for name in ("first", "last", "until"))
    start, end = civil_period(first, last, "Asia/Shanghai")
    body = {
        "to": grants.party_named(parts, field(form, "to")),
        "purpose": field(form, "purpose"),
        "level": field(form, "level"),
        "period": {"start": start, "end": end},
        "valid": {"start": parts.clock(), "end": civil_period(until, until, "Asia/Shanghai")[1]},
    }
    grants.give(parts, party, body)


def _day(form: dict[str, str], name: str) -> date:
    try:
        return date.fromisoformat(field(form, name))
    except ValueError as problem:
        raise RequestInvalid(name, "is no day", "write one such as 2026-12-31") from problem


async def _shown(
    request: Request,
    party: str,
    template: str,
    principal: Principal,
    gather: Callable[[Parts, Principal], dict[str, Any]],
) -> Response:
    context = await run_in_threadpool(gather, parts_of(request), principal)
    return page(request, template, lang=page_language(request), party=party, **context)
