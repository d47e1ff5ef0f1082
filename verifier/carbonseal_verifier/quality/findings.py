"""Findings: what a rule expected, what it observed, and what would cure it. A finding accuses nobody.

A finding covers runs of consecutive intervals, so that forty-seven quarter-hours of one morning read as one
matter with a beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

# Within a severity, what contradicts something stands before what is late or absent.
FAMILIES: Final = (
    *("cross_source", "declared", "physics", "meter_behaviour", "instruments"),
    *("corrections", "time_and_sequence"),
)
SEVERITIES: Final = ("critical", "major", "minor", "informational")
LANGUAGES: Final = ("en", "zh")

Text = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """`count` consecutive intervals from `start` to `end` (ms, half-open)."""

    start: int
    end: int
    count: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What a rule's code saw: where, facts for its message, a severity or subject if not the rule's own."""

    runs: tuple[Run, ...]
    facts: Mapping[str, str]
    severity: str | None = None
    digests: tuple[bytes, ...] = ()
    is_absence: bool = False
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's finding about one measurement, cross-check or period.

    `is_absence`: something is not there that can still be filed; nothing contradicts anything.
    """

    rule: str
    family: str
    severity: str
    target: str
    runs: tuple[Run, ...]
    expected: Text
    observed: Text
    cure: Text
    digests: tuple[bytes, ...] = ()
    is_absence: bool = False

    @property
    def count(self) -> int:
        """Number of intervals, readings or statements concerned."""
        return sum(run.count for run in self.runs)

    @property
    def is_blocking(self) -> bool:
        """Whether an open finding of this severity keeps a data code from being green."""
        return self.severity in {"critical", "major"}

    def sort_key(self) -> tuple[int, int, str, str, int]:
        """Order: worst first, contradictions before what is late or absent, then rule, target, beginning."""
        rank = SEVERITIES.index(self.severity), FAMILIES.index(self.family)
        return (*rank, self.rule, self.target, self.runs[0].start if self.runs else 0)


def runs_of(instants: Iterable[int], width: int) -> tuple[Run, ...]:
    """Return the runs that ascending `instants`, each `width` ms long, make up."""
    runs: list[Run] = []
    for at in instants:
        if runs and runs[-1].end == at:
            runs[-1] = Run(runs[-1].start, at + width, runs[-1].count + 1)
        else:
            runs.append(Run(at, at + width, 1))
    return tuple(runs)
