"""Say of each anchoring transaction whose it is, and of each step how often a final block of it went away.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; what stands in the journal was sent by its step's account."""
    op.add_column(
        "anchoring_steps", sa.Column("final_losses", sa.Integer, nullable=False, server_default="0")
    )
    op.alter_column("anchoring_steps", "final_losses", server_default=None)
    op.add_column("anchoring_transactions", sa.Column("account", sa.LargeBinary, nullable=True))
    op.execute(
        "UPDATE anchoring_transactions t SET account = s.account"
        " FROM anchoring_steps s WHERE s.id = t.step_id"
    )
    op.alter_column("anchoring_transactions", "account", nullable=False)


def downgrade() -> None:
    """Refuse: dropping a journal of sent transactions is never a migration."""
    message = "the anchoring journal cannot be undone"
    raise CommandError(message)
