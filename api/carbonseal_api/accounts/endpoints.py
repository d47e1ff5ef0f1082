"""Routes about the accounts of an organisation: its OAuth2 clients and its persons."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.accounts import clients, persons
from carbonseal_api.accounts.giving import roles_to_give
from carbonseal_api.accounts.models import Client, Person
from carbonseal_api.accounts.schemas import (
    ClientDescription,
    ClientRequest,
    IssuedClient,
    NewPerson,
    PersonDescription,
    PersonRequest,
)
from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.paging import Paging
from carbonseal_attest.instants import format_instant

router = APIRouter(prefix="/organisations/{party}", tags=["accounts"])


@router.get("/clients", summary="OAuth2 clients", responses=problems(401, 403, 404, 422))
async def list_clients(party: str, request: Request, page: Paging) -> list[ClientDescription]:
    """Return the organisation's clients, newest first; secrets are never shown again."""
    (await caller(request)).require_party(party)
    rows = await run_in_threadpool(clients.clients_of, parts_of(request), party)
    shown = page.cut(rows, lambda row: (row.created_at, row.client_id), newest_first=True)
    return [_client(row) for row in shown]


@router.post(
    "/clients", status_code=201, summary="Make an OAuth2 client", responses=problems(401, 403, 404, 422)
)
async def add_client(party: str, wish: ClientRequest, request: Request, response: Response) -> IssuedClient:
    """Make a client; the answer is the only place where its secret is ever shown."""
    principal = await caller(request)
    principal.require_party(party)
    response.headers["Cache-Control"] = "no-store"
    parts = parts_of(request)

    def work() -> IssuedClient:
        roles = roles_to_give(parts, principal, party, wish.roles)
        return IssuedClient(**asdict(clients.add_client(parts, party, roles, wish.label)), label=wish.label)

    return await run_in_threadpool(work)


@router.delete(
    "/clients/{client_id}",
    status_code=204,
    summary="Withdraw an OAuth2 client",
    responses=problems(401, 403, 404),
)
async def withdraw_client(party: str, client_id: str, request: Request) -> None:
    """Make a client useless, and its tokens within two seconds."""
    (await caller(request)).require_party(party)
    await run_in_threadpool(clients.withdraw_client, parts_of(request), client_id, party)


@router.get("/persons", summary="Persons", responses=problems(401, 403, 404, 422))
async def list_persons(party: str, request: Request, page: Paging) -> list[PersonDescription]:
    """Return the persons of the organisation, newest first, with those who left."""
    (await caller(request)).require_party(party)
    rows = await run_in_threadpool(persons.persons_of, parts_of(request), party)
    shown = page.cut(rows, lambda row: (row.created_at, row.person_id), newest_first=True)
    return [_person(row) for row in shown]


@router.post("/persons", status_code=201, summary="Add a person", responses=problems(401, 403, 404, 409, 422))
async def add_person(party: str, wish: PersonRequest, request: Request, response: Response) -> NewPerson:
    """Add a person; the answer is the only place where link and code secret are ever shown."""
    principal = await caller(request)
    principal.require_party(party)
    response.headers["Cache-Control"] = "no-store"
    parts = parts_of(request)

    def work() -> NewPerson:
        roles = roles_to_give(parts, principal, party, wish.roles)
        return NewPerson(**asdict(persons.add_person(parts, party, wish.login, roles)))

    return await run_in_threadpool(work)


@router.delete(
    "/persons/{person_id}", status_code=204, summary="Withdraw a person", responses=problems(401, 403, 404)
)
async def withdraw_person(party: str, person_id: str, request: Request) -> None:
    """End a person's sign-in and sessions at once."""
    (await caller(request)).require_party(party)
    await run_in_threadpool(persons.withdraw_person, parts_of(request), person_id, party)


def _client(row: Client) -> ClientDescription:
    return ClientDescription(
        client_id=row.client_id,
        roles=list(row.roles),
        label=row.label,
        created_at=format_instant(row.created_at),
        withdrawn_at=None if row.withdrawn_at is None else format_instant(row.withdrawn_at),
    )


def _person(row: Person) -> PersonDescription:
    return PersonDescription(
        person_id=row.person_id,
        login=row.login,
        roles=list(row.roles),
        has_password=row.password is not None,
        created_at=format_instant(row.created_at),
        withdrawn_at=None if row.withdrawn_at is None else format_instant(row.withdrawn_at),
    )
