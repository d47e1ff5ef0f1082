"""Routes of the logs. Endpoints only translate: raw bodies in, COSE, CBOR, tiles and notes out.

SCRAPI-shaped: `POST …/entries` answers 201 with the receipt (RFC 9942) and its `Location`, or 303 to the
receipt of the first registration when the statement is already logged, or 303 with `Retry-After` when the
registration takes longer than the caller waits. Checkpoints and tiles are in `tile_endpoints`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.documented import CBOR_BODY, COSE_BODY, Responses, answers, problems
from carbonseal_api.incoming import caller, media_type, parse_digest, parts_of, read_body
from carbonseal_api.logs import service
from carbonseal_api.logs.coalescing import Coalescer, Upload
from carbonseal_api.logs.origins import allow_origin
from carbonseal_api.logs.outlasting import lasting, patience_s, registration
from carbonseal_api.logs.schemas import (
    ConsistencyProofView,
    InclusionProofView,
    OpenedLog,
    ReceiptState,
    StreamHeadView,
)
from carbonseal_api.logs.submissions import decode_batch, decode_digests, decode_single, encode_outcomes
from carbonseal_api.operation.uploads import counted
from carbonseal_attest import cbor
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Outcome, Status, Submission

router = APIRouter(tags=["logs"])

COSE: Final = "application/cose"
CBOR: Final = "application/cbor"
CBOR_SEQUENCE: Final = "application/cbor-seq"
REGISTERED: Final[Responses] = {
    201: {"content": {COSE: {}}, "description": "Logged; the body is the receipt."},
    303: {
        "description": "Already logged, and `Location` has the receipt; or, with `Retry-After`, under way: "
        "ask there again."
    },
    **problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
}
OPENED: Final[Responses] = {
    200: {"model": OpenedLog, "description": "Open already, with this very genesis."},
    **problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
}
_T = TypeVar("_T")


@router.post(
    "/logs",
    status_code=201,
    summary="Open a log with a genesis made elsewhere",
    response_model=OpenedLog,
    responses=OPENED,
    openapi_extra={"requestBody": {"required": True, "content": {CBOR: {}}}},
)
async def open_log(request: Request) -> Response:
    """Open a log of the caller's party: CBOR [statement, content] of the genesis of its invitation."""
    principal, parts = await caller(request), parts_of(request)
    media_type(request, (CBOR,), default=CBOR)
    limit = parts.settings.max_statement_bytes + parts.settings.max_content_bytes
    item = decode_single(await read_body(request, limit, what="genesis"))
    opened = await run_in_threadpool(service.open_log, parts, principal, item)
    return JSONResponse(opened.model_dump(), 201 if opened.status == str(Status.ACCEPTED) else 200)


@router.post(
    "/logs/{origin:path}/entries:batch",
    summary="Register a batch of signed statements",
    responses=answers(CBOR, "One outcome an item, in order.", 400, 401, 403, 404, 413, 415, 422, 503),
    openapi_extra={"requestBody": CBOR_BODY},
    response_class=Response,
)
async def register_statements(origin: str, request: Request) -> Response:
    """Register a CBOR sequence of [statement, content or null]; a refusal keeps no other item out."""
    parts = parts_of(request)
    allow_origin(await caller(request), origin)
    media_type(request, (CBOR_SEQUENCE,), default=CBOR_SEQUENCE)
    settings = parts.settings
    body = await read_body(request, settings.max_batch_bytes, what="batch")

    def work() -> tuple[list[Outcome], bytes]:
        items = decode_batch(body, max_items=settings.max_batch_items)
        parts.holding.refuse_reports(items)
        outcomes = service.register_batch(parts, origin, items)
        return outcomes, encode_outcomes(outcomes)

    _, answer = await counted(request, _registering(parts, work), lambda done: done[0])
    return Response(answer, media_type=CBOR)


