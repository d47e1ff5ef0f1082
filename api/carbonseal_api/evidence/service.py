"""Contents, and document files under their digest; filing a document with its statement is `documents`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.evidence import disclosure, queries, statement_queries
from carbonseal_api.evidence.media_types import TAKEN, check_file_name, check_media_type
from carbonseal_api.evidence.schemas import StoredContent
from carbonseal_api.evidence.statement_views import find_entry, statement_view
from carbonseal_api.grants.refusals import GrantExpired, GrantMissing, GrantWithdrawn
from carbonseal_api.logs.origins import party_of
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.contents import KINDS, parse_content
from carbonseal_attest.instants import Interval

__all__ = ["find_entry", "get_content", "get_document", "put_content", "put_document", "statement_view"]

_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")


def put_content(parts: Parts, principal: Principal, digest: bytes, data: bytes, origin: str) -> StoredContent:
    """Store a content that a statement will sign, before its receipt.

    Raises:
        ContentRefused: Too large, erased earlier, or the bytes do not give the digest.
        RateLimited: The log has taken its bytes for today.
    """
    if not principal.sees_all:
        principal.require_party(party_of(origin), "origin")
    is_new = parts.host.put_content(origin, digest, data)
    party = party_of(origin)
    spans = parts.host.policies(party).spans
    following = {kind for span in spans for kind, is_first in span.policy.kinds.items() if not is_first}
    if is_new and following:
        parts.projections.take_late(origin, party, following, digest)
    return StoredContent(digest=digest.hex(), size=len(data), is_new=is_new)


def get_content(parts: Parts, principal: Principal, digest: bytes) -> bytes:
    """Return a content to its owner, or under a grant at level evidence of its period.

    Raises:
        NotFound: No such content for this caller; it is not said whether there is one.
    """
    origin = parts.host.contents.origin_of(digest)
    refusal = NotFound(
        "digest", "no such content for this key", "use the key of the organisation that owns it"
    )
    if origin is None:
        raise refusal
    owner = party_of(origin)
    resource = f"contents/{digest.hex()}"
    try:
        disclosure.require(parts, principal, owner, resource, lambda: _times_of(parts, owner, digest))
    except (NotFound, GrantMissing, GrantWithdrawn, GrantExpired) as missing:
        raise refusal from missing
    return parts.host.contents.get(digest)


def _times_of(parts: Parts, owner: str, digest: bytes) -> Collection[Interval] | None:
    content = parse_content(parts.host.contents.get(digest))
    if content.interval is not None:
        return [content.interval]
    if content.kind == "document":
        signed = statement_queries.signing(parts.engine, owner, digest)
        return disclosure.times_of_documents(parts, owner, signed, [])
    return None if KINDS[content.kind].log != "data" else []


def put_document(
    parts: Parts, party: str, digest: bytes, data: bytes, name: str, media_type: str
) -> StoredContent:
    """Keep the file of a `document` statement for its owner.

    Raises:
        RequestInvalid: The bytes do not give the digest, or the media type is malformed.
        FileRefused: The name is no plain file name.
        MediaTypeContradicted: The bytes are not of the media type.
    """
    if hashlib.sha256(data).digest() != digest:
        raise RequestInvalid(
            "digest", "is not the SHA-256 of the body", "send the very bytes that were signed"
        )
    check_file_name(name)
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise RequestInvalid("content-type", "is not a media type", "write one such as application/pdf")
    if media_type in TAKEN:
        check_media_type(data, media_type)
    row = {
        "digest": digest,
        "party": party,
        "name": name,
        "media_type": media_type,
        "stored_at": parts.clock(),
        "data": data,
    }
    return StoredContent(
        digest=digest.hex(), size=len(data), is_new=queries.store_document(parts.engine, row)
    )


def get_document(parts: Parts, party: str, digest: bytes) -> Mapping[str, Any]:
    """Return a document file as {name, media_type, data}.

    Raises:
        NotFound: The organisation keeps no such file here.
    """
    row = queries.document(parts.engine, party, digest)
    if row is None:
        raise NotFound("digest", "no such document", "list the documents of the organisation")
    return row
