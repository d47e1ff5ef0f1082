"""The only SQL about document files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from carbonseal_api.database import DocumentFile


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


def documents(engine: Engine, party: str) -> list[Mapping[str, Any]]:
    """Return an organisation's document files without their data, newest first."""
    size = func.length(DocumentFile.data).label("size")
    query = select(
        DocumentFile.digest, DocumentFile.name, DocumentFile.media_type, DocumentFile.stored_at, size
    )
    query = query.where(DocumentFile.party == party).order_by(
        DocumentFile.stored_at.desc(), DocumentFile.digest
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def has_document(engine: Engine, party: str, digest: bytes) -> bool:
    """Return whether an organisation keeps a file here."""
    query = select(DocumentFile.digest).where(DocumentFile.party == party, DocumentFile.digest == digest)
    with engine.connect() as connection:
        return connection.execute(query).first() is not None
