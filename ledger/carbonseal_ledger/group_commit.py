"""Group commit: many threads that each bring a few items share one run over all of them.

The first thread to come runs its items at once; whatever arrives meanwhile waits and is run together by the
next leader, which is one of the waiting threads. Under load the groups grow by themselves, and an idle log
answers without delay. A run may leave a second part, which for large groups overlaps with the next group's
run; small groups wait for it, because more items gather meanwhile and share the cost. No timer, no thread of
its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

_OVERLAP: Final = 256  # items of a group from which on the next one may run beside its second part
Item = TypeVar("Item")
Result = TypeVar("Result")


class _Ticket(Generic[Item, Result]):
    """One thread's items and, later, their results or the error of the run."""

    __slots__ = ("error", "is_leader", "items", "ready", "results")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.results: Sequence[Result] | None = None
        self.error: BaseException | None = None
        self.is_leader = False
        self.ready = threading.Event()


class GroupCommit(Generic[Item, Result]):
    """Runs `run` on groups of items, one group at a time, each of about `limit` items at most.

    `run` returns the results and what is still to be done before anybody may see them.
    """

    def __init__(
        self, run: Callable[[list[Item]], tuple[Sequence[Result], Callable[[], None]]], limit: int
    ) -> None:
        self._run = run
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[Item, Result]] = deque()
        self._is_busy = False

    def submit(self, items: Sequence[Item]) -> Sequence[Result]:
        """Return the results of `items`, in order, run together with those of other threads.

        Raises:
            BaseException: whatever the run raised; every thread of the group gets it.
        """
        ticket: _Ticket[Item, Result] = _Ticket(items)
        with self._lock:
            self._waiting.append(ticket)
            if not self._is_busy:
                self._is_busy = ticket.is_leader = True
        if not ticket.is_leader:
            ticket.ready.wait()
        if ticket.is_leader:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.results if ticket.results is not None else []

    def _lead(self) -> None:
        group: list[_Ticket[Item, Result]] = []
        with self._lock:
            count = 0
            while self._waiting and (not group or count + len(self._waiting[0].items) <= self._limit):
                group.append(self._waiting.popleft())
                count += len(group[-1].items)
        results: Sequence[Result] = []
        error: BaseException | None = None
        finish: Callable[[], None] | None = None
        try:
            results, finish = self._run([item for ticket in group for item in ticket.items])
        except BaseException as raised:  # noqa: BLE001 - every waiting thread must learn of it
            error = raised
        is_early = len(results) >= _OVERLAP
        if is_early:
            self._hand_over()
        try:
            if finish is not None:
                finish()
        except BaseException as raised:  # noqa: BLE001 - as above
            error = raised
        if not is_early:
            self._hand_over()
        at = 0
        for ticket in group:
            ticket.results, ticket.error = results[at : at + len(ticket.items)], error
            at += len(ticket.items)
            ticket.ready.set()

    def _hand_over(self) -> None:
        with self._lock:
            successor = self._waiting[0] if self._waiting else None
            self._is_busy = successor is not None
            if successor is not None:
                successor.is_leader = True
                successor.ready.set()
