"""Which data source a source stream's month is taken from: the plan's order, declared values, downgrades.

The plan orders the data sources of a stream (`meter` alone by default); the first one counts. A declared
value states an amount over whole months of the period; of two over the same interval from the same source the
first by order counts. A downgrade moves a month, or every month of the period, from the source that counts
there to a later one, and must lead to a declared value of exactly that month: an amount is never split by
guessing. A downgrade that does not fit is refused, since to pass it over would change a total silently. Left
out: whether the document behind a value is there, which is a quality rule's matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from carbonseal_accounting.activity_plan import METER, StreamPlan
from carbonseal_accounting.activity_tally import SourceContent
from carbonseal_accounting.arithmetic import read_decimal
from carbonseal_accounting.errors import ArithmeticRefused, DowngradeRefused, UnitMismatch, UnitUnknown
from carbonseal_accounting.periods import Calendar
from carbonseal_accounting.units import parse_unit

# Why a declared value cannot be compared.
NOT_OF_THE_PLAN: Final = "stream"
NOT_ORDERED: Final = "source"
NOT_WHOLE_MONTHS: Final = "interval"
UNIT_DIFFERS: Final = "unit"
NEGATIVE: Final = "negative"
DECLARED_TWICE: Final = "twice"


@dataclass(frozen=True, slots=True)
class DeclaredActivity:
    """A declared value over `[start_ms, end_ms)`.

    `months` are the positions of the period's months that it covers; `amount` is in the stream's unit. Where
    `problem` is not empty it cannot be compared, and both are empty.
    """

    stream: str
    data_source: str
    start_ms: int
    end_ms: int
    quantity: Decimal
    quantity_unit: str  # as it was declared
    statement: bytes
    document: bytes  # statement digest
    months: range = range(0)
    amount: Decimal | None = None
    problem: str = ""
    differs: bool = False  # DECLARED_TWICE: it says another amount than the first


@dataclass(frozen=True, slots=True)
class Downgrade:
    """A downgrade that was applied to `months` of a stream."""

    stream: str
    start_ms: int
    end_ms: int
    from_source: str
    to_source: str
    reason: str
    statement: bytes
    months: range


@dataclass(frozen=True, slots=True)
class StreamSources:
    """The data source of each month of a stream, with its declared values and downgrades, in log order."""

    sources: tuple[str, ...]
    declared: tuple[DeclaredActivity, ...]
    downgrades: tuple[Downgrade, ...]

    def value_of(self, source: str, month: int) -> DeclaredActivity | None:
        """Return the declared value of `source` over exactly the month at this position, if there is one."""
        for item in self.declared:
            if not item.problem and item.data_source == source and item.months == range(month, month + 1):
                return item
        return None

    def downgrades_of(self, month: int) -> tuple[Downgrade, ...]:
        """Return the downgrades that led to a month's source, first to last."""
        return tuple(item for item in self.downgrades if month in item.months)


def pick_sources(
    streams: Mapping[str, StreamPlan], contents: Iterable[SourceContent], calendar: Calendar
) -> tuple[dict[str, StreamSources], tuple[DeclaredActivity, ...]]:
    """Return the sources of each stream, and the declared values of streams that the plan does not have.

    Args:
        streams: the plan's source streams.
        contents: contents of kind declared_activity and downgrade, in the order of the log.
        calendar: the period's months.

    Raises:
        DowngradeRefused: a downgrade that does not follow the plan's order, or leads to no declared value.
    """
    declared: dict[str, list[DeclaredActivity]] = {name: [] for name in streams}
    downgrades: dict[str, list[Downgrade]] = {name: [] for name in streams}
    current = {name: [item.data_sources[0]] * len(calendar.months) for name, item in streams.items()}
    foreign: list[DeclaredActivity] = []
    for content in contents:
        stream = streams.get(content.body["source_stream"])
        if content.kind == "declared_activity":
            known = foreign if stream is None else declared[stream.name]
            known.append(_declared(content, stream, calendar, known))
        elif stream is None:
            raise _refusal(content, "is about no source stream of the plan")
        else:
            downgrades[stream.name].append(_downgrade(content, stream, calendar, current[stream.name]))
    made = {
        name: StreamSources(tuple(current[name]), tuple(declared[name]), tuple(downgrades[name]))
        for name in streams
    }
    for sources in made.values():
        _check_led_somewhere(sources, calendar)
    return made, tuple(foreign)


