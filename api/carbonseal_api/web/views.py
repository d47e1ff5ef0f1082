"""Gathers what each page shows, from the services of the domains; no SQL, no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup

from carbonseal_accounting.trace import parts_of
from carbonseal_api.access_records import service as access_records
from carbonseal_api.assembly import Parts
from carbonseal_api.devices import service as devices
from carbonseal_api.devices.load_curve import extremes
from carbonseal_api.devices.schemas import MeterReading
from carbonseal_api.inventories import service as inventories
from carbonseal_api.inventories.schemas import Inventory
from carbonseal_api.logs.states import count_states
from carbonseal_api.organisations import service as organisations
from carbonseal_api.plans import service as plans
from carbonseal_api.problems import NotFound
from carbonseal_api.quality import service as quality
from carbonseal_api.reports import service as reports
from carbonseal_api.reports.wording import percentage
from carbonseal_api.web import svg
from carbonseal_api.web.disclosures import given_rows
from carbonseal_api.web.judgement_views import judgements, open_marks_on, opinions_about
from carbonseal_api.web.rendering import PageWording, civil
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import format_instant, parse_instant

DAY_MS: Final = 86_400_000
CURVE_DAYS: Final = (1, 7, 31)
DEFAULT_DAYS: Final = 7
MONTHS_SHOWN: Final = 12
ASKED_SHOWN: Final = 20  # queries by others on the organisation's page
STATEMENTS_LISTED: Final = 1000  # of one figure's statements on one page


def organisation_page(
    parts: Parts, party: str, words: PageWording, *, meter: str | None, days: int
) -> dict[str, Any]:
    """Return what the page of an organisation shows."""
    parts.projections.refresh()
    organisation = organisations.organisation(parts, party)
    plan = plans.newest_plan(parts, party)
    zone = "UTC" if plan is None else plan["body"]["time_zone"]
    meters = devices.meters(parts, party)
    asked = next((row for row in meters if f"{row.device}/{row.point}" == meter), None)
    chosen = asked or _first_shown(meters, plan)
    inventory_rows, chart, problems = _emissions(parts, party, words)
    return {
        "organisation": organisation,
        "zone": zone,
        "plan": None if plan is None else plan["body"],
        "code": quality.newest_code(parts, party),
        "meters": meters,
        "chosen": chosen,
        "days": days,
        "day_choices": CURVE_DAYS,
        "curve": None if chosen is None else _curve(parts, party, chosen, zone, days, words),
        "months": inventory_rows,
        "colours": _colours(inventory_rows),
        "emissions_chart": chart,
        "emissions_problems": problems,
        "reports": reports.reports(parts, party),
        **judgements(parts, party, organisation.org),
        "grants": given_rows(parts, party),
        "asked": access_records.records_of(parts, party, limit=ASKED_SHOWN, cursor=None)[0],
        "devices": devices.devices(parts, party),
        "states": count_states(parts.host, organisation.data_origin),
        "head": parts.host.head(organisation.data_origin),
    }


def report_page(parts: Parts, party: str, digest: bytes) -> dict[str, Any]:
    """Return what the page of a filed report shows: its figures, and whether they follow from the logs."""
    report = reports.report(parts, party, digest)
    plan = plans.plan_by_digest(parts, party, bytes.fromhex(report.plan_digest))
    recomputed: Inventory | None = None
    problem: CarbonsealError | None = None
    try:
        recomputed = inventories.report_inventory(parts, party, digest)
    except CarbonsealError as refusal:
        problem = refusal
    total = None if recomputed is None else recomputed.inventory["total"]["value"]
    return {
        "organisation": organisations.organisation(parts, party),
        "zone": plan["body"]["time_zone"],
        "report": report,
        "streams": {item["id"]: item["name"] for item in plan["body"]["source_streams"]},
        "code": quality.code_by_digest(parts, party, bytes.fromhex(report.quality_code_digest)),
        "opinions": opinions_about(parts, party, report.statement_digest),
        "marks": open_marks_on(parts, digest),
        "is_same": total == report.total.value,
        "recomputed": recomputed,
        "problem": problem,
    }


def code_figures(figures: Mapping[str, str], words: PageWording) -> list[tuple[str, str]]:
    """Return the figures of a data code as (label, value), in the order of their labels' names.

    A figure without a label of ours stands under its own name.
    """
    shown = []
    for key in sorted(figures):
        name, _, measurement = key.partition("/")
        label = words(f"figure.{name}") if words.has(f"figure.{name}") else name
        value = percentage(figures[key]) if name.endswith("_percent") else figures[key]
        shown.append((f"{label}: {measurement}" if measurement else label, value))
    return shown


def trace_page(parts: Parts, party: str, period: str, figure: str) -> dict[str, Any]:
    """Return a figure taken apart: its equation, its inputs and, at the bottom, its signed statements.

    Args:
        parts: The deployment.
        party: Party code.
        period: A civil month, or the digest of a filed report.
        figure: Name of an entry of the trace.

    Raises:
        NotFound: The trace has no such entry.
    """
    if len(period) == 64:
        inventory = inventories.report_inventory(parts, party, bytes.fromhex(period)).inventory
    else:
        inventory = inventories.month_inventory(parts, party, period).inventory
    trace = inventory["trace"]
    entries: dict[str, dict[str, Any]] = {}
    for family in ("activity", "factors", "constants", "figures"):
        entries |= {entry["id"]: {**entry, "family": family} for entry in trace[family]}
    entry = entries.get(figure)
    if entry is None:
        raise NotFound("figure", "the calculation has no such figure", "follow the links from the report")
    inputs = {
        name: [entries[one] for one in ([ref] if isinstance(ref, str) else ref)]
        for name, ref in entry.get("inputs", {}).items()
    }
    return {
        "organisation": organisations.organisation(parts, party),
        "period": period,
        "entry": entry,
        "inputs": inputs,
        "parts": [{**part, "list": trace["statements"][part["statements"]]} for part in parts_of(entry)],
        "grounds": _grounds(figure, entries),
        "used_by": [other for other in trace["figures"] if _uses(other, figure)],
        "most": STATEMENTS_LISTED,
        "method": inventory["method"],
        "arithmetic": trace["arithmetic"],
    }


def _grounds(figure: str, entries: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the activity data at the bottom of a figure, however deep."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting, seen = [figure], {figure}
    while waiting:
        entry = entries[waiting.pop()]
        if entry["family"] == "activity" and entry["id"] != figure:
            found[entry["id"]] = entry
        for ref in entry.get("inputs", {}).values():
            fresh = [one for one in ([ref] if isinstance(ref, str) else ref) if one not in seen]
            seen.update(fresh)
            waiting += fresh
    return [found[name] for name in sorted(found)]


def _uses(figure: Mapping[str, Any], name: str) -> bool:
    return any(name == ref or (isinstance(ref, list) and name in ref) for ref in figure["inputs"].values())


def _emissions(
    parts: Parts, party: str, words: PageWording
) -> tuple[list[Inventory], Markup, list[tuple[str, CarbonsealError]]]:
    rows: list[Inventory] = []
    problems: list[tuple[str, CarbonsealError]] = []
    for label in inventories.months(parts, party)[-MONTHS_SHOWN:]:
        try:
            rows.append(inventories.month_inventory(parts, party, label))
        except CarbonsealError as refusal:
            # A month that cannot be computed is a fact to be shown beside the ones that can.
            problems.append((label, refusal))
    if not rows:
        return [], Markup(""), problems
    streams = {
        stream: words.name(row["name"], stream)
        for inventory in rows
        for stream, row in inventory.inventory["by_stream"].items()
        if row["is_counted"]
    }
    unit = rows[-1].inventory["total"]["unit"]
    nothing = {"value": "0", "rounded": "0"}
    bars = []
    for inventory in rows:
        found = inventory.inventory["by_stream"]
        figures = [found[stream]["emissions"] if stream in found else nothing for stream in streams]
        bars.append(
            svg.Bar(inventory.month, [(float(f["value"]), f"{f['rounded']} {unit}") for f in figures])
        )
    title = words("chart.emissions", unit=unit)
    return rows, svg.stacked_columns(bars, list(streams.values()), title=title, unit=unit), problems


def _colours(rows: list[Inventory]) -> dict[str, str]:
    counted = [
        stream for row in rows for stream, one in row.inventory["by_stream"].items() if one["is_counted"]
    ]
    return {stream: svg.colour(index) for index, stream in enumerate(dict.fromkeys(counted))}


def _first_shown(meters: list[MeterReading], plan: Mapping[str, Any] | None) -> MeterReading | None:
    """Return the meter to begin with: the plan's first electricity measurement, else any."""
    by_point = {(row.device, row.point): row for row in meters}
    for item in () if plan is None else plan["body"]["measurements"]:
        row = by_point.get((item["device"], item["point"]))
        if item["quantity"] == "active_energy" and row is not None:
            return row
    return meters[0] if meters else None


