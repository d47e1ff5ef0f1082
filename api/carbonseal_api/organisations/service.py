"""Decides who sees which organisation, and hands out API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carbonseal_api.accounts.giving import roles_to_give
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.organisations import queries
from carbonseal_api.organisations.schemas import IssuedKey, KeyDescription, KeyRequest, Organisation
from carbonseal_api.paging import Page
from carbonseal_api.problems import NotFound
from carbonseal_attest.identifiers import check_org
from carbonseal_attest.instants import format_instant


def visible(parts: Parts, principal: Principal) -> list[Organisation]:
    """Return the organisations that the caller may see: its own, or all in a role that reaches everywhere."""
    rows = queries.all_parties(parts.engine)
    return [_shown(row) for row in rows if principal.sees_all or row["party"] == principal.party]


def organisation(parts: Parts, code: str) -> Organisation:
    """Return one organisation.

    Raises:
        NotFound: The registrar has admitted no such party.
    """
    row = queries.party(parts.engine, code)
    if row is None:
        raise NotFound("party", "no such resource for this key", "use the code of your own organisation")
    return _shown(row)


def by_credit_code(parts: Parts, principal: Principal, credit_code: str) -> Organisation:
    """Return the organisation with a credit code, if the caller may see it.

    Raises:
        IdentifierInvalid: Neither a credit code nor an LEI, or a check character is wrong.
        NotFound: There is none, or it is none of the caller's.
    """
    check_org(credit_code, field="credit_code")
    for row in queries.by_credit_code(parts.engine, credit_code):
        if principal.sees_all or row["party"] == principal.party:
            return _shown(row)
    raise NotFound(
        "credit_code", "no such organisation for this key", "ask with an account of the organisation"
    )


def issue_key(parts: Parts, principal: Principal, party: str, wish: KeyRequest) -> IssuedKey:
    """Make an API key for an organisation.

    Raises:
        RoleMissing: The caller has not got a role that it would give, or the party was not admitted for it.
    """
    organisation(parts, party)
    key = parts.keys.issue(party, roles_to_give(parts, principal, party, wish.roles), wish.label)
    return IssuedKey(key=key, party=party, roles=sorted(set(wish.roles)), label=wish.label)


def keys(parts: Parts, party: str, page: Page) -> list[KeyDescription]:
    """Return a page of an organisation's keys without their secrets, newest first."""
    rows = page.cut(parts.keys.keys_of(party), lambda key: (key.created_at, key.key_id), newest_first=True)
    return [
        KeyDescription(
            key_id=key.key_id,
            roles=list(key.roles),
            label=key.label,
            created_at=format_instant(key.created_at),
            withdrawn_at=None if key.withdrawn_at is None else format_instant(key.withdrawn_at),
        )
        for key in rows
    ]


def _shown(row: Mapping[str, Any]) -> Organisation:
    return Organisation(**{**row, "statement_digest": row["statement_digest"].hex()})
