"""Attacks with keys of devices and parties that were rotated, suspended, expired or lost, over a bundle."""

from __future__ import annotations

from dataclasses import replace

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
    START,
    World,
    caught,
    data,
    reason,
    register,
    signer,
)

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement

NEW = "new key"


def first_day(**enrolment):
    """A world after its first day, that day's epoch closed; the gateway enrolled with these facts."""

    class Enrolled(World):
        def enrol(self, device, by, subjects, action="enrol", **facts):
            facts = enrolment | facts if action == "enrol" else facts
            super().enrol(device, by, subjects, action, **facts)

    world = Enrolled().found()
    world.keys[NEW] = signer(NEW)
    for window in range(4):
        world.now = START + (window + 1) * 6 * HOUR + MINUTE
        world.seal_window(START + window * 6 * HOUR, 24)
    world.now += MINUTE
    world.close_epoch()
    return world


def second_day(world, by):
    for window in range(4, 8):
        world.now = START + (window + 1) * 6 * HOUR + MINUTE
        world.seal_window(START + window * 6 * HOUR, 24, by=by)
    world.seal_window(END, 1, by=by, meters=(LINE,))
    world.now = END + 10 * MINUTE
    world.close_epoch()
    return world


def last_of(world, by=GATEWAY):
    kid = world.keys[by].public.kid
    heads = sorted(world.logs[data(OPERATOR)].streams.items())
    return [{"stream": s, "sequence": at[0], "digest": at[1]} for (k, s), at in heads if k == kid]


def rotated(predecessor=GATEWAY, by=NEW):
    world = first_day()
    world.enrol(GATEWAY, by, [MAIN, LINE], "rotate", predecessor=predecessor, last=last_of(world))
    world.close_epoch()
    return world


# -- devices ---------------------------------------------------------------------------------------


def test_passes_a_gateway_that_rotated_its_key():
    result = second_day(rotated(), NEW).file().check()
    assert result.has_passed, [s for s in result.steps if s.outcome != "passed"]
    assert "1 rotated to by the key before" in reason(result, "parties")


@pytest.mark.parametrize("predecessor", [None, NEW], ids=["nobody vouches", "it vouches for itself"])
def test_catches_a_rotation_that_the_old_key_did_not_sign(predecessor):
    assert caught(second_day(rotated(predecessor), NEW).file().check()) == "parties"


def test_catches_the_old_key_after_its_rotation():
    result = second_day(rotated(), GATEWAY).file().check()
    assert caught(result) == "signatures"
    assert "after it was rotated" in reason(result, "signatures")


def test_shows_a_key_that_was_lost_and_replaced_on_the_partys_word():
    world = first_day()
    world.revoke()
    world.enrol(GATEWAY, NEW, [MAIN, LINE])
    world.close_epoch()
    result = second_day(world, NEW).file().check()
    assert result.has_passed
    assert f"on the party's word ({GATEWAY})" in reason(result, "parties")


def test_catches_a_second_key_enrolled_beside_the_first():
    world = first_day()
    world.enrol(GATEWAY, NEW, [MAIN, LINE])
    assert caught(second_day(world, NEW).file().check()) == "parties"


def test_catches_a_proof_of_possession_made_for_another_party():
    world = first_day()
    world.enrol("g-second", NEW, [MAIN], party=REGISTRAR)
    assert caught(second_day(world, GATEWAY).file().check()) == "parties"


def test_passes_a_key_used_within_its_effective_times():
    world = first_day(valid_from=START, expires=END + DAY)
    assert second_day(world, GATEWAY).file().check().has_passed


@pytest.mark.parametrize(
    "times",
    [{"valid_from": START + MINUTE}, {"expires": START + DAY}, {"expires": END + 10 * MINUTE}],
    ids=["interval before it is valid", "interval after its end", "registered after its end"],
)
def test_catches_a_key_used_outside_its_effective_times(times):
    result = second_day(first_day(**times), GATEWAY).file().check()
    assert caught(result) == "signatures"
    assert GATEWAY in reason(result, "signatures")


def test_catches_a_resume_registered_after_what_it_would_excuse():
    world = first_day()
    log, kid = world.logs[data(OPERATOR)], world.keys[GATEWAY].public.kid
    stream = f"readings/{MAIN}"
    lost = log.streams[kid, stream]
    log.streams[kid, stream] = (lost[0] + 5, b"\7" * 32)
    second_day(world, GATEWAY)
    world.now += MINUTE
    world.close_epoch()
    world.add(register(OPERATOR), OPERATOR, "resume", {
        "device": GATEWAY, "kid": kid, "stream": stream, "next_sequence": lost[0] + 6, "previous": b"\7" * 32,
        "reason": "the disk was lost",
    }, subject=GATEWAY)  # fmt: skip
    assert caught(world.file().check()) == "continuity"


