"""Decisions of two operators that hold when the ledger starts: what the host's own register log says.

A decision is carried out by registering it (`recovery`), so that it takes effect in every process and after
every restart, and ends at its own instant. Only what two of the operators named in the settings have signed
counts, and only on a log of logs that still holds the head that they believed. What does not count is left
out with a line in the operating log: then the ledger refuses to run, as it would without it.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.contents import check_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT
from carbonseal_attest.recovery_decision import KIND, check_decision
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import LogUnknown
from carbonseal_ledger.tree_reader import TreeReader

CLOCK_STANDS: Final = "clock_stands"
REBUILD_COPY: Final = "rebuild_copy"
START_WITHOUT: Final = "start_without"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operators:
    """The log host and the operators of whom two may decide."""

    name: str
    party: str
    keys: Sequence[PublicKey] = ()
    algorithms: Container[int] = field(default=ADMITTED)

    @property
    def register(self) -> str:
        """The host's own register log, where decisions are kept."""
        return f"{self.name}/{self.party}/register"

    @property
    def log_of_logs(self) -> str:
        """The log whose head a decision about no single log names."""
        return f"{self.name}/epochs"


class DecisionsInForce:
    """What holds at an instant; read once, at start."""

    def __init__(
        self,
        entries: EntryReader,
        contents: ContentsStore,
        reader: TreeReader,
        operators: Operators,
        *,
        now: int,
    ) -> None:
        self._reader = reader
        self._operators = operators
        self.excused: set[str] = set()
        self.stands_at: int | None = None
        if operators.keys:
            for body in _bodies(entries, contents, operators.register):
                if body["decided_at"] <= now < body["until"] and self._counts(body):
                    self._take(body)

    def clock(self, clock: Clock) -> Clock:
        """The clock to run by: the given one, or one that stands until the given one has come so far."""
        stands_at = self.stands_at
        if stands_at is None:
            return clock
        return lambda: max(clock(), stands_at)

    def _counts(self, body: dict[str, Any]) -> bool:
        operators = self._operators
        try:
            check_decision(body, operators.party, operators.keys, admitted=operators.algorithms)
            if body["act"] == REBUILD_COPY:
                return False  # it was carried out once, and nothing is left of it
            size = body["tree_size"]
            root = self._reader.root(operators.log_of_logs, size) if size else EMPTY_ROOT
        except CarbonsealError as error:
            _logger.warning("a decision of two operators does not count: %s", error)
            return False
        return bool(body["origin"] == operators.log_of_logs and root == body["root_hash"])

    def _take(self, body: dict[str, Any]) -> None:
        _logger.warning("running by a decision of two operators: %s %s", body["act"], body["view"] or "")
        if body["act"] == START_WITHOUT:
            self.excused.add(body["view"])
        elif body["act"] == CLOCK_STANDS:
            self.stands_at = max(self.stands_at or 0, body["until"])


def logged_decisions(entries: EntryReader, register: str) -> dict[bytes, int]:
    """Content digest and index of every decision in a host's register log; empty when it is not open."""
    try:
        terms = entries.terms(register)
    except LogUnknown:
        return {}
    size = entries.head(register).tree_size
    found = entries.select(terms, start=0, end=size, kinds={KIND})
    return {SignedStatement.parse(entry.raw).payload: entry.index for entry in found}


def _bodies(entries: EntryReader, contents: ContentsStore, register: str) -> list[dict[str, Any]]:
    try:
        terms = entries.terms(register)
    except LogUnknown:
        return []
    size = entries.head(register).tree_size
    statements = [
        SignedStatement.parse(entry.raw) for entry in entries.select(terms, start=0, end=size, kinds={KIND})
    ]
    try:
        stored = contents.get_many({statement.payload for statement in statements})
        return [check_content(s, stored[s.payload]).body for s in statements if s.payload in stored]
    except CarbonsealError as error:
        _logger.warning("decisions of two operators cannot be read: %s", error)
        return []
