"""How long a bank waits for a grade with its proof, over one kept connection, and beside what.

The log host's data log holds as many grades as a province has enterprises. Each answer decides the grant from
the enterprise's own log, records the query durably, and makes three receipts. Beside it stands the service's
own `/health`, which does none of this.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.catalogue.industry_means import publish_mean
from carbonseal_api.civil_days import parse_civil_span
from carbonseal_api.deployment import AdmittedParty, admit_enterprise, found_deployment
from carbonseal_api.grades import service as grades
from carbonseal_api.grants import service as grants
from carbonseal_api.settings import load_settings
from carbonseal_attest.identifiers import opaque_code
from carbonseal_ledger.database import stop_embedded
from figures import Figure, Measure
from site_under_load import serving

GRADES = 2_000  # in the log host's data log beside the one that is asked for
ASKED = 400
SHARES = (("p50", 0.50), ("p95", 0.95))
ORG, BANK_ORG = "91990000000000100T", "91990000000000200G"  # made up, with right check characters
YEAR = parse_civil_span("2024", "period")


def grade_figures(folder: Path) -> list[Figure]:
    """Median and 95th percentile of `GET /grades/{credit_code}`; the folder must have a short path."""
    settings = load_settings({}, data_folder=folder)
    try:
        parts = found_deployment(settings)
        try:
            key = _graded(parts)
        finally:
            parts.close()
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            port = listener.getsockname()[1]
            with serving(folder, listener, 1):
                asked = _times(port, f"/grades/{ORG}", key)
                health = _times(port, "/health", key)
    finally:
        stop_embedded(settings.data_folder / "pg")
    return [
        Figure(
            Measure(f"grade_with_proof_{name}_ms", _at(asked, share), "ms"),
            Measure(f"health_{name}_ms", _at(health, share), "ms"),
        )
        for name, share in SHARES
    ]


def _graded(parts: Parts) -> str:
    """Have one enterprise graded and shown to a bank; return the bank's key."""
    names = {"zh": "测量", "en": "Measured"}
    enterprise = admit_enterprise(parts, names, org=ORG, industry="C31")
    bank = admit_enterprise(parts, names, roles=("bank",), org=BANK_ORG)
    mean = {"value": "2.5", "unit": "t{CO2e}/(10*4.CNY)", "source": "bench"}
    publish_mean(parts, industry="C31", period=YEAR, **mean)
    _file(parts, enterprise)
    statement = grades.regrade(parts, enterprise.party, at=parts.clock())
    assert statement is not None
    answer = grades.grade_as_of(parts, enterprise.party, grades.DEFAULT_RULE, parts.clock())
    with parts.desks.desk(parts.host_party) as desk:
        for number in range(GRADES):
            party = opaque_code("e", f"bench {number}".encode())
            body = answer.proof.content.body | {"party": party}
            desk.issue(grades.host_origin(parts), "grade", body, subject=party)
    parts.projections.refresh()
    span = {"start": YEAR[0], "end": YEAR[1]}
    valid = {"start": parts.clock(), "end": parts.clock() + 86_400_000}
    wish = {"to": bank.party, "purpose": "loan", "level": "grade", "period": span, "valid": valid}
    grants.give(parts, enterprise.party, wish)
    return bank.api_key


def _file(parts: Parts, enterprise: AdmittedParty) -> None:
    """File a data code, a report and a value added: made up, since only their size matters here."""
    about: dict[str, Any] = {"subject": "i-works1", "interval": YEAR}
    period = {"start": YEAR[0], "end": YEAR[1], "time_zone": "Asia/Shanghai"}
    head = {"tree_size": 5, "root_hash": bytes(32)}
    cut_off = [{"origin": o, **head} for o in (enterprise.data_origin, enterprise.register_origin)]
    plan = {"plan_digest": bytes(32), "period": period, "cut_off": cut_off}
    with parts.desks.desk(enterprise.party) as desk:
        code = {"code": "green", "profile": "default@1", "findings": [], "rules": {}, "figures": {}}
        quality = desk.issue(enterprise.data_origin, "quality_code", code | plan, **about)
        report = {
            "report": "rp-bench",
            "method": "GBT32150-2015@1.0.0",
            "packages": [{"id": "GBT32150-2015@1.0.0", "digest": bytes(32)}],
            "totals": {"total": {"value": "521199.76", "unit": "t{CO2e}"}},
            "by_stream": {},
            "quality_code_digest": quality.digest,
            "report_json_digest": bytes(32),
        }
        desk.issue(enterprise.data_origin, "emissions_report", report | plan, **about)
        quantity = {"value": "300000", "unit": "10*4.CNY"}
        record = {"record": "value_added", "quantity": quantity, "source": "bench", "document_digest": None}
        desk.issue(enterprise.data_origin, "business_record", record, interval=YEAR)


def _times(port: int, path: str, key: str) -> list[float]:
    """Seconds of each answer, sorted; over one connection, warmed up before."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    taken = []
    for _ in range(ASKED + ASKED // 10):
        started = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        body = answer.read()
        taken.append(time.perf_counter() - started)
        assert answer.status == 200, body[:300]
        assert json.loads(body)
    connection.close()
    return sorted(taken[ASKED // 10 :])


def _at(times: list[float], share: float) -> float:
    return times[int(len(times) * share)] * 1000
