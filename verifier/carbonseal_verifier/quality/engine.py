"""Runs the catalogue over a scope: every rule on every measurement, check or stream that it applies to.

A rule applies where the plan declares its inputs. An input that is declared and not there makes the
rule fail. A rule that found nothing it could judge (no such subject, nothing declared, too few readings) is
listed as not applicable, never as passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.quality.catalogue import Rule, load_catalogue
from carbonseal_verifier.quality.findings import Finding, Observation, Run, Text
from carbonseal_verifier.quality.rules import RULE_FUNCTIONS
from carbonseal_verifier.quality.scope import InputMissing, NotApplicable, Scope, Target

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not_applicable"
_MISSING: Final = {
    "expected": {"zh": "计划声明的输入存在：{what}", "en": "the input that the plan declares: {what}"},
    "observed": {"zh": "输入缺失或不可用：{what}", "en": "missing or unusable: {what}"},
    "cure": {"zh": "补交该输入，或修订监测计划", "en": "File the input, or amend the monitoring plan"},
}
_NO_SUBJECT: Final = {"zh": "没有适用的对象", "en": "nothing here that it applies to"}
# With no readings at all, `completeness` says so once; the other rules of that point only count as failed.
_SPEAKS_FOR_ABSENCE: Final = "completeness"


@dataclass(frozen=True, slots=True)
class RuleResults:
    """Findings, worst first, each rule's outcome by `ID@VERSION`, and whether any rule lacked an input.

    `not_run` says why, for each rule that is not applicable.
    """

    findings: tuple[Finding, ...]
    outcomes: Mapping[str, str]
    is_lacking: bool
    not_run: Mapping[str, Text]


def run_rules(scope: Scope) -> RuleResults:
    """Return what every rule of the catalogue finds in `scope`. Deterministic."""
    findings: list[Finding] = []
    outcomes: dict[str, str] = {}
    not_run: dict[str, Text] = {}
    is_lacking = False
    for rule in load_catalogue().values():
        outcome, why = NOT_APPLICABLE, _NO_SUBJECT
        for subject in _subjects(rule, scope):
            try:
                found, lacks = _apply(rule, subject, scope)
            except NotApplicable as reason:
                why = dict(reason.why)
                continue
            findings.extend(found)
            is_lacking |= lacks
            outcome = FAILED if found or lacks or outcome == FAILED else PASSED
        outcomes[rule.reference] = outcome
        if outcome == NOT_APPLICABLE:
            not_run[rule.reference] = why
    return RuleResults(tuple(sorted(findings, key=Finding.sort_key)), outcomes, is_lacking, not_run)


def _subjects(rule: Rule, scope: Scope) -> Iterator[Mapping[str, Any]]:
    if rule.applies_to == "period":
        yield {}
        return
    subjects = {"cross_check": scope.cross_checks, "source_stream": scope.source_streams}
    for subject in subjects.get(rule.applies_to, scope.measurements):
        if rule.applies(subject):
            yield subject


def _apply(rule: Rule, subject: Mapping[str, Any], scope: Scope) -> tuple[list[Finding], bool]:
    target = Target(scope, subject, scope.profile.parameters(rule))
    name = str(subject.get("id", "period"))
    severity = scope.profile.severity(rule)
    findings: list[Finding] = []
    try:
        for seen in RULE_FUNCTIONS[rule.id](target):
            findings.append(_finding(rule, severity, name, seen))  # noqa: PERF401 - kept if an input lacks
    except (InputMissing, CarbonsealError) as error:
        if (
            rule.applies_to == "measurement"
            and scope.series(subject) is None
            and rule.id != _SPEAKS_FOR_ABSENCE
        ):
            return [], True
        what = error.what if isinstance(error, InputMissing) else str(error)
        expected, observed, cure = (
            {language: text.format(what=what) for language, text in _MISSING[part].items()}
            for part in ("expected", "observed", "cure")
        )
        worst = severity if severity in {"critical", "major"} else "major"
        run = Run(scope.start, scope.end, 1)
        # What was found before the input lacked stays found.
        return [
            *findings,
            Finding(
                rule.reference, rule.family, worst, name, (run,), expected, observed, cure, is_absence=True
            ),
        ], True
    return findings, False


def _finding(rule: Rule, severity: str, target: str, seen: Observation) -> Finding:
    return Finding(
        rule=rule.reference,
        family=rule.family,
        severity=seen.severity or severity,
        target=seen.subject or target,
        runs=seen.runs,
        expected=rule.text("expected", seen.facts),
        observed=rule.text("observed", seen.facts),
        cure=rule.text("cure", seen.facts),
        digests=seen.digests,
        is_absence=seen.is_absence,
    )
