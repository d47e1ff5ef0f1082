"""Computes inventories from the series index and the contents it points at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from carbonseal_accounting import periods
from carbonseal_accounting.activity import ActivityData
from carbonseal_accounting.errors import PeriodInvalid
from carbonseal_accounting.factors import load_factor_sets
from carbonseal_accounting.inventory import build_inventory
from carbonseal_accounting.method import load_methods
from carbonseal_api.assembly import Parts
from carbonseal_api.founding import DATA, REGISTER
from carbonseal_api.inventories import queries
from carbonseal_api.inventories.comparison_schemas import MonthComparison
from carbonseal_api.inventories.comparisons import month_rows
from carbonseal_api.inventories.inputs import CutOff, cut_off_now, period_activity
from carbonseal_api.inventories.schemas import Inventory
from carbonseal_api.plans.service import newest_plan, plan_by_digest
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_api.quality.queries import result_by_digest
from carbonseal_attest.instants import format_instant

SLACK_MS: Final = 900_000  # at both ends of the readings: one at a border belongs to the time inside
MAX_MONTHS: Final = 24  # listed at once
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def inventory_of(
    plan: Mapping[str, Any], activity: ActivityData, start_ms: int, end_ms: int
) -> dict[str, Any]:
    """Return `Inventory.to_json()` of activity data of [start_ms, end_ms) under a plan row.

    Raises:
        AccountingError: The plan or its factors cannot be computed.
    """
    inventory = build_inventory(
        plan["body"],
        activity,
        methods=load_methods(),
        factor_sets=load_factor_sets(),
        start_ms=start_ms,
        end_ms=end_ms,
    )
    made: dict[str, Any] = inventory.to_json()
    return made


def month_inventory(parts: Parts, party: str, label: str) -> Inventory:
    """Return the inventory of a civil month under the newest plan.

    Raises:
        NotFound: No plan was filed.
        RequestInvalid: The label is no month.
    """
    plan = newest_plan(parts, party)
    if plan is None:
        raise NotFound("plan", "no monitoring plan was filed", "file a monitoring plan statement")
    start_ms, end_ms = month_bounds(label, plan["body"]["time_zone"])
    return stored_inventory(parts, party, plan, label, start_ms, end_ms)


def stored_inventory(
    parts: Parts,
    party: str,
    plan: Mapping[str, Any],
    label: str,
    start_ms: int,
    end_ms: int,
    cut_off: CutOff | None = None,
) -> Inventory:
    """Return the inventory of a time under a plan row, drawn again only when a log grew.

    At a `cut_off` given, of a filed report, it is drawn once and kept under that label.

    Raises:
        AccountingError: The plan, its factors, the readings or a downgrade cannot be computed.
        CorrectionRefused: A correction leads to something that cannot stand in the readings' place.
    """
    at = cut_off or cut_off_now(parts, party)
    digest = bytes(plan["statement_digest"])
    kept = label if cut_off is None else f"{label}@{at.data_size}/{at.register_size}"
    known = queries.month(parts.engine, party, digest, kept)
    if known is None or (known["data_size"], known["register_size"]) != (at.data_size, at.register_size):
        parts.projections.refresh()
        activity = period_activity(parts, party, plan, start_ms, end_ms, at)
        known = {
            "party": party,
            "plan_digest": digest,
            "month": kept,
            "data_size": at.data_size,
            "register_size": at.register_size,
            "inventory": inventory_of(plan, activity, start_ms, end_ms),
            "comparisons": [row.model_dump(by_alias=True) for row in month_rows(plan["body"], activity)],
        }
        queries.store_month(parts.engine, known)
    return Inventory(
        month=label,
        plan_digest=digest.hex(),
        data_size=at.data_size,
        register_size=at.register_size,
        inventory=known["inventory"],
        comparisons=[MonthComparison.model_validate(row) for row in known["comparisons"]],
    )


def report_inventory(parts: Parts, party: str, report: bytes) -> Inventory:
    """Return the inventory that the logs give at the cut-off of a filed report, whatever came after it.

    Raises:
        NotFound: No such report of this party, or the plan that it names is not filed here.
    """
    row = result_by_digest(parts.engine, party, report)
    if row is None or row["kind"] != "emissions_report":
        raise NotFound("digest", "no such emissions report", "list the reports of the organisation")
    body = row["body"]
    plan = plan_by_digest(parts, party, bytes.fromhex(body["plan_digest"]))
    sizes = {head["origin"].rsplit("/", 1)[1]: head["tree_size"] for head in body["cut_off"]}
    start, end = body["period"]["start"], body["period"]["end"]
    label = f"{format_instant(start)}/{format_instant(end)}"
    cut_off = CutOff(sizes[DATA], sizes[REGISTER])
    return stored_inventory(parts, party, plan, label, start, end, cut_off)


def months(parts: Parts, party: str) -> list[str]:
    """Return the civil months with readings or declared values of source streams, oldest first, at most 24.

    Months before the plan takes effect are left out: nothing could be computed for them.
    """
    plan = newest_plan(parts, party)
    if plan is None:
        return []
    body = plan["body"]
    used = {part["measurement"] for stream in body["source_streams"] for part in stream["activity"]}
    points = {(item["device"], item["point"]) for item in body["measurements"] if item["id"] in used}
    spans = [queries.span(parts.engine, party, points), queries.declared_span(parts.engine, party)]
    known = [one for one in spans if one is not None]
    span = (min(one[0] for one in known), max(one[1] for one in known)) if known else None
    if span is None or span[1] <= plan["effective_start"]:
        return []
    zone = ZoneInfo(body["time_zone"])
    # A register is read at the instant at which the month before ends: that reading is no month of its own.
    first = max(span[0] + SLACK_MS, plan["effective_start"])
    last = max(span[1] - SLACK_MS, first)
    start, end = ((_EPOCH + timedelta(milliseconds=at)).astimezone(zone) for at in (first, last))
    labels: list[str] = []
    year, month = start.year, start.month
    while (year, month) <= (end.year, end.month):
        labels.append(f"{year:04d}-{month:02d}")
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return labels[-MAX_MONTHS:]


def month_bounds(label: str, time_zone: str) -> tuple[int, int]:
    """Return start and end of a civil month in ms since 1970 UTC.

    Raises:
        RequestInvalid: Not a month such as 2026-01.
    """
    match = _MONTH.fullmatch(label)
    try:
        if match is not None:
            return periods.month_bounds(int(match[1]), int(match[2]), time_zone)
    except PeriodInvalid:
        pass  # a year whose months are no instants of ours
    raise RequestInvalid("month", f"{label[:20]!r} is not a month", "write it as 2026-01")
