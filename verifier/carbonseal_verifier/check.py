"""The check: a fixed list of named steps, each of which passes, fails with a reason, or is not run.

A step whose input is missing fails. A step that depends on one that did not pass is not run, and never
counts as passed. The check passes when every required step passed. Nothing inside the bundle decides what is
required: that is the trust file's. It needs no server, no node and no database.

A bundle may carry several reports. What concerns all of them is checked once; then the steps about a report
are run for each, in the order of the bundle, and the check passes when every report does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.algorithm_dates import check_algorithms
from carbonseal_verifier.case import Case, Progress, StepFailed
from carbonseal_verifier.chain_anchor import check_anchor, check_freshness
from carbonseal_verifier.closed_logs import check_closed_logs
from carbonseal_verifier.container import check_container, check_members
from carbonseal_verifier.coverage import check_cut_off, check_registers_whole
from carbonseal_verifier.disclosure import check_contents, check_continuity, check_filed
from carbonseal_verifier.log_proofs import check_epochs, check_log_proofs
from carbonseal_verifier.parties import check_parties
from carbonseal_verifier.policies import check_policies
from carbonseal_verifier.recompute_steps import (
    check_completeness,
    check_packages,
    check_recompute,
    check_rules,
)
from carbonseal_verifier.report_step import check_report
from carbonseal_verifier.signatures import check_signatures
from carbonseal_verifier.statement_times import check_times
from carbonseal_verifier.witnessing import check_witnesses

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
_MAX_REASON: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Step:
    """A named step: what must have passed before, and the function that returns a reason or raises.

    A step that `is_about_report` is run once for each report, after those that concern all of them.
    """

    name: str
    after: tuple[str, ...]
    run: Callable[[Case], str]
    is_about_report: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step; `report` is the statement digest of the report that it was about, if of one."""

    name: str
    required: bool
    outcome: str
    reason: str
    report: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """Return {name, required, outcome, reason}, and `report` where the step is about one."""
        about = {} if self.report is None else {"report": self.report.hex()}
        return {
            "name": self.name,
            **about,
            "required": self.required,
            "outcome": self.outcome,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All steps in order, and who published the trust file they were judged by."""

    trust: TrustFile
    steps: tuple[StepResult, ...]

    def on(self, report: bytes) -> CheckResult:
        """Return the outcome as far as one report is concerned: the steps for all, and its own."""
        return CheckResult(self.trust, tuple(s for s in self.steps if s.report in {None, report}))

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
            "trust_signer": None if self.trust.signed_by is None else self.trust.signed_by.text(),
            "steps": [step.to_json() for step in self.steps],
        }


def signer_words(trust: TrustFile) -> str:
    """Return which key signed the trust file, as the check shows it; whose it is, no file can say."""
    if trust.signed_by is None:
        return "NOT SIGNED"
    return f"signed by key {trust.signed_by.kid.hex()[:16]}… (raw public key {trust.signed_by.text()})"


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
    Step("policies", ("contents",), check_policies),
    Step("log-proofs", ("parties",), check_log_proofs),
    Step("epochs", ("log-proofs",), check_epochs),
    Step("anchor", ("epochs",), check_anchor),
    Step("closed-logs", ("anchor",), check_closed_logs),
    Step("algorithms", ("signatures", "anchor"), check_algorithms),
    Step("witnesses", ("algorithms", "closed-logs"), check_witnesses),
    Step("registers-whole", ("anchor",), check_registers_whole),
    Step("freshness", ("registers-whole", "contents"), check_freshness),
    Step("filed", ("contents",), check_filed, is_about_report=True),
    Step("cut-off", ("witnesses", "filed"), check_cut_off, is_about_report=True),
    Step("packages", ("parties", "filed"), check_packages, is_about_report=True),
    Step("times", ("packages", "cut-off"), check_times, is_about_report=True),
    Step("completeness", ("times",), check_completeness, is_about_report=True),
    Step("recompute", ("completeness",), check_recompute, is_about_report=True),
    Step("rules", ("recompute",), check_rules, is_about_report=True),
    Step("report", ("rules",), check_report, is_about_report=True),
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
) -> tuple[CheckResult, list[Case]]:
    """Return the outcome as `run_check` does, and the case of each report, for whoever goes on.

    What a step sets is there only if that step has passed (`recomputed` as soon as it was computed). A bundle
    that was not read as far as its reports gives one case, about none.
    """
    case = Case(trust=trust, stream=bundle, at=at, rpc_url=rpc_url, progress=progress)
    common: dict[str, str] = {}
    results: list[StepResult] = []

    def take(step: Step, case: Case, outcomes: dict[str, str], about: bytes | None) -> None:
        missing = [name for name in step.after if outcomes[name] != PASSED]
        if missing:
            outcome, reason = NOT_RUN, f"needs {missing[0]}"
        else:
            outcome, reason = _run(step, case)
        outcomes[step.name] = outcome
        results.append(StepResult(step.name, _is_required(step, case), outcome, _one_line(reason), about))
        report(results[-1])

    for step in STEPS:
        if not step.is_about_report:
            take(step, case, common, None)
    has_reports = common["members"] == PASSED
    cases = {r.digest: case.on(r) for r in case.bundle.reports} if has_reports else {}
    for about, one in cases.items() or ((None, case),):
        outcomes = dict(common)
        for step in STEPS:
            if step.is_about_report:
                take(step, one, outcomes, about)
    return CheckResult(trust, tuple(results)), list(cases.values()) or [case]


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
    return step.name != "anchor" or case.trust.limits.is_anchor_required or case.rpc_url is not None


def _one_line(reason: str) -> str:
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason)
    return clean if len(clean) <= _MAX_REASON else clean[: _MAX_REASON - 1] + "…"
