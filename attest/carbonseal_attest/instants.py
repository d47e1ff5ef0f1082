"""Instants and intervals: integer milliseconds since 1970-01-01T00:00:00Z, intervals half-open.

Text is RFC 3339 with `Z`. A clock is anything that returns the present instant; this room never asks one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from carbonseal_attest.errors import QuantityInvalid

Clock = Callable[[], int]
Interval = tuple[int, int]

MAX_INSTANT: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last one RFC 3339 can write
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z")


def parse_instant(text: str, *, field: str = "instant") -> int:
    """Return milliseconds since 1970 for `2026-01-31T16:00:00Z` (up to three decimals of a second)."""
    if not _TEXT.fullmatch(text):
        raise _refusal(field, f"{text[:40]!r} is not RFC 3339 in UTC")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refusal(field, f"{text[:40]!r} names no instant") from error
    return check_instant((moment - _EPOCH) // timedelta(milliseconds=1), field=field)


def format_instant(instant: int) -> str:
    """Return RFC 3339 text in UTC; milliseconds are written only when they are not zero."""
    check_instant(instant, field="instant")
    moment = _EPOCH + timedelta(milliseconds=instant)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{instant % 1000:03d}Z" if instant % 1000 else f"{text}Z"


def check_instant(value: object, *, field: str) -> int:
    """Return `value` if it is an instant between 1970 and 9999."""
    if type(value) is not int or not 0 <= value <= MAX_INSTANT:
        raise _refusal(field, "not milliseconds since 1970 within this age")
    return value


def check_interval(value: object, *, field: str) -> Interval:
    """Return `(start, end)` with start < end; half-open."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise _refusal(field, "not a pair of instants")
    start, end = (
        check_instant(value[0], field=f"{field}.start"),
        check_instant(value[1], field=f"{field}.end"),
    )
    if start >= end:
        raise _refusal(field, "ends before it starts, or is empty")
    return start, end


def _refusal(field: str, reason: str) -> QuantityInvalid:
    return QuantityInvalid(field, reason, "give UTC instants such as 2026-01-31T16:00:00Z, start before end")
