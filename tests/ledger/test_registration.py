"""What hostile or broken uploads get: a refusal with a stable code, and no entry."""

from __future__ import annotations

import hashlib
import os

import pytest
from example_contents import bodies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest.contents import KINDS, build_content
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import sign_statement
from carbonseal_ledger.errors import BodyTooLarge
from carbonseal_ledger.outcomes import Status, Submission


def refused(world, item, origin=None):
    origin = origin or world.data
    size = world.host.head(origin).tree_size
    (outcome,) = world.host.register(origin, [item])
    assert outcome.status is Status.REFUSED
    assert outcome.index is None
    assert outcome.problem.remedy
    assert world.host.head(origin).tree_size == size
    return outcome.problem.code


def test_rejects_bytes_that_are_no_statement(world):
    assert refused(world, Submission(b"\xd2\x84")) == "malformed-statement"


def test_rejects_statement_with_unprotected_header(world):
    item = world.readings(world.main)
    changed = item.statement.replace(b"\xa0\x58\x20", b"\xa1\x01\x02\x58\x20", 1)
    assert refused(world, Submission(changed, item.content)) == "malformed-statement"


def test_rejects_flipped_signature(world):
    item = world.readings(world.main)
    changed = item.statement[:-1] + bytes([item.statement[-1] ^ 1])
    assert refused(world, Submission(changed, item.content)) == "signature-invalid"


def test_rejects_key_that_no_register_admits(world):
    thief = world.stream("m-main", Ed25519Signer.generate())
    assert refused(world, world.readings(thief)) == "unknown-device"


def test_rejects_statement_signed_for_another_log(world):
    item = world.readings(world.main, origin=world.register)
    assert refused(world, item) == "origin-wrong"


def test_rejects_kind_that_belongs_in_the_other_log(world):
    body = world.device_body("g-other", Ed25519Signer.generate())
    world.devices.origin = world.data
    assert refused(world, world.devices.sign("device", "g-other", body)) == "kind-wrong-log"


def test_rejects_kind_that_the_registry_lacks(world):
    item = world.readings(world.main)
    content = item.content.replace(b"readings", b"fictions")
    forged = sign_statement(
        world.gateway, kind="fictions", issuer="g-gateway", subject="m-main", issued_at=world.now // 1000,
        origin=world.data, stream="readings/m-main", sequence=0, previous=None, interval=None,
        checkpoint=None, content=content,
    )  # fmt: skip
    assert refused(world, Submission(forged.raw, content)) == "kind-unknown"


def test_rejects_kind_that_the_policy_leaves_out(make_world):
    kinds = {"gap": {"signer": "device", "content_first": True}}
    world = make_world(policy={"kinds": kinds}).found()
    assert refused(world, world.readings(world.main)) == "kind-unknown"


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.is_draft])
def test_rejects_draft_kind_since_its_meaning_may_still_change(world, kind):
    own = world.new_stream(world.enterprise, "e-enterprise", world.data, kind)
    assert refused(world, own.sign(kind, "e-enterprise", bodies()[kind])) == "kind-unknown"


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.role and not kind.is_draft])
def test_rejects_kind_of_a_role_that_the_party_was_not_admitted_with(world, kind):
    own = world.new_stream(world.enterprise, "e-enterprise", world.data, kind)
    assert refused(world, own.sign(kind, "e-enterprise", bodies()[kind])) == "role-missing"


def test_rejects_content_whose_subject_differs_from_the_header(world):
    item = world.readings(world.main, subject="m-gas", keep=False)
    header_says_main = world.readings(world.main, keep=False)
    assert (
        refused(world, Submission(header_says_main.statement, item.content)) == "content-contradicts-header"
    )


def test_rejects_content_that_the_signer_made_to_contradict_the_header(world):
    stream = world.main
    interval = (world.now, world.now + 3_600_000)
    body = {"points": ["energy"], "reason": "source_silent", "detail": "x"}
    content = build_content(
        "gap", subject="m-gas", stream=stream.stream, interval=interval, body=body, salt=os.urandom(16)
    )
    signed = sign_statement(
        world.gateway, kind="gap", issuer="g-gateway", subject="m-main", issued_at=world.now // 1000,
        origin=world.data, stream=stream.stream, sequence=0, previous=None, interval=interval,
        checkpoint=None, content=content,
    )  # fmt: skip
    world.now += 3_600_000
    assert refused(world, Submission(signed.raw, content)) == "content-contradicts-header"


def test_rejects_content_that_its_schema_refuses(world):
    content = b"\xa0"
    signed = sign_statement(
        world.gateway, kind="gap", issuer="g-gateway", subject="m-main", issued_at=world.now // 1000,
        origin=world.data, stream="readings/m-main", sequence=0, previous=None,
        interval=(world.now - 1000, world.now), checkpoint=None, content=content,
    )  # fmt: skip
    assert refused(world, Submission(signed.raw, content)) == "content-invalid"


def test_rejects_readings_without_their_content(world):
    item = world.readings(world.main)
    assert refused(world, Submission(item.statement)) == "content-missing"


def test_accepts_readings_whose_content_was_uploaded_before(world):
    item = world.readings(world.main)
    digest = hashlib.sha256(item.content).digest()
    assert world.host.contents.put(digest, item.content, origin=world.data)
    world.accept(Submission(item.statement))


def test_accepts_content_sent_again_with_its_statement(world):
    item = world.readings(world.main)
    world.host.contents.put(hashlib.sha256(item.content).digest(), item.content, origin=world.data)
    world.accept(item)


