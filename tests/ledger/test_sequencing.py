"""Strict uniqueness, continuity and equivocation, alone and under concurrency."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from carbonseal_attest.contents import parse_content
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.database import open_database
from carbonseal_ledger.errors import ClockWentBack, DatabaseUnusable, LogDamaged
from carbonseal_ledger.outcomes import Status, Submission


def codes(outcomes):
    return [o.problem.code if o.problem else str(o.status) for o in outcomes]


def kinds(world):
    return [e.kind for e in world.host.select(world.data)]


def entries(world, kind="readings"):
    return world.host.select(world.data, kinds={kind})


def test_repeated_statement_answers_with_its_first_index(world):
    items = [world.readings(world.main) for _ in range(3)]
    first = world.accept(*items)
    again = world.send(*items)
    assert [o.status for o in again] == [Status.DUPLICATE] * 3
    assert [o.index for o in again] == [o.index for o in first]
    assert len(entries(world)) == 3


def test_repeated_statement_with_broken_signature_is_still_the_same_statement(world):
    item = world.readings(world.main)
    (first,) = world.accept(item)
    changed = item.statement[:-1] + bytes([item.statement[-1] ^ 1])
    (again,) = world.send(Submission(changed))
    assert (again.status, again.index) == (Status.DUPLICATE, first.index)


def test_repeated_statement_of_a_key_revoked_meanwhile_is_still_a_duplicate(world):
    item = world.readings(world.main)
    world.accept(item)
    world.accept(
        world.devices.sign("device", "g-gateway", world.device_body("g-gateway", world.gateway, "revoke"))
    )
    assert world.send(item)[0].status is Status.DUPLICATE


def test_same_statement_twice_in_one_batch_is_entered_once(world):
    item = world.readings(world.main)
    outcomes = world.send(item, item)
    assert [o.status for o in outcomes] == [Status.ACCEPTED, Status.DUPLICATE]
    assert outcomes[0].index == outcomes[1].index


def test_second_statement_at_one_sequence_is_refused_and_the_conflict_is_logged(world):
    original = world.readings(world.main, keep=False)
    forked = world.readings(world.main, count=5)
    world.accept(original)
    (outcome,) = world.send(forked)
    assert outcome.problem.code == "sequence-reused"
    (conflict,) = entries(world, "equivocation")
    signed = SignedStatement.parse(conflict.raw)
    signed.verify_signature(world.log_key.public)
    body = parse_content(world.host.contents.get(signed.payload)).body
    assert body["refused"] == forked.statement
    assert body["registered"] == SignedStatement.parse(original.statement).digest


def test_conflict_is_logged_once_however_often_it_is_sent(world):
    original = world.readings(world.main, keep=False)
    forked = world.readings(world.main, count=5)
    assert codes(world.send(original, forked, forked)) == ["accepted", "sequence-reused", "sequence-reused"]
    world.send(forked)
    assert len(entries(world, "equivocation")) == 1


def test_conflict_counts_even_when_the_fork_comes_without_content(world):
    original = world.readings(world.main, keep=False)
    forked = world.readings(world.main, count=5)
    world.accept(original)
    assert codes(world.send(Submission(forked.statement))) == ["sequence-reused"]
    assert len(entries(world, "equivocation")) == 1


def test_conflict_with_a_bad_signature_accuses_nobody(world):
    original = world.readings(world.main, keep=False)
    forked = world.readings(world.main, count=5)
    world.accept(original)
    changed = forked.statement[:-1] + bytes([forked.statement[-1] ^ 1])
    assert codes(world.send(Submission(changed, forked.content))) == ["signature-invalid"]
    assert entries(world, "equivocation") == []


def test_gap_in_a_stream_is_refused_and_says_what_is_next(world):
    world.accept(world.readings(world.main))
    world.readings(world.main)
    (outcome,) = world.send(world.readings(world.main))
    assert outcome.problem.code == "sequence-gap"
    assert "1" in outcome.problem.remedy


def test_refused_statement_keeps_its_followers_out_and_a_retry_lets_them_in(world):
    items = [world.readings(world.main) for _ in range(3)]
    outcomes = world.send(items[0], Submission(items[1].statement), items[2])
    assert codes(outcomes) == ["accepted", "content-missing", "sequence-gap"]
    assert codes(world.send(*items)) == ["duplicate", "accepted", "accepted"]


def test_wrong_previous_is_refused(world):
    world.accept(world.readings(world.main))
    assert codes(world.send(world.readings(world.main, previous=bytes(32)))) == ["previous-wrong"]


def test_void_takes_the_place_of_a_statement_refused_for_good(world):
    world.accept(world.readings(world.main))
    digest = world.main.previous
    bad = world.readings(world.main, version=7)
    spooled = world.readings(world.main)
    assert codes(world.send(bad, spooled)) == ["kind-unknown", "sequence-gap"]
    stream = replace(world.main, sequence=0, previous=digest)
    refused_digest = SignedStatement.parse(bad.statement).digest
    body = {"sequence": 1, "digest": refused_digest, "interval": None, "problem": "kind-unknown"}
    void = stream.sign("void", "m-main", body, issued_at=world.now)
    assert codes(world.send(void, spooled)) == ["accepted", "accepted"]
    assert codes(world.send(bad)) == ["kind-unknown"]
    assert entries(world, "equivocation") == []


def test_stream_may_also_go_on_from_the_void_itself(world):
    bad = world.readings(world.main, version=7, keep=False)
    digest = SignedStatement.parse(bad.statement).digest
    body = {"sequence": 0, "digest": digest, "interval": None, "problem": "x"}
    void = world.main.sign("void", "m-main", body, issued_at=world.now)
    world.accept(void, world.readings(world.main))


def test_resume_by_the_party_lets_a_stream_go_on_after_lost_state(world):
    world.accept(world.readings(world.main))
    lost = replace(world.main, sequence=9, previous=bytes(32))
    assert codes(world.send(world.readings(lost, keep=False))) == ["sequence-gap"]
    body = {
        "device": "g-gateway", "kid": world.gateway.public.kid, "stream": "readings/m-main",
        "next_sequence": 10, "previous": None, "reason": "disk lost",
    }  # fmt: skip
    resume = world.devices.sign("resume", "g-gateway", body, issued_at=world.now)
    (outcome,) = world.accept(resume)
    resumed = replace(world.main, sequence=9, previous=outcome.digest)
    world.accept(world.readings(resumed), world.readings(resumed))


def test_revoked_key_is_refused(world):
    world.accept(world.readings(world.main))
    world.accept(
        world.devices.sign("device", "g-gateway", world.device_body("g-gateway", world.gateway, "revoke"))
    )
    assert codes(world.send(world.readings(world.main))) == ["key-stale"]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM ledger_contents WHERE digest = :digest",
        "UPDATE ledger_contents SET data = set_byte(data, 20, 0) WHERE digest = :digest",
    ],
    ids=["missing", "changed"],
)
def test_nobody_is_admitted_while_a_revocation_cannot_be_read(world, damage):
    revocation = world.devices.sign(
        "device", "g-gateway", world.device_body("g-gateway", world.gateway, "revoke")
    )
    world.accept(revocation)
    with world.engine.begin() as connection:
        digest = SignedStatement.parse(revocation.statement).payload
        assert connection.execute(text(damage), {"digest": digest}).rowcount == 1
    world.start()
    for _ in range(2):  # and not at the second attempt either
        with pytest.raises(LogDamaged, match="is missing or changed"):
            world.send(world.readings(world.main, keep=False))


def test_suspended_key_is_refused_until_the_suspension_is_lifted(world):
    world.accept(
        world.devices.sign("device", "g-gateway", world.device_body("g-gateway", world.gateway, "suspend"))
    )
    item = world.readings(world.main)
    assert codes(world.send(item)) == ["key-stale"]
    lifted = world.device_body("g-gateway", world.gateway, "lift")
    world.accept(world.devices.sign("device", "g-gateway", lifted))
    world.accept(item)


def test_rotated_device_signs_with_its_new_key_only(world):
    world.accept(world.readings(world.main))
    new = Ed25519Signer.generate()
    body = world.device_body("g-gateway", new, "rotate", predecessor=world.gateway)
    world.accept(world.devices.sign("device", "g-gateway", body))
    assert codes(world.send(world.readings(world.main, keep=False))) == ["key-stale"]
    world.accept(world.readings(world.stream("m-main", new)))


def test_backfill_of_a_revoked_key_must_lead_to_the_statement_named_as_last(world):
    world.accept(world.readings(world.main))
    left = [world.readings(world.main) for _ in range(3)]
    last = [{"stream": "readings/m-main", "sequence": 3, "digest": world.main.previous}]
    forged = [world.readings(replace(world.main, sequence=0), previous=bytes(32), count=5)]
    body = world.device_body("g-gateway", world.gateway, "revoke", last=last)
    world.accept(world.devices.sign("device", "g-gateway", body))
    assert codes(world.send(*forged)) == ["key-stale"]
    assert codes(world.send(left[0])) == ["key-stale"]
    world.accept(*left)
    assert codes(world.send(world.readings(world.main))) == ["key-stale"]


@pytest.mark.parametrize("case", ["no_possession", "key_in_use", "second_key", "foreign_key"])
def test_rejects_enrolment_that_does_not_fit_the_register(world, case):
    other = Ed25519Signer.generate()
    body = world.device_body("g-other", other)
    if case == "no_possession":
        body["endorsements"] = []
    elif case == "key_in_use":
        body = world.device_body("g-other", world.gateway)
    elif case == "second_key":
        body = world.device_body("g-gateway", other)
    else:
        body = world.device_body("g-gateway", other, "revoke")
    item = world.devices.sign("device", body["device"], body)
    assert codes(world.send(item)) == ["enrolment-invalid"]


def test_two_batches_at_once_get_distinct_places_and_one_history(world):
    streams = [world.stream(s) for s in ("m-main", "m-gas")]
    batches = [[[world.readings(s) for _ in range(20)] for _ in range(10)] for s in streams]

    def upload(work):
        return [o for batch in work for o in world.host.register(world.data, batch)]

    with ThreadPoolExecutor(2) as pool:
        outcomes = [o for result in pool.map(upload, batches) for o in result]
    assert all(o.status is Status.ACCEPTED for o in outcomes)
    assert len({o.index for o in outcomes}) == 400
    head = world.host.head(world.data)
    assert (
        root_of([leaf_hash(e.raw) for e in world.host.entries(world.data, 0, head.tree_size)])
        == head.root_hash
    )


def test_same_statement_from_many_threads_at_once_is_entered_once(world):
    item = world.readings(world.main)
    barrier = threading.Barrier(8)

    def upload(_):
        barrier.wait()
        return world.send(item)[0]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(upload, range(8)))
    assert sorted(o.status for o in outcomes) == ["accepted", *["duplicate"] * 7]
    assert len({o.index for o in outcomes}) == 1


def test_two_processes_on_one_database_share_the_log(world, database_url, tmp_path):
    second_engine = open_database(database_url, tmp_path / "unused")
    second = type(world)(
        second_engine, world.folder, now=world.now, registrar=world.registrar, host_key=world.host_key,
        log_key=world.log_key, enterprise=world.enterprise, gateway=world.gateway,
    )  # fmt: skip
    gas = world.stream("m-gas")
    work = [
        (world, [world.readings(world.main) for _ in range(30)]),
        (second, [world.readings(gas) for _ in range(30)]),
    ]
    second.now = world.now

    def upload(job):
        there, items = job
        return [there.send(item)[0].status for item in items]

    with ThreadPoolExecutor(2) as pool:
        assert [s for result in pool.map(upload, work) for s in result] == [Status.ACCEPTED] * 60
    duplicates = [second.send(item)[0].status for item in work[0][1]]
    assert duplicates == [Status.DUPLICATE] * 30
    head = second.host.head(world.data)
    assert (
        root_of([leaf_hash(e.raw) for e in world.host.entries(world.data, 0, head.tree_size)])
        == head.root_hash
    )
    second_engine.dispose()


def test_clock_that_went_back_registers_nothing(world):
    world.accept(world.readings(world.main))
    item = world.readings(world.main, issued_at=world.now - 3_600_000)
    world.now -= 2 * 3_600_000
    size = world.host.head(world.data).tree_size
    with pytest.raises(ClockWentBack):
        world.send(item)
    assert world.host.head(world.data).tree_size == size


def test_lost_database_connection_is_reported_and_a_retry_is_safe(world):
    item = world.readings(world.main)
    world.send(item)
    following = world.readings(world.main)
    with world.engine.connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                 " AND pid <> pg_backend_pid()")
        )  # fmt: skip
    try:
        outcome = world.send(following)[0]
    except DatabaseUnusable:
        outcome = world.send(following)[0]
    assert outcome.status in {Status.ACCEPTED, Status.DUPLICATE}
    assert len(entries(world)) == 2


def reference(log, item):
    """The rules of one stream written plainly: a list of digests; returns what must happen."""
    header, digest = item
    if header.sequence < len(log):
        return "duplicate" if log[header.sequence] == digest else "sequence-reused"
    if header.sequence > len(log):
        return "sequence-gap"
    if header.previous != (log[-1] if log else None):
        return "previous-wrong"
    log.append(digest)
    return "accepted"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_uploads_ends_as_the_plain_reference_says(world, data):
    gateway = Ed25519Signer.generate()
    device = "g-" + gateway.public.kid.hex()[:10]
    world.accept(world.devices.sign("device", device, world.device_body(device, gateway)))
    branches = []
    for count in (4, 5):
        stream = world.stream("m-main", gateway, issuer=device)
        branches.append([world.readings(stream, count=count) for _ in range(4)])
    pool = [item for branch in branches for item in branch]
    picks = data.draw(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=5), min_size=1, max_size=4))
    log = []
    for pick in picks:
        items = [pool[i] for i in pick]
        parsed = [SignedStatement.parse(i.statement) for i in items]
        expected = [reference(log, (s.header, s.digest)) for s in parsed]
        assert codes(world.send(*items)) == expected
    (head,) = world.host.stream_heads(world.data, kid=gateway.public.kid) or [None]
    assert (head.sequence if head else -1) == len(log) - 1
