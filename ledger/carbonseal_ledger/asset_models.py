"""The asset journal's tables: acts upon carbon-asset records, and the transactions by which they are done.

Like the anchoring journal it is no projection that could be replayed: a raw transaction stands here before it
is sent, so that a process killed at any point sends the same bytes again and never a second transaction by
accident. The next nonce of an account is a row of `anchoring_accounts`, whichever journal uses the account.
Instants are milliseconds since 1970 UTC; fees are wei for one unit of gas.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_ledger.models import Base


class ActState(StrEnum):
    """How far an act has come, in order; FAILED is off the straight way.

    What one person does goes from PLANNED to CONFIRM_SIGNED. After a reorganisation an act goes back to where
    its transaction was sent.
    """

    PLANNED = "planned"
    PROPOSAL_SIGNED = "proposal_signed"
    PROPOSAL_SENT = "proposal_sent"
    PROPOSED = "proposed"
    CONFIRM_SIGNED = "confirm_signed"
    CONFIRM_SENT = "confirm_sent"
    MINED = "mined"
    FINAL = "final"
    FAILED = "failed"


class Leg(StrEnum):
    """Which of an act's two transactions is meant: the first person's, or the one that performs it."""

    PROPOSAL = "proposal"
    CONFIRMATION = "confirmation"


class AssetAct(Base):
    """One act, and where it stands."""

    __tablename__ = "asset_acts"
    __table_args__ = (
        UniqueConstraint("chain_id", "contract", "act_hash"),
        Index("asset_acts_state", "state"),
        Index("asset_acts_record", "record"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    chain_id: Mapped[int] = mapped_column(BigInteger)
    contract: Mapped[bytes | None] = mapped_column(LargeBinary, doc="null until a deployment is signed")
    act_hash: Mapped[bytes] = mapped_column(LargeBinary, doc="keccak256 of the act's bytes; once a contract")
    kind: Mapped[str] = mapped_column(Text)
    parameters: Mapped[str] = mapped_column(Text, doc="the act in words, JSON")
    record: Mapped[bytes | None] = mapped_column(
        LargeBinary, doc="id of the record; null for the admin's acts"
    )
    state: Mapped[str] = mapped_column(Text)
    is_held: Mapped[bool] = mapped_column(Boolean, doc="rests at proposed until the second person says so")
    proposer: Mapped[bytes | None] = mapped_column(LargeBinary, doc="address; null for what one person does")
    confirmer: Mapped[bytes] = mapped_column(LargeBinary, doc="address")
    proposal_nonce: Mapped[int | None] = mapped_column(BigInteger)
    confirmation_nonce: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, doc="nonces used up without success")
    transaction_hash: Mapped[bytes | None] = mapped_column(LargeBinary, doc="the one that performed the act")
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    block_at: Mapped[int | None] = mapped_column(BigInteger)
    log_index: Mapped[int | None] = mapped_column(BigInteger, doc="of the event that says what changed")
    gas_used: Mapped[int | None] = mapped_column(BigInteger, doc="null when others performed the act")
    planned_block: Mapped[int] = mapped_column(BigInteger, doc="its events are looked for from here on")
    planned_at: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[int] = mapped_column(BigInteger)
    problem: Mapped[str | None] = mapped_column(Text, doc="what was last said against it")
    problem_code: Mapped[str | None] = mapped_column(Text, doc="stable code of a refusal")


class AssetTransaction(Base):
    """A signed transaction, stored before it is sent. Of several with one nonce, one can win."""

    __tablename__ = "asset_transactions"

    transaction_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    act_id: Mapped[int] = mapped_column(Integer, ForeignKey("asset_acts.id"), index=True)
    leg: Mapped[str] = mapped_column(Text)
    account: Mapped[bytes] = mapped_column(LargeBinary)
    nonce: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    data: Mapped[bytes] = mapped_column(LargeBinary, doc="what it calls, for a replacement by the same call")
    gas: Mapped[int] = mapped_column(BigInteger, doc="gas limit")
    max_fee_wei: Mapped[int] = mapped_column(BigInteger)
    max_priority_fee_wei: Mapped[int] = mapped_column(BigInteger)
    signed_at: Mapped[int] = mapped_column(BigInteger)
    sent_at: Mapped[int | None] = mapped_column(BigInteger, doc="when the node first took it")