def test_rejects_content_above_the_limit(make_world):
    world = make_world(policy={"max_content_bytes": 1024}).found()
    item = world.readings(world.main, count=2000)
    assert refused(world, item) == "body-too-large"


def test_rejects_statement_above_the_limit(world):
    item = world.readings(world.main)
    assert refused(world, Submission(item.statement + bytes(5000), item.content)) == "body-too-large"


def test_rejects_batch_above_the_limit(world):
    with pytest.raises(BodyTooLarge):
        world.host.register(world.data, [Submission(b"x")] * 10_001)


def test_rejects_statement_from_the_future(world):
    item = world.readings(world.main)
    world.now -= 3_600_000
    assert refused(world, item) == "clock-out-of-tolerance"


def test_accepts_statement_within_the_clock_tolerance(world):
    world.accept(world.readings(world.main, issued_at=world.now + 3_600_000 + 299_000))


def test_rejects_readings_of_a_window_that_has_not_ended(world):
    item = world.readings(world.main, issued_at=world.now)
    world.now -= 3_600_000
    assert refused(world, item) == "clock-out-of-tolerance"


def test_rejects_device_signing_for_a_meter_it_is_not_enrolled_for(world):
    assert refused(world, world.readings(world.stream("m-steam"))) == "subject-not-permitted"


def test_rejects_device_naming_a_foreign_issuer(world):
    assert refused(world, world.readings(world.stream("m-main", issuer="g-other"))) == "subject-not-permitted"


def test_rejects_party_key_signing_readings(world):
    stream = world.stream("m-main", world.enterprise, issuer="e-enterprise")
    assert refused(world, world.readings(stream)) == "role-missing"


def test_rejects_device_key_signing_a_report_kind(world):
    body = {
        "title": "bill", "media_type": "application/pdf", "document_digest": bytes(32), "size": 1,
        "relates_to": [],
    }  # fmt: skip
    assert refused(world, world.main.sign("document", "m-main", body)) == "role-missing"


def test_rejects_enterprise_admitting_itself(world):
    body = world.party_body("e-enterprise", world.enterprise, ["verification_body"])
    assert refused(world, world.devices.sign("party", "e-enterprise", body), world.register) == "role-missing"


@pytest.mark.parametrize("kind", ["tick", "equivocation"])
def test_rejects_log_host_kinds_from_outside(world, kind):
    body = {"at": world.now}
    if kind == "equivocation":
        body = {"kid": bytes(32), "stream": "x", "sequence": 0, "registered": bytes(32), "refused": b"x"}
    assert refused(world, world.main.sign(kind, "m-main", body)) == "log-reserved"


def test_rejects_log_key_used_as_a_party_key(world):
    stream = world.stream("m-main", world.log_key, issuer="e-enterprise")
    assert refused(world, world.readings(stream)) == "role-missing"


def test_rejects_second_genesis_sent_as_an_entry_and_logs_that_the_party_signed_two(world):
    predecessor = {"origin": world.data, "tree_size": 1, "root_hash": bytes(32)}
    item = world.genesis(world.enterprise, "e-enterprise", world.data, predecessor=predecessor)
    (outcome,) = world.send(item)
    assert outcome.problem.code == "log-reserved"
    assert [e.kind for e in world.host.select(world.data)] == ["genesis", "equivocation", "tick"]


def test_rejects_party_that_the_registrar_suspended(world):
    body = world.party_body("e-enterprise", world.enterprise, ["enterprise"]) | {"status": "suspended"}
    world.accept(world.parties.sign("party", "e-enterprise", body))
    assert refused(world, world.readings(world.main)) == "unknown-party"


def test_rejects_party_that_was_never_admitted(make_world):
    world = make_world()
    world.open(world.registrar, "r-registrar", "register")
    world.open(world.enterprise, "e-enterprise", "register")
    devices = world.new_stream(world.enterprise, "e-enterprise", world.register, "devices")
    item = devices.sign("device", "g-gateway", world.device_body("g-gateway", world.gateway))
    assert refused(world, item, world.register) == "unknown-party"


def test_rejects_statement_that_cites_a_checkpoint_this_log_never_had(world):
    assert refused(world, world.readings(world.main, checkpoint=(1, bytes(32)))) == "checkpoint-contradicts"
    assert refused(world, world.readings(world.main, checkpoint=(99, bytes(32)))) == "checkpoint-contradicts"


def test_accepts_statement_that_cites_a_checkpoint_of_this_log(world):
    head = world.host.head(world.data)
    world.accept(world.readings(world.main, checkpoint=(head.tree_size, head.root_hash)))


def test_one_bad_item_does_not_keep_the_rest_of_a_batch_out(world):
    gas = world.stream("m-gas")
    items = [world.readings(world.main), Submission(b"junk"), world.readings(gas)]
    outcomes = world.send(*items)
    assert [o.status for o in outcomes] == [Status.ACCEPTED, Status.REFUSED, Status.ACCEPTED]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), content=st.none() | st.binary(max_size=200))
def test_any_bytes_get_a_refusal(world, data, content):
    (outcome,) = world.host.register(world.data, [Submission(data, content)])
    assert outcome.status is Status.REFUSED
    assert outcome.problem.code == "malformed-statement"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), in_content=st.booleans())
def test_any_flipped_bit_is_refused(world, at, bit, in_content):
    item = world.readings(world.main, keep=False)
    data = bytearray(item.content if in_content else item.statement)
    data[at % len(data)] ^= 1 << bit
    changed = Submission(item.statement, bytes(data)) if in_content else Submission(bytes(data), item.content)
    (outcome,) = world.host.register(world.data, [changed])
    assert outcome.status is Status.REFUSED
