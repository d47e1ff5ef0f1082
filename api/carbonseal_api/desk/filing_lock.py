"""One filing of a party at a time, over all processes: two at once would both find the period free.

The lock is the database's and belongs to a connection of its own, so that it ends with the process that held
it. Whoever comes second is refused at once and told so; afterwards the period is filed, and that is said too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine, NullPool, create_engine, text

from carbonseal_api.problems import ApiError

_LOCK_CLASS: Final = 0x_CA4B_5F  # first half of the advisory lock's key; the second is the party's


class FilingUnderWay(ApiError):
    """Another report of the party is being filed at this moment."""

    code = "filing-under-way"
    status = 409


@contextmanager
def filing(engine: Engine, party: str) -> Iterator[None]:
    """Hold the party's filing for the length of a `with` block.

    Raises:
        FilingUnderWay: somebody else holds it.
    """
    half = int.from_bytes(hashlib.sha256(party.encode()).digest()[:4], "big", signed=True)
    key = {"class": _LOCK_CLASS, "party": half}
    # Held for minutes, and by no transaction: the server ends those that idle.
    own = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with own.connect() as connection:
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:class, :party)"), key).scalar()
        if not taken:
            raise FilingUnderWay(
                "period", "a report of this party is being filed right now", "wait until that one is done"
            )
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:class, :party)"), key)
