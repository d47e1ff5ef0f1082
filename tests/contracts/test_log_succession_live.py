"""A log of logs closed by its two guardians on a real node, as the ledger's client asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from carbonseal_attest.merkle import consistency_path, leaf_hash, node_hash, root_of
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.chain_answers import CallRefused, Fees
from carbonseal_ledger.chain_client import ChainAccount
from carbonseal_ledger.log_anchor import LogAnchorClient, advance_data
from carbonseal_ledger.log_succession import (
    LOCK_MS,
    WINDOW_MS,
    Closing,
    LastHead,
    guardians_of,
    hand_over_data,
    propose_data,
    succeed_data,
    succession_of,
    withdraw_data,
)

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FEES = Fees(10**11, 10**9)
LEAVES = [leaf_hash(b"genesis"), leaf_hash(b"epoch 1")]
LATER = leaf_hash(b"genesis of the successor")


class World:
    """One log of logs of two entries, its guardians and the log that may go on."""

    def __init__(self, node: AnvilNode) -> None:
        self.node = node
        self.chain = LogAnchorClient(node.url, gas_key=b"\x11" * 32, head_key=b"\x22" * 32)
        self.guardians = [ChainAccount(bytes([number]) * 32) for number in (0x33, 0x44)]
        self.stranger = ChainAccount(b"\x55" * 32)
        for address in (self.chain.gas_address, *(one.address for one in (*self.guardians, self.stranger))):
            node.fund(address)
        self.contract, self.log_id = self.chain.contract_address_for(0), self.chain.log_id(LEAVES[0])
        self.step = (1, 2, node_hash(*LEAVES))
        proof = consistency_path(1, 2, lambda level, i: root_of(LEAVES[i << level : (i + 1) << level]))
        seats = (self.guardians[0].address, self.guardians[1].address)
        for transaction in (
            self.chain.sign_deploy(0, FEES),
            self.chain.sign_open(self.contract, LEAVES[0], 1, FEES),
            self.chain.sign_open(self.contract, LATER, 2, FEES),
            self.chain.sign_appoint(self.contract, self.log_id, seats, 3, FEES),
            self.chain.sign_advance(self.contract, self.log_id, self.step, proof, 4, FEES),
        ):
            self.chain.send(transaction.raw)
            node.mine()
        self.terms = LastHead(self.chain.log_id(LATER), 2, self.step[2])

    def run(self, account: ChainAccount, data: bytes, at: int | None = None) -> None:
        """Ask first, as everybody should, and send what would be taken."""
        if at is not None:
            self.node.mine(at=at)
        self.chain.call(self.contract, data, sender=account.address)
        nonce = self.chain.transaction_count(account.address)
        self.chain.send(
            self.chain.sign(account, self.contract, data, nonce=nonce, fees=FEES, gas=200_000).raw
        )
        self.node.mine()


@pytest.fixture
def world() -> Iterator[World]:
    with AnvilNode(started_at=GENESIS_AT) as node:
        yield World(node)


def test_guardians_close_a_log_which_then_moves_no_more(world: World) -> None:
    first, second = world.guardians
    assert guardians_of(world.chain, world.contract, world.log_id) == (first.address, second.address)
    assert succession_of(world.chain, world.contract, world.log_id) is None
    world.run(first, propose_data(world.log_id, world.terms))
    proposed_at = world.chain.block("latest").block_at
    with pytest.raises(CallRefused):
        world.run(second, succeed_data(world.log_id, world.terms), at=proposed_at + LOCK_MS - 2_000)
    with pytest.raises(CallRefused):
        world.run(world.stranger, succeed_data(world.log_id, world.terms), at=proposed_at + LOCK_MS)
    world.run(second, succeed_data(world.log_id, world.terms))

    closed_at = world.chain.block("latest").block_at
    assert succession_of(world.chain, world.contract, world.log_id) == Closing(world.terms, closed_at)
    head = world.chain.contract_head(world.contract, world.log_id)
    assert (head.tree_size, head.root_hash) == (2, world.step[2])
    onward = (2, 3, b"\x07" * 32)
    signature = world.chain.sign_head(world.contract, world.log_id, onward)
    with pytest.raises(CallRefused):
        world.chain.call(world.contract, advance_data(world.log_id, onward, [LATER], signature))


def test_a_proposal_ends_with_its_window_or_its_withdrawal_or_its_seat(world: World) -> None:
    first, second = world.guardians
    confirm = succeed_data(world.log_id, world.terms)
    world.run(first, propose_data(world.log_id, world.terms))
    late = world.chain.block("latest").block_at + LOCK_MS + WINDOW_MS
    with pytest.raises(CallRefused):
        world.run(second, confirm, at=late)
    world.run(first, propose_data(world.log_id, world.terms))
    world.run(first, withdraw_data(world.log_id))
    with pytest.raises(CallRefused):
        world.run(second, confirm, at=late + LOCK_MS + 60_000)
    world.run(first, propose_data(world.log_id, world.terms))
    world.run(first, hand_over_data(world.log_id, world.stranger.address))
    assert guardians_of(world.chain, world.contract, world.log_id) == (world.stranger.address, second.address)
    with pytest.raises(CallRefused):
        world.run(second, confirm, at=late + 3 * LOCK_MS)
    assert succession_of(world.chain, world.contract, world.log_id) is None


def test_a_log_without_guardians_has_none(world: World) -> None:
    assert guardians_of(world.chain, world.contract, world.terms.successor) is None
