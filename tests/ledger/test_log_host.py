"""The facade end to end: register, receipts, proofs, restart."""

from __future__ import annotations

import pytest

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import EntryUnknown, LogUnknown, RangeInvalid
from carbonseal_ledger.outcomes import ReceiptState, Submission


def test_registered_readings_get_receipts_that_check(world):
    items = [world.readings(world.main) for _ in range(5)]
    outcomes = world.accept(*items)
    head = world.host.head(world.data)
    assert (
        open_checkpoint(head.checkpoint, origin=world.data, key=world.log_key.public).root_hash
        == head.root_hash
    )
    for item, outcome in zip(items, outcomes, strict=True):
        receipt = Receipt.parse(world.host.receipt(world.data, outcome.digest))
        assert receipt.index == outcome.index
        assert receipt.verify(item.statement, origin=world.data, key=world.log_key.public) == head.root_hash
        assert world.host.receipt_state(world.data, outcome.digest) is ReceiptState.LOGGED


def test_proofs_hold_at_every_size_of_a_log_that_spans_tiles(world):
    for _ in range(3):
        world.accept(*[world.readings(world.main) for _ in range(200)])
    size = world.host.head(world.data).tree_size
    leaves = [leaf_hash(e.raw) for e in world.host.entries(world.data, 0, size)]
    for n in (1, 2, 255, 256, 257, 511, 512, 513, size):
        root = root_of(leaves[:n])
        assert world.host.root_at(world.data, n) == root
        for index in {0, n // 2, n - 1}:
            verify_inclusion(index, n, leaves[index], world.host.inclusion_path(world.data, index, n), root)
        path = world.host.consistency_path(world.data, n, size)
        verify_consistency(n, size, root, root_of(leaves), path)
        for start, end in {(0, n), (n // 3, n), (n // 2, n // 2 + 1)}:
            proof = world.host.range_proof(world.data, start, end, size)
            proof.verify(leaves[start:end], size, root_of(leaves))


def test_restart_goes_on_where_the_log_stood(world):
    world.accept(world.readings(world.main))
    before = world.host.head(world.data)
    world.start()
    assert world.host.head(world.data) == before
    world.accept(world.readings(world.main))
    path = world.host.consistency_path(world.data, before.tree_size, world.host.head(world.data).tree_size)
    head = world.host.head(world.data)
    verify_consistency(before.tree_size, head.tree_size, before.root_hash, head.root_hash, path)


def test_entries_are_found_by_kind_subject_and_interval(world):
    gas = world.stream("m-gas")
    world.accept(world.readings(world.main), world.readings(gas), world.readings(world.main))
    found = world.host.select(world.data, kinds={"readings"}, subject="m-main")
    assert [e.sequence for e in found] == [0, 1]
    first = found[0].interval
    assert first is not None
    assert [e.subject for e in world.host.select(world.data, overlapping=first)] == ["m-main", "m-gas"]
    assert world.host.entry(world.data, found[0].index).raw == found[0].raw


def test_stream_heads_say_where_a_gateway_goes_on(world):
    outcome = world.accept(world.readings(world.main), world.readings(world.main))[-1]
    (head,) = world.host.stream_heads(world.data, kid=world.gateway.public.kid)
    assert (head.stream, head.sequence, head.digest) == ("readings/m-main", 1, outcome.digest)


def test_refuses_what_lies_outside_the_log(world):
    size = world.host.head(world.data).tree_size
    with pytest.raises(RangeInvalid, match="does not lie within"):
        world.host.entries(world.data, 0, size + 1)
    with pytest.raises(RangeInvalid):
        world.host.consistency_path(world.data, 2, 1)
    with pytest.raises(EntryUnknown):
        world.host.find(world.data, bytes(32))
    with pytest.raises(LogUnknown, match="no log"):
        world.host.register("log.carbonseal.example/e-nobody/data", [Submission(b"x")])


def test_a_tick_bounds_the_entries_before_it_once(world):
    world.accept(world.readings(world.main))
    assert world.host.entries(world.data, 2, 3)[0].kind == "tick"
    world.host.tick(world.data)
    world.accept(world.readings(world.main))
    size = world.host.head(world.data).tree_size
    kinds = [e.kind for e in world.host.entries(world.data, 0, size)]
    assert kinds == ["genesis", "readings", "tick", "readings", "tick"]
    tick = SignedStatement.parse(world.host.entry(world.data, 4).raw)
    tick.verify_signature(world.log_key.public)


def test_no_tick_within_a_minute_until_asked(world):
    world.accept(world.readings(world.main))
    gas = world.stream("m-gas")
    world.accept(world.readings(gas))
    outcome_kinds = [e.kind for e in world.host.select(world.data)]
    assert outcome_kinds == ["genesis", "readings", "tick", "readings"]
    world.host.tick(world.data)
    assert [e.kind for e in world.host.select(world.data)][-1] == "tick"
