"""Turns nodes into what an answer shows of them: whose, when, what tells it apart, its seal and its marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.lineage import queries
from carbonseal_api.lineage.figures import stated_value
from carbonseal_api.lineage.graph import Graph
from carbonseal_api.lineage.identifiers import is_statement, prefix_of, rest_of, series_range
from carbonseal_api.lineage.schemas import LineageNode, MarkView
from carbonseal_api.lineage.seals import Seals
from carbonseal_attest.instants import format_instant

# What tells one statement of a kind from another, of its body; instants are shown as such.
_FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "asset_act": ("act", "registry", "batch", "first", "last", "holder", "chain"),
    "business_record": ("record", "quantity", "source"),
    "calibration": ("device", "certificate", "laboratory", "accuracy_class", "calibrated_at", "valid_until"),
    "corrected_readings": ("reason",),
    "correction": ("role", "reason"),
    "declared_activity": ("source_stream", "data_source", "quantity"),
    "device": ("device", "action", "class", "key_storage", "reason"),
    "document": ("title", "media_type", "size"),
    "downgrade": ("source_stream", "from", "to", "reason"),
    "emissions_report": ("report", "method", "totals", "cut_off"),
    "grade": ("grade", "rule", "as_of"),
    "grant": ("grant", "purpose", "level", "valid"),
    "impact": ("state", "cause", "reason", "cure"),
    "industry_mean": ("industry", "quantity", "source"),
    "method": ("id", "type", "status", "package_digest"),
    "monitoring_plan": ("plan", "plan_version", "name", "method"),
    "party": ("status", "roles", "name"),
    "quality_code": ("code", "profile"),
    "sampling_commitment": ("engagement", "epoch", "blocks_after"),
    "verification_report": ("engagement", "opinion", "level_of_assurance", "criteria"),
    "withdrawal": ("role", "reason"),
}
_INSTANTS: Final = frozenset({"calibrated_at", "valid_until", "as_of"})
_PERIODS: Final = ("period", "effective")


def describe(
    graph: Graph, seals: Seals, nodes: Sequence[str], levels: Mapping[str, int]
) -> list[LineageNode]:
    """Return what is shown of nodes that the viewer may see; the hidden ones are `undisclosed`."""
    engine = graph.parts.engine
    rows = graph.statements(nodes)
    bodies = queries.brief_bodies(engine, rows.keys())
    sealed = seals.of_statements(list(rows.values()))
    markable = [node for node in nodes if prefix_of(node) in {"statement", "asset"}]
    marked = marks_on(graph.parts, [bytes.fromhex(rest_of(node)) for node in markable])
    series = graph.series([node for node in nodes if prefix_of(node) == "series"])
    made: list[LineageNode] = []
    for node in nodes:
        kind = graph.kind_of(node)
        view = LineageNode(id=node, kind=kind, party=None, level=levels[node])
        if node in rows:
            _statement(view, rows[node], bodies.get(node), seals)
            view.seal = sealed[node]
        elif kind == "series":
            count = series[node]
            one = series_range(node)
            view.party, view.subject = one.party, one.device
            view.start, view.end = format_instant(one.start), format_instant(one.end)
            view.facts = {"point": one.point, "samples": count.samples, **count.statements}
            if count.last_index is not None:
                view.seal = seals.of_entry(seals.origin(one.party, "data"), count.last_index)
        elif kind == "figure":
            figure = graph.figure(node)
            view.party = figure.account.party
            view.start, view.end = format_instant(figure.start), format_instant(figure.end)
            view.facts = {"figure": _figure_name(node), "quantity": stated_value(graph.parts, figure)}
        elif kind in {"equipment", "organisation", "head"}:
            view.party = _owner(kind, node)
        if node in markable:
            view.marks = [mark_view(one) for one in marked.get(bytes.fromhex(rest_of(node)), ())]
        made.append(view)
    return made


def mark_view(mark: Mark) -> MarkView:
    """Return a mark as answers show it."""
    return MarkView(
        impact=mark.impact.hex(),
        cause=mark.cause,
        cause_digest=mark.cause_digest.hex(),
        state=mark.state,
        reason=dict(mark.reason),
        cure=dict(mark.cure),
        cured_by=None if mark.cured_by is None else mark.cured_by.hex(),
    )


def _statement(
    view: LineageNode, row: Mapping[str, Any], brief: Mapping[str, Any] | None, seals: Seals
) -> None:
    view.party, view.subject = row["party"], row["subject"]
    view.registered_at = format_instant(row["registered_at"])
    view.entry = f"{seals.origin(row['party'], row['log'])}#{row['entry_index']}"
    start, end = row["interval_start"], row["interval_end"]
    body = {} if brief is None else brief["body"]
    for key in _PERIODS:
        if start is None and isinstance(body.get(key), Mapping):
            start, end = body[key]["start"], body[key]["end"]
    view.start = None if start is None else format_instant(start)
    view.end = None if end is None else format_instant(end)
    for key in _FACTS.get(row["kind"], ()):
        if body.get(key) not in (None, "", [], {}):
            view.facts[key] = format_instant(body[key]) if key in _INSTANTS else body[key]


def _figure_name(node: str) -> str:
    first, _, name = rest_of(node).partition("/")
    return name if is_statement(first) else name.partition("/")[2]


def _owner(kind: str, node: str) -> str:
    rest = rest_of(node)
    if kind == "organisation":
        return rest
    pieces = rest.split("/")
    return pieces[1] if kind == "head" and len(pieces) > 1 else pieces[0]
