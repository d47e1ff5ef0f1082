"""The clocks that a gateway runs on: the system's, and one that a simulation moves.

A clock is a callable that gives integer milliseconds since 1970 UTC (`carbonseal_attest.instants.Clock`).
Measuring the offset against a time server is left to the quality rules, which compare signed figures.
"""

from __future__ import annotations

import threading
import time


def system_clock() -> int:
    """Milliseconds since 1970 UTC by the machine's clock."""
    return time.time_ns() // 1_000_000


class SimulatedClock:
    """A clock that stands still until it is moved; safe to read and move from several threads.

    One instance drives plant, gateway, ledger and test chain wherever time is simulated.

    Args:
        start: milliseconds since 1970 UTC.
    """

    def __init__(self, start: int) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """Milliseconds since 1970 UTC."""
        with self._lock:
            return self._now

    def advance(self, by_ms: int) -> int:
        """Moves forward by `by_ms` >= 0 milliseconds and returns the new time."""
        if by_ms < 0:
            raise ValueError("a clock is advanced forwards; use set to make it jump back")
        with self._lock:
            self._now += by_ms
            return self._now

    def set(self, now: int) -> int:
        """Jumps to `now`, forwards or back, and returns it."""
        with self._lock:
            self._now = now
            return self._now
