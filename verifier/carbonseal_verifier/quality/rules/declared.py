"""Rules about declared activity: it agrees with the meter, a document stands behind it, nothing is hidden.

A bill that disagrees with the meter is major, unless a downgrade has already taken it and it is the higher:
then the difference is no longer to anybody's advantage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from carbonseal_accounting.activity_plan import DEFAULT_TOLERANCE, METER
from carbonseal_accounting.activity_sources import (
    DECLARED_TWICE,
    NEGATIVE,
    NOT_OF_THE_PLAN,
    NOT_ORDERED,
    NOT_WHOLE_MONTHS,
    UNIT_DIFFERS,
)
from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.quality.declared_amounts import (
    UNKNOWN,
    StreamAmounts,
    difference,
    is_within,
    percent_of,
    shown,
)
from carbonseal_verifier.quality.findings import Observation, Run
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import InputMissing, NotApplicable, Target

_OTHER_PLAN: Final = "plan"
_WHY: Final = {
    NOT_OF_THE_PLAN: ("计划没有该源流", "the plan has no such source stream"),
    NOT_ORDERED: ("计划未列该数据来源", "the plan does not order this data source"),
    NOT_WHOLE_MONTHS: (
        "时段不是期间内完整的自然月",
        "its interval is not of whole civil months of the period",
    ),
    UNIT_DIFFERS: ("单位与源流不符", "its unit does not fit the stream's"),
    NEGATIVE: ("不扣减任何量的源流申报了负值", "negative, for a stream that subtracts nothing"),
    DECLARED_TWICE: (
        "同一来源、同一时段已申报过",
        "declared before by the same source for the same interval",
    ),
    _OTHER_PLAN: ("指向另一份监测计划", "it names another monitoring plan"),
}


def declared_vs_metered(target: Target) -> Iterator[Observation]:
    """Compare each declared value with the metered amount over its months; each month wants one."""
    amounts = _amounts(target)
    tolerance = target.subject.get("declared_tolerance_percent", str(DEFAULT_TOLERANCE))
    limit, covered = parse_decimal(tolerance), set[int]()
    for declared in amounts.sources.declared:
        covered |= set(declared.months)
        if declared.problem or METER not in amounts.order:
            continue
        off, metered = difference(declared, amounts)
        if is_within(off, metered, limit):
            continue
        yield Observation(
            (Run(declared.start_ms, declared.end_ms, 1),),
            {"source": declared.data_source, "months": amounts.label(declared.months),
             "declared": shown(declared.amount), "metered": shown(metered), "difference": shown(off),
             "unit": amounts.unit, "percent": percent_of(off, metered) or UNKNOWN, "tolerance": tolerance},
            severity="minor" if amounts.is_settled(declared) else None,
            digests=(declared.statement, declared.document),
        )  # fmt: skip
    lacking = [month.month for at, month in enumerate(amounts.months) if at not in covered]
    if lacking:
        shown_months = ", ".join(lacking[:6]) + (" …" if len(lacking) > 6 else "")
        raise InputMissing(f"a declared amount of {target.subject['id']} for {shown_months}")


def declared_not_comparable(target: Target) -> Iterator[Observation]:
    """List, by reason, what was declared and does not count; two values for one interval are major."""
    scope, activity = target.scope, target.scope.activity
    if activity is None:
        raise NotApplicable(zh="没有计算结果", en="nothing was calculated")
    declared = [d for sources in activity.sources.values() for d in sources.declared]
    if not declared and not activity.foreign and not scope.other_plan:
        raise NotApplicable(zh="没有申报量", en="nothing was declared")
    groups: dict[tuple[str, bool], list[tuple[int, int, bytes]]] = {}
    for item in [*declared, *activity.foreign]:
        if item.problem:
            row = item.start_ms, item.end_ms, item.statement
            groups.setdefault((item.problem, item.differs), []).append(row)
    for entry in scope.other_plan:
        row = *(entry.statement.header.interval or (scope.start, scope.end)), entry.statement.digest
        groups.setdefault((_OTHER_PLAN, False), []).append(row)
    for (problem, differs), rows in sorted(groups.items()):
        rows.sort()
        why_zh, why_en = _WHY[problem]
        yield Observation(
            tuple(Run(start, end, 1) for start, end, _ in rows),
            {"count": str(len(rows)), "why_zh": why_zh, "why_en": why_en},
            severity="major" if differs else None,
            digests=tuple(digest for *_, digest in rows),
        )


def document_missing(target: Target) -> Iterator[Observation]:
    """Find declared values whose document is not in the log, by source."""
    amounts = _amounts(target)
    if not amounts.sources.declared:
        raise NotApplicable(zh="没有申报量", en="nothing was declared")
    lacking: dict[str, list[Any]] = {}
    for declared in amounts.sources.declared:
        if declared.document not in target.scope.documents:
            lacking.setdefault(declared.data_source, []).append(declared)
    for source, group in sorted(lacking.items()):
        group.sort(key=lambda d: (d.start_ms, d.end_ms, d.statement))
        yield Observation(
            tuple(Run(d.start_ms, d.end_ms, 1) for d in group),
            {"source": source, "count": str(len(group)), "since": format_instant(group[0].start_ms)},
            digests=tuple(d.statement for d in group),
            is_absence=True,
        )


def downgraded(target: Target) -> Iterator[Observation]:
    """List the downgrades; major where less counts than an earlier source gives."""
    amounts = _amounts(target)
    for downgrade in amounts.sources.downgrades:
        months = downgrade.months
        values = [v for at in months if (v := amounts.sources.value_of(downgrade.to_source, at)) is not None]
        sides = {"from": downgrade.from_source, "to": downgrade.to_source}
        facts = {f"{side}_source": source for side, source in sides.items()}
        facts |= {f"{side}_amount": shown(amounts.total_of(s, months)) for side, s in sides.items()}
        yield Observation(
            (Run(downgrade.start_ms, downgrade.end_ms, len(months)),),
            facts | {"months": amounts.label(months), "reason": downgrade.reason, "unit": amounts.unit},
            severity="major" if amounts.is_lowered(downgrade) else None,
            digests=(downgrade.statement, *(d for v in values for d in (v.statement, v.document))),
        )


def _amounts(target: Target) -> StreamAmounts:
    activity, stream = target.scope.activity, target.subject
    order = list(stream.get("data_sources", (METER,)))
    if order == [METER]:
        raise NotApplicable(zh="计划只有表计一个来源", en="the plan names the meter alone")
    if activity is None:
        raise NotApplicable(zh="没有计算结果", en="nothing was calculated")
    return StreamAmounts.of(activity, stream["id"], order)


RULES: Final[Mapping[str, RuleFunction]] = {
    "declared-vs-metered": declared_vs_metered,
    "declared-not-comparable": declared_not_comparable,
    "document-missing": document_missing,
    "downgraded": downgraded,
}
