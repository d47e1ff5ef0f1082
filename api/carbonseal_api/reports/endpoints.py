"""Routes about emissions reports: figures, report.json, PDF, evidence bundle."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.documented import answers, problems
from carbonseal_api.incoming import Language, caller, language_of, parse_digest, parts_of
from carbonseal_api.paging import Page, Paging
from carbonseal_api.reports import disclosure, service
from carbonseal_api.reports.bundle_files import bundle_file, pieces
from carbonseal_api.reports.schemas import FiledReport
from carbonseal_attest.bundle_layout import MAX_REPORTS

TrustedBlock = Annotated[
    int | None, Query(ge=1, le=2**53, description="number of the block that the reader's trust file names")
]
Also = Annotated[
    tuple[str, ...],
    Query(max_length=MAX_REPORTS - 1, description="statement digests of further reports, in one bundle"),
]

router = APIRouter(prefix="/organisations/{party}/reports", tags=["reports"])


@router.get("", summary="Filed emissions reports", responses=problems(401, 403, 404, 422))
async def list_reports(party: str, request: Request, page: Paging) -> list[FiledReport]:
    """Return the organisation's emissions reports as their statements say, newest first."""
    principal = await caller(request)
    return await run_in_threadpool(_list, parts_of(request), principal, party, request.url.path, page)


@router.get("/{digest}", summary="One filed report", responses=problems(401, 403, 404, 422))
async def get_report(party: str, digest: str, request: Request) -> FiledReport:
    """Return the report of a statement digest."""
    wanted = await _allowed(request, party, digest, disclosure.REPORT)
    return await run_in_threadpool(service.report, parts_of(request), party, wanted)


@router.get(
    "/{digest}/report.json",
    summary="report.json",
    responses=answers("application/json", "The bytes that were signed.", 401, 403, 404, 422),
    response_class=Response,
)
async def get_report_json(party: str, digest: str, request: Request) -> Response:
    """Return report.json, byte for byte as its statement signed it."""
    wanted = await _allowed(request, party, digest, disclosure.REPORT)
    data = await run_in_threadpool(service.report_json, parts_of(request), party, wanted)
    return Response(data, media_type="application/json")


@router.get(
    "/{digest}/report.pdf",
    summary="The PDF",
    responses=answers("application/pdf", "With the proofs as they stand now.", 401, 403, 404, 422, 503),
    response_class=Response,
)
async def get_report_pdf(party: str, digest: str, request: Request, lang: Language = None) -> Response:
    """Return the PDF, in the language asked for."""
    wanted = await _allowed(request, party, digest, disclosure.REPORT)
    wished = lang or language_of(request)
    data = await run_in_threadpool(service.report_pdf, parts_of(request), party, wanted, wished)
    return Response(data, media_type="application/pdf")


@router.get(
    "/{digest}/evidence.bundle",
    summary="The evidence bundle",
    responses=answers(
        "application/octet-stream", "Checked by carbonseal-verifier.", 400, 401, 403, 404, 409, 422, 503
    ),
    response_class=Response,
)
async def get_bundle(
    party: str, digest: str, request: Request, also: Also = (), trusted_block: TrustedBlock = None
) -> Response:
    """Return the evidence bundle of a report as the ledger stands now, proved up to a trusted block.

    With `also`, one bundle about several reports.
    """
    wanted = [await _allowed(request, party, one, disclosure.EVIDENCE) for one in (digest, *also)]
    file = await run_in_threadpool(bundle_file, parts_of(request), party, wanted, trusted_block)
    headers = {"Content-Disposition": 'attachment; filename="evidence.bundle"'}
    return StreamingResponse(pieces(file), media_type="application/octet-stream", headers=headers)


async def _allowed(request: Request, party: str, digest: str, level: str) -> bytes:
    """Return the digest of a report that the caller may see at a level; others' queries are recorded."""
    principal, wanted = await caller(request), parse_digest(digest)
    parts, path = parts_of(request), request.url.path
    await run_in_threadpool(disclosure.require_report, parts, principal, party, wanted, level, path)
    return wanted


def _list(parts: Parts, principal: Principal, party: str, resource: str, page: Page) -> list[FiledReport]:
    granted = disclosure.require_listing(parts, principal, party, resource)
    return service.reports_page(parts, party, page, lambda span: disclosure.is_within(span, granted))
