"""What a batch of entries adds to the projections, and one entry as a projector sees it. No database here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from carbonseal_attest.contents import Content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import LoggedEntry


@dataclass(frozen=True, slots=True)
class Projected:
    """One logged statement with its content; `party` is the one whose log it is."""

    party: str
    entry: LoggedEntry
    statement: SignedStatement
    content: Content


@dataclass(slots=True)
class Rows:
    """What one batch of entries adds, by table; later rows about the same thing replace earlier ones.

    The first six are the service's own tables; `more` holds those of the domains, by table and primary key.
    """

    parties: dict[str, dict[str, Any]] = field(default_factory=dict)
    devices: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    plans: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)
    series: list[dict[str, Any]] = field(default_factory=list)
    last_readings: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    more: dict[Table, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """Add a row of a domain's table; one with the same primary key replaces it."""
        key = tuple(row[column.name] for column in table.primary_key.columns)
        self.more.setdefault(table, {})[key] = row
