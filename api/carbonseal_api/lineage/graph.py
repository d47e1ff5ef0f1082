"""What one walk has read: headers of statements, reports and codes, figures, counts of readings.

A graph lives for one answer and keeps what it has read, since logs do not change. `downward` and `upward`
find the links; who may see what is left to `access`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.lineage import queries
from carbonseal_api.lineage.accounts import READINGS, STATED_AMOUNTS, Account, accounts_of, amounts_taken
from carbonseal_api.lineage.figures import Figure, find_figure
from carbonseal_api.lineage.identifiers import (
    SeriesRange,
    is_statement,
    prefix_of,
    series_range,
)
from carbonseal_api.quality.queries import results_by_digests

Row = Mapping[str, Any]
ACCOUNTS: Final = ("emissions_report", "quality_code")
# Things that share their prefix with a kind of statement.
_THINGS: Final = {"device": "equipment", "party": "organisation"}
# What is only named on the way down: an older grade's inputs are no inputs of this one.
NAMED_ONLY: Final = frozenset(
    {"caused_by", "replaces", "marks", "cures", "stated_in", "judged_by", "of_plan"}
)


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """`source` rests on `target`, in the way that `relation` names."""

    source: str
    relation: str
    target: str


@dataclass(slots=True)
class SeriesCount:
    """How many statements a series range holds, and which keys signed them."""

    statements: dict[str, int] = field(default_factory=lambda: dict.fromkeys(READINGS, 0))
    samples: int = 0
    start: int | None = None
    end: int | None = None
    first_index: int | None = None
    last_index: int | None = None
    kids: set[bytes] = field(default_factory=set)

    def take(self, row: Row) -> None:
        """Add one grouped row."""
        self.statements[row["kind"]] += row["statements"]
        self.samples += int(row["samples"])
        self.start = row["start"] if self.start is None else min(self.start, row["start"])
        self.end = row["end"] if self.end is None else max(self.end, row["end"])
        least, most = row["first_index"], row["last_index"]
        self.first_index = least if self.first_index is None else min(self.first_index, least)
        self.last_index = most if self.last_index is None else max(self.last_index, most)
        self.kids.add(bytes(row["kid"]))


class Graph:
    """The edges of one deployment, read on demand."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.engine = parts, parts.engine
        self._statements: dict[str, Row] = {}
        self._accounts: dict[str, list[Account]] = {}
        self._takings: dict[str, list[Row]] = {}
        self._declared: dict[str, list[Row]] = {}
        self._plans: dict[str, Row | None] = {}
        self._series: dict[str, SeriesCount] = {}
        self._figures: dict[str, Figure] = {}

    # -- facts --

    def statements(self, nodes: Iterable[str]) -> dict[str, Row]:
        """Return the header rows of those nodes that are statements logged here."""
        wanted = {node for node in nodes if is_statement(node)}
        self._statements |= queries.statements(self.engine, wanted - self._statements.keys())
        return {node: self._statements[node] for node in wanted if node in self._statements}

    def kind_of(self, node: str) -> str:
        """Return a node's kind: the statement's, the thing's, or `unknown` for a digest not logged here."""
        if not is_statement(node):
            return _THINGS.get(prefix_of(node), prefix_of(node))
        row = self.statements([node]).get(node)
        return "unknown" if row is None else str(row["kind"])

    def figure(self, node: str) -> Figure:
        """Return what a figure's identifier names; see `figures.find_figure`."""
        if node not in self._figures:
            self._figures[node] = find_figure(self.parts, node)
        return self._figures[node]

    def series(self, nodes: Collection[str]) -> dict[str, SeriesCount]:
        """Return what series ranges hold."""
        fresh = [series_range(node) for node in nodes if node not in self._series]
        together: dict[tuple[Any, ...], list[SeriesRange]] = {}
        for one in fresh:
            self._series[one.id] = SeriesCount()
            together.setdefault((one.party, one.start, one.end, one.cut, one.kid), []).append(one)
        for ranges in together.values():
            ids = {(one.device, one.point): one.id for one in ranges}
            for row in queries.grouped_readings(self.engine, ranges):
                self._series[ids[row["device"], row["point"]]].take(row)
        return {node: self._series[node] for node in nodes}

    def accounts(self, party: str) -> list[Account]:
        """Return a party's reports and data codes."""
        if party not in self._accounts:
            self._accounts[party] = accounts_of(self.engine, [party])
        return self._accounts[party]

    def takings_back(self, party: str) -> list[Row]:
        """Return a party's corrections and withdrawals of its own statements."""
        if party not in self._takings:
            self._takings[party] = queries.takings_back(self.engine, party)
        return self._takings[party]

    def taken_back(self, party: str, node: str) -> Row | None:
        """Return the act by which a party took a statement of its own back, None while it stands."""
        acts = (act for act in self.takings_back(party) if bytes(act["target"]).hex() == node)
        return next(acts, None)

    def declared_for(self, account: Account) -> list[Row]:
        """Return the declared amounts and downgrades that a report or code takes in, as result rows."""
        if account.party not in self._declared:
            self._declared[account.party] = queries.of_kinds(self.engine, account.party, STATED_AMOUNTS)
        gone = {bytes(row["target"]) for row in self.takings_back(account.party) if account.knows(row)}
        return [
            row
            for row in self._declared[account.party]
            if row["entry_index"] < account.data_cut
            and row["body"]["plan_digest"] == account.plan
            and row["interval_start"] < account.end
            and row["interval_end"] > account.start
            and bytes(row["statement_digest"]) not in gone
        ]

    def stated_links(self, account: Account) -> dict[str, str]:
        """Return declared values and downgrades that a report or code takes in, each with its relation.

        A downgrade counts, and a declared value to which the plan's order or a downgrade leads; another is
        only compared with what counts.
        """
        rows = self.declared_for(account)
        if not rows:
            return {}
        if account.plan not in self._plans:
            digest = bytes.fromhex(account.plan)
            self._plans[account.plan] = results_by_digests(self.engine, [digest]).get(digest)
        plan = self._plans[account.plan]
        is_own = plan is not None and plan["party"] == account.party
        taken = amounts_taken(account, plan["body"], rows) if plan is not None and is_own else set()
        found: dict[str, str] = {}
        for row in rows:
            node = row["statement_digest"].hex()
            found[node] = "counts" if row["kind"] == "downgrade" or node in taken else "compared_with"
        return found

    def data_size(self, party: str) -> int:
        """Return the size of a party's data log, 0 without one."""
        return self._sizes.get(f"{self.parts.settings.log_host_name}/{party}/data", 0)

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {log.origin: log.tree_size for log in self.parts.host.logs()}


def is_in_date(body: Row, device: str, start: int, end: int) -> bool:
    """Whether a calibration is of a device and holds for some of the time [start, end)."""
    return bool(body["device"] == device and body["calibrated_at"] < end and body["valid_until"] > start)
