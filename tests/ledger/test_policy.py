"""The registration policy: attacks on it, amendments, rates that hold for every process, and lateness."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from example_contents import bodies
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.contents import parse_content
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.identity.policies import ALWAYS, RegistrationPolicy
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.database import open_database
from carbonseal_ledger.errors import BodyTooLarge, ContentRefused, GenesisRefused, RateLimited
from carbonseal_ledger.outcomes import Status, Submission
from carbonseal_ledger.policy import DAY_MS, Allowance, Lateness

HOUR = 3_600_000
PARTY = "e-enterprise"
READINGS = {"readings": {"signer": "device", "content_first": True}}


def codes(outcomes):
    return [o.problem.code if o.problem else str(o.status) for o in outcomes]


def amendment(world, *, log_host=None, registrar=None, subject=PARTY, by=None, **changes):
    """A policy statement that changes some figures of the policy in force, endorsed as it should be."""
    history = world.host.policies(PARTY)
    about = {k: changes.pop(k) for k in ("amends", "origin") if k in changes}
    body = {
        "origin": world.register, "amends": history.spans[-1].digest, "reason": "a test",
        "policy": {**history.newest.value, **changes}, "endorsements": [],
    } | about  # fmt: skip
    body["endorsements"] = [
        endorse(log_host or world.log_key, "policy", PARTY, "log_host", body),
        endorse(registrar or world.registrar, "policy", PARTY, "registrar", body),
    ]
    if not hasattr(world, "policies"):
        world.policies = world.new_stream(world.enterprise, PARTY, world.register, "policy")
    stream = world.policies if by is None else replace(world.policies, signer=by)
    return stream.sign("policy", subject, body, keep=False, issued_at=world.now)


def amend(world, **changes):
    item = amendment(world, **changes)
    (outcome,) = world.accept(item)
    signed = SignedStatement.parse(item.statement)
    world.policies.sequence, world.policies.previous = signed.header.sequence, signed.digest
    return outcome


def limited(make_world, **figures):
    return make_world(policy=figures).found()


def several(world, count):
    """The readings of some hours, signed now: nothing of them lies ahead when the clock stands still."""
    items = [world.readings(world.main) for _ in range(count)]
    world.now += HOUR
    return items


def beside(world):
    """Another process of the same log host: its own memory, the same database and published copy."""
    url = world.engine.url.render_as_string(hide_password=False)
    return replace(world, engine=open_database(url, Path("/unused")))


# -- who may amend ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "code", "field"),
    [
        ({"log_host": Ed25519Signer.generate()}, "policy-refused", "endorsement by log_host"),
        ({"registrar": Ed25519Signer.generate()}, "policy-refused", "endorsement by registrar"),
        ({"amends": bytes(32)}, "policy-refused", "content.body.amends"),
        ({"origin": "log.carbonseal.example/e-enterprise/data"}, "policy-refused", "content.body.origin"),
        ({"subject": "m-main"}, "policy-refused", "header.subject"),
        ({"kinds": {"readings": {"signer": "party", "content_first": True}}}, "policy-refused",
         "content.body.policy.kinds.readings"),
        ({"kinds": {"readings": {"signer": "device", "content_first": False}}}, "policy-refused",
         "content.body.policy.kinds.readings"),
        ({"kinds": {"fictions": {"signer": "device", "content_first": True}}}, "policy-refused",
         "content.body.policy.kinds.fictions"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_refuses_a_policy_that_party_log_host_and_registrar_did_not_all_agree_to(world, lie, code, field):
    item = amendment(world, **lie)
    (outcome,) = world.send(item)
    assert (outcome.problem.code, outcome.problem.field) == (code, field)
    assert len(world.host.policies(PARTY).spans) == 1


def test_refuses_a_policy_signed_by_a_device(world):
    assert codes(world.send(amendment(world, by=world.gateway))) == ["role-missing"]


def test_refuses_a_policy_in_the_data_log(world):
    item = amendment(world)
    body = parse_content(item.content).body
    data = world.new_stream(world.enterprise, PARTY, world.data, "policy")
    assert codes(world.send(data.sign("policy", PARTY, body))) == ["kind-wrong-log"]


def test_two_amendments_of_one_policy_cannot_both_be_registered(world):
    first, second = amendment(world, late_after_ms=HOUR), amendment(world, late_after_ms=2 * HOUR)
    other = world.new_stream(world.enterprise, PARTY, world.register, "policy-two")
    again = other.sign("policy", PARTY, parse_content(second.content).body)
    outcomes = world.send(first, again)
    assert codes(outcomes) == ["accepted", "policy-refused"]
    assert outcomes[1].problem.field == "content.body.amends"
    assert world.host.policies(PARTY).newest.late_after_ms == HOUR


def test_refuses_a_data_log_whose_genesis_states_another_policy_than_the_register(make_world):
    world = make_world()
    world.open(world.registrar, "r-registrar", "register")
    world.open(world.enterprise, PARTY, "register")
    world.policy = {"bytes_per_day": 1 << 50}
    with pytest.raises(Exception, match="bytes_per_day"):
        world.open(world.enterprise, PARTY, "data")
    world.policy = {"bytes_per_day": 1 << 30}
    with pytest.raises(GenesisRefused, match="is not the one in force"):
        world.open(world.enterprise, PARTY, "data")


# -- what it changes, and from where on ------------------------------------------------------------


def test_a_policy_counts_from_its_place_on_in_both_logs_after_a_restart_and_in_every_process(world):
    other = beside(world)
    item = world.readings(world.main)
    other.now = world.now
    assert codes(other.send(item)) == ["accepted"], "its registers are read now"
    amend(world, kinds={"gap": {"signer": "device", "content_first": True}})
    item = world.readings(world.main, keep=False)
    other.now = world.now
    for process in (world, other):
        assert codes(process.send(item)) == ["kind-unknown"]
    world.start()
    assert codes(world.send(item)) == ["kind-unknown"]
    grant = world.new_stream(world.enterprise, PARTY, world.register, "grants")
    assert codes(world.send(grant.sign("grant", PARTY, bodies()["grant"], keep=False))) == ["kind-unknown"]
    amend(world, kinds={})
    assert codes(world.send(item)) == ["accepted"]
    other.host.close()
    other.engine.dispose()


def test_statements_of_one_batch_are_held_to_the_policy_before_them(world):
    grants = world.new_stream(world.enterprise, PARTY, world.register, "grants")
    before, after = (grants.sign("grant", PARTY, bodies()["grant"], issued_at=world.now) for _ in range(2))
    assert codes(world.send(before, amendment(world, kinds=READINGS), after)) == [
        "accepted", "accepted", "kind-unknown",
    ]  # fmt: skip


def test_no_policy_shuts_out_the_kinds_by_which_a_log_keeps_itself_in_order(world):
    amend(world, kinds={"gap": {"signer": "device", "content_first": True}}, max_content_bytes=1024)
    assert codes(world.send(world.readings(world.main))) == ["kind-unknown"]
    refused = world.main.previous
    body = {"sequence": 0, "digest": refused, "interval": None, "problem": "kind-unknown"}
    void = world.stream("m-main").sign("void", "m-main", body, issued_at=world.now)
    assert codes(world.send(void)) == ["accepted"]
    revoke = world.device_body("g-gateway", world.gateway, "revoke")
    assert codes(world.send(world.devices.sign("device", "g-gateway", revoke))) == ["accepted"]
    amend(world, kinds={})
    assert "policy" in ALWAYS


def test_a_content_follows_its_receipt_only_where_the_policy_lets_it(world):
    documents = world.new_stream(world.enterprise, PARTY, world.data, "documents")
    item = documents.sign("document", PARTY, bodies()["document"], issued_at=world.now)
    assert codes(world.send(Submission(item.statement))) == ["content-missing"]
    amend(world, kinds={**READINGS, "document": {"signer": "party", "content_first": False}})
    assert codes(world.send(Submission(item.statement))) == ["accepted"]
    digest = hashlib.sha256(item.content).digest()
    assert world.host.put_content(world.data, digest, item.content)
    assert codes(world.send(Submission(world.readings(world.main).statement))) == ["content-missing"]


def test_sizes_are_those_of_the_policy(make_world):
    world = limited(make_world, max_content_bytes=1024, max_batch_statements=2, statements_per_second=1)
    assert codes(world.send(world.readings(world.main, count=2000, keep=False))) == ["body-too-large"]
    items = [world.readings(world.main) for _ in range(3)]
    with pytest.raises(BodyTooLarge, match="at most 2"):
        world.send(*items)
    gathered = world.host.register(world.data, items, is_gathered=True)
    assert codes(gathered) == ["accepted", "accepted", "rate-limited"], (
        "of several callers, each one's is single"
    )
    large = bytes(1025)
    with pytest.raises(ContentRefused, match="at most 1024"):
        world.host.put_content(world.data, hashlib.sha256(large).digest(), large)


# -- rates -----------------------------------------------------------------------------------------


def test_a_limited_log_keeps_nothing_says_when_and_takes_the_same_bytes_later(make_world):
    world = limited(make_world, statements_per_second=2, max_batch_statements=3)
    items = several(world, 6)
    assert codes(world.send(*items[:3])) == ["accepted"] * 3
    size = world.host.head(world.data).tree_size
    (outcome,) = world.send(items[3])
    assert (outcome.problem.code, outcome.problem.retry_after_s) == ("rate-limited", 1)
    assert world.host.head(world.data).tree_size == size
    assert world.host.stream_heads(world.data, kid=world.gateway.public.kid)[0].sequence == 2
    world.now += 1000
    assert codes(world.send(*items[3:6])) == ["accepted", "accepted", "rate-limited"]
    assert codes(world.send(*items[:3])) == ["duplicate"] * 3, "what is there is answered, whatever the rate"


def test_what_a_log_took_under_a_slower_policy_leaks_at_the_rate_of_a_faster_one(make_world):
    world = limited(make_world, statements_per_second=1, max_batch_statements=1000)
    items = several(world, 1002)
    world.accept(*items[:1000])
    assert codes(world.send(items[1000])) == ["rate-limited"]
    amend(world, statements_per_second=1000, max_batch_statements=10)
    (outcome,) = world.send(items[1000])
    assert outcome.problem.retry_after_s == 1, "a thousand statements at a thousand a second"
    world.now += 1000
    assert codes(world.send(items[1000])) == ["accepted"]


def test_a_restart_or_another_process_gives_nobody_a_new_allowance(make_world):
    world = limited(make_world, statements_per_second=1, max_batch_statements=4)
    items = several(world, 6)
    world.accept(*items[:2])
    world.start()
    world.accept(*items[2:4])
    other = beside(world)
    assert codes(other.send(items[4])) == ["rate-limited"]
    assert codes(world.send(items[4])) == ["rate-limited"]
    other.host.close()
    other.engine.dispose()


def test_processes_that_send_at_once_share_one_allowance(make_world):
    world = limited(make_world, statements_per_second=1, max_batch_statements=10)
    singles = []
    for number in range(30):
        stream = replace(world.stream("m-main"), stream=f"readings/{number}")
        singles.append(world.readings(stream, subject="m-main"))
    world.now += HOUR
    others = [beside(world) for _ in range(2)]
    hosts = [world.host, *(other.host for other in others)]
    with ThreadPoolExecutor(6) as pool:
        done = pool.map(lambda at: hosts[at % 3].register(world.data, [singles[at]])[0], range(30))
        outcomes = list(done)
    assert codes(outcomes).count("accepted") == 10
    assert codes(outcomes).count("rate-limited") == 20
    for other in others:
        other.host.close()
        other.engine.dispose()


def test_one_log_that_is_full_leaves_the_other_open(make_world):
    world = limited(make_world, statements_per_second=1, max_batch_statements=3)
    items = several(world, 4)
    assert codes(world.send(*items[:3])) == ["accepted"] * 3
    assert codes(world.send(items[3])) == ["rate-limited"]
    revoke = world.device_body("g-gateway", world.gateway, "revoke")
    assert codes(world.send(world.devices.sign("device", "g-gateway", revoke))) == ["accepted"], (
        "a stolen key that fills the data log cannot keep its own revocation out"
    )


def test_whoever_fills_the_register_cannot_keep_a_revocation_out(make_world):
    """A gateway's stolen access may upload for the register: the day's bytes go, the reserve stays."""
    world = limited(make_world, bytes_per_day=1 << 20, statements_per_second=1, max_batch_statements=4)
    fill = bytes((1 << 20) - 8192)
    world.host.put_content(world.register, hashlib.sha256(fill).digest(), fill)
    rest = os.urandom(8192 - 3000)
    world.host.put_content(world.register, hashlib.sha256(rest).digest(), rest)
    grants = world.new_stream(world.enterprise, PARTY, world.register, "grants")
    ordinary = [grants.sign("grant", PARTY, bodies()["grant"], issued_at=world.now) for _ in range(4)]
    assert codes(world.send(*ordinary))[-1] == "rate-limited"
    revoke = world.device_body("g-gateway", world.gateway, "revoke")
    assert codes(world.send(world.devices.sign("device", "g-gateway", revoke))) == ["accepted"]
    amend(world, bytes_per_day=1 << 30)


def test_what_is_reserved_has_an_end_too(make_world):
    world = limited(make_world, statements_per_second=1, max_batch_statements=2)
    world.now += HOUR
    resumes = world.new_stream(world.enterprise, PARTY, world.register, "resumes")
    body = {
        "device": "g-gateway", "kid": world.gateway.public.kid, "stream": "readings/m-main",
        "next_sequence": 7, "previous": None, "reason": "a flood",
    }  # fmt: skip
    items = [resumes.sign("resume", "g-gateway", body, issued_at=world.now) for _ in range(2)]
    assert codes(world.send(*items)) == ["accepted"] * 2
    items = [resumes.sign("resume", "g-gateway", body, issued_at=world.now) for _ in range(2)]
    assert codes(world.send(*items)) == ["accepted"] * 2
    assert codes(world.send(resumes.sign("resume", "g-gateway", body, issued_at=world.now))) == [
        "rate-limited"
    ]


def test_contents_without_statements_count_against_the_day(make_world):
    world = limited(make_world, bytes_per_day=1 << 20)
    one, two = bytes(600_000), b"\x01" * 600_000
    assert world.host.put_content(world.data, hashlib.sha256(one).digest(), one)
    assert not world.host.put_content(world.data, hashlib.sha256(one).digest(), one), "known: costs nothing"
    with pytest.raises(RateLimited) as caught:
        world.host.put_content(world.data, hashlib.sha256(two).digest(), two)
    assert caught.value.retry_after_s <= DAY_MS // 1000
    assert not world.host.contents.has([hashlib.sha256(two).digest()])
    world.now += caught.value.retry_after_s * 1000
    assert world.host.put_content(world.data, hashlib.sha256(two).digest(), two)


def test_statements_and_their_contents_count_against_the_day(make_world):
    world = limited(make_world, bytes_per_day=1 << 20)
    world.now += DAY_MS
    fill = bytes((1 << 20) - 3000)
    world.host.put_content(world.data, hashlib.sha256(fill).digest(), fill)
    large = world.readings(world.main, count=1500, keep=False)
    assert codes(world.send(large)) == ["rate-limited"]
    assert codes(world.send(world.readings(world.main))) == ["accepted"]


@given(
    st.integers(1, 50),
    st.integers(1, 20),
    st.lists(st.integers(0, 3000), min_size=1, max_size=120),
)
def test_never_more_than_one_batch_and_the_rate_in_any_stretch_of_time(rate, burst, waits):
    value = {
        "kinds": {}, "max_statement_bytes": 4096, "max_content_bytes": 1 << 20, "bytes_per_day": 1 << 40,
        "max_batch_statements": burst, "statements_per_second": rate, "conflicts_per_key": 1,
        "clock_tolerance_ms": 0, "late_after_ms": HOUR, "epoch_ms": DAY_MS,
    }  # fmt: skip
    policy, allowance, now, taken = RegistrationPolicy.of(value), Allowance(), 1_767_225_600_000, []
    for wait in waits:
        now += wait // 10
        try:
            allowance.take(policy, now, 1)
        except RateLimited as refusal:
            again = replace(allowance)
            again.take(policy, now + refusal.retry_after_s * 1000, 1)  # what it says is true
        else:
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert (last - first + 1) * 1000 <= burst * 1000 + rate * (taken[last] - taken[first])


# -- conflicts -------------------------------------------------------------------------------------


def test_conflicts_of_one_key_do_not_fill_the_log(make_world):
    world = limited(make_world, conflicts_per_key=2)
    items = several(world, 6)
    world.accept(*items)
    forks = []
    for sequence, item in enumerate(items):
        header = SignedStatement.parse(item.statement).header
        stream = replace(world.main, sequence=sequence - 1, previous=header.previous)
        forks.append(world.readings(stream, count=5, keep=False, issued_at=world.now))
    assert codes(world.send(*forks[:3])) == ["sequence-reused"] * 3
    assert codes(world.send(*forks[3:])) == ["sequence-reused"] * 3
    assert len(world.host.select(world.data, kinds={"equivocation"})) == 2


# -- what comes late -------------------------------------------------------------------------------


def test_a_value_that_comes_late_is_accepted_and_marked(world):
    timely, slow, past = (world.readings(world.main) for _ in range(3))
    assert [o.lateness for o in world.accept(timely)] == [Lateness.TIMELY]
    world.now += 40 * HOUR
    (outcome,) = world.accept(slow)
    assert outcome.lateness is Lateness.LATE
    late = replace(world.main, sequence=1, previous=SignedStatement.parse(slow.statement).digest)
    imported = world.readings(late, issued_at=world.now)
    (outcome,) = world.accept(imported)
    assert outcome.lateness is Lateness.IMPORTED_LATE
    assert world.send(imported)[0].lateness is Lateness.IMPORTED_LATE, "and so it stays"
    assert world.host.lateness(world.data, outcome.digest) is Lateness.IMPORTED_LATE
    assert past.statement != imported.statement


def test_reports_about_a_year_ago_are_not_late_and_a_policy_moves_the_line(world):
    own = world.new_stream(world.enterprise, PARTY, world.data, "declared")
    body = bodies()["gap"]
    item = world.stream("m-gas").sign(
        "gap", "m-gas", body, interval=(world.now - 2 * HOUR, world.now - HOUR), issued_at=world.now
    )
    assert world.accept(item)[0].lateness is Lateness.TIMELY
    amend(world, late_after_ms=60_000)
    assert world.send(item)[0].lateness is Lateness.IMPORTED_LATE
    document = own.sign("document", PARTY, bodies()["document"], issued_at=world.now)
    assert world.accept(document)[0].lateness is None


# -- erasure as a weapon ---------------------------------------------------------------------------


def erasing(world, digest):
    own = world.new_stream(world.enterprise, PARTY, world.register, f"erasures/{digest.hex()[:8]}")
    body = {"erases": digest, "reason": "a test", "authority": "nobody"}
    return own.sign("erasure", PARTY, body, issued_at=world.now)


def test_nobody_erases_a_public_content_that_others_rest_on_by_uploading_it_first(world):
    """A party that guesses the registrar's next admission owns its content, and could blind all registers."""
    newcomer = Ed25519Signer.generate()
    item = world.parties.sign("party", "e-other", world.party_body("e-other", newcomer, ["enterprise"]))
    digest = hashlib.sha256(item.content).digest()
    world.host.put_content(world.register, digest, item.content)
    world.accept(item)
    assert codes(world.send(erasing(world, digest))) == ["erasure-refused"]
    assert world.host.contents.has([digest])
    assert codes(world.send(world.readings(world.main))) == ["accepted"]


def test_a_party_cannot_erase_what_says_whose_keys_sign_nor_in_the_batch_that_says_it(world):
    other = Ed25519Signer.generate()
    device = world.devices.sign("device", "g-other", world.device_body("g-other", other))
    digest = hashlib.sha256(device.content).digest()
    assert codes(world.send(device, erasing(world, digest))) == ["accepted", "erasure-refused"]
    assert world.host.contents.has([digest])


def test_a_party_still_erases_its_own_readings(world):
    item = world.readings(world.main)
    world.accept(item)
    digest = hashlib.sha256(item.content).digest()
    assert codes(world.send(erasing(world, digest))) == ["accepted"]
    assert not world.host.contents.has([digest])
    assert world.send(item)[0].status is Status.DUPLICATE
