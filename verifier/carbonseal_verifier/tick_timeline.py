"""Registration times from ticks.

A log's own signed ticks bound when an entry was registered: not before the last tick below it, not after the
first tick above it. An entry without a tick above it (up to the cut-off) has no upper bound and counts
as late: a missing input never helps. What follows from the bound is `carbonseal_attest.commit_delay`'s.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TickTimeline:
    """The ticks of one log: entry indexes, ascending, and the time each one states (ms)."""

    indexes: tuple[int, ...]
    instants: tuple[int, ...]

    @classmethod
    def of(cls, ticks: Iterable[tuple[int, int]]) -> TickTimeline:
        """Return the timeline of (entry index, time) pairs; a tick that states an earlier time is ignored."""
        indexes: list[int] = []
        instants: list[int] = []
        for index, at in sorted(ticks):
            if not instants or at >= instants[-1]:
                indexes.append(index)
                instants.append(at)
        return cls(tuple(indexes), tuple(instants))

    @property
    def last(self) -> int | None:
        """Time of the last tick, None of an empty timeline."""
        return self.instants[-1] if self.instants else None

    def registered_by(self, index: int) -> int | None:
        """Return the upper bound of an entry's registration: the first tick at or above it."""
        position = bisect_left(self.indexes, index)
        return self.instants[position] if position < len(self.instants) else None

    def known_at(self, tree_size: int) -> int | None:
        """Return the time of the last tick among the first `tree_size` entries: the size is no older."""
        position = bisect_left(self.indexes, tree_size)
        return self.instants[position - 1] if position else None
