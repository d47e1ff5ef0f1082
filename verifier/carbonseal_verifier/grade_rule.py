"""Grade rules: what a published rule says about which low-carbon grade a period's figures earn.

Limits, titles, reasons and cures are a package's data. What no rule may loosen is fixed here and in `grade`:
only a green data code, a verified report and no open critical finding are ever graded, and a colour never
stands without its noun. Left out: reading a package (`grade_package`), an input (`grade_input`), grading it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from carbonseal_accounting.arithmetic import Rounding

CALCULATION: Final = "intensity_ratio"  # emissions / value added / industry mean
GRADES: Final = ("deep", "mid", "light", "none")  # best first
NOT_GRADABLE: Final = "not_gradable"  # a word, so that no reader takes an absent value for `none`
NOUNS: Final = {"zh": "低碳等级", "en": "low-carbon grade"}
INPUTS: Final = ("emissions", "value_added", "industry_mean", "data_code", "open_findings", "verification")
DATA_SOURCES: Final = ("reported", "metered_energy", "production", "revenue", "assets")
LEVELS_OF_ASSURANCE: Final = ("reasonable", "limited")
ACCEPTABLE_OPINIONS: Final = ("unmodified", "modified")  # no rule may accept an adverse one or a disclaimer
REASONS: Final = (  # why a period is not gradable, in the order in which they are told
    "missing-input",
    "report-in-doubt",
    "report-incomplete",
    "data-code-red",
    "data-code-pending",
    "critical-finding-open",
    "not-verified",
    "verification-withdrawn",
    "verification-not-independent",
    "opinion-not-accepted",
    "assurance-not-accepted",
    "data-source-not-accepted",
    "value-added-not-positive",
    "mean-of-another-period",
    "period-not-over",
    "rule-not-in-force",
)
Text = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GradeLevel:
    """One grade: the greatest ratio that earns it, inclusive; None has no limit."""

    grade: str
    ratio_at_most: Decimal | None
    title: Text
    reason: Text


@dataclass(frozen=True, slots=True)
class Bar:
    """One reason why a period is not gradable, and what would cure it."""

    reason: Text
    cure: Text


@dataclass(frozen=True, slots=True)
class RuleInput:
    """One input: its title, its unit (UCUM, or empty) and its meaning."""

    title: Text
    unit: str
    meaning: Text


@dataclass(frozen=True, slots=True)
class PcafRow:
    """One row of the PCAF data-quality table of business loans."""

    score: int
    data_sources: tuple[str, ...]
    is_verified: bool  # whether only verified data earn it
    meaning: Text


@dataclass(frozen=True, slots=True)
class GradeRule:
    """A grade rule that has been read and checked. `effective` is half-open, in ms; no end: None."""

    name: str  # ID@VERSION
    digest: bytes
    title: Text
    basis: Text
    effective: tuple[int, int | None]
    shown_intensity: Rounding
    shown_ratio: Rounding
    inputs: Mapping[str, RuleInput]
    accepts: Mapping[str, tuple[str, ...]]
    levels: tuple[GradeLevel, ...]
    not_gradable: Text
    bars: Mapping[str, Bar]
    pcaf: tuple[PcafRow, ...]
    examples: Mapping[str, Mapping[str, Any]] = field(repr=False)
