"""What outsiders hold of our logs: the heads that start-up compares with database and published copy.

A witness has cosigned a head, a contract stores one: both survive a backup that takes database and published
copy back together. A view answers for the logs that it follows, which today is the log of logs alone. It only
reads; what an answer means is `start_up`'s. Who makes views: `witnessing` for witnesses, `anchoring` for the
contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutsideHead:
    """The newest head of one of our logs that an outsider holds."""

    size: int
    root_hash: bytes


class OutsideView(Protocol):
    """One outsider: a witness, or the anchor contract."""

    @property
    def name(self) -> str:
        """How messages and decisions name it, such as `witness witness.example` or `contract 0x…`; stable."""
        ...

    def head(self, origin: str) -> OutsideHead | None:
        """The newest head of `origin` that the outsider holds, authenticated as far as the view can.

        None when it does not follow that log, or follows it and has seen nothing yet; a log that is not
        followed is answered without asking anybody, because start-up asks about every log.

        Raises:
            OutsideUnreachable: it could not be asked within the view's own time limit, or answered nonsense.
        """
        ...
