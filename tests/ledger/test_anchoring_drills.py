"""Drills of anchoring on a real node, each on a chain with a base fee and on a legacy one without.

After each of them: exactly one head per epoch, contract equals database, nothing anchored twice
(`Harbour.assert_settled`).
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anchor_world import (
    GAS_KEY,
    GENESIS_AT,
    HEAD_KEY,
    LEAVES,
    MINUTE,
    OTHER_GAS_KEY,
    Harbour,
    is_raised,
    plan_of,
)
from eth_account import Account
from sqlalchemy import Engine, create_engine, text

from carbonseal_attest.anchor import verify_anchor_evidence
from carbonseal_ledger.anchoring import AnchorConflict, Anchorer, AnchorState
from carbonseal_ledger.anchoring_journal import Journal
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, AnvilNode
from carbonseal_ledger.chain_answers import ChainRefused, ChainUnreachable, Fees
from carbonseal_ledger.log_anchor import LogAnchorClient

CHAINS = {"eip1559": None, "legacy": "berlin"}
HOUR = 60


EVERYWHERE = pytest.mark.parametrize("node", CHAINS, indirect=True)
LONG = pytest.mark.long


# The normal run has each drill on one chain, and those marked EVERYWHERE on both.
@pytest.fixture(params=["eip1559", pytest.param("legacy", marks=LONG)])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnvilNode]:
    state = tmp_path / "chain.json"
    with AnvilNode(started_at=GENESIS_AT, hardfork=CHAINS[request.param], state_path=state) as node:
        yield node


@pytest.fixture
def harbour(node: AnvilNode, engine: Engine) -> Harbour:
    return Harbour(node, engine).found()


def thief_of(harbour: Harbour) -> LogAnchorClient:
    """Somebody who has the gas key and not the head key."""
    return LogAnchorClient(harbour.url, gas_key=GAS_KEY, head_key=b"\x44" * 32)


def take_nonce(harbour: Harbour, nonce: int, factor: int = 1) -> bytes:
    """Use a nonce of the gas key for something else."""
    thief, suggested = thief_of(harbour), harbour.chain.suggest_fees()
    fees = Fees(factor * suggested.max_fee_wei, factor * suggested.max_priority_fee_wei, suggested.is_legacy)
    taken = thief.sign_open(harbour.anchorer.contract, LEAVES[nonce % len(LEAVES)], nonce, fees)
    thief.send(taken.raw)
    return taken.transaction_hash


def drain(harbour: Harbour, key: bytes) -> None:
    """Send all that an account has elsewhere, in a transaction like any other."""
    account = Account.from_key(key)
    price = 2 * harbour.chain.suggest_fees().max_fee_wei
    has = int(harbour.node.rpc("eth_getBalance", account.address, "latest"), 16)
    nonce = harbour.chain.transaction_count(bytes.fromhex(account.address[2:]))
    spent = {"to": "0x" + "99" * 20, "value": has - 21_000 * price, "gas": 21_000, "gasPrice": price}
    signed = account.sign_transaction({**spent, "nonce": nonce, "chainId": harbour.chain.chain_id})
    harbour.node.rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    harbour.mine()
    assert int(harbour.node.rpc("eth_getBalance", account.address, "latest"), 16) < 10**15


# -- the node


@EVERYWHERE
def test_node_down_for_an_hour_delays_anchors_and_loses_none(harbour: Harbour) -> None:
    harbour.plan(3)
    harbour.anchorer.step()
    assert harbour.states(3) == [AnchorState.SENT]
    harbour.node.stop()  # its queue is gone with it
    for minute in range(HOUR):
        harbour.now += MINUTE
        if minute in {20, 40}:
            harbour.plan(5 if minute == 20 else 8)
        if minute == 30:
            harbour.restart()  # the anchorer is restarted while the node is away
        with pytest.raises(ChainUnreachable):
            harbour.anchorer.step()
    assert harbour.states(3, 5, 8) == [AnchorState.SENT, AnchorState.PLANNED, AnchorState.PLANNED]
    harbour.node.start()
    harbour.finish()
    harbour.assert_settled(3, 5, 8)
    assert [t.nonce for t in harbour.transactions()] == [0, 1, 2, 3, 4]


def test_node_of_another_chain_is_told_and_gets_nothing(harbour: Harbour, engine: Engine) -> None:
    harbour.plan(3)
    with AnvilNode(started_at=GENESIS_AT, chain_id=4711) as other:
        harbour.url = other.url
        with pytest.raises(ChainRefused, match="chain 4711, not 31337"):
            harbour.restart().step()
        assert other.rpc("eth_getTransactionCount", "0x" + harbour.chain.gas_address.hex(), "latest") == "0x0"
    assert harbour.states(3) == [AnchorState.PLANNED]
    harbour.url = harbour.node.url
    harbour.restart()
    harbour.finish()
    harbour.assert_settled(3)


def test_address_that_comes_to_lead_to_another_chain_is_noticed_in_the_next_round(
    harbour: Harbour, tmp_path: Path
) -> None:
    harbour.plan(3)
    harbour.anchorer.step()
    harbour.node.stop()
    port = int(harbour.url.rpartition(":")[2])
    with AnvilNode(started_at=GENESIS_AT, chain_id=4711, port=port) as other:
        for _ in range(3):
            with pytest.raises(ChainRefused, match="chain 4711, not 31337"):
                harbour.anchorer.step()
        assert int(other.rpc("eth_blockNumber"), 16) == 0
    assert harbour.states(3) == [AnchorState.SENT]
    harbour.node.start()
    harbour.finish()
    harbour.assert_settled(3)


# -- transactions that nobody mines


@EVERYWHERE
def test_stuck_transaction_is_replaced_again_and_again_and_one_of_them_wins(harbour: Harbour) -> None:
    harbour.plan(4)
    harbour.plan(6)
    harbour.anchorer.step()
    for _ in range(3):
        harbour.now += harbour.limits.replace_after_ms
        harbour.anchorer.step()
    sent = [t for t in harbour.transactions() if t.nonce == 2]
    assert len(sent) == 4
    assert all(is_raised(old, new) for old, new in itertools.pairwise(sent))
    harbour.finish()
    harbour.assert_settled(4, 6)
    assert harbour.chain.next_nonce() == 4


# -- reorganisations


def mined_at_depth(harbour: Harbour, depth: int, confirmations: int) -> None:
    """Mine a head so that a reorganisation of `depth` blocks just takes it away."""
    harbour.confirmations = confirmations
    harbour.restart()
    harbour.plan(4)
    harbour.anchorer.step()
    harbour.mine(depth)
    harbour.anchorer.step()


DEPTHS = pytest.mark.parametrize("depth", [1, pytest.param(2, marks=LONG), 3, pytest.param(4, marks=LONG), 5])


@DEPTHS
def test_reorganisation_before_safe_that_drops_the_transaction(harbour: Harbour, depth: int) -> None:
    mined_at_depth(harbour, depth, confirmations=12)
    assert harbour.states(4) == [AnchorState.MINED]
    harbour.node.rpc("anvil_reorg", depth, [])
    harbour.anchorer.step()
    assert harbour.states(4) == [AnchorState.SENT]
    assert harbour.anchorer.anchored_size() == 1
    harbour.plan(7)
    harbour.finish()
    harbour.assert_settled(4, 7)


@DEPTHS
def test_reorganisation_after_safe(harbour: Harbour, depth: int) -> None:
    # Safe at half of the confirmations, and not yet final: a block alone on top cannot be both.
    mined_at_depth(harbour, max(depth, 2), confirmations=max(depth, 2))
    assert harbour.states(4) == [AnchorState.SAFE]
    before = harbour.anchorer.state_of(4)
    harbour.node.rpc("anvil_reorg", depth, [])
    harbour.anchorer.step()
    if depth == 1:  # it takes the block above alone
        assert harbour.anchorer.state_of(4) == before
    else:
        assert harbour.states(4) == [AnchorState.SENT]
        assert harbour.anchorer.anchored_size() == 1
    harbour.plan(7)
    harbour.finish()
    harbour.assert_settled(4, 7)


def test_reorganisation_beyond_finality_takes_the_head_back_and_says_so(
    harbour: Harbour, caplog: pytest.LogCaptureFixture
) -> None:
    mined_at_depth(harbour, 5, confirmations=4)
    assert harbour.states(4) == [AnchorState.FINAL]
    harbour.node.rpc("anvil_reorg", 5, [])
    harbour.anchorer.step()
    assert harbour.states(4) == [AnchorState.SENT]
    assert harbour.anchorer.final_size() == 1
    assert "in the chain no more" in caplog.text
    assert harbour.anchorer.stored_evidence(4) is None
    harbour.plan(7)
    harbour.finish()
    harbour.assert_settled(4, 7)
    kept = harbour.anchorer.stored_evidence(4)
    assert kept is None or [head.tree_size for head in kept.heads][:2] == [1, 4]


def test_node_that_lags_behind_finality_takes_nothing_back(harbour: Harbour, monkeypatch) -> None:
    mined_at_depth(harbour, 5, confirmations=4)
    height = harbour.chain.block("latest").number
    fields = harbour.chain._block_fields

    def lagging(which):
        from carbonseal_ledger.chain_answers import NoSuchBlock

        if isinstance(which, int) and which > height - 5:
            raise NoSuchBlock("chain", f"has no block {which}", "wait")
        return fields(which)

    monkeypatch.setattr(harbour.chain, "_block_fields", lagging)
    harbour.anchorer.step()
    assert harbour.states(4) == [AnchorState.FINAL]


def test_nonce_that_a_reorganisation_left_unused_is_filled(harbour: Harbour) -> None:
    # A foreign transaction took nonce 2, ours went on to 3; then the chain forgot the foreign one.
    take_nonce(harbour, 2)
    harbour.mine()
    harbour.confirmations = 12
    harbour.restart()
    harbour.plan(4)
    harbour.anchorer.step()  # refused: too low
    harbour.anchorer.step()
    assert [t.nonce for t in harbour.transactions()][-1] == 3
    harbour.node.rpc("anvil_reorg", 1, [])
    harbour.anchorer.step()
    harbour.mine()
    harbour.anchorer.step()
    assert harbour.states(4) == [AnchorState.SENT], "nonce 2 is missing, so nothing of 3 can be mined"
    harbour.now += harbour.limits.replace_after_ms
    harbour.anchorer.step()
    harbour.finish()
    harbour.assert_settled(4)


# -- two anchorers, and processes that are killed


def test_two_anchorers_on_one_database_at_once_send_each_head_once(harbour: Harbour, engine: Engine) -> None:
    sizes = (2, 3, 4, 6, 7, 9)
    for size in sizes:
        harbour.plan(size)
    anchorers = [harbour.anchorer, Anchorer(engine, harbour.chain, harbour.clock, limits=harbour.limits)]
    for _ in range(3):
        barrier, problems = threading.Barrier(2), []

        def run(anchorer: Anchorer, barrier=barrier, problems=problems) -> None:
            barrier.wait()
            try:
                anchorer.step()
            except Exception as problem:  # noqa: BLE001 - shown below, in the test's own thread
                problems.append(problem)

        threads = [threading.Thread(target=run, args=(anchorer,)) for anchorer in anchorers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        harbour.mine(BLOCKS_TO_FINALITY + 1)
    harbour.finish()
    harbour.assert_settled(*sizes)
    assert [t.nonce for t in harbour.transactions()] == list(range(2 + len(sizes)))


def test_two_anchorers_on_two_databases_with_one_gas_key_anchor_each_head_once(
    harbour: Harbour, engine: Engine, server: Engine
) -> None:
    # A copy of the machine was started by mistake: the same keys, a journal of its own.
    engine.dispose()
    name, copy = engine.url.database, f"{engine.url.database}_copy"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY file_copy"))
    second = create_engine(server.url.set(database=copy))
    try:
        other = Anchorer(second, harbour.chain, harbour.clock, limits=harbour.limits)
        for size in (3, 5, 8):
            plan = plan_of(harbour.anchorer.planned_size(), size)
            harbour.anchorer.plan(*plan)
            other.plan(*plan)
        for _ in range(12):
            harbour.anchorer.step()
            other.step()
            harbour.mine()
        harbour.finish()
        for _ in range(8):
            if other.step() == []:
                break
            harbour.mine(BLOCKS_TO_FINALITY + 1)
        harbour.assert_settled(3, 5, 8)
        harbour.anchorer = other
        harbour.assert_settled(3, 5, 8)
    finally:
        second.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {copy} WITH (FORCE)"))


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(method: Callable[..., object]) -> Callable[..., object]:
    return die


def after(method: Callable[..., object]) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> None:
        method(*arguments, **named)
        die()

    return call


KILLS = {
    "after-signing": (Journal, "sign", after),
    "before-sending": (LogAnchorClient, "send", before),
    "after-sending": (LogAnchorClient, "send", after),
    "after-noting-it-as-sent": (Journal, "sent", after),
    "before-storing-the-receipt": (Journal, "mined", before),
    "after-storing-the-receipt": (Journal, "mined", after),
    "before-noting-it-as-safe-or-final": (Journal, "settle", before),
    "after-noting-it-as-safe-or-final": (Journal, "settle", after),
    "after-replacing": (Journal, "replace", after),
}


IN_SHORT = ("after-signing", "after-sending", "before-storing-the-receipt")


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=[] if point in IN_SHORT else LONG) for point in KILLS]
)
def test_killed_anchorer_goes_on_where_it_was(harbour: Harbour, point: str) -> None:
    """The process is killed with SIGKILL at one point of each head's way, and started anew."""
    owner, name, how = KILLS[point]

    def step_and_die() -> None:
        harbour.engine.dispose(close=False)
        child = os.fork()
        if child == 0:  # nothing of the parent's is used: connections are made anew
            setattr(owner, name, how(getattr(owner, name)))
            try:
                harbour.restart().step()
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    sizes = (3, 5)
    for size in sizes:
        harbour.plan(size)
        step_and_die()
        if point == "after-replacing":
            harbour.restart().step()
            harbour.now += harbour.limits.replace_after_ms
            step_and_die()
        harbour.mine()
        step_and_die()
        harbour.mine(BLOCKS_TO_FINALITY + 1)
        step_and_die()
        harbour.restart()
        harbour.finish()
    harbour.assert_settled(*sizes)
    assert sorted({t.nonce for t in harbour.transactions()}) == [0, 1, 2, 3]
    assert harbour.chain.next_nonce() == 4


