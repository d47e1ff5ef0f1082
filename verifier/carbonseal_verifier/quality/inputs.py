"""From logged statements to a scope: what the service signs and what `check` re-runs share this door.

Only what a bundle of the period carries may count, or the two sides would differ: readings and gaps that
touch the period and were not registered before it began; ticks; calibrations of either log that were not
taken back. A withheld content is simply not there, and completeness says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carbonseal_accounting.activity import SourceContent
from carbonseal_attest.contents import Content
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.commit_delay import TickTimeline, is_late
from carbonseal_verifier.continuity import find_breaks, find_restarts
from carbonseal_verifier.device_keys import DeviceKey, fold_device_keys
from carbonseal_verifier.quality.grid import Gap
from carbonseal_verifier.quality.profile import Profile
from carbonseal_verifier.quality.scope import Calibration, Disowned, StreamBreak
from carbonseal_verifier.quality.series_index import Provenance, SeriesIndex


@dataclass(frozen=True, slots=True)
class LoggedStatement:
    """An entry of a log: its index, the statement, and its content if disclosed."""

    index: int
    statement: SignedStatement
    content: Content | None


@dataclass(slots=True)
class PeriodInputs:
    """What one period's statements hold, in log order.

    `as_of` is the time of the last tick; `signer_classes` counts readings statements by class of the signer.
    """

    as_of: int
    index: SeriesIndex = field(default_factory=SeriesIndex)
    sources: list[SourceContent] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)
    breaks: list[StreamBreak] = field(default_factory=list)
    signer_classes: dict[str, int] = field(default_factory=dict)
    disowned: list[Disowned] = field(default_factory=list)


def gather_inputs(
    register: Sequence[LoggedStatement],
    data: Sequence[LoggedStatement],
    *,
    period: tuple[int, int],
    profile: Profile,
) -> PeriodInputs:
    """Return the inputs of a period.

    Args:
        register: entries of the register log up to the cut-off, in log order.
        data: entries of the data log up to the cut-off, from the period's first possible index at the latest.
        period: (start, end) in ms, half-open.
        profile: its commit delay decides what is late.

    Raises:
        SeriesInvalid: more readings than one index holds.
    """
    start, end = period
    timeline = TickTimeline.of(
        (e.index, e.content.body["at"]) for e in data if e.content is not None and e.content.kind == "tick"
    )
    inputs = PeriodInputs(as_of=timeline.last or 0)
    keys = fold_device_keys((e.index, e.content) for e in register)
    for entry in data:
        content = entry.content
        if content is None or content.kind not in {"readings", "gap"} or content.interval is None:
            continue
        # A register's reading at the very end closes its last interval.
        if content.interval[0] > end or content.interval[1] <= start:
            continue
        origin = _provenance(entry, content.interval, timeline, start, profile.commit_delay_ms)
        if origin.registered_by is not None and origin.registered_by < start:
            continue
        _take(inputs, entry, content.kind, content.body, origin, keys.get(entry.statement.header.kid))
    taken_back = {c.body["withdraws"] for _, c in disclosed(register, "withdrawal")}
    taken_back |= {c.body["supersedes"] for _, c in disclosed(register, "correction")}
    inputs.calibrations = [
        Calibration(
            e.content.body["device"],
            e.content.body["calibrated_at"],
            e.content.body["valid_until"],
            e.statement.digest,
        )
        for e in (*register, *data)
        if e.content is not None and e.content.kind == "calibration" and e.statement.digest not in taken_back
    ]
    restarts = find_restarts((e.statement, e.content) for e in register)
    inputs.breaks = [
        StreamBreak(b.subject, b.stream, b.sequence, b.at, b.problem, b.digest)
        for b in find_breaks(((e.statement, e.content) for e in data), restarts)
        if start <= b.at < end
    ]
    return inputs


def _take(
    inputs: PeriodInputs,
    entry: LoggedStatement,
    kind: str,
    body: Mapping[str, Any],
    origin: Provenance,
    key: DeviceKey | None,
) -> None:
    header = entry.statement.header
    inputs.sources.append(
        SourceContent(kind, origin.digest, header.subject, header.interval, body, origin.is_late)
    )
    if kind == "gap":
        points = frozenset(body["points"])
        inputs.gaps.append(Gap(header.subject, points, *origin.interval, body["reason"], origin.digest))
    else:
        inputs.index.add(body, origin)
        name = "party" if key is None else key.signer_class
        inputs.signer_classes[name] = inputs.signer_classes.get(name, 0) + 1
    if key is not None and key.is_beyond_withdrawal(header):
        inputs.disowned.append(Disowned(header.subject, *origin.interval, key.status, origin.digest))


def _provenance(
    entry: LoggedStatement, interval: tuple[int, int], timeline: TickTimeline, start: int, limit_ms: int
) -> Provenance:
    header = entry.statement.header
    registered_by = timeline.registered_by(entry.index)
    known_at = None if header.checkpoint is None else timeline.known_at(header.checkpoint[0])
    return Provenance(
        digest=entry.statement.digest,
        device=header.subject,
        interval=interval,
        issued_at=header.issued_at * 1000,
        registered_by=registered_by,
        known_at=None if known_at is None or known_at < start else known_at,
        is_late=is_late(interval, registered_by, limit_ms),
    )


def disclosed(entries: Iterable[LoggedStatement], kind: str) -> list[tuple[LoggedStatement, Content]]:
    """Return the entries of a kind whose content is there, with it."""
    return [(e, e.content) for e in entries if e.content is not None and e.content.kind == kind]
