"""The only SQL about filed results: codes, reports, documents, calibrations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from carbonseal_api.projections.tables import RESULTS


def results(engine: Engine, party: str, kind: str, *, limit: int = 200) -> list[Mapping[str, Any]]:
    """Return a party's results of one kind, newest first."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.kind == kind)
    query = query.order_by(RESULTS.c.entry_index.desc()).limit(limit)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def result_by_digest(engine: Engine, party: str, digest: bytes) -> Mapping[str, Any] | None:
    """Return the result of one statement, or None."""
    query = select(RESULTS).where(RESULTS.c.party == party, RESULTS.c.statement_digest == digest)
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)
