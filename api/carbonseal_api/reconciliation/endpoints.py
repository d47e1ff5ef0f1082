"""The route of reconciliation: what disagrees, and who has looked."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import problems
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.reconciliation.schemas import ReconciliationView, shown

router = APIRouter(tags=["service"])


@router.get(
    "/reconciliation", summary="What disagrees between the ledger's sources", responses=problems(401, 403)
)
async def get_reconciliation(request: Request) -> ReconciliationView:
    """Return the newest run and the disagreements with who has looked at them.

    Acknowledging is a command on the log host's machine: `carbonseal reconcile acknowledge`.
    """
    await caller(request)
    book = parts_of(request).holding.book

    def read() -> ReconciliationView:
        return shown(book.standing(), book.disagreements())

    return await run_in_threadpool(read)
