"""The greatest memory that the demo's processes held together: this one, PostgreSQL, and the chain node.

Sampled twice a second from the operating system; shared pages are counted once (proportional set size).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Final, Self

import psutil

_EVERY_S: Final = 0.5


class MemoryWatch:
    """Samples in a thread while the `with` block runs; `peak_mib` is the greatest sum seen."""

    def __init__(self, others: Callable[[], Iterable[int | None]]) -> None:
        self.peak_mib = 0
        self._others = others
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self.peak_mib = max(self.peak_mib, self._now())

    def _now(self) -> int:
        held: dict[int, int] = {}
        for pid in (os.getpid(), *self._others()):
            if pid is None:
                continue
            try:
                root = psutil.Process(pid)
                for process in (root, *root.children(recursive=True)):
                    held[process.pid] = _pss(process)
            except psutil.Error:
                continue  # a process that ended between two looks holds nothing
        return sum(held.values()) >> 20


def _pss(process: psutil.Process) -> int:
    try:
        found = process.memory_full_info()
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    return int(getattr(found, "pss", found.rss))
