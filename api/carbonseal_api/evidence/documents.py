"""Files of evidence: a bill, a laboratory report or a photo is kept for its owner, and its digest registered.

The file goes to the owner's own store; the log gets a `document` statement with its SHA-256. Filing the same
file again answers with the statement that stands. Bytes are kept as they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import disclosure
from carbonseal_api.evidence import queries as file_queries
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import (
    ending_of,
    open_desk,
    origins,
    plain_text,
    refresh,
    require_own_statements,
    standing,
)
from carbonseal_api.evidence.document_schemas import DocumentEntry, DocumentStatement, FiledDocument, Support
from carbonseal_api.evidence.errors import DocumentDiffers, FileRefused
from carbonseal_api.evidence.listing import Keyed
from carbonseal_api.evidence.media_types import check_file_name, check_media_type
from carbonseal_attest.instants import Interval, format_instant, parse_instant

Row = Mapping[str, Any]
MAX_TITLE = 200  # characters
MAX_RELATIONS = 100  # statements that one document statement may relate to


def file_document(
    parts: Parts,
    party: str,
    data: bytes,
    *,
    name: str,
    media_type: str,
    title: str,
    relates_to: Sequence[bytes] = (),
) -> FiledDocument:
    """Keep a file and return the document statement that stands for it; `is_new` says whether it is new.

    Raises:
        FileRefused, MediaTypeRefused, MediaTypeContradicted: the file itself.
        RequestInvalid: title or relations.
        StatementUnknown: it relates to what is no statement of the party.
        DocumentDiffers: the file is filed already under another title or media type.
        KeyElsewhere: the party's key is not here.
        StatementRefused: the log refused the statement; the file is kept.
    """
    if not data:
        raise FileRefused("file", "is empty", "send the file whole")
    if len(data) > parts.settings.max_document_bytes:
        limit = parts.settings.max_document_bytes
        raise FileRefused("file", f"has {len(data)} bytes", f"send at most {limit} bytes")
    check_file_name(name)
    check_media_type(data, media_type)
    plain_text(title, MAX_TITLE, field="title")
    wanted = list(dict.fromkeys(relates_to))
    if len(wanted) > MAX_RELATIONS:
        raise FileRefused("relates_to", f"{len(wanted)} statements", f"name at most {MAX_RELATIONS}")
    digest = hashlib.sha256(data).digest()
    with open_desk(parts, party) as issuer:
        require_own_statements(parts, party, wanted, field="relates_to")
        # Kept before it is registered: a statement without its file would be worse than a file without one.
        row = {
            "digest": digest,
            "party": party,
            "name": name,
            "media_type": media_type,
            "stored_at": parts.clock(),
            "data": data,
        }
        file_queries.store_document(parts.engine, row)
        known = _filed_before(parts, party, digest, title, media_type, wanted)
        if known is not None:
            return _filed(known, name, is_new=False)
        body = {
            "title": title,
            "media_type": media_type,
            "document_digest": digest,
            "size": len(data),
            "relates_to": wanted,
        }
        statement = issuer.issue(origins(parts, party)[1], "document", body)
    refresh(parts, party)
    return FiledDocument(
        statement_digest=statement.digest.hex(),
        document_digest=digest.hex(),
        title=title,
        name=name,
        media_type=media_type,
        size=len(data),
        relates_to=[one.hex() for one in wanted],
        is_new=True,
    )


def documents(
    parts: Parts,
    party: str,
    *,
    limit: int,
    before: tuple[int, str] | None = None,
    periods: Collection[Interval] | None = None,
) -> Keyed[DocumentEntry | None]:
    """Return at most `limit` documents before (ms, SHA-256), newest first, with what rests on them.

    With `periods` given, None stands for a document that belongs to none of them, and of what rests on the
    others only what belongs to one is shown.
    """
    refresh(parts, party)
    found = file_queries.newest_files(parts.engine, party, limit=limit, before=before)
    digests = [digest for digest, _ in found]
    files = file_queries.files(parts.engine, party, [bytes.fromhex(one) for one in digests])
    rows = queries.document_statements(parts.engine, party, digests)
    by_file: dict[str, list[Row]] = {}
    for row in rows:
        by_file.setdefault(row["body"]["document_digest"], []).append(row)
    ended = queries.endings(parts.engine, party, [bytes(row["statement_digest"]) for row in rows])
    resting = _resting(parts, party, [bytes(row["statement_digest"]).hex() for row in rows], digests)
    made: Keyed[DocumentEntry | None] = []
    for digest, at in found:
        entry = _entry(digest, files.get(digest), by_file.get(digest, []), ended, resting)
        is_shown = periods is None or _belongs(parts, party, entry, periods)
        made.append(((at, digest), entry if is_shown else None))
    return made


def _belongs(parts: Parts, party: str, entry: DocumentEntry, periods: Collection[Interval]) -> bool:
    """Whether a document is of one of the periods; what rests on it outside of them is left out of it."""
    times = disclosure.times_of_file(parts, party, bytes.fromhex(entry.digest))
    entry.supports = [
        one
        for one in entry.supports
        if one.start is None
        or one.end is None
        or disclosure.is_within((parse_instant(one.start), parse_instant(one.end)), periods)
    ]
    return any(disclosure.is_within(time, periods) for time in times)


def _filed_before(
    parts: Parts, party: str, digest: bytes, title: str, media_type: str, relates_to: Sequence[bytes]
) -> Row | None:
    rows = queries.statements(parts.engine, party, ["document"], document_digest=digest.hex())
    rows = standing(parts, party, rows)
    for row in rows:
        body = row["body"]
        if (body["title"], body["media_type"]) != (title, media_type):
            filed = bytes(row["statement_digest"]).hex()
            raise DocumentDiffers(
                "title",
                f"the same file is filed as {filed}: {body['title']!r}, {body['media_type']}",
                "use that statement, or give the same title and type to relate it to more",
            )
    wanted = {one.hex() for one in relates_to}
    return next((row for row in rows if wanted <= set(row["body"]["relates_to"])), None)


def _filed(row: Row, name: str, *, is_new: bool) -> FiledDocument:
    body = row["body"]
    return FiledDocument(
        statement_digest=bytes(row["statement_digest"]).hex(),
        document_digest=body["document_digest"],
        title=body["title"],
        name=name,
        media_type=body["media_type"],
        size=body["size"],
        relates_to=list(body["relates_to"]),
        is_new=is_new,
    )


def _resting(
    parts: Parts, party: str, statements: Sequence[str], files: Sequence[str]
) -> dict[str, list[Support]]:
    rows = queries.naming_documents(parts.engine, party, statements=statements, files=files)
    rows.sort(key=lambda row: (row["registered_at"], row["entry_index"]))
    ended = queries.endings(parts.engine, party, [bytes(row["statement_digest"]) for row in rows])
    found: dict[str, list[Support]] = {}
    for row in rows:
        found.setdefault(row["body"]["document_digest"], []).append(_support(row, ended))
    return found


def _support(row: Row, ended: Mapping[bytes, Row]) -> Support:
    body, digest = row["body"], bytes(row["statement_digest"])
    return Support(
        kind=row["kind"],
        statement_digest=digest.hex(),
        about=body.get("source_stream") or body.get("record") or row["subject"],
        start=None if row["interval_start"] is None else format_instant(row["interval_start"]),
        end=None if row["interval_end"] is None else format_instant(row["interval_end"]),
        withdrawn_by=ending_of(ended, digest),
    )


def _entry(
    digest: str,
    file: Row | None,
    rows: Sequence[Row],
    ended: Mapping[bytes, Row],
    resting: Mapping[str, Sequence[Support]],
) -> DocumentEntry:
    statements = [
        DocumentStatement(
            statement_digest=bytes(row["statement_digest"]).hex(),
            title=row["body"]["title"],
            relates_to=list(row["body"]["relates_to"]),
            registered_at=format_instant(row["registered_at"]),
            withdrawn_by=ending_of(ended, bytes(row["statement_digest"])),
        )
        for row in rows
    ]
    supports = [*resting.get(digest, ())]
    for statement in statements:
        supports += resting.get(statement.statement_digest, ())
    said = rows[0]["body"] if rows else {}
    return DocumentEntry(
        digest=digest,
        name=None if file is None else file["name"],
        media_type=file["media_type"] if file is not None else said["media_type"],
        size=file["size"] if file is not None else said["size"],
        stored_at=format_instant(file["stored_at"]) if file is not None else statements[0].registered_at,
        is_kept_here=file is not None,
        statements=statements,
        supports=supports,
    )
