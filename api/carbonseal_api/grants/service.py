"""Gives and withdraws grants, and decides who may see what of another organisation, from the logs each time.

A grant is a statement of the enterprise in its own register log, signed at its desk here or uploaded from a
desk elsewhere; both count alike. Nothing is remembered between two decisions.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_api import access_records
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.grants import queries
from carbonseal_api.grants.refusals import GrantExpired, GrantInvalid, GrantMissing, GrantWithdrawn, missing
from carbonseal_api.grants.standing import PUBLIC, STANDING, WITHDRAWN, Grant, find_standing
from carbonseal_api.problems import NotFound
from carbonseal_attest.errors import CarbonsealError, IdentifierInvalid
from carbonseal_attest.identifiers import check_org, opaque_code
from carbonseal_attest.instants import Interval
from carbonseal_attest.statement import SignedStatement

# What each role may be shown for; a role that is not here reads another's data under no grant.
PURPOSE_OF: Final[Mapping[str, str]] = {"bank": "loan", "verification_body": "verification"}
# Whom a grant can name, by purpose. An enterprise is never told whether another one exists.
_GRANTEES: Final[Mapping[str, tuple[str, ...]]] = {
    "loan": ("bank",),
    "verification": ("verification_body",),
    "disclosure": ("bank", "verification_body", "regulator", "laboratory"),
    "research": ("bank", "verification_body", "regulator", "laboratory"),
}
PUBLISHING: Final = "disclosure"  # the one purpose of a grant to everybody
_SUPERVISION: Final = {"regulator": "supervision", "registrar": "admission", "operator": "operation"}
_REFUSALS: Final = (GrantMissing, GrantWithdrawn, GrantExpired, NotFound)


def standing(
    parts: Parts,
    *,
    grantee: str,
    owner: str,
    level: str,
    period: Interval | None,
    at: int,
    purposes: Collection[str] | None = None,
) -> Grant:
    """Return the grant under which a grantee may see something of an owner.

    Args:
        parts: The deployment.
        grantee: Party code of who asks.
        owner: Party code of whose it is.
        level: grade, report or evidence; a grant of a higher level includes it.
        period: The half-open period that the grant must cover whole; None: any.
        at: Now, in ms; validity is half-open.
        purposes: Purposes that fit; None: any.

    Raises:
        GrantMissing: There is none, it does not reach as far, or the grantee is not admitted now.
        GrantWithdrawn, GrantExpired: There was one.
    """
    if grantee != PUBLIC and queries.admitted(parts, grantee) is None:
        raise missing()
    given = queries.grants_of(parts, owner)
    return find_standing(given, grantee=grantee, level=level, period=period, at=at, purposes=purposes)


def require_access(
    parts: Parts,
    principal: Principal,
    owner: str,
    level: str,
    period: Interval | None = None,
    *,
    action: str = "read",
    resource: str | None = None,
) -> Grant | None:
    """Refuse unless a caller may see this of an owner; return the grant relied upon, if one is needed.

    The owner itself passes, and roles that reach every organisation. A bank needs a standing grant of
    purpose loan, a verification body one of purpose verification. With `resource` given, the query is
    recorded for the owner before this returns or refuses.

    Raises:
        GrantMissing, GrantWithdrawn, GrantExpired: No grant stands.
        NotFound: The caller's role reads another's data under no grant.
    """
    try:
        grant = Access.of(parts, principal, owner).require(level, period, parts.clock())
    except _REFUSALS as refusal:
        if resource is not None:
            known = None if queries.admitted(parts, owner, any_status=True) is None else owner
            note_query(parts, principal, known, action=action, resource=resource, refusal=refusal.code)
        raise
    if resource is not None:
        note_query(parts, principal, owner, action=action, resource=resource, grant=grant)
    return grant


@dataclass(frozen=True, slots=True)
class Access:
    """What one call by one caller may see of one owner: the owner's grants as its log stands at that call.

    Made anew for each call and never kept: a grant that was withdrawn before the call is withdrawn in it.
    """

    principal: Principal
    given: tuple[Grant, ...] | None  # None: needs no grant

    @classmethod
    def of(cls, parts: Parts, principal: Principal, owner: str) -> Access:
        """Read the owner's grants for a caller.

        Raises:
            GrantMissing: The caller's party is not admitted now.
            NotFound: The caller's role reads another's data under no grant.
        """
        if principal.party == owner or principal.sees_all:
            return cls(principal, None)
        if not _purposes(principal):
            raise NotFound("party", "no such resource for this key", "use the code of your own organisation")
        if queries.admitted(parts, principal.party) is None:
            raise missing()
        return cls(principal, tuple(queries.grants_of(parts, owner)))

    def require(self, level: str, period: Interval | None, at: int) -> Grant | None:
        """Refuse unless this may be seen at an instant (ms); return the grant relied upon, if one is needed.

        Raises:
            GrantMissing, GrantWithdrawn, GrantExpired: No grant stands.
        """
        if self.given is None:
            return None
        purposes, grantee = _purposes(self.principal), self.principal.party
        return find_standing(
            self.given, grantee=grantee, level=level, period=period, at=at, purposes=purposes
        )


def note_query(
    parts: Parts,
    principal: Principal,
    owner: str | None,
    *,
    action: str = "read",
    resource: str,
    grant: Grant | None = None,
    refusal: str | None = None,
) -> None:
    """Record a query for an owner, answered under a grant or without one, or refused; see `access_records`.

    None: the query named nobody who is here.
    """
    access_records.record(
        parts,
        principal,
        owner=owner,
        action=action,
        resource=resource,
        purpose=_purpose(principal) if grant is None else grant.purpose,
        grant=None if grant is None else grant.digest,
        refusal=refusal,
    )


def give(parts: Parts, owner: str, body: Mapping[str, Any]) -> SignedStatement:
    """Return the owner's `grant` statement, registered.

    `body` is the kind's, without `grant`, which is made here.

    Raises:
        GrantInvalid: The grantee is nobody whom a grant of this purpose can name, or it is over already.
        PartMissing: The owner's key is not here; it signs at its own desk and uploads the statement.
        StatementRefused: The log refused it.
    """
    _check_grantee(parts, owner, str(body["to"]), str(body["purpose"]))
    if body["valid"]["end"] <= parts.clock():
        raise GrantInvalid("valid.end", "lies in the past", "let the grant end later")
    origin = queries.register_origin(parts, owner)
    code = opaque_code("gr", secrets.token_bytes(16))
    try:
        with parts.desks.desk(owner) as desk:
            statement = desk.issue(origin, "grant", {"grant": code, **body})
    except CarbonsealError as refusal:
        if refusal.code == "content-invalid":
            raise GrantInvalid(refusal.field, refusal.reason, refusal.remedy) from refusal
        raise
    parts.projections.refresh_log(origin)
    return statement


def withdraw(parts: Parts, owner: str, digest: bytes, reason: str) -> SignedStatement:
    """Return the owner's `withdrawal` of a grant, registered; the one that stands already, if there is one.

    From the moment this returns every decision refuses the grant.

    Raises:
        NotFound: The owner gave no such grant.
        PartMissing: The owner's key is not here.
    """
    origin = queries.register_origin(parts, owner)
    with parts.desks.desk(owner) as desk:
        grant = by_digest(parts, owner, digest)
        if grant.ending is not None:
            return SignedStatement.parse(parts.host.find(origin, grant.ending.digest).raw)
        body = {"withdraws": digest, "role": "operator", "reason": reason}
        statement = desk.issue(origin, "withdrawal", body)
    parts.projections.refresh_log(origin)
    return statement


def by_digest(parts: Parts, owner: str, digest: bytes) -> Grant:
    """Return a grant that an owner gave, whatever became of it.

    Raises:
        NotFound: The owner gave no such grant.
    """
    for grant in queries.grants_of(parts, owner):
        if grant.digest == digest:
            return grant
    raise NotFound("digest", "no such grant of this organisation", "list the grants of the organisation")


def published(parts: Parts) -> list[Grant]:
    """Return the grants by which enterprises show something to everybody now, newest first."""
    return [
        grant
        for grant in given_to(parts, PUBLIC)
        if grant.purpose == PUBLISHING and grant.state(parts.clock()) == STANDING
    ]


def given_by(parts: Parts, owner: str) -> list[Grant]:
    """Return the grants that an owner gave, newest first."""
    return queries.grants_of(parts, owner)[::-1]


def given_to(parts: Parts, grantee: str) -> list[Grant]:
    """Return the grants that name a grantee, newest first; the ones that ended too."""
    owners = queries.owners_granting(parts, grantee)
    found = [grant for owner in owners for grant in queries.grants_of(parts, owner) if grant.to == grantee]
    return sorted(found, key=lambda grant: (grant.registered_at, grant.digest), reverse=True)


def party_named(parts: Parts, text: str) -> str:
    """Return the party code that a party code, a credit code, an LEI or `public` names; others unchanged."""
    if text == "public":
        return PUBLIC
    try:
        check_org(text)
    except IdentifierInvalid:
        return text
    roles = {role for roles in _GRANTEES.values() for role in roles}
    found = queries.admitted_with(parts, text, roles)
    return found[0] if len(found) == 1 else text


def _check_grantee(parts: Parts, owner: str, to: str, purpose: str) -> None:
    if to == PUBLIC:
        if purpose != PUBLISHING:
            raise GrantInvalid("purpose", "is not disclosure", "what everybody may see is a disclosure")
        return
    grantee = queries.admitted(parts, to)
    if purpose not in _GRANTEES:
        raise GrantInvalid("purpose", "is none of ours", f"write {', '.join(_GRANTEES)}")
    allowed = _GRANTEES[purpose]
    if to == owner or grantee is None or not set(allowed) & set(grantee["roles"]):
        raise GrantInvalid(
            "to",
            f"is no admitted {' or '.join(allowed).replace('_', ' ') or 'party'}",
            "name a party that is admitted for this purpose",
        )


def _purposes(principal: Principal) -> set[str]:
    return {PURPOSE_OF[role] for role in principal.roles & PURPOSE_OF.keys()}


def _purpose(principal: Principal) -> str:
    supervised = [word for role, word in _SUPERVISION.items() if role in principal.roles]
    if principal.sees_all and supervised:
        return supervised[0]
    return "/".join(sorted(_purposes(principal))) or "none"


__all__ = [
    "PUBLIC",
    "PUBLISHING",
    "PURPOSE_OF",
    "WITHDRAWN",
    "Access",
    "by_digest",
    "give",
    "given_by",
    "given_to",
    "note_query",
    "party_named",
    "published",
    "require_access",
    "standing",
    "withdraw",
]
