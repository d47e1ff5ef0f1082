"""Rules of time and sequence: each with a passing, a failing and a missing-input example."""

from __future__ import annotations

import pytest
from quality_scopes import DAY, METER, START, STEP, ScopeBuilder

from carbonseal_verifier.quality.engine import run_rules
from carbonseal_verifier.quality.grid import Gap, SlotCounts
from carbonseal_verifier.quality.scope import StreamBreak

WAVE = [10 + i % 7 for i in range(96)]


def day(values=WAVE, **more) -> ScopeBuilder:
    return ScopeBuilder().point().readings(values, **more)


def test_completeness_passes_a_whole_day():
    assert day().outcome("completeness") == "passed"


def test_completeness_fails_when_a_quarter_of_the_day_is_missing():
    (found,) = day(WAVE[:72]).findings("completeness")
    assert (found.severity, found.count, found.runs[0].start) == ("major", 24, START + 72 * STEP)


def test_completeness_is_minor_when_one_slot_is_missing():
    (found,) = day(WAVE[:95]).findings("completeness")
    assert (found.severity, found.count) == ("minor", 1)


def test_completeness_fails_when_the_declared_point_has_no_readings_at_all():
    builder = ScopeBuilder().point()
    (found,) = builder.findings("completeness")
    assert (found.severity, found.count) == ("major", 96)
    assert builder.outcome("stuck") == "failed"


def test_bad_quality_and_absent_values_are_no_measurements():
    assert day([None, *WAVE[1:]]).findings("completeness")[0].count == 1
    assert day(quality="bad").findings("completeness")[0].count == 96


def test_polling_jitter_does_not_empty_a_slot():
    times = [START + i * STEP + (-400 if i % 2 else 700) for i in range(96)]
    builder = ScopeBuilder().point(form="instant").readings(WAVE, times=times)
    assert builder.outcome("completeness") == "passed"


def test_declared_gap_is_listed_and_counted_apart_from_missing():
    builder = day(WAVE[:90])
    gap = Gap(METER, frozenset({"main"}), START + 90 * STEP, START + 96 * STEP, "source_silent", b"g" * 32)
    builder.more["gaps"] = [gap]
    assert builder.findings("declared-gap")[0].severity == "informational"
    assert "6 in declared gaps, 0 missing" in builder.findings("completeness")[0].observed["en"]


def test_duplicate_passes_distinct_instants():
    assert day().outcome("duplicate") == "passed"


def test_duplicate_is_major_when_one_instant_has_two_values():
    (found,) = day().readings([99], start=START + 5 * STEP).findings("duplicate")
    assert (found.severity, found.count, found.runs[0].start) == ("major", 1, START + 5 * STEP)
    assert len(found.digests) == 2


def test_duplicate_is_minor_when_a_reading_was_replayed_unchanged():
    (found,) = day().readings([WAVE[5]], start=START + 5 * STEP).findings("duplicate")
    assert found.severity == "minor"


def test_the_first_logged_of_two_readings_counts():
    scope = day().readings([99], start=START + 5 * STEP).scope()
    assert scope.ordered(scope.measurements[0]).values[5] == WAVE[5]


def test_time_order_passes_rising_times():
    assert day().outcome("time-order") == "passed"


def test_time_order_finds_a_day_end_stamp_that_landed_at_the_start_of_its_day():
    times = [START + i * STEP for i in range(1, 96)] + [START]
    (found,) = day(times=times).findings("time-order")
    assert found.count == 1
    assert f"{95 * STEP // 1000} s" in found.observed["en"]


def test_sequence_break_passes_without_breaks_and_is_critical_with_one():
    assert day().outcome("sequence-break") == "passed"
    builder = day()
    builder.more["breaks"] = [
        StreamBreak(METER, "readings/m-main", 7, START, "number 7 follows 5", b"d" * 32)
    ]
    (found,) = builder.findings("sequence-break")
    assert found.severity == "critical"
    assert "number 7 follows 5" in found.observed["en"]


def test_commit_delay_passes_in_time_and_shows_late_readings_with_the_delay():
    assert day().outcome("commit-delay") == "passed"
    late = day(is_late=True, registered_by=START + 4 * DAY)
    (found,) = late.findings("commit-delay")
    assert found.count == 96
    assert "72.0 hours" in found.observed["en"]


