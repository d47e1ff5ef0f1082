"""The order of entries across logs, which is that of epochs: within one epoch it is not known.

Read from the bundle's map proofs; step epochs proves them, so a step that uses this order alone says nothing
until that one has passed as well.
"""

from __future__ import annotations

from bisect import bisect_right

from carbonseal_verifier.case import Case, require


class LogOrder:
    """The first epoch that covers each entry of one log."""

    def __init__(self, case: Case, origin: str) -> None:
        proofs = case.bundle.maps.get(origin, {})
        self._numbers = sorted(proofs)
        self._sizes = [proofs[number].entry.tree_size for number in self._numbers]
        require(self._sizes == sorted(self._sizes), f"the heads of {origin} shrink between epochs")

    def epoch_of(self, index: int) -> int:
        """Return the epoch of entry `index`; beyond the last one, the next."""
        position = bisect_right(self._sizes, index)
        if position < len(self._numbers):
            return self._numbers[position]
        return (self._numbers[-1] if self._numbers else 0) + 1
