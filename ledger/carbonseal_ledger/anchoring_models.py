"""The anchoring journal's tables: what was planned, signed and sent, and the evidence that was kept.

The journal is no projection that could be replayed: a raw transaction stands here before it is sent, so
that a process killed at any point sends the same bytes again and never a second transaction by accident.
Instants are milliseconds since 1970 UTC; fees are wei for one unit of gas.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_ledger.models import Base


class AnchorState(StrEnum):
    """How far an anchor has come, in order; the last two are off the straight way."""

    PLANNED = "planned"
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    SAFE = "safe"
    FINAL = "final"
    REORGANISED = "reorganised"
    FAILED = "failed"


class AnchorKind(StrEnum):
    """What the transaction does to the contract."""

    DEPLOY = "deploy"
    OPEN = "open"
    ADVANCE = "advance"


class AnchoringAccount(Base):
    """The next nonce of one gas key on one chain. This row is the sender's lock (SELECT … FOR UPDATE)."""

    __tablename__ = "anchoring_accounts"

    chain_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    address: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    next_nonce: Mapped[int] = mapped_column(BigInteger, doc="-1 before the first transaction")


class AnchoringStep(Base):
    """One thing to be done on the chain, and where it stands."""

    __tablename__ = "anchoring_steps"
    __table_args__ = (
        UniqueConstraint("chain_id", "contract", "log_id", "new_size"),
        Index("anchoring_steps_state", "state"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    chain_id: Mapped[int] = mapped_column(BigInteger)
    account: Mapped[bytes] = mapped_column(LargeBinary, doc="the gas key's address")
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    contract: Mapped[bytes | None] = mapped_column(LargeBinary, doc="null until a deployment is signed")
    log_id: Mapped[bytes | None] = mapped_column(LargeBinary, doc="null for a deployment")
    old_size: Mapped[int] = mapped_column(BigInteger, doc="0 for deployment and opening")
    new_size: Mapped[int] = mapped_column(BigInteger, doc="0 for a deployment, 1 for an opening")
    root_hash: Mapped[bytes] = mapped_column(LargeBinary, doc="opening: the genesis leaf hash")
    proof: Mapped[bytes] = mapped_column(LargeBinary, doc="concatenated 32-byte nodes")
    nonce: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer, doc="transactions of ours that reverted")
    transaction_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        doc="the one of our transactions that was mined; null while none is, or when others sent it",
    )
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    block_at: Mapped[int | None] = mapped_column(BigInteger)
    gas_used: Mapped[int | None] = mapped_column(BigInteger)
    final_losses: Mapped[int] = mapped_column(Integer, doc="final blocks of it that the chain took back")
    planned_at: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[int] = mapped_column(BigInteger)
    problem: Mapped[str | None] = mapped_column(Text, doc="what the chain last said against it")


class AnchoringTransaction(Base):
    """A signed transaction, stored before it is sent. Of several with one nonce, one can win."""

    __tablename__ = "anchoring_transactions"

    transaction_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    step_id: Mapped[int] = mapped_column(Integer, ForeignKey("anchoring_steps.id"), index=True)
    account: Mapped[bytes] = mapped_column(LargeBinary, doc="the gas key's address that pays for it")
    nonce: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    max_fee_wei: Mapped[int] = mapped_column(BigInteger)
    max_priority_fee_wei: Mapped[int] = mapped_column(BigInteger)
    signed_at: Mapped[int] = mapped_column(BigInteger)
    sent_at: Mapped[int | None] = mapped_column(BigInteger, doc="when the node first took it")


class FinalHead(Base):
    """A head in a final block, kept so that a history list needs no scan of the whole chain."""

    __tablename__ = "anchoring_heads"

    chain_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    contract: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tree_size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root_hash: Mapped[bytes] = mapped_column(LargeBinary)
    anchored_at: Mapped[int] = mapped_column(BigInteger)
    block_number: Mapped[int] = mapped_column(BigInteger)


class StoredEvidence(Base):
    """Proofs taken when a head became final, because nodes forget old ones.

    Together with the final heads up to `tree_size` they make up the evidence.
    """

    __tablename__ = "anchoring_evidence"

    chain_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    contract: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tree_size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger)
    proofs: Mapped[bytes] = mapped_column(LargeBinary, doc="CBOR [headers, account proof, storage proofs]")
    stored_at: Mapped[int] = mapped_column(BigInteger)
