"""Asking for a grade by credit code: who may, recorded for the owner, and alike for whatever is not granted.

A bank that names a credit code that nobody has gets the same refusal as for an enterprise that granted
nothing: same status, code, words and headers. Whether there is a grade at all is told only under a grant.
"""

from __future__ import annotations

from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.civil_days import parse_as_of
from carbonseal_api.grades import queries
from carbonseal_api.grades.refusals import CreditCodeInvalid, GradeUnknown
from carbonseal_api.grades.service import DEFAULT_RULE, GradeAnswer, find_rule, grade_as_of
from carbonseal_api.grants.refusals import GrantExpired, GrantMissing, GrantWithdrawn
from carbonseal_api.grants.service import PUBLIC, PUBLISHING, Access, note_query, standing
from carbonseal_api.problems import ApiError, NotFound
from carbonseal_attest.errors import IdentifierInvalid
from carbonseal_attest.identifiers import check_org
from carbonseal_attest.instants import format_instant

LEVEL: Final = "grade"
NOBODY: Final = ""  # no party code: grants of it there are none


def ask(
    parts: Parts,
    principal: Principal,
    credit_code: str,
    *,
    as_of: str | None,
    rule: str | None,
    part: str = "",
) -> GradeAnswer:
    """Return the grade in force for a caller who may see it; the query is recorded before this returns.

    `as_of` is an instant, a civil day of China (its end), or None for now; `part` is what of the grade is
    asked for, as the record names it.

    Raises:
        CreditCodeInvalid, RequestInvalid, GradeRuleMissing: What was asked for cannot be.
        GrantMissing, GrantWithdrawn, GrantExpired: A bank, under no standing grant.
        NotFound: Another caller, of an organisation that is not its own, or that nobody is.
        GradeUnknown: None was in force then.
    """
    check_code(credit_code)
    at = parse_as_of(as_of, parts.clock())
    name = find_rule(rule or DEFAULT_RULE).name
    parts.projections.refresh_log(f"{parts.settings.log_host_name}/{parts.registrar}/register")
    found = queries.enterprise_with(parts.engine, credit_code)
    owner = NOBODY if found is None else str(found["party"])
    resource = f"/grades/{credit_code}{part}?as_of={format_instant(at)}&rule={name}"
    try:
        if found is None and principal.sees_all:
            raise NotFound("credit_code", "no such organisation", "check the credit code")
        access = Access.of(parts, principal, owner)
        access.require(LEVEL, None, parts.clock())
        answer = grade_as_of(parts, owner, name, at)
        grant = access.require(LEVEL, answer.period, parts.clock())
    except ApiError as refusal:
        note_query(parts, principal, owner or None, resource=resource, refusal=refusal.code)
        raise
    note_query(parts, principal, owner, resource=resource, grant=grant)
    return answer


def ask_published(parts: Parts, credit_code: str, *, as_of: str | None, rule: str | None) -> GradeAnswer:
    """Return the grade in force that an enterprise shows to everybody. Who reads it is not recorded.

    Raises:
        CreditCodeInvalid, RequestInvalid, GradeRuleMissing: What was asked for cannot be.
        NotFound: Nothing is shown: no such enterprise, no grant to everybody, or none of that period.
    """
    check_code(credit_code)
    at = parse_as_of(as_of, parts.clock())
    name = find_rule(rule or DEFAULT_RULE).name
    parts.projections.refresh_log(f"{parts.settings.log_host_name}/{parts.registrar}/register")
    found = queries.enterprise_with(parts.engine, credit_code)
    owner, now = NOBODY if found is None else str(found["party"]), parts.clock()
    asked: dict[str, Any] = {"grantee": PUBLIC, "owner": owner, "level": LEVEL, "at": now}
    try:
        standing(parts, period=None, purposes={PUBLISHING}, **asked)
        answer = grade_as_of(parts, owner, name, at)
        standing(parts, period=answer.period, purposes={PUBLISHING}, **asked)
    except (GrantMissing, GrantWithdrawn, GrantExpired, GradeUnknown) as refusal:
        raise NotFound("credit_code", "nothing of it is published", "see /published") from refusal
    return answer


def check_code(credit_code: str) -> str:
    """Return a credit code whose check character is right.

    Raises:
        CreditCodeInvalid: It is not, or it has not 18 characters.
    """
    try:
        return check_org(credit_code, field="credit_code")
    except IdentifierInvalid as problem:
        raise CreditCodeInvalid(problem.field, problem.reason, problem.remedy) from problem
