"""The only SQL about verification reports and commitments. Rows are of the projection of results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from carbonseal_api.projections.tables import RESULTS

Row = Mapping[str, Any]
_MAX_ROWS = 10_000


def about_report(engine: Engine, kind: str, report_digest: bytes, *, party: str | None = None) -> list[Row]:
    """Return results of one kind about an emissions report, in the order of registration; of one party."""
    query = select(RESULTS).where(
        RESULTS.c.kind == kind,
        RESULTS.c.log == "data",
        RESULTS.c.body["report_digest"].astext == report_digest.hex(),
    )
    if party is not None:
        query = query.where(RESULTS.c.party == party)
    return _rows(engine, query.order_by(RESULTS.c.registered_at, RESULTS.c.party, RESULTS.c.entry_index))


def reports_within(engine: Engine, party: str, start: int, end: int) -> list[Row]:
    """Return a party's emissions reports whose period lies within [start, end) in ms, newest first."""
    query = select(RESULTS).where(
        RESULTS.c.party == party,
        RESULTS.c.kind == "emissions_report",
        RESULTS.c.interval_start >= start,
        RESULTS.c.interval_end <= end,
    )
    return _rows(engine, query.order_by(RESULTS.c.entry_index.desc()))


def report(engine: Engine, digest: bytes) -> Row | None:
    """Return the emissions report of a statement digest, whoever's it is, or None."""
    query = select(RESULTS).where(RESULTS.c.statement_digest == digest, RESULTS.c.kind == "emissions_report")
    found = _rows(engine, query)
    return found[0] if found else None


def _rows(engine: Engine, query: Any) -> list[Row]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query.limit(_MAX_ROWS)).mappings()]
