"""What report.json must say, composed again from the recomputed period: every value, and no other.

A report that is compared only in places could carry other figures beside them, or another firm's name. So the
whole of it is composed here, independently of the service, and the bytes must be the same. One thing is taken
as one of several: a party's name as any of its admissions had it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import format_decimal
from carbonseal_verifier.recompute import Recomputed

FORMAT: Final = "carbonseal-report/v1"
RECOMPUTE: Final = "carbonseal-verifier check evidence.bundle --trust trust.toml"
_SHARE_STEP: Final = Decimal("0.01")  # percent, half to even
_SHARES: Final = (
    *("completeness_percent", "late_percent", "substituted_percent"),
    *("corrected_percent", "declared_percent"),
)
_FACTOR: Final = (
    *("stream", "parameter", "value", "unit", "kind", "region", "year", "source"),
    *("certainty", "name", "set", "key", "note", "is_declared"),
)
_FINDING: Final = ("expected", "observed", "cure", "rule", "severity", "count")


def expected_report(
    again: Recomputed, signed: Mapping[str, Any], parties: Mapping[str, Any], period: tuple[int, int]
) -> dict[str, Any]:
    """Return the report of a recomputed period.

    Args:
        again: the period computed again.
        signed: body of the emissions_report statement.
        parties: role to {party, name}.
        period: (start, end) in ms, half-open.
    """
    inventory, plan = again.inventory.to_json(), again.plan
    zone = plan["time_zone"]
    names = {stream["id"]: dict(stream["name"]) for stream in plan["source_streams"]}
    data, register = signed["cut_off"]
    package = inventory["method_package"]
    start, end = map(format_instant, period)
    return {
        "format": FORMAT,
        "report": signed["report"],
        "parties": dict(parties),
        "installation": {"name": dict(plan["name"]), "time_zone": zone},
        "period": {"start": start, "end": end, "time_zone": zone},
        "plan": {
            "plan": plan["plan"],
            "plan_version": plan["plan_version"],
            "statement_digest": signed["plan_digest"].hex(),
            "name": dict(plan["name"]),
        },
        "cut_off": {"data": _head(data), "register": _head(register)},
        "activity_data": {
            name: _picked(row["activity"], "value", "unit") for name, row in inventory["by_stream"].items()
        },
        "emissions": _emissions(inventory, names),
        "method": {
            "method": inventory["method"],
            **_picked(package, "title", "standard", "boundary", "gwp", "rounding"),
            "packages": [_package(row) for row in signed["packages"]],
        },
        "factors": [
            {"stream_name": names[row["stream"]], **_picked(row, *_FACTOR)} for row in inventory["factors"]
        ],
        "data_quality": _data_quality(again, signed["quality_code_digest"]),
        "trace": {
            "sha256": hashlib.sha256(_canonical(inventory["trace"])).hexdigest(),
            "recompute": RECOMPUTE,
        },
    }


def encode_report(report: Mapping[str, Any]) -> bytes:
    """Return the one way to write a report: sorted keys, two-space indents, a line feed at the end."""
    return (json.dumps(report, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def first_difference(found: object, expected: object, path: str = "") -> str | None:
    """Return the dotted path at which two JSON values first differ, None where they are equal."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted(expected.keys() | found.keys(), key=str):
            place = f"{path}.{key!s:.60}" if path else f"{key!s:.60}"
            if key not in found or key not in expected:
                return place
            if (deeper := first_difference(found[key], expected[key], place)) is not None:
                return deeper
        return None
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        deeper_ones = (first_difference(f, e, f"{path}.{at}") for at, (f, e) in pairs)
        return next((place for place in deeper_ones if place is not None), None)
    return None if type(found) is type(expected) and found == expected else path or "report.json"


def _emissions(inventory: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    whole = Decimal(inventory["total"]["value"])
    return {
        "total": _figure(inventory["total"]),
        "totals": {n: {"title": row["title"], **_figure(row)} for n, row in inventory["totals"].items()},
        "by_stream": [
            {
                "stream": stream,
                "name": names[stream],
                "share_percent": (
                    _percent(Decimal(row["emissions"]["value"]), whole) if row["is_counted"] else "0"
                ),
                **_picked(row, "type", "type_title", "scope", "is_counted", "notes"),
                **_figure(row["emissions"]),
            }
            for stream, row in sorted(inventory["by_stream"].items())
        ],
        "by_month": [
            {
                "month": row["month"],
                **_figure(row["total"]),
                "by_stream": {stream: _figure(part) for stream, part in row["by_stream"].items()},
            }
            for row in inventory["by_month"]
        ],
        "shares": inventory["shares"],
    }


def _data_quality(again: Recomputed, digest: bytes) -> dict[str, Any]:
    quality = again.quality_body
    figures, classes = quality["figures"], again.signer_classes
    statements = Decimal(sum(classes.values()))
    return {
        **_picked(quality, "code", "profile"),
        "statement_digest": digest.hex(),
        "findings": [
            {
                **_picked(finding, *_FINDING),
                "target": finding["subject"],
                "start": None if finding["start"] is None else format_instant(finding["start"]),
                "end": None if finding["end"] is None else format_instant(finding["end"]),
                "statements": [one.hex() for one in finding["digests"]],
            }
            for finding in quality["findings"]
        ],
        "completeness": again.completeness,
        "corrections": again.corrections,
        "declared_activity": again.declared_activity,
        "downgrades": again.downgrades,
        "shares": _picked(figures, *_SHARES),
        "greatest_commit_delay_ms": int(figures["greatest_commit_delay_ms"]),
        "imported_late_statements": int(figures["imported_late_statements"]),
        "signer_classes": [
            {"signer_class": n, "statements": count, "share_percent": _percent(Decimal(count), statements)}
            for n, count in sorted(classes.items())
        ],
    }


def _percent(part: Decimal, whole: Decimal) -> str:
    if not whole:
        return "0"
    return format_decimal((part * 100 / whole).quantize(_SHARE_STEP, rounding=ROUND_HALF_EVEN))


def _picked(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: row[key] for key in keys}


def _figure(row: Mapping[str, Any]) -> dict[str, Any]:
    return _picked(row, "value", "rounded", "unit")


def _head(head: Mapping[str, Any]) -> dict[str, Any]:
    return {"origin": head["origin"], "tree_size": head["tree_size"], "root_hash": head["root_hash"].hex()}


def _package(row: Mapping[str, Any]) -> dict[str, str]:
    name, _, version = row["id"].partition("@")
    return {"id": name, "version": version, "digest": row["digest"].hex()}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
