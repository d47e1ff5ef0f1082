"""Steps registers-whole and cut-off: does what was checked reach as far as what is claimed?"""

from __future__ import annotations

from typing import Any

from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.log_proofs import roots_at


def check_registers_whole(case: Case) -> str:
    """See that the register log of each party relied upon is there from its first entry to the anchored head.

    A Merkle log cannot prove absence; with the whole log at hand, what is not in it was not registered.
    """
    shown = []
    for party in sorted(case.parties):
        origin = case.parties[party].register_origin
        view = case.logs.get(origin)
        if view is None:
            raise StepFailed(f"the register log {origin} is not in the bundle")
        if case.anchored_epoch not in case.heads[origin]:
            raise StepFailed(f"{origin} has no head in epoch {case.anchored_epoch}")
        head = max(case.heads[origin].values())
        require(view.section.first == 0, f"{origin} begins at entry {view.section.first}")
        require(
            view.section.end >= head,
            f"{origin} ends at {view.section.end}, and epochs hold {head} entries of it: some are left out",
        )
        shown.append(f"{party} {view.section.end}")
    for code in (case.bundle.registrar, case.bundle.log_host, case.bundle.operator):
        require(code in case.parties, f"the register log of {code} is not in the bundle")
    return "whole up to the anchored head: " + ", ".join(shown)


def check_cut_off(case: Case) -> str:
    """See that report and code name one cut-off, that entries cover it and the anchor covers both."""
    report, quality = _body(case.report.content), _body(case.quality.content)
    wanted = [case.operator.data_origin, case.operator.register_origin]
    heads = report["cut_off"]
    require([head["origin"] for head in heads] == wanted, "the report's cut-off names other logs")
    require(quality["cut_off"] == heads, "report and data code name different cut-offs")
    for head in heads:
        view, size = case.logs[head["origin"]], head["tree_size"]
        require(
            view.section.first <= size <= view.section.end,
            f"{head['origin']}: the cut-off at {size} is outside the entries of the bundle",
        )
        require(
            roots_at(view, [size])[size] == head["root_hash"],
            f"{head['origin']}: the cut-off at {size} is of another history than the entries",
        )
    covered = case.heads[case.operator.data_origin].get(case.anchored_epoch, 0)
    for name, entry in (("data code", case.quality), ("report", case.report)):
        require(entry.index >= heads[0]["tree_size"], f"the {name} stands before its own cut-off")
        require(
            entry.index < covered, f"the {name}, entry {entry.index}, is not covered by the anchored head"
        )
    _check_period(case, report, quality)
    sizes = [head["tree_size"] for head in heads]
    return f"data log at {sizes[0]}, register log at {sizes[1]}; report and code are anchored"


def _check_period(case: Case, report: dict[str, Any], quality: dict[str, Any]) -> None:
    start, end = case.bundle.period
    period = {"start": start, "end": end, "time_zone": case.bundle.time_zone}
    require(report["period"] == period, "the bundle is about another period than the report")
    require(quality["period"] == period, "the data code is about another period than the report")
    require(quality["plan_digest"] == report["plan_digest"], "data code and report follow different plans")


def _body(content: Any) -> dict[str, Any]:
    body: dict[str, Any] = content.body
    return body
