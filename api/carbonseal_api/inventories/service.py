"""Computes inventories from the series index and the contents it points at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from carbonseal_accounting.activity import SourceContent, derive_activity
from carbonseal_accounting.factors import load_factor_sets
from carbonseal_accounting.inventory import build_inventory
from carbonseal_accounting.method import load_methods
from carbonseal_api.assembly import Parts
from carbonseal_api.devices import queries as series_queries
from carbonseal_api.inventories import queries
from carbonseal_api.inventories.schemas import Inventory
from carbonseal_api.plans.service import newest_plan
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.contents import parse_content

LATE_AFTER_MS: Final = 26 * 3_600_000  # of default@1; the filed code judges by its own profile
SLACK_MS: Final = 900_000  # at both ends of the readings: one at a border belongs to the time inside
MAX_MONTHS: Final = 24  # listed at once
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def period_inventory(
    parts: Parts, party: str, plan: Mapping[str, Any], start_ms: int, end_ms: int
) -> dict[str, Any]:
    """Return `Inventory.to_json()` of [start_ms, end_ms) under a plan row.

    Raises:
        AccountingError: The plan, its factors or the readings cannot be computed.
    """
    # The reading at the end closes the last interval of a register: one plan step more is taken in.
    step = max((item["step_ms"] for item in plan["body"]["measurements"]), default=0)
    rows = series_queries.series(parts.engine, party, start_ms=start_ms - step, end_ms=end_ms + step)
    activity = derive_activity(plan["body"], _sources(parts, rows), start_ms=start_ms, end_ms=end_ms)
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
    parts: Parts, party: str, plan: Mapping[str, Any], label: str, start_ms: int, end_ms: int
) -> Inventory:
    """Return the inventory of a time under a plan row, drawn again only when the data log grew."""
    size = parts.host.head(f"{parts.settings.log_host_name}/{party}/data").tree_size
    digest = bytes(plan["statement_digest"])
    known = queries.month(parts.engine, party, digest, label)
    if known is None or known["data_size"] != size:
        parts.projections.refresh()
        inventory = period_inventory(parts, party, plan, start_ms, end_ms)
        known = {
            "party": party,
            "plan_digest": digest,
            "month": label,
            "data_size": size,
            "inventory": inventory,
        }
        queries.store_month(parts.engine, known)
    return Inventory(month=label, plan_digest=digest.hex(), data_size=size, inventory=known["inventory"])


def months(parts: Parts, party: str) -> list[str]:
    """Return the civil months with readings that enter source streams, oldest first, at most the last 24.

    Months before the plan takes effect are left out: nothing could be computed for them.
    """
    plan = newest_plan(parts, party)
    if plan is None:
        return []
    body = plan["body"]
    used = {part["measurement"] for stream in body["source_streams"] for part in stream["activity"]}
    points = {(item["device"], item["point"]) for item in body["measurements"] if item["id"] in used}
    span = queries.span(parts.engine, party, points)
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
    try:
        first = datetime.strptime(label, "%Y-%m").replace(tzinfo=ZoneInfo(time_zone))
    except ValueError as problem:
        raise RequestInvalid("month", f"{label[:20]!r} is not a month", "write it as 2026-01") from problem
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return tuple(int((at.astimezone(UTC) - _EPOCH) / timedelta(milliseconds=1)) for at in (first, following))  # type: ignore[return-value]


def _sources(parts: Parts, rows: list[Mapping[str, Any]]) -> Iterator[SourceContent]:
    seen: set[bytes] = set()
    contents = parts.host.contents.get_many({bytes(row["content_digest"]) for row in rows})
    for row in rows:
        digest = bytes(row["statement_digest"])
        data = contents.get(bytes(row["content_digest"]))
        if data is None or digest in seen:
            continue
        seen.add(digest)
        content = parse_content(data)
        yield SourceContent(
            kind=row["kind"],
            digest=digest,
            subject=row["device"],
            interval=(row["interval_start"], row["interval_end"]),
            body=content.body,
            is_late=row["registered_at"] - row["interval_end"] > LATE_AFTER_MS,
        )
