"""Figures of reports and of months: which part of the plan, and which time, each was computed from.

A figure's name is the one it has in the trace: `total/total`, `total/total/2026-01`,
`grid/emissions/2026-01`, `activity/grid/2026-01`. `grid/emissions` without a month is a report's figure of
the whole period. Values are those that the report states; equations stand in the trace, which the page of a
figure shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_accounting.method import Method, load_methods
from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import queries as document_queries
from carbonseal_api.inventories.queries import month as stored_month
from carbonseal_api.inventories.service import month_bounds
from carbonseal_api.lineage import queries
from carbonseal_api.lineage.accounts import Account, accounts_of, month_account
from carbonseal_api.lineage.identifiers import figure_id, is_statement, rest_of
from carbonseal_api.plans.service import newest_plan
from carbonseal_api.problems import NotFound, RequestInvalid
from carbonseal_api.quality.queries import results_by_digests

_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class FigureName:
    """A figure taken apart; `stream` is None for totals, `month` None for the whole period."""

    stream: str | None
    equation: str
    month: str | None


@dataclass(frozen=True)
class Figure:
    """A figure with the account that it belongs to and the source streams that it comes from.

    `start` and `end` are its own time, in ms; `report` and `code` are None for a month's inventory.
    """

    id: str
    name: FigureName
    place: str
    account: Account
    method: str
    streams: tuple[Mapping[str, Any], ...]
    start: int
    end: int
    report: str | None
    code: str | None

    @property
    def parts(self) -> list[str]:
        """Identifiers of the figures that a total is made of; none for a stream's own figure."""
        if self.name.stream is not None:
            return []
        suffix = "" if self.name.month is None else f"/{self.name.month}"
        return [figure_id(self.place, f"{one['id']}/emissions{suffix}") for one in self.streams]

    @property
    def measurements(self) -> list[str]:
        """Ids of the plan's measurements that it rests on."""
        return sorted({use["measurement"] for stream in self.streams for use in stream["activity"]})

    @property
    def factors(self) -> list[tuple[str, str]]:
        """(set, key) of the published factors that it rests on."""
        found = {
            (factor["set"], factor["key"])
            for stream in self.streams
            for factor in stream["factors"].values()
            if "set" in factor
        }
        return sorted(found)


def place_of(node: str) -> tuple[str, str]:
    """Return (place, figure name) of a figure's identifier; the place is a report or `PARTY/2026-01`.

    Raises:
        RequestInvalid: it names no figure.
    """
    first, _, name = rest_of(node).partition("/")
    if is_statement(first) and name:
        return first, name
    month, _, name = name.partition("/")
    if not _MONTH.fullmatch(month) or not name:
        raise RequestInvalid("id", "names no figure", "write figure:REPORT/total/total")
    return f"{first}/{month}", name


def find_figure(parts: Parts, node: str) -> Figure:
    """Return what a figure's identifier names.

    Raises:
        NotFound: no such report, month or figure.
        RequestInvalid: not the identifier of a figure.
    """
    place, text = place_of(node)
    name = _name(text)
    account, report, code = _account(parts, place)
    plan = queries.plan_points(parts.engine, {account.plan}).get(account.plan)
    if plan is None:
        raise _unknown()
    streams = _streams(plan, name)
    if not streams:
        raise _unknown()
    start, end = account.start, account.end
    if name.month is not None:
        first, last = month_bounds(name.month, plan["time_zone"])
        start, end = max(start, first), min(end, last)
        if start >= end:
            raise _unknown()
    return Figure(node, name, place, account, plan["method"], streams, start, end, report, code)


def stated_value(parts: Parts, figure: Figure) -> dict[str, str] | None:
    """Return {value, unit} of a figure as its report or stored inventory states it, None if neither does."""
    name = figure.name
    if figure.report is None:
        party, _, month = figure.place.partition("/")
        row = stored_month(parts.engine, party, bytes.fromhex(figure.account.plan), month)
        return None if row is None else _in_inventory(row["inventory"], name)
    row = results_by_digests(parts.engine, [bytes.fromhex(figure.report)]).get(bytes.fromhex(figure.report))
    body = {} if row is None else row["body"]
    if name.month is not None:
        return _in_report_json(parts, figure, body)
    if name.stream is None:
        return _quantity(body.get("totals", {}).get(name.equation))
    stream = body.get("by_stream", {}).get(name.stream, {})
    return _quantity(stream.get(name.equation))


