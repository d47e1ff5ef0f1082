"""What rests on a node: the edges that statements state, and the reports and codes that count it.

A reading is counted by every report and data code whose plan measures its point, whose period it touches and
whose cut-off it precedes. Nothing of this is stored an edge a reading.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from carbonseal_api.lineage import queries
from carbonseal_api.lineage.accounts import READINGS, STATED_AMOUNTS
from carbonseal_api.lineage.graph import Graph, Link, Row, is_in_date
from carbonseal_api.lineage.identifiers import SeriesRange, prefix_of, rest_of, series_range
from carbonseal_api.lineage.projector import HOLDS_KEY


def links_up(graph: Graph, nodes: Collection[str]) -> list[Link]:
    """Return the links that reach these nodes."""
    found = [Link(*edge) for edge in queries.stated_to(graph.engine, nodes) if edge[1] != HOLDS_KEY]
    # A calibration supports the periods of its validity, not whatever its meter ever measured.
    found = [link for link in found if link.relation != "calibrated_by"]
    rows = graph.statements(nodes)
    found += _over_readings(graph, {n: r for n, r in rows.items() if r["kind"] in READINGS})
    for node, row in rows.items():
        if row["kind"] in {"correction", "withdrawal"}:
            found += _over_taking_back(graph, node, row)
    stated = {n: r for n, r in rows.items() if r["kind"] in {"calibration", *STATED_AMOUNTS}}
    found += _over_stated(graph, stated)
    for node in sorted(nodes):
        prefix = prefix_of(node)
        if prefix == "device":
            found += _over_device(graph, node)
        elif prefix == "series":
            one = series_range(node)
            found += [
                Link(account.digest, "counts", node)
                for account in graph.accounts(one.party)
                if (one.device, one.point) in account.points
                and account.touches(
                    one.start, one.end, is_register=(one.device, one.point) in account.registers
                )
            ]
    return found


def _over_readings(graph: Graph, rows: Mapping[str, Row]) -> list[Link]:
    places = {(row["party"], row["entry_index"]): node for node, row in rows.items()}
    found: set[Link] = set()
    for row in queries.points_of(graph.engine, list(rows.values())):
        node = places[row["party"], row["entry_index"]]
        place = (row["device"], row["point"], row["interval_start"], row["interval_end"])
        act = graph.taken_back(row["party"], node)
        for account in graph.accounts(row["party"]):
            is_gone = act is not None and account.knows(act)
            if not is_gone and account.counts(*place, row["entry_index"]):
                found.add(Link(account.digest, "counts", node))
    return sorted(found)


def _over_taking_back(graph: Graph, node: str, row: Row) -> list[Link]:
    acts = [one for one in graph.takings_back(row["party"]) if one["digest"].hex() == node]
    return [
        Link(account.digest, "applies", node)
        for act in acts
        for account in graph.accounts(row["party"])
        if account.knows(act) and account.rested_on(act)
    ]


def _over_stated(graph: Graph, rows: Mapping[str, Row]) -> list[Link]:
    found: list[Link] = []
    for party in sorted({row["party"] for row in rows.values()}):
        for account in graph.accounts(party):
            relations = graph.stated_links(account)
            found += [
                Link(account.digest, relations[node], node) for node in sorted(relations.keys() & rows.keys())
            ]
        for row in queries.of_kinds(graph.engine, party, ("calibration",)):
            node = row["statement_digest"].hex()
            found += [
                Link(account.digest, "calibrated_by", node)
                for account in graph.accounts(party)
                if node in rows
                and row["entry_index"] < account.register_cut
                and any(is_in_date(row["body"], one, account.start, account.end) for one in account.devices)
            ]
    return found


def _over_device(graph: Graph, node: str) -> list[Link]:
    party, _, device = rest_of(node).partition("/")
    cut = graph.data_size(party)
    found: list[Link] = []
    for row in queries.ranges_of_device(graph.engine, party, device):
        one = SeriesRange(party, device, row["point"], row["start"], row["end"], cut)
        found.append(Link(one.id, "measured_by", node))
    kids = [
        bytes.fromhex(rest_of(target))
        for _, relation, target in queries.stated_from(graph.engine, [node])
        if relation == HOLDS_KEY
    ]
    for row in queries.ranges_of_keys(graph.engine, party, kids) if kids else ():
        kid = bytes(row["kid"]).hex()
        one = SeriesRange(party, row["device"], row["point"], row["start"], row["end"], cut, kid)
        found.append(Link(one.id, "signed_by", node))
    return found
