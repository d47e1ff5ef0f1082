"""What a report or data code counts, by plan, period and cut-off: readings, corrections, declared amounts.

The rules are those of `carbonseal_verifier.quality.inputs.gather_inputs`: of the points that the plan
measures, every statement whose interval lies in the period, and that the data log held at the cut-off; and of
the register log, what it held at its own cut-off. A statement that begins at the very end of the period
counts for a register alone, whose first reading closes the last difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Engine

from carbonseal_accounting.activity_plan import Plan
from carbonseal_accounting.activity_sources import pick_sources
from carbonseal_accounting.activity_tally import SourceContent
from carbonseal_accounting.errors import AccountingError
from carbonseal_accounting.periods import Calendar
from carbonseal_api.lineage import queries
from carbonseal_api.lineage.identifiers import SeriesRange

READINGS: Final = ("readings", "gap")
# What a report takes in beside readings, under the plan that it names.
STATED_AMOUNTS: Final = ("declared_activity", "downgrade")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Account:
    """One report or data code, and what it may have counted.

    `start` and `end` are in ms, half-open; `data_cut` and `register_cut` are the sizes of the two logs up to
    which its inputs go.
    """

    digest: str
    kind: str
    party: str
    installation: str
    plan: str
    start: int
    end: int
    data_cut: int
    register_cut: int
    registered_at: int
    index: int
    measurements: tuple[Row, ...]

    @cached_property
    def points(self) -> frozenset[tuple[str, str]]:
        """(device, point) of every measurement of its plan."""
        return frozenset((item["device"], item["point"]) for item in self.measurements)

    @cached_property
    def devices(self) -> frozenset[str]:
        """The meters of its plan."""
        return frozenset(device for device, _ in self.points)

    @property
    def ranges(self) -> list[SeriesRange]:
        """The readings that it counts, one range a point."""
        return [
            SeriesRange(self.party, device, point, self.start, self.end, self.data_cut)
            for device, point in sorted(self.points)
        ]

    @cached_property
    def registers(self) -> frozenset[tuple[str, str]]:
        """(device, point) of the registers among them, whose reading at the very end closes the period."""
        return frozenset(
            (item["device"], item["point"]) for item in self.measurements if item["form"] == "register"
        )

    def touches(self, start: int, end: int, *, is_register: bool) -> bool:
        """Whether it counts a statement of this interval, if it is of one of its points."""
        return (start <= self.end if is_register else start < self.end) and end > self.start

    def counts(self, device: str, point: str, start: int, end: int, index: int) -> bool:
        """Whether it counts a readings or gap statement at an index of the data log."""
        one = (device, point)
        is_register = one in self.registers
        return (
            one in self.points and index < self.data_cut and self.touches(start, end, is_register=is_register)
        )

    def knows(self, taking_back: Row) -> bool:
        """Whether a correction or withdrawal stood in the register log at its cut-off.

        None that came later did, whatever size of the log a report claims.
        """
        return self.knew(taking_back["index"], taking_back["registered_at"])

    def knew(self, index: int, registered_at: int) -> bool:
        """Whether an entry of the register log stood there at its cut-off, and came before it."""
        return index < self.register_cut and (not self.registered_at or registered_at <= self.registered_at)

    def rested_on(self, taking_back: Row) -> bool:
        """Whether what a correction or withdrawal takes back could be among its inputs."""
        kind, subject = taking_back["target_kind"], taking_back["subject"]
        if taking_back["target_log"] != "data" or taking_back["target_index"] >= self.data_cut:
            return False
        start, end = taking_back["start"] or 0, taking_back["end"] or 0
        is_register = any(device == subject for device, _ in self.registers)
        if not self.touches(start, end, is_register=is_register):
            return False
        if kind in {*READINGS, "corrected_readings"}:
            return subject in self.devices
        return kind in STATED_AMOUNTS and subject == self.installation


def accounts_of(engine: Engine, parties: Collection[str], digests: Collection[str] = ()) -> list[Account]:
    """Return the reports and data codes of parties, and those among some statements, in log order.

    One whose plan is not disclosed here counts nothing.
    """
    rows = queries.accounts(engine, parties=parties, digests=digests)
    plans = queries.plan_points(engine, {row["plan_digest"] for row in rows})
    return [_account(row, plans) for row in rows]


def amounts_taken(account: Account, plan: Row, stated: Iterable[Row]) -> set[str]:
    """Return the declared values whose amount is in the totals of an account, by the accounting's own rules.

    The others only stand beside the metered amount, whatever they say. Where the accounting refuses the plan
    or a downgrade, none is in a total.

    Args:
        account: the report, data code or month.
        plan: body of its monitoring plan.
        stated: result rows of its declared values and downgrades, in log order.
    """
    contents = [
        SourceContent(
            row["kind"],
            bytes(row["statement_digest"]),
            row["subject"],
            (row["interval_start"], row["interval_end"]),
            row["body"],
        )
        for row in stated
    ]
    try:
        read = Plan.from_body(plan)
        calendar = Calendar.of(read.time_zone, account.start, account.end)
        streams, _ = pick_sources(read.streams, contents, calendar)
    except AccountingError:
        return set()
    values = (
        one.value_of(source, month) for one in streams.values() for month, source in enumerate(one.sources)
    )
    return {value.statement.hex() for value in values if value is not None}


def month_account(
    *, party: str, plan: str, measurements: Iterable[Row], start: int, end: int, cuts: tuple[int, int]
) -> Account:
    """Return what an inventory drawn on demand counts; `cuts` are the sizes of data and register log."""
    return Account(*("", "inventory", party, "", plan, start, end, *cuts, 0, cuts[0]), tuple(measurements))


def _account(row: Row, plans: Mapping[str, Row]) -> Account:
    cuts = {head["origin"].rsplit("/", 1)[-1]: head["tree_size"] for head in row["cut_off"]}
    plan = plans.get(row["plan_digest"])
    return Account(
        digest=row["statement_digest"].hex(),
        kind=row["kind"],
        party=row["party"],
        installation=row["subject"],
        plan=row["plan_digest"],
        start=row["period"]["start"],
        end=row["period"]["end"],
        data_cut=cuts.get("data", 0),
        register_cut=cuts.get("register", 0),
        registered_at=row["registered_at"],
        index=row["entry_index"],
        # Somebody else's plan is no plan of this report, whatever digest it names.
        measurements=() if plan is None or plan["party"] != row["party"] else tuple(plan["measurements"]),
    )
