"""The only SQL about organisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select

from carbonseal_api.projections.tables import PARTIES


def all_parties(engine: Engine) -> list[Mapping[str, Any]]:
    """Return every admitted party, by code."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(PARTIES).order_by(PARTIES.c.party)).mappings()]


def by_credit_code(engine: Engine, credit_code: str) -> list[Mapping[str, Any]]:
    """Return the parties with a credit code that are not removed, by code; normally one."""
    wanted = select(PARTIES).where(PARTIES.c.org == credit_code, PARTIES.c.status != "removed")
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(wanted.order_by(PARTIES.c.party)).mappings()]


def party(engine: Engine, code: str) -> Mapping[str, Any] | None:
    """Return one party, or None."""
    with engine.connect() as connection:
        row = connection.execute(select(PARTIES).where(PARTIES.c.party == code)).mappings().first()
        return None if row is None else dict(row)
