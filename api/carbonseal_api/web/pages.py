"""Routes of the pages. They translate: a signed-in visitor and a path in, a rendered page out."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from carbonseal_api.accounts import persons
from carbonseal_api.accounts.attempts import WINDOW_MS, SignInBlocked
from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import service as evidence
from carbonseal_api.incoming import parse_digest, parts_of, read_body
from carbonseal_api.organisations import service as organisations
from carbonseal_api.problems import KeyMissing, NotFound, RequestInvalid, status_of
from carbonseal_api.quality import service as quality
from carbonseal_api.reaching import note_look
from carbonseal_api.reports import disclosure
from carbonseal_api.reports import service as reports
from carbonseal_api.reports.bundle_files import bundle_file, pieces
from carbonseal_api.reports.fonts import find_fonts
from carbonseal_api.web import sessions, views
from carbonseal_api.web.home_pages import home_of
from carbonseal_api.web.rendering import HEADERS, PageWording, page, page_language
from carbonseal_attest.errors import CarbonsealError

router = APIRouter(include_in_schema=False)

MAX_FORM: Final = 4096  # bytes; a form holds an API key, or name, password and code
STATIC: Final = {"carbonseal.css": "text/css; charset=utf-8"}
FONT: Final = "noto-sans-sc.ttf"
PAGE_PATHS: Final = re.compile(r"/(?:|sign-in|sign-in/.*|sign-out|public|pages/.*)")


@router.get("/")
async def home(request: Request) -> Response:
    """Go to the visitor's organisation, or to the sign-in page."""
    try:
        principal = await sessions.visitor(request)
    except KeyMissing:
        return page(request, "sign_in.html.j2", lang=page_language(request), problem=None)
    return RedirectResponse(f"/pages/{principal.party}", 303)


