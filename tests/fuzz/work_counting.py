"""Counts the work of a parser, so that a test can show without a clock that it is linear.

Work is the number of lines that Python runs, in whatever module, plus the bytes that slices of the input
copy. Linear work grows by twice as much when the size goes from 2n to 4n as from n to 2n; quadratic work by
four times. What C does inside one line is not seen; the fuzzer's limit of seconds is for that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import fuzz_targets as targets

SIZE = 300
GROWTH = 2.3  # twice, and some room for what grows by a logarithm
SLACK = 300  # lines
PER_BYTE = 30  # lines and copied bytes; quadratic work has hundreds at these sizes


class Counted(bytes):
    """Bytes that count what slicing them copies."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if isinstance(key, slice):
            Counted.copied += len(part)
        return part


def work(parse: Callable[[bytes], Any], data: bytes) -> int:
    """The lines run and the bytes copied while `parse` reads `data`."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    Counted.copied = 0
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        targets.attempt(parse, Counted(data))
    finally:
        sys.settrace(before)
    return lines + Counted.copied


def grows_linearly(parse: Callable[[bytes], Any], build: Callable[[int], bytes]) -> bool:
    once, twice, four_times = (work(parse, build(SIZE * factor)) for factor in (1, 2, 4))
    is_small = four_times <= PER_BYTE * len(build(SIZE * 4))  # a longer input may get further by chance
    return is_small or four_times - twice <= GROWTH * (twice - once) + SLACK
