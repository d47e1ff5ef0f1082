"""Routes about carbon-asset records and the acts on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assets import agreement, service, views
from carbonseal_api.assets.schemas import ActView, AgreementView, RecordLineage, RecordView
from carbonseal_api.assets.service import Actor
from carbonseal_api.assets.wishes import AnyWish
from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parse_digest, parts_of
from carbonseal_api.paging import Paging

router = APIRouter(prefix="/assets", tags=["assets"])

Holder = Annotated[
    str | None,
    Query(
        max_length=60, description="Party code; left out: the caller's own, or all where the role sees all."
    ),
]


@router.get("", summary="Carbon-asset records", responses=problems(401, 403, 404, 422))
async def list_asset_records(request: Request, page: Paging, holder: Holder = None) -> list[RecordView]:
    """Return who holds which serials of which official registry.

    The caller's own; for regulator and registrar all. A bank names the holder and needs its grant.
    """
    principal = await caller(request)
    found = await run_in_threadpool(views.records, parts_of(request), principal, holder)
    return page.cut(found, lambda one: (one.registry, one.batch, one.first, one.last))


@router.get("/acts", summary="Acts on records", responses=problems(401, 403, 404, 422, 503))
async def list_asset_acts(request: Request, page: Paging) -> list[ActView]:
    """Return the acts on the caller's records, newest first; for regulator and registrar all."""
    principal = await caller(request)
    found = await run_in_threadpool(views.acts, parts_of(request), principal)
    return page.cut(found, lambda one: (int(one.id),), newest_first=True)


@router.post(
    "/acts",
    status_code=201,
    summary="Propose an act",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def propose_asset_act(
    request: Request,
    wish: Annotated[
        AnyWish,
        Body(
            openapi_examples={
                "record": {
                    "value": {
                        "act": "record",
                        "registry": "CCER",
                        "batch": "2026-0007",
                        "first": 1,
                        "last": 1000,
                        "verification_report": "7f" * 32,
                    }
                },
                "split": {"value": {"act": "split", "record": "0a" * 32, "last_of_left": 400}},
                "move": {
                    "value": {
                        "act": "move",
                        "record": "0a" * 32,
                        "to": "e-aaaabbbbccccdddd",
                        "reference": "CCER-TX-2026-000417",
                    }
                },
                "retire": {
                    "value": {"act": "retire", "record": "0a" * 32, "reference": "CCER-RT-2026-000031"}
                },
            }
        ),
    ],
) -> ActView:
    """Propose an act for the caller's organisation: the first of its two persons.

    What speaks against it is refused before anything is sent, each reason with its own code.
    """
    principal = await caller(request)
    parts = parts_of(request)
    row = await run_in_threadpool(service.propose, parts, Actor.of(principal), wish)
    return await run_in_threadpool(views.act, parts, row)


@router.post(
    "/acts/{act_id}/confirm", summary="Confirm an act", responses=problems(401, 403, 404, 409, 422, 503)
)
async def confirm_asset_act(request: Request, act_id: str) -> ActView:
    """Confirm an act as the registrar: the second of its two persons.

    It is mined and mirrored when this answers, or soon after.
    """
    principal = await caller(request)
    parts = parts_of(request)
    row = await run_in_threadpool(service.confirm, parts, Actor.of(principal), act_id)
    return await run_in_threadpool(views.act, parts, row)


@router.get(
    "/agreement", summary="Whether contract, database and log agree", responses=problems(401, 403, 503)
)
async def get_asset_agreement(request: Request) -> AgreementView:
    """Return the newest comparison. While it finds a difference nothing moves."""
    principal = await caller(request)
    parts = parts_of(request)
    return await run_in_threadpool(agreement.newest, parts, service.chain_of(parts), principal)


@router.get("/{record_id}", summary="One record with its way", responses=problems(401, 403, 404, 422))
async def get_asset_record(record_id: str, request: Request) -> RecordLineage:
    """Return a record with its history, transactions, receipt states, and what it rests on."""
    principal = await caller(request)
    digest = parse_digest(record_id, "record_id")
    return await run_in_threadpool(views.record, parts_of(request), principal, digest)
