"""Create the witnesses' tables: cosignatures, and how each witness last answered.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "ledger_cosignatures",
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("tree_size", sa.BigInteger, primary_key=True),
        sa.Column("witness", sa.Text, primary_key=True),
        sa.Column("root_hash", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("obtained_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_witness_answers",
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("witness", sa.Text, primary_key=True),
        sa.Column("held_size", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem_code", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Refuse: a cosignature cannot be made again."""
    message = "cosignatures are kept for good: this cannot be undone"
    raise CommandError(message)
