"""Contents, document files, and statements taken apart for reading."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.evidence import queries
from carbonseal_api.evidence.schemas import (
    AnchorView,
    DocumentDescription,
    EpochView,
    StatementHead,
    StatementView,
    StoredContent,
)
from carbonseal_api.logs.service import party_of
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_api.projections.replay import json_value
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import format_decimal
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import Header, SignedStatement
from carbonseal_ledger.errors import EntryUnknown, LogUnknown
from carbonseal_ledger.outcomes import LoggedEntry

_NAME: Final = re.compile(r"[^\x00-\x1f/\\]{1,120}")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")


def put_content(parts: Parts, principal: Principal, digest: bytes, data: bytes, origin: str) -> StoredContent:
    """Store a content that a statement will sign, before its receipt.

    Raises:
        ContentRefused: Too large, erased earlier, or the bytes do not give the digest.
    """
    if not principal.sees_all:
        principal.require_party(party_of(origin), "origin")
    is_new = parts.host.contents.put(digest, data, origin=origin)
    return StoredContent(digest=digest.hex(), size=len(data), is_new=is_new)


def get_content(parts: Parts, principal: Principal, digest: bytes) -> bytes:
    """Return a content to its owner.

    Raises:
        NotFound: No such content of the caller's organisation. Grants to others come with the catalogue.
    """
    origin = parts.host.contents.origin_of(digest)
    owner = None if origin is None else party_of(origin)
    if owner is None or (not principal.sees_all and owner != principal.party):
        raise NotFound(
            "digest", "no such content for this key", "use the key of the organisation that owns it"
        )
    return parts.host.contents.get(digest)


def put_document(
    parts: Parts, party: str, digest: bytes, data: bytes, name: str, media_type: str
) -> StoredContent:
    """Keep the file of a `document` statement for its owner.

    Raises:
        RequestInvalid: The bytes do not give the digest, or the name or media type is malformed.
    """
    if hashlib.sha256(data).digest() != digest:
        raise RequestInvalid(
            "digest", "is not the SHA-256 of the body", "send the very bytes that were signed"
        )
    if not _NAME.fullmatch(name):
        raise RequestInvalid("name", "is not a file name", "write at most 120 characters, no slashes")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise RequestInvalid("content-type", "is not a media type", "write one such as application/pdf")
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


def documents(parts: Parts, party: str) -> list[DocumentDescription]:
    """Return an organisation's document files, newest first."""
    return [
        DocumentDescription(
            digest=row["digest"].hex(),
            name=row["name"],
            media_type=row["media_type"],
            size=row["size"],
            stored_at=format_instant(row["stored_at"]),
        )
        for row in queries.documents(parts.engine, party)
    ]


def find_entry(parts: Parts, party: str, digest: bytes) -> LoggedEntry:
    """Return the entry of a statement in one of a party's two logs.

    Raises:
        NotFound: Neither log holds it.
    """
    for log in ("data", "register"):
        try:
            return parts.host.find(f"{parts.settings.log_host_name}/{party}/{log}", digest)
        except (EntryUnknown, LogUnknown):
            continue
    raise NotFound("digest", "no such statement in the logs of this organisation", "copy the digest again")


def statement_view(parts: Parts, party: str, digest: bytes) -> StatementView:
    """Return a statement taken apart: header, content, receipt, checkpoint, epoch and anchor.

    Raises:
        NotFound: Neither of the party's logs holds it.
    """
    entry = find_entry(parts, party, digest)
    statement = SignedStatement.parse(entry.raw)
    head = parts.host.head(entry.origin)
    receipt = Receipt.parse(parts.host.receipt(entry.origin, digest)) if head.tree_size > 1 else None
    epoch, anchor = _epoch_and_anchor(parts, entry)
    return StatementView(
        statement_digest=digest.hex(),
        origin=entry.origin,
        entry_index=entry.index,
        registered_at=format_instant(entry.registered_at),
        receipt_state=str(parts.host.receipt_state(entry.origin, digest)),
        header=header_view(statement.header),
        content_digest=statement.payload.hex(),
        content=content_view(parts.host.contents.get_many({statement.payload}).get(statement.payload)),
        signature=statement.signature.hex(),
        receipt_size=None if receipt is None else receipt.tree_size,
        checkpoint=StatementHead(
            origin=head.origin, tree_size=head.tree_size, root_hash=head.root_hash.hex()
        ),
        epoch=epoch,
        anchor=anchor,
    )


def header_view(header: Header) -> dict[str, Any]:
    """Return a header as JSON values: instants as text, digests in hex."""
    return {
        "kind": f"{header.kind}/v{header.version}",
        "algorithm": header.algorithm,
        "kid": header.kid.hex(),
        "issuer": header.issuer,
        "subject": header.subject,
        "issued_at": format_instant(header.issued_at * 1000),
        "stream": header.stream,
        "sequence": header.sequence,
        "previous": None if header.previous is None else header.previous.hex(),
        "interval": None if header.interval is None else [format_instant(at) for at in header.interval],
        "checkpoint": None
        if header.checkpoint is None
        else {"tree_size": header.checkpoint[0], "root_hash": header.checkpoint[1].hex()},
    }


def content_view(data: bytes | None) -> dict[str, Any] | None:
    """Return a content as JSON values, readings unpacked into plain samples; None when it is not here."""
    if data is None:
        return None
    try:
        content = parse_content(data)
    except CarbonsealError as problem:
        return {"problem": str(problem)}
    if content.kind != "readings":
        return {"body": json_value(content.body)}
    return {
        "series": [
            {
                "point": series.point,
                "form": series.form,
                "unit": series.unit,
                "width_ms": series.width_ms,
                "samples": [
                    {
                        "at": format_instant(sample.at),
                        "value": None if sample.value is None else format_decimal(sample.value),
                        "quality": sample.quality,
                        "source_status": sample.source_status,
                    }
                    for sample in series.samples()
                ],
            }
            for series in read_series(content.body)
        ]
    }


def _epoch_and_anchor(parts: Parts, entry: LoggedEntry) -> tuple[EpochView | None, AnchorView | None]:
    record = parts.host.epoch_covering(entry.origin, entry.index + 1)
    if record is None:
        return None, None
    view = EpochView(
        epoch=record.epoch,
        map_root=record.map_root.hex(),
        origins=record.origins,
        built_at=format_instant(record.built_at),
        log_of_logs_size=record.tree_size,
        log_of_logs_root=record.root_hash.hex(),
    )
    return view, parts.anchors.anchor_of(record.tree_size) if parts.anchors is not None else None
