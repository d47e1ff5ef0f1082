"""The only SQL about document files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine, func, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import insert

from carbonseal_api.database import DocumentFile
from carbonseal_api.projections.tables import RESULTS


def store_document(engine: Engine, row: Mapping[str, Any]) -> bool:
    """Store a document file; true when it was new."""
    query = insert(DocumentFile).values(**row).on_conflict_do_nothing().returning(DocumentFile.digest)
    with engine.begin() as connection:
        return connection.execute(query).first() is not None


def document(engine: Engine, party: str, digest: bytes) -> Mapping[str, Any] | None:
    """Return a document file with its data, or None."""
    query = select(DocumentFile.name, DocumentFile.media_type, DocumentFile.data)
    query = query.where(DocumentFile.party == party, DocumentFile.digest == digest)
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)


def newest_files(
    engine: Engine, party: str, *, limit: int, before: tuple[int, str] | None
) -> list[tuple[str, int]]:
    """Return (SHA-256 in hex, ms) of a party's document files, newest first: kept here or only registered.

    `before` is the last one of the page before.
    """
    kept = select(func.encode(DocumentFile.digest, "hex").label("digest"), DocumentFile.stored_at.label("at"))
    kept = kept.where(DocumentFile.party == party)
    named = RESULTS.c.body["document_digest"].astext
    here = select(DocumentFile.digest).where(
        DocumentFile.party == party, func.encode(DocumentFile.digest, "hex") == named
    )
    registered = select(named.label("digest"), func.min(RESULTS.c.registered_at).label("at"))
    registered = registered.where(RESULTS.c.party == party, RESULTS.c.kind == "document", ~here.exists())
    both = union_all(kept, registered.group_by(named)).subquery()
    query = select(both.c.digest, both.c.at)
    if before is not None:
        query = query.where(tuple_(both.c.at, both.c.digest) < tuple_(*before))
    query = query.order_by(both.c.at.desc(), both.c.digest.desc()).limit(limit)
    with engine.connect() as connection:
        return [(row.digest, row.at) for row in connection.execute(query)]


def files(engine: Engine, party: str, digests: Collection[bytes]) -> dict[str, Mapping[str, Any]]:
    """Return these document files of an organisation without their data, by SHA-256 in hex."""
    size = func.length(DocumentFile.data).label("size")
    query = select(
        DocumentFile.digest, DocumentFile.name, DocumentFile.media_type, DocumentFile.stored_at, size
    )
    query = query.where(DocumentFile.party == party, DocumentFile.digest.in_(list(digests)))
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return {bytes(row["digest"]).hex(): row for row in rows}


def has_document(engine: Engine, party: str, digest: bytes) -> bool:
    """Return whether an organisation keeps a file here."""
    query = select(DocumentFile.digest).where(DocumentFile.party == party, DocumentFile.digest == digest)
    with engine.connect() as connection:
        return connection.execute(query).first() is not None
