"""What a report lists beside its totals: corrections of readings, declared values and downgrades.

JSON values, the same for the service that writes them and the check that composes them again. Decimals are
strings, units their common names, instants RFC 3339, digests hex.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from carbonseal_accounting.activity import ActivityData
from carbonseal_accounting.activity_plan import DEFAULT_TOLERANCE, METER
from carbonseal_accounting.activity_sources import DeclaredActivity
from carbonseal_accounting.arithmetic import subtract, trimmed
from carbonseal_accounting.errors import AccountingError
from carbonseal_accounting.units import parse_unit
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.corrections import Correction
from carbonseal_verifier.quality.declared_amounts import StreamAmounts, difference, is_within, percent_of


def correction_rows(corrections: Iterable[Correction]) -> list[dict[str, Any]]:
    """Return what was corrected, by meter and time, with reason, statements and acts."""
    ordered = sorted(corrections, key=lambda c: (c.device, c.interval, c.superseded))
    return [
        {
            "device": c.device,
            "kind": c.kind,
            "start": format_instant(c.interval[0]),
            "end": format_instant(c.interval[1]),
            "reason": c.reason,
            "supersedes": c.superseded.hex(),
            "replacement": None if c.replacement is None else c.replacement.statement.digest.hex(),
            "corrections": [act.digest.hex() for act in c.acts],
        }
        for c in ordered
    ]


def declared_rows(plan: Mapping[str, Any], activity: ActivityData) -> list[dict[str, Any]]:
    """Return every declared value with the metered amount over its months, by stream in the plan's order."""
    rows = [
        _declared_row(declared, amounts)
        for amounts in _streams(plan, activity)
        for declared in sorted(amounts.sources.declared, key=_place)
    ]
    return rows + [_declared_row(declared, None) for declared in sorted(activity.foreign, key=_place)]


def downgrade_rows(plan: Mapping[str, Any], activity: ActivityData) -> list[dict[str, Any]]:
    """Return every downgrade with both amounts, and whether it lowers what is reported."""
    rows = []
    for amounts in _streams(plan, activity):
        for item in amounts.sources.downgrades:
            declared = [amounts.sources.value_of(item.to_source, at) for at in item.months]
            rows.append(
                {
                    "stream": item.stream,
                    "start": format_instant(item.start_ms),
                    "end": format_instant(item.end_ms),
                    "from": item.from_source,
                    "to": item.to_source,
                    "from_amount": _amount(amounts, item.from_source, item.months),
                    "to_amount": _amount(amounts, item.to_source, item.months),
                    "lowers": amounts.is_lowered(item),
                    "reason": item.reason,
                    "statement": item.statement.hex(),
                    "declared_activity": [d.statement.hex() for d in declared if d is not None],
                    "documents": [d.document.hex() for d in declared if d is not None],
                }
            )
    return rows


def source_rows(plan: Mapping[str, Any], activity: ActivityData) -> list[dict[str, Any]]:
    """Return each stream's months with what every data source of the plan gives, and which one counts.

    `difference_percent` is against the meter; `is_within_tolerance` is None where nothing is compared.
    Only a declared value of exactly that month has a value here; see `declared_rows` for longer ones.
    """
    streams = {stream["id"]: stream for stream in plan["source_streams"]}
    rows = []
    for amounts in _streams(plan, activity):
        for at, month in enumerate(amounts.months):
            limit = Decimal(streams[month.stream].get("declared_tolerance_percent", DEFAULT_TOLERANCE))
            rows.append(
                {
                    "stream": month.stream,
                    "month": month.month,
                    "start": format_instant(month.start_ms),
                    "end": format_instant(month.end_ms),
                    "unit": amounts.unit,
                    "tolerance_percent": str(limit),
                    "counts": month.source,
                    "amount": trimmed(month.amount),
                    "values": [_value_row(amounts, source, at, limit) for source in amounts.order],
                    "downgrades": [
                        {
                            "from": item.from_source,
                            "to": item.to_source,
                            "reason": item.reason,
                            "statement": item.statement.hex(),
                        }
                        for item in amounts.sources.downgrades_of(at)
                    ],
                }
            )
    return rows


def _value_row(amounts: StreamAmounts, source: str, at: int, limit: Decimal) -> dict[str, Any]:
    amount, metered = amounts.amount_of(source, at), amounts.months[at].metered_amount
    declared = None if source == METER else amounts.sources.value_of(source, at)
    percent, within = None, None
    if amount is not None and declared is not None and METER in amounts.order:
        off = subtract(amount, metered)
        percent, within = percent_of(off, metered), is_within(off, metered, limit)
    return {
        "data_source": source,
        "value": None if amount is None else trimmed(amount),
        "difference_percent": percent,
        "is_within_tolerance": within,
        "statement": None if declared is None else declared.statement.hex(),
        "document": None if declared is None else declared.document.hex(),
    }


def _streams(plan: Mapping[str, Any], activity: ActivityData) -> Iterator[StreamAmounts]:
    for stream in plan["source_streams"]:
        yield StreamAmounts.of(activity, stream["id"], stream.get("data_sources", (METER,)))


def _place(declared: DeclaredActivity) -> tuple[str, str, int, int, bytes]:
    return (
        declared.stream,
        declared.data_source,
        declared.start_ms,
        declared.end_ms,
        declared.statement,
    )


def _declared_row(declared: DeclaredActivity, amounts: StreamAmounts | None) -> dict[str, Any]:
    metered, percent = None, None
    if amounts is not None and not declared.problem:
        off, total = difference(declared, amounts)
        metered = {"value": trimmed(total), "unit": amounts.unit}
        percent = percent_of(off, total)
    return {
        "stream": declared.stream,
        "data_source": declared.data_source,
        "start": format_instant(declared.start_ms),
        "end": format_instant(declared.end_ms),
        "declared": {"value": trimmed(declared.quantity), "unit": _unit_name(declared.quantity_unit)},
        "metered": metered,
        "difference_percent": percent,
        "statement": declared.statement.hex(),
        "document": declared.document.hex(),
        "problem": declared.problem or None,
    }


def _amount(amounts: StreamAmounts, source: str, months: range) -> dict[str, str] | None:
    total = amounts.total_of(source, months)
    return None if total is None else {"value": trimmed(total), "unit": amounts.unit}


def _unit_name(code: str) -> str:
    try:
        return parse_unit(code).name
    except AccountingError:
        return code  # a unit that nobody knows is shown as it was written
