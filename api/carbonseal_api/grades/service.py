"""Grades and gives them out: what is in force when, with its proof, to whom a grant allows it.

A grade is a statement of the log host's party in its own data log, with the very input and result bytes. It
is in force from its registration until a later one of the same rule takes its place: half-open. Of several
reporting periods the one that ends last is in force. A period becomes one to grade when the registrar has
published the industry's mean for it, or when there is no such period at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.catalogue.service import is_in_force
from carbonseal_api.grades import queries
from carbonseal_api.grades.inputs import Evidence
from carbonseal_api.grades.refusals import (
    GradeRuleMissing,
    GradeRuleUnpublished,
    GradeUnknown,
    NothingToGrade,
)
from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.contents import Content, check_content
from carbonseal_attest.instants import Interval
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.errors import GradeRuleUnknown
from carbonseal_verifier.grade import Grade, grade_input
from carbonseal_verifier.grade_input import GradeInput
from carbonseal_verifier.grade_package import find_grade_rule
from carbonseal_verifier.grade_rule import GradeRule

DEFAULT_RULE: Final = "CARBON-EFFICIENCY@1.0.0"
# What differs between two gradings of the same facts.
_TIMES: Final = frozenset({"as_of", "inputs_digest"})


@dataclass(frozen=True, slots=True)
class LoggedProof:
    """A statement with its content and its receipt: what a reader needs to check it offline."""

    statement: SignedStatement
    content: Content
    content_bytes: bytes
    receipt: bytes
    state: str
    entry_index: int


@dataclass(frozen=True, slots=True)
class GradeAnswer:
    """The grade of a party that was in force at `as_of` (ms), and its proofs.

    `input` and `result` are the bytes that the log host's party signed; `log_host` is the registrar's
    statement that admits that party, `admission` the one about the graded party, with its credit code.
    `marks` are what impacts have said of this very grade since, open and cured.
    """

    party: str
    rule: str
    as_of: int
    registered_at: int
    period: Interval
    input: bytes
    result: bytes
    proof: LoggedProof
    log_host: LoggedProof
    admission: LoggedProof
    marks: tuple[Mark, ...] = ()


def find_rule(name: str) -> GradeRule:
    """Return a grade rule of this distribution by ID@VERSION.

    Raises:
        GradeRuleMissing: There is none.
    """
    try:
        return find_grade_rule(name)
    except GradeRuleUnknown as problem:
        raise GradeRuleMissing("rule", problem.reason, problem.remedy) from problem


def regrade(
    parts: Parts, party: str, *, at: int, cause: bytes | None = None, rule: str = DEFAULT_RULE
) -> SignedStatement | None:
    """Grade a party anew and return the new `grade` statement, None where nothing has changed.

    Every period to grade is graded, the latest last, and the last statement made is returned. Two calls at
    once make one statement: the second one finds the first's.

    Args:
        parts: The deployment; the log host's key must be here.
        party: Who is graded.
        at: When, in ms; not ahead of the clock.
        cause: Statement digest of the impact that asks for it.
        rule: ID@VERSION.

    Raises:
        GradeRuleMissing, GradeRuleUnpublished: The rule is not to be graded by.
        RequestInvalid: `at` lies ahead.
    """
    known = find_rule(rule)
    if at > parts.clock():
        raise RequestInvalid("at", "lies ahead", "grade at an instant that has come")
    if not is_in_force(parts, known.name, known.digest, at):
        raise GradeRuleUnpublished(
            "rule", f"{rule} is not published as it is here, or not in force", "have the registrar publish it"
        )
    made = None
    with parts.desks.desk(parts.host_party) as desk:
        parts.projections.refresh()
        evidence = Evidence(parts, party)
        newest = _newest_by_period(parts, party, rule)
        for period in _periods(evidence, newest):
            given = evidence.input(known, period, at)
            result = grade_input(known, GradeInput.parse(given, known))
            last = newest.get(period)
            if last is not None and not _differs(parts, last, known, given, result):
                continue
            made = desk.issue(
                host_origin(parts),
                "grade",
                _body(party, result, given, last, cause),
                subject=party,
            )
    if made is not None:
        parts.projections.refresh_log(host_origin(parts))
    return made


def require_graded(parts: Parts, party: str, *, at: int, rule: str = DEFAULT_RULE) -> bool:
    """Grade a party now, where something has changed; return whether a new statement was made.

    Raises:
        NothingToGrade: It has filed no report.
    """
    made = regrade(parts, party, at=at, rule=rule)
    if made is None and not _newest_by_period(parts, party, rule):
        raise NothingToGrade("party", "has filed no emissions report", "file the report of a period first")
    return made is not None


def grade_as_of(parts: Parts, party: str, rule: str, as_of: int) -> GradeAnswer:
    """Return the grade of a party under a rule that was in force at an instant, with its proof as it is now.

    Raises:
        GradeRuleMissing: No such rule.
        GradeUnknown: None was in force then.
    """
    find_rule(rule)
    parts.projections.refresh_log(host_origin(parts))
    found = in_force(history(parts, party), rule, as_of)
    if found is None:
        raise GradeUnknown("as_of", "no grade was in force then", "ask for a later day, or have it graded")
    (proof,) = _logged(parts, host_origin(parts), [bytes(found["statement_digest"])])
    log_host, admission = _admissions(parts, (parts.host_party, party))
    body = proof.content.body
    return GradeAnswer(
        party=party,
        rule=body["rule"],
        as_of=as_of,
        registered_at=found["registered_at"],
        period=(body["period"]["start"], body["period"]["end"]),
        input=body["input"],
        result=body["result"],
        proof=proof,
        log_host=log_host,
        admission=admission,
        marks=tuple(marks_on(parts, [proof.statement.digest]).get(proof.statement.digest, ())),
    )


def history(parts: Parts, party: str) -> list[queries.Row]:
    """Return the grades of a party in the log host's own data log, newest first: rows without their bytes."""
    return queries.grades_about(parts.engine, parts.host_party, party)


