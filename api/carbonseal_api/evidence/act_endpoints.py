"""Routes by which an enterprise states what stands beside its readings, corrects them and takes things back.

Each signs with the enterprise's own key where this deployment may use it; elsewhere the enterprise signs at
its own desk and sends the statement to its log. The caller is the enterprise itself, never the log host's
staff.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.bounded_bodies import body_limit
from carbonseal_api.documented import Responses, problems
from carbonseal_api.evidence import correcting, declaring, documents, stated_views, withdrawing
from carbonseal_api.evidence.corrected_rows import MAX_FILE
from carbonseal_api.evidence.correction_schemas import (
    Correction,
    CorrectionEntry,
    CorrectionWish,
    Withdrawal,
    WithdrawalEntry,
    WithdrawalWish,
)
from carbonseal_api.evidence.disclosure import require_listing
from carbonseal_api.evidence.document_schemas import FiledDocument
from carbonseal_api.evidence.listing import Keyed, before_entry, cut
from carbonseal_api.evidence.media_types import MAX_NAME, TAKEN
from carbonseal_api.evidence.request_types import Digest
from carbonseal_api.evidence.stated_schemas import (
    BusinessRecord,
    BusinessWish,
    DeclaredValue,
    DeclareWish,
    Downgrade,
    DowngradeWish,
)
from carbonseal_api.incoming import caller, media_type, parts_of, read_body
from carbonseal_api.paging import Paging

router = APIRouter(prefix="/organisations/{party}", tags=["evidence"])
_REFUSALS = (400, 401, 403, 404, 409, 413, 415, 422, 503)
_FILE = {"schema": {"type": "string", "format": "binary"}}


def _acts(model: type[object]) -> Responses:
    known: Responses = {200: {"model": model, "description": "The very same stands already."}}
    return known | problems(*_REFUSALS)


@router.post(
    "/documents",
    status_code=201,
    summary="File a document",
    responses=_acts(FiledDocument),
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(TAKEN, _FILE)}},
)
async def file_document(
    party: str,
    request: Request,
    response: Response,
    title: Annotated[str, Query(max_length=200, description="What it is.", examples=["Bill 2026-01"])],
    name: Annotated[str, Query(max_length=MAX_NAME, description="File name.", examples=["bill.pdf"])],
    relates_to: Annotated[
        list[Digest] | None, Query(max_length=100, description="Statements of this organisation.")
    ] = None,
) -> FiledDocument:
    """Keep a bill, a laboratory report or a photo for its owner, and register its digest.

    The body is the file itself; its media type is compared with its bytes. Sent again it answers with the
    statement that stands.
    """
    (await caller(request)).require_party(party)
    parts = parts_of(request)
    stated = media_type(request, TAKEN, default="none")
    data = await read_body(request, parts.settings.max_document_bytes, what="document")

    def file() -> FiledDocument:
        return documents.file_document(
            parts,
            party,
            data,
            name=name,
            media_type=stated,
            title=title,
            relates_to=[bytes.fromhex(one) for one in relates_to or ()],
        )

    filed = await run_in_threadpool(file)
    response.status_code = 201 if filed.is_new else 200
    return filed


@router.post(
    "/declared-activity", status_code=201, summary="Declare an amount", responses=_acts(DeclaredValue)
)
async def declare_activity(
    party: str, wish: DeclareWish, request: Request, response: Response
) -> DeclaredValue:
    """State what a document says that a source stream used or made in whole civil months."""
    (await caller(request)).require_party(party)
    made = await run_in_threadpool(declaring.declare, parts_of(request), party, wish)
    response.status_code = 201 if made.is_new else 200
    return made


@router.get("/declared-activity", summary="Declared amounts", responses=problems(401, 403, 404, 422))
async def list_declared_activity(party: str, request: Request, page: Paging) -> list[DeclaredValue]:
    """Return the declared amounts, newest first, each with its document; withdrawn ones say by what."""
    principal, parts = await caller(request), parts_of(request)

    def listed() -> Keyed[DeclaredValue]:
        periods = require_listing(parts, principal, party, "declared-activity")
        return stated_views.declared_values(
            parts, party, periods=periods, limit=page.limit + 1, before=before_entry(page)
        )

    return cut(page, await run_in_threadpool(listed))


@router.post("/downgrades", status_code=201, summary="Downgrade a data source", responses=_acts(Downgrade))
async def downgrade_source(
    party: str, wish: DowngradeWish, request: Request, response: Response
) -> Downgrade:
    """State that in one month a later data source of the plan's order counts, and why."""
    (await caller(request)).require_party(party)
    made = await run_in_threadpool(declaring.downgrade, parts_of(request), party, wish)
    response.status_code = 201 if made.is_new else 200
    return made


