"""Rules about corrections: every one is shown, too many of them are major, and a second one has no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from carbonseal_verifier.corrections import Correction
from carbonseal_verifier.quality.findings import Observation, Run
from carbonseal_verifier.quality.grid import percent
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import NotApplicable, Target


def corrected_readings(target: Target) -> Iterator[Observation]:
    """List what the party corrected: one finding for each meter and reason."""
    scope = target.scope
    scope.require_statements()
    groups: dict[tuple[str, str], list[Correction]] = {}
    for correction in scope.corrections:
        groups.setdefault((correction.device, correction.reason), []).append(correction)
    for (device, reason), group in sorted(groups.items()):
        group.sort(key=lambda c: (c.interval, c.superseded))
        taken_out = sum(c.replacement is None for c in group)
        digests = [digest for c in group for digest in _digests(c)]
        yield Observation(
            tuple(Run(*c.interval, 1) for c in group),
            {"device": device, "reason": reason, "count": str(len(group)), "taken_out": str(taken_out)},
            digests=tuple(dict.fromkeys(digests)),
            subject=device,
        )


def corrected_share(target: Target) -> Iterator[Observation]:
    """Compare the share of a measurement's grid that was corrected with the limit."""
    scope = target.scope
    if target.subject["id"] not in (scope.counted or {}):
        raise NotApplicable(zh="没有计算结果", en="nothing was calculated")
    counts, maximum = scope.counts(target.subject), Decimal(target.parameters["maximum_percent"])
    if not counts.expected:
        raise NotApplicable(zh="期间内计划不要求读数", en="the plan expects no readings in the period")
    share = percent(counts.corrected, counts.expected)
    if share > maximum:
        run = Run(scope.start, scope.end, counts.corrected)
        yield Observation((run,), {"maximum": str(maximum), "share": str(share)})


def second_successor(target: Target) -> Iterator[Observation]:
    """List corrections and withdrawals that came after the one that counts."""
    target.scope.require_statements()
    found = {act.digest: (act, c) for c in target.scope.corrections for act in c.idle}
    if found:
        rows = sorted(found.values(), key=lambda row: row[0].index)
        first = rows[0][0]
        yield Observation(
            tuple(sorted((Run(*c.interval, 1) for _, c in rows), key=lambda run: (run.start, run.end))),
            {"count": str(len(rows)), "entry": str(first.index), "kind": first.kind},
            digests=tuple(act.digest for act, _ in rows),
        )


def _digests(correction: Correction) -> Iterator[bytes]:
    yield correction.superseded
    if correction.replacement is not None:
        yield correction.replacement.statement.digest
    yield correction.acts[-1].digest


RULES: Final[Mapping[str, RuleFunction]] = {
    "corrected-readings": corrected_readings,
    "corrected-share": corrected_share,
    "second-successor": second_successor,
}