def resumed_in_time(places_on):
    """A world whose gateway went on where a resume said, some places after the last one logged."""
    world = first_day()
    log, kid, stream = world.logs[data(OPERATOR)], world.keys[GATEWAY].public.kid, f"readings/{MAIN}"
    sequence, digest = log.streams[kid, stream]
    world.add(register(OPERATOR), OPERATOR, "resume", {
        "device": GATEWAY, "kid": kid, "stream": stream, "next_sequence": sequence + places_on,
        "previous": digest, "reason": "the disk was lost",
    }, subject=GATEWAY)  # fmt: skip
    world.now += MINUTE
    world.close_epoch()
    return world, (sequence, digest)


def test_passes_a_resume_that_lets_places_out():
    world, (sequence, digest) = resumed_in_time(6)
    log, kid = world.logs[data(OPERATOR)], world.keys[GATEWAY].public.kid
    log.streams[kid, f"readings/{MAIN}"] = (sequence + 5, digest)
    result = second_day(world, GATEWAY).file().check()
    assert result.has_passed, [s for s in result.steps if s.outcome != "passed"]


def test_catches_a_stream_that_a_resume_let_begin_again_at_a_place_it_had_passed():
    world, last = resumed_in_time(1)
    second_day(world, GATEWAY)
    log, kid = world.logs[data(OPERATOR)], world.keys[GATEWAY].public.kid
    log.streams[kid, f"readings/{MAIN}"] = last
    world.seal_window(START + 4 * 6 * HOUR, 24, meters=(MAIN,))
    assert caught(world.file().check()) == "continuity"


def test_catches_a_device_whose_key_is_the_logs_own():
    world = first_day()
    world.keys[NEW] = world.keys["log"]
    world.enrol("g-second", NEW, [MAIN])
    result = second_day(world, GATEWAY).file().check()
    assert caught(result) == "parties"
    assert "the log's own key" in reason(result, "parties")


def backfilled(short_of):
    """A world whose revocation names a last statement, and where, an epoch later, others lead towards it."""
    world = first_day()
    log = world.logs[data(OPERATOR)]
    size, streams = len(log.entries), dict(log.streams)
    for window in (4, 5):
        world.seal_window(START + window * 6 * HOUR, 24, meters=(MAIN,))
    last = last_of(world)
    held = [raw for raw in log.entries[size:] if SignedStatement.parse(raw).header.kind == "readings"]
    del log.entries[size:]
    log.streams = streams
    world.enrol(GATEWAY, GATEWAY, [], "revoke", last=last, reason="stolen")
    world.enrol(GATEWAY, NEW, [MAIN, LINE])
    world.now = START + 36 * HOUR + MINUTE
    world.close_epoch()
    log.entries += held[: len(held) - short_of]
    for raw in held[len(held) - short_of :]:
        del world.contents[SignedStatement.parse(raw).payload]
    world.now += MINUTE
    world.tick(data(OPERATOR))
    for window in range(4, 8):
        world.now = max(world.now, START + (window + 1) * 6 * HOUR + MINUTE)
        world.seal_window(START + window * 6 * HOUR, 24, by=NEW, meters=(MAIN, LINE)[window < 6 :])
    world.seal_window(END, 1, by=NEW, meters=(LINE,))
    world.now = END + 10 * MINUTE
    world.close_epoch()
    return world


def test_passes_a_backfill_after_the_revocation_that_reaches_the_named_statement():
    result = backfilled(0).file().check()
    assert result.has_passed, [s for s in result.steps if s.outcome != "passed"]


def test_catches_a_backfill_after_the_revocation_that_stops_short_of_the_named_statement():
    result = backfilled(1).file().check()
    assert caught(result) == "signatures"
    assert "does not reach" in reason(result, "signatures")


# -- parties ---------------------------------------------------------------------------------------


def restate(world, by=OPERATOR, *, proofs=(), **changes):
    body = {
        "party": OPERATOR, "status": "admitted", "roles": ["enterprise"],
        "key": world.keys[by].public.cose_key(), "register_origin": register(OPERATOR),
        "data_origin": data(OPERATOR), "name": {"zh": OPERATOR, "en": OPERATOR}, "org": None,
        "endorsements": [], **changes,
    }  # fmt: skip
    body["endorsements"] = [endorse(world.keys[k], "party", OPERATOR, role, body) for k, role in proofs]
    world.add(register(REGISTRAR), REGISTRAR, "party", body, subject=OPERATOR)
    world.now += MINUTE
    world.close_epoch()


BOTH = ((NEW, "party"), (OPERATOR, "predecessor"))


def rekeyed(world):
    restate(world, NEW, proofs=BOTH)
    return world


def test_passes_a_bundle_over_the_rotation_of_the_partys_key():
    world = second_day(first_day(), GATEWAY)
    old = world.keys[OPERATOR]
    rekeyed(world)
    world.keys[OPERATOR] = world.keys[NEW]
    result = world.file().check()
    assert result.has_passed, [s for s in result.steps if s.outcome != "passed"]
    assert f"party key rotated: {OPERATOR}" in reason(result, "parties")
    assert old.public.kid != world.keys[OPERATOR].public.kid


