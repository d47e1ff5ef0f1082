"""Amounts of one stream by data source: what rules compare, and what a report lists beside its totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from carbonseal_accounting.activity import ActivityData, StreamMonth
from carbonseal_accounting.activity_plan import METER
from carbonseal_accounting.activity_sources import DeclaredActivity, Downgrade, StreamSources
from carbonseal_accounting.arithmetic import add, subtract, trimmed
from carbonseal_verifier.quality.amounts import rounded

UNKNOWN: Final = "–"  # an amount that nobody declared


@dataclass(frozen=True, slots=True)
class StreamAmounts:
    """A stream's months with their sources; `order` is the plan's order of data sources."""

    order: Sequence[str]
    months: Sequence[StreamMonth]
    sources: StreamSources

    @classmethod
    def of(cls, activity: ActivityData, stream: str, order: Sequence[str]) -> StreamAmounts:
        """Return the amounts of a stream of the plan."""
        return cls(order, activity.streams[stream], activity.sources[stream])

    @property
    def unit(self) -> str:
        """Common name of the stream's unit."""
        return self.months[0].unit.name

    def label(self, months: range) -> str:
        """Return the months at these positions as people write them, in either language."""
        first, last = self.months[months[0]].month, self.months[months[-1]].month
        return first if first == last else f"{first}–{last}"

    def metered(self, months: Iterable[int]) -> Decimal:
        """Return what the meters give over some months."""
        return _sum(self.months[at].metered_amount for at in months)

    def counted(self, months: Iterable[int]) -> Decimal:
        """Return what counts over some months."""
        return _sum(self.months[at].amount for at in months)

    def amount_of(self, source: str, month: int) -> Decimal | None:
        """Return what a source gives for one month, None where nobody declared it."""
        if source == METER:
            return self.months[month].metered_amount
        declared = self.sources.value_of(source, month)
        return None if declared is None else declared.amount

    def total_of(self, source: str, months: Iterable[int]) -> Decimal | None:
        """Return what a source gives over some months, None where a month lacks."""
        amounts = [self.amount_of(source, month) for month in months]
        known = [amount for amount in amounts if amount is not None]
        return _sum(known) if len(known) == len(amounts) else None

    def is_lowered(self, downgrade: Downgrade) -> bool:
        """Whether in any of its months less counts than a source before the present one gives."""
        return any(self._is_lowered_in(month) for month in downgrade.months)

    def is_settled(self, declared: DeclaredActivity) -> bool:
        """Whether a disagreement was decided against the party: what counts there is the most of all."""
        rows = [self.months[at] for at in declared.months]
        if not all(row.is_declared or row.downgrades for row in rows):
            return False
        most = max(self.metered(declared.months), declared.amount or Decimal(0))
        return self.counted(declared.months) >= most

    def _is_lowered_in(self, month: int) -> bool:
        row = self.months[month]
        earlier = self.order[: self.order.index(row.source)]
        known = [self.amount_of(source, month) for source in earlier]
        return any(amount is not None and row.amount < amount for amount in known)


def difference(declared: DeclaredActivity, amounts: StreamAmounts) -> tuple[Decimal, Decimal]:
    """Return (declared - metered, metered) over the months of a comparable declared value."""
    metered = amounts.metered(declared.months)
    return subtract(declared.amount or Decimal(0), metered), metered


def percent_of(off: Decimal, metered: Decimal) -> str | None:
    """Return a difference in per cent of the metered amount, two places half to even; None of nothing."""
    return rounded(Fraction(off) * 100 / Fraction(metered), 2) if metered else None


def is_within(off: Decimal, metered: Decimal, percent: Decimal) -> bool:
    """Whether a difference is at most that many per cent of the metered amount; exact."""
    return abs(Fraction(off)) * 100 <= Fraction(percent) * abs(Fraction(metered))


def shown(amount: Decimal | None) -> str:
    """Return an amount as people read it."""
    return UNKNOWN if amount is None else trimmed(amount)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = add(total, amount)
    return total
