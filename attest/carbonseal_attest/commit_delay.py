"""Commit delay: how long after its interval a statement was registered, and what counts as imported late.

One rule for the ledger, which marks what it registers, and the checker, which bounds registration by ticks
(protocol §5). A signer's clock is a claim: it never makes a value timely, and is only believed where it says,
against its own interest, that a value was signed long after it was measured. Instants and delays in ms.
"""

from __future__ import annotations

from carbonseal_attest.instants import Interval


def commit_delay(interval: Interval, registered_by: int | None) -> int | None:
    """Return upper bound minus end of the interval in ms, None where nothing bounds it. Never below zero."""
    return None if registered_by is None else max(0, registered_by - interval[1])


def is_late(interval: Interval, registered_by: int | None, limit_ms: int) -> bool:
    """Whether a statement over `interval` counts as late: no bound, or a delay beyond the limit.

    An interval longer than the limit is measured from its beginning: a wide window must not hide a long wait.
    """
    return registered_by is None or _is_beyond(interval, registered_by, limit_ms)


def is_imported_late(interval: Interval, signed_at: int, registered_by: int | None, limit_ms: int) -> bool:
    """Whether a late statement was signed late too: a file from the past, not a slow line.

    `signed_at` is when it was signed at the earliest: the time of the newest checkpoint that it knew, or what
    it says itself, whichever is later.
    """
    return is_late(interval, registered_by, limit_ms) and _is_beyond(interval, signed_at, limit_ms)


def _is_beyond(interval: Interval, at: int, limit_ms: int) -> bool:
    start, end = interval
    return at - min(end, start + limit_ms) > limit_ms
