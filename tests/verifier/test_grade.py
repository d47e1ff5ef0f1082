"""The low-carbon grade: what may never be graded, exact limits, PCAF scores, and the worked examples."""

from __future__ import annotations

import copy
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_accounting.arithmetic import Rounding
from carbonseal_verifier.errors import GradeInputInvalid
from carbonseal_verifier.grade import grade_input, shown
from carbonseal_verifier.grade_input import GradeInput, one_spelling
from carbonseal_verifier.grade_package import load_grade_rules
from carbonseal_verifier.grade_rule import GRADES, INPUTS, NOT_GRADABLE

RULE = load_grade_rules()["CARBON-EFFICIENCY@1.0.0"]
DOCUMENT = RULE.examples["examples/mid_green.json"]["input"]
ENDED = {"opinion": None, "level_of_assurance": None, "body": None}
EXAMPLES = [(rule, path) for rule in load_grade_rules().values() for path in rule.examples]


def graded(changes=None, **sections):
    document = copy.deepcopy(DOCUMENT) | (changes or {})
    for name, values in sections.items():
        document[name] = document[name] | values
    return grade_input(RULE, GradeInput.parse(one_spelling(document), RULE))


def codes(result):
    return [reason.code for reason in result.reasons]


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"emissions": {"doubts": ["1a" * 32]}}, "report-in-doubt"),
        ({"emissions": {"left_out": ["i-second-works"]}}, "report-incomplete"),
        ({"data_code": {"code": "red"}}, "data-code-red"),
        ({"data_code": {"code": "pending"}}, "data-code-pending"),
        ({"verification": {"state": "none", **ENDED}}, "not-verified"),
        ({"verification": {"state": "in_progress", **ENDED, "body": "v-surveyors"}}, "not-verified"),
        ({"verification": {"state": "withdrawn"}}, "verification-withdrawn"),
        ({"verification": {"body": "e-steelworks"}}, "verification-not-independent"),
        ({"verification": {"is_independent": False}}, "verification-not-independent"),
        ({"verification": {"opinion": "modified"}}, "opinion-not-accepted"),
        ({"verification": {"opinion": "adverse"}}, "opinion-not-accepted"),
        ({"verification": {"opinion": "disclaimer"}}, "opinion-not-accepted"),
        ({"emissions": {"data_source": "production"}}, "data-source-not-accepted"),
        ({"emissions": {"data_source": "revenue"}}, "data-source-not-accepted"),
        ({"emissions": {"data_source": "assets"}}, "data-source-not-accepted"),
        ({"value_added": {"value": "0"}}, "value-added-not-positive"),
        ({"value_added": {"value": "-0.0"}}, "value-added-not-positive"),
        ({"value_added": {"value": "-300000"}}, "value-added-not-positive"),
        (
            {"industry_mean": {"period": {"start": "2024-12-31T16:00:00Z", "end": "2025-12-31T16:00:00Z"}}},
            "mean-of-another-period",
        ),
    ],
)
def test_gives_no_grade_and_no_figure_whatever_the_ratio(sections, code):
    sections.setdefault("emissions", {}).setdefault("value", "0.1")  # would be deep green
    result = graded(**sections)
    made = result.to_json()
    assert codes(result) == [code]
    assert (made["grade"], made["gradable"]) == (NOT_GRADABLE, False)
    assert (made["intensity"], made["ratio"], made["ratio_fraction"]) == (None, None, None)
    assert [cure["code"] for cure in made["cures"]] == [code]


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("is_null", [True, False])
def test_missing_input_is_not_gradable_with_the_same_digest_for_null_and_absent(name, is_null):
    document = {**DOCUMENT, name: None} if is_null else {k: v for k, v in DOCUMENT.items() if k != name}
    result = grade_input(RULE, GradeInput.parse(one_spelling(document), RULE))
    assert (result.grade, codes(result)) == (NOT_GRADABLE, ["missing-input"])
    assert RULE.inputs[name].title["zh"] in result.reasons[0].text["zh"]
    assert result.given.digest == GradeInput.parse(one_spelling({**DOCUMENT, name: None}), RULE).digest


