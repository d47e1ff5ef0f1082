"""Receipts in bulk: in order, at one head, honest about what is unknown."""

from __future__ import annotations

import pytest

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.errors import EntryUnknown, LogDamaged, LogUnknown
from carbonseal_ledger.outcomes import ReceiptState
from carbonseal_ledger.receipting import ReceiptAnswer


def test_answers_stand_in_the_order_asked_and_unknown_digests_get_nothing(world):
    items = [world.readings(world.main) for _ in range(4)]
    digests = [o.digest for o in world.accept(*items)]
    answers = world.host.receipts(world.data, [digests[2], bytes(32), digests[0]])
    assert [a.index for a in answers] == [3, None, 1]
    assert answers[1] == ReceiptAnswer()
    key = world.log_key.public
    roots = {
        Receipt.parse(answer.receipt).verify(items[at].statement, origin=world.data, key=key)
        for answer, at in ((answers[0], 2), (answers[2], 0))
    }
    assert roots == {world.host.head(world.data).root_hash}
    assert answers[0].state is ReceiptState.LOGGED


def test_receipts_of_a_restarted_ledger_are_those_of_the_one_before(world):
    digests = [o.digest for o in world.accept(*[world.readings(world.main) for _ in range(3)])]
    before = world.host.receipts(world.data, digests)
    world.start()
    assert world.host.receipts(world.data, digests) == before


def test_log_of_one_entry_has_an_index_but_no_receipt(world):
    genesis = world.host.entry(world.data, 0)
    (answer,) = world.host.receipts(world.data, [genesis.digest])
    assert (answer.receipt, answer.index) == (None, 0)
    with pytest.raises(EntryUnknown, match="one entry"):
        world.host.receipt(world.data, genesis.digest)


def test_no_receipt_out_of_a_log_that_does_not_hold_the_statement(world):
    (outcome,) = world.accept(world.readings(world.main))
    with pytest.raises(EntryUnknown):
        world.host.receipt(world.register, outcome.digest)
    with pytest.raises(LogUnknown):
        world.host.receipt("log.carbonseal.example/e-nobody/data", outcome.digest)


def test_no_receipt_over_a_checkpoint_that_the_log_key_did_not_sign(world):
    (outcome,) = world.accept(world.readings(world.main))
    file = world.folder / "published" / world.data / "checkpoint"
    head = world.host.head(world.data)
    forged = Checkpoint(world.data, head.tree_size, bytes(32))
    file.write_text(sign_checkpoint(forged, Ed25519Signer.generate()))
    with pytest.raises(NoteInvalid, match="no signature of the expected key"):
        world.host.receipt(world.data, outcome.digest)


def test_no_receipt_out_of_damaged_tiles(world):
    digests = [o.digest for o in world.accept(*[world.readings(world.main) for _ in range(9)])]
    world.host._reader.forget(world.data)
    for tile in (world.folder / "published" / world.data / "tile/0/000.p").iterdir():
        tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])
    with pytest.raises(LogDamaged, match="does not lead to its root"):
        world.host.receipts(world.data, digests)
