"""Builds a monthly inventory: activity data under a method's equations, with every figure in a trace.

`build_inventory` takes activity derived from signed readings under a monitoring plan; `compute_request`
takes stated amounts. Both keep unrounded values and the method's rounded ones side by side, and put the
shares that are late, uncertain, substituted, corrected or declared beside the total. Nothing is computed in
part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.activity import ActivityData, StreamMonth
from carbonseal_accounting.activity_plan import Plan, StreamPlan
from carbonseal_accounting.arithmetic import add, divide, multiply, plain, round_places
from carbonseal_accounting.errors import PlanRefused
from carbonseal_accounting.factors import FactorSet, load_factor_sets, pick_factor_set
from carbonseal_accounting.method import Method, StreamType, load_methods, pick_method
from carbonseal_accounting.periods import Calendar, start_of_day
from carbonseal_accounting.resolving import ResolvedFactor, resolve_factors
from carbonseal_accounting.stated import read_request
from carbonseal_accounting.trace import Figure, TraceBuilder

SHARE_PLACES: Final = 6
# Shares of an amount, each with the attribute of a month that holds the part.
_TOUCHED_AMOUNTS: Final = {
    "late": "late_amount",
    "uncertain": "uncertain_amount",
    "substituted": "substituted_amount",
    "corrected": "corrected_amount",
    "declared_activity": "declared_amount",
}
TOUCHED: Final = tuple(_TOUCHED_AMOUNTS)


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One source stream: its factors, and its figures by month and equation."""

    plan: StreamPlan
    type: StreamType
    months: tuple[StreamMonth, ...]
    factors: tuple[ResolvedFactor, ...]
    figures: Mapping[str, Mapping[str, Figure]]  # month -> equation -> figure
    notes: tuple[Mapping[str, str], ...]

    def sum_of(self, equation: str) -> Decimal:
        """Return an equation's figure over all months, exactly."""
        total = Decimal(0)
        for figures in self.figures.values():
            total = add(total, figures[equation].value)
        return total


