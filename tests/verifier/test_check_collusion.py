"""Attacks by those who hold the keys: operator and log host together, against what only proofs can show."""

from __future__ import annotations

import json
from dataclasses import replace

import bundle_factory
import pytest
from bundle_factory import (
    DAY,
    END,
    GATEWAY,
    HOUR,
    LINE,
    MAIN,
    MINUTE,
    OPERATOR,
    REGISTRAR,
    SITE,
    START,
    World,
    caught,
    data,
    honest,
    plan_body,
    reason,
    register,
    signer,
)

from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_attest.trust import TrustFile, sign_trust_file

DATA, REGISTER = data(OPERATOR), register(OPERATOR)


def second_plan(world, **changes):
    body = plan_body(plan_version=2, **changes)
    return world.add(REGISTER, OPERATOR, "monitoring_plan", body, subject=SITE)


# -- what a signer knew ----------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "words"), [(3, "another history"), (1000, "claims to have known")])
def test_catches_a_statement_that_cites_a_head_this_log_never_had(monkeypatch, size, words):
    """A head of another history, signed by a device, is evidence of a fork; a future size is a lie."""
    signed = []

    def citing(key, **fields):
        signed.append(fields["kind"])
        if fields["kind"] == "readings" and signed.count("readings") == 3:
            fields["checkpoint"] = size, b"\1" * 32
        return sign_statement(key, **fields)

    monkeypatch.setattr(bundle_factory, "sign_statement", citing)
    result = honest().check()
    assert caught(result) == "log-proofs"
    assert words in reason(result, "log-proofs")


# -- keys ------------------------------------------------------------------------------------------


def suspended_after_a_day():
    """A world in which the gateway was suspended after the first day, in an epoch of its own."""
    world = World().found()
    for window in range(4):
        world.now = START + (window + 1) * 6 * HOUR + MINUTE
        world.seal_window(START + window * 6 * HOUR, 24)
    kid = world.keys[GATEWAY].public.kid
    last = [{"stream": stream, "sequence": at[0], "digest": at[1]}
            for (key, stream), at in sorted(world.logs[DATA].streams.items()) if key == kid]  # fmt: skip
    world.enrol(GATEWAY, GATEWAY, [], "suspend", last=last, reason="the seal was broken")
    world.now += MINUTE
    world.close_epoch()
    return world


def second_day(world):
    for window in range(4, 8):
        world.now = START + (window + 1) * 6 * HOUR + MINUTE
        world.seal_window(START + window * 6 * HOUR, 24)
    world.seal_window(END, 1, meters=(LINE,))
    world.now = END + 10 * MINUTE
    world.close_epoch()


@pytest.mark.parametrize("then", ["lift", "revoke"])
def test_catches_what_a_suspended_key_signed_although_a_later_statement_lifts_the_suspension(then):
    world = suspended_after_a_day()
    second_day(world)
    if then == "lift":
        world.enrol(GATEWAY, GATEWAY, [], "lift")
    else:
        world.revoke()
    result = world.file().check()
    assert caught(result) == "signatures"
    assert "after it was suspended" in reason(result, "signatures")


def test_passes_a_key_whose_suspension_was_lifted_before_it_went_on():
    world = suspended_after_a_day()
    world.enrol(GATEWAY, GATEWAY, [], "lift")
    world.now += MINUTE
    world.close_epoch()
    second_day(world)
    assert world.file().check().has_passed


def test_catches_a_void_that_speaks_of_another_place_than_its_own():
    world = World().found().measure()
    body = {"sequence": 999, "digest": b"\7" * 32, "interval": [START, START + HOUR], "problem": "refused"}
    world.add(DATA, GATEWAY, "void", body, subject=MAIN, stream=f"readings/{MAIN}", issuer=GATEWAY)
    assert caught(world.file().check()) == "continuity"


@pytest.mark.parametrize("who", [OPERATOR, GATEWAY])
def test_catches_a_trust_file_that_the_enterprise_made_itself(who):
    world = honest()
    signed = sign_trust_file(world.trust(), world.keys[who])
    result = world.check(trust=TrustFile.parse(signed))
    assert caught(result) == "parties"
    assert "made by the enterprise" in reason(result, "parties")
    signed = sign_trust_file(world.trust(), signer("a bank"))
    assert world.check(trust=TrustFile.parse(signed)).has_passed


