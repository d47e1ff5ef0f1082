"""Who reaches an organisation's own things: its accounts, and supervision, whose looks are recorded for it.

For routes that no grant opens. Where grants count, `grants.service` decides and records alike.
"""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.authentication import Principal
from carbonseal_api.grants.service import note_query
from carbonseal_api.incoming import caller, parts_of


async def reaching(request: Request, party: str) -> Principal:
    """Return the caller who may see an organisation; a look from elsewhere is recorded before this returns.

    Raises:
        KeyMissing, KeyUnknown: Not authenticated.
        NotFound: The organisation is another one; whether it exists is not said.
    """
    principal = await caller(request)
    await note_look(request, principal, party)
    return principal


async def note_look(request: Request, principal: Principal, party: str) -> None:
    """Refuse a caller who may not see an organisation, and record a look from elsewhere for it.

    Raises:
        NotFound: The organisation is another one; whether it exists is not said.
    """
    principal.require_party(party)
    if principal.party != party:
        place = request.url.path
        await run_in_threadpool(note_query, parts_of(request), principal, party, resource=place)
