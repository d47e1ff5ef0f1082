"""Which roles a party has, and its accounts with it, by the registrar's newest statement about the party.

An account never has more than its party was admitted for, and a party that is suspended or removed has no
working account. Asked from the registrar's register log itself rather than from a projection, which may lag.
Whatever cannot be read gives no role. Which roles exclude each other is data (`party_roles.toml`).
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from carbonseal_api.problems import ApiError
from carbonseal_attest.contents import check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost

TABLE: Final = "party_roles.toml"
_logger = logging.getLogger(__name__)


class RolesExclude(ApiError):
    """One legal person is to have two roles that exclude each other."""

    code = "roles-exclude"
    status = 409


class Standing:
    """Reads the standing of parties from one registrar's register log."""

    def __init__(self, host: LogHost, register_origin: str) -> None:
        self._host, self.register_origin = host, register_origin

    def account_roles(self, party: str) -> frozenset[str] | None:
        """Return the roles that the party's accounts may have; None for a party that is not admitted now."""
        try:
            body = self.newest(party)
        except CarbonsealError:
            _logger.exception("the standing of %s cannot be read", party)
            return None
        if body is None or body["status"] != "admitted":
            return None
        return frozenset().union(*(account_roles_of(role) for role in body["roles"]))

    def newest(self, party: str) -> Mapping[str, Any] | None:
        """Return the body of the registrar's newest `party` statement about a party; None when there is none.

        Raises:
            CarbonsealError: The log or the statement's content cannot be read.
        """
        found = self._host.select(self.register_origin, kinds={"party"}, subject=party)
        if not found:
            return None
        statement = SignedStatement.parse(found[-1].raw)
        body = check_content(statement, self._host.contents.get(statement.payload)).body
        return body if body["party"] == party else None


def account_roles_of(role: str) -> frozenset[str]:
    """Return the roles that accounts of a party may have by one role of the party."""
    return frozenset(party_roles()[role]["accounts"])


def check_exclusions(roles: Iterable[str]) -> None:
    """Refuse roles that no legal person may have at once.

    Raises:
        RolesExclude: Two of them exclude each other.
    """
    held = set(roles)
    for role in sorted(held):
        against = sorted(held & set(party_roles()[role]["excludes"]))
        if against:
            raise RolesExclude(
                "roles", f"{role} excludes {', '.join(against)}", "admit separate legal persons for them"
            )


@cache
def party_roles() -> Mapping[str, Mapping[str, list[str]]]:
    """Return the table of party roles: accounts and exclusions of each."""
    return tomllib.loads(resources.files("carbonseal_api").joinpath(TABLE).read_text(encoding="utf-8"))
