"""The check: a fixed list of named steps, each of which passes, fails with a reason, or is not run.

A step whose input is missing fails. A step that depends on one that did not pass is not run, and never
counts as passed. The check passes when every required step passed. Nothing inside the bundle decides what is
required: that is the trust file's. It needs no server, no node and no database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.case import Case, Progress, StepFailed
from carbonseal_verifier.chain_anchor import check_anchor, check_freshness
from carbonseal_verifier.container import check_container, check_members
from carbonseal_verifier.coverage import check_cut_off, check_registers_whole
from carbonseal_verifier.disclosure import check_contents, check_continuity
from carbonseal_verifier.log_proofs import check_epochs, check_log_proofs
from carbonseal_verifier.parties import check_parties
from carbonseal_verifier.recompute_steps import (
    check_completeness,
    check_packages,
    check_recompute,
    check_rules,
)
from carbonseal_verifier.report_step import check_report
from carbonseal_verifier.signatures import check_signatures

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
_MAX_REASON: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Step:
    """A named step: what must have passed before, and the function that returns a reason or raises."""

    name: str
    after: tuple[str, ...]
    run: Callable[[Case], str]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step."""

    name: str
    required: bool
    outcome: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return {name, required, outcome, reason}."""
        return {"name": self.name, "required": self.required, "outcome": self.outcome, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All steps in order, and who published the trust file they were judged by."""

    trust: TrustFile
    steps: tuple[StepResult, ...]

    @property
    def has_passed(self) -> bool:
        """Whether every required step passed."""
        return all(step.outcome == PASSED for step in self.steps if step.required)

    def to_json(self) -> dict[str, Any]:
        """Return {passed, publisher, label, trust_digest, trust_signer, steps}."""
        return {
            "passed": self.has_passed,
            "publisher": self.trust.publisher,
            "label": self.trust.label,
            "trust_digest": self.trust.digest.hex(),
            "trust_signer": None if self.trust.signed_by is None else self.trust.signed_by.raw.hex(),
            "steps": [step.to_json() for step in self.steps],
        }


def signer_words(trust: TrustFile) -> str:
    """Return which key signed the trust file, as the check shows it; whose it is, no file can say."""
    if trust.signed_by is None:
        return "NOT SIGNED"
    return f"signed by key {trust.signed_by.kid.hex()[:16]}… (raw public key {trust.signed_by.raw.hex()})"


def check_trust_file(case: Case) -> str:
    """State whose trust this check applies; reading it has already succeeded."""
    return f'published by {case.trust.publisher} ("{case.trust.label}"), {signer_words(case.trust)}'


STEPS: Final = (
    Step("trust-file", (), check_trust_file),
    Step("container", ("trust-file",), check_container),
    Step("members", ("container",), check_members),
    Step("parties", ("members",), check_parties),
    Step("signatures", ("parties",), check_signatures),
    Step("contents", ("parties",), check_contents),
    Step("continuity", ("contents",), check_continuity),
    Step("log-proofs", ("parties",), check_log_proofs),
    Step("epochs", ("log-proofs",), check_epochs),
    Step("anchor", ("epochs",), check_anchor),
    Step("registers-whole", ("anchor",), check_registers_whole),
    Step("freshness", ("registers-whole", "contents"), check_freshness),
    Step("cut-off", ("anchor", "contents"), check_cut_off),
    Step("packages", ("parties", "contents"), check_packages),
    Step("completeness", ("packages", "cut-off"), check_completeness),
    Step("recompute", ("completeness",), check_recompute),
    Step("rules", ("recompute",), check_rules),
    Step("report", ("rules",), check_report),
)


def run_check(
    bundle: BinaryIO,
    *,
    trust: TrustFile,
    at: int,
    rpc_url: str | None = None,
    report: Callable[[StepResult], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> CheckResult:
    """Return the outcome of every step on one bundle.

    Args:
        bundle: the bundle's bytes, read once from the start.
        trust: what the relying party believes.
        at: instant of the check in ms, against which freshness is judged.
        rpc_url: JSON-RPC address of a node to compare the anchor with.
        report: called with each step's result as it comes.
        progress: called with a short note during long steps.
    """
    return examine(bundle, trust=trust, at=at, rpc_url=rpc_url, report=report, progress=progress)[0]


def examine(
    bundle: BinaryIO,
    *,
    trust: TrustFile,
    at: int,
    rpc_url: str | None = None,
    report: Callable[[StepResult], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> tuple[CheckResult, Case]:
    """Return the outcome as `run_check` does, and the case itself, for whoever works on with what it found.

    What a step sets is there only if that step has passed (`recomputed` as soon as it was computed).
    """
    case = Case(trust=trust, stream=bundle, at=at, rpc_url=rpc_url, progress=progress)
    outcomes: dict[str, str] = {}
    results: list[StepResult] = []
    for step in STEPS:
        missing = [name for name in step.after if outcomes[name] != PASSED]
        if missing:
            outcome, reason = NOT_RUN, f"needs {missing[0]}"
        else:
            outcome, reason = _run(step, case)
        outcomes[step.name] = outcome
        results.append(StepResult(step.name, _is_required(step, case), outcome, _one_line(reason)))
        report(results[-1])
    return CheckResult(trust, tuple(results)), case


def _run(step: Step, case: Case) -> tuple[str, str]:
    try:
        return PASSED, step.run(case)
    except StepFailed as error:
        return FAILED, str(error)
    except CarbonsealError as error:
        return FAILED, f"{error.field}: {error.reason}"
    except MemoryError:
        return FAILED, "the bundle needs more memory than there is"
    except Exception as error:  # noqa: BLE001 - hostile input must end as a failed step, never as a traceback
        return FAILED, f"can't be checked ({type(error).__name__}: {error!s:.120})"


def _is_required(step: Step, case: Case) -> bool:
    return step.name != "anchor" or case.trust.is_anchor_required or case.rpc_url is not None


def _one_line(reason: str) -> str:
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason)
    return clean if len(clean) <= _MAX_REASON else clean[: _MAX_REASON - 1] + "…"
