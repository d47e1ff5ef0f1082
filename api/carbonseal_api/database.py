"""The service's own tables that are no projection: API keys, browser sessions, document files.

They live beside the ledger's tables in the same PostgreSQL, under their own Alembic version table.
Projections have no
migrations: they are dropped and replayed (`carbonseal_api.projections`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Boolean, Engine, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from carbonseal_ledger.coverage import Coverage
from carbonseal_ledger.database import upgrade

API: Final = Coverage.read(Path(__file__).with_name("coverage.toml"))  # of the service's own tables
VERSION_TABLE: Final = "api_alembic_version"
_MIGRATION_LOCK: Final = 0x_CA4B_5EA2  # advisory lock: one process migrates at a time


class Base(DeclarativeBase):
    """The declarative base of the service's own tables."""


class ApiKey(Base):
    """A key that a program presents: who it stands for and what it may do. Only the secret's hash is kept."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, doc="SHA-256 of 32 random bytes; no pass phrase")
    party: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    label: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger, doc="ms since 1970 UTC")
    withdrawn_at: Mapped[int | None] = mapped_column(BigInteger)


class WebSession(Base):
    """A browser's session, or a link that opens one once; only the token's hash is kept."""

    __tablename__ = "api_sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, doc="SHA-256 of 32 random bytes")
    key_id: Mapped[str] = mapped_column(Text, doc="the API key that it was opened with, and ends with")
    is_link: Mapped[bool] = mapped_column(Boolean)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class DocumentFile(Base):
    """The file of a document statement, kept for its owner under its SHA-256."""

    __tablename__ = "api_documents"
    __table_args__ = (Index("api_documents_party", "party"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    party: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)
    stored_at: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


def migrate(engine: Engine) -> None:
    """Bring the service's own tables to the newest version; safe when several processes start at once."""
    upgrade(engine, Path(__file__).parent / "migrations", lock=_MIGRATION_LOCK, coverage=API)
