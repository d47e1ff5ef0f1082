"""Create the book of reconciliations: runs, disagreements, and who looked at them.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("logs", sa.Integer, nullable=False),
        sa.Column("present", sa.Integer, nullable=False),
        sa.Column("missing", sa.Text, nullable=False),
    )
    op.create_table(
        "reconciliation_disagreements",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("is_present", sa.Boolean, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger, nullable=True),
    )
    op.create_index(
        "reconciliation_disagreements_acknowledged", "reconciliation_disagreements", ["acknowledged_at"]
    )
    op.create_table(
        "reconciliation_acknowledgements",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "disagreement_id",
            sa.Text,
            sa.ForeignKey("reconciliation_disagreements.id"),
            nullable=False,
            index=True,
        ),
        sa.Column("acknowledged_at", sa.BigInteger, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("was_present", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Refuse: that sources once disagreed is told nowhere else."""
    message = "the book of reconciliations cannot be undone"
    raise CommandError(message)
