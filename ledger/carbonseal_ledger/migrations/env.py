"""Alembic's entry: runs the ledger's migrations on the connection that `database.migrate` passes in."""

from __future__ import annotations

from alembic import context

from carbonseal_ledger.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="ledger_alembic_version",
)
with context.begin_transaction():
    context.run_migrations()
