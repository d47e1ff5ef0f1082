"""Rules about the instruments: are calibration and signing key valid all through the period?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from carbonseal_attest.instants import format_instant
from carbonseal_verifier.quality.findings import Observation, Run
from carbonseal_verifier.quality.rules.signature import RuleFunction
from carbonseal_verifier.quality.scope import Calibration, NotApplicable, Target

_DAY: Final = 86_400_000


def calibration_missing(target: Target) -> Iterator[Observation]:
    """Find meters that the plan wants calibrated and that have no record."""
    _require_requirement(target)
    if not _records(target):
        run = Run(target.scope.start, target.scope.end, 1)
        yield Observation((run,), {"device": target.subject["device"]}, is_absence=True)


def calibration_expired(target: Target) -> Iterator[Observation]:
    """Find the part of the period that no calibration covers; the plan's cycle may end one early."""
    _require_requirement(target)
    records = _records(target)
    if not records:
        raise NotApplicable(zh="没有检定或校准记录", en="no calibration record")
    cycle = target.subject["calibration"]["cycle_days"]  # 0: the certificate alone decides
    covered = sorted(
        (r.calibrated_at, min(r.valid_until, r.calibrated_at + cycle * _DAY) if cycle else r.valid_until)
        for r in records
    )
    runs: list[Run] = []
    at, end = target.scope.start, target.scope.end
    for low, high in [*covered, (end, end)]:
        if low > at:
            runs.append(Run(at, min(low, end), 1))
        at = max(at, high)
        if at >= end:
            break
    if runs:
        days = -(-sum(run.end - run.start for run in runs) // _DAY)
        yield Observation(
            tuple(runs), {"since": format_instant(runs[0].start), "days": str(days)},
            digests=tuple(r.digest for r in records),
        )  # fmt: skip


def withdrawn_key(target: Target) -> Iterator[Observation]:
    """Find statements that a key signed beyond what its rotation, suspension or revocation lets count."""
    target.scope.require_statements()
    found = sorted(target.scope.disowned, key=lambda d: (d.start, d.subject, d.digest))
    if found:
        yield Observation(
            tuple(Run(d.start, d.end, 1) for d in found),
            {"count": str(len(found)), "subject": found[0].subject, "since": format_instant(found[0].start),
             "status": found[0].status},
            digests=tuple(d.digest for d in found),
        )  # fmt: skip


def _require_requirement(target: Target) -> None:
    calibration = target.subject.get("calibration")
    if calibration is None or not calibration.get("required"):
        raise NotApplicable(zh="计划不要求检定或校准", en="the plan requires no calibration")


def _records(target: Target) -> list[Calibration]:
    return [c for c in target.scope.calibrations if c.device == target.subject["device"]]


RULES: Final[Mapping[str, RuleFunction]] = {
    "calibration-missing": calibration_missing,
    "calibration-expired": calibration_expired,
    "withdrawn-key": withdrawn_key,
}
