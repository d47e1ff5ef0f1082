"""Gathers the pages of those who see an organisation under its grant: bank, verification body, laboratory."""

from __future__ import annotations

from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.grades.asking import ask
from carbonseal_api.grades.schemas import GradeView
from carbonseal_api.organisations import service as organisations
from carbonseal_api.web.disclosures import received_rows, reports_to_verify


def home(parts: Parts, party: str) -> dict[str, Any]:
    """Return what a bank or a laboratory sees first: the grants that name it."""
    parts.projections.refresh()
    organisation = organisations.organisation(parts, party)
    return {
        "organisation": organisation,
        "received": received_rows(parts, party),
        "head": parts.host.head(organisation.data_origin),
    }


def body_home(parts: Parts, party: str) -> dict[str, Any]:
    """Return what a verification body sees first: reports it may verify, its opinions, its grants."""
    return {**home(parts, party), "reports": reports_to_verify(parts, party)}


def grade_page(
    parts: Parts, principal: Principal, party: str, credit_code: str, as_of: str
) -> dict[str, Any]:
    """Return the grade of an organisation as `GET /grades/{credit_code}` gives it; the query is recorded.

    Raises:
        CreditCodeInvalid, GrantMissing, GrantWithdrawn, GrantExpired, GradeUnknown: As there.
    """
    found = ask(parts, principal, credit_code, as_of=as_of or None, rule=None)
    return {
        "organisation": organisations.organisation(parts, party),
        "graded": organisations.organisation(parts, found.party),
        "answer": GradeView.of(found, credit_code),
    }
