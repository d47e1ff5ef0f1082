"""Create the acts on carbon-asset records, with who proposed and confirmed, and what comparisons found.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "api_asset_acts",
        sa.Column("act_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("act", JSONB, nullable=False),
        sa.Column("proposer_party", sa.Text, nullable=False),
        sa.Column("proposer_credential", sa.Text, nullable=False),
        sa.Column("proposed_at", sa.BigInteger, nullable=False),
        sa.Column("confirmer_party", sa.Text),
        sa.Column("confirmer_credential", sa.Text),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("statement_digest", sa.LargeBinary),
        sa.Column("failure", sa.Text),
    )
    op.create_table(
        "api_asset_agreements",
        sa.Column("checked_at", sa.BigInteger, primary_key=True),
        sa.Column("is_agreed", sa.Boolean, nullable=False),
        sa.Column("view", JSONB, nullable=False),
    )
    op.create_index("api_asset_acts_record", "api_asset_acts", ["record"])
    op.create_index("api_asset_acts_holder", "api_asset_acts", ["holder"])


def downgrade() -> None:
    """Refuse: who proposed and confirmed is never dropped by a tool."""
    message = "acts on carbon-asset records are kept"
    raise CommandError(message)
