"""Epochs and the log of logs."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.epoch import EpochEntry
from carbonseal_attest.merkle import leaf_hash, root_of, verify_consistency
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import (
    EpochRefused,
    LogDamaged,
    LogReserved,
    LogUnknown,
    RangeInvalid,
    RollbackDetected,
)
from carbonseal_ledger.outcomes import ReceiptState
from carbonseal_ledger.start_up import StartUp


def test_epoch_maps_every_log_but_the_log_of_logs(world):
    world.accept(world.readings(world.main))
    record = world.host.build_epoch()
    assert (record.epoch, record.entry_index, record.tree_size, record.origins) == (1, 1, 2, 4)
    assert world.host.head(world.log_of_logs).checkpoint == record.checkpoint
    assert world.host.epochs() == [record]


def test_epoch_closes_over_a_tick_in_every_log(world):
    world.accept(world.readings(world.main))
    world.host.build_epoch()
    for log in world.host.logs():
        if log.log != "epochs":
            assert world.host.entry(log.origin, log.tree_size - 1).kind == "tick"


def test_evidence_of_several_epochs_checks_from_the_entry_to_the_log_of_logs(world):
    for _ in range(4):
        world.accept(*[world.readings(world.main) for _ in range(90)])
        world.host.build_epoch()
    evidence = world.host.epoch_evidence([world.data, world.register], [1, 2, 3, 4])
    leaves = [leaf_hash(raw) for raw in evidence.entries]
    assert root_of(leaves) == evidence.root_hash
    opened = open_checkpoint(evidence.checkpoint, origin=world.log_of_logs, key=world.log_key.public)
    assert (opened.tree_size, opened.root_hash) == (evidence.tree_size, evidence.root_hash)
    SignedStatement.parse(evidence.entries[0]).verify_signature(world.host_key.public)
    assert len(evidence.heads) == 8
    last = {}
    for head in evidence.heads:
        head.map_proof.verify(EpochEntry.decode(evidence.entries[head.epoch]))
        assert head.map_proof.entry.origin == head.origin
        if head.origin in last:
            size, root = last[head.origin]
            verify_consistency(size, head.tree_size, root, head.root_hash, list(head.consistency))
        last[head.origin] = (head.tree_size, head.root_hash)
    assert last[world.data] == (world.host.head(world.data).tree_size, world.host.head(world.data).root_hash)


def test_quiet_epoch_repeats_the_heads(world):
    first, second = world.host.build_epoch(), world.host.build_epoch()
    assert first.map_root == second.map_root
    assert second.tree_size == first.tree_size + 1


def test_anchor_plans_lead_from_the_anchored_size_to_each_later_epoch(world):
    for _ in range(5):
        world.host.build_epoch()
    plans = world.host.plan_anchors(1)
    assert [(p.old_size, p.new_size) for p in plans] == [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]
    for plan in plans:
        old = world.host.root_at(world.log_of_logs, plan.old_size)
        verify_consistency(plan.old_size, plan.new_size, old, plan.new_root, list(plan.path))
    assert [p.epoch for p in world.host.plan_anchors(4)] == [4, 5]
    assert world.host.plan_anchors(6) == []


def test_receipt_state_follows_the_anchor(make_world):
    class Chain:
        mined = final = 0

        def anchored_size(self):
            return self.mined

        def final_size(self):
            return self.final

    world, chain = make_world().found(), Chain()
    (outcome,) = world.accept(world.readings(world.main))

    def state():
        return world.host.receipt_state(world.data, outcome.digest)

    world.host._desk.anchors = chain
    assert state() is ReceiptState.LOGGED
    world.host.build_epoch()
    assert state() is ReceiptState.LOGGED
    chain.mined = 2
    assert state() is ReceiptState.ANCHORED
    chain.final = 2
    assert state() is ReceiptState.FINAL
    (late,) = world.accept(world.readings(world.main))
    assert world.host.receipt_state(world.data, late.digest) is ReceiptState.LOGGED


def test_refuses_epoch_over_a_head_that_forks_from_the_one_before(world):
    world.accept(world.readings(world.main))
    world.host.build_epoch()
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE ledger_epoch_heads SET root_hash = :other WHERE log_id = (SELECT id FROM ledger_logs"
                 " WHERE origin = :origin)"),
            {"other": bytes(32), "origin": world.data},
        )  # fmt: skip
    world.accept(world.readings(world.main))
    with pytest.raises(EpochRefused, match="does not extend") as caught:
        world.host.build_epoch()
    assert caught.value.field == world.data
    assert len(world.host.epochs()) == 1


LOG_ROW = (
    "size", "root_hash", "frontier", "checkpoint", "published_size", "last_tick_at", "ticked_size",
    "last_registered_at",
)  # fmt: skip


def test_refuses_epoch_over_a_second_history_of_a_log_whose_rows_and_copy_were_put_back(world, monkeypatch):
    """Whoever has database and published copy puts a log back and goes on differently: the epoch tells.

    The start-up comparison tells first; a dishonest host leaves it out.
    """
    world.accept(*[world.readings(world.main) for _ in range(3)])
    before, stream = world.host.head(world.data), replace(world.main)
    copy = world.folder / "before"
    shutil.copytree(world.folder / "published" / world.data, copy)
    with world.engine.connect() as connection:
        log = connection.execute(text("SELECT * FROM ledger_logs WHERE origin = :o"), {"o": world.data}).one()
        streams = connection.execute(
            text("SELECT * FROM ledger_streams WHERE log_id = :id"), {"id": log.id}
        ).all()
    item = world.readings(world.main)
    world.accept(item)
    world.host.build_epoch()
    epochs = world.host.head(world.log_of_logs)
    with world.engine.begin() as connection:
        gone = {"id": log.id, "size": before.tree_size}
        connection.execute(text("DELETE FROM ledger_entries WHERE log_id = :id AND index >= :size"), gone)
        sets = ", ".join(f"{name} = :{name}" for name in LOG_ROW)
        values = {name: getattr(log, name) for name in LOG_ROW}
        connection.execute(text(f"UPDATE ledger_logs SET {sets} WHERE id = :id"), {**values, "id": log.id})
        connection.execute(
            text("DELETE FROM ledger_streams WHERE log_id = :id AND NOT id = ANY(:kept)"),
            {"id": log.id, "kept": [one.id for one in streams]},
        )
        for one in streams:
            connection.execute(
                text("UPDATE ledger_streams SET last_sequence = :s, last_digest = :d WHERE id = :id"),
                {"s": one.last_sequence, "d": one.last_digest, "id": one.id},
            )
    shutil.rmtree(world.folder / "published" / world.data)
    shutil.copytree(copy, world.folder / "published" / world.data)
    with pytest.raises(RollbackDetected, match="epoch 1 maps"):
        world.start()
    monkeypatch.setattr(StartUp, "findings", lambda _: [])
    world.start()
    world.main = stream
    (other,) = world.accept(world.readings(world.main, count=2))
    with pytest.raises(EpochRefused, match="does not extend") as caught:
        world.host.build_epoch()
    assert caught.value.field == world.data
    assert world.host.head(world.log_of_logs) == epochs
    assert [plan.new_size for plan in world.host.plan_anchors(1)] == [2]
    with pytest.raises(LogDamaged, match="does not lead to epoch 1"):
        world.host.extended_receipt(world.data, other.digest)


def test_refuses_epoch_without_a_log_of_logs(make_world):
    world = make_world()
    world.open(world.registrar, "r-registrar", "register")
    with pytest.raises(LogUnknown, match="log of logs"):
        world.host.build_epoch()


def test_refuses_statements_in_the_log_of_logs(world):
    with pytest.raises(LogReserved):
        world.host.register(world.log_of_logs, [world.readings(world.main)])


def test_refuses_evidence_of_an_epoch_that_was_not_built(world):
    with pytest.raises(RangeInvalid, match="not built"):
        world.host.epoch_evidence([world.data], [3])


def test_covering_epoch_is_the_first_that_holds_the_entry(world):
    (outcome,) = world.accept(world.readings(world.main))
    assert world.host.epoch_covering(world.data, outcome.index + 1) is None
    world.host.build_epoch()
    world.host.build_epoch()
    assert world.host.epoch_covering(world.data, outcome.index + 1).epoch == 1


def test_epochs_built_at_once_follow_each_other(world):
    world.accept(*[world.readings(world.main) for _ in range(5)])
    with ThreadPoolExecutor(4) as pool:
        records = list(pool.map(lambda _: world.host.build_epoch(), range(8)))
    assert sorted(r.epoch for r in records) == list(range(1, 9))
    assert world.host.head(world.log_of_logs).tree_size == 9
    assert [r.epoch for r in world.host.epochs()] == list(range(1, 9))


def test_epoch_while_readings_arrive_maps_only_published_heads(world):
    items = [world.readings(world.main) for _ in range(60)]

    def upload():
        for item in items:
            world.host.register(world.data, [item])

    with ThreadPoolExecutor(2) as pool:
        uploading = pool.submit(upload)
        for _ in range(6):
            world.host.build_epoch()
        uploading.result()
    world.host.build_epoch()
    evidence = world.host.epoch_evidence([world.data], [r.epoch for r in world.host.epochs()])
    for head in evidence.heads:
        assert world.host.root_at(world.data, head.tree_size) == head.root_hash
