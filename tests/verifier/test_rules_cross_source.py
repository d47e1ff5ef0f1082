"""Cross-source rules, physics and instruments: pass, fail and missing input."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_scopes import DAY, METER, START, STEP, ScopeBuilder

from carbonseal_verifier.quality.scope import Calibration, Disowned

WAVE = [10 + i % 7 for i in range(96)]


def ratio_pair(second) -> ScopeBuilder:
    builder = ScopeBuilder().point("a").point("b", unit="t{CO2}", quantity="co2_mass")
    builder.readings(WAVE, "a").readings(second, "b")
    return builder.check(
        check="ratio", a="a", b="b", ratio="0.5", ratio_unit="kg{CO2}/(kW.h)", resolution="0.01"
    )


def rounded(values) -> list[Decimal]:
    return [(Decimal(v) / 2000).quantize(Decimal("0.01")) for v in values]


def test_two_sources_pass_within_half_a_resolution():
    assert ratio_pair(rounded(WAVE)).outcome("two-sources-disagree") == "passed"


def test_two_sources_disagree_from_the_first_changed_interval_on():
    values = [*rounded(WAVE[:30]), *[Decimal("0.02")] * 66]
    (found,) = ratio_pair(values).findings("two-sources-disagree")
    assert (found.count, found.runs[0].start) == (66, START + 30 * STEP)
    assert found.severity == "major"


def test_two_sources_fail_when_one_is_missing():
    builder = ScopeBuilder().point("a").point("b").readings(WAVE, "a")
    builder.check(check="ratio", a="a", b="b", ratio="1", ratio_unit="1", resolution="0.01")
    (found,) = builder.findings("two-sources-disagree")
    assert found.severity == "major"
    assert "missing" in found.observed["en"]


def test_two_sources_fail_when_their_units_cannot_be_compared():
    builder = ScopeBuilder().point("a").point("b", unit="m3").readings(WAVE, "a").readings(WAVE, "b")
    builder.check(check="ratio", a="a", b="b", ratio="1", ratio_unit="1", resolution="0.01")
    assert builder.findings("two-sources-disagree")


def test_totals_of_two_sources_are_judged_apart_from_their_intervals():
    builder = ratio_pair(rounded(WAVE))
    (found,) = builder.findings("two-sources-total")
    assert found.severity == "minor"


def test_a_plan_without_cross_checks_makes_the_rule_not_applicable():
    builder = ScopeBuilder().point().readings(WAVE)
    assert builder.outcome("two-sources-disagree") == "not_applicable"
    assert builder.outcome("power-factor") == "not_applicable"


def sums(parts, **changes) -> ScopeBuilder:
    builder = ScopeBuilder().point("whole").readings([30] * 96, "whole")
    builder.point("one", **changes).readings(parts, "one").point("two").readings([20] * 96, "two")
    return builder.check(check="sum", whole="whole", parts=["one", "two"], tolerance_percent="2")


def test_sub_meters_pass_within_tolerance():
    assert sums([10] * 96).outcome("sub-meter-sum") == "passed"


def test_sub_meters_of_another_unit_are_converted():
    assert sums(["0.01"] * 96, unit="MW.h").outcome("sub-meter-sum") == "passed"


def test_a_hidden_line_makes_the_sum_disagree():
    (found,) = sums([5] * 96).findings("sub-meter-sum")
    assert (found.severity, found.runs[0].start) == ("major", START)


def test_a_missing_sub_meter_fails():
    builder = ScopeBuilder().point("whole").readings([30] * 96, "whole").point("one")
    assert builder.check(check="sum", whole="whole", parts=["one"], tolerance_percent="2").findings(
        "sub-meter-sum"
    )


def power(active, reactive, factor) -> ScopeBuilder:
    builder = ScopeBuilder(slots=1).point("p").point("q", unit="kV.A.h{reactive}").point("f", unit="%")
    builder.readings([active], "p").readings([reactive], "q").readings([factor], "f")
    return builder.check(
        check="power_factor", active="p", reactive="q", power_factor="f", tolerance_points="0.01"
    )


def test_power_factor_passes_what_the_energies_give():
    assert power("3", "4", "60.00").outcome("power-factor") == "passed"
    assert power("3", "4", "60.01").outcome("power-factor") == "passed"
    assert power("3", "0", "100").outcome("power-factor") == "passed"


def test_power_factor_finds_a_changed_energy():
    assert power("2.9", "4", "60.00").findings("power-factor")[0].count == 1
    assert power("3", "4", "60.02").findings("power-factor")


def test_power_factor_is_undefined_where_nothing_flows():
    assert power("0", "0", "100").outcome("power-factor") == "not_applicable"


def test_power_factor_fails_when_an_input_is_missing():
    builder = ScopeBuilder().point("p").readings(WAVE, "p").point("q").point("f")
    builder.check(check="power_factor", active="p", reactive="q", power_factor="f", tolerance_points="0.01")
    assert builder.findings("power-factor")[0].severity == "major"


@settings(max_examples=60)
@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(-3, 3))
def test_power_factor_agrees_with_the_square_root_to_forty_digits(active, reactive, shift):
    exact = Decimal(active) * 100 / (Decimal(active) ** 2 + Decimal(reactive) ** 2).sqrt()
    printed = exact.quantize(Decimal("0.01")) + Decimal(shift) / 100
    fits = abs(printed - exact) <= Decimal("0.01")
    assert (power(active, reactive, printed).outcome("power-factor") == "passed") == fits


def calibrated(*records: tuple[int, int], cycle_days: int = 0) -> ScopeBuilder:
    builder = ScopeBuilder().point(calibration={"required": True, "cycle_days": cycle_days}).readings(WAVE)
    builder.more["calibrations"] = [Calibration(METER, low, high, b"c" * 32) for low, high in records]
    return builder


def test_calibration_in_date_passes():
    builder = calibrated((START - DAY, START + 300 * DAY))
    assert builder.outcome("calibration-missing") == builder.outcome("calibration-expired") == "passed"


@pytest.mark.parametrize("rule", ["calibration-missing", "calibration-expired"])
def test_calibration_is_not_judged_where_the_plan_requires_none(rule):
    assert ScopeBuilder().point().readings(WAVE).outcome(rule) == "not_applicable"


def test_calibration_expired_is_not_judged_without_a_record():
    assert calibrated().outcome("calibration-expired") == "not_applicable"


def test_calibration_missing_is_major():
    assert calibrated().findings("calibration-missing")[0].severity == "major"


def test_calibration_expired_within_the_period_says_since_when():
    (found,) = calibrated((START - DAY, START + DAY // 2)).findings("calibration-expired")
    assert found.runs[0].start == START + DAY // 2


def test_the_plans_cycle_ends_a_certificate_early():
    assert calibrated((START - 400 * DAY, START + 300 * DAY), cycle_days=365).findings("calibration-expired")


def test_two_certificates_that_meet_cover_the_period():
    builder = calibrated((START - DAY, START + 10 * STEP), (START + 10 * STEP, START + DAY))
    assert builder.outcome("calibration-expired") == "passed"


def test_statements_of_a_withdrawn_key_beyond_its_last_are_critical():
    builder = ScopeBuilder().point().readings(WAVE)
    assert builder.outcome("withdrawn-key") == "passed"
    builder.more["disowned"] = [Disowned(METER, START, START + STEP, "revoked", b"w" * 32)]
    (found,) = builder.findings("withdrawn-key")
    assert (found.severity, found.digests) == ("critical", (b"w" * 32,))
