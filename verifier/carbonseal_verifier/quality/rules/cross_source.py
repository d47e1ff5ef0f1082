"""Cross-source rules: two sources in a fixed ratio, and sub-meters against the main meter. Exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Final

from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.quality.amounts import amounts_by_start, rounded
from carbonseal_verifier.quality.findings import Observation, Run, runs_of
from carbonseal_verifier.quality.ratio_units import ratio_factor
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import InputMissing, Target

_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Both sources' amounts at common integers: b * b_factor and a * a_factor are comparable."""

    rows: list[tuple[int, int, int]]
    unit: str
    denominator: int
    half_resolution: int
    tolerance: Fraction
    step_ms: int

    def text(self, value: int) -> str:
        """Return a common integer in b's unit, six places at most."""
        return rounded(Fraction(value, self.denominator), 6)

    def disagreeing(self) -> list[tuple[int, int, int]]:
        """Return the rows in which |b - a·ratio| > resolution/2 + tolerance."""
        half, tolerance = self.half_resolution, self.tolerance
        if not tolerance:
            return [row for row in self.rows if not -half <= row[2] - row[1] <= half]
        return [row for row in self.rows if abs(row[2] - row[1]) > half + tolerance * abs(row[1])]


def two_sources_disagree(target: Target) -> Iterator[Observation]:
    """Compare the two sources interval by interval."""
    pairs, check = _pairs(target), target.subject
    found = pairs.disagreeing()
    if found:
        starts = [at for at, *_ in found]
        yield Observation(
            runs_of(starts, pairs.step_ms),
            {"a": check["a"], "b": check["b"], "ratio": check["ratio"],
             "ratio_unit": check.get("ratio_unit") or "",
             "limit": pairs.text(pairs.half_resolution), "unit": pairs.unit,
             "since": format_instant(starts[0]),
             "count": str(len(found)), "sum_a": pairs.text(sum(a for _, a, _ in found)),
             "sum_b": pairs.text(sum(b for *_, b in found))},
        )  # fmt: skip


def two_sources_total(target: Target) -> Iterator[Observation]:
    """Compare the two sources' totals over the period; what rounding adds up to is a matter of its own."""
    pairs, check = _pairs(target), target.subject
    expected, observed = (sum(row[i] for row in pairs.rows) for i in (1, 2))
    tolerance = target.parameters["tolerance_percent"]
    difference = observed - expected
    if abs(difference) * 100 <= Fraction(tolerance) * abs(expected):
        return
    share = Fraction(difference * 100, expected) if expected else Fraction(100)
    flagged = sum(b - a for _, a, b in pairs.disagreeing())
    yield Observation(
        (Run(pairs.rows[0][0], pairs.rows[-1][0] + pairs.step_ms, len(pairs.rows)),),
        {"a": check["a"], "b": check["b"], "expected": pairs.text(expected), "observed": pairs.text(observed),
         "difference": pairs.text(difference), "unit": pairs.unit, "tolerance": str(tolerance),
         "percent": rounded(share, 2), "flagged": pairs.text(flagged)},
    )  # fmt: skip


def sub_meter_sum(target: Target) -> Iterator[Observation]:
    """Compare the main meter with the sum of its sub-meters, window by window where all have readings."""
    scope, check = target.scope, target.subject
    measurements = [scope.measurement(check["whole"]), *map(scope.measurement, check["parts"])]
    units = {m["unit"] for m in measurements}
    series = [amounts_by_start(scope, m) for m in measurements]
    scale = max(s for s, _ in series)
    factors = [ratio_factor("1", None, m["unit"], measurements[0]["unit"]) * 10 ** (scale - s)
               for m, (s, _) in zip(measurements, series, strict=True)]  # fmt: skip
    common = set(series[0][1]).intersection(*(values for _, values in series[1:]))
    if not common or not units:
        raise InputMissing(f"one interval with readings of all meters of {check['id']}")
    window = target.integer("window_hours") * _HOUR
    denominator = lcm(*(f.denominator for f in factors))
    whole_by, *parts_by = (int(f * denominator) for f in factors)
    sums: dict[int, list[int]] = {}
    for at in common:
        row = sums.setdefault((at - scope.start) // window, [0, 0])
        row[0] += series[0][1][at] * whole_by
        row[1] += sum(values[at] * f for (_, values), f in zip(series[1:], parts_by, strict=True))
    percent = Fraction(parse_decimal(check.get("tolerance_percent") or "0"))
    found = [k for k in sorted(sums) if abs(sums[k][0] - sums[k][1]) * 100 > percent * abs(sums[k][0])]
    if found:
        unit = denominator * 10**scale
        whole, parts = (Fraction(sum(row[i] for row in sums.values()), unit) for i in (0, 1))
        first = scope.start + found[0] * window
        yield Observation(
            runs_of((scope.start + k * window for k in found), window),
            {"window_hours": str(target.integer("window_hours")), "whole": check["whole"],
             "parts": " + ".join(check["parts"]), "tolerance": check.get("tolerance_percent") or "0",
             "since": format_instant(first), "count": str(len(found)), "unit": measurements[0]["unit"],
             "sum_parts": rounded(parts, 6), "sum_whole": rounded(whole, 6)},
        )  # fmt: skip


def _pairs(target: Target) -> _Pairs:
    scope, check = target.scope, target.subject
    a, b = scope.measurement(check["a"]), scope.measurement(check["b"])
    (scale_a, values_a), (scale_b, values_b) = amounts_by_start(scope, a), amounts_by_start(scope, b)
    ratio = ratio_factor(check["ratio"], check.get("ratio_unit"), a["unit"], b["unit"])
    half = Fraction(parse_decimal(check.get("resolution") or "0")) / 2
    # One denominator for ratio, both scales and half the resolution: then everything is an integer.
    a_factor, b_factor = ratio / 10**scale_a, Fraction(1, 10**scale_b)
    denominator = lcm(a_factor.denominator, b_factor.denominator, half.denominator)
    by_a, by_b = int(a_factor * denominator), int(b_factor * denominator)
    rows = [(at, value * by_a, values_b[at] * by_b) for at, value in values_a.items() if at in values_b]
    if not rows:
        raise InputMissing(f"one interval with readings of both {check['a']} and {check['b']}")
    tolerance = Fraction(parse_decimal(check.get("tolerance_percent") or "0")) / 100
    return _Pairs(rows, b["unit"], denominator, int(half * denominator), tolerance, a["step_ms"])


RULES: Final[Mapping[str, RuleFunction]] = {
    "two-sources-disagree": two_sources_disagree,
    "two-sources-total": two_sources_total,
    "sub-meter-sum": sub_meter_sum,
}