def test_catches_a_report_signed_by_the_partys_old_key_after_its_rotation():
    result = rekeyed(second_day(first_day(), GATEWAY)).file().check()
    assert caught(result) == "signatures"
    assert "after it was rotated" in reason(result, "signatures")


def committed(world):
    world.add(data(OPERATOR), OPERATOR, "sampling_commitment", {
        "engagement": "en-one", "report_digest": b"\1" * 32, "nonce_digest": b"\2" * 32,
        "strata": [{"id": "main", "expected": 192, "sample_size": 6}], "epoch": 9, "blocks_after": 6,
    })  # fmt: skip
    return world


def test_catches_a_statement_of_a_kind_that_only_another_role_writes():
    result = committed(second_day(first_day(), GATEWAY)).file().check()
    assert caught(result) == "signatures"
    assert "only a party admitted as verification_body writes" in reason(result, "signatures")


@pytest.mark.parametrize("in_time", [True, False])
def test_a_role_counts_while_the_registrar_names_it_and_not_before_or_after(in_time):
    world = first_day()
    restate(world, roles=["enterprise", "verification_body"])
    if in_time:
        committed(world)
    world.close_epoch()
    restate(world)
    world.close_epoch()
    if not in_time:
        committed(world)
    assert second_day(world, GATEWAY).file().check().has_passed is in_time


def test_catches_a_statement_signed_by_the_partys_new_key_before_its_rotation():
    world = first_day()
    body = {"withdraws": b"\1" * 32, "role": "operator", "reason": "none"}
    world.add(register(OPERATOR), NEW, "withdrawal", body)
    rekeyed(second_day(world, GATEWAY))
    world.keys[OPERATOR] = world.keys[NEW]
    result = world.file().check()
    assert caught(result) == "signatures"
    assert "before the registrar admitted it" in reason(result, "signatures")


@pytest.mark.parametrize(
    "proofs", [(), BOTH[:1], BOTH[1:], ((NEW, "party"), (NEW, "predecessor"))],
    ids=["none", "only the new key", "only the old key", "the new key twice"],
)  # fmt: skip
def test_catches_a_party_key_changed_without_both_proofs(proofs):
    world = second_day(first_day(), GATEWAY)
    restate(world, NEW, proofs=proofs)
    world.keys[OPERATOR] = world.keys[NEW]
    assert caught(world.file().check()) == "parties"


def test_catches_what_was_logged_while_the_party_was_suspended():
    world = first_day()
    restate(world, status="suspended")
    second_day(world, GATEWAY)
    restate(world)
    result = world.file().check()
    assert caught(result) == "signatures"
    assert "after e-enterprise was suspended" in reason(result, "signatures")


def test_passes_a_party_that_was_suspended_and_logged_nothing_meanwhile():
    world = first_day()
    restate(world, status="suspended")
    restate(world)
    assert second_day(world, GATEWAY).file().check().has_passed


def test_catches_a_genesis_signed_by_another_key_than_the_one_admitted():
    class Rekeyed(World):
        def genesis(self, origin, party, by):
            self.keys.setdefault(NEW, signer(NEW))
            super().genesis(origin, party, NEW if origin == register(OPERATOR) else by)

    assert caught(Rekeyed().found().measure().file().check()) == "parties"


# -- absence is shown by presence ------------------------------------------------------------------


def test_catches_a_suspension_hidden_by_a_shorter_register_or_by_an_older_bundle():
    world = second_day(first_day(), GATEWAY).file()
    before, origin = world.bundle(), register(REGISTRAR)
    trust = world.trust(not_before=world.now + MINUTE)
    size = len(world.logs[origin].entries)
    restate(world, status="suspended")
    assert caught(world.check()) == "parties"
    # The log host signs a shorter register: the epochs hold more of it.
    bundle = world.bundle()
    entries = world.logs[origin].entries[:size]
    head = Checkpoint(origin, size, root_of([leaf_hash(raw) for raw in entries]))
    note = sign_checkpoint(head, world.keys["log"])
    bundle.logs[origin] = replace(bundle.logs[origin], entries=tuple(entries), end=size, checkpoint=note)
    signed = {SignedStatement.parse(raw).payload for s in bundle.logs.values() for raw in s.entries}
    signed.add(SignedStatement.parse(bundle.log_of_logs_entries[0]).payload)
    bundle.contents = {digest: c for digest, c in bundle.contents.items() if digest in signed}
    result = world.check(bundle)
    assert caught(result) == "registers-whole"
    assert "left out" in reason(result, "registers-whole")
    # A bundle made before it still holds, until its anchor is older than the trust file lets it be.
    assert caught(world.check(before, trust=trust)) == "freshness"
