"""Decides who may give which roles to a new account of a party.

Two limits, and both hold: the party must have been admitted for the role (`KeyRing.check_roles`), and nobody
gives a role that it does not have itself. An enterprise's own role includes those that do less; the log
host's staff makes the first account of a party. A program with an OAuth2 client makes none: whoever stole its
secret would have an account of its own after the client is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.problems import RoleMissing

CLIENT: Final = "c-"  # how the account of an OAuth2 client begins
_LESSER: Final = {"enterprise": frozenset({"gateway", "reader"})}


def roles_to_give(parts: Parts, principal: Principal, party: str, roles: Iterable[str]) -> list[str]:
    """Return the roles, sorted, if the caller may give them to an account of the party.

    Raises:
        RequestInvalid: A role is unknown, or there is none.
        RoleMissing: The caller has not got one of them, or is a client, or the party was not admitted for it.
        PartyNotAdmitted: The party is not admitted now.
    """
    if principal.key_id.startswith(CLIENT):
        raise RoleMissing(
            "authorization",
            "a client makes no accounts",
            "make them with an API key that is kept for it, or on the machine of the service",
        )
    chosen = parts.keys.check_roles(party, roles)
    held = principal.roles.union(*(_LESSER.get(role, frozenset()) for role in principal.roles))
    excess = sorted(set(chosen) - held)
    if excess and not principal.sees_all:
        raise RoleMissing(
            "roles",
            f"a caller gives no role that it does not have: {', '.join(excess)}",
            "ask the log host for such an account",
        )
    return chosen