@router.post(
    "/logs/{origin:path}/entries",
    status_code=201,
    summary="Register one signed statement",
    responses=REGISTERED,
    openapi_extra={"requestBody": COSE_BODY},
    response_class=Response,
)
async def register_statement(origin: str, request: Request) -> Response:
    """Register one statement: COSE alone, or CBOR [statement, content]; `Prefer: return=minimal` is heard."""
    parts = parts_of(request)
    allow_origin(await caller(request), origin)
    stated = media_type(request, (COSE, CBOR), default=COSE)
    limit = parts.settings.max_statement_bytes
    if stated == CBOR:
        limit += parts.settings.max_content_bytes
    body = await read_body(request, limit, what="statement")
    is_minimal = "return=minimal" in request.headers.get("prefer", "")

    item = decode_single(body) if stated == CBOR else Submission(body)
    if parts.holding.is_known:
        parts.holding.refuse_reports([item])
    else:
        await run_in_threadpool(parts.holding.refuse_reports, [item])
    upload = _coalescer(request).register(origin, Upload(item, wants_receipt=not is_minimal))
    work = asyncio.ensure_future(counted(request, upload, lambda done: done[:1]))
    patience = patience_s(request.headers.get("prefer", ""), parts.settings.registration_wait_seconds)
    if not await lasting(request.app.state, parts, origin, item.statement, work, patience):
        outcome, receipt = await work
    else:
        digest = SignedStatement.parse(item.statement).digest
        return Response(status_code=303, headers=service.locator(origin, digest, is_under_way=True))
    service.refuse(outcome)
    headers = {
        **service.locator(origin, outcome.digest or b""),
        "Carbonseal-Entry-Index": str(outcome.index),
    }
    if outcome.lateness is not None:
        headers["Carbonseal-Lateness"] = str(outcome.lateness)
    if outcome.status is Status.DUPLICATE:
        return Response(status_code=303, headers=headers)
    return Response(receipt or b"", status_code=201, headers=headers, media_type=COSE if receipt else None)


@router.post(
    "/logs/{origin:path}/receipts:batch",
    summary="Receipts of many statements",
    responses=answers(CBOR, "Array of {receipt, state, index}, in order.", 401, 403, 404, 413, 415, 422),
    openapi_extra={"requestBody": {"required": True, "content": {CBOR: {}}}},
    response_class=Response,
)
async def get_receipts(origin: str, request: Request) -> Response:
    """Return receipts for an array of statement digests; null where there is none."""
    allow_origin(await caller(request), origin)
    media_type(request, (CBOR,), default=CBOR)
    body = await read_body(request, service.MAX_RECEIPTS * 40, what="digests")
    parts = parts_of(request)

    def work() -> bytes:
        return cbor.encode(
            service.receipts(parts, origin, decode_digests(body, max_items=service.MAX_RECEIPTS))
        )

    return Response(await run_in_threadpool(work), media_type=CBOR)


@router.get(
    "/logs/{origin:path}/receipts/{digest}/state",
    summary="Receipt state by name",
    responses=problems(401, 403, 404, 422),
)
async def get_receipt_state(origin: str, digest: str, request: Request) -> ReceiptState:
    """Return how far a statement has come: logged, witnessed, anchored or final."""
    allow_origin(await caller(request), origin)
    return await run_in_threadpool(service.receipt_state, parts_of(request), origin, parse_digest(digest))


@router.get(
    "/logs/{origin:path}/receipts/{digest}/extended",
    summary="Receipt extended to the anchored head",
    responses=answers(CBOR, "An extended receipt (docs/spec/extended-receipt.md).", 401, 403, 404, 409, 422),
    response_class=Response,
)
async def get_extended_receipt(
    origin: str,
    digest: str,
    request: Request,
    *,
    tree_size: Annotated[
        int | None, Query(ge=2, description="Of the log of logs, to end in; by default the newest anchored.")
    ] = None,
    with_evidence: Annotated[bool, Query(description="Add the chain's offline evidence.")] = False,
    trusted_block: Annotated[
        int | None, Query(ge=0, description="Number of the block that the reader's trust file names.")
    ] = None,
) -> Response:
    """Return a receipt with map proof and log of logs, at most 3 KB; evidence comes on top."""
    allow_origin(await caller(request), origin)
    data, state = await run_in_threadpool(
        service.extended_receipt,
        parts_of(request),
        origin,
        parse_digest(digest),
        tree_size,
        with_evidence=with_evidence,
        trusted_block=trusted_block,
    )
    return Response(data, media_type=CBOR, headers={"Carbonseal-Receipt-State": state})