def test_late_readings_of_several_meters_are_one_finding_that_names_the_worst():
    builder = ScopeBuilder()
    for name, delay in (("a", 2 * DAY), ("b", 5 * DAY)):
        builder.point(name, device=f"m-{name}")
        builder.readings(WAVE, name, is_late=True, registered_by=START + DAY + delay)
    for rule in ("commit-delay", "late-share"):
        (found,) = builder.findings(rule)
        assert found.target == "2 measurements"
    assert "m-b" in builder.findings("commit-delay")[0].observed["en"]


def test_completeness_counts_late_readings_as_there():
    assert day(is_late=True).outcome("completeness") == "passed"


def test_completeness_names_the_slot_in_which_a_register_fell():
    values = [*range(1000, 1050), *range(20, 67)]
    builder = ScopeBuilder().point(form="register").readings(values)
    builder.more["counted"] = {"main": SlotCounts(96, 95, 0, 0, 1)}
    (found,) = builder.findings("completeness")
    assert (found.count, found.runs[0].start) == (1, START + 49 * STEP)


def test_completeness_names_the_slot_of_a_step_beyond_capacity():
    values = [*range(1000, 1050), *range(900_000, 900_047)]
    builder = ScopeBuilder().point(form="register", capacity_per_hour="400").readings(values)
    builder.more["counted"] = {"main": SlotCounts(96, 95, 0, 0, 1)}
    assert builder.findings("completeness")[0].runs[0].start == START + 49 * STEP


def clock(offset_s=0, since=0):
    times = [START + i * STEP for i in range(96)]
    values = [t // 1000 + (offset_s if i >= since else 0) for i, t in enumerate(times)]
    return ScopeBuilder().point("clock", quantity="clock", form="instant", unit="s").readings(values, "clock")


def test_clock_offset_passes_a_meter_whose_own_clock_is_right():
    assert clock().outcome("clock-offset") == "passed"
    assert clock(60).outcome("clock-offset") == "passed"


def test_clock_offset_finds_a_meter_whose_own_clock_jumped_and_since_when():
    (found,) = clock(600, since=40).findings("clock-offset")
    assert (found.severity, found.count, found.runs[0].start) == ("major", 56, START + 40 * STEP)
    assert "600 s" in found.observed["en"]


def test_late_share_beyond_the_profile_is_major():
    builder = day(WAVE[:80]).readings(WAVE[80:], start=START + 80 * STEP, is_late=True)
    (found,) = builder.findings("late-share")
    assert found.severity == "major"
    assert "16.6667 %" in found.observed["en"]
    assert day().outcome("late-share") == "passed"


def test_a_late_reading_never_outranks_one_in_time():
    builder = day().readings([99], start=START + 5 * STEP, is_late=True)
    assert builder.outcome("commit-delay") == "passed"


STATEMENT_RULES = ("declared-gap", "sequence-break", "commit-delay", "late-share", "withdrawn-key")


@pytest.mark.parametrize("rule", STATEMENT_RULES)
def test_rules_about_statements_are_not_judged_where_there_is_none(rule):
    assert day().outcome(rule) == "passed"
    assert ScopeBuilder().point().outcome(rule) == "not_applicable"


def test_clock_offset_is_not_judged_without_a_tick():
    assert day(registered_by=None).outcome("clock-offset") == "not_applicable"


def test_completeness_is_not_judged_where_the_plan_expects_nothing():
    builder = day()
    scope = builder.scope()
    scope.plan["effective"]["start"] = scope.end
    results = run_rules(scope)
    assert results.outcomes["completeness@1"] == "not_applicable"
    assert results.not_run["completeness@1"]["en"] == "the plan expects no readings in the period"


def test_substituted_share_is_judged_only_where_something_was_calculated():
    assert day().outcome("substituted-share") == "not_applicable"
    builder = day()
    builder.more["counted"] = {"main": SlotCounts(96, 86, 0, 0, 0, 10)}
    assert "10.4167 %" in builder.findings("substituted-share")[0].observed["en"]


def test_clock_offset_passes_clocks_within_a_minute():
    assert day(registered_by=START + DAY - 30_000).outcome("clock-offset") == "passed"


def test_clock_offset_finds_readings_from_the_future():
    (found,) = day(registered_by=START + DAY - 3_600_000).findings("clock-offset")
    assert "3600 s" in found.observed["en"]


def test_clock_offset_finds_a_signature_dated_before_the_checkpoint_it_knew():
    builder = day(known_at=START + 2 * DAY, issued_at=START + DAY, registered_by=START + 2 * DAY)
    assert builder.findings("clock-offset")
