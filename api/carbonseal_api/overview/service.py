"""Gathers where organisations stand: newest report, data code, grade, open marks, asset records.

Everything comes from projections, in a handful of queries however many organisations there are. Nothing is
judged here: codes, grades and marks are statements of those whose business they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.organisations import queries as organisations
from carbonseal_api.overview import queries
from carbonseal_attest.instants import format_instant

_NO_ENTERPRISE = ("registrar", "log_host", "verification_body", "bank", "regulator", "laboratory")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one organisation stands. Instants are RFC 3339 text; None: there is none."""

    party: str
    name: Mapping[str, str]
    org: str | None
    roles: tuple[str, ...]
    status: str
    report: str | None
    period_start: str | None
    period_end: str | None
    total: Mapping[str, str] | None
    code: str | None
    code_digest: str | None
    grade: str | None
    grade_digest: str | None
    open_marks: int
    live_records: int


def standings(parts: Parts) -> list[Standing]:
    """Return where each emitting organisation stands: those with open marks first, then by name."""
    parts.projections.refresh()
    results = queries.newest_results(parts.engine, ("emissions_report", "quality_code"))
    grades = queries.newest_grades(parts.engine, parts.host_party)
    marks = queries.open_mark_counts(parts.engine, parts.host_party)
    records = queries.live_record_counts(parts.engine, parts.registrar)
    found = []
    for row in organisations.all_parties(parts.engine):
        if "enterprise" in row["roles"]:
            party = row["party"]
            report, code = (results.get((party, kind)) for kind in ("emissions_report", "quality_code"))
            found.append(
                _standing(row, report, code, grades.get(party), marks.get(party, 0), records.get(party, 0))
            )
    return sorted(found, key=lambda one: (-one.open_marks, one.name.get("en", ""), one.party))


def institutions(parts: Parts) -> list[Mapping[str, Any]]:
    """Return the admitted parties that are no emitters: registrar, log host, verification bodies, …."""
    rows = organisations.all_parties(parts.engine)
    return [
        row for row in rows if set(row["roles"]) & set(_NO_ENTERPRISE) and "enterprise" not in row["roles"]
    ]


def _standing(
    row: Mapping[str, Any],
    report: Mapping[str, Any] | None,
    code: Mapping[str, Any] | None,
    grade: Mapping[str, Any] | None,
    open_marks: int,
    live_records: int,
) -> Standing:
    return Standing(
        party=row["party"],
        name=row["name"],
        org=row["org"],
        roles=tuple(row["roles"]),
        status=row["status"],
        report=None if report is None else report["statement_digest"].hex(),
        period_start=None if report is None else format_instant(report["interval_start"]),
        period_end=None if report is None else format_instant(report["interval_end"]),
        total=None if report is None else report["body"]["totals"]["total"],
        code=None if code is None else code["body"]["code"],
        code_digest=None if code is None else code["statement_digest"].hex(),
        grade=None if grade is None else grade["body"]["grade"],
        grade_digest=None if grade is None else grade["statement_digest"].hex(),
        open_marks=open_marks,
        live_records=live_records,
    )
