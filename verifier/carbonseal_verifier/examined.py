"""What every act of a verification body begins with: its own trust file, one report, and the whole check.

The steps are printed as `check` prints them. What an act needs to know from a step is asked for by name, and
an act on a bundle that did not get so far is refused. An act is about one report: the bundle's only one, or
the one that is named.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from carbonseal_attest.instants import parse_instant
from carbonseal_verifier import text_report
from carbonseal_verifier.case import Case
from carbonseal_verifier.check import PASSED, CheckResult, StepResult, examine
from carbonseal_verifier.errors import SamplingRefused, UsageInvalid
from carbonseal_verifier.paths import open_input, read_trust

_PIECE: Final = 1 << 20  # bytes read at a time
_SHOWN: Final = 10  # digests in a refusal
Print = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Examined:
    """A bundle's report after the check: its outcome, its case, and the SHA-256 of the file."""

    result: CheckResult
    case: Case
    bundle_digest: bytes

    def outcome(self, name: str) -> str:
        """Return what became of a step."""
        return next(step.outcome for step in self.result.steps if step.name == name)

    def require(self, name: str, why: str) -> None:
        """Refuse to go on unless a step has passed.

        Raises:
            SamplingRefused: it has not; `why` says what is needed of it.
        """
        step = next(step for step in self.result.steps if step.name == name)
        if step.outcome != PASSED:
            reason = f"step {name} is {step.outcome} ({step.reason}), and {why}"
            raise SamplingRefused("bundle", reason, "get the bundle or the trust file again")


def add_bundle(parser: argparse.ArgumentParser, *, is_option: bool = False) -> None:
    """Add the arguments that name bundle, trust file and time."""
    if is_option:
        parser.add_argument("--bundle", type=Path, required=True, help="the bundle that it is about")
    else:
        parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--report", metavar="DIGEST", help="which of the bundle's reports, by its statement's digest"
    )
    add_trust(parser)
    parser.add_argument("--at", metavar="INSTANT", help="judge freshness at this instant; default: now")


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the trust file."""
    parser.add_argument("--trust", type=Path, required=True, help="your own trust file")


def examine_bundle(arguments: argparse.Namespace, *, show: Print | None = None) -> Examined:
    """Check the bundle that the arguments name, and return what came of it.

    `show` prints each line of the check; None prints on standard error.
    """
    trust = read_trust(arguments.trust)
    tell = show or _to_stderr
    at = now() if arguments.at is None else parse_instant(arguments.at, field="--at")

    def report(step: StepResult) -> None:
        tell(text_report.step_line(step))

    digest = hashlib.sha256()
    with open_input(arguments.bundle, "bundle", "give the path of a bundle") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
        stream.seek(0)
        tell(text_report.opening(trust))
        result, cases = examine(stream, trust=trust, at=at, report=report)
    tell(text_report.closing(result))
    case = _chosen(cases, arguments.report)
    if hasattr(case, "about"):
        result = result.on(case.about.digest)
    return Examined(result, case, digest.digest())


def _chosen(cases: Sequence[Case], wanted: str | None) -> Case:
    """Return the case that was asked for; a bundle that could not be read has one, about no report."""
    if not hasattr(cases[0], "about"):
        return cases[0]
    named = [c for c in cases if wanted is not None and c.about.digest.hex() == wanted.strip().lower()]
    if named or (wanted is None and len(cases) == 1):
        return named[0] if named else cases[0]
    digests = ", ".join(case.about.digest.hex() for case in cases[:_SHOWN])
    reason = "names no report of the bundle" if wanted is not None else f"the bundle has {len(cases)} reports"
    raise UsageInvalid("--report", reason, f"give one of {digests}")


def read_file(path: Path, field: str, limit: int) -> bytes:
    """Return a file's bytes, at most `limit`.

    Raises:
        UsageInvalid: it cannot be opened, or is longer.
    """
    with open_input(path, field, "give the path of such a file") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise UsageInvalid(field, f"longer than {limit} bytes", "give the file that the tool wrote")
    return data


def now() -> int:
    """Return the present instant in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
