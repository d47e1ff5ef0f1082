"""A measured figure and the figure of the same run that it stands beside.

A number alone says more about the machine than about the program. Each one is therefore kept with a limit of
the same machine, or with a named peer, measured minutes apart, and the ratio of the two is what is compared
between machines and versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measure:
    """One value with its name and unit; rates are per second, durations in the unit named."""

    name: str
    value: float
    unit: str

    def to_json(self) -> dict[str, str | float]:
        """The measure as it stands in bench.json, rounded to four significant digits."""
        return {"name": self.name, "value": float(f"{self.value:.4g}"), "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure and the one it stands beside."""

    measure: Measure
    beside: Measure

    @property
    def ratio(self) -> float:
        """The measure divided by what stands beside it."""
        return self.measure.value / self.beside.value

    def to_json(self) -> dict[str, object]:
        """The entry of bench.json."""
        return {**self.measure.to_json(), "beside": self.beside.to_json()}

    def line(self) -> str:
        """One line for people."""
        a, b = self.measure, self.beside
        measured = f"{a.name:<44}{shown(a.value):>11} {a.unit:<6}"
        return f"{measured}{self.ratio:>9.3g} x {b.name} ({shown(b.value)} {b.unit})"


def shown(value: float) -> str:
    """Return a figure in five digits, large ones whole."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.5g}"


def write(figures: Iterable[Figure], target: Path) -> None:
    """Write bench.json in one step, so that a reader never sees half of it."""
    partial = target.with_suffix(".partial")
    partial.write_text(
        json.dumps([figure.to_json() for figure in figures], indent=2) + "\n", encoding="utf-8"
    )
    partial.replace(target)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of all values don't exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        message = "no values to take a percentile of"
        raise ValueError(message)
    rank = max(1, -(-len(ordered) * round(share * 10_000) // 10_000))
    return ordered[rank - 1]
