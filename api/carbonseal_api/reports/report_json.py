"""Builds report.json: the emissions report as figures, in bytes that are the same for the same facts.

Sorted keys, no spaces beyond one per separator, UTF-8, decimals as plain strings, instants RFC 3339 with
Z. Its SHA-256 is what the `emissions_report` statement signs. It leaves out proofs (they come after it:
`report_pdf` and the bundle carry them), contents, and the trace itself, which it names by digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from carbonseal_api.problems import ReportInvalid
from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import format_decimal

FORMAT: Final = "carbonseal-report/v1"
SHARE_STEP: Final = Decimal("0.01")  # percent; shares are rounded half to even, figures never
HEADS: Final = ("data", "register")
SHARES: Final = (
    *("completeness_percent", "late_percent", "substituted_percent"),
    *("corrected_percent", "declared_percent"),
)
BESIDE: Final = ("corrections", "declared_activity", "downgrades")


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything that report.json is made of.

    Attributes:
        report: Code of the report, unique for its operator.
        parties: Role to `{party, name}`; `operator` is required.
        plan: Body of the monitoring plan statement.
        plan_digest: Digest of that statement.
        start_ms: Start of the reporting period, inclusive, ms since 1970 UTC.
        end_ms: End of the period, exclusive.
        inventory: `Inventory.to_json()`.
        packages: Method and factor packages as `{id, version, digest}`, digest as hex.
        quality: Body of the quality code statement.
        quality_digest: Digest of that statement.
        cut_off: `data` and `register` to (tree size, root hash).
        origins: `data` and `register` to the origin of the operator's log.
        completeness: Per measurement `{measurement, name, expected, measured, late, gap, substituted,
            missing, corrected}`.
        signer_classes: Signer class to number of statements in the period's readings.
        beside: `corrections`, `declared_activity` and `downgrades`, as the recomputed period lists them.
    """

    report: str
    parties: Mapping[str, Mapping[str, Any]]
    plan: Mapping[str, Any]
    plan_digest: bytes
    start_ms: int
    end_ms: int
    inventory: Mapping[str, Any]
    packages: Sequence[Mapping[str, Any]]
    quality: Mapping[str, Any]
    quality_digest: bytes
    cut_off: Mapping[str, tuple[int, bytes]]
    origins: Mapping[str, str]
    completeness: Sequence[Mapping[str, Any]] = ()
    signer_classes: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def build_report(inputs: ReportInputs) -> bytes:
    """Return the bytes of report.json.

    Raises:
        ReportInvalid: The inputs lack a part or contradict each other.
    """
    return encode_report(compose_report(inputs))


