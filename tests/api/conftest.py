"""Fixtures of the service's tests: a report with several source streams and months, and its proofs."""

from __future__ import annotations

from typing import Any

import pytest

from carbonseal_api.reports.proofs import AnchorProof, HeadProof, ReportProofs, StatementProof

STREAMS = (
    ("grid", {"zh": "外购电力", "en": "Purchased electricity"}, "kWh"),
    ("gas", {"zh": "天然气燃烧", "en": "Natural gas combustion"}, "m³"),
    ("steam", {"zh": "外购蒸汽", "en": "Purchased steam"}, "GJ"),
)


def make_report(code: str = "red", months: int = 6) -> dict[str, Any]:
    by_month = [
        {
            "month": f"2026-{m:02d}",
            "value": f"{100 + 7 * m + 30 + m + 12}.25",
            "by_stream": {"grid": f"{100 + 7 * m}.125", "gas": f"{30 + m}.125", "steam": "12"},
        }
        for m in range(1, months + 1)
    ]
    finding = {
        "rule": "stuck@1",
        "family": "meter_behaviour",
        "severity": "major",
        "target": "gas-main",
        "start": "2026-03-04T02:00:00Z",
        "end": "2026-03-04T14:00:00Z",
        "count": 48,
        "expected": {"zh": "工况变化时读数应随之变化", "en": "the reading moves while the plant runs"},
        "observed": {"zh": "连续 48 个刻钟同为 12.5", "en": "48 quarter-hours at 12.5 in a row"},
        "cure": {
            "zh": "检查表计，提交维修记录或更正声明",
            "en": "inspect the meter; file the repair record or a correction",
        },
        "digests": ["ab" * 32],
    }
    return {
        "format": "carbonseal-report/v1",
        "report": "er-2026h1-k3v9aaaa",
        "parties": {
            "operator": {
                "party": "e-k3v9aaaabbbbcccc",
                "name": {"zh": "示范新材料有限公司", "en": "Example New Materials Co."},
            },
            "log_host": {
                "party": "h-aaaabbbbccccdddd",
                "name": {"zh": "示范日志服务", "en": "Example log host"},
            },
            "registrar": {
                "party": "r-aaaabbbbccccdddd",
                "name": {"zh": "示范登记机关", "en": "Example registrar"},
            },
        },
        "installation": {"name": {"zh": "一号厂区", "en": "Works no. 1"}, "time_zone": "Asia/Shanghai"},
        "period": {
            "start": "2025-12-31T16:00:00Z",
            "end": "2026-06-30T16:00:00Z",
            "time_zone": "Asia/Shanghai",
        },
        "plan": {
            "plan": "mp-works-1",
            "plan_version": 3,
            "statement_digest": "12" * 32,
            "name": {"zh": "一号厂区数据质量控制方案", "en": "Monitoring plan of works no. 1"},
        },
        "cut_off": {
            "data": {
                "origin": "log.carbonseal.example/e-k3v9aaaabbbbcccc/data",
                "tree_size": 4711,
                "root_hash": "34" * 32,
            },
            "register": {
                "origin": "log.carbonseal.example/e-k3v9aaaabbbbcccc/register",
                "tree_size": 23,
                "root_hash": "56" * 32,
            },
        },
        "activity_data": {
            "grid": {"value": "521199.76", "unit": "kWh"},
            "gas": {"value": "98123.5", "unit": "m³"},
            "steam": {"value": "654.321", "unit": "GJ"},
        },
        "emissions": {
            "total": {"value": "1014.50", "unit": "tCO2"},
            "by_stream": [
                {
                    "stream": stream,
                    "name": name,
                    "type": "combustion",
                    "value": value,
                    "unit": "tCO2",
                    "share_percent": share,
                }
                for (stream, name, _), value, share in zip(
                    STREAMS, ("747.75", "201.75", "72"), ("73.24", "19.71", "7.05"), strict=True
                )
            ],
            "by_month": by_month,
        },
        "method": {
            "method": "gbt32150@1",
            "title": {"zh": "工业企业温室气体排放核算通则", "en": "General rules for industrial enterprises"},
            "packages": [
                {"id": "gbt32150", "version": "1", "digest": "78" * 32},
                {"id": "cn-grid", "version": "2023", "digest": "9a" * 32},
            ],
        },
        "factors": [
            {
                "stream": "grid",
                "stream_name": STREAMS[0][1],
                "parameter": "emission_factor",
                "value": "0.5366",
                "unit": "tCO2/MWh",
                "kind": "location_average",
                "region": "CN",
                "year": 2022,
                "source": "Ministry notice 2024 no. 33",
                "certainty": "verified",
                "set": "cn-grid@2023",
                "key": "CN/2022",
                "is_declared": False,
            },
            {
                "stream": "gas",
                "stream_name": STREAMS[1][1],
                "parameter": "carbon_content",
                "value": "0.01532",
                "unit": "tC/GJ",
                "kind": "fossil",
                "region": "CN",
                "year": 2015,
                "source": "laboratory report of the operator",
                "certainty": "declared",
                "set": None,
                "key": None,
                "is_declared": True,
            },
        ],
        "data_quality": {
            "code": code,
            "profile": "default@1",
            "statement_digest": "bc" * 32,
            "findings": [finding] if code == "red" else [],
            "completeness": [
                {
                    "measurement": f"{stream}-main",
                    "name": name,
                    "expected": 17376,
                    "measured": 17300,
                    "late": 12,
                    "gap": 40,
                    "substituted": 0,
                    "missing": 24,
                }
                for stream, name, _ in STREAMS
            ],
            "shares": {"completeness_percent": "99.56", "late_percent": "0.07", "substituted_percent": "0"},
            "signer_classes": [{"signer_class": "gateway", "statements": 4344, "share_percent": "100"}],
            "greatest_commit_delay_ms": 5_460_000,
        },
        "trace": {
            "sha256": "de" * 32,
            "recompute": "carbonseal-verifier check evidence.bundle --trust trust.toml",
        },
    }


def make_proofs() -> ReportProofs:
    data = "log.carbonseal.example/e-k3v9aaaabbbbcccc/data"
    return ReportProofs(
        statements=(
            StatementProof("monitoring_plan", "12" * 32, data.replace("/data", "/register"), 7, "final"),
            StatementProof("quality_code", "bc" * 32, data, 4711, "final"),
            StatementProof("emissions_report", "f0" * 32, data, 4712, "final"),
        ),
        checkpoint=HeadProof(data, 4713, "0f" * 32),
        epoch=182,
        map_root="1e" * 32,
        log_of_logs=HeadProof("log.carbonseal.example/epochs", 183, "2d" * 32),
        anchor=AnchorProof(
            31337, "0x" + "5f" * 20, 401, "0x" + "3c" * 32, "0x" + "4b" * 32, "2026-07-01T00:00:12Z", "final"
        ),
        states={"final": 4711, "logged": 2},
    )


@pytest.fixture
def report() -> dict[str, Any]:
    return make_report()


@pytest.fixture
def one_month_green_report() -> dict[str, Any]:
    return make_report("green", months=1)


@pytest.fixture
def proofs() -> ReportProofs:
    return make_proofs()
