"""Keep what a log has used of its policy's rates; read the policy from the register log alone.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ADDED = (
    sa.Column("rate_owed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rate_owed_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("spent_day", sa.Integer, nullable=False, server_default="0"),
    sa.Column("spent_bytes", sa.BigInteger, nullable=False, server_default="0"),
)


def upgrade() -> None:
    """Add the four numbers; the genesis' copy of the policy goes, since its content has it."""
    op.drop_column("ledger_logs", "policy")
    for column in _ADDED:
        op.add_column("ledger_logs", column)
        op.alter_column("ledger_logs", column.name, server_default=None)


def downgrade() -> None:
    """Refuse: a policy that was amended cannot be written into the genesis' place."""
    message = "the registration policy stands in the register log; restore a backup instead"
    raise CommandError(message)
