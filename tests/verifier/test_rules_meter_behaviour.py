"""Rules of meter behaviour: each with a passing, a failing and a missing-input example."""

from __future__ import annotations

import pytest
from quality_scopes import START, STEP, ScopeBuilder

WAVE = [10 + i % 7 for i in range(96)]
REGISTER = [1000 + 5 * i for i in range(97)]


def day(values=WAVE, **changes) -> ScopeBuilder:
    return ScopeBuilder().point(**changes).readings(values)


@pytest.mark.parametrize("rule", ["stuck", "spike", "over-capacity", "negative-amount", "unlike-plan"])
def test_an_ordinary_day_passes(rule):
    assert day(capacity_per_hour="400").outcome(rule) == "passed"


@pytest.mark.parametrize("rule", ["stuck", "spike", "unlike-plan", "duplicate", "clock-offset"])
def test_a_declared_point_without_readings_fails(rule):
    assert ScopeBuilder().point().outcome(rule) == "failed"


def test_stuck_finds_a_constant_fill_and_its_extent():
    (found,) = day([*WAVE[:40], *["13.7"] * 20, *WAVE[60:]]).findings("stuck")
    assert (found.runs[0].start, found.runs[0].count) == (START + 40 * STEP, 20)


def test_stuck_leaves_a_meter_at_zero_alone():
    assert day([*WAVE[:40], *[0] * 30, *WAVE[70:]]).outcome("stuck") == "passed"


def test_stuck_leaves_values_of_a_few_resolution_steps_alone():
    assert day(["0.02"] * 60 + ["0.03"] * 36).outcome("stuck") == "passed"


def test_spike_is_major_when_no_load_of_the_plant_could_give_it():
    (found,) = day([*WAVE[:50], 9999, *WAVE[51:]]).findings("spike")
    assert (found.severity, found.count, found.runs[0].start) == ("major", 1, START + 50 * STEP)


def test_spike_is_minor_when_it_only_stands_out():
    (found,) = day([*WAVE[:50], 25, *WAVE[51:]]).findings("spike")
    assert found.severity == "minor"


def test_spike_reads_a_register_by_its_steps():
    values = [*REGISTER[:50], *[v + 90_000 for v in REGISTER[50:]]]
    (found,) = day(values, form="register").findings("spike")
    assert found.runs[0].start == START + 49 * STEP


def test_spike_says_nothing_about_a_handful_of_readings():
    assert day([1, 2, 10_000]).outcome("spike") == "not_applicable"


def test_stuck_is_not_judged_on_fewer_readings_than_its_run():
    assert day([7] * 15).outcome("stuck") == "not_applicable"
    assert day([7000] * 16).outcome("stuck") == "failed"


def test_over_capacity_is_not_judged_without_a_capacity():
    assert day().outcome("over-capacity") == "not_applicable"


def test_values_that_are_all_absent_are_not_judged():
    for rule in ("negative-amount", "stuck", "spike"):
        assert day([None] * 96).outcome(rule) == "not_applicable"


def test_a_rule_passes_where_one_of_two_points_could_be_judged():
    builder = day(capacity_per_hour="400").point("b").readings(WAVE, "b")
    assert builder.outcome("over-capacity") == "passed"


def test_over_capacity_compares_rates_not_amounts():
    assert day([99] * 95 + [101], capacity_per_hour="400").findings("over-capacity")[0].count == 1
    values = [0, *[400 * 26] * 96]
    (found,) = day(values, form="register", capacity_per_hour="400").findings("over-capacity")
    assert found.runs[0].start == START


def test_negative_step_passes_a_rising_register():
    assert day(REGISTER, form="register").outcome("negative-step") == "passed"


def test_negative_step_is_critical_when_a_register_goes_back():
    (found,) = day([*REGISTER[:60], *REGISTER[:37]], form="register").findings("negative-step")
    assert found.severity == "critical"
    assert "from 1295 to 1000" in found.observed["en"]


def test_a_register_that_goes_back_is_said_once_and_not_again_as_a_spike():
    assert day([*REGISTER[:60], *REGISTER[:37]], form="register").outcome("spike") == "passed"


def test_a_roll_over_counts_only_by_the_plans_modulus():
    values = [99_990 + 5 * i if i < 2 else 5 * (i - 2) for i in range(97)]
    assert day(values, form="register", register_modulus="100000").outcome("negative-step") == "passed"
    assert day(values, form="register").findings("negative-step")


def test_a_reset_from_the_middle_of_the_register_is_no_roll_over():
    values = [50_000, *range(0, 96 * 5, 5)]
    assert day(values, form="register", register_modulus="100000").findings("negative-step")


def test_negative_amount_is_found_and_summed():
    (found,) = day([*WAVE[:10], -3, -4, *WAVE[12:]]).findings("negative-amount")
    assert (found.count, found.runs[0].count) == (2, 2)
    assert "together -7" in found.observed["en"]


def test_unlike_plan_finds_readings_in_another_unit():
    builder = day(WAVE[:48])
    (found,) = builder.readings(WAVE[48:], start=START + 48 * STEP, unit="MW.h").findings("unlike-plan")
    assert "48 readings as interval MW.h" in found.observed["en"]


def test_rules_for_registers_do_not_apply_to_intervals():
    assert day().outcome("negative-step") == "not_applicable"


def test_stuck_finds_a_register_that_stands_still_at_a_plant_that_never_does():
    values = [*range(1000, 1200, 5), *[1200] * 32, *range(1205, 1330, 5)]
    builder = day(values, form="register")
    (found,) = builder.findings("stuck")
    assert (found.severity, found.runs[0].start) == ("major", START + 40 * STEP)
    assert builder.outcome("spike") == "passed"


def test_stuck_leaves_a_register_alone_that_stands_still_most_of_the_time():
    assert day([1000] * 60 + list(range(1000, 1036)), form="register").outcome("stuck") == "passed"


def test_stuck_leaves_a_line_alone_that_is_switched_off_again_and_again():
    values, state = [], 0
    for i in range(96):
        state += 0 if i % 32 < 17 else 9
        values.append(state)
    assert day(values, form="register").outcome("stuck") == "passed"
