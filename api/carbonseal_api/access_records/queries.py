"""The only SQL about access records: one insert, one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, insert, select

from carbonseal_api.access_records.models import AccessRecord


def add(engine: Engine, row: Mapping[str, Any]) -> None:
    """Insert one record; it is durable when this returns."""
    with engine.begin() as connection:
        connection.execute(insert(AccessRecord).values(row))


def page(
    engine: Engine,
    owner: str,
    *,
    before: int | None,
    limit: int,
    since: int | None = None,
    until: int | None = None,
) -> list[Mapping[str, Any]]:
    """Return records about an owner, newest first, below the record id `before` where one is given.

    `since` and `until` narrow them to those recorded in [since, until), in ms.
    """
    table = AccessRecord.__table__
    query = select(table).where(table.c.owner == owner).order_by(table.c.record_id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.record_id < before)
    if since is not None:
        query = query.where(table.c.recorded_at >= since)
    if until is not None:
        query = query.where(table.c.recorded_at < until)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
