"""JSON as it is read from strangers: one object, within a limit, no key twice, no binary fractions.

A key that stands twice is read differently elsewhere, so it is refused. Left out: what the keys mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from carbonseal_attest.errors import CarbonsealError

Refuse = Callable[[str, str], CarbonsealError]


def parse_object(data: bytes, *, limit: int, refuse: Refuse) -> dict[str, Any]:
    """Return the JSON object that `data` writes.

    `refuse` makes the caller's own error out of (field, reason). Numbers with a fraction are refused, since
    decimals travel as strings.
    """
    if len(data) > limit:
        raise refuse("file", f"longer than {limit} bytes")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise refuse("file", "a key stands twice")
        return found

    def no_fraction(text: str) -> Any:
        raise refuse("file", f"{text[:20]} is a bare number with a fraction; write decimals as texts")

    try:
        value = json.loads(
            data.decode(), object_pairs_hook=once, parse_float=no_fraction, parse_constant=no_fraction
        )
    except (ValueError, RecursionError) as error:
        raise refuse("file", "not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise refuse("file", "not a JSON object")
    return value
