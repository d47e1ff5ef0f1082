"""Registration times from ticks, and the commit delay of a statement.

A log's own signed ticks bound when an entry was registered: not before the last tick below it, not after the
first tick above it. An entry without a tick above it (up to the cut-off) has no upper bound and counts
as late: a missing input never helps. A signer's clock is a claim: it never makes a value timely, and is only
believed where it says, against its own interest, that a value was signed long after it was measured.
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


def commit_delay(interval: tuple[int, int], registered_by: int | None) -> int | None:
    """Return upper bound minus end of the interval in ms, None where nothing bounds it. Never below zero."""
    return None if registered_by is None else max(0, registered_by - interval[1])


def is_late(interval: tuple[int, int], registered_by: int | None, limit_ms: int) -> bool:
    """Whether a statement over `interval` counts as late: no bound, or a delay beyond the limit.

    An interval longer than the limit is measured from its beginning: a wide window must not hide a long wait.
    """
    return registered_by is None or _is_beyond(interval, registered_by, limit_ms)


def is_imported_late(
    interval: tuple[int, int], signed_at: int, registered_by: int | None, limit_ms: int
) -> bool:
    """Whether a late statement was signed late too: a file from the past, not a slow line.

    `signed_at` is when it was signed at the earliest: the time of the newest checkpoint that it knew, or what
    it says itself, whichever is later.
    """
    return is_late(interval, registered_by, limit_ms) and _is_beyond(interval, signed_at, limit_ms)


def _is_beyond(interval: tuple[int, int], at: int, limit_ms: int) -> bool:
    start, end = interval
    return at - min(end, start + limit_ms) > limit_ms
