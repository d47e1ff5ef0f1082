"""Finds plan versions and what they say about measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.plans import queries
from carbonseal_api.plans.schemas import Plan
from carbonseal_api.problems import NotFound
from carbonseal_attest.instants import format_instant


def plans(parts: Parts, party: str) -> list[Plan]:
    """Return every plan version of an organisation."""
    return [_shown(row) for row in queries.plans(parts.engine, party)]


def newest_plan(parts: Parts, party: str) -> Mapping[str, Any] | None:
    """Return the row of the newest plan version, whether in force now or not; None without any."""
    rows = queries.plans(parts.engine, party)
    return rows[-1] if rows else None


def plan_by_digest(parts: Parts, party: str, digest: bytes) -> Mapping[str, Any]:
    """Return the row of the plan version that a statement filed.

    Raises:
        NotFound: No such plan of this party.
    """
    row = queries.plan_by_digest(parts.engine, party, digest)
    if row is None:
        raise NotFound("plan_digest", "no such plan", "list the plans of the organisation")
    return row


def measurements_by_point(parts: Parts, party: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return (device, point) to the measurement in the newest plan."""
    row = newest_plan(parts, party)
    if row is None:
        return {}
    return {(item["device"], item["point"]): item for item in row["body"]["measurements"]}


def meter_names(parts: Parts, party: str) -> dict[str, Mapping[str, str]]:
    """Return meter code to the name of its first measurement in the newest plan."""
    row = newest_plan(parts, party)
    names: dict[str, Mapping[str, str]] = {}
    for item in () if row is None else row["body"]["measurements"]:
        names.setdefault(item["device"], item["name"])
    return names


def _shown(row: Mapping[str, Any]) -> Plan:
    return Plan(
        plan=row["plan"],
        plan_version=row["plan_version"],
        statement_digest=row["statement_digest"].hex(),
        effective_start=format_instant(row["effective_start"]),
        effective_end=None if row["effective_end"] is None else format_instant(row["effective_end"]),
        body=row["body"],
    )