@router.get("/downgrades", summary="Downgrades of data sources", responses=problems(401, 403, 404, 422))
async def list_downgrades(party: str, request: Request, page: Paging) -> list[Downgrade]:
    """Return the downgrades, newest first."""
    principal, parts = await caller(request), parts_of(request)

    def listed() -> Keyed[Downgrade]:
        periods = require_listing(parts, principal, party, "downgrades")
        return stated_views.downgrades(
            parts, party, periods=periods, limit=page.limit + 1, before=before_entry(page)
        )

    return cut(page, await run_in_threadpool(listed))


@router.post(
    "/business-records", status_code=201, summary="State a business figure", responses=_acts(BusinessRecord)
)
async def record_business_figure(
    party: str, wish: BusinessWish, request: Request, response: Response
) -> BusinessRecord:
    """State value added, output or revenue of whole civil months."""
    (await caller(request)).require_party(party)
    made = await run_in_threadpool(declaring.record_business, parts_of(request), party, wish)
    response.status_code = 201 if made.is_new else 200
    return made


@router.get("/business-records", summary="Business figures", responses=problems(401, 403, 404, 422))
async def list_business_records(party: str, request: Request, page: Paging) -> list[BusinessRecord]:
    """Return the figures about the business, newest first."""
    principal, parts = await caller(request), parts_of(request)

    def listed() -> Keyed[BusinessRecord]:
        periods = require_listing(parts, principal, party, "business-records")
        return stated_views.business_records(
            parts, party, periods=periods, limit=page.limit + 1, before=before_entry(page)
        )

    return cut(page, await run_in_threadpool(listed))


@router.post("/corrections", status_code=201, summary="Correct readings", responses=problems(*_REFUSALS))
@body_limit(MAX_FILE)
async def correct_readings(party: str, wish: CorrectionWish, request: Request) -> Correction:
    """State what some readings of one statement should have been; all others of it stay as they are."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(correcting.correct, parts_of(request), party, wish)


@router.get("/corrections", summary="Corrections", responses=problems(401, 403, 404, 422))
async def list_corrections(party: str, request: Request, page: Paging) -> list[CorrectionEntry]:
    """Return the corrections of the register log, newest first."""
    principal, parts = await caller(request), parts_of(request)

    def listed() -> Keyed[CorrectionEntry]:
        require_listing(parts, principal, party, "corrections")
        return correcting.corrections(parts, party, limit=page.limit + 1, before=before_entry(page))

    return cut(page, await run_in_threadpool(listed))


@router.post("/withdrawals", status_code=201, summary="Take a statement back", responses=problems(*_REFUSALS))
async def withdraw_statement(party: str, wish: WithdrawalWish, request: Request) -> Withdrawal:
    """Take back a report, a grant, a calibration, a stated value or a document; it stays visible."""
    (await caller(request)).require_party(party)
    return await run_in_threadpool(withdrawing.withdraw, parts_of(request), party, wish)


@router.get("/withdrawals", summary="Withdrawals", responses=problems(401, 403, 404, 422))
async def list_withdrawals(party: str, request: Request, page: Paging) -> list[WithdrawalEntry]:
    """Return the withdrawals of the register log, newest first."""
    principal, parts = await caller(request), parts_of(request)

    def listed() -> Keyed[WithdrawalEntry]:
        require_listing(parts, principal, party, "withdrawals")
        return withdrawing.withdrawals(parts, party, limit=page.limit + 1, before=before_entry(page))

    return cut(page, await run_in_threadpool(listed))
