"""Group commit: every thread gets its own results, and one failure reaches exactly its group."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from carbonseal_ledger.group_commit import GroupCommit


def test_each_thread_gets_the_results_of_its_own_items():
    group = GroupCommit(lambda items: ([item * 2 for item in items], lambda: None), 100)
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda n: group.submit([n, n + 1000]), range(200)))
    assert results == [[n * 2, (n + 1000) * 2] for n in range(200)]


def test_what_waits_is_run_together_up_to_the_limit():
    started, go_on, sizes = threading.Event(), threading.Event(), []

    def run(items):
        sizes.append(len(items))
        started.set()
        go_on.wait(10)
        return items, lambda: None

    group = GroupCommit(run, 5)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(group.submit, [0])
        started.wait(10)
        others = [pool.submit(group.submit, [n]) for n in range(1, 8)]
        while len(group._waiting) < 7:
            threading.Event().wait(0.001)
        go_on.set()
        assert first.result() == [0]
        assert [o.result() for o in others] == [[n] for n in range(1, 8)]
    assert sizes == [1, 5, 2]


def test_nobody_sees_results_before_the_second_part_is_done():
    finished = []
    group = GroupCommit(lambda items: (items, lambda: finished.append(len(items))), 10)
    group.submit([1])
    assert finished == [1]


@pytest.mark.parametrize("part", ["run", "finish"])
def test_failure_reaches_its_group_and_the_next_goes_on(part):
    def fail():
        raise ValueError(part)

    def run(items):
        if items[0] == "bad" and part == "run":
            fail()
        return items, fail if items[0] == "bad" else lambda: None

    group = GroupCommit(run, 10)
    with pytest.raises(ValueError, match=part):
        group.submit(["bad"])
    assert group.submit(["good"]) == ["good"]
