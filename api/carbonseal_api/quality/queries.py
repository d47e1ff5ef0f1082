"""The only SQL about what was signed and is kept as a row a statement: codes, reports, opinions, grades."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Engine, select

from carbonseal_api.projections.tables import RESULTS

MOST: Final = 10_000  # results of one kind that a list is drawn from; a party files a few a month


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


def results_by_digests(engine: Engine, digests: Collection[bytes]) -> dict[bytes, Mapping[str, Any]]:
    """Return the results of these statements, whoever's they are, by digest."""
    query = select(RESULTS).where(RESULTS.c.statement_digest.in_(list(digests)))
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return {bytes(row["statement_digest"]): row for row in rows}
