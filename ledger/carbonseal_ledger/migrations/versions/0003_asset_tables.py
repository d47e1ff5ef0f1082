"""Create the asset journal: acts upon carbon-asset records and their transactions.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the journal's tables; nonces stay in anchoring_accounts."""
    op.create_table(
        "asset_acts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("contract", sa.LargeBinary, nullable=True),
        sa.Column("act_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("is_held", sa.Boolean, nullable=False),
        sa.Column("proposer", sa.LargeBinary, nullable=True),
        sa.Column("confirmer", sa.LargeBinary, nullable=False),
        sa.Column("proposal_nonce", sa.BigInteger, nullable=True),
        sa.Column("confirmation_nonce", sa.BigInteger, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary, nullable=True),
        sa.Column("block_number", sa.BigInteger, nullable=True),
        sa.Column("block_hash", sa.LargeBinary, nullable=True),
        sa.Column("block_at", sa.BigInteger, nullable=True),
        sa.Column("log_index", sa.BigInteger, nullable=True),
        sa.Column("gas_used", sa.BigInteger, nullable=True),
        sa.Column("planned_block", sa.BigInteger, nullable=False),
        sa.Column("planned_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.Column("problem_code", sa.Text, nullable=True),
        sa.UniqueConstraint("chain_id", "contract", "act_hash"),
    )
    op.create_index("asset_acts_state", "asset_acts", ["state"])
    op.create_index("asset_acts_record", "asset_acts", ["record"])
    op.create_table(
        "asset_transactions",
        sa.Column("transaction_hash", sa.LargeBinary, primary_key=True),
        sa.Column("act_id", sa.Integer, sa.ForeignKey("asset_acts.id"), nullable=False, index=True),
        sa.Column("leg", sa.Text, nullable=False),
        sa.Column("account", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("gas", sa.BigInteger, nullable=False),
        sa.Column("max_fee_wei", sa.BigInteger, nullable=False),
        sa.Column("max_priority_fee_wei", sa.BigInteger, nullable=False),
        sa.Column("signed_at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=True),
    )


def downgrade() -> None:
    """Refuse: dropping a journal of sent transactions is never a migration."""
    message = "the asset journal cannot be undone"
    raise CommandError(message)
