"""Re-performing an opinion: what anybody with the bundle and a trust file finds again about a statement file.

Signature, role and independence by the registrar's register in the bundle; figures computed again; the rules
of `opinion` applied again; the sample drawn again; the receipt verified. Left out: whether the body has taken
the opinion back since, which its own register log says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.body_desk import log_host_of, verify_receipt
from carbonseal_verifier.case import Case
from carbonseal_verifier.check import FAILED, NOT_RUN, PASSED, StepResult
from carbonseal_verifier.errors import OpinionRefused, TranscriptInvalid
from carbonseal_verifier.examined import Examined
from carbonseal_verifier.opinion import FINDING, check_opinion, figures_of
from carbonseal_verifier.statement_file import StatementFile
from carbonseal_verifier.transcript import Transcript
from carbonseal_verifier.verification import body_in, check_transcript, requirement, steps_of


def recheck(examined: Examined, file: StatementFile, transcript: Transcript | None) -> list[StepResult]:
    """Return what re-performing a verification report gives, step by step.

    `examined` is a bundle of the report that it is about; the same bundle is needed only for the transcript.
    """
    body, case = file.content.body, examined.case
    steps: list[StepResult] = []

    def step(name: str, act: Callable[[], str], *, is_required: bool = True) -> None:
        try:
            outcome, reason = PASSED, act()
        except CarbonsealError as error:
            outcome, reason = FAILED, f"{error.field}: {error.reason}"
        steps.append(StepResult(name, is_required, outcome, reason))

    step("signature", lambda: _signed(examined, file))
    step("independence", lambda: _independent(examined, file))
    step("subject", lambda: _same_report(case, body))
    step("figures", lambda: _same_figures(case, body))
    step("opinion", lambda: _allowed(examined, body))
    if body["sampling"] is None:
        steps.append(StepResult("sampling", False, NOT_RUN, "the body drew no sample"))
    elif transcript is None:
        steps.append(StepResult("sampling", False, NOT_RUN, "give its transcript with --transcript"))
    else:
        step("sampling", lambda: _same_sample(examined, file, transcript))
    if file.receipt is None:
        steps.append(StepResult("receipt", False, NOT_RUN, "the file holds none; ask the body or its log"))
    else:
        step("receipt", lambda: _receipt(case, file))
    return steps


def _signed(examined: Examined, file: StatementFile) -> str:
    facts = body_in(examined, file.statement.header.kid)
    header = file.statement.header
    admitted = examined.case.trust.algorithms.at(examined.case.at)
    file.statement.verify_signature(facts.key, admitted=admitted)
    if header.issuer != facts.party or header.origin != facts.data_origin:
        raise OpinionRefused(
            "header", f"is not of the data log of {facts.party}", "ask the body for the statement"
        )
    return f"{facts.party} ({facts.name['en']}), admitted as verification body by the bundle's register"


def _independent(examined: Examined, file: StatementFile) -> str:
    facts = body_in(examined, file.statement.header.kid)
    return f"{facts.party} shares no party, credit code or key with {examined.case.operator.party}"


def _same_report(case: Case, body: Mapping[str, Any]) -> str:
    start, end = case.about.period
    about = {"operator": case.operator.party, "report_digest": case.about.digest}
    for field, expected in {**about, "period": {"start": start, "end": end}}.items():
        if body[field] != expected:
            raise OpinionRefused(field, "is another one than the bundle's", "take the bundle of that report")
    return f"about the report {case.about.digest.hex()[:16]} of {case.operator.party}"


def _same_figures(case: Case, body: Mapping[str, Any]) -> str:
    again = figures_of(case)
    signed = {name: row for name, row in body["figures"].items() if not name.startswith(FINDING)}
    if again != signed:
        wrong = sorted(name for name in again.keys() | signed.keys() if again.get(name) != signed.get(name))
        raise OpinionRefused(f"figures.{wrong[0]}", "computing again gives another figure", "ask the body")
    if not again:
        return "none were computed, and none are stated"
    total = again["total"]["verification_body"]
    return f"{len(again) - 1} source streams and the total {total['value']} {total['unit']}, computed again"


def _allowed(examined: Examined, body: Mapping[str, Any]) -> str:
    check_opinion(body, is_required=requirement(examined.result))
    if body["bundle_digest"] == examined.bundle_digest and body["trust_digest"] == examined.case.trust.digest:
        said = {name: outcome for name, outcome in body["steps"].items() if outcome == PASSED}
        again = steps_of(examined.result)
        wrong = sorted(name for name in said if again.get(name) != PASSED)
        # Freshness is a question of when one asks: it may have held then.
        wrong = [name for name in wrong if name != "freshness"]
        if wrong:
            raise OpinionRefused(
                f"steps.{wrong[0]}", "is stated as passed, and does not pass here", "ask the body"
            )
    return f"{body['opinion']} at {body['level_of_assurance']} assurance is open on the facts stated"


def _same_sample(examined: Examined, file: StatementFile, transcript: Transcript) -> str:
    body = file.content.body
    stated = body["sampling"]
    found = {
        "commitment_digest": transcript.commitment_digest,
        "transcript_digest": transcript.digest,
        "drawn": transcript.drawn,
        "answered": transcript.answered,
    }
    if stated != found:
        raise TranscriptInvalid("transcript", "is not the one that the body signed", "ask the body for it")
    check_transcript(examined, transcript, kid=file.statement.header.kid, engagement=body["engagement"])
    return f"{transcript.drawn} slots drawn again, {transcript.answered} with a usable value"


def _receipt(case: Case, file: StatementFile) -> str:
    origin = file.statement.header.origin
    receipt = verify_receipt(file.receipt or b"", file.statement, log_host_of(case.trust, origin))
    return f"logged as entry {receipt.index} of {origin}"
