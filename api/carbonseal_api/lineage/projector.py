"""Draws the edges that statements state themselves: what each rests on, from its body alone.

An edge leads from what rests on something (source) to what it rests on (target); `docs/spec/lineage.md` lists
the relations. Edges that only follow from intervals, such as which readings a report counts, are not stored:
a year of readings would be a million of them. `derived` finds those when they are asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from carbonseal_api.lineage.identifiers import (
    asset_id,
    device_id,
    factor_id,
    file_id,
    head_id,
    key_id,
    package_id,
    party_id,
    prefix_of,
    statement_id,
)
from carbonseal_api.projections.rows import Projected, Rows
from carbonseal_api.projections.tables import EDGES
from carbonseal_attest.keys import PublicKey

GRADE_INPUTS: Final = ("emissions", "value_added", "industry_mean", "data_code", "verification")
HOLDS_KEY: Final = "holds_key"  # leads from a signature to its device; no node of any answer
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
# Source, relation, target.
Stated = Iterator[tuple[str, str, str]]


def edges_of(rows: Rows, one: Projected) -> None:
    """Add the edges that one statement states."""
    statement = statement_id(one.entry.digest)
    for source, relation, target in set(_STATED.get(one.entry.kind, _nothing)(one, statement)):
        rows.add(
            EDGES,
            {
                "source": source,
                "relation": relation,
                "target": target,
                "party": one.party,
                "source_kind": one.entry.kind if source == statement else prefix_of(source),
                "target_kind": one.entry.kind if target == statement else prefix_of(target),
            },
        )


def _plan(one: Projected, statement: str) -> Stated:
    body = one.content.body
    for name in (body["method"], body["quality_profile"]):
        yield statement, "uses_package", package_id(name)
    for item in body["measurements"]:
        yield statement, "measures", device_id(one.party, item["device"])
    for stream in body["source_streams"]:
        for factor in stream["factors"].values():
            if "set" in factor:
                used = factor_id(factor["set"], factor["key"])
                yield statement, "uses_factor", used
                yield used, "of_package", package_id(factor["set"])


def _report(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "under_plan", statement_id(body["plan_digest"])
    yield statement, "coded_by", statement_id(body["quality_code_digest"])
    yield statement, "has_file", file_id(body["report_json_digest"])
    for package in body["packages"]:
        yield statement, "uses_package", package_id(package["id"])
    yield from _cut_off(body, statement)


def _code(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "under_plan", statement_id(body["plan_digest"])
    yield statement, "uses_package", package_id(body["profile"])
    for finding in body["findings"]:
        for digest in finding["digests"]:
            yield statement, "found_in", statement_id(digest)
    yield from _cut_off(body, statement)


def _cut_off(body: Mapping[str, Any], statement: str) -> Stated:
    for head in body["cut_off"]:
        yield statement, "cut_off", head_id(head["origin"], head["tree_size"])


def _document(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "has_file", file_id(body["document_digest"])
    for digest in body["relates_to"]:
        yield statement, "relates_to", statement_id(digest)


def _declared(one: Projected, statement: str) -> Stated:
    yield statement, "under_plan", statement_id(one.content.body["plan_digest"])
    yield statement, "shown_by", statement_id(one.content.body["document_digest"])


def _downgrade(one: Projected, statement: str) -> Stated:
    yield statement, "under_plan", statement_id(one.content.body["plan_digest"])


def _business_record(one: Projected, statement: str) -> Stated:
    if one.content.body["document_digest"] is not None:
        yield statement, "shown_by", statement_id(one.content.body["document_digest"])


def _calibration(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield device_id(one.party, body["device"]), "calibrated_by", statement
    if body["document_digest"] is not None:
        yield statement, "has_file", file_id(body["document_digest"])


def _device(one: Projected, statement: str) -> Stated:
    device = device_id(one.party, one.content.body["device"])
    yield device, "admitted_by", statement
    yield device, HOLDS_KEY, key_id(PublicKey.from_cose_key(one.content.body["key"]).kid)


def _party(one: Projected, statement: str) -> Stated:
    yield party_id(one.content.body["party"]), "admitted_by", statement


def _method(one: Projected, statement: str) -> Stated:
    yield package_id(one.content.body["id"]), "published_by", statement


def _grant(one: Projected, statement: str) -> Stated:
    yield statement, "given_to", party_id(one.content.body["to"])


def _correction(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "corrects", statement_id(body["supersedes"])
    if body["replacement"] is not None:
        yield statement, "replaces_by", statement_id(body["replacement"])


def _corrected_readings(one: Projected, statement: str) -> Stated:
    yield statement, "corrects", statement_id(one.content.body["supersedes"])


def _withdrawal(one: Projected, statement: str) -> Stated:
    yield statement, "withdraws", statement_id(one.content.body["withdraws"])


def _commitment(one: Projected, statement: str) -> Stated:
    yield statement, "about_report", statement_id(one.content.body["report_digest"])


def _opinion(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "about_report", statement_id(body["report_digest"])
    yield statement, "has_file", file_id(body["bundle_digest"])
    if body["sampling"] is not None:
        yield statement, "drawn_under", statement_id(body["sampling"]["commitment_digest"])
    for finding in body["findings"]:
        for digest in finding["digests"]:
            yield statement, "cites", statement_id(digest)


def _grade(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "by_rule", package_id(body["rule"])
    for digest in _grade_inputs(body["input"]):
        yield statement, "rests_on", digest
    if body["replaces"] is not None:
        yield statement, "replaces", statement_id(body["replaces"])
    if body["cause"] is not None:
        yield statement, "caused_by", statement_id(body["cause"])


def _grade_inputs(data: bytes) -> Iterator[str]:
    # The ledger takes any bytes here; an input that nobody can read names nothing.
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    for name in GRADE_INPUTS:
        table = document.get(name) if isinstance(document, dict) else None
        digest = table.get("statement") if isinstance(table, dict) else None
        if isinstance(digest, str) and _DIGEST.fullmatch(digest):
            yield digest


def _impact(one: Projected, statement: str) -> Stated:
    body = one.content.body
    yield statement, "caused_by", statement_id(body["cause_digest"])
    if body["cures"] is not None:
        yield statement, "cures", statement_id(body["cures"])
    for affected in body["affected"]:
        is_asset = affected["kind"] == "asset"
        yield statement, "marks", (asset_id if is_asset else statement_id)(affected["digest"])


def _asset_act(one: Projected, statement: str) -> Stated:
    body = one.content.body
    record = asset_id(body["record"])
    yield record, "recorded_by" if body["act"] == "record" else "changed_by", statement
    yield statement, "rests_on", statement_id(body["verification_report"])
    for part in body["parts"]:
        yield asset_id(part), "split_from", record
        yield asset_id(part), "recorded_by", statement


def _nothing(_one: Projected, _statement: str) -> Stated:
    return iter(())


_STATED: Final[Mapping[str, Callable[[Projected, str], Stated]]] = {
    "asset_act": _asset_act,
    "business_record": _business_record,
    "calibration": _calibration,
    "corrected_readings": _corrected_readings,
    "correction": _correction,
    "declared_activity": _declared,
    "device": _device,
    "document": _document,
    "downgrade": _downgrade,
    "emissions_report": _report,
    "grade": _grade,
    "grant": _grant,
    "impact": _impact,
    "industry_mean": _nothing,
    "method": _method,
    "monitoring_plan": _plan,
    "party": _party,
    "quality_code": _code,
    "sampling_commitment": _commitment,
    "verification_report": _opinion,
    "withdrawal": _withdrawal,
}
