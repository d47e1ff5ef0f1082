"""What a node rests on: the edges that statements state, and those that follow from plan, period and cut-off.

Asked for many nodes at once, so that a walk costs a few queries a level however wide the level is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from carbonseal_api.lineage import queries
from carbonseal_api.lineage.accounts import READINGS, Account
from carbonseal_api.lineage.figures import Figure
from carbonseal_api.lineage.graph import ACCOUNTS, Graph, Link, Row, is_in_date
from carbonseal_api.lineage.identifiers import (
    SeriesRange,
    device_id,
    factor_id,
    key_id,
    package_id,
    prefix_of,
    series_range,
)
from carbonseal_api.lineage.projector import HOLDS_KEY


def links_down(graph: Graph, nodes: Collection[str], *, root: str) -> list[Link]:
    """Return the links that leave these nodes.

    `root` is what was asked for: a series range lists its statements, a meter its calibrations and an
    impact what it marks only when they are asked for themselves.
    """
    rows = graph.statements(nodes)
    found = [
        Link(*edge)
        for edge in queries.stated_from(graph.engine, nodes)
        if edge[1] != HOLDS_KEY and (edge[1] != "calibrated_by" or edge[0] == root)
    ]
    found += _measured(graph, rows)
    for party, digests in _by_party(rows, ACCOUNTS).items():
        chosen = [one for one in graph.accounts(party) if one.digest in digests]
        for account in chosen:
            found += _counted(graph, account)
    for node in sorted(nodes):
        prefix = prefix_of(node)
        if prefix == "figure":
            found += _under_figure(graph, node)
        elif prefix == "series" and node == root:
            found += [
                Link(node, "contains", one) for one in queries.readings_in(graph.engine, series_range(node))
            ]
    return found + _under_series(graph, [node for node in nodes if prefix_of(node) == "series"])


def _measured(graph: Graph, rows: Mapping[str, Row]) -> list[Link]:
    readings = {node: row for node, row in rows.items() if row["kind"] in READINGS}
    signers = _signers(graph, {(row["party"], bytes(row["kid"])) for row in readings.values()})
    found: list[Link] = []
    for node, row in readings.items():
        found.append(Link(node, "measured_by", device_id(row["party"], row["subject"])))
        found += [Link(node, "signed_by", one) for one in signers[row["party"], bytes(row["kid"])]]
    return found


def _signers(graph: Graph, keys: Collection[tuple[str, bytes]]) -> dict[tuple[str, bytes], list[str]]:
    edges = queries.stated_to(graph.engine, {key_id(kid) for _, kid in keys})
    found: dict[tuple[str, bytes], list[str]] = {key: [] for key in keys}
    for party, kid in keys:
        ids = {s for s, _, t in edges if t == key_id(kid) and s.startswith(f"device:{party}/")}
        found[party, kid] = sorted(ids)
    return found


def _counted(graph: Graph, account: Account) -> list[Link]:
    found = [Link(account.digest, "counts", one.id) for one in account.ranges]
    found += [
        Link(account.digest, "applies", row["digest"].hex())
        for row in graph.takings_back(account.party)
        if account.knows(row) and account.rested_on(row)
    ]
    found += [Link(account.digest, relation, one) for one, relation in graph.stated_links(account).items()]
    return found


def _under_figure(graph: Graph, node: str) -> list[Link]:
    figure = graph.figure(node)
    account, points = figure.account, {}
    for item in account.measurements:
        points[item["id"]] = (item["device"], item["point"])
    found = [Link(node, "computed_from", one) for one in figure.parts]
    found.append(Link(node, "by_method", package_id(figure.method)))
    found.append(Link(node, "of_plan", account.plan))
    if figure.report is not None and figure.code is not None:
        found.append(Link(node, "stated_in", figure.report))
        found.append(Link(node, "judged_by", figure.code))
    if not figure.parts:
        found += [Link(node, "uses_factor", factor_id(*factor)) for factor in figure.factors]
        counted = {points[name] for name in figure.measurements}
        for device, point in sorted(counted):
            one = SeriesRange(account.party, device, point, figure.start, figure.end, account.data_cut)
            found.append(Link(node, "counts", one.id))
        found += _beside_readings(graph, figure, {device for device, _ in counted})
    return found


def _beside_readings(graph: Graph, figure: Figure, devices: Collection[str]) -> list[Link]:
    """Return the corrections that a source stream's own figure takes in, and the amounts declared for it."""
    account = replace(figure.account, start=figure.start, end=figure.end)
    streams = {stream["id"] for stream in figure.streams}
    found = [
        Link(figure.id, "applies", row["digest"].hex())
        for row in graph.takings_back(account.party)
        if account.knows(row) and account.rested_on(row) and row["subject"] in devices
    ]
    # Downgrades are read over the whole period: one may move all its months.
    relations = graph.stated_links(figure.account)
    return found + [
        Link(figure.id, relations[row["statement_digest"].hex()], row["statement_digest"].hex())
        for row in graph.declared_for(account)
        if row["body"]["source_stream"] in streams
    ]


def _under_series(graph: Graph, nodes: Collection[str]) -> list[Link]:
    counts = graph.series(nodes)
    signers = _signers(graph, {(series_range(n).party, kid) for n, c in counts.items() for kid in c.kids})
    found: list[Link] = []
    for node, count in counts.items():
        one = series_range(node)
        found.append(Link(node, "measured_by", device_id(one.party, one.device)))
        for kid in sorted(count.kids):
            found += [Link(node, "signed_by", signer) for signer in signers[one.party, kid]]
    by_party: dict[str, list[SeriesRange]] = {}
    for node in nodes:
        by_party.setdefault(series_range(node).party, []).append(series_range(node))
    for party, ranges in by_party.items():
        for row in queries.of_kinds(graph.engine, party, ("calibration",)):
            found += [
                Link(one.id, "calibrated_by", row["statement_digest"].hex())
                for one in ranges
                if is_in_date(row["body"], one.device, one.start, one.end)
            ]
    return found


def _by_party(rows: Mapping[str, Row], kinds: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node, row in rows.items():
        if row["kind"] in kinds:
            found.setdefault(row["party"], set()).add(node)
    return found
