"""Step report: report.json is what was signed and recomputed, the PDF registered, nothing withdrawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from carbonseal_attest.instants import format_instant
from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.quality.inputs import disclosed

FORMAT: Final = "carbonseal-report/v1"
MAX_REPORT: Final = 32 << 20  # bytes


def check_report(case: Case) -> str:
    """Compare report.json with the signed statement and the recomputed figures; find the PDF's document."""
    data = case.bundle.report_json
    signed = case.report.content.body if case.report.content else {}
    digest = hashlib.sha256(data).digest()
    require(digest == signed["report_json_digest"], "report.json is not the one that the statement signs")
    report = _parse(data)
    for path, wanted in _expected(case, signed).items():
        require(
            _at(report, path) == wanted, f"report.json: {path} differs from what was signed and recomputed"
        )
    pdf = _pdf_document(case)
    _check_standing(case)
    return f"report.json {digest.hex()[:16]} and its PDF (entry {pdf}) as signed; not withdrawn or corrected"


def _parse(data: bytes) -> dict[str, Any]:
    require(len(data) <= MAX_REPORT, "report.json is too large")
    try:
        report = json.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise StepFailed("report.json is not JSON") from error
    require(isinstance(report, dict) and report.get("format") == FORMAT, f"report.json is not of {FORMAT}")
    result: dict[str, Any] = report
    return result


def _expected(case: Case, signed: Mapping[str, Any]) -> dict[str, Any]:
    """Return, by dotted path, what report.json must say."""
    again, inventory = case.recomputed, case.recomputed.inventory.to_json()
    plan, quality = again.plan, again.quality_body
    start, end = case.bundle.period
    data, register = signed["cut_off"]
    expected: dict[str, Any] = {
        "report": signed["report"],
        "parties.operator.party": case.operator.party,
        "installation.time_zone": plan["time_zone"],
        "period": {
            "start": format_instant(start),
            "end": format_instant(end),
            "time_zone": plan["time_zone"],
        },
        "plan.plan": plan["plan"],
        "plan.plan_version": plan["plan_version"],
        "plan.statement_digest": signed["plan_digest"].hex(),
        "cut_off": {"data": _head(data), "register": _head(register)},
        "activity_data": {name: _quantity(row["activity"]) for name, row in inventory["by_stream"].items()},
        "emissions.total": _figure(inventory["total"]),
        "emissions.totals": {name: _figure(row) for name, row in inventory["totals"].items()},
        "emissions.shares": inventory["shares"],
        "method.method": signed["method"],
        "method.packages": sorted(_package(row) for row in signed["packages"]),
        "data_quality.code": quality["code"],
        "data_quality.profile": quality["profile"],
        "data_quality.statement_digest": signed["quality_code_digest"].hex(),
        "data_quality.completeness": again.completeness,
        "data_quality.shares": {
            key: quality["figures"][key]
            for key in ("completeness_percent", "late_percent", "substituted_percent")
        },
        "data_quality.greatest_commit_delay_ms": int(quality["figures"]["greatest_commit_delay_ms"]),
        "trace.sha256": hashlib.sha256(_canonical(inventory["trace"])).hexdigest(),
    }
    expected["emissions.by_stream"] = [
        (name, row["scope"], row["is_counted"], _figure(row["emissions"]))
        for name, row in sorted(inventory["by_stream"].items())
    ]
    expected["emissions.by_month"] = [
        (row["month"], _figure(row["total"]), {k: _figure(v) for k, v in row["by_stream"].items()})
        for row in inventory["by_month"]
    ]
    expected["factors"] = [
        (f["stream"], f["parameter"], f["value"], f["unit"], f["kind"], f["region"], f["year"], f["source"])
        for f in inventory["factors"]
    ]
    expected["data_quality.findings"] = [
        (f["rule"], f["severity"], f["subject"], f["count"], f["observed"]) for f in quality["findings"]
    ]
    expected["data_quality.signer_classes"] = sorted(again.signer_classes.items())
    return expected


def _at(report: dict[str, Any], path: str) -> Any:
    """Return what stands at a path, its lists reduced to what is compared; a missing part is None."""
    value: Any = report
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    reduce = _REDUCERS.get(path)
    if reduce is None or value is None:
        return value
    try:
        if isinstance(value, dict):
            return {name: reduce(row) for name, row in value.items()}
        rows = [reduce(row) for row in value]
        return sorted(rows) if path in _SORTED else rows
    except (KeyError, TypeError, AttributeError):
        return None


def _figure(row: Mapping[str, Any]) -> dict[str, str]:
    """Return value, rounded value and unit of a figure: all three are reported, so all three are compared."""
    return {"value": row["value"], "rounded": row["rounded"], "unit": row["unit"]}


_REDUCERS: Final[Mapping[str, Any]] = {
    "method.packages": lambda r: (r["id"], r["version"], r["digest"]),
    "emissions.totals": _figure,
    "emissions.by_stream": lambda r: (r["stream"], r["scope"], r["is_counted"], _figure(r)),
    "emissions.by_month": lambda r: (r["month"], _figure(r), r["by_stream"]),
    "factors": lambda r: tuple(
        r[key] for key in ("stream", "parameter", "value", "unit", "kind", "region", "year", "source")
    ),
    "data_quality.findings": lambda r: (r["rule"], r["severity"], r["target"], r["count"], r["observed"]),
    "data_quality.signer_classes": lambda r: (r["signer_class"], r["statements"]),
}
_SORTED: Final = frozenset({"method.packages", "data_quality.signer_classes"})


def _pdf_document(case: Case) -> int:
    """Return the entry of the document statement that registers the PDF about this report, anchored."""
    pdf = case.bundle.report_pdf
    if pdf is None:
        raise StepFailed("report.pdf is missing")
    digest = hashlib.sha256(pdf).digest()
    covered = case.heads[case.operator.data_origin].get(case.anchored_epoch, 0)
    for entry, content in disclosed(case.operator_data().logged, "document"):
        body = content.body
        if body["document_digest"] == digest and case.bundle.report_digest in body["relates_to"]:
            require(body["size"] == len(pdf), "the PDF's document statement states another size")
            require(entry.index < covered, f"the PDF's document, entry {entry.index}, is not anchored")
            return entry.index
    raise StepFailed("no document statement registers this PDF for the report")


def _check_standing(case: Case) -> None:
    digest = case.bundle.report_digest
    for kind, field in (("withdrawal", "withdraws"), ("correction", "supersedes")):
        for _, content in disclosed(case.operator_register().logged, kind):
            require(content.body[field] != digest, f"the report was taken back by a {kind}")


def _head(head: Mapping[str, Any]) -> dict[str, Any]:
    return {"origin": head["origin"], "tree_size": head["tree_size"], "root_hash": head["root_hash"].hex()}


def _package(row: Mapping[str, Any]) -> tuple[str, str, str]:
    name, _, version = row["id"].partition("@")
    return name, version, row["digest"].hex()


def _quantity(value: Mapping[str, Any]) -> dict[str, str]:
    return {"value": value["value"], "unit": value["unit"]}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
