"""What the grid works with: contents as they come, findings, exact sums, and a month's counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from carbonseal_accounting import arithmetic
from carbonseal_attest.instants import format_instant


@dataclass(frozen=True, slots=True)
class SourceContent:
    """A content whose statement has been checked: readings, gap, declared_activity or downgrade.

    `digest` is the statement digest; `subject` the meter, or the installation of a declared value; `is_late`
    whether the commit delay passed the limit; `is_corrected` whether it stands in another's place.
    """

    kind: str
    digest: bytes
    subject: str
    interval: tuple[int, int] | None
    body: Mapping[str, Any]
    is_late: bool = False
    is_corrected: bool = False


@dataclass(slots=True)
class Findings:
    """What does not fit the plan: kept one by one up to a limit, counted without one."""

    limit: int
    kept: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, measurement: str, at: int, digest: bytes, detail: str) -> None:
        """Note one finding at the instant `at`."""
        self.counts[code] = self.counts.get(code, 0) + 1
        if len(self.kept) < self.limit:
            self.kept.append(
                {
                    "code": code,
                    "measurement": measurement,
                    "at": format_instant(at),
                    "detail": detail,
                    "statement": digest.hex(),
                }
            )


@dataclass(slots=True)
class Sums:
    """Exact sums of scaled integers, apart by scale and by ratio to the amount's unit."""

    _all: dict[tuple[int, Fraction], int] = field(default_factory=dict)
    _late: dict[tuple[int, Fraction], int] = field(default_factory=dict)
    _uncertain: dict[tuple[int, Fraction], int] = field(default_factory=dict)
    _corrected: dict[tuple[int, Fraction], int] = field(default_factory=dict)

    def add(
        self,
        key: tuple[int, Fraction],
        integer: int,
        *,
        is_late: bool = False,
        is_uncertain: bool = False,
        is_corrected: bool = False,
    ) -> None:
        """Add integer / 10**scale * ratio, `key` being (scale, ratio)."""
        self._all[key] = self._all.get(key, 0) + integer
        if is_late:
            self._late[key] = self._late.get(key, 0) + integer
        if is_uncertain:
            self._uncertain[key] = self._uncertain.get(key, 0) + integer
        if is_corrected:
            self._corrected[key] = self._corrected.get(key, 0) + integer

    def total(self) -> Decimal:
        """Return the whole amount."""
        return _joined(self._all)

    def late(self) -> Decimal:
        """Return the part that came late."""
        return _joined(self._late)

    def uncertain(self) -> Decimal:
        """Return the part whose readings the source called uncertain."""
        return _joined(self._uncertain)

    def corrected(self) -> Decimal:
        """Return the part that the party corrected."""
        return _joined(self._corrected)


@dataclass(frozen=True, slots=True)
class MonthTally:
    """One month of one grid; `corrected` places are among those measured or late."""

    label: str
    expected: int
    measured: int
    late: int
    gap: int
    corrected: int
    amount: Sums | None
    digests: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Run:
    """Readings of equal step within a series: instants at, at + step, ...; values from index `first`."""

    at: int
    step: int
    count: int
    first: int


def runs_of(times: Sequence[Any]) -> Iterator[Run]:
    """Yield the runs of packed times `[first, [[step, count], ...]]`; the first run holds the first time."""
    at, steps = times
    if not steps:
        yield Run(at, 0, 1, 0)
        return
    first = 0
    for number, (step, count) in enumerate(steps):
        if number == 0:
            yield Run(at, step, count + 1, 0)
            first = count + 1
        else:
            yield Run(at + step, step, count, first)
            first += count
        at += step * count


def readings_of(series: Mapping[str, Any]) -> Iterator[tuple[int, int | None, str]]:
    """Yield (instant, integer, quality) one by one."""
    qualities = (quality for quality, _, count in series["quality"] for _ in range(count))
    instants = (run.at + offset * run.step for run in runs_of(series["times"]) for offset in range(run.count))
    yield from zip(instants, series["values"], qualities, strict=True)


def _joined(sums: Mapping[tuple[int, Fraction], int]) -> Decimal:
    total = Decimal(0)
    for (scale, ratio), integer in sums.items():
        total = arithmetic.add(
            total, arithmetic.scale_by(Decimal(integer).scaleb(-scale, arithmetic.EXACT), ratio)
        )
    return total