@pytest.mark.parametrize("spelling", [{}, {"doubts": None, "left_out": None}, {"doubts": [], "left_out": []}])
def test_no_doubts_have_one_digest_however_they_are_written(spelling):
    assert graded(emissions=spelling).given.digest == graded().given.digest
    assert graded(verification={"is_independent": True}).given.digest == graded().given.digest


def test_doubts_are_counted_in_the_reason():
    result = graded(emissions={"doubts": ["1a" * 32, "2b" * 32]})
    assert result.reasons[0].text["en"].endswith(": 2")


def test_an_input_with_nothing_in_it_tells_every_missing_one_and_has_no_score():
    result = graded(dict.fromkeys(INPUTS))
    assert codes(result) == ["missing-input"] * len(INPUTS)
    assert result.pcaf_score is None


def test_an_open_critical_finding_bars_the_grade_and_is_counted():
    rows = [{"finding": "stuck@1", "severity": severity} for severity in ("critical", "major", "critical")]
    result = graded({"open_findings": rows})
    assert codes(result) == ["critical-finding-open"]
    assert result.reasons[0].text["en"].endswith(": 2")


def test_open_findings_below_critical_leave_the_grade_to_the_data_code():
    rows = [{"finding": "stuck@1", "severity": severity} for severity in ("major", "minor", "informational")]
    assert graded({"open_findings": rows}).grade == "mid"


@pytest.mark.parametrize(
    ("as_of", "code"),
    [
        ("2026-12-31T15:59:59.999Z", ["period-not-over"]),
        ("2026-12-31T16:00:00Z", ["ratio-mid"]),
        ("2025-12-31T15:59:59.999Z", ["period-not-over", "rule-not-in-force"]),
    ],
)
def test_a_grade_asked_for_too_early_is_not_gradable(as_of, code):
    assert codes(graded({"as_of": as_of})) == code


@pytest.mark.parametrize(
    ("emissions", "grade"),
    [
        ("0", "deep"),
        ("450000", "deep"),
        ("450000.0000000000000000000000000000000001", "mid"),
        ("600000", "mid"),
        ("600000.0000000000000000000000000000000001", "light"),
        ("900000", "light"),
        ("900000.0000000000000000000000000000000001", "none"),
    ],
)
def test_limits_are_inclusive_and_exact_before_any_rounding(emissions, grade):
    assert graded(emissions={"value": emissions}).grade == grade


def test_a_ratio_without_end_is_compared_as_a_fraction():
    made = graded(
        emissions={"value": "0.6"}, value_added={"value": "3"}, industry_mean={"value": "0.3333333333"}
    ).to_json()
    assert made["ratio"] == "0.6000"
    assert made["ratio_fraction"] == "2000000000/3333333333"
    assert made["grade"] == "mid"


def test_figures_of_the_greatest_size_are_graded_without_loss():
    tiny = "0." + "0" * 57 + "1"
    result = graded(emissions={"value": "9" * 60}, value_added={"value": tiny}, industry_mean={"value": tiny})
    assert result.grade == "none"
    assert result.ratio == Fraction(int("9" * 60)) * 10**116
    assert result.to_json()["ratio"] == "9" * 60 + "0" * 116 + ".0000"


def test_a_colour_never_stands_without_its_noun():
    for value in ("1", "521199.76", "900000", "9000000"):
        result = graded(emissions={"value": value})
        assert "低碳等级" in result.label["zh"]
        assert "low-carbon grade" in result.label["en"]
        assert all("绿" not in reason.text["zh"] for reason in result.reasons)


