"""The check on corrections, declared values and downgrades: what passes, and which step catches what."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace

import bundle_factory
import pytest
from bundle_factory import GATEWAY, MAIN, MINUTE, OPERATOR, World, caught, data, reason, register
from correcting import (
    BILLED,
    act,
    billed,
    correct,
    declare,
    document,
    downgrade,
    metered,
    recompute,
    replace_readings,
    same,
    statements,
    twice,
    withdraw,
)

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.merkle import Frontier, leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.check import STEPS
from carbonseal_verifier.recompute import recompute_period

DATA, REGISTER = data(OPERATOR), register(OPERATOR)


def corrected_world():
    world = World().found().measure()
    world.replacement = correct(world, statements(world, "readings", MAIN)[1], same)
    return world


def billed_world():
    world = billed()
    world.bill = document(world)
    amount = metered(recompute(world)) * 2
    world.declared = declare(world, amount, document=world.bill.digest)
    world.step = downgrade(world)
    return world


@pytest.fixture(scope="module")
def corrected():
    return corrected_world().file()


@pytest.fixture(scope="module")
def downgraded():
    return billed_world().file()


@pytest.fixture
def world(corrected):
    return copy.deepcopy(corrected)


@pytest.fixture
def billing(downgraded):
    return copy.deepcopy(downgraded)


def failures(result):
    return [(s.name, s.outcome, s.reason) for s in result.steps if s.outcome != "passed"]


def disclosing_no_more(bundle):
    raws = [raw for section in bundle.logs.values() for raw in section.entries]
    signed = {SignedStatement.parse(raw).payload for raw in [*raws, bundle.log_of_logs_entries[0]]}
    bundle.contents = {digest: c for digest, c in bundle.contents.items() if digest in signed}
    return bundle


def beginning_with_the_period(world, epoch):
    """The bundle with the data log from its head in `epoch` on, and no content that nothing in it signs."""
    bundle = world.bundle()
    section, first = bundle.logs[DATA], bundle.maps[DATA][epoch].entry.tree_size
    prefix = Frontier().extend(leaf_hash(raw) for raw in section.entries[:first])
    kept = section.entries[first:]
    bundle.logs[DATA] = replace(section, first=first, prefix=prefix, entries=kept)
    return disclosing_no_more(bundle)


def later(world):
    """Close an epoch after what was written last, so that it is anchored."""
    world.now += MINUTE
    world.close_epoch()
    return world


# -- corrections -----------------------------------------------------------------------------------


def test_passes_a_bundle_with_an_applied_correction_and_says_so(corrected):
    result = corrected.check()
    assert failures(result) == []
    assert len(result.steps) == len(STEPS)
    assert corrected.code == "green"
    assert "1 statement corrected by the party, 24 of these" in reason(result, "completeness")
    assert "1 statement revoked, corrected or withdrawn" in reason(result, "freshness")
    assert b'"corrected_percent": "6.2500"' in corrected.report_json


def test_passes_a_corrected_bundle_whose_data_log_begins_at_the_period(world):
    assert failures(world.check(beginning_with_the_period(world, 1))) == []


def test_passes_readings_taken_out_and_a_correction_of_a_correction():
    world = World().found().measure()
    first, second = statements(world, "readings", MAIN)[1:3]
    act(world, first.digest, None)
    made = correct(world, second)
    again = replace_readings(world, made, lambda s: replace(s, value=s.value / 2))
    act(world, made.digest, again.digest)
    assert failures(world.file().check()) == []


def test_catches_a_correction_left_out_of_the_bundle(world):
    entries = world.logs[REGISTER].entries
    at = next(i for i, raw in enumerate(entries) if SignedStatement.parse(raw).header.kind == "correction")
    bundle, kept = world.bundle(), entries[:at]
    head = Checkpoint(REGISTER, at, root_of([leaf_hash(raw) for raw in kept]))
    note = sign_checkpoint(head, world.keys["log"])
    section = bundle.logs[REGISTER]
    bundle.logs[REGISTER] = replace(section, entries=tuple(kept), end=at, checkpoint=note)
    result = world.check(disclosing_no_more(bundle))
    assert caught(result) == "registers-whole"
    assert "left out" in reason(result, "registers-whole")


def test_catches_the_content_of_a_replacement_withheld(world):
    bundle = world.bundle()
    del bundle.contents[world.replacement.payload]
    result = world.check(bundle)
    assert caught(result) == "contents"
    assert "corrected_readings, is withheld or changed" in reason(result, "contents")


@pytest.mark.parametrize("which", ["replacement", "superseded"])
def test_catches_a_corrected_statement_edited(world, which):
    statement = world.replacement if which == "replacement" else statements(world, "readings", MAIN)[1]
    bundle = world.bundle()
    content = cbor.decode(bundle.contents.pop(statement.payload))
    body = content["body"]
    body.get("readings", body)["series"][0]["values"][3] += 1
    raw = cbor.encode(content)
    bundle.contents[hashlib.sha256(raw).digest()] = raw
    assert caught(world.check(bundle)) == "contents"


def test_catches_the_content_of_a_correction_withheld(world):
    bundle = world.bundle()
    made = [SignedStatement.parse(raw) for raw in world.logs[REGISTER].entries]
    del bundle.contents[next(s for s in made if s.header.kind == "correction").payload]
    assert caught(world.check(bundle)) == "contents"


def test_catches_corrected_readings_signed_by_the_gateway():
    world = World().found().measure()
    correct(world, statements(world, "readings", MAIN)[1], same, by=GATEWAY, issuer=GATEWAY)
    filed = dishonest(world)
    assert caught(filed.check()) == "signatures"


def dishonest(world, **story):
    """File as an operator who computes as if no correction had been registered."""

    def without(**given):
        kept = [
            raw for raw in given["register_entries"]
            if SignedStatement.parse(raw).header.kind not in {"correction", "withdrawal"}
        ]  # fmt: skip
        return recompute_period(**given | {"register_entries": kept})

    bundle_factory.recompute_period = without
    try:
        return world.file(**story)
    finally:
        bundle_factory.recompute_period = recompute_period


def test_catches_a_report_that_passes_over_a_correction():
    world = World().found().measure()
    correct(world, statements(world, "readings", MAIN)[1], twice)
    result = dishonest(world).check()
    assert caught(result) == "recompute"
    assert "total: reported" in reason(result, "recompute")


def test_catches_a_report_that_hides_a_correction_of_the_same_values():
    world = World().found().measure()
    correct(world, statements(world, "readings", MAIN)[1], same)
    assert caught(dishonest(world).check()) == "rules"


def test_catches_a_report_over_a_correction_that_leads_nowhere():
    world = World().found().measure()
    act(world, statements(world, "readings", MAIN)[1].digest, b"\5" * 32)
    result = dishonest(world).check()
    assert caught(result) == "completeness"
    assert "is not in the data log up to the cut-off" in reason(result, "completeness")


def test_catches_a_correction_list_shortened_in_report_json():
    def silent(report):
        return {**report, "data_quality": {**report["data_quality"], "corrections": []}}

    result = corrected_world().file(report_json=silent).check()
    assert caught(result) == "report"
    assert "data_quality.corrections" in reason(result, "report")


def test_catches_a_report_whose_readings_were_corrected_after_the_cut_off(world):
    made = replace_readings(world, statements(world, "readings", MAIN)[3])
    entry = len(world.logs[REGISTER].entries)
    act(world, statements(world, "readings", MAIN)[3].digest, made.digest)
    result = later(world).check()
    assert caught(result) == "report"
    text = f"the report rests on readings corrected since (entry {entry})"
    assert reason(result, "report") == text


def test_catches_a_report_whose_corrected_readings_were_corrected_after_the_cut_off(world):
    act(world, world.replacement.digest, None)
    result = later(world).check()
    assert caught(result) == "report"
    assert "readings corrected since" in reason(result, "report")


def test_catches_a_report_whose_readings_were_withdrawn_after_the_cut_off(world):
    withdraw(world, statements(world, "readings", MAIN)[3].digest)
    result = later(world).check()
    assert caught(result) == "report"
    assert "readings withdrawn since" in reason(result, "report")


def test_passes_a_second_correction_after_the_cut_off_because_it_has_no_effect(world):
    act(world, statements(world, "readings", MAIN)[1].digest, None)
    assert failures(later(world).check()) == []


def test_a_report_filed_anew_after_a_later_correction_passes(world):
    old = statements(world, "readings", MAIN)[3]
    correct(world, old)
    withdraw(world, world.report.digest)
    assert caught(later(world).check()) == "report"
    assert failures(world.file().check()) == []


# -- declared values and downgrades ----------------------------------------------------------------


def test_passes_a_bundle_whose_amount_was_downgraded_to_a_bill(downgraded):
    assert failures(downgraded.check()) == []
    assert downgraded.code == "green"
    assert b'"declared_percent": "100.0000"' in downgraded.report_json


def test_a_document_of_before_the_period_is_missing_whether_the_bundle_carries_it_or_not():
    (own,) = bundle_factory.plan_body()["source_streams"]
    world = World(source_streams=[own | BILLED]).found()
    early = document(world).digest
    world.now += MINUTE
    world.close_epoch()
    world.measure()
    declare(world, metered(recompute(world)), document=early)
    world.file()
    assert world.code == "red"
    assert any(f["rule"] == "document-missing@1" for f in world.recomputed.quality_body["findings"])
    assert failures(world.check()) == []
    assert failures(world.check(beginning_with_the_period(world, 2))) == []


@pytest.mark.parametrize("name", ["declared", "step"])
def test_catches_the_content_of_a_declared_value_or_downgrade_withheld(billing, name):
    bundle = billing.bundle()
    del bundle.contents[getattr(billing, name).payload]
    assert caught(billing.check(bundle)) == "contents"


def test_passes_with_the_documents_content_withheld(billing):
    bundle = billing.bundle()
    del bundle.contents[billing.bill.payload]
    assert failures(billing.check(bundle)) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [("declared", "a declared value"), ("step", "a downgrade"), ("bill", "a document")],
)
def test_catches_a_report_of_which_a_declared_input_was_withdrawn_after_the_cut_off(billing, name, what):
    withdraw(billing, getattr(billing, name).digest)
    result = later(billing).check()
    assert caught(result) == "report"
    assert f"rests on {what} withdrawn since" in reason(result, "report")


def test_catches_a_report_that_passes_over_a_withdrawn_downgrade():
    world = billed_world()
    withdraw(world, world.step.digest)
    assert caught(dishonest(world).check()) == "recompute"


def test_catches_a_downgrade_that_was_passed_over_in_the_report():
    def metered_only(body):
        inventory = recompute(world_without).inventory.to_json()
        total = inventory["total"]
        body["totals"]["total"] = {"value": total["value"], "unit": total["unit"]}
        return body

    world_without = billed()
    assert caught(billed_world().file(report_body=metered_only).check()) == "recompute"


def test_catches_a_declared_value_signed_by_the_gateway():
    world = billed()
    amount = metered(recompute(world))
    declare(world, amount, subject=MAIN)
    body = {"plan_digest": world.plan.digest, "source_stream": "electricity", "data_source": "ledger",
            "quantity": {"value": str(amount), "unit": "kW.h"}, "document_digest": b"\1" * 32}  # fmt: skip
    period = (bundle_factory.START, bundle_factory.END)
    world.add(DATA, GATEWAY, "declared_activity", body, subject=MAIN, interval=period, issuer=GATEWAY)
    assert caught(world.file().check()) == "signatures"
