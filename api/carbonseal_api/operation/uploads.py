"""Counts an upload of statements, and notes its digests for the request's line in the log."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from fastapi import Request

from carbonseal_api.operation.metrics import Figures
from carbonseal_api.operation.request_log import note_statements
from carbonseal_ledger.outcomes import Outcome

_T = TypeVar("_T")


async def counted(
    request: Request, work: Awaitable[_T], outcomes_of: Callable[[_T], Sequence[Outcome]]
) -> _T:
    """Return what registering an upload gives, counted with its integration delay.

    Args:
        request: The call that brought the upload, whole.
        work: The registration; it has ended when a published checkpoint covers what was accepted.
        outcomes_of: Finds the outcomes in what it gives.
    """
    figures: Figures = request.app.state.figures
    started = time.perf_counter()
    figures.waiting(1)
    try:
        done = await work
    finally:
        figures.waiting(-1)
    outcomes = outcomes_of(done)
    figures.registered(outcomes, time.perf_counter() - started)
    note_statements(request, outcomes)
    return done