# -- the gas key


def test_nonce_taken_by_foreign_transactions_again_and_again_never_fails_a_head(harbour: Harbour) -> None:
    harbour.plan(4)
    for _ in range(6):
        take_nonce(harbour, harbour.chain.next_nonce(), factor=4)
        harbour.mine()
        harbour.anchorer.step()
        harbour.node.rpc("anvil_dropAllTransactions")
    assert harbour.states(4) != [AnchorState.FAILED]
    harbour.finish()
    harbour.assert_settled(4)


def test_sender_out_of_funds_is_told_and_goes_on_once_it_has_some(harbour: Harbour) -> None:
    drain(harbour, GAS_KEY)
    harbour.plan(4)
    harbour.plan(6)
    for _ in range(5):
        harbour.mine()
        left = harbour.anchorer.step()
    assert [record.state for record in left] == [AnchorState.SIGNED] * 2
    assert all("funds" in (record.problem or "").lower() for record in left)
    harbour.node.fund(harbour.chain.gas_address)
    harbour.finish()
    harbour.assert_settled(4, 6)


@EVERYWHERE
def test_stolen_gas_key_can_neither_advance_nor_brick_the_log(harbour: Harbour) -> None:
    thief = thief_of(harbour)
    place = (harbour.anchorer.contract, harbour.anchorer.log_id)
    old, new, root, proof = plan_of(1, 9)
    # It cannot advance: the head key signs, not the gas key.
    forged = thief.sign_advance(*place, (old, new, root), proof, 2, harbour.chain.suggest_fees())
    thief.send(forged.raw)
    harbour.mine()
    receipt = harbour.chain.tx_receipt(forged.transaction_hash)
    assert receipt is not None
    assert not receipt.is_success
    assert harbour.chain.contract_head(*place).tree_size == 1
    # It can push our transactions out, burn nonces and take the money ...
    harbour.plan(4)
    harbour.anchorer.step()
    harbour.anchorer.step()
    take_nonce(harbour, harbour.chain.next_nonce(), factor=3)
    harbour.mine()
    harbour.anchorer.step()
    harbour.node.rpc("anvil_dropAllTransactions")
    drain(harbour, GAS_KEY)
    harbour.plan(6)
    harbour.anchorer.step()
    assert harbour.chain.contract_head(*place).tree_size == 1
    assert harbour.states(4, 6) == [AnchorState.SIGNED] * 2
    # ... and the log goes on with another gas key, under the same head key and log id.
    harbour.gas_key = OTHER_GAS_KEY
    harbour.restart()
    harbour.node.fund(harbour.chain.gas_address)
    harbour.finish()
    harbour.assert_settled(4, 6)
    assert (harbour.anchorer.contract, harbour.anchorer.log_id) == place