@router.get(
    "/logs/{origin:path}/receipts/{digest}",
    summary="Receipt of a statement",
    responses=answers(COSE, "A COSE receipt, made on demand.", 401, 403, 404, 422),
    response_class=Response,
)
async def get_receipt(origin: str, digest: str, request: Request) -> Response:
    """Return the receipt of a statement digest at the newest published size, its state in a header."""
    allow_origin(await caller(request), origin)
    data, state = await run_in_threadpool(
        service.receipt_with_state, parts_of(request), origin, parse_digest(digest)
    )
    return Response(data, media_type=COSE, headers={"Carbonseal-Receipt-State": state})


@router.get(
    "/logs/{origin:path}/entries/{digest}",
    summary="What became of a statement that was sent",
    responses=answers(COSE, "A COSE receipt: it is logged.", 401, 403, 404, 409, 410, 413, 422, 429)
    | {302: {"description": "Under way: ask again after `Retry-After`."}},
    response_class=Response,
)
async def get_registration(origin: str, digest: str, request: Request) -> Response:
    """Return what became of a statement that was sent (SCRAPI): receipt, 302, or why it was refused."""
    allow_origin(await caller(request), origin)
    parts, wanted = parts_of(request), parse_digest(digest)
    found = await run_in_threadpool(registration, parts, origin, wanted)
    headers = service.locator(origin, wanted, is_under_way=found is None)
    if found is None:
        return Response(status_code=302, headers=headers)
    receipt, state = found
    return Response(receipt, media_type=COSE, headers=headers | {"Carbonseal-Receipt-State": state})


@router.get(
    "/logs/{origin:path}/entries",
    summary="Entries of a range",
    responses=answers(CBOR, "Array of [index, statement].", 400, 401, 403, 404, 422),
    response_class=Response,
)
async def list_entries(
    origin: str, request: Request, start: Annotated[int, Query(ge=0)], end: Annotated[int, Query(ge=0)]
) -> Response:
    """Return the entries [start, end), at most 1,000 of them."""
    allow_origin(await caller(request), origin)
    found = await run_in_threadpool(service.entries, parts_of(request), origin, start, end)
    return Response(cbor.encode(found), media_type=CBOR)


@router.get(
    "/logs/{origin:path}/streams", summary="Where the streams stand", responses=problems(401, 403, 404, 422)
)
async def list_streams(origin: str, request: Request, kid: str | None = None) -> list[StreamHeadView]:
    """Return the head of each stream, of one key (`kid` in hex) or of all."""
    allow_origin(await caller(request), origin)
    wanted = None if kid is None else parse_digest(kid, "kid")
    return await run_in_threadpool(service.streams, parts_of(request), origin, wanted)


@router.get(
    "/logs/{origin:path}/proofs/inclusion", summary="Inclusion proof", responses=problems(400, 404, 422)
)
async def get_inclusion_proof(
    origin: str,
    request: Request,
    index: Annotated[int, Query(ge=0)],
    tree_size: Annotated[int | None, Query(ge=1)] = None,
) -> InclusionProofView:
    """Return the RFC 9162 inclusion path of an index, at a tree size or the newest."""
    return await run_in_threadpool(service.inclusion, parts_of(request), origin, index, tree_size)


@router.get(
    "/logs/{origin:path}/proofs/consistency", summary="Consistency proof", responses=problems(400, 404, 422)
)
async def get_consistency_proof(
    origin: str,
    request: Request,
    old_size: Annotated[int, Query(ge=1)],
    new_size: Annotated[int | None, Query(ge=1)] = None,
) -> ConsistencyProofView:
    """Return the RFC 9162 consistency path between two sizes, the newer one by default the newest."""
    return await run_in_threadpool(service.consistency, parts_of(request), origin, old_size, new_size)


def _coalescer(request: Request) -> Coalescer:
    state = request.app.state
    if not hasattr(state, "coalescer"):
        parts = parts_of(request)
        state.coalescer = Coalescer(parts.host, parts.registration_pool)
    made: Coalescer = state.coalescer
    return made


async def _registering(parts: Parts, work: Callable[[], _T]) -> _T:
    # Registrations wait in their own threads for the ledger's group commit, so that reads are never
    # queued behind them.
    return await asyncio.get_running_loop().run_in_executor(parts.registration_pool, work)
