"""From logged statements to a scope: what the service signs and what `check` re-runs share this door.

Only what a bundle of the period carries may count, or the two sides would differ: readings, gaps, declared
values and downgrades that touch the period and were not registered before it began; ticks; calibrations of
either log. What was taken back does not count, and what corrects readings counts in their place. A withheld
content is simply not there, and completeness says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from carbonseal_accounting.activity import SourceContent
from carbonseal_attest.commit_delay import is_imported_late, is_late
from carbonseal_attest.identity.devices import DeviceKey, fold_device_keys
from carbonseal_verifier.continuity import find_breaks, find_restarts
from carbonseal_verifier.corrections import Correction, acts_by_statement, correction_of, touches
from carbonseal_verifier.logged import LoggedStatement, disclosed
from carbonseal_verifier.quality.grid import Gap
from carbonseal_verifier.quality.profile import Profile
from carbonseal_verifier.quality.scope import Calibration, Disowned, StreamBreak
from carbonseal_verifier.quality.series_index import Provenance, SeriesIndex
from carbonseal_verifier.tick_timeline import TickTimeline

__all__ = ["LoggedStatement", "PeriodInputs", "disclosed", "gather_inputs"]

_STATED: Final = frozenset({"declared_activity", "downgrade"})


@dataclass(slots=True)
class PeriodInputs:
    """What one period's statements hold, in log order; what was corrected, in the place of what it replaces.

    `as_of` is the time of the last tick; `signer_classes` counts readings statements by class of the signer;
    `documents` are the statement digests of documents that declared values name and that are there;
    `other_plan` are declared values and downgrades of the installation that name another plan.
    """

    as_of: int
    index: SeriesIndex = field(default_factory=SeriesIndex)
    sources: list[SourceContent] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)
    breaks: list[StreamBreak] = field(default_factory=list)
    signer_classes: dict[str, int] = field(default_factory=dict)
    disowned: list[Disowned] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    documents: frozenset[bytes] = frozenset()
    other_plan: list[LoggedStatement] = field(default_factory=list)

    def relied_upon(self) -> frozenset[bytes]:
        """Return the digests of the statements that the period's figures rest on."""
        return frozenset(source.digest for source in self.sources) | self.documents


def gather_inputs(
    register: Sequence[LoggedStatement],
    data: Sequence[LoggedStatement],
    *,
    period: tuple[int, int],
    profile: Profile,
    plan_digest: bytes,
    installation: str,
) -> PeriodInputs:
    """Return the inputs of a period.

    Args:
        register: entries of the register log up to the cut-off, in log order.
        data: entries of the data log up to the cut-off, from the period's first possible index at the latest.
        period: (start, end) in ms, half-open.
        profile: its commit delay decides what is late.
        plan_digest: statement digest of the plan; declared values and downgrades name it.
        installation: subject of the plan's statement.

    Raises:
        SeriesInvalid: more readings than one index holds.
        CorrectionRefused: a correction leads to something that cannot stand in the readings' place.
    """
    start, end = period
    timeline = TickTimeline.of(
        (e.index, e.content.body["at"]) for e in data if e.content is not None and e.content.kind == "tick"
    )
    inputs = PeriodInputs(as_of=timeline.last or 0)
    keys = fold_device_keys((e.index, e.content) for e in register)
    acts = acts_by_statement(register)
    log = {entry.statement.digest: entry for entry in data} if acts else {}
    for entry in data:
        content = entry.content
        if content is None or content.kind not in {"readings", "gap"} or content.interval is None:
            continue
        if not touches(content.interval, period):
            continue
        origin = _provenance(entry, content.interval, timeline, start, profile.commit_delay_ms)
        if origin.registered_by is not None and origin.registered_by < start:
            continue
        correction = correction_of(entry, acts, log, period=period)
        if correction is None:
            _take(inputs, entry, content.kind, content.body, origin, keys.get(entry.statement.header.kid))
        else:
            inputs.corrections.append(correction)
            _take_corrected(inputs, correction, origin, period)
    _gather_stated(inputs, data, timeline, period, frozenset(acts), (plan_digest, installation))
    inputs.calibrations = [
        Calibration(
            e.content.body["device"],
            e.content.body["calibrated_at"],
            e.content.body["valid_until"],
            e.statement.digest,
        )
        for e in (*register, *data)
        if e.content is not None and e.content.kind == "calibration" and e.statement.digest not in acts
    ]
    restarts = find_restarts(register)
    inputs.breaks = [
        StreamBreak(b.subject, b.stream, b.sequence, b.at, b.problem, b.digest)
        for b in find_breaks(data, restarts)
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


def _take_corrected(
    inputs: PeriodInputs, correction: Correction, origin: Provenance, period: tuple[int, int]
) -> None:
    """Take what replaces readings, at their place and with their registration: only values are the party's.

    Whoever corrects late readings does not make them timely, and a correction of the same values changes no
    amount.
    """
    entry = correction.replacement
    header = None if entry is None else entry.statement.header
    if entry is None or header is None or entry.content is None or header.interval is None:
        return
    if not touches(header.interval, period):
        return
    body, digest = entry.content.body["readings"], entry.statement.digest
    inputs.sources.append(
        SourceContent(
            "readings", digest, header.subject, header.interval, body, origin.is_late, is_corrected=True
        )
    )
    inputs.index.add(body, replace(origin, digest=digest))
    inputs.signer_classes["party"] = inputs.signer_classes.get("party", 0) + 1


def _gather_stated(
    inputs: PeriodInputs,
    data: Sequence[LoggedStatement],
    timeline: TickTimeline,
    period: tuple[int, int],
    taken_back: frozenset[bytes],
    plan: tuple[bytes, str],
) -> None:
    """Take the declared values and downgrades that stand, and find the documents that they name."""
    documents: set[bytes] = set()
    for entry in data:
        header, content = entry.statement.header, entry.content
        if header.kind not in _STATED and header.kind != "document":
            continue
        registered_by = timeline.registered_by(entry.index)
        is_earlier = registered_by is not None and registered_by < period[0]
        if is_earlier or entry.statement.digest in taken_back:
            continue
        if header.kind == "document":  # that it stands in the log is enough; its content may be withheld
            documents.add(entry.statement.digest)
        if content is None or content.interval is None:
            continue
        if content.interval[0] >= period[1] or content.interval[1] <= period[0]:
            continue
        if content.body["plan_digest"] == plan[0]:
            inputs.sources.append(
                SourceContent(
                    content.kind, entry.statement.digest, header.subject, content.interval, content.body
                )
            )
        elif header.subject == plan[1]:
            inputs.other_plan.append(entry)
    named = {s.body["document_digest"] for s in inputs.sources if s.kind == "declared_activity"}
    inputs.documents = frozenset(documents & named)


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
        is_imported=is_imported_late(
            interval, max(header.issued_at * 1000, known_at or 0), registered_by, limit_ms
        ),
    )
