"""Step times: between which bounds each statement of the period was made, from the bundle alone.

Lower bound: the newest checkpoint that the signer knew, so the last tick below it. Upper bound: the first
tick above the statement, which is the log host's word, and the block time of the first anchored head that
covers it, which is nobody's. Ticks are held against blocks: a host whose ticks run ahead of the block, or lag
so far behind it that being on time is not shown, fails. A device's own clock decides nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from carbonseal_attest.commit_delay import commit_delay, is_imported_late, is_late
from carbonseal_verifier.anchor_times import AnchorTimes
from carbonseal_verifier.case import Case, require
from carbonseal_verifier.chain_anchor import check_anchored_in_time
from carbonseal_verifier.disclosure import IN_THE_PERIOD
from carbonseal_verifier.log_proofs import CLOCK_TOLERANCE_MS
from carbonseal_verifier.logged import LoggedStatement
from carbonseal_verifier.tick_timeline import TickTimeline
from carbonseal_verifier.wording import counted

_HOUR: Final = Decimal(3_600_000)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a statement was made (ms): not before `lower`, not after `by_tick` (the log) and `by_block`."""

    interval: tuple[int, int]
    issued_at: int
    lower: int | None
    by_tick: int | None
    by_block: int | None

    def is_late(self, limit_ms: int) -> bool:
        """Whether it counts as late."""
        return is_late(self.interval, self.by_tick, limit_ms)

    def is_imported(self, limit_ms: int) -> bool:
        """Whether it is late and was signed late too."""
        signed_at = max(self.issued_at, self.lower or 0)
        return is_imported_late(self.interval, signed_at, self.by_tick, limit_ms)


def bounds_of(
    entries: Iterable[LoggedStatement], timeline: TickTimeline, anchored: AnchorTimes
) -> list[Bounds]:
    """Return the bounds of the statements that cover an interval, in log order."""
    found = []
    for entry in entries:
        header = entry.statement.header
        if header.kind in IN_THE_PERIOD and header.interval is not None:
            lower = None if header.checkpoint is None else timeline.known_at(header.checkpoint[0])
            by_tick, by_block = timeline.registered_by(entry.index), anchored.of(entry.index)
            found.append(Bounds(header.interval, header.issued_at * 1000, lower, by_tick, by_block))
    return found


def check_times(case: Case) -> str:
    """Bound every statement of the period, and hold the host's ticks against the blocks."""
    limit = case.profile.commit_delay_ms
    check_anchored_in_time(case, limit)
    data, size = case.operator_data(), _cut_off(case)
    entries = data.logged[: size - data.section.first]
    timeline = TickTimeline.of(
        (e.index, e.content.body["at"]) for e in entries if e.content is not None and e.content.kind == "tick"
    )
    start, end = case.about.period
    found = [
        one
        for one in bounds_of(entries, timeline, AnchorTimes(case, data.section.origin))
        if one.interval[0] < end and one.interval[1] > start
    ]
    for one in found:
        said = max(one.by_tick or 0, one.lower or 0)
        require(
            one.by_block is None or said <= one.by_block + CLOCK_TOLERANCE_MS,
            "a tick states a time after the block that anchors it",
        )
    return _in_words(found, limit)


def _in_words(found: list[Bounds], limit: int) -> str:
    late, imported = sum(one.is_late(limit) for one in found), sum(one.is_imported(limit) for one in found)
    early = sum(one.by_tick is not None and one.by_tick < one.interval[1] for one in found)
    unbounded = sum(one.lower is None for one in found)
    by_ticks, by_blocks = _greatest(found, by_block=False), _greatest(found, by_block=True)
    parts = [
        f"{counted(len(found), 'statement')} of the period",
        f"commit delay at most {by_ticks} by the ticks, {by_blocks} by the blocks",
        f"{late} late, {imported} of them imported late",
    ]
    parts += [f"{early} registered before the end of the interval"] if early else []
    parts += [f"{unbounded} without a lower bound"] if unbounded else []
    return "; ".join(parts)


def _greatest(found: list[Bounds], *, by_block: bool) -> str:
    delays = [commit_delay(one.interval, one.by_block if by_block else one.by_tick) for one in found]
    if any(delay is None for delay in delays):
        return "unknown"
    greatest = max((delay for delay in delays if delay is not None), default=0)
    return f"{(greatest / _HOUR).quantize(Decimal('0.1'))} hours"


def _cut_off(case: Case) -> int:
    body = case.report.content.body if case.report.content else {}
    size: int = body["cut_off"][0]["tree_size"]
    return size
