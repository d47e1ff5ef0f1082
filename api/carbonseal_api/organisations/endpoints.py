"""Routes about organisations and their API keys."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.organisations import service
from carbonseal_api.organisations.schemas import IssuedKey, KeyDescription, KeyRequest, Organisation
from carbonseal_api.paging import Paging

router = APIRouter(prefix="/organisations", tags=["organisations"])


@router.get("", summary="Organisations that the key may see", responses=problems(401, 403, 422))
async def list_organisations(request: Request, page: Paging) -> list[Organisation]:
    """Return the caller's organisation; in a role that reaches everywhere, all of them."""
    principal = await caller(request)
    found = await run_in_threadpool(service.visible, parts_of(request), principal)
    return page.cut(found, lambda one: (one.party,))


@router.get(
    "/by-credit-code/{credit_code}",
    summary="One organisation by its credit code",
    responses=problems(400, 401, 403, 404),
)
async def find_organisation(credit_code: str, request: Request) -> Organisation:
    """Return the party with a unified social credit code (GB 32100-2015, 18 characters)."""
    principal = await caller(request)
    return await run_in_threadpool(service.by_credit_code, parts_of(request), principal, credit_code)


@router.get("/{party}", summary="One organisation", responses=problems(401, 403, 404))
async def get_organisation(party: str, request: Request) -> Organisation:
    """Return a party as the registrar admitted it."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(service.organisation, parts_of(request), party)


@router.get("/{party}/api-keys", summary="API keys", responses=problems(401, 403, 404, 422))
async def list_api_keys(party: str, request: Request, page: Paging) -> list[KeyDescription]:
    """Return the organisation's keys, newest first; secrets are never shown again."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(service.keys, parts_of(request), party, page)


@router.post(
    "/{party}/api-keys", status_code=201, summary="Make an API key", responses=problems(401, 403, 404, 422)
)
async def make_api_key(party: str, wish: KeyRequest, request: Request, response: Response) -> IssuedKey:
    """Make a key; the answer is the only place where it is ever shown."""
    principal = await caller(request)
    principal.require_party(party)
    response.headers["Cache-Control"] = "no-store"
    return await run_in_threadpool(service.issue_key, parts_of(request), principal, party, wish)


@router.delete(
    "/{party}/api-keys/{key_id}",
    status_code=204,
    summary="Withdraw an API key",
    responses=problems(401, 403, 404),
)
async def withdraw_api_key(party: str, key_id: str, request: Request) -> None:
    """Make a key useless, within two seconds for callers in mid-flight."""
    (await caller(request)).require_party(party)
    await run_in_threadpool(parts_of(request).keys.withdraw, key_id, party)
