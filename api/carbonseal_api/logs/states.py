"""How far the entries of a log have come, without asking for each: states fall along the log.

An anchor covers a log's beginning, so every entry has come at least as far as any later one: three borders,
found by halving, give the state of all entries.
"""

from __future__ import annotations

from typing import Final

from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import ReceiptState

# From the farthest to the nearest.
ORDER: Final = (ReceiptState.FINAL, ReceiptState.ANCHORED, ReceiptState.WITNESSED, ReceiptState.LOGGED)


def state_borders(host: LogHost, origin: str) -> list[tuple[str, int]]:
    """Return each state with the index where its entries end, farthest first."""
    size = host.head(origin).tree_size
    borders: list[tuple[str, int]] = []
    start = 0
    for rank, state in enumerate(ORDER[:-1]):
        start = _first_not_within(host, origin, start, size, rank)
        borders.append((str(state), start))
    return [*borders, (str(ORDER[-1]), size)]


def count_states(host: LogHost, origin: str) -> dict[str, int]:
    """Return receipt state to number of entries, farthest first; states without entries are left out."""
    counts: dict[str, int] = {}
    start = 0
    for state, end in state_borders(host, origin):
        if end > start:
            counts[state] = end - start
        start = end
    return counts


def _first_not_within(host: LogHost, origin: str, low: int, high: int, rank: int) -> int:
    while low < high:
        middle = (low + high) // 2
        state = host.receipt_state(origin, host.entry(origin, middle).digest)
        if ORDER.index(state) <= rank:
            low = middle + 1
        else:
            high = middle
    return low
