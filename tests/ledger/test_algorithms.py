"""Keys of every admitted algorithm in a log; malleable signatures and numbers that are not admitted."""

from __future__ import annotations

import pytest

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, ED25519, EDDSA, ES256, ESP256, SM2
from carbonseal_attest.cose import sign1
from carbonseal_attest.curve_points import P256
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.signing import generate_signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.outcomes import Status, Submission


def high_s_twin(statement: bytes) -> bytes:
    s = int.from_bytes(statement[-32:], "big")
    return statement[:-32] + (P256.order - s).to_bytes(32, "big")


@pytest.mark.parametrize("algorithm", sorted(ADMITTED))
def test_party_and_gateway_of_each_algorithm_register_and_their_log_passes_its_audit(make_world, algorithm):
    world = make_world(enterprise=generate_signer(algorithm), gateway=generate_signer(algorithm)).found()
    items = [world.readings(world.main) for _ in range(3)]
    outcomes = world.accept(*items)
    for outcome, item in zip(outcomes, items, strict=True):
        receipt = Receipt.parse(world.host.receipt(world.data, outcome.digest))
        receipt.verify(item.statement, origin=world.data, key=world.log_key.public)
    published = world.published()
    assert LogAudit(world.engine, published, world.log_key.public).run().damages == []


@pytest.mark.parametrize("is_twin_first", [False, True])
def test_high_s_twin_of_a_statement_gets_its_first_receipt_and_no_second_entry(make_world, is_twin_first):
    world = make_world(gateway=generate_signer(ESP256)).found()
    item = world.readings(world.main)
    twin = Submission(high_s_twin(item.statement), item.content)
    pair = (twin, item) if is_twin_first else (item, twin)
    (first,) = world.accept(pair[0])
    size = world.host.head(world.data).tree_size
    (again,) = world.send(pair[1])
    assert (again.status, again.index) == (Status.DUPLICATE, first.index)
    assert world.host.head(world.data).tree_size == size
    assert world.host.entry(world.data, first.index).raw == pair[0].statement


@pytest.mark.parametrize(("algorithm", "legacy"), [(ED25519, EDDSA), (ESP256, ES256)])
def test_statement_under_a_legacy_number_is_refused_though_its_signature_verifies(
    make_world, algorithm, legacy
):
    world = make_world(gateway=generate_signer(algorithm)).found()
    item = world.readings(world.main, keep=False)
    made = SignedStatement.parse(item.statement)
    raw = sign1(world.gateway, {**cbor.decode(made.protected), 1: legacy}, made.payload)
    SignedStatement.parse(raw).verify_signature(world.gateway.public, admitted={legacy})
    (outcome,) = world.send(Submission(raw, item.content))
    assert outcome.status is Status.REFUSED
    assert "not admitted here" in outcome.problem.reason


def test_device_with_a_key_of_an_extra_algorithm_is_not_enrolled_unless_the_log_names_it(world):
    pytest.importorskip("tongsuopy", reason="SM2 NOT TESTED: tongsuopy is not installed here")
    body = world.device_body("g-other", generate_signer(SM2))
    (outcome,) = world.send(world.devices.sign("device", "g-other", body, keep=False))
    assert outcome.status is Status.REFUSED
    assert "not admitted here" in outcome.problem.reason
    world.algorithms = ADMITTED | {SM2}
    world.start()
    signer = generate_signer(SM2)
    world.accept(world.devices.sign("device", "g-other", world.device_body("g-other", signer)))
    world.accept(world.readings(world.stream("m-gas", signer, "g-other")))
