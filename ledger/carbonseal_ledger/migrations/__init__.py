"""Alembic migrations of the ledger's tables; run by `database.migrate`, never by hand."""
