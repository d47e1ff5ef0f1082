"""One line for a node, in Chinese or English: its kind, and what tells it apart from others of the kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.lineage.identifiers import rest_of
from carbonseal_api.lineage.schemas import LineageNode
from carbonseal_api.reports.wording import Wording, load_wording

CATALOGUE: Final = "lineage/wording.json"
SHORT: Final = 12  # characters of a digest that is shown
# Which of a node's facts make its line, in this order.
_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "asset_act": ("act", "registry", "batch", "first", "last"),
    "business_record": ("record", "quantity"),
    "calibration": ("device", "certificate", "valid_until"),
    "correction": ("reason",),
    "corrected_readings": ("reason",),
    "declared_activity": ("source_stream", "quantity"),
    "device": ("device", "action"),
    "document": ("title",),
    "downgrade": ("source_stream", "to"),
    "emissions_report": ("totals",),
    "figure": ("figure", "quantity"),
    "grade": ("grade", "rule"),
    "grant": ("purpose", "level"),
    "impact": ("state", "cause"),
    "industry_mean": ("industry", "quantity"),
    "method": ("id", "status"),
    "monitoring_plan": ("name", "plan_version"),
    "party": ("name", "roles"),
    "quality_code": ("code",),
    "series": ("point", "samples"),
    "verification_report": ("opinion", "level_of_assurance"),
    "withdrawal": ("reason",),
}


def words_of(lang: str) -> Wording:
    """Return the sentences of lineage in a language."""
    return load_wording(lang, CATALOGUE)


def title(node: LineageNode, words: Wording) -> str:
    """Return a node's line: kind, what tells it apart, and its identifier cut short where it is a digest."""
    parts = [words.term("kind", node.kind)]
    if node.kind in {"series", "readings", "gap", "corrected_readings"} and node.subject:
        parts.append(node.subject)
    parts += [_said(node.facts.get(key), words) for key in _TOLD.get(node.kind, ())]
    parts.append(short_id(node))
    return " · ".join(part for part in parts if part)


def short_id(node: LineageNode) -> str:
    """Return a node's identifier as it is shown: digests cut, what its line says already left out."""
    rest = rest_of(node.id)
    if node.kind in {"series", "figure", "undisclosed"}:
        return ""
    if len(rest) == 64 and ":" not in node.id:
        return f"{rest[:SHORT]}…"
    if node.kind in {"asset", "file"}:
        return f"{rest[:SHORT]}…"
    return rest.partition("/")[2] if node.kind == "equipment" else rest


def sealed(node: LineageNode, words: Wording) -> str:
    """Return how far a node's proof has come, empty where it has none."""
    if node.seal is None:
        return ""
    said = [words.term("state", node.seal.receipt_state)]
    if node.seal.epoch is not None:
        said.append(words("epoch", epoch=node.seal.epoch))
    if node.seal.transaction is not None:
        said.append(words("transaction", transaction=f"{node.seal.transaction[:SHORT]}…"))
    return ", ".join(said)


def marked(node: LineageNode, words: Wording) -> str:
    """Return what stands on a node: `marked` while a mark is open, else that it was superseded."""
    states = {mark.state for mark in node.marks}
    if not states:
        return ""
    return words("mark.open" if "open" in states else "mark.cured")


def _said(value: Any, words: Wording) -> str:
    if isinstance(value, Mapping):
        if {"zh", "en"} <= value.keys():
            return words.name(value)
        inner = value.get("total", value)
        if isinstance(inner, Mapping) and "value" in inner:
            return f"{inner['value']} {inner.get('unit', '')}".strip()
        return ""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)