@dataclass(frozen=True, slots=True)
class Inventory:
    """The result of a computation."""

    method: Method
    calendar: Calendar
    activity: ActivityData
    streams: Mapping[str, StreamResult]
    totals: Mapping[str, Figure]
    totals_by_month: Mapping[str, Mapping[str, Figure]]
    factor_sets: tuple[FactorSet, ...]  # those used
    trace: TraceBuilder = field(repr=False)

    @property
    def total(self) -> Decimal:
        """The unrounded total, in the method's unit."""
        return self.totals["total"].value

    def packages(self) -> list[dict[str, str]]:
        """Return the method and the factor sets used, with their digests."""
        rows = [("method", self.method.name, self.method.digest)]
        rows += [("factor_set", item.name, item.digest) for item in self.factor_sets]
        return [
            {"kind": kind, "id": name.split("@")[0], "version": name.split("@")[1], "digest": digest.hex()}
            for kind, name, digest in rows
        ]

    def shares(self) -> dict[str, str]:
        """Return the shares of the counted emissions that rest on what is named.

        Readings that came late, were called uncertain by their source, or were corrected by the party; values
        that were substituted; declared activity; declared factors (`declared`) and unsure ones. Fractions of
        one, six places, half to even; of nothing they are 0.
        """
        parts = dict.fromkeys((*TOUCHED, "declared", "unsure_factor"), Decimal(0))
        whole = Decimal(0)
        for stream in self.streams.values():
            if not stream.type.is_counted:
                continue
            emissions = abs(stream.sum_of("emissions"))
            whole = add(whole, emissions)
            touched = touched_shares(stream.months)
            for name, share in touched.items():
                parts[name] = add(parts[name], multiply(emissions, share))
            if any(item.factor.is_declared for item in stream.factors):
                parts["declared"] = add(parts["declared"], emissions)
            if any(item.factor.is_unsure for item in stream.factors):
                parts["unsure_factor"] = add(parts["unsure_factor"], emissions)
        return {name: _share(part, whole) for name, part in parts.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the inventory as JSON values; decimals are strings, units their common names."""
        from carbonseal_accounting.inventory_json import inventory_json  # it reads this class

        return inventory_json(self)


def build_inventory(
    plan_body: Mapping[str, Any],
    activity: ActivityData,
    *,
    methods: Mapping[str, Method],
    factor_sets: Mapping[str, FactorSet],
    start_ms: int,
    end_ms: int,
) -> Inventory:
    """Return the inventory of `[start_ms, end_ms)` under a monitoring plan and the method that it names.

    Raises:
        PlanRefused: the activity is of another period, or the plan lacks what the method needs.
        MethodUnknown: the method or a stream type is not at hand.
        FactorRefused: a factor does not fit its parameter.
    """
    plan = Plan.from_body(plan_body)
    if (activity.calendar.start_ms, activity.calendar.end_ms) != (start_ms, end_ms):
        raise PlanRefused("period", "the activity data are of another period", "derive them for this one")
    if (activity.plan, activity.plan_version) != (plan.code, plan.version):
        raise PlanRefused("plan", "the activity data follow another plan", "derive them under this one")
    plan.check_covers(start_ms, end_ms)
    method = pick_method(methods, plan.method, field="plan.method")
    for stream in plan.streams.values():
        _check_measured(stream, plan, method)
    return compute(method, plan.streams, activity, factor_sets=factor_sets, region=plan.region)


def compute_request(
    document: Mapping[str, Any],
    *,
    methods: Mapping[str, Method] | None = None,
    factor_sets: Mapping[str, FactorSet] | None = None,
) -> Inventory:
    """Return the inventory of stated amounts: the INPUT.json of `carbonseal-accounting compute`.

    Args:
        document: the parsed JSON; decimals as strings, ints or Decimal, never floats.
        methods: those at hand; None takes those of this distribution.
        factor_sets: as `methods`.

    Raises:
        AccountingError: unfilled, malformed, or refused as in `build_inventory`.
    """
    request = read_request(document, load_methods() if methods is None else methods)
    sets = load_factor_sets() if factor_sets is None else factor_sets
    return compute(
        request.method,
        request.streams,
        request.activity,
        factor_sets=sets,
        region=request.region,
        place="streams",
    )


def compute(
    method: Method,
    streams: Mapping[str, StreamPlan],
    activity: ActivityData,
    *,
    factor_sets: Mapping[str, FactorSet],
    region: str = "",
    place: str = "source_streams",
) -> Inventory:
    """Return the inventory of streams with their activity data; see `build_inventory`."""
    calendar = activity.calendar
    _check_effective(method, calendar)
    trace = TraceBuilder(method.name, method.digest)
    used = dict[str, FactorSet]()
    constants = _constants(method, factor_sets, trace, used)
    results = dict[str, StreamResult]()
    for at, stream in enumerate(streams.values()):
        results[stream.name] = _stream_result(
            method,
            stream,
            activity.streams[stream.name],
            trace,
            constants,
            factor_sets,
            calendar,
            region,
            f"{place}[{at}]",
        )
        for item in results[stream.name].factors:
            if item.factor.set_name:
                used[item.factor.set_name] = factor_sets[item.factor.set_name]
    labels = sorted({month.month for stream in results.values() for month in stream.months})
    by_month = {label: _totals(method, results, trace, [label], f"/{label}") for label in labels}
    totals = _totals(method, results, trace, labels, "")
    sets = tuple(used[name] for name in sorted(used))
    return Inventory(method, calendar, activity, results, totals, by_month, sets, trace)


def _constants(
    method: Method, factor_sets: Mapping[str, FactorSet], trace: TraceBuilder, used: dict[str, FactorSet]
) -> dict[str, str]:
    names = dict[str, str]()
    for name, constant in method.constants.items():
        value, source = constant.value, constant.source
        if value is None:
            chosen = pick_factor_set(factor_sets, constant.set_name, field=f"constants.{name}")
            factor = chosen.find(constant.key, field=f"constants.{name}")
            value = factor.unit.convert(factor.value, constant.unit, field=f"constants.{name}")
            source = f"{chosen.name} {factor.key} ({factor.certainty}), package {chosen.digest.hex()}"
            used[chosen.name] = chosen
        names[name] = trace.add_constant(name, value, constant.unit, source)
    return names


def _stream_result(
    method: Method,
    stream: StreamPlan,
    months: Sequence[StreamMonth],
    trace: TraceBuilder,
    constants: Mapping[str, str],
    factor_sets: Mapping[str, FactorSet],
    calendar: Calendar,
    region: str,
    place: str,
) -> StreamResult:
    kind = method.stream_type(stream.type, field=f"{place}.type")
    stream.unit.ratio_to(kind.activity_unit, field=f"{place}.unit")
    factors = resolve_factors(
        kind,
        stream.factors,
        factor_sets=factor_sets,
        calendar=calendar,
        region=region,
        field=f"{place}.factors",
    )
    names = dict(constants)
    for item in factors:
        names[item.parameter] = trace.add_factor(
            stream.name, item.parameter, item.factor, item.value, item.year_rule
        )
    figures = dict[str, Mapping[str, Figure]]()
    for month in months:
        refs = names | {"activity": trace.add_activity(month)}
        figures[month.month] = row = dict[str, Figure]()
        for equation in kind.equations:
            inputs = {name: refs[name] for name in sorted(equation.expression.names)}
            full = f"{stream.name}/{equation.name}/{month.month}"
            row[equation.name] = trace.compute(
                full, equation.expression, inputs, equation.unit, equation.rounding
            )
            refs[equation.name] = full
    notes = [note for note in (kind.note, *(item.note for item in factors)) if note]
    return StreamResult(stream, kind, tuple(months), tuple(factors), figures, tuple(notes))


def _totals(
    method: Method,
    results: Mapping[str, StreamResult],
    trace: TraceBuilder,
    labels: Sequence[str],
    suffix: str,
) -> dict[str, Figure]:
    done = dict[str, Figure]()
    for equation in method.totals:
        inputs = dict[str, str | tuple[str, ...]]()
        for name in sorted(equation.expression.summed):
            kind, _, figure = name.partition(".")
            inputs[name] = tuple(
                stream.figures[label][figure].name
                for stream in results.values()
                if stream.type.name == kind
                for label in labels
                if label in stream.figures
            )
        inputs |= {name: done[name].name for name in sorted(equation.expression.names)}
        rounding = equation.rounding or method.rounding
        full = f"total/{equation.name}{suffix}"
        done[equation.name] = trace.compute(full, equation.expression, inputs, equation.unit, rounding)
    return done


def _check_effective(method: Method, calendar: Calendar) -> None:
    first, last = method.effective
    starts = start_of_day(date.fromisoformat(first), calendar.time_zone)
    ends = start_of_day(date.fromisoformat(last), calendar.time_zone) if last else None
    if calendar.start_ms < starts or (ends is not None and calendar.end_ms > ends):
        raise PlanRefused(
            "method",
            f"{method.name} is effective from {first} to {last or 'now'}",
            "use the version of the period",
        )


def _check_measured(stream: StreamPlan, plan: Plan, method: Method) -> None:
    kind = method.stream_type(stream.type, field=f"source_streams.{stream.name}.type")
    for name, sign in stream.activity:
        quantity = plan.measurements[name].quantity
        if quantity not in kind.quantities:
            raise PlanRefused(
                f"source_streams.{stream.name}.activity",
                f"{name} measures {quantity}, {kind.name} takes {' or '.join(kind.quantities)}",
                "name the measurement of the right quantity",
            )
        if sign < 0 and not kind.is_net:
            raise PlanRefused(
                f"source_streams.{stream.name}.activity",
                f"{name} is subtracted, {kind.name} of {method.name} is gross",
                "report what the meter shows and subtract nothing",
            )


def touched_shares(months: Sequence[StreamMonth]) -> dict[str, Decimal]:
    """Return the shares of a stream's amount that are touched, by the names in TOUCHED (34 digits)."""
    whole, parts = Decimal(0), dict.fromkeys(TOUCHED, Decimal(0))
    for month in months:
        whole = add(whole, abs(month.amount))
        for name in TOUCHED:
            amount: Decimal = getattr(month, _TOUCHED_AMOUNTS[name])
            parts[name] = add(parts[name], abs(amount))
    return {
        name: min(divide(part, whole), Decimal(1)) if whole else Decimal(0) for name, part in parts.items()
    }


def _share(part: Decimal, whole: Decimal) -> str:
    share = divide(part, whole) if whole else Decimal(0)
    return plain(round_places(share, SHARE_PLACES, "half_even"))
