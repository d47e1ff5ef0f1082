"""Create the records of who asked for what of an organisation.

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
    """Create the access records."""
    op.create_table(
        "api_access_records",
        sa.Column("record_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("grant_digest", sa.LargeBinary),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("refusal", sa.Text),
    )
    op.create_index("api_access_records_owner", "api_access_records", ["owner", "record_id"])


def downgrade() -> None:
    """Refuse: what was disclosed to whom is never dropped by a tool."""
    message = "access records are kept"
    raise CommandError(message)