@router.get("/sign-in")
async def sign_in_form(request: Request) -> Response:
    """Show the sign-in form."""
    return page(request, "sign_in.html.j2", lang=page_language(request), problem=None)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Open a session: a person's with password and one-time code, or one with an API key."""
    parts, form = parts_of(request), await _form(request)

    def open_session() -> tuple[str, str]:
        if "key" in form:
            principal = parts.keys.authenticate(f"Bearer {form['key']}")
        else:
            login, password, code = (form.get(name, "") for name in ("login", "password", "code"))
            principal = persons.sign_in(parts, login, password, code)
        token = sessions.open_session(parts, principal)
        # Whatever session the browser came with is over: nobody can have planted the new one.
        sessions.close_session(parts, sessions.session_token(request))
        return principal.party, token

    try:
        party, token = await run_in_threadpool(open_session)
    except CarbonsealError as problem:
        status = status_of(problem)
        lang = page_language(request)
        refused = page(request, "sign_in.html.j2", lang=lang, status=status, problem=problem)
        if isinstance(problem, SignInBlocked):
            refused.headers["Retry-After"] = str(WINDOW_MS // 1000)
        return refused
    response = RedirectResponse(f"/pages/{party}", 303)
    sessions.set_cookie(response, request, token)
    return response


@router.get("/sign-in/password/{token}")
async def password_form(token: str, request: Request) -> Response:
    """Show the form that sets a person's password; looking at it spends nothing."""
    if not await run_in_threadpool(persons.link_is_good, parts_of(request), token[:100]):
        raise persons.LinkSpent(
            "link", "it was used before, or is older than three days", "ask for a new one"
        )
    return page(request, "password.html.j2", lang=page_language(request), problem=None)


@router.post("/sign-in/password/{token}")
async def set_password(token: str, request: Request) -> Response:
    """Set a person's password, once."""
    form, parts = await _form(request), parts_of(request)
    password = form.get("password", "")
    try:
        await run_in_threadpool(persons.set_password, parts, token[:100], password, form.get("again", ""))
    except RequestInvalid as problem:
        status = status_of(problem)
        return page(request, "password.html.j2", lang=page_language(request), status=status, problem=problem)
    return RedirectResponse("/sign-in", 303)


@router.get("/sign-in/once/{token}")
async def follow_link(token: str, request: Request) -> Response:
    """Open a session with a one-time link."""
    opened = await run_in_threadpool(sessions.follow_link, parts_of(request), token[:100])
    if opened is None:
        raise KeyMissing(
            "link", "it was used before, or is older than an hour", "sign in, or ask for a new one"
        )
    response = RedirectResponse("/", 303)
    sessions.set_cookie(response, request, opened)
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    await run_in_threadpool(sessions.close_session, parts_of(request), sessions.session_token(request))
    response = RedirectResponse("/sign-in", 303)
    sessions.delete_cookie(response, request)
    return response


@router.get("/pages/{party}")
async def organisation_page(
    party: str, request: Request, meter: str | None = None, days: str = "7"
) -> Response:
    """Show a party's home: for an enterprise meters, data code, load curve, emissions, reports, receipts."""
    principal = await sessions.visitor(request)
    principal.require_party(party)
    roles = await run_in_threadpool(_roles, parts_of(request), party)
    if "enterprise" not in roles:
        await note_look(request, principal, party)
        return await home_of(request, party, roles, principal)
    chosen = int(days) if days in {str(choice) for choice in views.CURVE_DAYS} else views.DEFAULT_DAYS
    return await _shown(
        request,
        party,
        "organisation.html.j2",
        lambda parts, words: views.organisation_page(parts, party, words, meter=meter, days=chosen),
    )


@router.get("/pages/{party}/reports/{digest}")
async def report_page(party: str, digest: str, request: Request) -> Response:
    """Show a filed report."""
    wanted = parse_digest(digest)
    return await _shown(
        request, party, "report.html.j2", lambda parts, _: views.report_page(parts, party, wanted)
    )


@router.get("/pages/{party}/reports/{digest}/{name}")
async def report_file(party: str, digest: str, name: str, request: Request) -> Response:
    """Return report.json, the PDF or the evidence bundle to a visitor who may see it; others are recorded."""
    principal = await sessions.visitor(request)
    parts, wanted = parts_of(request), parse_digest(digest)
    level = disclosure.EVIDENCE if name == "evidence.bundle" else disclosure.REPORT
    place = f"/organisations/{party}/reports/{digest}/{name[:40]}"
    await run_in_threadpool(disclosure.require_report, parts, principal, party, wanted, level, place)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": f'attachment; filename="{name}"'}
    if name == "report.json":
        data = await run_in_threadpool(reports.report_json, parts, party, wanted)
        return Response(data, media_type="application/json", headers=headers)
    if name == "report.pdf":
        data = await run_in_threadpool(reports.report_pdf, parts, party, wanted, page_language(request))
        return Response(data, media_type="application/pdf", headers=headers)
    if name == "evidence.bundle":
        file = await run_in_threadpool(bundle_file, parts, party, [wanted])
        return StreamingResponse(pieces(file), media_type="application/octet-stream", headers=headers)
    raise NotFound("name", "no such file", "see the links of the page")


@router.get("/pages/{party}/codes/{digest}")
async def code_page(party: str, digest: str, request: Request) -> Response:
    """Show a data code with its reasons and cures."""
    wanted = parse_digest(digest)

    def gather(parts: Parts, words: PageWording) -> dict[str, Any]:
        organisation = organisations.organisation(parts, party)
        code = quality.code_by_digest(parts, party, wanted)
        return {
            "organisation": organisation,
            "code": code,
            "figures": views.code_figures(code.figures, words),
        }

    return await _shown(request, party, "code.html.j2", gather)


@router.get("/pages/{party}/trace/{period}")
async def trace_page(party: str, period: str, request: Request, figure: str = "total/total") -> Response:
    """Show how a figure was made, down to its signed statements."""
    return await _shown(
        request, party, "trace.html.j2", lambda parts, _: views.trace_page(parts, party, period, figure)
    )


@router.get("/pages/{party}/statements/{digest}")
async def statement_page(party: str, digest: str, request: Request) -> Response:
    """Show a signed statement: header, content, receipt, checkpoint, epoch, anchor."""
    wanted = parse_digest(digest)

    def gather(parts: Parts, _: PageWording) -> dict[str, Any]:
        organisation = organisations.organisation(parts, party)
        return {"organisation": organisation, "view": evidence.statement_view(parts, party, wanted)}

    return await _shown(request, party, "statement.html.j2", gather)


@router.get("/static/{name}")
async def static_file(name: str) -> Response:
    """Return the style sheet, or the Chinese typeface for machines without one."""
    headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
    if name in STATIC:
        data = resources.files("carbonseal_api.web").joinpath("static", name).read_bytes()
        return Response(data, media_type=STATIC[name], headers=headers)
    if name == FONT:
        fonts = await run_in_threadpool(find_fonts)
        return Response(
            await run_in_threadpool(fonts.regular.read_bytes), media_type="font/ttf", headers=headers
        )
    raise NotFound("name", "no such file", "see the links of the page")


def problem_page(request: Request, problem: CarbonsealError) -> Response:
    """Return a refusal as a page; who is not signed in is sent to sign in."""
    if isinstance(problem, KeyMissing) and request.method == "GET" and "/once/" not in request.url.path:
        return RedirectResponse("/sign-in", 303, headers=HEADERS)
    return page(
        request, "problem.html.j2", lang=page_language(request), status=status_of(problem), problem=problem
    )


def _roles(parts: Parts, party: str) -> list[str]:
    return organisations.organisation(parts, party).roles


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form that stand in it once."""
    body = await read_body(request, MAX_FORM, what="form")
    try:
        fields = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=16)
    except ValueError as problem:
        raise RequestInvalid("form", "holds too many fields", "send the page's own form") from problem
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


async def _shown(
    request: Request, party: str, template: str, gather: Callable[[Parts, PageWording], dict[str, Any]]
) -> Response:
    principal = await sessions.visitor(request)
    await note_look(request, principal, party)
    lang = page_language(request)
    context = await run_in_threadpool(gather, parts_of(request), PageWording(lang))
    return page(request, template, lang=lang, party=party, **context)
