from __future__ import annotations

from fractions import Fraction

import pytest
from gateways import QUARTER, START
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_collectors.errors import PlantInvalid
from carbonseal_collectors.simulators.plant import (
    METERS,
    ClockJump,
    Gap,
    MeterReset,
    MeterSilent,
    Plant,
    Spike,
    Stuck,
)

DAY = 86_400_000
plant = Plant(seed=3, start=START)


def faulty(*faults):
    return Plant(seed=3, start=START, faults=faults)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Gap("line_9", START, START + 1), "'line_9' is none; use one of main"),
        (Spike("gas", "volume", START, START + 1, 5), "'volume' is not one of its figures"),
        (Stuck("gas", START, START), "is not after its start"),
    ],
)
def test_refuses_an_impossible_fault(fault, said):
    with pytest.raises(PlantInvalid, match=said):
        faulty(fault)


def test_refuses_a_time_before_its_start():
    with pytest.raises(PlantInvalid, match="before its start"):
        plant.show("main", "active_energy", START - 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20 * DAY))
def test_main_is_the_sum_of_its_parts_at_every_instant(after):
    at = START + after
    parts = [plant.show(name, "active_energy", at) for name in ("line_1", "line_2", "auxiliaries")]
    assert plant.show("main", "active_energy", at) == sum(parts)


def test_counters_never_fall_and_everybody_uses_something_over_a_day():
    for meter in METERS.values():
        for figure in meter.figures:
            if figure in {"active_energy", "reactive_energy", "gas_volume", "heat", "generation"}:
                shown = [plant.show(meter.name, figure, START + n * QUARTER) for n in range(97)]
                assert shown == sorted(shown), (meter.name, figure)
                assert shown[-1] > shown[0]


def test_power_factor_is_that_of_the_meters_own_energies():
    for n in range(1, 200):
        at = START + n * QUARTER
        active, reactive = (
            plant.show("main", figure, at) - plant.show("main", figure, at - QUARTER)
            for figure in ("active_energy", "reactive_energy")
        )
        shown = Fraction(plant.show("main", "power_factor", at), 10_000)
        half = Fraction(1, 20_000)
        squared = Fraction(active * active, active * active + reactive * reactive)
        assert (shown - half) ** 2 <= squared <= (shown + half) ** 2


def test_the_sun_shines_by_day_only():
    noon, midnight = START + 12 * 3_600_000, START + DAY
    assert plant.show("pv", "generation", noon) > plant.show("pv", "generation", START)
    evening = START + 20 * 3_600_000
    assert plant.show("pv", "generation", midnight) == plant.show("pv", "generation", evening)


def test_one_seed_is_one_plant_whatever_is_asked_first():
    other = Plant(seed=3, start=START)
    late = other.show("gas", "gas_volume", START + 9 * DAY)
    early = other.show("gas", "gas_volume", START + DAY + 1)
    assert early == plant.show("gas", "gas_volume", START + DAY + 1)
    assert late == plant.show("gas", "gas_volume", START + 9 * DAY)
    assert Plant(seed=4, start=START).show("gas", "gas_volume", START + DAY) != plant.show(
        "gas", "gas_volume", START + DAY
    )


def test_faults_change_what_is_shown_within_their_time_only():
    start, end = START + DAY, START + DAY + 4 * QUARTER
    inside, after = start + QUARTER, end
    gap = faulty(Gap("gas", start, end))
    with pytest.raises(MeterSilent):
        gap.show("gas", "gas_volume", inside)
    stuck = faulty(Stuck("line_1", start, end))
    assert stuck.show("line_1", "active_energy", inside) == plant.show("line_1", "active_energy", start)
    spike = faulty(Spike("gas", "gas_volume", start, end, 9_999))
    assert spike.show("gas", "gas_volume", inside) == plant.show("gas", "gas_volume", inside) + 9_999
    jump = faulty(ClockJump("pv", start, end, -7_200_000))
    assert jump.show("pv", "clock", inside) == inside // 1000 - 7200
    for one, meter, figure in (
        (gap, "gas", "gas_volume"),
        (stuck, "line_1", "active_energy"),
        (spike, "gas", "gas_volume"),
        (jump, "pv", "clock"),
    ):
        assert one.show(meter, figure, after) == plant.show(meter, figure, after)
        assert one.show(meter, figure, start - 1) == plant.show(meter, figure, start - 1)


def test_a_reset_meter_counts_from_zero_and_the_main_meter_does_not_notice():
    at = START + DAY
    reset = faulty(MeterReset("line_2", at))
    assert reset.show("line_2", "active_energy", at) == 0
    later = at + QUARTER
    assert reset.show("line_2", "active_energy", later) == (
        plant.show("line_2", "active_energy", later) - plant.show("line_2", "active_energy", at)
    )
    assert reset.show("main", "active_energy", later) == plant.show("main", "active_energy", later)
