"""Lets a registration outlast its call: how long a caller waits, and what goes on when it waits no longer.

RFC 7240: `Prefer: respond-async` waits for nothing, `wait=N` for N seconds. At most so many registrations go
on unattended in one process; beyond that callers wait, as they do where nothing of the kind is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.logs import service
from carbonseal_api.logs.coalescing import Answer
from carbonseal_api.logs.waiting import WaitingRoom
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Problem

UNATTENDED: Final = 256  # registrations that go on by themselves, in one process
LONGEST_S: Final = 300
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,6})(?:$|[,;\s])")


def patience_s(prefer: str, usual: float) -> float:
    """Return for how many seconds a caller with this `Prefer` header waits."""
    if (stated := _WAIT.search(prefer)) is not None:
        return min(float(stated[1]), LONGEST_S)
    return 0.0 if "respond-async" in prefer else usual


async def lasting(
    state: Any, parts: Parts, origin: str, statement: bytes, work: asyncio.Future[Answer], patience: float
) -> bool:
    """Wait for a registration; return whether it goes on unattended, to be asked for at its locator.

    A statement that cannot be read is refused at once, so its refusal is waited for.
    """
    await asyncio.wait({work}, timeout=patience)
    unattended: set[asyncio.Task[None]] = _unattended(state)
    if work.done() or len(unattended) >= UNATTENDED:
        return False
    try:
        digest = SignedStatement.parse(statement).digest
    except CarbonsealError:
        return False
    room = WaitingRoom(parts.engine, parts.clock)
    await run_in_threadpool(room.begin, origin, digest)
    task = asyncio.create_task(_attend(room, origin, digest, work))
    unattended.add(task)
    task.add_done_callback(unattended.discard)
    return True


async def _attend(room: WaitingRoom, origin: str, digest: bytes, work: asyncio.Future[Answer]) -> None:
    problem = None
    try:
        outcome, _ = await work
        problem = outcome.problem
    except CarbonsealError as error:
        problem = Problem(error.code, error.field, error.reason, error.remedy)
    except Exception:  # noqa: BLE001 - what a crash leaves behind is not known; the row ends by itself
        return
    with contextlib.suppress(Exception):  # the database went away, or the service is closing: likewise
        await run_in_threadpool(room.end, origin, digest, problem)


def registration(parts: Parts, origin: str, digest: bytes) -> tuple[bytes, str] | None:
    """Return receipt and state by name of a statement that was sent; None while it is being registered.

    Raises:
        RegistrationRefused: It was refused within the last hour.
        EntryUnknown: Nothing is known of it, or the log has one entry.
    """
    (answer,) = parts.host.receipts(origin, [digest])
    if answer.receipt is not None:
        return answer.receipt, str(answer.state)
    known = WaitingRoom(parts.engine, parts.clock).look(origin, digest)
    if isinstance(known, Problem):
        raise service.RegistrationRefused(known)
    if known:
        return None
    index = parts.host.find(origin, digest).index
    # Committed, and not yet published: whoever registers next, or the next start, publishes it.
    is_pending = index >= parts.host.head(origin).tree_size
    return None if is_pending else service.receipt_with_state(parts, origin, digest)


def _unattended(state: Any) -> set[asyncio.Task[None]]:
    if not hasattr(state, "unattended"):
        state.unattended = set()
    found: set[asyncio.Task[None]] = state.unattended
    return found
