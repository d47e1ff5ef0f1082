"""Admits parties whose key is elsewhere, and changes the standing of those that were admitted.

The registrar's `party` statement admits the public key that a party gave; the party itself opens its logs,
with the genesis statements of its invitation, signed where its key is (`POST /logs`). Its key never comes
here. A legal person, known by its credit code, is one party with all its roles, so that roles which exclude
each other cannot be had under two codes. Parties with a key in this deployment's folder are admitted by
`deployment.admit_enterprise`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.founding import DATA, REGISTER, HostFacts, PartyFacts, admission, invitation
from carbonseal_api.organisations import queries
from carbonseal_api.problems import ApiError, NotFound, RequestInvalid
from carbonseal_api.standing import account_roles_of, check_exclusions, party_roles
from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.identifiers import check_org, is_plain_text, opaque_code
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement

STATUSES: Final = {"suspend": "suspended", "remove": "removed", "readmit": "admitted"}
_MAX_REASON: Final = 400


class PartyKnown(ApiError):
    """The credit code or the key belongs to a party that is known here already."""

    code = "party-known"
    status = 409


@dataclass(frozen=True, slots=True)
class InvitedParty:
    """A party that was admitted by its public key, with what it needs to open its logs."""

    party: str
    register_origin: str
    data_origin: str
    api_key: str
    invitation: bytes


def check_key_may_be_here(roles: Sequence[str]) -> None:
    """Refuse to make the key of a party whose word must not be the server's.

    Raises:
        RequestInvalid: It is a verification body.
    """
    if "verification_body" in roles:
        raise RequestInvalid(
            "public_key",
            "a verification body's key is never made on a server: whoever runs it could sign opinions",
            "have the body make it (`carbonseal-verifier key`) and give its --public-key",
        )


def parse_public_key(text: str) -> PublicKey:
    """Return the public key that `text` writes: 64 hex digits for Ed25519, else `<name>:<hex>`.

    Raises:
        RequestInvalid: It is not such a key.
    """
    try:
        return PublicKey.from_text(text.strip())
    except KeyRefused as error:
        raise RequestInvalid("public_key", error.reason, error.remedy) from error


def check_admission(
    parts: Parts, name: Mapping[str, str], roles: Sequence[str], org: str | None, *, code: str | None = None
) -> None:
    """Refuse an admission that may not be, before anything is written.

    Args:
        parts: The deployment.
        name: The party's name in Chinese and English.
        roles: Roles that it is to have.
        org: Its credit code, if it has one.
        code: Its party code, when it is known: it may be admitted again with other roles.

    Raises:
        RequestInvalid: A name lacks a language, or a role is unknown.
        IdentifierInvalid: The credit code is none.
        RolesExclude: The roles exclude each other.
        PartyKnown: The credit code is another party's.
    """
    if not all(name.get(lang) and is_plain_text(name[lang]) for lang in ("zh", "en")):
        raise RequestInvalid("name", "lacks a language", "give the name in Chinese and English")
    unknown = [role for role in roles if role not in party_roles()]
    if unknown or not roles or len(set(roles)) != len(roles):
        raise RequestInvalid(
            "roles", f"{unknown or 'none, or one twice'}", f"choose from {', '.join(party_roles())}"
        )
    check_exclusions(roles)
    if org is not None:
        check_org(org)
        parts.projections.refresh()
        others = [row["party"] for row in queries.by_credit_code(parts.engine, org) if row["party"] != code]
        if others:
            raise PartyKnown(
                "org", f"is the credit code of {others[0]}", "admit that party with the further role"
            )


def invite_party(
    parts: Parts,
    facts: HostFacts,
    key: PublicKey,
    name: Mapping[str, str],
    *,
    roles: Sequence[str],
    org: str | None = None,
    industry: str | None = None,
) -> InvitedParty:
    """Admit a party by its public key and return its invitation and an API key for its programs.

    Asked again for the same party it changes nothing and gives the same invitation, with another API key.

    Raises:
        RequestInvalid, IdentifierInvalid, RolesExclude, PartyKnown: See `check_admission`; PartyKnown also
            for a party that is suspended or removed.
        PartMissing: The registrar's key is not on this machine.
        StatementRefused: The log refused the registrar's statement.
    """
    if not roles:
        raise RequestInvalid("roles", "none given", f"choose from {', '.join(party_roles())}")
    code = opaque_code(roles[0][0], key.raw)
    check_admission(parts, name, roles, org, code=code)
    party = PartyFacts(code, name, tuple(roles), org, industry)
    with parts.desks.desk(parts.registrar) as desk:
        made = invitation(party, key, host=facts, registrar=desk.signer, registrar_party=parts.registrar)
        wanted, standing = admission(party, key, facts), parts.keys.standing.newest(code)
        if standing is not None and standing["status"] != "admitted":
            raise PartyKnown(
                "public_key", f"{code} is {standing['status']}", "readmit it with `carbonseal party`"
            )
        if standing is None or any(standing.get(name) != value for name, value in wanted.items()):
            desk.issue(parts.keys.standing.register_origin, "party", wanted, subject=code)
    parts.keys.forget()
    parts.projections.refresh()
    return InvitedParty(
        party=code,
        register_origin=facts.origin(code, REGISTER),
        data_origin=facts.origin(code, DATA),
        api_key=parts.keys.issue(code, first_roles(roles), "made on admission"),
        invitation=made,
    )


def first_roles(roles: Sequence[str]) -> list[str]:
    """Return the roles of the first account of a party: one for each of its own, not the lesser ones."""
    return sorted(role if role in account_roles_of(role) else min(account_roles_of(role)) for role in roles)


def change_status(parts: Parts, party: str, act: str, reason: str) -> SignedStatement:
    """Suspend, remove or readmit a party; the registrar's statement says why.

    Its accounts and its statements are refused from then on, or taken again; what it logged stays. Removal is
    for good.

    Raises:
        NotFound: The registrar admitted no such party.
        RequestInvalid: No reason, no change, or the party runs this very service.
        PartMissing: The registrar's key is not on this machine.
        StatementRefused: The log refused the registrar's statement.
    """
    status = STATUSES[act]
    if not reason.strip() or len(reason) > _MAX_REASON or not is_plain_text(reason):
        raise RequestInvalid(
            "reason", "is missing or too long", f"say why, in at most {_MAX_REASON} characters"
        )
    if party in {parts.registrar, parts.host_party}:
        raise RequestInvalid("party", "runs this service", "found a new deployment with other keys instead")
    with parts.desks.desk(parts.registrar) as desk:
        standing = parts.keys.standing.newest(party)
        if standing is None:
            raise NotFound("party", "no such party", "see `carbonseal party list`")
        if standing["status"] in {status, "removed"}:
            raise RequestInvalid(
                "party", f"is {standing['status']} already", "leave it, or admit another key"
            )
        body: dict[str, Any] = {
            **standing,
            "status": status,
            "reason": reason.strip(),
            "endorsements": [],
        }
        statement = desk.issue(parts.keys.standing.register_origin, "party", body, subject=party)
    parts.keys.forget()
    parts.projections.refresh()
    return statement
