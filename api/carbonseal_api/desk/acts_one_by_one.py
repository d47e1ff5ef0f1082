"""A party's desk for a longer piece of work: opened anew for each statement, so that others may sign between.

Filing a report takes minutes of recomputation and anchoring; a desk held open for all that time would keep
every other act of the party waiting, and a desk that remembers where its streams stood would sign at places
that others have taken since.
"""

from __future__ import annotations

from typing import Any

from carbonseal_api.desks import Desks
from carbonseal_api.issuing import Issuer
from carbonseal_attest.statement import SignedStatement


class ActsOneByOne(Issuer):
    """An issuer whose every statement opens the party's desk and closes it again."""

    def __init__(self, desks: Desks, party: str) -> None:  # it has no signer and no streams of its own
        self.party = party
        self._desks = desks

    def issue(
        self,
        origin: str,
        kind: str,
        body: dict[str, Any],
        *,
        subject: str | None = None,
        interval: tuple[int, int] | None = None,
    ) -> SignedStatement:
        """Return the registered statement; see `Issuer.issue`.

        Raises:
            PartMissing: the party's key is not here.
            StatementRefused: the log refused it.
        """
        with self._desks.desk(self.party) as desk:
            return desk.issue(origin, kind, body, subject=subject, interval=interval)
