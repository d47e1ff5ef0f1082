"""A lineage in W3C PROV, as PROV-JSON (W3C Member Submission of 2013-04-24) over the PROV data model.

Statements, figures, packages, factors, files and asset records are entities; sealing, computing, opining and
the other acts that made them are activities; organisations and devices are agents. `docs/spec/lineage.md`
has the whole mapping. Names are qualified by `cs`; whatever a qualified name cannot hold is percent-encoded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from carbonseal_api.lineage.identifiers import is_statement, party_id, prefix_of, rest_of
from carbonseal_api.lineage.naming import title, words_of
from carbonseal_api.lineage.schemas import Lineage, LineageLink, LineageNode

NAMESPACE: Final = "urn:carbonseal:lineage:"
MEDIA_TYPE: Final = "application/prov+json"
AGENTS: Final = frozenset({"equipment", "organisation"})
# What brought a statement about, by its kind.
_ACTS: Final[Mapping[str, str]] = {
    "asset_act": "recording",
    "business_record": "declaring",
    "calibration": "calibrating",
    "corrected_readings": "correcting",
    "correction": "correcting",
    "declared_activity": "declaring",
    "device": "admitting",
    "downgrade": "declaring",
    "emissions_report": "computing",
    "gap": "sealing",
    "grade": "grading",
    "grant": "granting",
    "impact": "marking",
    "industry_mean": "publishing",
    "method": "publishing",
    "monitoring_plan": "planning",
    "party": "admitting",
    "quality_code": "judging",
    "readings": "sealing",
    "sampling_commitment": "sampling",
    "series": "sealing",
    "verification_report": "opining",
    "withdrawal": "withdrawing",
}
_REVISIONS: Final = frozenset({"corrects", "replaces"})


class _Document:
    """Collects PROV-JSON records; relations get identifiers of their own."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = defaultdict(dict)
        self._number = 0

    def relate(self, relation: str, **ends: Any) -> None:
        """Add a relation; `entity` stands for `prov:entity`."""
        self._number += 1
        self.records[relation][f"_:r{self._number}"] = {f"prov:{key}": value for key, value in ends.items()}


def prov_json(lineage: Lineage, lang: str = "en") -> dict[str, Any]:
    """Return the nodes and links of one page of a lineage as a PROV-JSON document."""
    made = _Document()
    nodes = {node.id: node for node in lineage.nodes}
    words = words_of(lang)
    for node in lineage.nodes:
        _node(made, node, title(node, words), lang)
    for link in lineage.links:
        if link.source in nodes and link.target in nodes:
            _link(made, link, nodes)
    # The page itself, so that a reader sees when there is more.
    made.records["entity"][f"cs:answer/{_local(lineage.id)}"] = {
        "prov:type": _name("cs:answer"),
        "cs:direction": lineage.direction,
        "cs:truncated": {"$": str(lineage.truncated).lower(), "type": "xsd:boolean"},
        **({"cs:left_out": lineage.left_out} if lineage.left_out else {}),
    }
    prefixes = {"cs": NAMESPACE, "xsd": "http://www.w3.org/2001/XMLSchema#"}
    return {"prefix": prefixes, **made.records}


def _node(made: _Document, node: LineageNode, label: str, lang: str) -> None:
    name = _id(node.id)
    said = {"prov:label": {"$": label, "lang": lang}}
    if node.kind in AGENTS:
        types = [_name(f"cs:{node.kind}")]
        if node.kind == "organisation":
            types.append(_name("prov:Organization"))
        made.records["agent"][name] = {"prov:type": types, **said}
        return
    record: dict[str, Any] = {"prov:type": [_name(f"cs:{node.kind}")], **said}
    if node.kind == "series":
        record["prov:type"].append(_name("prov:Collection"))
    if node.kind in {"package", "monitoring_plan"}:
        record["prov:type"].append(_name("prov:Plan"))
    if node.seal is not None:
        record["cs:receipt_state"] = node.seal.receipt_state
    marks = [mark.state for mark in node.marks]
    if marks:
        record["cs:mark"] = "open" if "open" in marks else "cured"
    made.records["entity"][name] = record
    if node.kind in _ACTS:
        _act(made, node, name)
    _seal(made, node, name)


