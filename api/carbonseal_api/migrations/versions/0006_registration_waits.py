"""Create the table of registrations that outlasted their calls.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "api_registration_waits",
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("problem", JSONB),
    )
    op.create_index("api_registration_waits_begun", "api_registration_waits", ["begun_at"])


def downgrade() -> None:
    """Refuse: as every migration of the service does."""
    message = "answers that callers were told to ask for are kept"
    raise CommandError(message)
