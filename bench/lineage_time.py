"""How long the lineage of a yearly total over a million readings takes, and the way up from one of them.

Two meters are read once a minute for a year; a gateway seals sixty readings a statement. The log, its
database and the projections are the product's own, the answer is the service's, without HTTP. Beside it
stands what nobody can spare: counting the index rows of that year in the same database.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import admit_enterprise, desk_of, found_deployment, key_folder
from carbonseal_api.issuing import Issuer
from carbonseal_api.lineage.service import lineage
from carbonseal_api.settings import load_settings
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_ledger.database import stop_embedded
from carbonseal_ledger.outcomes import Submission
from figures import Figure, Measure, percentile
from fleet import STEP_MS, Gateway, make_gateways

READINGS = 1_000_000
METERS = 2
RUNS = 15
_FIRST = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_BATCH = 500  # statements registered at once
_READINGS = 60  # a statement
_YEAR_MS = 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Year:
    """A year's log: whose it is, its report, and one reading in the middle of it."""

    parts: Parts
    party: str
    report: str
    reading: str
    statements: int


def measure(folder: Path, *, readings: int = READINGS) -> list[Figure]:
    """Milliseconds of a lineage down from the total and up from a reading, medians of repeated calls.

    Args:
        folder: An empty folder with a short path, for the deployment.
        readings: How many readings the year has, about.
    """
    with _year(folder, readings) as year:
        down = _median_ms(lambda: _down(year))
        up = _median_ms(lambda: lineage(year.parts, None, year.reading, direction="up"))
        counted = _median_ms(lambda: _count(year))
    print(f"  lineage: {year.statements:,} statements, {year.statements * _READINGS:,} readings")
    beside = Measure("year_of_index_rows_counted_ms", counted, "ms")
    return [
        Figure(Measure("lineage_of_yearly_total_ms", down, "ms"), beside),
        Figure(Measure("lineage_up_from_reading_ms", up, "ms"), beside),
    ]


def _down(year: Year) -> None:
    made = lineage(year.parts, None, f"figure:{year.report}/total/total")
    assert made.readings is not None
    assert made.readings.samples == year.statements * _READINGS
    assert not made.truncated


def _count(year: Year) -> None:
    query = text(
        "SELECT count(DISTINCT entry_index), sum(samples) FROM projection_series WHERE party = :party"
    )
    with year.parts.engine.connect() as connection:
        connection.execute(query, {"party": year.party}).one()


def _median_ms(call: Callable[[], Any]) -> float:
    call()  # warms caches and pools
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return percentile(taken, 0.5)


@contextmanager
def _year(folder: Path, readings: int) -> Iterator[Year]:
    settings = load_settings({}, data_folder=folder)
    (gateway,) = make_gateways(1, METERS, first_at=_FIRST)
    parts = found_deployment(settings, clock=lambda: _FIRST + _YEAR_MS)
    try:
        yield _fill(parts, gateway, readings)
    finally:
        parts.close()
        stop_embedded(settings.data_folder / "pg")


def _fill(parts: Parts, gateway: Gateway, readings: int) -> Year:
    admitted = admit_enterprise(parts, {"zh": "测量企业", "en": "Measured enterprise"})
    desk = desk_of(parts, admitted.party, key_folder(parts.settings).signer(admitted.party))
    meters = [meter.code for meter in gateway.meters]
    name = {"zh": "网关", "en": "Gateway"}
    body = enrolment(admitted.party, gateway.code, gateway.signer, name=name, subjects=meters)
    desk.issue(admitted.register_origin, "device", body, subject=gateway.code)
    plan = desk.issue(admitted.register_origin, "monitoring_plan", _plan(meters), subject="i-works")
    count = -(-readings // _READINGS)
    middle = _register(parts, gateway, admitted.party, admitted.data_origin, count)
    report = _report(parts, desk, admitted.register_origin, admitted.data_origin, plan.digest)
    parts.projections.refresh()
    return Year(parts, admitted.party, report, middle, count)


def _register(parts: Parts, gateway: Gateway, party: str, origin: str, count: int) -> str:
    digests: list[bytes] = []
    for start in range(0, count, _BATCH):
        items = [
            Submission(
                *gateway.seal(party=party, origin=origin, issued_at=_FIRST // 1000, readings=_READINGS)
            )
            for _ in range(min(_BATCH, count - start))
        ]
        for outcome in parts.host.register(origin, items):
            assert outcome.problem is None, outcome
            digests.append(outcome.digest or b"")
    return digests[len(digests) // 2].hex()


def _plan(meters: list[str]) -> dict[str, Any]:
    named = {"zh": "电表", "en": "meter"}
    measurements = [
        {
            "id": f"electricity-{number}",
            "device": meter,
            "point": "energy",
            "quantity": "active_energy",
            "form": "register",
            "unit": "kW.h",
            "step_ms": STEP_MS,
            "name": named,
            "register_modulus": None,
            "capacity_per_hour": None,
            "calibration": {"required": False, "cycle_days": 0},
        }
        for number, meter in enumerate(meters, 1)
    ]
    return {
        "plan": "p-works",
        "plan_version": 1,
        "name": {"zh": "厂区", "en": "Works"},
        "time_zone": "UTC",
        "effective": {"start": _FIRST, "end": None},
        "method": "GBT32150-2015@1.0.0",
        "measurements": measurements,
        "source_streams": [
            {
                "id": "grid",
                "type": "purchased_electricity",
                "name": named,
                "activity": [{"measurement": item["id"], "sign": 1} for item in measurements],
                "unit": "kW.h",
                "factors": {"grid_factor": {"set": "CN-GRID@1.0.0", "key": "CN.location_average.2023"}},
            }
        ],
        "cross_checks": [],
        "quality_profile": "default@1",
    }


def _report(parts: Parts, desk: Issuer, register_origin: str, data_origin: str, plan: bytes) -> str:
    """File a code and a report over the year; their figures are made up, what they rest on is not."""
    period = (_FIRST, _FIRST + _YEAR_MS)
    stated = {"start": period[0], "end": period[1], "time_zone": "UTC"}
    heads = [parts.host.head(origin) for origin in (data_origin, register_origin)]
    cut_off = [{"origin": h.origin, "tree_size": h.tree_size, "root_hash": h.root_hash} for h in heads]
    code = {
        "code": "green",
        "profile": "default@1",
        "plan_digest": plan,
        "period": stated,
        "cut_off": cut_off,
        "findings": [],
        "rules": {},
        "figures": {},
    }
    quality = desk.issue(data_origin, "quality_code", code, subject="i-works", interval=period)
    made_up = hashlib.sha256(b"made up").digest()
    amount = {"value": "1", "unit": "kW.h"}
    report = {
        "report": "rp-year",
        "plan_digest": plan,
        "method": "GBT32150-2015@1.0.0",
        "packages": [{"id": "GBT32150-2015@1.0.0", "digest": made_up}],
        "period": stated,
        "cut_off": cut_off,
        "totals": {"total": {"value": "1", "unit": "tCO2e"}},
        "by_stream": {"grid": {"activity": amount, "emissions": {"value": "1", "unit": "tCO2e"}}},
        "quality_code_digest": quality.digest,
        "report_json_digest": made_up,
    }
    statement = desk.issue(data_origin, "emissions_report", report, subject="i-works", interval=period)
    return statement.digest.hex()