def encode_report(report: Mapping[str, Any]) -> bytes:
    """Return the one way to write a report: sorted keys, two-space indents, a line feed at the end.

    Raises:
        ReportInvalid: A value is a float or not JSON.
    """
    _refuse_floats(report, "report")
    return (json.dumps(report, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def parse_report(data: bytes) -> dict[str, Any]:
    """Return the report of its bytes.

    Raises:
        ReportInvalid: Not a report of this format, or not written in the one way.
    """
    try:
        report = json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError) as problem:
        raise ReportInvalid("report.json", "is not JSON", "take it from the bundle again") from problem
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise ReportInvalid("report.json.format", f"is not {FORMAT}", "use a report made by this version")
    try:
        is_canonical = encode_report(report) == data
    except (TypeError, UnicodeEncodeError) as problem:
        raise ReportInvalid(
            "report.json", "holds a bare decimal number", "take it from the bundle again"
        ) from problem
    if not is_canonical:
        raise ReportInvalid("report.json", "is not written in the one way", "take it from the bundle again")
    return report


def report_digest(data: bytes) -> str:
    """Return the SHA-256 of report.json as hex."""
    return hashlib.sha256(data).hexdigest()


def compose_report(inputs: ReportInputs) -> dict[str, Any]:
    """Return the report as JSON values, not yet written.

    Raises:
        ReportInvalid: The inputs lack a part or contradict each other.
    """
    _check_inputs(inputs)
    plan, inventory = inputs.plan, inputs.inventory
    names = {str(stream["id"]): stream for stream in plan["source_streams"]}
    return {
        "format": FORMAT,
        "report": inputs.report,
        "parties": {role: dict(party) for role, party in inputs.parties.items()},
        "installation": {"name": dict(plan.get("name", {})), "time_zone": plan["time_zone"]},
        "period": {
            "start": format_instant(inputs.start_ms),
            "end": format_instant(inputs.end_ms),
            "time_zone": plan["time_zone"],
        },
        "plan": {
            "plan": plan["plan"],
            "plan_version": plan["plan_version"],
            "statement_digest": inputs.plan_digest.hex(),
            "name": dict(plan.get("name", {})),
        },
        "cut_off": {
            head: {
                "origin": inputs.origins[head],
                "tree_size": inputs.cut_off[head][0],
                "root_hash": inputs.cut_off[head][1].hex(),
            }
            for head in HEADS
        },
        "activity_data": {
            stream: {"value": row["activity"]["value"], "unit": row["activity"]["unit"]}
            for stream, row in inventory["by_stream"].items()
        },
        "emissions": _emissions(inventory, names),
        "method": {
            "method": inventory["method"],
            "title": dict(inventory["method_package"]["title"]),
            "standard": inventory["method_package"]["standard"],
            "boundary": dict(inventory["method_package"]["boundary"]),
            "gwp": inventory["method_package"]["gwp"],
            "rounding": dict(inventory["method_package"]["rounding"]),
            "packages": [dict(package) for package in inputs.packages],
        },
        "factors": _factors(inventory, names),
        "data_quality": _data_quality(inputs),
        "trace": {
            "sha256": hashlib.sha256(canonical_json(inventory["trace"])).hexdigest(),
            "recompute": "carbonseal-verifier check evidence.bundle --trust trust.toml",
        },
    }


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces, for digests of parts that are not printed whole."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def share_percent(part: Decimal, whole: Decimal) -> str:
    """Return part of whole in percent, two places, half to even; `0` of nothing is `0`."""
    if not whole:
        return "0"
    return format_decimal((part * 100 / whole).quantize(SHARE_STEP, rounding=ROUND_HALF_EVEN))


def _refuse_floats(value: Any, place: str) -> None:
    if isinstance(value, float):
        raise ReportInvalid(place, "is a binary floating-point number", "write figures as decimal strings")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_floats(inner, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_floats(inner, f"{place}[{index}]")


def _check_inputs(inputs: ReportInputs) -> None:
    if "operator" not in inputs.parties:
        raise ReportInvalid("parties.operator", "is missing", "name the party that reports")
    if inputs.start_ms >= inputs.end_ms:
        raise ReportInvalid("period", "ends before it starts", "give a half-open interval, start before end")
    for head in HEADS:
        if head not in inputs.cut_off or head not in inputs.origins:
            raise ReportInvalid(
                f"cut_off.{head}", "is missing", "give size and root of both logs of the operator"
            )
    planned = {str(stream["id"]) for stream in inputs.plan["source_streams"]}
    for stream in inputs.inventory["by_stream"]:
        if stream not in planned:
            raise ReportInvalid(
                f"inventory.by_stream.{stream}",
                "the plan has no such source stream",
                "compute under this plan version",
            )
    if inputs.inventory["method"] != inputs.plan["method"]:
        raise ReportInvalid(
            "inventory.method",
            f"is not the plan's {inputs.plan['method']}",
            "compute under the method that the plan names",
        )


def _emissions(inventory: Mapping[str, Any], streams: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    whole = Decimal(inventory["total"]["value"])
    return {
        "total": _figure(inventory["total"]),
        "totals": {
            name: {"title": dict(row["title"]), **_figure(row)} for name, row in inventory["totals"].items()
        },
        "by_stream": [
            {
                "stream": stream,
                "type": row["type"],
                "type_title": dict(row["type_title"]),
                "scope": row["scope"],
                "is_counted": row["is_counted"],
                "name": dict(streams[stream].get("name", {})),
                "share_percent": share_percent(Decimal(row["emissions"]["value"]), whole)
                if row["is_counted"]
                else "0",
                "notes": [dict(note) for note in row["notes"]],
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
        "shares": dict(inventory["shares"]),
    }


def _figure(row: Mapping[str, Any]) -> dict[str, str]:
    # Both are kept: the exact value, and the one rounded as the method says.
    return {"value": row["value"], "rounded": row["rounded"], "unit": row["unit"]}


def _factors(inventory: Mapping[str, Any], streams: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "stream": factor["stream"],
            "stream_name": dict(streams[factor["stream"]].get("name", {})),
            "parameter": factor["parameter"],
            "value": factor["value"],
            "unit": factor["unit"],
            "kind": factor["kind"],
            "region": factor["region"],
            "year": factor["year"],
            "source": factor["source"],
            "certainty": factor["certainty"],
            "name": dict(factor["name"]),
            "set": factor["set"],
            "key": factor["key"],
            "note": factor["note"],
            "is_declared": factor["is_declared"],
        }
        for factor in inventory["factors"]
    ]


def _data_quality(inputs: ReportInputs) -> dict[str, Any]:
    quality = inputs.quality
    figures = quality["figures"]
    statements = sum(inputs.signer_classes.values())
    return {
        "code": quality["code"],
        "profile": quality["profile"],
        "statement_digest": inputs.quality_digest.hex(),
        "findings": [_finding(finding) for finding in quality["findings"]],
        "completeness": [dict(row) for row in inputs.completeness],
        **{part: [dict(row) for row in inputs.beside.get(part, ())] for part in BESIDE},
        "shares": {key: figures[key] for key in SHARES},
        "greatest_commit_delay_ms": int(figures["greatest_commit_delay_ms"]),
        "imported_late_statements": int(figures["imported_late_statements"]),
        "signer_classes": [
            {
                "signer_class": signer_class,
                "statements": count,
                "share_percent": share_percent(Decimal(count), Decimal(statements)),
            }
            for signer_class, count in sorted(inputs.signer_classes.items())
        ],
    }


def _finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    start, end = finding["start"], finding["end"]
    return {
        "rule": finding["rule"],
        "severity": finding["severity"],
        "target": finding["subject"],
        "start": None if start is None else format_instant(start),
        "end": None if end is None else format_instant(end),
        "count": finding["count"],
        "expected": dict(finding["expected"]),
        "observed": dict(finding["observed"]),
        "cure": dict(finding["cure"]),
        "statements": [digest.hex() for digest in finding["digests"]],
    }
