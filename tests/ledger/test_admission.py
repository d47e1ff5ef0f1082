"""Keys slipped in, taken over, replaced and expired: what the ledger lets sign, statement by statement."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carbonseal_attest.endorsement import endorse
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import GenesisRefused
from carbonseal_ledger.outcomes import Status, Submission

NAME, ENTERPRISE = "log.carbonseal.example", "e-enterprise"
START, HOUR = 1_767_225_600_000, 3_600_000  # of conftest


def codes(outcomes):
    return [o.problem.code if o.problem else str(o.status) for o in outcomes]


def device(world, code, signer, action="enrol", *, keep=True, **facts):
    return world.devices.sign("device", code, world.device_body(code, signer, action, **facts), keep=keep)


@pytest.mark.parametrize("vouching", ["nobody", "the new key"])
def test_rejects_rotation_without_the_old_keys_word(world, vouching):
    new = Ed25519Signer.generate()
    other = None if vouching == "nobody" else new
    item = device(world, "g-gateway", new, "rotate", predecessor=other)
    assert codes(world.send(item)) == ["enrolment-invalid"]


def test_rejects_a_device_key_that_is_the_partys_own(world):
    assert codes(world.send(device(world, "g-new", world.enterprise))) == ["enrolment-invalid"]


def test_rejects_a_proof_of_possession_made_for_another_party(world):
    item = device(world, "g-new", Ed25519Signer.generate(), party="e-other")
    assert codes(world.send(item)) == ["enrolment-invalid"]


def test_statements_of_one_batch_are_judged_by_what_those_before_them_left(world):
    first, second = Ed25519Signer.generate(), Ed25519Signer.generate()
    items = [device(world, "g-new", first), device(world, "g-new", second, keep=False)]
    assert codes(world.send(*items)) == ["accepted", "enrolment-invalid"]
    items = [device(world, "g-new", first, "revoke"), device(world, "g-new", second)]
    assert codes(world.send(*items)) == ["accepted", "accepted"]


def test_a_refused_revocation_lets_no_second_key_in_behind_it(world):
    gone = device(world, "g-gateway", world.gateway, "revoke")
    broken = Submission(gone.statement[:-1] + bytes([gone.statement[-1] ^ 1]), gone.content)
    other = device(world, "g-gateway", Ed25519Signer.generate())
    assert codes(world.send(broken, other)) == ["signature-invalid", "sequence-gap"]
    world.accept(gone)
    world.accept(other)


def test_a_lost_key_is_replaced_by_revocation_and_enrolment(world):
    new = Ed25519Signer.generate()
    assert codes(world.send(device(world, "g-gateway", new, keep=False))) == ["enrolment-invalid"]
    world.accept(device(world, "g-gateway", world.gateway, "revoke"), device(world, "g-gateway", new))
    world.accept(world.readings(world.stream("m-main", new)))


def test_a_key_signs_nothing_outside_its_effective_times(world):
    signer, until = Ed25519Signer.generate(), START + 3 * HOUR
    world.accept(device(world, "g-yearly", signer, valid_from=START + HOUR, expires=until))
    main, gas = (world.stream(m, signer, issuer="g-yearly") for m in ("m-main", "m-gas"))
    assert codes(world.send(world.readings(main, keep=False))) == ["key-stale"]  # its hour lies before

    def second_hour(stream):
        return world.readings(replace(stream, sequence=0), keep=False, sequence=0, previous=None)

    first, other = second_hour(main), second_hour(gas)
    for item in (first, other):  # at one instant, and yet each is bounded before the key expires
        world.accept(item)
        assert [entry.kind for entry in world.host.select(world.data)][-2:] == ["readings", "tick"]
    digest = SignedStatement.parse(first.statement).digest
    late = world.readings(replace(main, sequence=0, previous=digest), keep=False)
    world.now = until
    assert codes(world.send(late, first)) == ["key-stale", "duplicate"]


def test_backfill_of_a_suspended_key_leads_to_the_statement_that_the_suspension_names(world):
    left = [world.readings(world.main) for _ in range(2)]
    last = [{"stream": "readings/m-main", "sequence": 1, "digest": world.main.previous}]
    world.accept(device(world, "g-gateway", world.gateway, "suspend", last=last))
    assert codes(world.send(left[0])) == ["key-stale"]
    world.accept(*left)
    assert codes(world.send(world.readings(world.main))) == ["key-stale"]


def test_rejects_a_resume_of_another_devices_key(world):
    body = {
        "device": "g-other", "kid": world.gateway.public.kid, "stream": "readings/m-main",
        "next_sequence": 10, "previous": None, "reason": "disk lost",
    }  # fmt: skip
    assert codes(world.send(world.devices.sign("resume", "g-other", body))) == ["enrolment-invalid"]


# -- parties ---------------------------------------------------------------------------------------


def rekeyed(world, new):
    body = world.party_body(ENTERPRISE, new, ["enterprise"])
    proofs = ((new, "party"), (world.enterprise, "predecessor"))
    return body | {"endorsements": [endorse(s, "party", ENTERPRISE, role, body) for s, role in proofs]}


def test_rejects_a_party_key_that_the_registrar_changes_alone(world):
    body = world.party_body(ENTERPRISE, Ed25519Signer.generate(), ["enterprise"])
    item = world.parties.sign("party", ENTERPRISE, body)
    assert codes(world.send(item)) == ["enrolment-invalid"]


def test_a_party_signs_with_its_new_key_from_the_registrars_statement_on(world):
    new = Ed25519Signer.generate()
    devices = world.new_stream(new, ENTERPRISE, world.register, "devices")
    body = world.device_body("g-second", Ed25519Signer.generate())
    assert codes(world.send(devices.sign("device", "g-second", body, keep=False))) == ["unknown-device"]
    world.accept(world.parties.sign("party", ENTERPRISE, rekeyed(world, new)))
    assert codes(world.send(world.devices.sign("device", "g-second", body, keep=False))) == ["key-stale"]
    world.accept(devices.sign("device", "g-second", body))
    world.accept(world.readings(world.main))  # its devices go on


def test_rejects_a_device_key_that_the_party_rotated_to(world):
    new = Ed25519Signer.generate()
    world.accept(world.parties.sign("party", ENTERPRISE, rekeyed(world, new)))
    devices = world.new_stream(new, ENTERPRISE, world.register, "devices")
    for signer in (new, world.enterprise):
        body = world.device_body("g-second", signer)
        (outcome,) = world.send(devices.sign("device", "g-second", body, keep=False))
        assert "is the party's or the log's" in outcome.problem.reason
    world.accept(devices.sign("device", "g-second", world.device_body("g-second", Ed25519Signer.generate())))


def test_rejects_a_party_key_that_is_one_of_its_devices(world):
    item = world.parties.sign("party", ENTERPRISE, rekeyed(world, world.gateway), keep=False)
    (outcome,) = world.send(item)
    assert (outcome.problem.code, outcome.problem.field) == ("enrolment-invalid", "content.body.key")
    world.accept(world.parties.sign("party", ENTERPRISE, rekeyed(world, Ed25519Signer.generate())))


def test_a_log_is_opened_with_the_key_that_the_registrar_admitted(make_world):
    world = make_world()
    world.open(world.registrar, "r-registrar", "register")
    parties = world.new_stream(world.registrar, "r-registrar", f"{NAME}/r-registrar/register", "parties")
    other = Ed25519Signer.generate()
    world.accept(parties.sign("party", ENTERPRISE, world.party_body(ENTERPRISE, other, ["enterprise"])))
    with pytest.raises(GenesisRefused, match="present key"):
        world.open(world.enterprise, ENTERPRISE, "register")
    assert world.open(other, ENTERPRISE, "register").status is Status.ACCEPTED
