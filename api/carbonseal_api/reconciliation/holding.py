"""Holds new reports and asset movements back while a disagreement waits for a person.

The book in the database decides. An upload asks it through a memory of two seconds, because thousands of
statements a second pass here; whoever moves an asset or files a report asks the book itself. Readings are
never held: a gateway's queue must not wait for a person, and more of them make no disagreement worse.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from sqlalchemy import Engine

from carbonseal_api.health import OK, ComponentState, State
from carbonseal_api.problems import ApiError
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.reconciliation_book import BookStanding, ReconciliationBook

HELD_KINDS: Final = frozenset({"emissions_report", "verification_report"})
RECONCILIATION: Final = "reconciliation"
RECONCILIATION_FIGURES: Final = {
    "reconciliation_disagreements": "Disagreements between sources that are there now, looked at or not.",
    "reconciliation_blocking": "Disagreements that no person has looked at; reports and movements are held.",
    "reconciliation_age_seconds": "Time since the newest reconciliation that could ask every source.",
}
_KEPT_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 300


class ReconciliationOpen(ApiError):
    """Sources of the ledger disagree, and no person has looked yet: nothing new is reported or moved."""

    code = "reconciliation-open"
    status = 503
    retry_after_s = _RETRY_SECONDS

    def __init__(self, what: str) -> None:
        super().__init__(
            what,
            "is held: sources of the ledger disagree, and nobody has looked yet",
            "send the same again later; the log host sees why with carbonseal reconcile show",
        )


class Holding:
    """Says whether something is held now, and refuses it. Safe to use from many threads."""

    def __init__(self, engine: Engine, clock: Clock, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self.book = ReconciliationBook(engine, clock)
        self._ticks = ticks
        self._seen = (-_KEPT_SECONDS, False)

    def require_none(self, what: str) -> None:
        """Refuse `what` while a disagreement waits for a person.

        Raises:
            ReconciliationOpen: One does.
        """
        if self.book.is_blocking():
            raise ReconciliationOpen(what)

    @property
    def is_known(self) -> bool:
        """Whether the memory answers without the database."""
        return self._ticks() - self._seen[0] < _KEPT_SECONDS

    def is_holding(self) -> bool:
        """Whether a disagreement waited for a person within the last two seconds."""
        if not self.is_known:
            self._seen = (self._ticks(), self.book.is_blocking())
        return self._seen[1]

    def refuse_reports(self, items: Iterable[Submission]) -> None:
        """Refuse an upload with a report in it while something is held; it is taken whole later.

        Raises:
            ReconciliationOpen: It holds one, and a disagreement waits for a person.
        """
        if self.is_holding() and any(_kind(item) in HELD_KINDS for item in items):
            raise ReconciliationOpen("statement")


def _kind(item: Submission) -> str | None:
    try:
        return SignedStatement.parse(item.statement).header.kind
    except CarbonsealError:
        return None  # registration says what is wrong with it


def component(holding: Holding, now: int) -> ComponentState:
    """How reconciliation stands, for the status page and for alerts."""
    standing = holding.book.standing()
    figures: dict[str, float] = {
        "reconciliation_disagreements": standing.present,
        "reconciliation_blocking": standing.blocking,
    }
    if standing.complete_at is not None:
        figures["reconciliation_age_seconds"] = max(0.0, (now - standing.complete_at) / 1000)
    state, code, reason = _state(standing)
    return ComponentState(state, code, reason, figures)


def _state(standing: BookStanding) -> tuple[State, str, str]:
    if standing.blocking:
        held = f"{standing.blocking} disagreements wait for a person; new reports and movements are held"
        return State.DOWN, "reconciliation-open", held
    if standing.newest is None:
        return State.DEGRADED, "not-reconciled-yet", "no reconciliation ran yet"
    if standing.present:
        there = f"{standing.present} disagreements that a person has looked at are still there"
        return State.DEGRADED, "disagreements-acknowledged", there
    if standing.newest.missing:
        return State.DEGRADED, "reconciliation-incomplete", "the newest one could not ask every source"
    return OK.state, OK.code, OK.reason
