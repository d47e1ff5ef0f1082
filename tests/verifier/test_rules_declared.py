"""Declared activity beside metered: each rule with a case that passes, one that fails, one without input."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest
from bundle_factory import DAY, END, OPERATOR, START, World, data, plan_body
from correcting import (
    billed,
    declare,
    document,
    downgrade,
    findings,
    metered,
    recompute,
    statements,
    withdraw,
)

from carbonseal_accounting.errors import DowngradeRefused
from carbonseal_verifier.beside_totals import source_rows
from carbonseal_verifier.quality.catalogue import load_catalogue


@pytest.fixture(scope="module")
def told():
    return billed()


@pytest.fixture
def world(told):
    return copy.deepcopy(told)


@pytest.fixture(scope="module")
def by_meter(told):
    """What the meter gives over the period, in kWh."""
    return metered(recompute(told))


def outcome(made, rule):
    return made.code.outcomes[f"{rule}@1"]


# -- declared-vs-metered ---------------------------------------------------------------------------


@pytest.mark.parametrize("share", ["0.9501", "1", "1.0499"])
def test_a_declared_amount_within_the_tolerance_passes(world, by_meter, share):
    declare(world, by_meter * Decimal(share))
    made = recompute(world)
    assert outcome(made, "declared-vs-metered") == "passed"
    assert made.code.code == "green"


@pytest.mark.parametrize(("share", "percent"), [("0.94", "-6 %"), ("1.06", "6 %"), ("0", "-100 %")])
def test_a_declared_amount_beyond_the_tolerance_is_major(world, by_meter, share, percent):
    bill = declare(world, by_meter * Decimal(share))
    made = recompute(world)
    (found,) = findings(made, "declared-vs-metered")
    assert (made.code.code, found["severity"], found["subject"]) == ("red", "major", "electricity")
    assert percent in found["observed"]["en"]
    assert bill.digest in found["digests"]


def test_the_plan_may_set_its_own_tolerance(by_meter):
    world = billed(declared_tolerance_percent="0.5")
    declare(world, by_meter * Decimal("1.01"))
    assert outcome(recompute(world), "declared-vs-metered") == "failed"


def test_a_declared_source_without_a_declared_value_fails_as_a_missing_input(world):
    made = recompute(world)
    (found,) = findings(made, "declared-vs-metered")
    assert (made.code.code, found["severity"]) == ("red", "major")
    assert "missing or unusable: a declared amount of electricity for 2026-01" in found["observed"]["en"]


def test_a_plan_with_the_meter_alone_has_nothing_to_compare():
    made = recompute(World().found().measure())
    assert outcome(made, "declared-vs-metered") == "not_applicable"
    assert outcome(made, "document-missing") == outcome(made, "downgraded") == "not_applicable"


def test_another_unit_of_the_same_dimension_is_compared_exactly(world, by_meter):
    declare(world, by_meter / 1000, unit="MW.h")
    made = recompute(world)
    assert outcome(made, "declared-vs-metered") == "passed"
    assert made.declared_activity[0]["difference_percent"] == "0"


def test_a_declared_value_that_was_withdrawn_is_missing_again(world, by_meter):
    withdraw(world, declare(world, by_meter).digest)
    assert "missing" in findings(recompute(world), "declared-vs-metered")[0]["observed"]["en"]


def test_every_value_is_compared_even_where_another_is_missing(by_meter):
    (own,) = plan_body()["source_streams"]
    other = own | {"id": "spare", "data_sources": ["meter", "ledger"]}
    world = World(source_streams=[own | {"data_sources": ["meter", "bill"]}, other]).found().measure()
    declare(world, by_meter * 2)
    assert {f["subject"] for f in findings(recompute(world), "declared-vs-metered")} == {
        "electricity",
        "spare",
    }


# -- declared-not-comparable -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"interval": (START, START + DAY)}, "not of whole civil months"),
        ({"interval": (START, END + DAY)}, "not of whole civil months"),
        ({"data_source": "laboratory"}, "does not order this data source"),
        ({"unit": "t"}, "does not fit the stream's"),
        ({"stream_id": "steam"}, "has no such source stream"),
        ({"plan_digest": b"\3" * 32}, "names another monitoring plan"),
    ],
)
def test_what_cannot_be_compared_is_named_and_does_not_stand_in(world, by_meter, facts, reason):
    made = declare(world, by_meter, **facts)
    after = recompute(world)
    (found,) = findings(after, "declared-not-comparable")
    assert reason in found["observed"]["en"]
    assert (found["severity"], found["digests"]) == ("minor", [made.digest])
    assert outcome(after, "declared-vs-metered") == "failed"


def test_two_values_for_one_interval_are_major_only_where_they_differ(world, by_meter):
    declare(world, by_meter)
    assert outcome(recompute(world), "declared-not-comparable") == "passed"
    declare(world, by_meter)
    assert findings(recompute(world), "declared-not-comparable")[0]["severity"] == "minor"
    declare(world, by_meter + 1)
    severities = [f["severity"] for f in findings(recompute(world), "declared-not-comparable")]
    assert severities == ["major", "minor"]


def test_a_period_of_which_nothing_was_declared_has_nothing_to_name(world):
    assert outcome(recompute(world), "declared-not-comparable") == "not_applicable"


def test_a_value_of_another_installation_is_none_of_its_business(world, by_meter):
    declare(world, by_meter)
    declare(world, 1, plan_digest=b"\3" * 32, subject="i-another")
    assert outcome(recompute(world), "declared-not-comparable") == "passed"


# -- document-missing ------------------------------------------------------------------------------


def test_a_declared_value_leads_to_its_document(world, by_meter):
    declare(world, by_meter)
    assert outcome(recompute(world), "document-missing") == "passed"


@pytest.mark.parametrize("kind", ["none", "readings", "withdrawn"])
def test_a_declared_value_without_a_document_statement_is_major(world, by_meter, kind):
    found = {
        "none": lambda: b"\2" * 32,
        "readings": lambda: statements(world, "readings")[0].digest,
        "withdrawn": lambda: document(world).digest,
    }[kind]()
    declare(world, by_meter, document=found)
    if kind == "withdrawn":
        withdraw(world, found)
    made = recompute(world)
    (lacking,) = findings(made, "document-missing")
    assert (made.code.code, lacking["severity"]) == ("red", "major")


def test_the_documents_content_may_be_withheld(world, by_meter):
    bill = document(world)
    declare(world, by_meter, document=bill.digest)
    del world.contents[bill.payload]
    assert outcome(recompute(world), "document-missing") == "passed"


def test_where_nothing_was_declared_no_document_is_asked_for(world):
    assert outcome(recompute(world), "document-missing") == "not_applicable"


# -- downgraded ------------------------------------------------------------------------------------


def test_without_a_downgrade_the_first_source_counts_and_the_rule_passes(world, by_meter):
    declare(world, by_meter * 2)
    made = recompute(world)
    assert outcome(made, "downgraded") == "passed"
    assert made.code.figures["declared_percent"] == "0.0000"
    assert made.activity.streams["electricity"][0].amount * 1000 == by_meter


def test_a_downgrade_that_raises_the_amount_is_minor_and_settles_the_disagreement(world, by_meter):
    bill = declare(world, by_meter * 2)
    step = downgrade(world)
    made = recompute(world)
    (found,) = findings(made, "downgraded")
    assert (made.code.code, found["severity"]) == ("green", "minor")
    assert "the meter was being repaired" in found["observed"]["en"]
    assert {step.digest, bill.digest} < set(found["digests"])
    assert made.code.figures["declared_percent"] == "100.0000"
    assert made.activity.streams["electricity"][0].amount * 1000 == by_meter * 2
    assert findings(made, "declared-vs-metered")[0]["severity"] == "minor"


@pytest.mark.parametrize("share", ["0.99", "0.9", "0"])
def test_a_downgrade_that_lowers_the_amount_is_major_however_little(world, by_meter, share):
    declare(world, by_meter * Decimal(share))
    downgrade(world)
    made = recompute(world)
    (found,) = findings(made, "downgraded")
    assert (made.code.code, found["severity"]) == ("red", "major")
    assert made.downgrades[0]["lowers"] is True
    if share != "0.99":  # within the tolerance of the comparison, and major all the same
        assert findings(made, "declared-vs-metered")[0]["severity"] == "major"


def test_a_second_downgrade_may_not_pay_either(world, by_meter):
    declare(world, by_meter * 2)
    declare(world, by_meter * Decimal("1.5"), data_source="ledger")
    downgrade(world)
    downgrade(world, "bill", "ledger")
    made = recompute(world)
    assert {f["severity"] for f in findings(made, "downgraded")} == {"major"}


def test_a_downgrade_without_a_declared_value_refuses_the_period(world):
    downgrade(world)
    with pytest.raises(DowngradeRefused, match="no declared value of bill over exactly 2026-01"):
        recompute(world)


def test_a_downgrade_that_was_withdrawn_is_no_more(world, by_meter):
    step = downgrade(world, "bill", "meter")
    with pytest.raises(DowngradeRefused, match="meter does not come after bill"):
        recompute(world)
    withdraw(world, step.digest)
    declare(world, by_meter)
    assert outcome(recompute(world), "downgraded") == "passed"


def test_completeness_keeps_judging_the_grid_of_a_downgraded_month(world, by_meter):
    world = World(source_streams=told_streams()).found().measure(
        change=lambda meter, slot, value: None if meter == "m-main" and slot < 20 else value
    )  # fmt: skip
    declare(world, by_meter * 2)
    downgrade(world)
    made = recompute(world)
    assert made.code.code == "red"
    assert findings(made, "completeness")[0]["severity"] == "major"


def told_streams():
    (own,) = plan_body()["source_streams"]
    return [own | {"data_sources": ["meter", "bill"]}]


# -- what stands beside the totals -----------------------------------------------------------------


def test_sources_of_each_month_are_listed_with_the_one_that_counts(world, by_meter):
    declare(world, by_meter * 2)
    downgrade(world)
    made = recompute(world)
    (row,) = source_rows(made.plan, made.activity)
    assert (row["counts"], [v["data_source"] for v in row["values"]]) == ("bill", ["meter", "bill", "ledger"])
    meter, bill, ledger = row["values"]
    assert (bill["difference_percent"], bill["is_within_tolerance"], ledger["value"]) == ("100", False, None)
    assert Decimal(meter["value"]) * 2 == Decimal(bill["value"]) == Decimal(row["amount"])


def test_a_statement_of_a_later_part_of_the_log_than_the_cut_off_does_not_count(world, by_meter):
    size = len(world.logs[data(OPERATOR)].entries)
    declare(world, by_meter)
    made = recompute(world, data_entries=list(enumerate(world.logs[data(OPERATOR)].entries[:size])))
    assert made.declared_activity == []


def test_the_new_rules_are_of_the_catalogue_with_both_languages():
    names = {"declared-vs-metered", "declared-not-comparable", "document-missing", "downgraded",
             "corrected-readings", "corrected-share", "second-successor"}  # fmt: skip
    rules = load_catalogue()
    assert names <= set(rules)
    assert all(rules[name].message[part][language] for name in names for part in ("expected", "cure")
               for language in ("zh", "en"))  # fmt: skip
