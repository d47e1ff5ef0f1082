"""Data sources in the plan's order: which downgrades are refused, what a declared month says."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import measurement, plan, readings, samples, stream

from carbonseal_accounting.activity import SourceContent, derive_activity
from carbonseal_accounting.errors import DowngradeRefused, PlanRefused, TraceInvalid
from carbonseal_accounting.factors import load_factor_sets
from carbonseal_accounting.inventory import build_inventory
from carbonseal_accounting.method import load_methods
from carbonseal_accounting.periods import month_bounds
from carbonseal_accounting.trace import parts_of, reperform

DAY = 86_400_000
MONTHS = [month_bounds(2026, number, "Asia/Shanghai") for number in (1, 2, 3)]
START, END = MONTHS[0][0], MONTHS[-1][1]
ORDER = ["meter", "bill", "ledger"]
METERED = (3100, 2800, 3100)  # kWh: a hundred a day
METHODS, FACTOR_SETS = load_methods(), load_factor_sets()


def body(**changes):
    return plan(
        measurement(form="interval", step_ms=DAY), streams=[stream(**({"data_sources": ORDER} | changes))]
    )


def daily(value="100"):
    days = (END - START) // DAY
    return readings(samples([value] * days, START, DAY), form="interval", width=DAY)


def declared(value, month=0, *, source="bill", unit="kW.h", interval=None, of="grid", name=""):
    interval = interval or MONTHS[month]
    digest = hashlib.sha256(f"{value}{source}{unit}{interval}{of}{name}".encode()).digest()
    made = {
        "plan_digest": b"p" * 32, "source_stream": of, "data_source": source,
        "quantity": {"value": value, "unit": unit}, "document_digest": hashlib.sha256(digest).digest(),
    }  # fmt: skip
    return SourceContent("declared_activity", digest, "i-site", interval, made)


def downgrade(month=0, *, origin="meter", to="bill", interval=None, of="grid", reason="the meter failed"):
    interval = interval or MONTHS[month]
    digest = hashlib.sha256(f"down{interval}{origin}{to}{of}".encode()).digest()
    made = {"plan_digest": b"p" * 32, "source_stream": of, "from": origin, "to": to, "reason": reason}
    return SourceContent("downgrade", digest, "i-site", interval, made)


def derive(*contents, **changes):
    return derive_activity(body(**changes), [daily(), *contents], start_ms=START, end_ms=END)


def amounts(activity):
    return tuple(month.amount for month in activity.streams["grid"])


def inventory(*contents, **changes):
    made = body(**changes)
    activity = derive_activity(made, [daily(), *contents], start_ms=START, end_ms=END)
    return build_inventory(
        made, activity, methods=METHODS, factor_sets=FACTOR_SETS, start_ms=START, end_ms=END
    )


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ([downgrade(origin="bill", to="meter")], "meter does not come after bill"),
        ([downgrade(to="meter")], "meter does not come after meter"),
        ([downgrade(origin="bill", to="ledger")], "in 2026-01 meter counts, not bill"),
        ([downgrade(to="laboratory")], "does not order the data source laboratory"),
        ([downgrade(of="steam")], "no source stream of the plan"),
        ([downgrade(interval=(START, START + 7 * DAY))], "neither over one civil month"),
        ([downgrade(interval=(START, MONTHS[1][1]))], "neither over one civil month"),
        ([downgrade(interval=(START - DAY, MONTHS[0][1]))], "neither over one civil month"),
        ([downgrade()], "no declared value of bill over exactly 2026-01"),
        ([declared("9000", interval=(START, END)), downgrade(interval=(START, END))], "exactly 2026-01"),
        ([declared("3000", source="ledger"), downgrade()], "no declared value of bill"),
        ([declared("3000", unit="m3"), downgrade()], "no declared value of bill"),
        ([declared("-3000"), downgrade()], "no declared value of bill"),
        ([declared("3000"), downgrade(), downgrade()], "bill counts, not meter"),
    ],
)
def test_refuses_a_downgrade_that_does_not_fit(contents, reason):
    with pytest.raises(DowngradeRefused, match=reason):
        derive(*contents)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_sources": ["meter", "bill", "meter"]}, "one stands twice"),
        ({"data_sources": []}, "none"),
        ({"declared_tolerance_percent": "-1"}, "not a percentage"),
        ({"declared_tolerance_percent": "101"}, "not a percentage"),
    ],
)
def test_refuses_a_plan_whose_order_or_tolerance_says_nothing(changes, reason):
    with pytest.raises(PlanRefused, match=reason):
        derive(**changes)


def test_the_meter_counts_whatever_was_declared_until_a_downgrade_says_otherwise():
    assert amounts(derive(declared("9999"))) == METERED


def test_a_downgraded_month_takes_the_declared_amount_in_the_streams_unit_and_no_other_month_does():
    activity = derive(declared("3.25", unit="MW.h"), declared("1", 1), downgrade())
    assert amounts(activity) == (3250, 2800, 3100)
    first, second, _ = activity.streams["grid"]
    assert (first.source, second.source) == ("bill", "meter")
    assert (first.metered_amount, first.declared_amount, second.declared_amount) == (3100, 3250, 0)


def test_a_downgrade_over_the_period_wants_a_value_for_each_of_its_months():
    values = [declared(str(value), at) for at, value in enumerate((3200, 2900, 3300))]
    assert amounts(derive(*values, downgrade(interval=(START, END)))) == (3200, 2900, 3300)
    with pytest.raises(DowngradeRefused, match="exactly 2026-03"):
        derive(*values[:2], downgrade(interval=(START, END)))


def test_one_downgrade_may_follow_another_in_the_plans_order():
    chain = [downgrade(), downgrade(origin="bill", to="ledger")]
    assert amounts(derive(declared("3300", source="ledger"), *chain))[0] == 3300


def test_the_first_of_two_declared_values_counts_and_the_second_is_named():
    activity = derive(declared("3200"), declared("2000"), downgrade())
    assert amounts(activity)[0] == 3200
    twice = activity.sources["grid"].declared[1]
    assert (twice.problem, twice.differs) == ("twice", True)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (declared("1", of="steam"), "stream"),
        (declared("1", source="laboratory"), "source"),
        (declared("1", interval=(START, START + 3 * DAY)), "interval"),
        (declared("1", interval=(START - 31 * DAY, MONTHS[0][1])), "interval"),
        (declared("1", unit="parrots"), "unit"),
        (declared("1", unit="t"), "unit"),
        (declared("-1"), "negative"),
    ],
)
def test_a_declared_value_that_cannot_be_compared_says_why(content, problem):
    activity = derive(content)
    (item,) = [*activity.sources["grid"].declared, *activity.foreign]
    assert (item.problem, item.amount, list(item.months)) == (problem, None, [])
    assert amounts(activity) == METERED


def test_a_first_source_that_nobody_declared_gives_nothing_and_never_the_meter():
    assert amounts(derive(declared("3000"), data_sources=["bill", "meter"])) == (3000, 0, 0)


def test_a_downgrade_to_the_meter_takes_the_metered_amount():
    content = downgrade(1, origin="bill", to="meter")
    assert amounts(derive(declared("3000"), content, data_sources=["bill", "meter"])) == (3000, 2800, 0)


def test_nothing_of_a_declared_month_is_late_or_corrected():
    late = readings(samples(["1"] * 90, START, DAY), form="interval", width=DAY, is_late=True)
    contents = [replace(late, is_corrected=True), declared("3000"), downgrade()]
    months = derive_activity(body(), contents, start_ms=START, end_ms=END).streams["grid"]
    for name in ("late_amount", "corrected_amount"):
        assert [getattr(month, name) for month in months] == [0, 28, 31]


def test_the_declared_share_stands_beside_the_total_and_by_stream():
    made = inventory(declared("3100"), downgrade()).to_json()
    assert made["shares"]["declared_activity"] == made["by_stream"]["grid"]["shares"]["declared_activity"]
    assert Decimal(made["shares"]["declared_activity"]) == round(Decimal(3100) / 9000, 6)
    assert made["shares"]["declared"] == "0.000000"
    assert [row["data_source"] for row in made["by_stream"]["grid"]["by_month"]] == ["bill", "meter", "meter"]


def test_the_trace_of_a_declared_month_leads_to_value_document_and_downgrade_and_can_be_reperformed():
    value, step = declared("3.2", unit="MW.h"), downgrade()
    trace = inventory(value, step).to_json()["trace"]
    entry = next(item for item in trace["activity"] if item["id"] == "activity/grid/2026-01")
    assert (entry["basis"], entry["data_source"], entry["value"]) == ("declared", "bill", "3200.0")
    listed = trace["statements"][entry["statements"]]["digests"]
    wanted = {value.digest.hex(), value.body["document_digest"].hex(), step.digest.hex()}
    assert set(listed) == wanted
    assert (entry["metered"]["value"], len(entry["metered"]["parts"])) == ("3100", 1)
    (part,) = parts_of(entry)
    assert (part["measurement"], part["amount"], part["unit"]) == ("bill", "3.2", "MW.h")
    assert part["statements"] == entry["statements"]
    assert "total/total" in reperform(trace)
    entry["value"] = "3100"
    with pytest.raises(TraceInvalid, match="is not what was declared"):
        reperform(trace)


def test_plans_without_data_sources_compute_as_they_did():
    made = plan(measurement(form="interval", step_ms=DAY))
    activity = derive_activity(made, [daily()], start_ms=START, end_ms=END)
    assert amounts(activity) == METERED
    assert activity.sources["grid"].sources == ("meter",) * 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 6000), min_size=3, max_size=3),
    st.sets(st.integers(0, 2)),
    st.permutations(range(6)),
)
def test_the_order_in_which_values_and_downgrades_of_months_were_logged_changes_nothing(values, down, order):
    contents = [declared(str(value), at) for at, value in enumerate(values)]
    contents += [downgrade(at) for at in sorted(down)]
    shuffled = [contents[at] for at in order if at < len(contents)]
    made, again = inventory(*contents), inventory(*shuffled)
    assert made.total == again.total
    expected = tuple(
        Decimal(v) if at in down else m for at, (v, m) in enumerate(zip(values, METERED, strict=True))
    )
    assert amounts(made.activity) == amounts(again.activity) == expected
    shares = made.shares()
    assert 0 <= Decimal(shares["declared_activity"]) <= 1