def _declared(
    content: SourceContent, stream: StreamPlan | None, calendar: Calendar, known: Sequence[DeclaredActivity]
) -> DeclaredActivity:
    body = content.body
    start, end = content.interval or (0, 0)
    quantity = body["quantity"]
    value, problem, months, amount = Decimal(0), "", _months(calendar, start, end), None
    try:
        value = read_decimal(quantity["value"], field="quantity.value")
        unit = parse_unit(quantity["unit"], field="quantity.unit")
        amount = unit.convert(value, stream.unit) if stream else None
    except (UnitUnknown, UnitMismatch, ArithmeticRefused):
        problem = UNIT_DIFFERS
    if stream is None:
        problem = NOT_OF_THE_PLAN
    elif body["data_source"] not in stream.data_sources:
        problem = NOT_ORDERED
    elif not months:
        problem = NOT_WHOLE_MONTHS
    elif not problem and value < 0 and not stream.may_be_negative:
        problem = NEGATIVE
    differs = False
    for item in known:
        same = (item.data_source, item.start_ms, item.end_ms) == (body["data_source"], start, end)
        if same and not problem and not item.problem:
            problem, differs = DECLARED_TWICE, item.amount != amount
    return DeclaredActivity(
        stream=body["source_stream"],
        data_source=body["data_source"],
        start_ms=start,
        end_ms=end,
        quantity=value,
        quantity_unit=quantity["unit"],
        statement=content.digest,
        document=body["document_digest"],
        months=range(0) if problem else months,
        amount=None if problem else amount,
        problem=problem,
        differs=differs,
    )


def _downgrade(
    content: SourceContent, stream: StreamPlan, calendar: Calendar, current: list[str]
) -> Downgrade:
    body, order = content.body, stream.data_sources
    source, target = body["from"], body["to"]
    start, end = content.interval or (0, 0)
    months = _months(calendar, start, end)
    if not months or len(months) not in {1, len(calendar.months)}:
        raise _refusal(content, "is neither over one civil month of the period nor over the whole of it")
    for name in (source, target):
        if name not in order:
            raise _refusal(content, f"{stream.name}: the plan does not order the data source {name}")
    if order.index(target) <= order.index(source):
        raise _refusal(content, f"{stream.name}: {target} does not come after {source} in the plan's order")
    for month in months:
        if current[month] != source:
            label = calendar.months[month].label
            raise _refusal(content, f"{stream.name}: in {label} {current[month]} counts, not {source}")
        current[month] = target
    return Downgrade(stream.name, start, end, source, target, body["reason"], content.digest, months)


def _check_led_somewhere(sources: StreamSources, calendar: Calendar) -> None:
    for month, source in enumerate(sources.sources):
        led = sources.downgrades_of(month)
        if led and source != METER and sources.value_of(source, month) is None:
            label = calendar.months[month].label
            raise DowngradeRefused(
                f"downgrade {led[-1].statement.hex()[:16]}",
                f"{led[-1].stream}: there is no declared value of {source} over exactly {label}",
                "declare that value, or withdraw the downgrade",
            )


def _months(calendar: Calendar, start: int, end: int) -> range:
    """Return the positions of the months that make up `[start, end)`; empty if they do not."""
    starts = [month.start_ms for month in calendar.months]
    ends = [month.end_ms for month in calendar.months]
    if start not in starts or end not in ends:
        return range(0)
    return range(starts.index(start), ends.index(end) + 1)


def _refusal(content: SourceContent, reason: str) -> DowngradeRefused:
    return DowngradeRefused(
        f"downgrade {content.digest.hex()[:16]}",
        reason,
        "withdraw it, and state from the source that counts there to a later one of the plan",
    )
