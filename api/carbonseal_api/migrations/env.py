"""Alembic's entry: runs the service's migrations on the connection that `database.migrate` passes in."""

from __future__ import annotations

from alembic import context

from carbonseal_api.database import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
