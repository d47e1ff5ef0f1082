"""The desks of parties whose keys this deployment may use: the log host's own, and in a pilot the others'.

A desk is opened for one act at a time. While it is open, no other process here signs for the same party (an
advisory lock of the database), so two of them can never continue one stream at the same place. A verification
body's key is never here: asking for its desk is refused like that of any party whose key is elsewhere.

Whoever waits for a desk holds a connection outside the pool: the one whose turn it is needs the pool to
register, and must find a place in it however many wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from psycopg2.errors import LockNotAvailable
from sqlalchemy import Engine, ExceptionContext, NullPool, create_engine, event, text
from sqlalchemy.exc import InterfaceError, OperationalError

from carbonseal_api.issuing import Issuer
from carbonseal_api.problems import PartMissing, ServiceUnavailable
from carbonseal_attest.instants import Clock
from carbonseal_attest.signing import Signer
from carbonseal_ledger.database import unusable
from carbonseal_ledger.log_host import LogHost

SignerOf = Callable[[str], Signer]
_LOCK_CLASS: Final = 0x_CA4B_5E  # first half of the advisory locks' keys; the second is the party's
_PATIENCE: Final = "60s"  # how long an act waits for those before it


class Desks:
    """Opens desks; `signer_of` returns the signer of a party code, or raises `PartMissing`."""

    def __init__(self, engine: Engine, host: LogHost, clock: Clock, signer_of: SignerOf) -> None:
        self._host, self._clock, self._signer_of = host, clock, signer_of
        self._locks = create_engine(
            engine.url, poolclass=NullPool, connect_args={"options": f"-c lock_timeout={_PATIENCE}"}
        )
        event.listen(self._locks, "handle_error", _translate)

    def is_here(self, party: str) -> bool:
        """Return whether this deployment may use a party's key."""
        try:
            self._signer_of(party)
        except PartMissing:
            return False
        return True

    @contextmanager
    def desk(self, party: str) -> Iterator[Issuer]:
        """Yield the desk of a party, for use in a `with` block.

        Raises:
            PartMissing: the party's key is not here.
            ServiceUnavailable: other acts of the party take too long.
            DatabaseUnusable: the connection is lost.
        """
        self._signer_of(party)  # known before others are kept waiting
        half = int.from_bytes(hashlib.sha256(party.encode()).digest()[:4], "big", signed=True)
        with self._locks.connect() as connection:
            key = {"class": _LOCK_CLASS, "party": half}
            connection.execute(text("SELECT pg_advisory_xact_lock(:class, :party)"), key)
            # Its own connection keeps the lock; which key it is and where the streams stand is read only now.
            yield Issuer(
                party,
                self._signer_of(party),
                self._clock,
                register=self._host.register,
                head=self._host.head,
                streams=lambda origin, kid: self._host.stream_heads(origin, kid=kid),
            )


def _translate(context: ExceptionContext) -> None:
    if isinstance(context.original_exception, LockNotAvailable):
        raise ServiceUnavailable(
            "party", f"other acts of it have taken more than {_PATIENCE}", "try again once they are done"
        ) from context.original_exception
    if isinstance(context.sqlalchemy_exception, (OperationalError, InterfaceError)):
        raise unusable(context.original_exception) from context.original_exception
