"""The static read side of logs (C2SP tlog-tiles) and the log host's keys (SCRAPI), over HTTP.

Checkpoints, hash tiles and keys are public and may lie in any cache; whoever serves the published copy's
folder or bucket by other means serves the same bytes under the same paths. Entry bundles show the headers of
statements, so they need a key of the log's owner or a grant; those of the log of logs are public. Every
answer has an ETag over its bytes.
"""

from __future__ import annotations

import hashlib
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import Responses, answers
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.logs import bundles, service
from carbonseal_api.logs.origins import allow_origin
from carbonseal_attest import cbor
from carbonseal_ledger.object_store import FOREVER, serving_headers

router = APIRouter(tags=["logs"])

CBOR: Final = "application/cbor"
OCTETS: Final = "application/octet-stream"
KEYS_CACHED: Final = "public, max-age=3600"
TO_ONE_CALLER: Final = "private, max-age=86400, immutable"
_UNCHANGED: Final[Responses] = {304: {"description": "As `If-None-Match` has it."}}


def cached(request: Request, data: bytes, media_type: str, caching: str) -> Response:
    """Return bytes with their ETag, or 304 without a body where the caller has them (RFC 9110 §13.1.2)."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


@router.get(
    "/logs/{origin:path}/checkpoint",
    summary="Newest published checkpoint",
    responses=answers("text/plain", "A signed note.", 400, 404) | _UNCHANGED,
    response_class=Response,
)
async def get_checkpoint(origin: str, request: Request) -> Response:
    """Return the newest checkpoint as a C2SP signed note; cached for seconds."""
    note = await run_in_threadpool(parts_of(request).host.checkpoint, origin)
    return cached(request, note.encode(), *serving_headers("checkpoint"))


@router.get(
    "/logs/{log_host}/epochs/tile/entries/{bundle_path:path}",
    summary="An entry bundle of the log of logs",
    responses=answers(OCTETS, "Entries, each after its length in two bytes.", 404, 422) | _UNCHANGED,
    response_class=Response,
)
async def get_epoch_bundle(log_host: str, bundle_path: str, request: Request) -> Response:
    """Return an entry bundle of the log of logs, which everybody may read."""
    parts, origin = parts_of(request), f"{log_host}/epochs"
    name = bundles.bundle_name(bundle_path)
    data = await run_in_threadpool(bundles.public_bundle, parts, origin, name)
    return cached(request, data, *serving_headers(str(name)))


@router.get(
    "/logs/{origin:path}/tile/entries/{bundle_path:path}",
    summary="An entry bundle",
    responses=answers(OCTETS, "Entries, each after its length in two bytes.", 401, 403, 404, 422)
    | _UNCHANGED,
    response_class=Response,
)
async def get_entry_bundle(origin: str, bundle_path: str, request: Request) -> Response:
    """Return an entry bundle (C2SP tlog-tiles) to the log's owner, or under a grant over its times."""
    principal, parts = await caller(request), parts_of(request)
    name = bundles.bundle_name(bundle_path)
    data = await run_in_threadpool(bundles.granted_bundle, parts, principal, origin, name)
    return cached(request, data, OCTETS, TO_ONE_CALLER)


@router.get(
    "/logs/{origin:path}/tile/{tile_path:path}",
    summary="A hash tile",
    responses=answers(OCTETS, "Hashes of 32 bytes.", 404, 422) | _UNCHANGED,
    response_class=Response,
)
async def get_hash_tile(origin: str, tile_path: str, request: Request) -> Response:
    """Return a hash tile as in C2SP tlog-tiles: `<level>/<index>` or `<level>/<index>.p/<width>`."""
    name = bundles.tile_name(f"tile/{tile_path}")
    data = await run_in_threadpool(service.tile, parts_of(request), origin, name)
    return cached(request, data, *serving_headers(str(name)))


@router.get(
    "/.well-known/scitt-keys",
    summary="Keys of the log host",
    responses=answers(CBOR, "A COSE_KeySet.") | _UNCHANGED,
    response_class=Response,
)
async def get_scitt_keys(request: Request) -> Response:
    """Return every log key, retired ones too, as a COSE_KeySet (SCRAPI); the present one stands first."""
    keys = await run_in_threadpool(service.log_keys, parts_of(request))
    return cached(request, cbor.encode([service.named_key(key) for key in keys]), CBOR, KEYS_CACHED)


@router.get(
    "/.well-known/scitt-keys/{kid}",
    summary="One key of the log host",
    responses=answers(CBOR, "A COSE_Key.", 404) | _UNCHANGED,
    response_class=Response,
)
async def get_scitt_key(kid: str, request: Request) -> Response:
    """Return the log key of a receipt's kid, written in base64url without padding (SCRAPI)."""
    key = await run_in_threadpool(service.log_key_of, parts_of(request), kid)
    return cached(request, cbor.encode(service.named_key(key)), CBOR, FOREVER)


@router.get(
    "/logs/{origin:path}/proofs/consistency-receipt",
    summary="Receipt of consistency",
    responses=answers(service.COSE, "A COSE receipt with a consistency proof.", 400, 404, 422),
    response_class=Response,
)
async def get_consistency_receipt(origin: str, request: Request, old_size: int) -> Response:
    """Return the log's word (RFC 9942) that its newest published head extends the head of `old_size`."""
    host = parts_of(request).host
    data = await run_in_threadpool(host.consistency_receipt, origin, old_size)
    return Response(data, media_type=service.COSE, headers={"Cache-Control": "no-store"})


@router.get(
    "/logs/{origin:path}/transparent-statements/{digest}",
    summary="A statement with its receipt",
    responses=answers(service.COSE, "A transparent statement (RFC 9943).", 401, 403, 404, 422),
    response_class=Response,
)
async def get_transparent_statement(origin: str, digest: str, request: Request) -> Response:
    """Return a logged statement that carries its receipt under label 394."""
    allow_origin(await caller(request), origin)
    data = await run_in_threadpool(service.transparent_statement, parts_of(request), origin, digest)
    return Response(data, media_type=service.COSE)
