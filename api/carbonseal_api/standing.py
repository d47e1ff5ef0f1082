"""Which roles a party's accounts may have: read from the registrar's newest statement about the party.

An account never has more than its party was admitted for, and a party that is suspended or removed has no
working account. Asked from the registrar's register log itself rather than from a projection, which may lag.
Whatever cannot be read gives no role.
"""

from __future__ import annotations

import logging
from typing import Final

from carbonseal_attest.contents import check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost

# The role that a party must have been admitted with for its accounts to hold a role of the service.
PARTY_ROLE_OF: Final[dict[str, str]] = {
    "gateway": "enterprise",
    "enterprise": "enterprise",
    "reader": "enterprise",
    "operator": "log_host",
    "verification_body": "verification_body",
    "bank": "bank",
    "regulator": "regulator",
    "registrar": "registrar",
    "laboratory": "laboratory",
}
_logger = logging.getLogger(__name__)


class Standing:
    """Reads the standing of parties from one registrar's register log."""

    def __init__(self, host: LogHost, register_origin: str) -> None:
        self._host, self._origin = host, register_origin

    def account_roles(self, party: str) -> frozenset[str] | None:
        """Return the roles that the party's accounts may have; None for a party that is not admitted now."""
        try:
            admitted = self._party_roles(party)
        except CarbonsealError:
            _logger.exception("the standing of %s cannot be read", party)
            return None
        if admitted is None:
            return None
        return frozenset(role for role, needed in PARTY_ROLE_OF.items() if needed in admitted)

    def _party_roles(self, party: str) -> frozenset[str] | None:
        found = self._host.select(self._origin, kinds={"party"}, subject=party)
        if not found:
            return None
        statement = SignedStatement.parse(found[-1].raw)
        body = check_content(statement, self._host.contents.get(statement.payload)).body
        if body["party"] != party or body["status"] != "admitted":
            return None
        return frozenset(body["roles"])
