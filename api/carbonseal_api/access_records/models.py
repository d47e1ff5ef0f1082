"""The table of access records. No projection: what was asked is in no log, so it is never dropped."""

from __future__ import annotations

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_api.database import Base


class AccessRecord(Base):
    """One query by another party than the owner. Rows are added and read, never changed."""

    __tablename__ = "api_access_records"
    __table_args__ = (Index("api_access_records_owner", "owner", "record_id"),)

    record_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    recorded_at: Mapped[int] = mapped_column(BigInteger, doc="ms since 1970 UTC")
    owner: Mapped[str | None] = mapped_column(Text, doc="whose it is; null: nobody here has that credit code")
    party: Mapped[str] = mapped_column(Text, doc="who asked")
    client: Mapped[str] = mapped_column(Text, doc="id of the key or account that asked; no secret")
    action: Mapped[str] = mapped_column(Text)
    resource: Mapped[str] = mapped_column(Text, doc="what was asked for, as the route names it")
    purpose: Mapped[str] = mapped_column(Text)
    grant_digest: Mapped[bytes | None] = mapped_column(LargeBinary, doc="statement of the grant relied upon")
    outcome: Mapped[str] = mapped_column(Text, doc="answered or refused")
    refusal: Mapped[str | None] = mapped_column(Text, doc="stable code of the refusal")
