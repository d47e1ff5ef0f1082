"""What reconciliations found: runs, disagreements that stand or stood, and who looked at them.

No projection: that sources once disagreed is told nowhere else. Instants are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_ledger.models import Base


class ReconciliationRun(Base):
    """One comparison of everything."""

    __tablename__ = "reconciliation_runs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    began_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int] = mapped_column(BigInteger)
    logs: Mapped[int] = mapped_column(Integer, doc="logs compared")
    present: Mapped[int] = mapped_column(Integer, doc="disagreements that it found")
    missing: Mapped[str] = mapped_column(Text, doc="sources that could not be asked, a line each")


class FoundDisagreement(Base):
    """One disagreement; its row stays when it is gone, and is the same when it comes back."""

    __tablename__ = "reconciliation_disagreements"
    __table_args__ = (Index("reconciliation_disagreements_acknowledged", "acknowledged_at"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    area: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, doc="as it was last found")
    first_seen_at: Mapped[int] = mapped_column(BigInteger)
    last_seen_at: Mapped[int] = mapped_column(BigInteger)
    is_present: Mapped[bool] = mapped_column(Boolean)
    acknowledged_at: Mapped[int | None] = mapped_column(
        BigInteger, doc="null while nobody has looked since it last appeared"
    )


class Acknowledgement(Base):
    """That a person looked at a disagreement. Rows are only ever added."""

    __tablename__ = "reconciliation_acknowledgements"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    disagreement_id: Mapped[str] = mapped_column(
        Text, ForeignKey("reconciliation_disagreements.id"), index=True
    )
    acknowledged_at: Mapped[int] = mapped_column(BigInteger)
    person: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, doc="what was shown to the person")
    was_present: Mapped[bool] = mapped_column(Boolean)