def test_catches_an_operator_that_is_its_own_registrar():
    class Alone(World):
        def __init__(self):
            super().__init__()
            self.keys[OPERATOR] = self.keys[REGISTRAR]

    assert caught(Alone().found().measure().file().check()) == "parties"


def test_a_calibration_that_was_withdrawn_no_longer_covers_anything():
    world = World().found()
    statements = map(SignedStatement.parse, world.logs[REGISTER].entries)
    record = next(s for s in statements if s.header.kind == "calibration")
    body = {"withdraws": record.digest, "role": "operator", "reason": "the certificate was forged"}
    world.add(REGISTER, OPERATOR, "withdrawal", body)
    assert world.measure().file().check().has_passed
    assert world.code == "red"


# -- plans -----------------------------------------------------------------------------------------


def without_refusal(monkeypatch):
    """A service of the operator's own, which computes under whatever plan it likes."""
    monkeypatch.setattr("carbonseal_verifier.recompute._refuse_superseded", lambda *_: None)


def test_catches_a_report_under_a_plan_that_a_later_version_replaced(monkeypatch):
    world = World().found()
    second_plan(world)
    with monkeypatch.context() as patch:
        without_refusal(patch)
        world.measure().file()
    result = world.check()
    assert caught(result) == "completeness"
    assert "followed by version 2" in reason(result, "completeness")


def test_catches_a_report_under_a_plan_that_was_withdrawn(monkeypatch):
    world = World().found()
    body = {"withdraws": world.plan.digest, "role": "operator", "reason": "the main meter was left out"}
    world.add(REGISTER, OPERATOR, "withdrawal", body)
    with monkeypatch.context() as patch:
        without_refusal(patch)
        world.measure().file()
    assert caught(world.check()) == "completeness"


def test_passes_a_report_under_the_newest_version_and_one_whose_next_version_begins_later():
    world = World().found()
    world.plan = second_plan(world)
    assert world.measure().file().check().has_passed
    world = World().found()
    second_plan(world, effective={"start": END, "end": None})
    assert world.measure().file().check().has_passed


def test_catches_a_plan_whose_cross_check_compares_a_measurement_with_itself(monkeypatch):
    world = World().found()
    check = {"id": "idle", "check": "sum", "whole": "main", "parts": ["main"], "tolerance_percent": "1"}
    world.plan = second_plan(world, cross_checks=[check])
    with monkeypatch.context() as patch:
        patch.setattr("carbonseal_verifier.recompute._refuse_idle_checks", lambda _: None)
        world.measure().file()
    result = world.check()
    assert caught(result) == "completeness"
    assert "with itself" in reason(result, "completeness")


@pytest.mark.parametrize("what", ["i-another", "interval"])
def test_catches_a_report_whose_header_is_about_another_installation_or_interval(what):
    class Headed(World):
        def add(self, origin, by, kind, body, **about):
            if kind in {"emissions_report", "quality_code"}:
                changes = {"interval": (START, END + DAY)} if what == "interval" else {"subject": what}
                about |= changes
            return super().add(origin, by, kind, body, **about)

    assert caught(Headed().found().measure().file().check()) == "cut-off"


# -- the cut-off -----------------------------------------------------------------------------------


def test_catches_a_register_cut_off_from_before_the_data_cut_offs_time():
    """The report's register head is older than a suspension that an earlier epoch had already mapped."""
    world = World().found()
    size, root = len(world.logs[REGISTER].entries), world.logs[REGISTER].root()
    world.measure()

    def older(body):
        body["cut_off"] = [body["cut_off"][0], {**body["cut_off"][1], "tree_size": size, "root_hash": root}]
        return body

    result = world.file(quality_body=older, report_body=older).check()
    assert caught(result) == "cut-off"
    assert "different times" in reason(result, "cut-off")


def test_says_how_much_of_the_period_came_after_the_cut_off():
    class Late(World):
        def add(self, origin, by, kind, body, **about):
            if kind == "quality_code":
                super().add(DATA, GATEWAY, "gap", {"points": ["energy"], "reason": "bad_value", "detail": ""},
                            subject=MAIN, stream="gaps", interval=(START, START + HOUR),
                            issuer=GATEWAY)  # fmt: skip
            return super().add(origin, by, kind, body, **about)

    result = Late().found().measure().file().check()
    assert result.has_passed
    assert "1 statement about the period was registered after it" in reason(result, "cut-off")


# -- time ------------------------------------------------------------------------------------------