def in_force(rows: list[queries.Row], rule: str, as_of: int) -> queries.Row | None:
    """Return the row in force at an instant, out of a history that is newest first."""
    past = [
        row for row in rows if row["rule"] == rule and row["registered_at"] <= as_of and row["as_of"] <= as_of
    ]
    # Of equal periods the first row is the newest, and `max` keeps the first.
    return max(past, key=lambda row: (row["period"]["end"], -row["period"]["start"]), default=None)


def host_origin(parts: Parts) -> str:
    """Return the origin of the log host's own data log, where grades are."""
    return f"{parts.settings.log_host_name}/{parts.host_party}/data"


def _periods(evidence: Evidence, newest: dict[Interval, queries.Row]) -> list[Interval]:
    filed = evidence.periods
    wanted = {period for period in filed if evidence.has_mean(period)} | set(newest)
    return sorted(wanted, key=lambda one: (one[1], -one[0])) or filed[-1:]


def _newest_by_period(parts: Parts, party: str, rule: str) -> dict[Interval, queries.Row]:
    newest = dict[Interval, queries.Row]()
    for row in history(parts, party):
        if row["rule"] == rule:
            newest.setdefault((row["period"]["start"], row["period"]["end"]), row)
    return newest


def _differs(parts: Parts, last: queries.Row, rule: GradeRule, given: bytes, result: Grade) -> bool:
    proof = check_content(
        SignedStatement.parse(parts.host.find(host_origin(parts), bytes(last["statement_digest"])).raw),
        parts.host.contents.get(bytes(last["content_digest"])),
    )
    body = proof.body
    held = (body["package_digest"], _timeless(body["input"]), _timeless(body["result"]))
    return held != (rule.digest, _timeless(given), _timeless(result.to_bytes()))


def _timeless(data: bytes) -> dict[str, Any]:
    return {key: value for key, value in json.loads(data).items() if key not in _TIMES}


def _body(
    party: str, result: Grade, given: bytes, last: queries.Row | None, cause: bytes | None
) -> dict[str, Any]:
    start, end = result.given.period
    return {
        "party": party,
        "rule": result.rule.name,
        "package_digest": result.rule.digest,
        "period": {"start": start, "end": end},
        "as_of": result.given.as_of,
        "grade": result.grade,
        "input": given,
        "result": result.to_bytes(),
        "replaces": None if last is None else bytes(last["statement_digest"]),
        "cause": cause,
    }


def _admissions(parts: Parts, parties: Sequence[str]) -> list[LoggedProof]:
    """Return the registrar's newest statement about each of some admitted parties, in order."""
    newest = queries.newest_about(parts.engine, "party", parties, party=parts.registrar, log="register")
    origin = f"{parts.settings.log_host_name}/{parts.registrar}/register"
    return _logged(parts, origin, [bytes(newest[party]["statement_digest"]) for party in parties])


def _logged(parts: Parts, origin: str, digests: Sequence[bytes]) -> list[LoggedProof]:
    statements = [SignedStatement.parse(parts.host.find(origin, digest).raw) for digest in digests]
    contents = parts.host.contents.get_many([statement.payload for statement in statements])
    made = []
    for statement, answer in zip(statements, parts.host.receipts(origin, digests), strict=True):
        data = contents.get(statement.payload)
        if data is None or answer.receipt is None or answer.index is None:
            raise NotFound("statement", f"{statement.digest.hex()} is not whole here", "ask the log host")
        made.append(
            LoggedProof(
                statement=statement,
                content=check_content(statement, data),
                content_bytes=data,
                receipt=answer.receipt,
                state=str(answer.state),
                entry_index=answer.index,
            )
        )
    return made