def _act(made: _Document, node: LineageNode, name: str) -> None:
    activity = _activity(node)
    times = {} if node.registered_at is None else {"prov:endTime": node.registered_at}
    made.records["activity"][activity] = {"prov:type": _name(f"cs:{_ACTS[node.kind]}"), **times}
    made.relate("wasGeneratedBy", entity=name, activity=activity)
    if node.party is not None:
        agent = _id(party_id(node.party))
        made.records["agent"].setdefault(agent, {"prov:type": _name("prov:Organization")})
        made.relate("wasAssociatedWith", activity=activity, agent=agent)
        made.relate("wasAttributedTo", entity=name, agent=agent)


def _seal(made: _Document, node: LineageNode, name: str) -> None:
    if node.seal is None or node.seal.epoch is None:
        return
    epoch = f"cs:epoch/{node.seal.epoch}"
    made.records["entity"].setdefault(epoch, {"prov:type": _name("cs:epoch")})
    made.relate("wasDerivedFrom", generatedEntity=epoch, usedEntity=name)
    if node.seal.transaction is not None:
        anchoring, anchor = f"cs:anchoring/{node.seal.epoch}", f"cs:anchor/{node.seal.chain_id}"
        anchor += f"/{node.seal.transaction}"
        if anchoring not in made.records["activity"]:
            made.records["activity"][anchoring] = {"prov:type": _name("cs:anchoring")}
            made.records["entity"][anchor] = {"prov:type": _name("cs:anchor")}
            made.relate("used", activity=anchoring, entity=epoch)
            made.relate("wasGeneratedBy", entity=anchor, activity=anchoring)


def _link(made: _Document, link: LineageLink, nodes: Mapping[str, LineageNode]) -> None:
    source, target = nodes[link.source], nodes[link.target]
    from_agent, to_agent = source.kind in AGENTS, target.kind in AGENTS
    if to_agent and not from_agent:
        if link.relation == "signed_by" and source.kind in _ACTS:
            made.relate("wasAssociatedWith", activity=_activity(source), agent=_id(target.id))
            if source.party is not None:
                agent = _id(party_id(source.party))
                made.relate("actedOnBehalfOf", delegate=_id(target.id), responsible=agent)
        else:
            made.relate("wasAttributedTo", entity=_id(source.id), agent=_id(target.id))
        return
    if from_agent or to_agent:
        made.relate("wasInfluencedBy", influencee=_id(source.id), influencer=_id(target.id))
        return
    if link.relation in {"contains", "of_package"}:
        whole, part = (source, target) if link.relation == "contains" else (target, source)
        made.relate("hadMember", collection=_id(whole.id), entity=_id(part.id))
        return
    if source.kind in _ACTS:
        role = {"$": f"cs:{link.relation}", "type": "prov:QUALIFIED_NAME"}
        made.relate("used", activity=_activity(source), entity=_id(target.id), role=role)
    if link.relation == "withdraws":
        made.relate("wasInvalidatedBy", entity=_id(target.id), activity=_activity(source))
        return
    if link.relation == "compared_with":  # nothing of it is in what it stands beside
        made.relate("wasInfluencedBy", influencee=_id(source.id), influencer=_id(target.id))
        return
    types = {"type": _name("prov:Revision")} if link.relation in _REVISIONS else {}
    made.relate("wasDerivedFrom", generatedEntity=_id(source.id), usedEntity=_id(target.id), **types)


def _activity(node: LineageNode) -> str:
    return f"cs:{_ACTS[node.kind]}/{_local(node.id)}"


def _id(node: str) -> str:
    return f"cs:{_local(node)}"


def _local(node: str) -> str:
    prefix = "statement" if is_statement(node) else prefix_of(node)
    return f"{prefix}/{quote(rest_of(node), safe='/@')}"


def _name(qualified: str) -> dict[str, str]:
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}