def test_catches_ticks_that_state_times_of_epochs_long_closed():
    """Readings registered three days late, and a log host that stamps them as of those days."""
    world = World().found()
    for day in range(1, 4):
        world.now = START + day * DAY
        world.tick(REGISTER)
        heads = [MapEntry(origin, len(log.entries), log.root()) for origin, log in world.logs.items()]
        epoch_map = EpochMap(heads)
        entry = epoch_map.close(len(world.epochs) + 1, world.now)
        world.epochs.append((entry, epoch_map))
        world.log_of_logs.append(entry.encode())
        root = root_of([leaf_hash(raw) for raw in world.log_of_logs])
        world.chain.advance(len(world.log_of_logs), root, world.now)
    for window in range(8):
        world.now = START + (window + 1) * 6 * HOUR + MINUTE
        world.seal_window(START + window * 6 * HOUR, 24)
    world.seal_window(END, 1, meters=(LINE,))
    world.now = START + 3 * DAY + HOUR
    result = world.file().check()
    assert caught(result) == "epochs"
    assert "before epoch" in reason(result, "epochs")


def anchored_later(world, by):
    first, *rest = world.chain.heads
    world.chain.heads[:] = [first, *(replace(head, anchored_at=head.anchored_at + by) for head in rest)]
    return world


def test_catches_closing_times_that_the_chain_does_not_confirm_within_the_commit_delay():
    world = anchored_later(honest(), 20 * DAY)
    result = world.check(at=world.now + 20 * DAY + HOUR)
    assert caught(result) == "times"
    assert "not confirmed" in reason(result, "times")


def test_catches_an_epoch_that_was_anchored_before_it_says_it_was_closed():
    assert caught(anchored_later(honest(), -HOUR).check()) == "anchor"


def test_passes_epochs_that_waited_hours_for_their_anchor():
    world = anchored_later(honest(), 5 * HOUR)
    assert world.check(at=world.now + 6 * HOUR).has_passed


# -- the report ------------------------------------------------------------------------------------


def test_catches_map_proofs_of_a_log_that_is_not_in_the_bundle():
    world = honest()
    bundle = world.bundle()
    bundle.maps[register("e-stranger")] = dict(bundle.maps[DATA])
    assert caught(world.check(bundle)) == "members"


def test_catches_a_further_total_signed_beside_the_computed_ones():
    def boast(body):
        body["totals"]["scope1"] = {"value": "0", "unit": "tCO2e"}
        return body

    assert caught(World().found().measure().file(report_body=boast).check()) == "recompute"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parties.operator.name", {"zh": "另一家", "en": "Another Works"}),
        ("parties.verifier", {"party": "v-body", "name": {"zh": "核", "en": "A verification body"}}),
        ("installation.name", {"zh": "另一厂", "en": "Another plant"}),
        ("installation.verified_total", "1.00"),
        ("emissions.headline", {"value": "1.00", "unit": "tCO2e"}),
        ("emissions.by_stream.0.share_percent", "1"),
        ("emissions.by_stream.0.notes", [{"zh": "好", "en": "all renewable"}]),
        ("emissions.totals.electricity.title", {"zh": "绿电", "en": "green electricity"}),
        ("method.standard", "ISO 14064-1"),
        ("method.rounding", {"mode": "down", "places": 0}),
        ("factors.0.certainty", "primary"),
        ("factors.0.is_declared", True),
        ("data_quality.signer_classes.0.share_percent", "0"),
        ("data_quality.opinion", "reasonable assurance"),
        ("trace.recompute", "curl something"),
    ],
)
def test_catches_a_report_that_says_anything_not_computed_from_signed_facts(path, value):
    def edit(report):
        place, keys = report, [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        return report

    result = World().found().measure().file(report_json=edit).check()
    assert caught(result) == "report"
    assert path.rsplit(".", 1)[0].split(".")[0] in reason(result, "report")


def test_catches_a_key_that_stands_twice_so_that_readers_differ(monkeypatch):
    class Doubling:
        def dumps(self, value, **options):
            text = json.dumps(value, **options)
            return '{"emissions": {"total": {"value": "1"}},' + text[1:] if options.get("indent") else text

    world = World().found().measure()
    monkeypatch.setattr(bundle_factory, "json", Doubling())
    result = world.file().check()
    assert caught(result) == "report"
    assert "one way" in reason(result, "report")
