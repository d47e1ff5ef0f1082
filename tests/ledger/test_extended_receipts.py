"""Extended receipts of a running log host: they end in the anchored head; damage never leaves the house."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.extended_receipt import MAX_EXTENDED
from carbonseal_ledger.errors import EntryUnknown, EpochPending, LogDamaged, RangeInvalid


class Chain:
    mined = final = 0

    def anchored_size(self):
        return self.mined

    def final_size(self):
        return self.final


def covered(world, made, statement):
    key = world.log_key.public
    head = open_checkpoint(made.checkpoint, origin=world.log_of_logs, key=key)
    return made.verify(statement, origin=world.data, key=key, head=head)


def test_no_extended_receipt_before_an_epoch_and_none_for_a_stranger(world):
    (outcome,) = world.accept(world.readings(world.main))
    with pytest.raises(EpochPending, match="in no epoch yet"):
        world.host.extended_receipt(world.data, outcome.digest)
    world.host.build_epoch()
    assert world.host.extended_receipt(world.data, outcome.digest)
    with pytest.raises(EntryUnknown):
        world.host.extended_receipt(world.register, outcome.digest)


def test_receipt_ends_in_the_final_head_else_the_anchored_one_else_the_newest(world):
    item = world.readings(world.main)
    (outcome,) = world.accept(item)
    for _ in range(4):
        world.host.build_epoch()
    world.host._desk.anchors = chain = Chain()

    def size(**asked):
        made = world.host.extended_receipt(world.data, outcome.digest, **asked)
        assert len(made.encode()) <= MAX_EXTENDED
        shown = covered(world, made, item.statement)
        assert (shown.index, shown.epoch.epoch) == (outcome.index, 1)
        return shown.head.tree_size

    assert size() == 5
    chain.mined = 4
    assert size() == 4
    chain.final = 3
    assert size() == 3
    chain.final = 1  # a head that covers nothing yet
    assert size() == 4
    assert [size(tree_size=at) for at in (2, 3, 4, 5)] == [2, 3, 4, 5]
    for at in (1, 6):
        with pytest.raises(RangeInvalid, match="ask for a size from 2 to 5"):
            size(tree_size=at)


def test_later_entry_is_proved_in_the_first_epoch_that_holds_it(world):
    world.accept(world.readings(world.main))
    world.host.build_epoch()
    item = world.readings(world.main)
    (outcome,) = world.accept(item)
    world.host.build_epoch()
    shown = covered(world, world.host.extended_receipt(world.data, outcome.digest), item.statement)
    assert (shown.epoch.epoch, shown.head.tree_size) == (2, 3)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE ledger_epoch_heads SET root_hash = :other WHERE tree_size > 3",
        "UPDATE ledger_epochs SET map_root = :other",
        "UPDATE ledger_epochs SET built_at = built_at + 1",
    ],
)
def test_no_extended_receipt_over_damaged_rows(world, damage):
    (outcome, _, _, _) = world.accept(*[world.readings(world.main) for _ in range(4)])
    world.host.build_epoch()
    with world.engine.begin() as connection:
        connection.execute(text(damage), {"other": bytes(32)} if ":other" in damage else {})
    with pytest.raises(LogDamaged, match="run fsck"):
        world.host.extended_receipt(world.data, outcome.digest)
