"""Keep which log key signs a log's heads from which size; at first, the one that its genesis names.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import ARRAY

from carbonseal_attest.contents import parse_content
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and fill it for the logs that are open."""
    op.add_column("ledger_logs", sa.Column("log_keys", ARRAY(sa.Text)))
    connection = op.get_bind()
    logs = connection.execute(
        sa.text(
            "SELECT l.id, e.raw FROM ledger_logs l JOIN ledger_entries e ON e.log_id = l.id AND e.index = 0"
        )
    ).all()
    for log_id, raw in logs:
        content = connection.execute(
            sa.text("SELECT data FROM ledger_contents WHERE digest = :digest"),
            {"digest": SignedStatement.parse(bytes(raw)).payload},
        ).scalar_one()
        key = PublicKey.from_cose_key(parse_content(bytes(content)).body["log_key"])
        connection.execute(
            sa.text("UPDATE ledger_logs SET log_keys = :keys WHERE id = :id"),
            {"keys": [f"0 {key.text()}"], "id": log_id},
        )
    op.alter_column("ledger_logs", "log_keys", nullable=False)


def downgrade() -> None:
    """Refuse: without it nobody could tell which key signed what."""
    message = "which key signed which heads cannot be undone; restore a backup instead"
    raise CommandError(message)
