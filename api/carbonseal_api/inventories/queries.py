"""The only SQL about monthly activity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from carbonseal_api.projections.tables import MONTHLY_ACTIVITY, RESULTS, SERIES


def month(engine: Engine, party: str, plan_digest: bytes, label: str) -> Mapping[str, Any] | None:
    """Return the stored inventory of a month, or None."""
    table = MONTHLY_ACTIVITY
    query = select(table).where(
        table.c.party == party, table.c.plan_digest == plan_digest, table.c.month == label
    )
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)


def store_month(engine: Engine, row: Mapping[str, Any]) -> None:
    """Store the inventory of a month, replacing an older one."""
    statement = insert(MONTHLY_ACTIVITY).values(**row)
    changed = {
        name: statement.excluded[name] for name in ("data_size", "register_size", "inventory", "comparisons")
    }
    keys = ["party", "plan_digest", "month"]
    with engine.begin() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def span(engine: Engine, party: str, points: Collection[tuple[str, str]]) -> tuple[int, int] | None:
    """Return the first start and last end of the readings of some (device, point), or None without any."""
    query = select(func.min(SERIES.c.interval_start), func.max(SERIES.c.interval_end)).where(
        SERIES.c.party == party,
        SERIES.c.kind == "readings",
        tuple_(SERIES.c.device, SERIES.c.point).in_(list(points)),
    )
    with engine.connect() as connection:
        first, last = connection.execute(query).one()
        return None if first is None else (first, last)


def declared_span(engine: Engine, party: str) -> tuple[int, int] | None:
    """Return the first start and last end of the declared values of a party, or None without any."""
    query = select(func.min(RESULTS.c.interval_start), func.max(RESULTS.c.interval_end)).where(
        RESULTS.c.party == party, RESULTS.c.kind == "declared_activity"
    )
    with engine.connect() as connection:
        first, last = connection.execute(query).one()
        return None if first is None else (first, last)