@pytest.mark.parametrize(
    ("sections", "score"),
    [
        ({}, 1),
        ({"verification": {"level_of_assurance": "limited"}}, 1),
        ({"verification": {"state": "none", **ENDED}}, 2),
        ({"verification": {"body": "e-steelworks"}}, 2),
        ({"verification": {"is_independent": False}}, 2),
        ({"emissions": {"doubts": ["1a" * 32]}}, 2),
        ({"emissions": {"left_out": ["i-second-works"]}}, 2),
        ({"data_code": {"code": "red"}}, 2),
        ({"emissions": {"data_source": "metered_energy"}}, 2),
        ({"emissions": {"data_source": "production"}}, 3),
        ({"emissions": {"data_source": "revenue"}}, 4),
        ({"emissions": {"data_source": "assets"}}, 5),
    ],
)
def test_pcaf_score_follows_data_source_and_verification(sections, score):
    assert graded(**sections).pcaf_score == score


def test_pcaf_score_1_survives_what_says_nothing_about_the_emissions():
    assert graded(value_added={"value": "-1"}).pcaf_score == 1
    assert graded({"industry_mean": None}).pcaf_score == 1
    assert graded({"open_findings": None}).pcaf_score == 2


FIGURES = st.decimals(min_value=0, max_value=10**9, places=6).map(lambda value: format(abs(value), "f"))
POSITIVE = FIGURES.filter(lambda text: Decimal(text) > 0)


@settings(max_examples=150, deadline=None)
@given(FIGURES, FIGURES, POSITIVE, POSITIVE)
def test_more_emissions_never_earn_a_better_grade(one, other, value_added, mean):
    less, more = sorted((one, other), key=Decimal)
    better, worse = (
        graded(emissions={"value": text}, value_added={"value": value_added}, industry_mean={"value": mean})
        for text in (less, more)
    )
    assert GRADES.index(better.grade) <= GRADES.index(worse.grade)
    assert better.ratio <= worse.ratio


@settings(max_examples=100, deadline=None)
@given(FIGURES, POSITIVE, POSITIVE)
def test_same_input_gives_same_bytes_and_agrees_with_cross_multiplication(emissions, value_added, mean):
    sections = {
        "emissions": {"value": emissions},
        "value_added": {"value": value_added},
        "industry_mean": {"value": mean},
    }
    first, again = graded(**sections), graded(dict(reversed(DOCUMENT.items())), **sections)
    assert first.to_bytes() == again.to_bytes()
    product = Fraction(Decimal(value_added)) * Fraction(Decimal(mean))
    reached = [Fraction(Decimal(emissions)) <= Fraction(limit) * product for limit in ("0.6", "0.8", "1.2")]
    assert first.grade == GRADES[reached.index(True) if True in reached else 3]


@pytest.mark.parametrize(
    ("value", "half_up", "half_even"),
    [
        ("0", "0.00", "0.00"),
        ("1/3", "0.33", "0.33"),
        ("0.125", "0.13", "0.12"),
        ("1999/2000", "1.00", "1.00"),
    ],
)
def test_shown_values_are_rounded_once_from_the_fraction(value, half_up, half_even):
    assert shown(Fraction(value), Rounding(2, "half_up")) == half_up
    assert shown(Fraction(value), Rounding(2, "half_even")) == half_even
    assert shown(Fraction(5, 2), Rounding(0, "half_up")) == "3"


@pytest.mark.parametrize(("rule", "path"), EXAMPLES, ids=[f"{rule.name}/{path}" for rule, path in EXAMPLES])
def test_worked_example_of_a_published_rule_holds(rule, path):
    example = rule.examples[path]
    made = grade_input(rule, GradeInput.parse(one_spelling(example["input"]), rule)).to_json()
    made["reasons"] = [reason["code"] for reason in made["reasons"]]
    assert {key: made[key] for key in example["expected"]} == example["expected"]


def test_input_refuses_a_number_with_a_point_before_it_becomes_a_float():
    with pytest.raises(GradeInputInvalid, match="bare number"):
        GradeInput.parse(b'{"emissions": {"value": 0.1}}', RULE)
