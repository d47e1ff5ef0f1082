"""Single uploads brought together: each gets its own outcome, whatever happens to the others."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from carbonseal_api.logs.coalescing import IN_FLIGHT, MAX_TOGETHER, Coalescer, Upload
from carbonseal_ledger.errors import LogUnknown
from carbonseal_ledger.outcomes import Outcome, Problem, Status, Submission


class SlowHost:
    """Stands for the ledger's group commit: holds its first calls until told to go on."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls: list[int] = []

    def register(self, origin: str, items: list[Submission], *, is_gathered: bool) -> list[Outcome]:
        assert is_gathered, "a policy's limit of a batch is one caller's"
        self.gate.wait(20)
        self.calls.append(len(items))
        if origin == "unknown":
            raise LogUnknown("origin", "no such log", "open it first")
        return [self._outcome(item) for item in items]

    def receipts(self, origin: str, digests: list[bytes]) -> list[Any]:
        return [type("Answer", (), {"receipt": b"receipt of " + digest})() for digest in digests]

    @staticmethod
    def _outcome(item: Submission) -> Outcome:
        if item.statement == b"bad":
            return Outcome(Status.REFUSED, problem=Problem("malformed-statement", "statement", "bad", "mend"))
        return Outcome(Status.ACCEPTED, int(item.statement), item.statement)


def uploads(
    host: SlowHost, origin: str, statements: list[bytes], *, wants_receipt: bool = False
) -> list[Any]:
    async def run() -> list[Any]:
        with ThreadPoolExecutor(8) as pool:
            coalescer = Coalescer(host, pool)  # type: ignore[arg-type]
            tasks = [
                asyncio.create_task(coalescer.register(origin, Upload(Submission(one), wants_receipt)))
                for one in statements
            ]
            await asyncio.sleep(0)
            host.gate.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert coalescer._queues == {}
            assert coalescer._running == {}
            return list(answers)

    return asyncio.run(run())


def test_refused_upload_leaves_the_others_their_own_outcomes() -> None:
    answers = uploads(SlowHost(), "log", [b"1", b"bad", b"2", b"3"], wants_receipt=True)
    assert [answer[0].index for answer in answers] == [1, None, 2, 3]
    assert answers[1][0].status is Status.REFUSED
    assert [answer[1] for answer in answers] == [b"receipt of 1", None, b"receipt of 2", b"receipt of 3"]


def test_uploads_that_wait_are_taken_together_within_the_limit() -> None:
    host = SlowHost()
    count = MAX_TOGETHER * 2 + 10
    answers = uploads(host, "log", [str(number).encode() for number in range(count)])
    assert [answer[0].index for answer in answers] == list(range(count))
    assert sum(host.calls) == count
    assert len(host.calls) <= IN_FLIGHT + 4
    assert max(host.calls) <= MAX_TOGETHER


def test_failure_of_a_call_reaches_every_upload_in_it() -> None:
    answers = uploads(SlowHost(), "unknown", [b"1", b"2", b"3"])
    assert all(isinstance(answer, LogUnknown) for answer in answers)


def test_upload_whose_client_went_away_does_not_break_the_others() -> None:
    async def run() -> Any:
        host = SlowHost()
        with ThreadPoolExecutor(4) as pool:
            coalescer = Coalescer(host, pool)  # type: ignore[arg-type]
            gone = asyncio.create_task(coalescer.register("log", Upload(Submission(b"1"), False)))
            stays = asyncio.create_task(coalescer.register("log", Upload(Submission(b"2"), False)))
            await asyncio.sleep(0)
            gone.cancel()
            host.gate.set()
            outcome, _ = await stays
            with pytest.raises(asyncio.CancelledError):
                await gone
            return outcome.index

    assert asyncio.run(run()) == 2
