"""Who stands behind an act on carbon-asset records, its mirror statement, and what comparisons found.

No projection: a proposal is nobody's statement yet. The act's way on the chain is in the ledger's own journal
under the same id; here stand the words that the mirror will say, and which accounts of the service proposed
and confirmed, which the chain does not know.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_api.database import Base


class AssetAct(Base):
    """One act by its id in the ledger's journal. Instants are ms since 1970 UTC."""

    __tablename__ = "api_asset_acts"
    __table_args__ = (
        Index("api_asset_acts_record", "record"),
        Index("api_asset_acts_holder", "holder"),
    )

    act_id: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    record: Mapped[bytes] = mapped_column(LargeBinary)
    holder: Mapped[str] = mapped_column(Text)
    act: Mapped[dict[str, Any]] = mapped_column(JSONB, doc="Act.to_json()")
    proposer_party: Mapped[str] = mapped_column(Text)
    proposer_credential: Mapped[str] = mapped_column(Text, doc="account of the service, or a command")
    proposed_at: Mapped[int] = mapped_column(BigInteger)
    confirmer_party: Mapped[str | None] = mapped_column(Text)
    confirmer_credential: Mapped[str | None] = mapped_column(Text)
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger)
    statement_digest: Mapped[bytes | None] = mapped_column(LargeBinary, doc="of the mirror statement")
    failure: Mapped[str | None] = mapped_column(Text, doc="why it came to nothing; null while it may succeed")


class AssetAgreement(Base):
    """What one comparison of contract, database and log found; the newest counts."""

    __tablename__ = "api_asset_agreements"

    checked_at: Mapped[int] = mapped_column(BigInteger, primary_key=True, doc="ms since 1970 UTC")
    is_agreed: Mapped[bool] = mapped_column(Boolean)
    view: Mapped[dict[str, Any]] = mapped_column(JSONB, doc="AgreementView")
