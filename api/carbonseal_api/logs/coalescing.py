"""Brings single uploads together into batches while earlier ones are being registered.

A registration waits for a durable commit; sixty-four of them in sixty-four threads mostly wait for each
other. Here the uploads of one log that arrive meanwhile queue up, and the next call takes them all at once.
Each still gets its own outcome, and nothing waits longer than the calls before it. Order within a connection
is kept: its next request comes only after the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Outcome, Status, Submission

MAX_TOGETHER: Final = 256  # uploads in one call
IN_FLIGHT: Final = 2  # calls per log at a time: one verifies while the other commits


@dataclass(frozen=True, slots=True)
class Upload:
    """One statement, and whether its answer carries the receipt."""

    submission: Submission
    wants_receipt: bool


Answer = tuple[Outcome, bytes | None]
_Waiting = tuple[Upload, "asyncio.Future[Answer]"]


class Coalescer:
    """The queues of single uploads, one per log. Belongs to one event loop; needs no lock."""

    def __init__(self, host: LogHost, pool: Executor) -> None:
        self._host, self._pool = host, pool
        self._queues: dict[str, deque[_Waiting]] = {}
        self._running: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def register(self, origin: str, item: Upload) -> Answer:
        """Return outcome and receipt of one statement, registered with whatever else waits for its log.

        The receipt is None when it is not wanted, or when there is none (refused, or a log of one entry).

        Raises:
            LedgerError: The log is unknown or cannot be written; for every statement of the call alike.
        """
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(origin, deque()).append((item, waiting))
        if self._running.get(origin, 0) < IN_FLIGHT:
            self._running[origin] = self._running.get(origin, 0) + 1
            task = asyncio.create_task(self._drain(origin))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting

    async def _drain(self, origin: str) -> None:
        loop = asyncio.get_running_loop()
        queue = self._queues[origin]
        try:
            while queue:
                taken = [queue.popleft() for _ in range(min(len(queue), MAX_TOGETHER))]
                items = [item for item, _ in taken]
                try:
                    outcomes = await loop.run_in_executor(self._pool, register, self._host, origin, items)
                except BaseException as problem:
                    for _, waiting in taken:
                        if not waiting.done():
                            waiting.set_exception(problem)
                    if not isinstance(problem, Exception):
                        raise
                else:
                    for (_, waiting), outcome in zip(taken, outcomes, strict=True):
                        if not waiting.done():  # its client may have gone away
                            waiting.set_result(outcome)
        finally:
            # A log that nobody writes to leaves nothing behind: origins come from callers.
            self._running[origin] -= 1
            if not self._running[origin]:
                del self._running[origin]
                if not queue:
                    self._queues.pop(origin, None)


def register(host: LogHost, origin: str, items: Sequence[Upload]) -> list[Answer]:
    """Register some statements in one call and make the receipts that are wanted in another."""
    outcomes = host.register(origin, [item.submission for item in items], is_gathered=True)
    wanted = [
        outcome.digest
        for item, outcome in zip(items, outcomes, strict=True)
        if item.wants_receipt and outcome.status is Status.ACCEPTED and outcome.digest is not None
    ]
    made = dict(zip(wanted, host.receipts(origin, wanted), strict=True)) if wanted else {}
    answers: list[Answer] = []
    for item, outcome in zip(items, outcomes, strict=True):
        found = made.get(outcome.digest) if item.wants_receipt and outcome.digest is not None else None
        answers.append((outcome, None if found is None else found.receipt))
    return answers
