"""Routes about grants: the enterprise gives, lists and withdraws; a grantee lists what names it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.documented import problems
from carbonseal_api.grants import queries, service
from carbonseal_api.grants.refusals import GrantInvalid
from carbonseal_api.grants.schemas import GrantView, GrantWish, Published
from carbonseal_api.grants.standing import Grant
from carbonseal_api.incoming import caller, parse_digest, parts_of
from carbonseal_api.paging import Page, Paging
from carbonseal_attest.errors import QuantityInvalid
from carbonseal_attest.instants import parse_instant

router = APIRouter(tags=["grants"])

Reason = Annotated[str, Query(min_length=1, max_length=400, description="Kept in the withdrawal.")]


@router.post(
    "/organisations/{party}/grants",
    status_code=201,
    summary="Give a grant",
    responses=problems(401, 403, 404, 422, 503),
)
async def give_grant(party: str, wish: GrantWish, request: Request) -> GrantView:
    """Write the organisation's grant statement into its register log."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(_give, parts_of(request), party, wish)


@router.get("/organisations/{party}/grants", summary="Grants given", responses=problems(401, 403, 404, 422))
async def list_grants(party: str, request: Request, page: Paging) -> list[GrantView]:
    """Return the grants that the organisation gave, newest first, with what became of each."""
    (await caller(request)).require_party(party)
    parts = parts_of(request)
    given = await run_in_threadpool(service.given_by, parts, party)
    return [GrantView.of(grant, parts.clock()) for grant in page.cut(given, _order, newest_first=True)]


@router.delete(
    "/organisations/{party}/grants/{digest}",
    summary="Withdraw a grant",
    responses=problems(401, 403, 404, 422, 503),
)
async def withdraw_grant(
    party: str, digest: str, request: Request, reason: Reason = "withdrawn by its owner"
) -> GrantView:
    """Write the withdrawal; once it is answered, the grant lets nobody in. Twice changes nothing."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(_withdraw, parts_of(request), party, parse_digest(digest), reason)


@router.get("/grants", summary="Grants that name the caller", responses=problems(401, 403, 422))
async def list_received_grants(request: Request, page: Paging) -> list[GrantView]:
    """Return the grants that name the caller's organisation, newest first, with what became of each."""
    principal = await caller(request)
    parts = parts_of(request)
    received = await run_in_threadpool(service.given_to, parts, principal.party)
    return [GrantView.of(grant, parts.clock()) for grant in page.cut(received, _order, newest_first=True)]


@router.get("/published", summary="What enterprises show to everybody", responses=problems(422))
async def list_published(request: Request, page: Paging) -> list[Published]:
    """Return what was granted to everybody and stands now, newest first. Who reads it is not recorded."""
    return await run_in_threadpool(_published, parts_of(request), page)


def _order(grant: Grant) -> tuple[int, str]:
    return grant.registered_at, grant.digest.hex()


def _published(parts: Parts, page: Page) -> list[Published]:
    shown = []
    for grant in page.cut(service.published(parts), _order, newest_first=True):
        owner = queries.admitted(parts, grant.owner)
        if owner is not None:
            view = GrantView.of(grant, parts.clock())
            code = owner["org"]
            shown.append(
                Published(
                    credit_code=code,
                    name=owner["name"],
                    level=grant.level,
                    period=view.period,
                    until=view.valid.end,
                    statement_digest=view.statement_digest,
                    grade=None if code is None else f"/published/{code}/grade",
                )
            )
    return shown


def _give(parts: Parts, party: str, wish: GrantWish) -> GrantView:
    start = wish.valid.start
    body: dict[str, Any] = {
        "to": service.party_named(parts, wish.to),
        "purpose": wish.purpose,
        "level": wish.level,
        "period": {
            "start": _instant(wish.period.start, "period.start"),
            "end": _instant(wish.period.end, "period.end"),
        },
        "valid": {
            "start": parts.clock() if start is None else _instant(start, "valid.start"),
            "end": _instant(wish.valid.end, "valid.end"),
        },
    }
    statement = service.give(parts, party, body)
    return GrantView.of(service.by_digest(parts, party, statement.digest), parts.clock())


def _withdraw(parts: Parts, party: str, digest: bytes, reason: str) -> GrantView:
    service.withdraw(parts, party, digest, reason)
    return GrantView.of(service.by_digest(parts, party, digest), parts.clock())


def _instant(text: str, field: str) -> int:
    try:
        return parse_instant(text, field=field)
    except QuantityInvalid as refusal:
        raise GrantInvalid(refusal.field, refusal.reason, refusal.remedy) from refusal
