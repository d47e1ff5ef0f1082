"""A case of a vector file, and how what came out is judged against what the file wants.

Four outcomes: `same`; `different`, which alone is a failure; `unsupported`, which names what we do not have;
and `deviation`, where we refuse on purpose and docs/spec/deviations.md says why. Whatever the code raises
that is no refusal of ours is a defect and counts as different.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.conformance.deviations import DEVIATIONS
from carbonseal_verifier.errors import UsageInvalid, VectorInvalid

Meaning = Mapping[str, Any]
ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
EITHER: Final = "either"  # Wycheproof's "acceptable"
_MAX_SHOWN: Final = 300  # characters of a reason


class Outcome(StrEnum):
    """What came of a case."""

    SAME = "same"
    DIFFERENT = "different"
    UNSUPPORTED = "unsupported"
    DEVIATION = "deviation"


class Unsupported(Exception):
    """The case needs something that we do not have; the argument names it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One vector, ready to run.

    Attributes:
        name: the vector's id, or its path, description or number.
        want: accepted, refused or either.
        run: calls the production code; returns what the input means, raises a refusal or `Unsupported`.
        code: stable code of the wanted refusal, if the file names one.
        meaning: what an accepted input must mean; only what the file says is compared.
        deviation: names the listed deviation that a refusal is, or None.
    """

    name: str
    want: str
    run: Callable[[], Meaning | None]
    code: str | None = None
    meaning: Meaning = field(default_factory=dict)
    deviation: Callable[[CarbonsealError], str | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case."""

    name: str
    outcome: Outcome
    expected: str
    observed: str
    reason: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the line of the case; `reason` only where there is something to say."""
        line = {"id": self.name, "outcome": self.outcome.value}
        line |= {"expected": self.expected, "observed": self.observed}
        return line | ({"reason": self.reason[:_MAX_SHOWN]} if self.reason else {})


def unsupported(name: str, what: str) -> Case:
    """Return a case that only says what we do not have."""

    def run() -> Meaning | None:
        raise Unsupported(what)

    return Case(name, EITHER, run)


def judge(case: Case) -> Result:
    """Run a case and compare.

    Raises:
        VectorInvalid: the vector itself cannot be read, so that it says nothing about the code.
        UsageInvalid: a key of the command line cannot be read.
    """
    expected = case.want if case.code is None else f"{case.want}: {case.code}"
    try:
        found = case.run() or {}
    except Unsupported as missing:
        return Result(case.name, Outcome.UNSUPPORTED, expected, "not run", str(missing))
    except (UsageInvalid, VectorInvalid):
        raise
    except CarbonsealError as error:
        return _judge_refusal(case, expected, error)
    except Exception as error:  # noqa: BLE001 - whatever a vector provokes is a finding, not a traceback
        reason = f"the code failed with {type(error).__name__} instead of refusing"
        return Result(case.name, Outcome.DIFFERENT, expected, "failed", reason)
    if case.want == REFUSED:
        return Result(case.name, Outcome.DIFFERENT, expected, ACCEPTED, "accepted what must be refused")
    for name, value in case.meaning.items():
        if name not in found or not _is_equal(found[name], value):
            shown = found.get(name, "nothing")
            reason = f"{name} is {_show(shown)}, not {_show(value)}"
            return Result(case.name, Outcome.DIFFERENT, expected, ACCEPTED, reason)
    return Result(case.name, Outcome.SAME, expected, ACCEPTED)


def _judge_refusal(case: Case, expected: str, error: CarbonsealError) -> Result:
    observed = f"{REFUSED}: {error.code}"
    if case.want == ACCEPTED:
        name = case.deviation(error)
        if name is not None:
            reason = f"{name}: {DEVIATIONS[name].reason}"
            return Result(case.name, Outcome.DEVIATION, expected, observed, reason)
        return Result(case.name, Outcome.DIFFERENT, expected, observed, str(error))
    if case.want == REFUSED and case.code is not None and error.code != case.code:
        return Result(case.name, Outcome.DIFFERENT, expected, observed, str(error))
    return Result(case.name, Outcome.SAME, expected, observed, str(error))


def _is_equal(left: Any, right: Any) -> bool:
    """Compare by type too, at every depth: in Python true equals 1."""
    pending = [(left, right)]
    while pending:
        a, b = pending.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, list):
            if len(a) != len(b):
                return False
            pending += zip(a, b, strict=True)
        elif isinstance(a, dict):
            if a.keys() != b.keys():
                return False
            pending += [(a[key], b[key]) for key in a]
        elif a != b:
            return False
    return True


def _show(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
