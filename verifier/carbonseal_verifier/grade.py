"""The low-carbon grade (低碳等级): a rule, an input, and a result with the same bytes for everybody.

K = emissions / value added / industry mean is kept as a fraction and compared with the limits exactly; only
what is shown is rounded, as the rule states. Whatever bars a grade gives "not gradable" with every reason
and its cure, never "none", and shows no figure. The PCAF score (business loans) needs no grade. Nothing here
asks a clock, a file or a network. Left out: signing the result as a statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from carbonseal_accounting.arithmetic import Rounding, plain
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.grade_input import VERIFIED, WITHDRAWN, GradeInput, one_spelling
from carbonseal_verifier.grade_rule import NOT_GRADABLE, REASONS, GradeLevel, GradeRule, Text
from carbonseal_verifier.quality.code import PENDING, RED

SCHEMA: Final = "carbonseal-grade/1"
# Reasons that take from the data what a verification and a green data code lend them: PCAF score 1.
_UNRELIABLE: Final = frozenset(REASONS[1 : REASONS.index("data-source-not-accepted")])
_EVIDENCE: Final = frozenset({"data_code", "open_findings", "verification"})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the grade is what it is: a stable code and a text; a cure when it bars the grade."""

    code: str
    text: Text
    cure: Text | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade, or that there is none to give. Intensity and ratio are exact, and None when not gradable."""

    rule: GradeRule
    given: GradeInput
    grade: str  # deep, mid, light, none; or not_gradable
    label: Text
    intensity: Fraction | None
    ratio: Fraction | None
    pcaf_score: int | None
    reasons: tuple[Reason, ...]

    @property
    def is_gradable(self) -> bool:
        """Whether the input can be graded at all."""
        return self.grade != NOT_GRADABLE

    def to_json(self) -> dict[str, Any]:
        """Return the result; figures as strings, rounded as the rule states, the ratio exact beside it."""
        rule, given = self.rule, self.given
        start, end = given.period
        ratio = self.ratio
        return {
            "schema": SCHEMA,
            "rule": rule.name,
            "rule_digest": rule.digest.hex(),
            "party": given.party,
            "period": {"start": format_instant(start), "end": format_instant(end)},
            "as_of": format_instant(given.as_of),
            "grade": self.grade,
            "gradable": self.is_gradable,
            "label": dict(self.label),
            "intensity": None if self.intensity is None else shown(self.intensity, rule.shown_intensity),
            "intensity_unit": rule.inputs["industry_mean"].unit,
            "ratio": None if ratio is None else shown(ratio, rule.shown_ratio),
            "ratio_fraction": None if ratio is None else f"{ratio.numerator}/{ratio.denominator}",
            "pcaf_score": self.pcaf_score,
            "reasons": [{"code": reason.code, **reason.text} for reason in self.reasons],
            "cures": [
                {"code": reason.code, **reason.cure} for reason in self.reasons if reason.cure is not None
            ],
            "inputs_digest": given.digest.hex(),
        }

    def to_bytes(self) -> bytes:
        """Return the one spelling of the result: the same bytes for the same rule and input."""
        return one_spelling(self.to_json())


def grade_input(rule: GradeRule, given: GradeInput) -> Grade:
    """Return the grade of an input under a rule."""
    barred = _bars(rule, given)
    score = _pcaf_score(rule, given, barred)
    if barred or given.emissions is None or given.value_added is None or given.industry_mean is None:
        return Grade(rule, given, NOT_GRADABLE, rule.not_gradable, None, None, score, tuple(barred))
    intensity = Fraction(given.emissions) / Fraction(given.value_added)
    ratio = intensity / Fraction(given.industry_mean)
    rank = _rank(rule.levels, ratio)
    level, above = rule.levels[rank], rule.levels[rank - 1].ratio_at_most if rank else None
    limits = {
        name: "" if limit is None else plain(limit)
        for name, limit in (("at_most", level.ratio_at_most), ("above", above))
    }
    text = _filled(level.reason, ratio=shown(ratio, rule.shown_ratio), **limits)
    reason = Reason(f"ratio-{level.grade}", text)
    return Grade(rule, given, level.grade, level.title, intensity, ratio, score, (reason,))


def shown(value: Fraction, rounding: Rounding) -> str:
    """Return a value of zero or more as a plain decimal string, rounded once and from the exact fraction."""
    scaled = value * 10**rounding.places
    units = round(scaled) if rounding.mode == "half_even" else (2 * scaled + 1) // 2
    whole, part = divmod(units, 10**rounding.places)
    return f"{whole}.{part:0{rounding.places}d}" if rounding.places else str(whole)


def _rank(levels: Sequence[GradeLevel], ratio: Fraction) -> int:
    for rank, level in enumerate(levels[:-1]):
        if level.ratio_at_most is not None and ratio <= Fraction(level.ratio_at_most):
            return rank
    return len(levels) - 1


def _bars(rule: GradeRule, given: GradeInput) -> list[Reason]:
    missing = [_reason(rule, "missing-input", input=rule.inputs[name].title) for name in given.missing]
    critical = (given.open_findings or ()).count("critical")
    starts, ends = rule.effective
    holds = {
        "report-in-doubt": given.doubts > 0,
        "report-incomplete": given.left_out > 0,
        "data-code-red": given.data_code == RED,
        "data-code-pending": given.data_code == PENDING,
        "critical-finding-open": critical > 0,
        **_verification_bars(rule, given),
        "data-source-not-accepted": given.data_source is not None
        and given.data_source not in rule.accepts["data_sources"],
        "value-added-not-positive": given.value_added is not None and given.value_added <= 0,
        "mean-of-another-period": given.mean_period is not None and given.mean_period != given.period,
        "period-not-over": given.as_of < given.period[1],
        "rule-not-in-force": given.as_of < starts or (ends is not None and given.as_of >= ends),
    }
    counts = {"report-in-doubt": given.doubts, "report-incomplete": given.left_out}
    return missing + [
        _reason(rule, code, count=str(counts.get(code, critical))) for code in REASONS[1:] if holds[code]
    ]


def _verification_bars(rule: GradeRule, given: GradeInput) -> dict[str, bool]:
    known = given.verification
    is_verified = known is not None and known.state == VERIFIED
    return {
        "not-verified": known is not None and known.state not in {VERIFIED, WITHDRAWN},
        "verification-withdrawn": known is not None and known.state == WITHDRAWN,
        "verification-not-independent": known is not None
        and (known.body == given.party or not known.is_independent),
        "opinion-not-accepted": known is not None
        and is_verified
        and known.opinion not in rule.accepts["opinions"],
        "assurance-not-accepted": known is not None
        and is_verified
        and known.level_of_assurance not in rule.accepts["levels_of_assurance"],
    }


def _pcaf_score(rule: GradeRule, given: GradeInput, barred: Sequence[Reason]) -> int | None:
    if given.data_source is None:
        return None
    is_verified = not _EVIDENCE & set(given.missing) and not _UNRELIABLE & {r.code for r in barred}
    for row in rule.pcaf:
        if given.data_source in row.data_sources and (is_verified or not row.is_verified):
            return row.score
    return None  # a rule that left a source without a score was refused when it was read


def _reason(rule: GradeRule, code: str, **values: str | Text) -> Reason:
    bar = rule.bars[code]
    return Reason(code, _filled(bar.reason, **values), _filled(bar.cure, **values))


def _filled(text: Text, **values: str | Text) -> Mapping[str, str]:
    """Put values in their places; not `format`, which would read more in a package's text than names."""
    filled = dict(text)
    for name, value in values.items():
        for language, words in filled.items():
            part = value if isinstance(value, str) else value[language]
            filled[language] = words.replace(f"{{{name}}}", part)
    return filled
