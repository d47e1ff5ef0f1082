"""Corrections of readings: which are refused, what replaces what, and that nothing else moves."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest
from bundle_factory import (
    DAY,
    GATEWAY,
    HOUR,
    LINE,
    LOG_HOST,
    MAIN,
    OPERATOR,
    START,
    STEP,
    World,
    data,
    plan_body,
    register,
)
from correcting import (
    act,
    changed,
    correct,
    document,
    findings,
    recompute,
    replace_readings,
    same,
    statements,
    twice,
    withdraw,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest.contents import check_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.corrections import acts_by_statement, correction_of
from carbonseal_verifier.errors import CorrectionRefused
from carbonseal_verifier.logged import LoggedStatement

DATA, REGISTER = data(OPERATOR), register(OPERATOR)


@pytest.fixture(scope="module")
def told():
    return World().found().measure()


@pytest.fixture
def world(told):
    return copy.deepcopy(told)


def main_readings(world, at=1):
    return statements(world, "readings", MAIN)[at]


def amounts(made):
    """The main meter's (expected, measured, late, missing, corrected) and the stream's amount."""
    row = next(row for row in made.completeness if row["measurement"] == "main")
    (month,) = made.activity.streams["electricity"]
    keys = ("expected", "measured", "late", "missing", "corrected")
    return tuple(row[key] for key in keys), month.amount


# -- what is refused -------------------------------------------------------------------------------


def dangling(world, old):
    return b"\5" * 32


def of_another_kind(world, old):
    return document(world).digest


def other_readings(world, old):
    return main_readings(world, 2).digest


def of_another_meter(world, old):
    return replace_readings(world, old, subject=LINE).digest


def beyond_the_interval(world, old):
    start, end = old.header.interval
    return replace_readings(world, old, interval=(start, end + STEP)).digest


def before_the_interval(world, old):
    start, end = old.header.interval
    return replace_readings(world, old, interval=(start - STEP, end)).digest


def another_point(world, old):
    start = old.header.interval[0]
    series = Series.of("gas", "interval", "m3", [Sample(start, Decimal(1))], width_ms=STEP)
    return replace_readings(world, old, readings=readings_body([series])).digest


def of_another_statement(world, old):
    return replace_readings(world, old, supersedes=b"\6" * 32).digest


def itself(world, old):
    return old.digest


REFUSED = [
    (dangling, "is not in the data log up to the cut-off"),
    (of_another_kind, "is a document statement, not corrected_readings"),
    (other_readings, "is a readings statement, not corrected_readings"),
    (of_another_meter, "is about m-line, not m-main"),
    (beyond_the_interval, "reaches beyond the interval"),
    (before_the_interval, "reaches beyond the interval"),
    (another_point, "has the point gas, which the readings lack"),
    (of_another_statement, "says that it replaces another statement"),
    (itself, "goes in a circle"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_refuses_a_correction_that_leads_to_what_cannot_stand_there(world, make, reason):
    old = main_readings(world)
    act(world, old.digest, make(world, old))
    with pytest.raises(CorrectionRefused, match=reason) as caught:
        recompute(world)
    assert caught.value.field.startswith("correction (entry ")


# Not among them: readings put in the place of other readings, since to correct those is another matter.
CURABLE = [make for make, _ in REFUSED if make not in {itself, other_readings}]


@pytest.mark.parametrize("make", CURABLE)
def test_what_was_refused_is_cured_by_correcting_the_wrong_replacement(world, make):
    old = main_readings(world)
    wrong = make(world, old)
    act(world, old.digest, wrong)
    good = replace_readings(world, old, supersedes=wrong)
    act(world, wrong, good.digest)
    made = recompute(world)
    assert amounts(made)[0] == (192, 192, 0, 0, 24)
    assert made.corrections[0]["replacement"] == good.digest.hex()


def test_refuses_a_circle_of_corrections(world):
    old = main_readings(world)
    made = correct(world, old)
    act(world, made.digest, old.digest)
    with pytest.raises(CorrectionRefused, match="goes in a circle"):
        recompute(world)


def test_a_circle_is_cured_by_another_correction_of_what_it_superseded(world):
    old = main_readings(world)
    first = correct(world, old)
    act(world, first.digest, old.digest)
    good = replace_readings(world, old, supersedes=first.digest)
    act(world, first.digest, good.digest)
    made = recompute(world)
    assert amounts(made)[0] == (192, 192, 0, 0, 24)
    assert made.corrections[0]["replacement"] == good.digest.hex()
    assert len(findings(made, "second-successor")) == 1


def test_refuses_a_replacement_whose_content_was_erased(world):
    made = correct(world, main_readings(world))
    del world.contents[made.payload]
    with pytest.raises(CorrectionRefused, match="is withheld or erased"):
        recompute(world)


def test_refuses_a_replacement_issued_in_another_partys_name(world):
    correct(world, main_readings(world), issuer=LOG_HOST)
    with pytest.raises(CorrectionRefused, match=f"is of {LOG_HOST}, not of {OPERATOR}"):
        recompute(world)


def test_refuses_a_replacement_logged_before_the_readings_that_it_corrects(world):
    old = main_readings(world)
    made = correct(world, old)

    def logged(statement, index):
        return LoggedStatement(index, statement, check_content(statement, world.contents[statement.payload]))

    raws = world.logs[REGISTER].entries
    entries = [logged(SignedStatement.parse(raw), at) for at, raw in enumerate(raws)]
    acts, log = acts_by_statement(entries), {made.digest: logged(made, 7)}
    with pytest.raises(CorrectionRefused, match="stands before the readings"):
        correction_of(logged(old, 7), acts, log, period=(START, START + DAY))
    found = correction_of(logged(old, 6), acts, log, period=(START, START + DAY))
    assert found is not None
    assert found.replacement == log[made.digest]


def gap_of(world):
    body = {"points": ["energy"], "reason": "source_silent", "detail": ""}
    return world.add(DATA, GATEWAY, "gap", body, subject=MAIN, stream=f"readings/{MAIN}",
                     interval=(START, START + HOUR), issuer=GATEWAY)  # fmt: skip


def test_refuses_readings_in_the_place_of_a_gap_which_can_only_be_taken_out(world):
    gap = gap_of(world)
    series = Series.of("energy", "interval", "kW.h", [Sample(START, Decimal(1))], width_ms=STEP)
    made = replace_readings(world, gap, readings=readings_body([series]))
    act(world, gap.digest, made.digest)
    with pytest.raises(CorrectionRefused, match="a gap statement can be taken out, not replaced"):
        recompute(world)
    act(world, made.digest, None)
    assert recompute(world).corrections[0]["kind"] == "gap"


# -- what is applied -------------------------------------------------------------------------------


def test_corrected_intervals_count_in_the_place_of_the_readings(world):
    before, old = recompute(world), main_readings(world)
    part = sum(sample["value"] for sample in values_of(world, old)) / Decimal(1000)
    made = correct(world, old)
    after = recompute(world)
    assert amounts(after) == ((192, 192, 0, 0, 24), amounts(before)[1] + part)
    (row,) = after.corrections
    assert (row["supersedes"], row["replacement"]) == (old.digest.hex(), made.digest.hex())
    assert (row["device"], row["reason"]) == (MAIN, "wrong ratio")
    assert after.code.figures["corrected"] == "24"
    assert after.code.figures["corrected_percent"] == "6.2500"
    assert Decimal(after.inventory.shares()["corrected"]) > 0


def values_of(world, statement):
    (series,) = changed(world, statement, same)["series"]
    scale = Decimal(10) ** series["scale"]
    return [{"value": Decimal(value) / scale} for value in series["values"]]


def test_a_corrected_code_can_be_green_and_always_says_what_was_corrected(world):
    old = main_readings(world)
    made = correct(world, old, same)
    after = recompute(world)
    (found,) = findings(after, "corrected-readings")
    assert (after.code.code, found["severity"], found["subject"]) == ("green", "minor", MAIN)
    assert {old.digest, made.digest} < set(found["digests"])
    assert "corrected by the party: 1 statement" in found["observed"]["en"]
    assert all("wrong ratio" in found["observed"][language] for language in ("zh", "en"))
    assert after.code.outcomes["corrected-readings@1"] == "failed"
    assert recompute(World().found().measure()).code.outcomes["corrected-readings@1"] == "passed"


def test_a_register_of_which_one_statement_was_corrected_gives_the_new_differences(world):
    before = recompute(world)
    old = statements(world, "readings", LINE)[1]

    def ten_more(sample):
        return Sample(sample.at, sample.value + 10)

    correct(world, old, ten_more)
    after = recompute(world)
    months = [made.activity.measurements["line"][0] for made in (before, after)]
    # Ten more from the first corrected reading on, ten less at the first one after: the sum is the same.
    assert months[0].amount == months[1].amount
    assert (months[1].measured, months[1].corrected) == (192, 25)
    assert Decimal(0) < months[1].corrected_amount < months[1].amount


def test_instants_are_corrected_like_amounts():
    measurement = plan_body()["measurements"][0] | {
        "id": "temperature", "point": "temperature", "quantity": "temperature", "form": "instant",
        "unit": "Cel", "capacity_per_hour": None,
    }  # fmt: skip
    world = World(measurements=[*plan_body()["measurements"], measurement]).found().measure()
    samples = [Sample(START + at * STEP, Decimal(20 + at % 5)) for at in range(24)]
    body = readings_body([Series.of("temperature", "instant", "Cel", samples)])
    old = world.add(DATA, GATEWAY, "readings", body, subject=MAIN, stream="readings/temperature",
                    interval=(START, START + 6 * HOUR), issuer=GATEWAY)  # fmt: skip
    world.tick(DATA)
    correct(world, old)
    row = recompute(world).completeness[-1]
    assert (row["measurement"], row["late"], row["corrected"]) == ("temperature", 24, 24)


def test_what_a_replacement_leaves_out_is_missing(world):
    old = main_readings(world)
    correct(world, old, lambda sample: sample if sample.at < START + 9 * HOUR else None)
    assert amounts(recompute(world))[0] == (192, 180, 0, 12, 12)


def test_readings_taken_out_are_missing(world):
    act(world, main_readings(world).digest, None)
    made = recompute(world)
    assert amounts(made)[0] == (192, 168, 0, 24, 0)
    assert made.corrections[0]["replacement"] is None
    assert "1 of them taken out" in findings(made, "corrected-readings")[0]["observed"]["en"]


def test_a_withdrawal_of_readings_counts_as_a_correction_by_nothing(world):
    other = copy.deepcopy(world)
    act(world, main_readings(world).digest, None)
    withdraw(other, main_readings(other).digest)
    assert amounts(recompute(world)) == amounts(recompute(other))


def test_a_correction_may_be_corrected_in_turn(world):
    before, old = recompute(world), main_readings(world)
    first = correct(world, old)
    second = replace_readings(world, first, same, readings=changed(world, old, same))
    act(world, first.digest, second.digest, "the ratio had been right")
    after = recompute(world)
    assert amounts(after) == ((192, 192, 0, 0, 24), amounts(before)[1])
    (row,) = after.corrections
    assert (row["replacement"], row["reason"]) == (second.digest.hex(), "the ratio had been right")
    assert len(row["corrections"]) == 2
    act(world, second.digest, None)
    assert amounts(recompute(world))[0] == (192, 168, 0, 24, 0)


def test_the_lowest_register_index_wins_and_a_second_successor_is_a_finding(world):
    old = main_readings(world)
    first, second = replace_readings(world, old, same), replace_readings(world, old)
    act(world, old.digest, first.digest)
    act(world, old.digest, second.digest)
    made = recompute(world)
    assert made.corrections[0]["replacement"] == first.digest.hex()
    (found,) = findings(made, "second-successor")
    assert (found["severity"], found["count"]) == ("minor", 1)
    assert made.code.code == "green"


def test_a_correction_cannot_be_taken_back(world):
    old = main_readings(world)
    made = replace_readings(world, old)
    withdraw(world, act(world, old.digest, made.digest).digest)
    after = recompute(world)
    assert after.corrections[0]["replacement"] == made.digest.hex()
    assert findings(after, "second-successor")[0]["observed"]["en"].endswith("(withdrawal)")


def test_corrected_readings_that_no_correction_names_do_not_count(world):
    before = recompute(world)
    replace_readings(world, main_readings(world))
    assert amounts(recompute(world)) == amounts(before)
    assert recompute(world).corrections == []


def test_a_correction_of_what_is_not_of_the_period_is_none_of_its_business(world):
    act(world, b"\7" * 32, b"\10" * 32)
    assert recompute(world).corrections == []


def test_correcting_late_readings_does_not_make_them_timely():
    world = World().found().measure(delay=30 * HOUR)
    before = recompute(world)
    for old in statements(world, "readings", MAIN):
        correct(world, old, same)
    after = recompute(world)
    assert amounts(after)[0][:4] == amounts(before)[0][:4] == (192, 0, 192, 0)
    assert after.code.figures["late_percent"] == before.code.figures["late_percent"]
    assert after.code.figures["greatest_commit_delay_ms"] == before.code.figures["greatest_commit_delay_ms"]


def test_a_point_of_which_more_than_a_fifth_was_corrected_turns_the_code_red(world):
    first, second = (main_readings(world, at) for at in (1, 2))
    correct(world, first, same)
    assert recompute(world).code.outcomes["corrected-share@1"] == "passed"
    correct(world, second, same)
    made = recompute(world)
    (found,) = findings(made, "corrected-share")
    assert (made.code.code, found["severity"], found["subject"]) == ("red", "major", "main")
    assert "25.0000 % corrected" in found["observed"]["en"]


def test_the_party_stands_among_the_signers_for_what_it_corrected(world):
    classes = recompute(world).signer_classes
    correct(world, main_readings(world))
    assert recompute(world).signer_classes == {"gateway": classes["gateway"] - 1, "party": 1}


def test_readings_of_a_withdrawn_key_no_longer_count_once_the_party_answers_for_them(world):
    def revoked(at):
        made = World().found().measure(windows=4)
        made.revoke()
        for window in range(4, 8):
            made.now = START + window * 6 * HOUR + 6 * HOUR + 60_000
            made.seal_window(START + window * 6 * HOUR, 24)
        made.seal_window(START + 2 * DAY, 1, meters=(LINE,))
        made.now += HOUR
        made.tick(DATA)
        for old in statements(made, "readings")[9 : 9 + at]:
            correct(made, old, same)
        return findings(recompute(made), "withdrawn-key")

    assert revoked(0)[0]["count"] == 9
    assert revoked(4)[0]["count"] == 5


# -- what never moves ------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(17)), st.integers(0, 17), st.booleans())
def test_correcting_with_identical_values_changes_no_amount_but_the_corrected_share(
    told, order, count, chain
):
    world = copy.deepcopy(told)
    before = recompute(world)
    olds = statements(world, "readings")
    made = {at: replace_readings(world, olds[at], same) for at in order[:count]}
    for at in sorted(made):
        act(world, olds[at].digest, made[at].digest)
        if chain:
            last = replace_readings(world, made[at], same)
            act(world, made[at].digest, last.digest)
    after = recompute(world)
    mine, theirs = (_without_corrections(one) for one in (after, before))
    assert mine == theirs
    assert sum(row["corrected"] for row in after.completeness) >= 23 * (count - 1)


def _without_corrections(made):
    """Every figure, count and finding of a period, but for what says that something was corrected."""
    inventory = made.inventory.to_json()
    trace = inventory.pop("trace")
    figures = [trace[part] for part in ("factors", "constants", "figures")]
    figures.append([{**e, "parts": [p["amount"] for p in e["parts"]]} for e in trace["activity"]])
    for table in (inventory, *inventory["by_stream"].values()):
        table["shares"] = {k: v for k, v in table["shares"].items() if k != "corrected"}
    for row in (*inventory["activity"]["completeness"], *inventory["activity"]["by_month"]):
        row.pop("corrected")
    quality = {k: v for k, v in made.quality_body.items() if k not in {"cut_off", "figures", "rules"}}
    own = ("corrected-readings", "corrected-share", "second-successor")
    quality["findings"] = [f for f in quality["findings"] if f["rule"].split("@")[0] not in own]
    quality.pop("code")
    skipped = ("corrected", "corrected_percent", "as_of", "findings_minor", "findings_major")
    told = {k: v for k, v in made.quality_body["figures"].items() if k not in skipped}
    return inventory, figures, quality, told


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(6)))
def test_the_order_in_which_corrections_of_different_statements_were_logged_changes_nothing(told, order):
    world, other = copy.deepcopy(told), copy.deepcopy(told)
    results = []
    for one, sequence in ((world, range(6)), (other, order)):
        olds = statements(one, "readings")
        made = {at: replace_readings(one, olds[at], twice if at % 2 else same) for at in sequence}
        for at in reversed(sequence):
            act(one, olds[at].digest, made[at].digest)
        results.append(recompute(one))
    first, second = (
        [m.to_json() for rows in r.activity.measurements.values() for m in rows] for r in results
    )
    assert first == second
    assert results[0].inventory.shares() == results[1].inventory.shares()
    assert results[0].inventory.total == results[1].inventory.total
