"""What a grade makes of the opinions on one emissions report. Pure: opinions in, a section of the input out.

Of each verification body the newest standing opinion counts, and of several bodies the worst, so that an
enterprise cannot ask around until somebody is content. An opinion that was taken back bars the grade until a
body that could know it has given a later one. Opinions of the enterprise itself, or of a party with its
credit code or key, count only where there is no other, and then bar the grade by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents.judging import SEVERITIES

_WORST_FIRST: Final = ("adverse", "disclaimer", "modified", "unmodified")


@dataclass(frozen=True, slots=True)
class Opinion:
    """A logged verification report; `withdrawn_at` in ms, None while it stands."""

    digest: bytes
    body: str  # party code of the verification body
    opinion: str
    level_of_assurance: str
    registered_at: int
    withdrawn_at: int | None
    is_independent: bool
    open_findings: tuple[tuple[str, str], ...]  # name, severity


def verification(opinions: Sequence[Opinion], started_by: str | None) -> tuple[dict[str, Any], list[Opinion]]:
    """Return the input's `verification`, and the standing opinions whose open findings count.

    Args:
        opinions: All on the report, in the order of their registration.
        started_by: Body that committed to a sample of the report; None: nobody did.
    """
    independent = [one for one in opinions if one.is_independent]
    relevant = independent or list(opinions)
    newest = {one.body: one for one in relevant if one.withdrawn_at is None}
    gone = [one for one in relevant if one.withdrawn_at is not None]
    last_gone = max(gone, key=lambda one: one.withdrawn_at or 0, default=None)
    standing = [
        one
        for one in newest.values()
        if last_gone is None or one.registered_at >= (last_gone.withdrawn_at or 0)
    ]
    if standing:
        worst = min(standing, key=lambda one: (_WORST_FIRST.index(one.opinion), -one.registered_at, one.body))
        return _section("verified", worst), list(newest.values())
    if last_gone is not None:
        return _section("withdrawn", last_gone), list(newest.values())
    state = "none" if started_by is None else "in_progress"
    return {
        "state": state,
        "opinion": None,
        "level_of_assurance": None,
        "body": started_by,
        "is_independent": True,
        "statement": None,
    }, []


def open_findings(opinions: Sequence[Opinion]) -> list[dict[str, str]]:
    """Return the findings that standing verification reports leave open, the most severe first."""
    rows = {(severity, f"{one.body} {name}") for one in opinions for name, severity in one.open_findings}
    ordered = sorted(rows, key=lambda row: (SEVERITIES.index(row[0]), row[1]))
    return [{"finding": name, "severity": severity} for severity, name in ordered]


def _section(state: str, one: Opinion) -> dict[str, Any]:
    return {
        "state": state,
        "opinion": one.opinion,
        "level_of_assurance": one.level_of_assurance,
        "body": one.body,
        "is_independent": one.is_independent,
        "statement": one.digest.hex(),
    }
