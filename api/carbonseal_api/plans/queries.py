"""The only SQL about monitoring plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from carbonseal_api.projections.tables import PLANS


def plans(engine: Engine, party: str) -> list[Mapping[str, Any]]:
    """Return every plan version of a party, newest last."""
    query = select(PLANS).where(PLANS.c.party == party)
    query = query.order_by(PLANS.c.effective_start, PLANS.c.plan, PLANS.c.plan_version)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def plan_by_digest(engine: Engine, party: str, digest: bytes) -> Mapping[str, Any] | None:
    """Return the plan version that a statement filed, or None."""
    query = select(PLANS).where(PLANS.c.party == party, PLANS.c.statement_digest == digest)
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)
