"""Gathers what others say of an organisation, for its page: grade, opinions, marks, asset records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.assets import queries as assets
from carbonseal_api.engagements.opinions import OpinionBook
from carbonseal_api.grades.refusals import GradeUnknown
from carbonseal_api.grades.schemas import GradeView
from carbonseal_api.grades.service import DEFAULT_RULE, grade_as_of
from carbonseal_api.impacts.marks import OPEN, Mark, marks_of_party, marks_on
from carbonseal_api.organisations import queries as organisations
from carbonseal_api.quality import queries as results

RECORDS_SHOWN: Final = 50
MARKS_SHOWN: Final = 20
REPORTS_SHOWN: Final = 12  # of which opinions are looked for


def judgements(parts: Parts, party: str, org: str | None) -> dict[str, Any]:
    """Return the newest grade, open marks, asset records, and the opinions on the organisation's reports."""
    return {
        "grade": _grade(parts, party, org),
        "marks": grouped(marks_of_party(parts, party))[:MARKS_SHOWN],
        "records": _records(parts, party),
        "opinions": opinions_about(parts, party),
    }


def opinions_about(parts: Parts, party: str, report: str | None = None) -> list[dict[str, Any]]:
    """Return the opinions that count on an organisation's newest reports, or on one of them."""
    names = {row["party"]: row["name"] for row in organisations.all_parties(parts.engine)}
    rows = results.results(parts.engine, party, "emissions_report", limit=REPORTS_SHOWN)
    wanted = [bytes.fromhex(report)] if report else [bytes(row["statement_digest"]) for row in rows]
    book = OpinionBook(parts)
    return [
        {
            "body": one.body,
            "name": names.get(one.body),
            "opinion": one.opinion,
            "level_of_assurance": one.level_of_assurance,
            "standing": one.standing,
            "report": one.report_digest.hex(),
            "digest": one.digest.hex(),
        }
        for digest in wanted
        for one in book.on(digest)[0]
    ]


def open_marks_on(parts: Parts, digest: bytes) -> list[dict[str, Any]]:
    """Return the marks on one thing that are not cured."""
    return grouped([mark for mark in marks_on(parts, [digest]).get(digest, []) if mark.state == OPEN])


def grouped(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Return marks as one row an impact, newest first, with the kinds of what it touches."""
    rows = dict[bytes, dict[str, Any]]()
    for mark in marks:
        row = rows.setdefault(
            mark.impact,
            {
                "cause": mark.cause,
                "reason": mark.reason,
                "cure": mark.cure,
                "impact": mark.impact.hex(),
                "kinds": [],
            },
        )
        if mark.kind not in row["kinds"]:
            row["kinds"].append(mark.kind)
    return list(rows.values())[::-1]


def _grade(parts: Parts, party: str, org: str | None) -> GradeView | None:
    try:
        return GradeView.of(grade_as_of(parts, party, DEFAULT_RULE, parts.clock()), org or "")
    except GradeUnknown:
        return None


def _records(parts: Parts, party: str) -> list[Mapping[str, Any]]:
    rows = assets.records(parts.engine, parts.registrar, holders=[party], limit=RECORDS_SHOWN)
    causes = assets.standing_causes(parts.engine, parts.registrar, [bytes(row["record"]) for row in rows])
    return [
        {**row, "id": row["record"].hex(), "is_frozen": bool(causes.get(bytes(row["record"])))}
        for row in rows
    ]