def _curve(
    parts: Parts, party: str, meter: MeterReading, zone: str, days: int, words: PageWording
) -> dict[str, Any] | None:
    end = parse_instant(meter.measured_at) + 1
    start = end - days * DAY_MS
    try:
        unit, loads = devices.curve_loads(parts, party, meter.device, meter.point, start, end)
    except CarbonsealError:
        return None
    maximum, minimum, mean = extremes(loads)
    points = [
        svg.CurvePoint(
            load.start, load.start + (load.width_ms or 1), None if load.value is None else float(load.value)
        )
        for load in loads
    ]
    label = words.name(meter.name, meter.point)
    markup = svg.load_curve(
        points,
        title=f"{words('curve.title')}: {label}",
        unit=unit,
        time_labels=_time_labels(start, end, zone, days),
        mean=None if mean is None else float(Decimal(mean)),
    )
    return {"svg": markup, "unit": unit, "maximum": maximum, "minimum": minimum, "mean": mean}


def _time_labels(start: int, end: int, zone: str, days: int) -> list[tuple[int, str]]:
    step = {1: DAY_MS // 8, 7: DAY_MS, 31: 5 * DAY_MS}.get(days, DAY_MS)
    first = -(-start // 3_600_000) * 3_600_000
    labels: list[tuple[int, str]] = []
    at = first
    while at < end:
        text = civil(format_instant(at), zone)
        # Labels stand on civil midnights, or on round hours within a day.
        if text.endswith("00:00") or (days == 1 and int(text[-5:-3]) % 3 == 0):
            labels.append((at, text[-5:] if days == 1 else text[5:10]))
            at += step
        else:
            at += 3_600_000
    return labels