def _in_inventory(inventory: Mapping[str, Any], name: FigureName) -> dict[str, str] | None:
    if name.stream is None:
        return _quantity(inventory["totals"].get(name.equation))
    return _quantity(inventory["by_stream"].get(name.stream, {}).get(name.equation))


def _in_report_json(parts: Parts, figure: Figure, body: Mapping[str, Any]) -> dict[str, str] | None:
    digest = bytes.fromhex(body.get("report_json_digest", ""))
    stored = document_queries.document(parts.engine, figure.account.party, digest)
    name = figure.name
    if stored is None or name.equation not in {"total", "emissions"}:
        return None
    months: Sequence[Mapping[str, Any]] = json.loads(bytes(stored["data"]))["emissions"]["by_month"]
    for row in months:
        if row["month"] == name.month:
            return _quantity(row if name.stream is None else row["by_stream"].get(name.stream))
    return None


def _quantity(value: Mapping[str, Any] | None) -> dict[str, str] | None:
    return None if value is None else {"value": value["value"], "unit": value["unit"]}


def _streams(plan: Mapping[str, Any], name: FigureName) -> tuple[Mapping[str, Any], ...]:
    """Return the source streams that a figure comes from; none when the method has no such figure."""
    method = load_methods().get(plan["method"])
    streams: Sequence[Mapping[str, Any]] = plan["source_streams"]
    if name.stream is not None:
        named = [one for one in streams if one["id"] == name.stream]
        if method is not None and named and name.equation != "activity":
            kind = method.stream_types.get(named[0]["type"])
            known = set() if kind is None else {equation.name for equation in kind.equations}
            named = named if name.equation in known else []
        return tuple(named)
    if method is None:
        # The package is somebody else's, and its equations are not here: any stream may be in its totals.
        return tuple(streams)
    types = _types_of_total(method, name.equation)
    return tuple(one for one in streams if one["type"] in types)


def _types_of_total(method: Method, total: str) -> set[str]:
    found: set[str] = set()
    for equation in method.totals:
        if equation.name == total:
            found |= {summed.partition(".")[0] for summed in equation.expression.summed}
            for other in equation.expression.names - {total}:
                found |= _types_of_total(method, other)
    return found


def _name(text: str) -> FigureName:
    pieces = text.strip("/").split("/")
    month = pieces.pop() if _MONTH.fullmatch(pieces[-1]) else None
    if len(pieces) < 2:
        raise _unknown()
    if pieces[0] == "total":
        return FigureName(None, "/".join(pieces[1:]), month)
    if pieces[0] == "activity":
        return FigureName("/".join(pieces[1:]), "activity", month)
    return FigureName("/".join(pieces[:-1]), pieces[-1], month)


def _account(parts: Parts, place: str) -> tuple[Account, str | None, str | None]:
    if is_statement(place):
        found = [one for one in accounts_of(parts.engine, (), [place]) if one.kind == "emissions_report"]
        if not found:
            raise _unknown()
        rows = results_by_digests(parts.engine, [bytes.fromhex(place)])
        return found[0], place, rows[bytes.fromhex(place)]["body"]["quality_code_digest"]
    party, _, month = place.partition("/")
    plan = newest_plan(parts, party)
    if plan is None:
        raise _unknown()
    start, end = month_bounds(month, plan["body"]["time_zone"])
    base = f"{parts.settings.log_host_name}/{party}"
    cuts = (parts.host.head(f"{base}/data").tree_size, parts.host.head(f"{base}/register").tree_size)
    account = month_account(
        party=party,
        plan=bytes(plan["statement_digest"]).hex(),
        measurements=plan["body"]["measurements"],
        start=start,
        end=end,
        cuts=cuts,
    )
    return account, None, None


def _unknown() -> NotFound:
    return NotFound("id", "no such figure", "name one of the report, such as figure:REPORT/total/total")
