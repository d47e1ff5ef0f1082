"""Create logs, streams, entries, contents and epochs.

Revision ID: 0001
Revises: none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the ledger's tables."""
    op.create_table(
        "ledger_logs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False, unique=True),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root_hash", sa.LargeBinary, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("published_size", sa.BigInteger, nullable=False),
        sa.Column("last_tick_at", sa.BigInteger, nullable=False),
        sa.Column("ticked_size", sa.BigInteger, nullable=False),
        sa.Column("last_registered_at", sa.BigInteger, nullable=False),
        sa.Column("genesis_digest", sa.LargeBinary, nullable=False),
        sa.Column("policy", sa.LargeBinary, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_streams",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("log_id", sa.Integer, sa.ForeignKey("ledger_logs.id"), nullable=False),
        sa.Column("kid", sa.LargeBinary, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column("last_digest", sa.LargeBinary, nullable=False),
        sa.Column("void_digest", sa.LargeBinary, nullable=True),
        sa.UniqueConstraint("log_id", "kid", "stream"),
    )
    op.create_table(
        "ledger_kinds",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "ledger_subjects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("log_id", sa.Integer, sa.ForeignKey("ledger_logs.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("log_id", "name"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("index", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=True),
        sa.Column("interval_start", sa.BigInteger, nullable=True),
        sa.Column("interval_end", sa.BigInteger, nullable=True),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.Column("log_id", sa.Integer, sa.ForeignKey("ledger_logs.id"), nullable=False),
        sa.Column("stream_id", sa.Integer, sa.ForeignKey("ledger_streams.id"), nullable=True),
        sa.Column("subject_id", sa.Integer, sa.ForeignKey("ledger_subjects.id"), nullable=True),
        sa.Column("kind_id", sa.SmallInteger, sa.ForeignKey("ledger_kinds.id"), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "index"),
    )
    op.create_index(
        "ledger_entries_stream_sequence", "ledger_entries", ["stream_id", "sequence"], unique=True
    )
    op.create_index("ledger_entries_digest", "ledger_entries", ["digest"], postgresql_using="hash")
    op.create_table(
        "ledger_contents",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("log_id", sa.Integer, nullable=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "ledger_erasures",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_equivocations",
        sa.Column("stream_id", sa.Integer, sa.ForeignKey("ledger_streams.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry_index", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_epochs",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("entry_index", sa.BigInteger, nullable=False, unique=True),
        sa.Column("origins", sa.Integer, nullable=False),
        sa.Column("map_root", sa.LargeBinary, nullable=False),
        sa.Column("built_at", sa.BigInteger, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
    )
    op.create_table(
        "ledger_epoch_heads",
        sa.Column(
            "epoch", sa.Integer, sa.ForeignKey("ledger_epochs.epoch"), primary_key=True, autoincrement=False
        ),
        sa.Column(
            "log_id", sa.Integer, sa.ForeignKey("ledger_logs.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("tree_size", sa.BigInteger, nullable=False),
        sa.Column("root_hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("ledger_epoch_heads_log", "ledger_epoch_heads", ["log_id", "epoch"])


def downgrade() -> None:
    """Refuse: dropping the source of truth is never a migration."""
    message = "the ledger's first migration cannot be undone"
    raise CommandError(message)
