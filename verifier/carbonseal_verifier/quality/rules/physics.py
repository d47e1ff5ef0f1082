"""Physical identities. Power factor is checked without a square root: (P-T)²·S <= (100·k)² <= (P+T)²·S."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.quality.amounts import WIDE, amounts_by_start, shown
from carbonseal_verifier.quality.findings import Observation, runs_of
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import InputMissing, NotApplicable, Target


def power_factor(target: Target) -> Iterator[Observation]:
    """Compare the printed power factor (per cent) with active / sqrt(active² + reactive²).

    Where both energies are zero the power factor is undefined and the interval isn't judged.
    """
    scope, check = target.scope, target.subject
    names = [check[k] for k in ("active", "reactive", "power_factor")]
    measurements = [scope.measurement(name) for name in names]
    (s_k, active), (s_q, reactive), (s_p, factor) = (amounts_by_start(scope, m) for m in measurements)
    given = check.get("tolerance_points")
    tolerance = Decimal(target.parameters["tolerance_points"]) if given is None else parse_decimal(given)
    places = max(s_p, -int(tolerance.as_tuple().exponent)) if tolerance else s_p
    scale = max(s_k, s_q)
    by_k, by_q, by_p = 10 ** (scale - s_k), 10 ** (scale - s_q), 10 ** (places - s_p)
    slack, whole = int(tolerance.scaleb(places, WIDE)), (100 * 10**places) ** 2
    found: list[int] = []
    matched = judged = 0
    for at, energy in active.items():
        q, p = reactive.get(at), factor.get(at)
        if q is None or p is None:
            continue
        matched += 1
        k, q, p = energy * by_k, q * by_q, p * by_p
        square = k * k + q * q
        judged += bool(square)
        low, high, middle = p - slack, p + slack, whole * k * k
        if square and (
            k < 0 or high < 0 or high * high * square < middle or (low > 0 and low * low * square > middle)
        ):
            found.append(at)
    if not matched:
        raise InputMissing(f"one interval with {', '.join(names)}")
    if not judged:
        raise NotApplicable(zh="各时段电量均为零", en="both energies are zero in every interval")
    if found:
        yield Observation(
            runs_of(found, measurements[0]["step_ms"]),
            {"active": names[0], "reactive": names[1], "power_factor": names[2],
             "tolerance": format(tolerance, "f"),
             "matched": str(matched), "count": str(len(found)), "since": format_instant(found[0]),
             "value": shown(factor[found[0]], s_p)},
        )  # fmt: skip


RULES: Final[Mapping[str, RuleFunction]] = {"power-factor": power_factor}
