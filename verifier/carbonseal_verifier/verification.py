"""A verification report, composed from one examined bundle, findings and a sample.

Whoever signs and whoever checks (`opinion_check`) use the same functions, so that what a body signs is what
anybody finds again. Left out: signing and sending (`body_desk`), and how it reads (`verification_text`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents.judging import LEVELS_OF_ASSURANCE, OPINIONS
from carbonseal_verifier.admissions import PartyFacts, admissions_in, check_independence_in
from carbonseal_verifier.check import PASSED, CheckResult
from carbonseal_verifier.drawing import redraw
from carbonseal_verifier.errors import OpinionRefused
from carbonseal_verifier.examined import Examined
from carbonseal_verifier.findings_file import Finding
from carbonseal_verifier.opinion import FINDING, check_opinion, figures_of
from carbonseal_verifier.transcript import Transcript

KIND: Final = "verification_report"
SENTENCES: Final[Mapping[str, dict[str, str]]] = {
    "unmodified": {
        "zh": "依据所列准则,排放报告在所有重大方面公允反映了报告期的排放。",
        "en": "Under the criteria named, the emissions report is fair in all material respects.",
    },
    "modified": {
        "zh": "除所列不符合项的影响外,排放报告在所有重大方面公允反映了报告期的排放。",
        "en": "Except for what the findings say, the emissions report is fair in all material respects.",
    },
    "adverse": {
        "zh": "排放报告没有公允反映报告期的排放,原因见不符合项。",
        "en": "The emissions report is not fair; the findings say why.",
    },
    "disclaimer": {
        "zh": "未能获得充分、适当的证据,不发表意见。",
        "en": "Sufficient appropriate evidence was not obtained; no opinion is given.",
    },
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What people decide about a verification report; `text` None takes the usual sentence of the opinion."""

    opinion: str
    level: str
    materiality_percent: str
    criteria: str | None
    engagement: str
    text: Mapping[str, str] | None = None


def body_in(examined: Examined, kid: bytes) -> PartyFacts:
    """Return the verification body of a key by the bundle's register; it is independent of the operator.

    Raises:
        OpinionRefused: the register is not to be trusted, the role is missing, or something is shared.
    """
    for name in ("parties", "contents"):
        if examined.outcome(name) != PASSED:
            raise OpinionRefused(
                "bundle",
                f"step {name} is {examined.outcome(name)}: who is admitted and independent cannot be known",
                "get a bundle whose registers hold",
            )
    facts = admissions_in(examined.case).body_of(kid)
    check_independence_in(examined.case, facts)
    return facts


def compose(
    examined: Examined,
    signer: PartyFacts,
    wish: Wish,
    findings: Sequence[Finding],
    transcript: Transcript | None,
) -> dict[str, Any]:
    """Return the body of the verification report that these facts give.

    Raises:
        OpinionRefused: the facts forbid the opinion, findings leave drawn slots out, or the transcript is
            another body's or engagement's, or not proved to be in time.
        TranscriptInvalid, SamplingRefused: the transcript does not belong to the bundle.
    """
    if wish.opinion not in OPINIONS or wish.level not in LEVELS_OF_ASSURANCE:
        raise OpinionRefused(
            "opinion", "no such opinion or level of assurance", "see --help for those there are"
        )
    case = examined.case
    if transcript is not None:
        check_transcript(examined, transcript, kid=signer.key.kid, engagement=wish.engagement)
        _check_samples(transcript, findings)
    digest = None if transcript is None else transcript.digest
    start, end = case.about.period
    signed = case.report.content.body if case.report.content else {}
    text = SENTENCES[wish.opinion] if wish.text is None else wish.text
    body: dict[str, Any] = {
        "engagement": wish.engagement,
        "operator": case.operator.party,
        "report_digest": case.about.digest,
        "bundle_digest": examined.bundle_digest,
        "trust_digest": case.trust.digest,
        "period": {"start": start, "end": end},
        "opinion": wish.opinion,
        "opinion_text": dict(text),
        "level_of_assurance": wish.level,
        "materiality_percent": wish.materiality_percent,
        "criteria": wish.criteria or signed["method"],
        "figures": figures_of(case)
        | {f"{FINDING}{one.finding}": one.figure for one in findings if one.figure is not None},
        "findings": [one.to_body(digest) for one in findings],
        "sampling": None
        if transcript is None
        else {
            "commitment_digest": transcript.commitment_digest,
            "transcript_digest": transcript.digest,
            "drawn": transcript.drawn,
            "answered": transcript.answered,
        },
        "steps": steps_of(examined.result),
    }
    check_opinion(body, is_required=requirement(examined.result))
    return body


def steps_of(result: CheckResult) -> dict[str, str]:
    """Return step to outcome, as a verification report has them."""
    return {step.name: step.outcome for step in result.steps}


def requirement(result: CheckResult) -> Callable[[str], bool]:
    """Return what says whether the reader's trust file requires a step; an unknown one counts."""
    required = {step.name: step.required for step in result.steps}
    return lambda name: required.get(name, True)


def check_transcript(examined: Examined, transcript: Transcript, *, kid: bytes, engagement: str) -> None:
    """See that a transcript belongs to this bundle, this body and this engagement, and was fixed in time.

    Raises:
        OpinionRefused: another body committed to it, or nothing proves that it did so before the anchor.
        TranscriptInvalid, SamplingRefused: drawing again gives another transcript.
    """
    examined.require("completeness", "the transcript is drawn again from it")
    redraw(examined.case, transcript, bundle_digest=examined.bundle_digest)
    if transcript.committed_by != kid or transcript.value["engagement"] != engagement:
        raise OpinionRefused(
            "transcript", "is of another body or another engagement", "draw a sample for this engagement"
        )
    if not transcript.is_proved_in_time:
        raise OpinionRefused(
            "transcript",
            "does not prove that the commitment was logged before the anchor",
            "make it again with --service, from which the proof is fetched",
        )


def _check_samples(transcript: Transcript, findings: Sequence[Finding]) -> None:
    missing = set(transcript.unanswered())
    covered = set().union(*(one.samples for one in findings)) if findings else set()
    left = sorted(missing - covered)
    if left:
        raise OpinionRefused(
            "transcript",
            f"{len(left)} drawn slots have no answer and no finding, the first is {left[0]}",
            "write a finding whose `samples` names them",
        )
    strange = sorted(covered - missing)
    if strange:
        raise OpinionRefused(
            "findings", f"{strange[0]} is no drawn slot without an answer", "name slots of the transcript"
        )
