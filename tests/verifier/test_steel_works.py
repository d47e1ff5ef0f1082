"""The real half year of a steel works: its one known fault is found exactly, and nothing else."""

from __future__ import annotations

import pytest
from quality_scopes import STEP, ScopeBuilder, steel_rows, steel_scope

from carbonseal_attest.instants import format_instant
from carbonseal_verifier.quality.code import judge
from carbonseal_verifier.quality.scope import Scope


@pytest.fixture(scope="module")
def steel(shared_data) -> tuple[ScopeBuilder, Scope]:
    rows = steel_rows(shared_data)
    builder = steel_scope(rows)
    scope = builder.scope()
    scope.start, scope.end = rows[0][0], rows[-1][0] + STEP
    scope.plan["effective"]["start"] = scope.start
    scope.as_of = scope.end
    return builder, scope


@pytest.fixture(scope="module")
def steel_code(steel):
    return judge(steel[1])


def test_finds_exactly_the_47_intervals_of_2_january(steel_code):
    found = [f for f in steel_code.findings if f.rule == "two-sources-disagree@1"]
    assert [(f.target, f.count) for f in found] == [("co2-column", 47)]
    runs = found[0].runs
    # interval ends 08:15 to 20:30 on 2 January in Korea
    assert format_instant(runs[0].start) == "2018-01-01T23:00:00Z"
    assert format_instant(runs[-1].end) == "2018-01-02T11:30:00Z"
    assert "since 2018-01-01T23:00:00Z" in found[0].observed["en"]


def test_names_the_understatement_by_rounding_as_a_minor_matter(steel_code):
    (found,) = [f for f in steel_code.findings if f.rule == "two-sources-total@1"]
    assert found.severity == "minor"
    assert "220.83" in found.observed["en"]
    assert "238.97" in found.expected["en"]
    assert "-7.59 %" in found.observed["en"]


def test_power_factor_identity_holds_on_every_row(steel_code):
    assert steel_code.outcomes["power-factor@1"] == "passed"


def test_nothing_else_is_found_in_the_half_year(steel_code):
    assert [f.rule for f in steel_code.findings] == ["two-sources-disagree@1", "two-sources-total@1"]
    assert steel_code.code == "red"
    assert steel_code.figures["completeness_percent"] == "100.0000"


def test_a_shaved_energy_value_breaks_both_power_factor_and_second_source(shared_data):
    rows = steel_rows(shared_data)[:960]
    at = 400
    rows[at][1]["Usage_kWh"] = str(float(rows[at][1]["Usage_kWh"]) * 0.5)
    scope = steel_scope(rows).scope()
    scope.start, scope.end = rows[0][0], rows[-1][0] + STEP
    scope.plan["effective"]["start"] = scope.start
    found = {(f.rule, f.target): f for f in judge(scope).findings}
    assert found["power-factor@1", "pf-lagging"].runs[0].start == rows[at][0]
