"""Step report: report.json is what was signed and recomputed, the PDF registered, nothing withdrawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.quality.inputs import disclosed
from carbonseal_verifier.report_contents import FORMAT, encode_report, expected_report, first_difference

MAX_REPORT: Final = 32 << 20  # bytes


def check_report(case: Case) -> str:
    """Compare report.json with the signed statement and the recomputed figures; find the PDF's document."""
    data = case.bundle.report_json
    signed = case.report.content.body if case.report.content else {}
    digest = hashlib.sha256(data).digest()
    require(digest == signed["report_json_digest"], "report.json is not the one that the statement signs")
    report = _parse(data)
    expected = expected_report(case.recomputed, signed, _parties(case, report), case.bundle.period)
    place = first_difference(report, expected)
    require(place is None, f"report.json: {place} differs from what was signed and recomputed")
    # Equal values may still be written in two ways: a key that stands twice is read differently elsewhere.
    require(data == encode_report(expected), "report.json is not written in the one way")
    pdf = _pdf_document(case)
    _check_standing(case)
    return f"report.json {digest.hex()[:16]} and its PDF (entry {pdf}) as signed; not withdrawn or corrected"


def _parse(data: bytes) -> dict[str, Any]:
    require(len(data) <= MAX_REPORT, "report.json is too large")
    try:
        report = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StepFailed("report.json is not JSON") from error
    require(isinstance(report, dict) and report.get("format") == FORMAT, f"report.json is not of {FORMAT}")
    result: dict[str, Any] = report
    return result


def _parties(case: Case, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return who stands in the report: the operator, others if it names them, each as once admitted."""
    named = report.get("parties")
    codes = {
        "operator": case.operator.party,
        "registrar": case.registrar.party,
        "log_host": case.log_host.party,
    }
    roles = [role for role in codes if role == "operator" or (isinstance(named, dict) and role in named)]
    admitted = disclosed(case.logs[case.registrar.register_origin].logged, "party")
    expected: dict[str, Any] = {}
    for role in roles:
        names = [content.body["name"] for _, content in admitted if content.body["party"] == codes[role]]
        said = named.get(role) if isinstance(named, dict) else None
        name = said.get("name") if isinstance(said, dict) else None
        chosen = name if name in names else (names[-1] if names else None)
        expected[role] = {"party": codes[role], "name": chosen}
    return expected


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
