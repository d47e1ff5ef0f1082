"""The only SQL about devices and series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from carbonseal_api.projections.tables import DEVICES, LAST_READINGS, SERIES


def devices(engine: Engine, party: str) -> list[Mapping[str, Any]]:
    """Return a party's devices, by code."""
    query = select(DEVICES).where(DEVICES.c.party == party).order_by(DEVICES.c.device)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def last_readings(engine: Engine, party: str) -> list[Mapping[str, Any]]:
    """Return the last reading of each point, by device and point."""
    table = LAST_READINGS
    query = select(table).where(table.c.party == party).order_by(table.c.device, table.c.point)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def series(
    engine: Engine,
    party: str,
    *,
    start_ms: int,
    end_ms: int,
    device: str | None = None,
    point: str | None = None,
) -> list[Mapping[str, Any]]:
    """Return the index rows whose interval overlaps [start_ms, end_ms), in log order."""
    query = select(SERIES).where(
        SERIES.c.party == party, SERIES.c.interval_start < end_ms, SERIES.c.interval_end > start_ms
    )
    if device is not None:
        query = query.where(SERIES.c.device == device)
    if point is not None:
        query = query.where(SERIES.c.point == point)
    query = query.order_by(SERIES.c.entry_index, SERIES.c.position)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
