"""Builders for tests of evidence: a site whose plan orders data sources, its readings, files of each type."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import Any

from carbonseal_attest.contents import parse_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Submission

DAY_MS = 86_400_000
START_MS = 1_767_196_800_000  # 2025-12-31T16:00:00Z, midnight of 2026-01-01 in Shanghai
FEBRUARY_MS = START_MS + 31 * DAY_MS
MARCH_MS = FEBRUARY_MS + 28 * DAY_MS
SOURCES = ["meter", "bill", "ledger"]
MEASURED_DAYS = 2
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def order_sources(site: Any) -> bytes:
    """File a second version of the site's plan, whose stream has ordered data sources; its digest."""
    register = site.cast.enterprise.register_origin
    entry = site.host.find(register, site.plan)
    body = parse_content(site.host.contents.get(SignedStatement.parse(entry.raw).payload)).body
    body["plan_version"] = 2
    body["source_streams"][0] |= {"data_sources": SOURCES, "declared_tolerance_percent": "5"}
    with site.parts.desks.desk(site.party) as desk:
        return bytes(desk.issue(register, "monitoring_plan", body, subject="i-works1").digest)


def measure(site: Any, meter: str, day: int, value: str = "10") -> bytes:
    """Register a day of quarter-hours of one meter; the statement digest."""
    start = START_MS + day * DAY_MS
    statement, content = site.seal_readings([value] * 96, start_ms=start, meter=meter)
    outcome = site.host.register(site.origin, [Submission(statement.raw, content)])[0]
    assert outcome.problem is None, outcome
    return bytes(statement.digest)


def make_stated_site(site: Any) -> Any:
    """Two days of January measured, 10 kWh a quarter-hour and meter; now it is in March."""
    site.plan_two = order_sources(site)
    site.readings = {}
    for day in range(MEASURED_DAYS):
        site.clock.now = START_MS + (day + 1) * DAY_MS + 60_000
        for meter in ("m-electricity1", "m-electricity2"):
            site.readings[meter, day] = measure(site, meter, day)
    site.clock.now = MARCH_MS + DAY_MS
    site.parts.projections.refresh()
    return site


METERED_KWH = Decimal(10 * 96 * 2 * MEASURED_DAYS)


def pdf(text: str) -> bytes:
    return b"%PDF-1.7\n" + text.encode() + b"\n%%EOF\n"


def png(text: str) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + text.encode()


def jpeg(text: str) -> bytes:
    return b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00" + text.encode() + b"\xff\xd9"


def xlsx(text: str, *, with_macros: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", f"<workbook>{text}</workbook>")
        if with_macros:
            archive.writestr("xl/vbaProject.bin", b"\x00")
    return out.getvalue()


def file_bill(site: Any, text: str = "bill 1", role: str = "enterprise", **query: Any) -> Any:
    """The answer to filing a PDF under a title of its own."""
    party = site.party_of(role)
    return site.client.post(
        f"/organisations/{party}/documents",
        params={"title": text, "name": "bill.pdf", **query},
        content=pdf(text),
        headers=site.headers(role, **{"Content-Type": "application/pdf"}),
    )


def post(site: Any, path: str, body: Any, role: str = "enterprise", party: str | None = None) -> Any:
    return site.client.post(
        f"/organisations/{party or site.party_of(role)}/{path}", json=body, headers=site.headers(role)
    )


def get(site: Any, path: str, role: str = "enterprise", **query: Any) -> Any:
    return site.client.get(f"/organisations/{site.party}/{path}", params=query, headers=site.headers(role))


def data_size(site: Any) -> int:
    """Entries of the data log, ticks left out: they follow the clock."""
    return _size(site, site.origin)


def register_size(site: Any) -> int:
    return _size(site, site.cast.enterprise.register_origin)


def _size(site: Any, origin: str) -> int:
    return sum(entry.kind != "tick" for entry in site.host.select(origin))
