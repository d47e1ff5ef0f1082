"""Devices, meters with their last readings, and load curves of one organisation."""

from __future__ import annotations

from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.devices import queries
from carbonseal_api.devices.load_curve import Load, extremes, loads, rate_unit, shown
from carbonseal_api.devices.schemas import CurvePoint, Device, LoadCurve, MeterReading
from carbonseal_api.plans.service import measurements_by_point, meter_names
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import Series, read_series
from carbonseal_attest.instants import format_instant

MAX_CURVE_MS = 35 * 86_400_000  # a month and a little; longer curves are drawn from monthly activity


def devices(parts: Parts, party: str) -> list[Device]:
    """Return the devices of an organisation."""
    return [
        Device(
            device=row["device"],
            device_class=row["class"],
            state=row["action"],
            key_storage=row["key_storage"],
            kid=row["kid"].hex(),
            name=row["name"],
            subjects=row["subjects"],
            statement_digest=row["statement_digest"].hex(),
            registered_at=format_instant(row["registered_at"]),
        )
        for row in queries.devices(parts.engine, party)
    ]


def meters(parts: Parts, party: str) -> list[MeterReading]:
    """Return the last reading of each point, with its age by the service's clock."""
    names, fallbacks = measurements_by_point(parts, party), meter_names(parts, party)
    now = parts.clock()
    return [
        MeterReading(
            device=row["device"],
            point=row["point"],
            name=names.get((row["device"], row["point"]), {}).get("name", fallbacks.get(row["device"])),
            measured_at=format_instant(row["measured_at"]),
            age_seconds=max(now - row["measured_at"], 0) // 1000,
            value=row["value"],
            unit=row["unit"],
            quality=row["quality"],
            statement_digest=row["statement_digest"].hex(),
        )
        for row in queries.last_readings(parts.engine, party)
    ]


def curve_loads(
    parts: Parts, party: str, device: str, point: str, start_ms: int, end_ms: int
) -> tuple[str, list[Load]]:
    """Return the unit and the loads of a point within [start_ms, end_ms).

    Raises:
        RequestInvalid: The time is empty or too long.
        NotFound: Nothing was measured there.
    """
    if not start_ms < end_ms <= start_ms + MAX_CURVE_MS:
        raise RequestInvalid(
            "end", "not within 35 days after start", "ask for a shorter time, start before end"
        )
    rows = queries.series(parts.engine, party, start_ms=start_ms, end_ms=end_ms, device=device, point=point)
    contents = parts.host.contents.get_many({bytes(row["content_digest"]) for row in rows})
    found: list[Series] = []
    for row in rows:
        data = contents.get(bytes(row["content_digest"]))
        if row["kind"] == "readings" and data is not None:
            body: dict[str, Any] = parse_content(data).body
            found += [series for series in read_series(body) if series.point == point]
    if not found:
        raise NotFound(
            "point", "nothing was measured there in that time", "list the meters of the organisation"
        )
    return rate_unit(found[0].form, found[0].unit), loads(found, start_ms=start_ms, end_ms=end_ms)


def load_curve(parts: Parts, party: str, device: str, point: str, start_ms: int, end_ms: int) -> LoadCurve:
    """Return the load curve of a point with its maximum, minimum and mean."""
    unit, curve = curve_loads(parts, party, device, point, start_ms, end_ms)
    maximum, minimum, mean = extremes(curve)
    return LoadCurve(
        device=device,
        point=point,
        unit=unit,
        points=[
            CurvePoint(
                start=format_instant(load.start), value=None if load.value is None else shown(load.value)
            )
            for load in curve
        ],
        maximum=maximum,
        minimum=minimum,
        mean=mean,
    )