def test_head_sent_by_the_old_gas_key_wins_after_the_new_one_took_over(harbour: Harbour) -> None:
    harbour.plan(4)
    harbour.anchorer.step()
    old = harbour.transactions()[-1]
    harbour.node.rpc("anvil_dropAllTransactions")
    harbour.gas_key = OTHER_GAS_KEY
    harbour.restart()
    harbour.node.fund(harbour.chain.gas_address)
    harbour.anchorer.step()
    assert harbour.chain.gas_address in {t.account for t in harbour.transactions()}
    harbour.node.rpc("anvil_dropAllTransactions")
    harbour.chain.send(old.raw)
    harbour.mine()
    harbour.finish()
    harbour.assert_settled(4)


def test_contract_that_went_past_our_head_stops_the_anchorer(harbour: Harbour) -> None:
    stranger = LogAnchorClient(harbour.url, gas_key=OTHER_GAS_KEY, head_key=HEAD_KEY)
    harbour.node.fund(stranger.gas_address)
    old, new, root, proof = plan_of(1, 7)
    place = (harbour.anchorer.contract, harbour.anchorer.log_id)
    fees = harbour.chain.suggest_fees()
    stranger.send(stranger.sign_advance(*place, (old, new, root), proof, 0, fees).raw)
    harbour.mine()
    harbour.plan(4)
    with pytest.raises(AnchorConflict, match="went on to size 7 without our 4"):
        harbour.anchorer.step()


@EVERYWHERE
def test_legacy_chain_gets_transactions_of_type_0_and_others_of_type_2(harbour: Harbour) -> None:
    harbour.plan(4)
    harbour.finish()
    sent = harbour.transactions()[-1]
    fields = harbour.node.rpc("eth_getTransactionByHash", "0x" + sent.transaction_hash.hex())
    is_legacy = harbour.chain.suggest_fees().is_legacy
    assert int(fields["type"], 16) == (0 if is_legacy else 2)
    assert int(fields["chainId"], 16) == harbour.chain.chain_id
    assert (sent.max_fee_wei == sent.max_priority_fee_wei) == is_legacy
    harbour.assert_settled(4)
    evidence = harbour.anchorer.stored_evidence(4)
    assert evidence is not None
    assert verify_anchor_evidence(evidence, profile=harbour.anchorer.profile(evidence, source="test"))
