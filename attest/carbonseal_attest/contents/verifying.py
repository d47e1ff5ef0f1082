"""Kinds around a verification: engagement, finding, explanation (all of version 0: nothing uses them yet).

An engagement is what a verification body agreed to do (ISO 14064-3); a finding is what a rule or a person
found, without accusing anybody; an explanation is the operator's answer to one. Each is stated anew when it
moves on and names the statement before it, so that nobody can say later that it was never open. Persons are
named in contents of their own: here stands only the digest of such a content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.judging import FINDING_TYPES, LEVELS_OF_ASSURANCE, SEVERITIES

TEAM_ROLES: Final = ("lead_verifier", "verifier", "technical_expert", "independent_reviewer")
ENGAGEMENT_STATES: Final = ("agreed", "in_progress", "concluded", "ended_early")
STANCES: Final = ("explained", "corrected", "disputed", "accepted")

_before = s.nullable(s.digest)


def _check_team(body: Mapping[str, Any], place: str) -> None:
    leads = [member for member in body["team"] if member["role"] == "lead_verifier"]
    if len(leads) != 1:
        raise s.refuse(f"{place}.team", f"has {len(leads)} lead verifiers instead of one")
    if (body["state"] == "concluded") != (body["verification_report"] is not None):
        raise s.refuse(f"{place}.verification_report", "stands exactly in an engagement that is concluded")


engagement = s.where(
    s.record(
        {
            "engagement": s.code,
            "operator": s.code,
            "state": s.one_of(*ENGAGEMENT_STATES),
            "period": s.period,
            "plan_digest": s.digest,
            "report_digest": s.nullable(s.digest),
            "grant_digest": s.nullable(s.digest),
            "level_of_assurance": s.one_of(*LEVELS_OF_ASSURANCE),
            "materiality_percent": s.decimal,
            "criteria": s.array(s.text(200), 20, least=1),
            "scope": s.sentence,
            "independence": s.sentence,
            "team": s.array(
                s.record({"role": s.one_of(*TEAM_ROLES), "person_digest": s.digest}), 50, least=1
            ),
            "visits": s.array(
                s.record(
                    {
                        "place": s.text(200),
                        "time": s.span,
                        "persons": s.array(s.digest, 50, least=1),
                        "document_digest": s.nullable(s.digest),
                    }
                ),
                200,
            ),
            "verification_report": s.nullable(s.digest),
            "replaces": _before,
        }
    ),
    _check_team,
    "exactly one lead verifier; `verification_report` stands exactly where `state` is concluded",
)


def _check_finding(body: Mapping[str, Any], place: str) -> None:
    if body["engagement"] is None and body["rule"] is None:
        raise s.refuse(f"{place}.rule", "must name a rule where no engagement is named")
    if (body["state"] == "closed") != (body["closed_by"] is not None):
        raise s.refuse(f"{place}.closed_by", "stands exactly in a finding that is closed")


finding = s.where(
    s.record(
        {
            "finding": s.name,
            "operator": s.code,
            "about": s.digest,
            "engagement": s.nullable(s.code),
            "rule": s.nullable(
                s.record({"profile": s.text(80), "rule": s.text(80), "score": s.nullable(s.decimal)})
            ),
            "type": s.one_of(*FINDING_TYPES),
            "severity": s.one_of(*SEVERITIES),
            "state": s.one_of("open", "closed"),
            "subject": s.text(120),
            "runs": s.array(s.reading_run, 200),
            "inputs": s.array(s.digest, 200),
            "expected": s.sentence,
            "observed": s.sentence,
            "cure": s.sentence,
            "figure": s.nullable(s.difference),
            "answer_by": s.nullable(s.instant),
            "closed_by": s.nullable(s.digest),
            "replaces": _before,
        }
    ),
    _check_finding,
    "names an engagement, a rule or both; `closed_by` stands exactly where `state` is closed",
)


def _check_answer(body: Mapping[str, Any], place: str) -> None:
    named = body["answers"]
    if (named["rule"] is None) != (named["subject"] is None):
        raise s.refuse(f"{place}.answers", "names a rule and its subject, or neither")
    if body["stance"] == "corrected" and not body["evidence"]:
        raise s.refuse(f"{place}.evidence", "must name the statements by which it was corrected")


explanation = s.where(
    s.record(
        {
            "answers": s.record(
                {
                    "statement_digest": s.digest,
                    "rule": s.nullable(s.text(80)),
                    "subject": s.nullable(s.text(120)),
                }
            ),
            "stance": s.one_of(*STANCES),
            "text": s.sentence,
            "evidence": s.array(s.digest, 100),
            "role": s.text(60),
            "person_digest": s.nullable(s.digest),
            "replaces": _before,
        }
    ),
    _check_answer,
    "`rule` and `subject` stand together, where the finding stands inside a data code; `corrected` names"
    " evidence",
)
