"""Create the anchoring journal: accounts, steps, transactions, heads and evidence.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the journal's tables."""
    op.create_table(
        "anchoring_accounts",
        sa.Column("chain_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("address", sa.LargeBinary, primary_key=True),
        sa.Column("next_nonce", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "anchoring_steps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("account", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("contract", sa.LargeBinary, nullable=True),
        sa.Column("log_id", sa.LargeBinary, nullable=True),
        sa.Column("old_size", sa.BigInteger, nullable=False),
        sa.Column("new_size", sa.BigInteger, nullable=False),
        sa.Column("root_hash", sa.LargeBinary, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary, nullable=True),
        sa.Column("block_number", sa.BigInteger, nullable=True),
        sa.Column("block_hash", sa.LargeBinary, nullable=True),
        sa.Column("block_at", sa.BigInteger, nullable=True),
        sa.Column("gas_used", sa.BigInteger, nullable=True),
        sa.Column("planned_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.UniqueConstraint("chain_id", "contract", "log_id", "new_size"),
    )
    op.create_index("anchoring_steps_state", "anchoring_steps", ["state"])
    op.create_table(
        "anchoring_transactions",
        sa.Column("transaction_hash", sa.LargeBinary, primary_key=True),
        sa.Column("step_id", sa.Integer, sa.ForeignKey("anchoring_steps.id"), nullable=False, index=True),
        sa.Column("nonce", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("max_fee_wei", sa.BigInteger, nullable=False),
        sa.Column("max_priority_fee_wei", sa.BigInteger, nullable=False),
        sa.Column("signed_at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "anchoring_heads",
        *_log_and_size(),
        sa.Column("root_hash", sa.LargeBinary, nullable=False),
        sa.Column("anchored_at", sa.BigInteger, nullable=False),
        sa.Column("block_number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "anchoring_evidence",
        *_log_and_size(),
        sa.Column("block_number", sa.BigInteger, nullable=False),
        sa.Column("proofs", sa.LargeBinary, nullable=False),
        sa.Column("stored_at", sa.BigInteger, nullable=False),
    )


def _log_and_size() -> list[sa.Column[object]]:
    return [
        sa.Column("chain_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("contract", sa.LargeBinary, primary_key=True),
        sa.Column("log_id", sa.LargeBinary, primary_key=True),
        sa.Column("tree_size", sa.BigInteger, primary_key=True, autoincrement=False),
    ]


def downgrade() -> None:
    """Refuse: dropping a journal of sent transactions is never a migration."""
    message = "the anchoring journal cannot be undone"
    raise CommandError(message)
