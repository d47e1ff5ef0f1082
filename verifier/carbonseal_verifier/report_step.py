"""Step report: report.json is what was signed and recomputed, the PDF registered, nothing withdrawn.

Neither may what the report rests on have been taken back since its cut-off: a report of readings that were
corrected afterwards was right when it was filed, and does not stand at the head that is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.corrections import acts_by_statement
from carbonseal_verifier.quality.inputs import disclosed
from carbonseal_verifier.report_contents import FORMAT, encode_report, expected_report, first_difference

MAX_REPORT: Final = 32 << 20  # bytes
_WORDS: Final = {
    "readings": "readings",
    "corrected_readings": "readings",
    "gap": "a gap",
    "declared_activity": "a declared value",
    "downgrade": "a downgrade",
    "document": "a document",
}


def check_report(case: Case) -> str:
    """Compare report.json with the signed statement and the recomputed figures; find the PDF's document."""
    data = case.about.report_json
    signed = case.report.content.body if case.report.content else {}
    digest = hashlib.sha256(data).digest()
    require(digest == signed["report_json_digest"], "report.json is not the one that the statement signs")
    report = _parse(data)
    expected = expected_report(case.recomputed, signed, _parties(case, report), case.about.period)
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
    pdf = case.about.report_pdf
    if pdf is None:
        raise StepFailed("report.pdf is missing")
    digest = hashlib.sha256(pdf).digest()
    covered = case.heads[case.operator.data_origin].get(case.anchored_epoch, 0)
    for entry, content in disclosed(case.operator_data().logged, "document"):
        body = content.body
        if body["document_digest"] == digest and case.about.digest in body["relates_to"]:
            require(body["size"] == len(pdf), "the PDF's document statement states another size")
            require(entry.index < covered, f"the PDF's document, entry {entry.index}, is not anchored")
            return entry.index
    raise StepFailed("no document statement registers this PDF for the report")


def _check_standing(case: Case) -> None:
    digest = case.about.digest
    acts = acts_by_statement(case.operator_register().logged)
    taken_back = acts.get(digest, ())
    require(not taken_back, f"the report was taken back by a {taken_back[0].kind if taken_back else ''}")
    body = case.report.content.body if case.report.content else {}
    _, register = body["cut_off"]
    since = [
        act
        for used in case.prepared.inputs.relied_upon()
        for act in acts.get(used, ())
        if act.index >= register["tree_size"]
    ]
    if since:
        first = min(since, key=lambda act: act.index)
        what = _WORDS.get(case.kind_of(first.named), "a statement")
        done = "corrected" if first.kind == "correction" else "withdrawn"
        raise StepFailed(f"the report rests on {what} {done} since (entry {first.index})")
