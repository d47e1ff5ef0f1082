"""Routes about engagements: opinions on a report, what a body may verify, a log's head in an epoch's map."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.documented import problems
from carbonseal_api.engagements import service
from carbonseal_api.engagements.schemas import EngagementView, MapProofView, OpinionsView
from carbonseal_api.incoming import caller, parse_digest, parts_of
from carbonseal_api.paging import Paging
from carbonseal_api.reports import disclosure

router = APIRouter(tags=["engagements"])


@router.get("/engagements", summary="What the caller may verify", responses=problems(401, 403, 422))
async def list_engagements(request: Request, page: Paging) -> list[EngagementView]:
    """Return the reports that standing grants let the caller verify, and what it did about each."""
    principal = await caller(request)
    found = await run_in_threadpool(service.engagements, parts_of(request), principal)
    return page.cut(found, lambda one: (one.owner, one.report_digest))


@router.get(
    "/organisations/{party}/reports/{digest}/opinions",
    summary="Opinions on a report",
    responses=problems(401, 403, 404, 422),
)
async def list_opinions(party: str, digest: str, request: Request) -> OpinionsView:
    """Return the opinions on a report, newest first, withdrawn ones too, and what does not count as one."""
    principal = await caller(request)
    parts, wanted, path = parts_of(request), parse_digest(digest), request.url.path
    return await run_in_threadpool(_opinions, parts, principal, party, wanted, path)


@router.get(
    "/logs/{origin:path}/proofs/map",
    summary="A log's head in an epoch's map",
    responses=problems(404, 422),
)
async def get_map_proof(
    origin: str, request: Request, epoch: Annotated[int, Query(ge=1, le=2**48)]
) -> MapProofView:
    """Return the proof that the log's head stands in the map of an epoch; public, as checkpoints are."""
    return await run_in_threadpool(service.map_proof, parts_of(request), origin, epoch)


def _opinions(parts: Parts, principal: Principal, party: str, digest: bytes, resource: str) -> OpinionsView:
    disclosure.require_report(parts, principal, party, digest, disclosure.REPORT, resource)
    return service.shown_opinions(parts, digest)
