"""Steps registers-whole and cut-off: does what was checked reach as far as what is claimed?"""

from __future__ import annotations

from typing import Any

from carbonseal_verifier.case import Case, StepFailed, require
from carbonseal_verifier.disclosure import IN_THE_PERIOD
from carbonseal_verifier.log_proofs import roots_at
from carbonseal_verifier.witnessing import receipt_states
from carbonseal_verifier.wording import counted


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
            f"{origin} ends at {view.section.end}, and epochs hold "
            f"{counted(head, 'entry', 'entries')} of it: some are left out",
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
    _check_one_moment(case, heads[0], heads[1])
    covered = case.heads[case.operator.data_origin].get(case.anchored_epoch, 0)
    for name, entry in (("data code", case.quality), ("report", case.report)):
        require(entry.index >= heads[0]["tree_size"], f"the {name} stands before its own cut-off")
        require(
            entry.index < covered, f"the {name}, entry {entry.index}, is not covered by the anchored head"
        )
    _check_period(case, report, quality)
    sizes = [head["tree_size"] for head in heads]
    after = _after_cut_off(case, sizes[0])
    shown = f"data log at {sizes[0]}, register log at {sizes[1]}; "
    shown += f"report and code: {receipt_states(case, max(one.index for one in (case.quality, case.report)))}"
    if after:
        late = counted(after, "statement about the period was", "statements about the period were")
        shown += f"; {late} registered after it and not counted"
    return shown


def _check_one_moment(case: Case, data: dict[str, Any], register: dict[str, Any]) -> None:
    """See that both heads were current at one time, as far as epochs tell.

    An older register would not yet hold a suspension, a correction or the plan's next version.
    """
    opened, closed = 0, len(case.epochs) + 1
    for head in (data, register):
        sizes = case.heads[head["origin"]]
        opened = max([opened, *(n for n, size in sizes.items() if size < head["tree_size"])])
        closed = min([closed, *(n for n, size in sizes.items() if size > head["tree_size"])])
    require(opened < closed, f"the cut-off's two heads are of different times (epochs {closed} and {opened})")


def _after_cut_off(case: Case, size: int) -> int:
    """Count what was registered about the period between the cut-off and the report."""
    start, end = case.about.period
    count = 0
    for entry in case.operator_data().logged:
        header = entry.statement.header
        if size <= entry.index < case.report.index and header.kind in IN_THE_PERIOD:
            interval = header.interval
            count += interval is not None and interval[0] < end and interval[1] > start
    return count


def _check_period(case: Case, report: dict[str, Any], quality: dict[str, Any]) -> None:
    start, end = case.about.period
    period = {"start": start, "end": end, "time_zone": case.about.time_zone}
    require(report["period"] == period, "the bundle is about another period than the report")
    require(quality["period"] == period, "the data code is about another period than the report")
    require(quality["plan_digest"] == report["plan_digest"], "data code and report follow different plans")
    plans = [
        entry.statement.header.subject
        for entry in case.operator_register().logged
        if entry.statement.digest == report["plan_digest"]
    ]
    for name, entry in (("data code", case.quality), ("report", case.report)):
        header = entry.statement.header
        require(header.interval == (start, end), f"the header of the {name} covers another interval")
        require(
            not plans or header.subject == plans[0],
            f"the {name} is about {header.subject}, its plan about {plans[0] if plans else ''}",
        )


def _body(content: Any) -> dict[str, Any]:
    body: dict[str, Any] = content.body
    return body
