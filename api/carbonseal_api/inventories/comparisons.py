"""Declared beside metered: for each source stream and month what every data source gives, and which counts.

The figures come from `carbonseal_verifier.beside_totals`, the same that a filed report lists and `check`
composes again; here they are only given a shape and a reason in words. A value over several months is
compared over all of them, and never split.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.activity import ActivityData
from carbonseal_accounting.activity_plan import METER
from carbonseal_accounting.arithmetic import subtract, trimmed
from carbonseal_accounting.periods import Calendar
from carbonseal_api.assembly import Parts
from carbonseal_api.evidence.civil_periods import period_label, read_period
from carbonseal_api.inventories.comparison_schemas import (
    AppliedDowngrade,
    Comparison,
    DeclaredComparison,
    MonthComparison,
    SourceValue,
)
from carbonseal_api.inventories.inputs import cut_off_now, period_activity
from carbonseal_api.plans.service import newest_plan
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.instants import Interval, format_instant
from carbonseal_verifier.beside_totals import declared_rows, source_rows

MAX_MONTHS: Final = 12  # of one comparison


def compare(parts: Parts, party: str, period: str) -> Comparison:
    """Return what each data source gives in the civil months of `period` under the newest plan.

    Raises:
        NotFound: No plan was filed.
        MonthsNotWhole, RequestInvalid: Not whole civil months of the plan's zone, or too many.
        AccountingError, CorrectionRefused: The readings, a downgrade or a correction cannot be computed.
    """
    plan = _plan(parts, party)
    start, end = interval = interval_of(parts, party, period)
    parts.projections.refresh()
    at = cut_off_now(parts, party)
    activity = period_activity(parts, party, plan, start, end, at)
    return Comparison(
        period=period_label(interval, plan["body"]["time_zone"]),
        start=format_instant(start),
        end=format_instant(end),
        plan_digest=bytes(plan["statement_digest"]).hex(),
        data_size=at.data_size,
        register_size=at.register_size,
        months=month_rows(plan["body"], activity),
        declared=[_declared(row) for row in declared_rows(plan["body"], activity)],
    )


def interval_of(parts: Parts, party: str, period: str) -> Interval:
    """Return the interval of the civil months that `period` names in the newest plan's zone, in ms.

    Raises:
        NotFound: No plan was filed.
        MonthsNotWhole, RequestInvalid: Not whole civil months, or too many.
    """
    zone = _plan(parts, party)["body"]["time_zone"]
    interval = read_period(period, zone)
    if len(Calendar.of(zone, *interval).months) > MAX_MONTHS:
        raise RequestInvalid("period", f"over {MAX_MONTHS} months", "compare a year at a time")
    return interval


def month_rows(plan: Mapping[str, Any], activity: ActivityData) -> list[MonthComparison]:
    """Return each stream's months with what every data source gives."""
    names = {stream["id"]: stream["name"] for stream in plan["source_streams"]}
    return [_month(row, names[row["stream"]]) for row in source_rows(plan, activity)]


def _month(row: Mapping[str, Any], name: Mapping[str, str]) -> MonthComparison:
    metered = next((one["value"] for one in row["values"] if one["data_source"] == METER), None)
    return MonthComparison(
        stream=row["stream"],
        name=dict(name),
        month=row["month"],
        start=row["start"],
        end=row["end"],
        unit=row["unit"],
        tolerance_percent=row["tolerance_percent"],
        counts=row["counts"],
        why=_why(row),
        amount=row["amount"],
        values=[
            SourceValue(
                data_source=one["data_source"],
                value=one["value"],
                difference=_difference(one, metered),
                difference_percent=one["difference_percent"],
                is_within_tolerance=one["is_within_tolerance"],
                statement_digest=one["statement"],
                document_digest=one["document"],
            )
            for one in row["values"]
        ],
        downgrades=[
            AppliedDowngrade.model_validate(
                {
                    "from": one["from"],
                    "to": one["to"],
                    "reason": one["reason"],
                    "statement_digest": one["statement"],
                }
            )
            for one in row["downgrades"]
        ],
    )


def _difference(one: Mapping[str, Any], metered: str | None) -> str | None:
    if one["data_source"] == METER or one["value"] is None or metered is None:
        return None
    return trimmed(subtract(Decimal(one["value"]), Decimal(metered)))


def _why(row: Mapping[str, Any]) -> dict[str, str]:
    if not row["downgrades"]:
        return {"zh": "方案规定的首选数据来源", "en": "the first data source in the plan's order"}
    last = row["downgrades"][-1]
    return {
        "zh": f"已由 {last['from']} 降级为 {last['to']}：{last['reason']}",
        "en": f"downgraded from {last['from']} to {last['to']}: {last['reason']}",
    }


def _declared(row: Mapping[str, Any]) -> DeclaredComparison:
    return DeclaredComparison(
        stream=row["stream"],
        data_source=row["data_source"],
        start=row["start"],
        end=row["end"],
        declared=row["declared"],
        metered=row["metered"],
        difference_percent=row["difference_percent"],
        problem=row["problem"],
        statement_digest=row["statement"],
        document_digest=row["document"],
    )


def _plan(parts: Parts, party: str) -> Mapping[str, Any]:
    plan = newest_plan(parts, party)
    if plan is None:
        raise NotFound("plan", "no monitoring plan was filed", "file a monitoring plan statement")
    return plan
