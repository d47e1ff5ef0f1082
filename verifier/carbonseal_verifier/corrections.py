"""Corrections of readings: which statement stands in the place of which, as the register log says.

A party's `correction` in its register log names a readings statement and the `corrected_readings` statement
that replaces it, or nothing: then its intervals are missing. A `withdrawal` counts as a correction by
nothing. The lowest register index wins; what comes second has no effect and is a finding. What replaced
readings may be corrected in turn. A correction that does not fit is refused by name, never passed over: it
must lead to corrected readings of the same meter, by the same party, later in the data log, with no point and
no time that the readings do not have. Whatever replaces the wrong replacement is the cure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from carbonseal_attest.contents import Content
from carbonseal_verifier.errors import CorrectionRefused
from carbonseal_verifier.logged import LoggedStatement, disclosed

CORRECTED_READINGS: Final = "corrected_readings"
_NAMED_BY: Final = {"correction": "supersedes", "withdrawal": "withdraws"}


@dataclass(frozen=True, slots=True)
class TakingBack:
    """A correction or a withdrawal in the register log, by which the statement `named` no longer counts."""

    index: int
    kind: str
    digest: bytes
    issuer: str
    named: bytes
    replacement: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What became of one readings or gap statement that was taken back.

    `acts` led, one after the other, to `replacement`, or to nothing; `idle` acts came too late to have an
    effect. `interval` is that of the statement taken back.
    """

    kind: str
    device: str
    interval: tuple[int, int]
    superseded: bytes
    acts: tuple[TakingBack, ...]
    replacement: LoggedStatement | None
    idle: tuple[TakingBack, ...] = field(default=())

    @property
    def reason(self) -> str:
        """Why, in the words of the act that decided."""
        return self.acts[-1].reason


def acts_by_statement(register: Sequence[LoggedStatement]) -> dict[bytes, list[TakingBack]]:
    """Return the corrections and withdrawals of a register log by the statement they name, lowest first."""
    found: dict[bytes, list[TakingBack]] = {}
    acts = [pair for kind in _NAMED_BY for pair in disclosed(register, kind)]
    for entry, content in sorted(acts, key=lambda pair: pair[0].index):
        act = _act(entry, content)
        found.setdefault(act.named, []).append(act)
    return found


def correction_of(
    entry: LoggedStatement,
    acts: Mapping[bytes, Sequence[TakingBack]],
    log: Mapping[bytes, LoggedStatement],
    *,
    period: tuple[int, int],
) -> Correction | None:
    """Return what became of a readings or gap statement, None if nothing takes it back.

    Args:
        entry: the statement, with its content.
        acts: those of the register log up to the cut-off, see `acts_by_statement`.
        log: entries of the data log up to the cut-off, by statement digest.
        period: (start, end) in ms; of a replacement that lies outside no content is asked.

    Raises:
        CorrectionRefused: the last act leads to something that cannot stand in the statement's place.
    """
    header = entry.statement.header
    at, seen = entry.statement.digest, {entry.statement.digest}
    chain: list[TakingBack] = []
    idle: list[TakingBack] = []
    while at in acts:
        # The lowest one counts. What goes in a circle leads nowhere, so that a later one is its cure.
        act = next((one for one in acts[at] if one.replacement not in seen), None)
        if act is None:
            raise _circle(acts[at][0])
        chain.append(act)
        idle += [*(one for one in acts[at] if one is not act), *acts.get(act.digest, ())]
        if act.replacement is None:
            break
        at = act.replacement
        seen.add(at)
    if not chain:
        return None
    last = chain[-1]
    replacement = None if last.replacement is None else _replacement(entry, last, log, period)
    interval = header.interval or (0, 0)
    return Correction(
        header.kind, header.subject, interval, entry.statement.digest, tuple(chain), replacement, tuple(idle)
    )


def touches(interval: tuple[int, int], period: tuple[int, int]) -> bool:
    """Whether readings over `interval` matter to a period; one at its end closes a register's interval."""
    return interval[0] <= period[1] and interval[1] > period[0]


def _replacement(
    entry: LoggedStatement, act: TakingBack, log: Mapping[bytes, LoggedStatement], period: tuple[int, int]
) -> LoggedStatement:
    """Return the statement that an act puts in place, if it may stand there."""
    name = (act.replacement or b"").hex()[:16]
    found, own = log.get(act.replacement or b""), entry.statement.header
    if found is None:
        raise _refusal(act, f"the replacement {name} is not in the data log up to the cut-off")
    header = found.statement.header
    if own.kind != "readings":
        raise _refusal(act, f"a {own.kind} statement can be taken out, not replaced")
    if header.kind != CORRECTED_READINGS:
        raise _refusal(act, f"the replacement {name} is a {header.kind} statement, not {CORRECTED_READINGS}")
    if header.subject != own.subject:
        raise _refusal(act, f"the replacement {name} is about {header.subject}, not {own.subject}")
    if header.issuer != act.issuer:
        raise _refusal(act, f"the replacement {name} is of {header.issuer}, not of {act.issuer}")
    if found.index <= entry.index:
        raise _refusal(act, f"the replacement {name} stands before the readings that it corrects")
    (low, high), (start, end) = header.interval or (0, 0), own.interval or (0, 0)
    if low < start or high > end:
        raise _refusal(act, f"the replacement {name} reaches beyond the interval of the readings")
    if touches((low, high), period):
        _check_content(entry, act, found, name)
    return found


def _check_content(entry: LoggedStatement, act: TakingBack, found: LoggedStatement, name: str) -> None:
    if found.content is None or entry.content is None:
        raise _refusal(act, f"the content of the replacement {name} is withheld or erased")
    body = found.content.body
    if body["supersedes"] != act.named:
        raise _refusal(act, f"the replacement {name} says that it replaces another statement")
    points = {series["point"] for series in entry.content.body["series"]}
    others = sorted({series["point"] for series in body["readings"]["series"]} - points)
    if others:
        raise _refusal(act, f"the replacement {name} has the point {others[0]}, which the readings lack")


def _act(entry: LoggedStatement, content: Content) -> TakingBack:
    return TakingBack(
        entry.index,
        content.kind,
        entry.statement.digest,
        entry.statement.header.issuer,
        content.body[_NAMED_BY[content.kind]],
        content.body.get("replacement"),
        content.body["reason"],
    )


def _circle(act: TakingBack) -> CorrectionRefused:
    return CorrectionRefused(
        f"{act.kind} (entry {act.index} of the register log)",
        "goes in a circle: what it puts in place was taken back before",
        f"register another correction that supersedes {act.named.hex()} and names corrected readings that"
        " fit, or null",
    )


def _refusal(act: TakingBack, reason: str) -> CorrectionRefused:
    dangling = "" if act.replacement is None else f" {act.replacement.hex()}"
    return CorrectionRefused(
        f"{act.kind} (entry {act.index} of the register log)",
        reason,
        f"register a correction that supersedes{dangling} and names corrected readings that fit, or null",
    )
