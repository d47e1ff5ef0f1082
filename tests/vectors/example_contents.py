"""One example body for each kind of the registry, with every field filled, and the keys that sign examples.

The keys are public on purpose: seed = SHA-256("carbonseal example key " + name). Nobody may trust them.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any, Final

from carbonseal_attest.contents import KINDS, build_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.recovery_decision import approve
from carbonseal_attest.signing import Ed25519Signer

HOST: Final = "log.example.org"
PARTY: Final = "e-exampleworks"
REGISTER: Final = f"{HOST}/{PARTY}/register"
DATA: Final = f"{HOST}/{PARTY}/data"
METER: Final = "m-boiler1"
INTERVAL: Final = (1_767_225_600_000, 1_767_229_200_000)  # the first hour of 2026 UTC
SALT: Final = bytes(range(16))
SPAN: Final = {"start": 1_767_196_800_000, "end": 1_769_875_200_000}
PERIOD: Final = {"start": 1_767_196_800_000, "end": 1_769_875_200_000, "time_zone": "Asia/Shanghai"}


def key(name: str) -> Ed25519Signer:
    """The example key `name`."""
    return Ed25519Signer.from_seed(hashlib.sha256(f"carbonseal example key {name}".encode()).digest())


def digest(name: str) -> bytes:
    """A digest that stands for something not shown."""
    return hashlib.sha256(name.encode()).digest()


def bodies() -> dict[str, dict[str, Any]]:
    """The example body of each kind."""
    named = {"zh": "锅炉一号", "en": "Boiler one"}
    head = {"tree_size": 17, "root_hash": digest("root")}
    cut_off = [{"origin": DATA, **head}, {"origin": REGISTER, **head}]
    effective = {"start": 1_767_196_800_000, "end": 1_798_732_800_000}
    samples = [
        Sample(INTERVAL[0], Decimal("512.4")),
        Sample(INTERVAL[0] + 900_000, Decimal("513.25")),
        Sample(INTERVAL[0] + 1_800_000, None, "bad", "0x80"),
        Sample(INTERVAL[0] + 2_700_000, Decimal(514)),
    ]
    energy = [Sample(s.at, s.value, "good") for s in samples[:2]]
    genesis = {
        "origin": REGISTER,
        "party": PARTY,
        "party_key": key("party").public.cose_key(),
        "log_host": "h-examplehost",
        "log_key": key("log host").public.cose_key(),
        "policy": {
            "kinds": {
                "readings": {"signer": "device", "content_first": True},
                "document": {"signer": "party", "content_first": False},
            },
            "max_statement_bytes": 4096,
            "max_content_bytes": 1 << 20,
            "max_batch_statements": 10_000,
            "statements_per_second": 50,
            "bytes_per_day": 1 << 30,
            "conflicts_per_key": 16,
            "clock_tolerance_ms": 300_000,
            "late_after_ms": 93_600_000,
            "epoch_ms": 86_400_000,
        },
        "log_of_logs": f"{HOST}/epochs",
        "chain": {"chain_id": 31_337, "contract": b"\xc0" * 20, "head_key": b"\xed" * 20},
        "predecessor": {"origin": f"{HOST}/e-former/register", **head},
    }
    device = {
        "party": PARTY,
        "device": "g-gateway1",
        "action": "rotate",
        "class": "gateway",
        "key_storage": "file",
        "key": key("device").public.cose_key(),
        "name": {"zh": "网关一号", "en": "Gateway one"},
        "subjects": [METER],
        "valid_from": INTERVAL[0],
        "expires": INTERVAL[0] + 366 * 86_400_000,
        "last": [{"stream": f"readings/{METER}", "sequence": 7, "digest": digest("last")}],
        "reason": "yearly rotation",
    }
    handover = {
        "origin": DATA,
        "from_size": 18,
        "key": key("new log key").public.cose_key(),
        "retired": key("log host").public.kid,
        "reason": "yearly rotation",
    }
    return {
        "genesis": {
            **genesis,
            "endorsements": [
                endorse(key(role), "genesis", PARTY, role.replace(" ", "_"), genesis)
                for role in ("log host", "registrar")
            ],
        },
        "policy": _policy(genesis),
        "tick": {"at": INTERVAL[1]},
        "log_key": {
            **handover,
            "endorsements": [endorse(key("log host"), "log_key", "h-examplehost", "predecessor", handover)],
        },
        "void": {
            "sequence": 3,
            "digest": digest("refused statement"),
            "interval": list(INTERVAL),
            "problem": "content-invalid",
        },
        "equivocation": {
            "kid": key("device").public.kid,
            "stream": f"readings/{METER}",
            "sequence": 3,
            "registered": digest("registered statement"),
            "refused": b"\xd2\x84",
        },
        "erasure": {"erases": digest("content"), "reason": "names a person", "authority": "data protection"},
        "recovery": _recovery(),
        "party": {
            "party": PARTY,
            "status": "admitted",
            "roles": ["enterprise"],
            "key": key("party").public.cose_key(),
            "register_origin": REGISTER,
            "data_origin": DATA,
            "name": {"zh": "示例工厂", "en": "Example works"},
            "org": "91350100M000100Y43",
            "endorsements": [],
            "industry": "C31",
        },
        "device": {
            **device,
            "endorsements": [
                endorse(key("device"), "device", "g-gateway1", "device", device),
                endorse(key("old device"), "device", "g-gateway1", "predecessor", device),
            ],
        },
        "resume": {
            "device": "g-gateway1",
            "kid": key("device").public.kid,
            "stream": f"readings/{METER}",
            "next_sequence": 8,
            "previous": digest("last"),
            "reason": "the spool was lost with the disk",
        },
        "monitoring_plan": _plan(named, effective),
        "method": {
            "id": "EXAMPLE@1.0.0",
            "type": "method",
            "package_digest": digest("package"),
            "status": "active",
            "effective": effective,
        },
        "rule_profile": {
            "id": "default@1",
            "package_digest": digest("profile"),
            "status": "active",
            "effective": effective,
            "rules": {"completeness": "major", "declared-agrees": "critical"},
            "measured": {
                "corpus_digest": digest("corpus"),
                "by_rule": {
                    "completeness": {"true_positives": 40, "false_positives": 1, "false_negatives": 2}
                },
            },
            "replaces": digest("earlier profile"),
        },
        "readings": readings_body(
            [
                Series.of("active_energy", "register", "kW.h", samples),
                Series.of("steam_heat", "interval", "GJ", energy, width_ms=900_000),
            ]
        ),
        "gap": {"points": ["active_energy"], "reason": "source_silent", "detail": "no answer for 900 s"},
        "calibration": {
            "device": METER,
            "certificate": "EX-2026-001",
            "laboratory": "Example laboratory",
            "accuracy_class": "0.5S",
            "calibrated_at": 1_764_547_200_000,
            "valid_until": 1_796_083_200_000,
            "document_digest": digest("certificate"),
        },
        "document": {
            "title": "Electricity bill, January 2026",
            "media_type": "application/pdf",
            "document_digest": digest("bill"),
            "size": 48_213,
            "relates_to": [digest("report")],
        },
        "emissions_report": {
            "report": "r-example2026",
            "plan_digest": digest("plan"),
            "method": "EXAMPLE@1.0.0",
            "packages": [{"id": "EXAMPLE@1.0.0", "digest": digest("package")}],
            "period": PERIOD,
            "cut_off": cut_off,
            "totals": {"total": {"value": "123.4", "unit": "t{CO2e}"}},
            "by_stream": {
                "electricity": {
                    "activity": {"value": "200.5", "unit": "MW.h"},
                    "emissions": {"value": "123.4", "unit": "t{CO2e}"},
                }
            },
            "quality_code_digest": digest("code"),
            "report_json_digest": digest("report.json"),
        },
        "quality_code": {
            "code": "red",
            "profile": "default@1",
            "plan_digest": digest("plan"),
            "period": PERIOD,
            "cut_off": cut_off,
            "findings": [_finding()],
            "rules": {"completeness": "failed"},
            "figures": {"completeness": "0.94"},
        },
        "correction": {
            "supersedes": digest("wrong"),
            "replacement": digest("right"),
            "role": "monitoring lead",
            "reason": "the bill was for another site",
        },
        "withdrawal": {"withdraws": digest("report"), "role": "management", "reason": "recalculated"},
        **_beside_readings(energy),
        **_judgements(),
        **_verification(),
        "grant": {
            "grant": "gr-example",
            "to": "b-examplebank",
            "purpose": "loan",
            "level": "grade",
            "period": SPAN,
            "valid": {"start": INTERVAL[0], "end": SPAN["end"]},
        },
        "chain_event": {
            "contract": "Membership",
            "chain_id": 31_337,
            "address": b"\xc2" * 20,
            "block": 1204,
            "block_hash": digest("block"),
            "transaction": digest("transaction"),
            "log_index": 2,
            "topics": [
                digest("signature of the event"),
                digest("party"),
                digest("cause"),
                digest("registrar"),
            ],
            "data": b"",
        },
        "asset_act": {
            "act": "split",
            "record": digest("record"),
            "registry": "example-registry",
            "batch": "EX-2026-1",
            "first": 1,
            "last": 100,
            "holder": PARTY,
            "verification_report": digest("verification report"),
            "reference": None,
            "to": None,
            "last_of_left": 40,
            "parts": [digest("left"), digest("right")],
            "proposed_by": b"\xa1" * 20,
            "confirmed_by": b"\xa2" * 20,
            "chain": {
                "chain_id": 31_337,
                "contract": b"\xc0" * 20,
                "transaction": digest("transaction"),
                "block": 7,
                "block_hash": digest("block"),
                "log_index": 1,
            },
        },
    }


def _beside_readings(energy: list[Sample]) -> dict[str, dict[str, Any]]:
    right = Series.of("steam_heat", "interval", "GJ", energy, width_ms=900_000)
    return {
        "corrected_readings": {
            "supersedes": digest("wrong readings"),
            "reason": "the scale of the register was read wrongly",
            "readings": readings_body([right]),
        },
        "declared_activity": {
            "plan_digest": digest("plan"),
            "source_stream": "electricity",
            "data_source": "bill",
            "quantity": {"value": "200.5", "unit": "MW.h"},
            "document_digest": digest("document statement"),
        },
        "downgrade": {
            "plan_digest": digest("plan"),
            "source_stream": "electricity",
            "from": "meter",
            "to": "bill",
            "reason": "the meter was out of order for nine days",
        },
        "business_record": {
            "record": "value_added",
            "quantity": {"value": "300000", "unit": "10*4.CNY"},
            "source": "annual accounts, income method",
            "document_digest": None,
        },
    }


def _judgements() -> dict[str, dict[str, Any]]:
    def sentence(zh: str, en: str) -> dict[str, str]:
        return {"zh": zh, "en": en}

    total = {"value": "123.4", "unit": "t{CO2e}"}
    return {
        "industry_mean": {
            "industry": "C31",
            "period": SPAN,
            "quantity": {"value": "2.5", "unit": "t{CO2e}/(10*4.CNY)"},
            "source": "provincial statistics of industry",
        },
        "sampling_commitment": {
            "engagement": "en-example",
            "report_digest": digest("report"),
            "nonce_digest": digest("nonce"),
            "strata": [{"id": "grid", "expected": 2976, "sample_size": 60}],
            "epoch": 12,
            "blocks_after": 3,
        },
        "verification_report": {
            "engagement": "en-example",
            "operator": PARTY,
            "report_digest": digest("report"),
            "bundle_digest": digest("bundle"),
            "trust_digest": digest("trust file"),
            "period": SPAN,
            "opinion": "unmodified",
            "opinion_text": sentence("在所有重大方面公允", "fair in all material respects"),
            "level_of_assurance": "reasonable",
            "materiality_percent": "5",
            "criteria": "EXAMPLE@1.0.0",
            "figures": {
                "total": {
                    "operator": total,
                    "verification_body": total,
                    "difference": {"value": "0", "unit": "t{CO2e}"},
                }
            },
            "findings": [
                {
                    "finding": "f1",
                    "type": "observation",
                    "severity": "minor",
                    "state": "closed",
                    "text": sentence("合同编号有误,已更正", "a contract number was wrong; corrected"),
                    "digests": [digest("document statement")],
                }
            ],
            "sampling": {
                "commitment_digest": digest("commitment"),
                "transcript_digest": digest("transcript"),
                "drawn": 60,
                "answered": 60,
            },
            "steps": {"signatures": "passed", "anchor": "passed"},
        },
        "grade": {
            "party": PARTY,
            "rule": "EXAMPLE-GRADE@1.0.0",
            "package_digest": digest("package"),
            "period": SPAN,
            "as_of": INTERVAL[1],
            "grade": "mid",
            "input": b"{}\n",
            "result": b"{}\n",
            "replaces": digest("earlier grade"),
            "cause": digest("impact"),
        },
        "impact": {
            "state": "open",
            "cause": "readings_corrected",
            "cause_digest": digest("correction"),
            "cures": None,
            "affected": [{"kind": "emissions_report", "party": PARTY, "digest": digest("report")}],
            "reason": sentence("所依据的读数已被更正", "readings that it rests on were corrected"),
            "cure": sentence("按更正后的读数重新报告", "report again on the corrected readings"),
        },
    }


def _recovery() -> dict[str, Any]:
    signers = [key("first operator"), key("second operator")]
    body: dict[str, Any] = {
        "act": "rebuild_copy",
        "origin": DATA,
        "tree_size": 3000,
        "root_hash": digest("head of the database"),
        "view": None,
        "finding": "published copy: it shows 0 entries where 3000 were published",
        "reason": "the disk of the copy failed",
        "decided_at": INTERVAL[0],
        "until": INTERVAL[1],
        "operators": [signer.public.cose_key() for signer in signers],
        "endorsements": [],
    }
    for signer in signers:
        body = approve(signer, PARTY, body)
    return body


def _policy(genesis: dict[str, Any]) -> dict[str, Any]:
    body = {
        "origin": REGISTER,
        "policy": {**genesis["policy"], "epoch_ms": 3_600_000},
        "amends": digest("genesis"),
        "reason": "an epoch an hour, so that a bank waits less",
    }
    signers = ("log host", "registrar")
    return {
        **body,
        "endorsements": [endorse(key(one), "policy", PARTY, one.replace(" ", "_"), body) for one in signers],
    }


def _verification() -> dict[str, dict[str, Any]]:
    def sentence(zh: str, en: str) -> dict[str, str]:
        return {"zh": zh, "en": en}

    return {
        "engagement": {
            "engagement": "en-example",
            "operator": PARTY,
            "state": "concluded",
            "period": PERIOD,
            "plan_digest": digest("plan"),
            "report_digest": digest("report"),
            "grant_digest": digest("grant"),
            "level_of_assurance": "reasonable",
            "materiality_percent": "5",
            "criteria": ["EXAMPLE@1.0.0"],
            "scope": sentence("锅炉房及其用电", "the boiler house and its electricity"),
            "independence": sentence("近三年无利益关系", "no business with the operator for three years"),
            "team": [
                {"role": "lead_verifier", "person_digest": digest("lead verifier")},
                {"role": "independent_reviewer", "person_digest": digest("reviewer")},
            ],
            "visits": [
                {
                    "place": "boiler house",
                    "time": {"start": INTERVAL[0], "end": INTERVAL[1]},
                    "persons": [digest("lead verifier")],
                    "document_digest": digest("record of the visit"),
                }
            ],
            "verification_report": digest("verification report"),
            "replaces": digest("engagement in progress"),
        },
        "finding": {
            "finding": "f1",
            "operator": PARTY,
            "about": digest("report"),
            "engagement": "en-example",
            "rule": {"profile": "default@1", "rule": "declared-agrees", "score": "0.93"},
            "type": "misstatement",
            "severity": "major",
            "state": "closed",
            "subject": "electricity",
            "runs": [[INTERVAL[0], INTERVAL[1], 4]],
            "inputs": [digest("readings"), digest("document statement")],
            "expected": sentence("电表与电费单相符", "meter and bill agree"),
            "observed": sentence("相差 3.2%", "they differ by 3.2 %"),
            "cure": sentence("说明差异或更正", "explain the difference, or correct it"),
            "figure": {
                "operator": {"value": "123.4", "unit": "t{CO2e}"},
                "verification_body": {"value": "127.3", "unit": "t{CO2e}"},
                "difference": {"value": "-3.9", "unit": "t{CO2e}"},
            },
            "answer_by": SPAN["end"],
            "closed_by": digest("explanation"),
            "replaces": digest("finding, open"),
        },
        "explanation": {
            "answers": {
                "statement_digest": digest("code"),
                "rule": "completeness",
                "subject": "grid",
            },
            "stance": "corrected",
            "text": sentence("已补交缺口说明", "the gap was filed with its reason"),
            "evidence": [digest("gap")],
            "role": "monitoring lead",
            "person_digest": digest("monitoring lead"),
            "replaces": digest("earlier explanation"),
        },
    }


def _plan(named: dict[str, str], effective: dict[str, int]) -> dict[str, Any]:
    def measurement(name: str, point: str, quantity: str, unit: str) -> dict[str, Any]:
        return {
            "id": name,
            "device": METER,
            "point": point,
            "quantity": quantity,
            "form": "register",
            "unit": unit,
            "step_ms": 900_000,
            "name": named,
            "register_modulus": "1000000",
            "capacity_per_hour": "2000",
            "calibration": {"required": True, "cycle_days": 365},
        }

    return {
        "plan": "p-example",
        "plan_version": 1,
        "name": {"zh": "示例计划", "en": "Example plan"},
        "time_zone": "Asia/Shanghai",
        "effective": effective,
        "method": "EXAMPLE@1.0.0",
        "measurements": [
            measurement("grid", "active_energy", "active_energy", "kW.h"),
            measurement("grid-reactive", "reactive_energy", "reactive_energy_lagging", "kvar.h"),
            measurement("grid-factor", "power_factor", "power_factor_lagging", "1"),
        ],
        "source_streams": [
            {
                "id": "electricity",
                "type": "purchased_electricity",
                "name": named,
                "activity": [{"measurement": "grid", "sign": 1}],
                "unit": "kW.h",
                "factors": {
                    "emission_factor": {"set": "CN-GRID@1.0.0", "key": "national/2023"},
                    "loss": {
                        "declared": {
                            "value": "0.02",
                            "unit": "1",
                            "kind": "measured",
                            "region": "site",
                            "year": 2025,
                            "source": "loss study of 2025",
                        }
                    },
                },
                "data_sources": ["meter", "bill"],
                "declared_tolerance_percent": "2",
            }
        ],
        "cross_checks": [
            {
                "id": "factor",
                "check": "power_factor",
                "active": "grid",
                "reactive": "grid-reactive",
                "power_factor": "grid-factor",
                "tolerance_points": "0.01",
            },
            {"id": "whole", "check": "sum", "whole": "grid", "parts": ["grid"], "tolerance_percent": "1"},
            {
                "id": "pair",
                "check": "ratio",
                "a": "grid",
                "b": "grid-reactive",
                "ratio": "0.4585",
                "ratio_unit": "t/(MW.h)",
                "resolution": "0.01",
            },
        ],
        "quality_profile": "default@1",
    }


def _finding() -> dict[str, Any]:
    return {
        "rule": "completeness",
        "severity": "major",
        "subject": "grid",
        "start": INTERVAL[0],
        "end": INTERVAL[1],
        "count": 4,
        "runs": [[INTERVAL[0], INTERVAL[1], 4]],
        "digests": [digest("readings")],
        "expected": {"zh": "2976 个读数", "en": "2976 readings"},
        "observed": {"zh": "2972 个读数", "en": "2972 readings"},
        "cure": {"zh": "补交数据缺口说明", "en": "File the gap with its reason"},
    }


def content(kind: str) -> bytes:
    """The example content of `kind`."""
    entry = KINDS[kind]
    return build_content(
        kind,
        subject={"genesis": PARTY, "device": "g-gateway1", "monitoring_plan": "p-example"}.get(kind, METER),
        stream=f"{kind}/{METER}",
        interval=INTERVAL if entry.has_interval else None,
        body=bodies()[kind],
        salt=b"" if entry.is_public else SALT,
    )
