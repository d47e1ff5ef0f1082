"""When each entry of a log was anchored: the block time of the first anchored head whose epoch covers it.

The one time in a bundle that nobody who writes into it can choose. An entry that no anchored head covers has
none; what must be judged by time is then judged at the instant of the check.
"""

from __future__ import annotations

from bisect import bisect_right

from carbonseal_verifier.case import Case
from carbonseal_verifier.chain_anchor import anchored_epochs


class AnchorTimes:
    """The anchor times of the entries of one log, proved by steps epochs and anchor."""

    def __init__(self, case: Case, origin: str) -> None:
        times = {} if case.anchored is None else dict(anchored_epochs(case, case.anchored))
        if origin == case.log_host.log_of_logs:
            # Entry n is epoch n; entry 0, the genesis, was the contract's opening.
            opened = [] if case.anchored is None else [(1, case.anchored.heads[0].anchored_at)]
            steps = [*opened, *((number + 1, at) for number, at in sorted(times.items()))]
        else:
            heads = case.heads[origin]
            steps = [(heads[number], times[number]) for number in sorted(heads) if number in times]
        self._sizes = [size for size, _ in steps]
        self._times = [at for _, at in steps]

    def of(self, index: int) -> int | None:
        """Return when entry `index` was anchored at the latest (ms), None where no anchor covers it."""
        position = bisect_right(self._sizes, index)
        return self._times[position] if position < len(self._times) else None
