"""Routes about contents, document files and statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import ANY_BODY, answers, problems
from carbonseal_api.evidence import disclosure, documents, service
from carbonseal_api.evidence.document_schemas import DocumentEntry
from carbonseal_api.evidence.listing import Keyed, before_file, cut
from carbonseal_api.evidence.schemas import StatementView, StoredContent
from carbonseal_api.incoming import caller, parse_digest, parts_of, read_body
from carbonseal_api.paging import Paging
from carbonseal_attest.instants import Interval

router = APIRouter(tags=["evidence"])


@router.put(
    "/contents/{digest}",
    status_code=201,
    summary="Store a content before its statement",
    responses=problems(400, 401, 403, 404, 410, 413, 422, 429),
    openapi_extra={"requestBody": ANY_BODY},
)
async def put_content(
    digest: str, request: Request, origin: Annotated[str, Query(description="The log whose owner keeps it.")]
) -> StoredContent:
    """Store the bytes whose SHA-256 is `digest`."""
    principal = await caller(request)
    parts = parts_of(request)
    data = await read_body(request, parts.settings.max_content_bytes, what="content")
    return await run_in_threadpool(service.put_content, parts, principal, parse_digest(digest), data, origin)


@router.get(
    "/contents/{digest}",
    summary="Read a content",
    responses=answers("application/cbor", "The bytes.", 401, 403, 404, 410, 422),
    response_class=Response,
)
async def get_content(digest: str, request: Request) -> Response:
    """Return a content to its owner, re-hashed on the way out."""
    principal = await caller(request)
    data = await run_in_threadpool(service.get_content, parts_of(request), principal, parse_digest(digest))
    return Response(data, media_type="application/cbor")


@router.put(
    "/organisations/{party}/documents/{digest}",
    status_code=201,
    summary="Keep a document file",
    responses=problems(401, 403, 404, 413, 422),
    openapi_extra={"requestBody": ANY_BODY},
)
async def put_document(
    party: str, digest: str, request: Request, name: Annotated[str, Query(max_length=120)]
) -> StoredContent:
    """Keep the file that a `document` statement signed, for its owner."""
    (await caller(request)).require_party(party)
    parts = parts_of(request)
    data = await read_body(request, parts.settings.max_document_bytes, what="document")
    stated = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    return await run_in_threadpool(
        service.put_document, parts, party, parse_digest(digest), data, name, stated
    )


@router.get("/organisations/{party}/documents", summary="Documents", responses=problems(401, 403, 404, 422))
async def list_documents(party: str, request: Request, page: Paging) -> list[DocumentEntry]:
    """Return the organisation's documents, newest first: their statements, and which others rest on them.

    Under a grant, a page holds what belongs to its period and may be shorter than others.
    """
    principal, parts = await caller(request), parts_of(request)

    def listed() -> Keyed[DocumentEntry | None]:
        periods = disclosure.require_listing(parts, principal, party, "documents")
        return documents.documents(
            parts, party, limit=page.limit + 1, before=before_file(page), periods=periods
        )

    return [entry for entry in cut(page, await run_in_threadpool(listed)) if entry is not None]


@router.get(
    "/organisations/{party}/documents/{digest}",
    summary="Read a document file",
    responses=answers("*/*", "The bytes, of the media type that was stated.", 401, 403, 404, 422),
    response_class=Response,
)
async def get_document(party: str, digest: str, request: Request) -> Response:
    """Return a document file. It is always offered as a download, never shown by the browser itself."""
    principal, parts, wanted = await caller(request), parts_of(request), parse_digest(digest)

    def read() -> Mapping[str, Any]:
        resource = f"documents/{digest}"
        disclosure.require(
            parts, principal, party, resource, lambda: disclosure.times_of_file(parts, party, wanted)
        )
        return service.get_document(parts, party, wanted)

    row = await run_in_threadpool(read)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(row["data"], media_type=row["media_type"], headers=headers)


@router.get(
    "/organisations/{party}/statements/{digest}",
    summary="A statement taken apart",
    responses=problems(401, 403, 404, 422),
)
async def get_statement(party: str, digest: str, request: Request) -> StatementView:
    """Return a statement's header, content, receipt, checkpoint, epoch, anchor and links."""
    principal, parts, wanted = await caller(request), parts_of(request), parse_digest(digest)

    def read() -> StatementView:
        def times() -> Collection[Interval] | None:
            return disclosure.times_of_entry(parts, party, service.find_entry(parts, party, wanted))

        disclosure.require(parts, principal, party, f"statements/{digest}", times)
        return service.statement_view(parts, party, wanted)

    return await run_in_threadpool(read)
