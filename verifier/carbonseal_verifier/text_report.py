"""The check as text: the trust file first, then one line a step with its outcome and reason."""

from __future__ import annotations

from typing import Final

from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.check import FAILED, NOT_RUN, PASSED, CheckResult, StepResult, signer_words

_WIDTH: Final = 16
_MARKS: Final = {PASSED: "passed ", FAILED: "FAILED ", NOT_RUN: "not run"}


def opening(trust: TrustFile) -> str:
    """Return the lines that say by whose word the check is made."""
    lines = (f'trust file: {trust.publisher} ("{trust.label}")', f"SHA-256 {trust.digest.hex()}")
    return "\n  ".join((*lines, signer_words(trust)))


def step_line(step: StepResult) -> str:
    """Return one step's line."""
    optional = "" if step.required else " (not required)"
    about = "" if step.report is None else f"report {step.report.hex()[:8]}: "
    return f"{step.name:{_WIDTH}} {_MARKS[step.outcome]}{optional}  {about}{step.reason}"


def closing(result: CheckResult) -> str:
    """Return the verdict in one line."""
    if result.has_passed:
        return f"PASSED: all {len(result.steps)} steps, by the trust file of {result.trust.publisher}"
    failed = next(s for s in result.steps if s.required and s.outcome != PASSED)
    about = "" if failed.report is None else f", report {failed.report.hex()[:8]}"
    return f"NOT PASSED: caught at step {failed.name}{about}"
