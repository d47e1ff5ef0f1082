from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anchor_world import GAS_KEY, GENESIS_AT, HEAD_KEY, LEAVES, OTHER_GAS_KEY, Harbour, is_raised, plan_of
from sqlalchemy import Engine

from carbonseal_attest.anchor import AnchorInvalid, verify_anchor_evidence
from carbonseal_attest.merkle import consistency_path, root_of
from carbonseal_ledger.anchoring import (
    AnchorConflict,
    Anchorer,
    AnchorNotReady,
    AnchorState,
)
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, AnvilNode
from carbonseal_ledger.chain_answers import ChainUnreachable, ContractWrong, Fees
from carbonseal_ledger.chain_fees import FeeLimits
from carbonseal_ledger.log_anchor import LogAnchorClient


@pytest.fixture
def node() -> Iterator[AnvilNode]:
    with AnvilNode(started_at=GENESIS_AT) as node:
        yield node


@pytest.fixture
def harbour(node: AnvilNode, engine: Engine) -> Harbour:
    return Harbour(node, engine)


@pytest.fixture
def opened(harbour: Harbour) -> Harbour:
    """The contract stands, the log is open, and both are final."""
    return harbour.found()


# -- the straight way


def test_head_goes_from_planned_to_final_and_leaves_evidence(opened: Harbour) -> None:
    anchorer = opened.anchorer
    record = opened.plan(5)
    assert (record.state, record.transaction_hash, record.block_number) == (AnchorState.PLANNED, None, None)
    anchorer.step()
    assert opened.states(1, 2, 5, 6) == [AnchorState.FINAL, AnchorState.SENT, AnchorState.SENT, None]
    assert (anchorer.anchored_size(), anchorer.final_size()) == (1, 1)
    opened.mine()
    mined_at = opened.now
    anchorer.step()
    assert opened.states(5) == [AnchorState.MINED]
    assert (anchorer.anchored_size(), anchorer.final_size()) == (5, 1)
    opened.mine(2)
    anchorer.step()
    assert opened.states(5) == [AnchorState.SAFE]
    assert anchorer.stored_evidence(5) is None
    opened.mine(2)
    assert anchorer.step() == []
    latest = anchorer.latest_final()
    assert latest is not None
    assert (latest.tree_size, latest.root_hash, latest.state) == (5, root_of(LEAVES[:5]), AnchorState.FINAL)
    assert latest.anchored_at == mined_at

    evidence = anchorer.stored_evidence(5)
    assert evidence is not None
    proven = verify_anchor_evidence(evidence, profile=anchorer.profile(evidence, source="test"))
    assert [head.tree_size for head in proven.heads] == [1, 5]
    assert proven.heads[-1].anchored_at == latest.anchored_at


def test_deployment_address_is_known_before_anything_is_sent(harbour: Harbour) -> None:
    address = harbour.anchorer.deploy()
    assert harbour.anchorer.deploy() == address
    assert harbour.chain.next_nonce() == 0
    harbour.finish()
    harbour.chain.check_contract(address)


def test_many_heads_are_sent_at_once_and_become_final_together(opened: Harbour) -> None:
    for size in (2, 3, 7, 12):
        opened.plan(size)
    opened.anchorer.step()
    opened.mine()
    opened.anchorer.step()
    assert opened.states(2, 3, 7, 12) == [AnchorState.MINED] * 4
    opened.mine(BLOCKS_TO_FINALITY)
    assert opened.anchorer.step() == []
    assert [t.nonce for t in opened.transactions()] == [0, 1, 2, 3, 4, 5]
    evidence = opened.anchorer.evidence(12)
    assert [head.tree_size for head in evidence.heads] == [1, 2, 3, 7, 12]


def test_evidence_reaches_up_to_a_later_trusted_block(opened: Harbour) -> None:
    opened.plan(3)
    opened.finish()
    opened.mine(3)
    newest = opened.chain.block("latest").number
    evidence = opened.anchorer.evidence(3, trusted_block=newest)
    assert len(evidence.headers) == BLOCKS_TO_FINALITY + 1
    profile = opened.anchorer.profile(evidence, source="test")
    assert [block.number for block in profile.trusted_blocks] == [newest]
    assert verify_anchor_evidence(evidence, profile=profile).covering(2) is not None


def test_oldest_evidence_that_covers_a_size_is_kept(opened: Harbour) -> None:
    for size in (2, 3):
        opened.plan(size)
        opened.finish()
    for covering, last in ((1, 1), (2, 2), (3, 3)):
        evidence = opened.anchorer.stored_evidence(covering)
        assert evidence is not None
        assert evidence.heads[-1].tree_size == last
        verify_anchor_evidence(evidence, profile=opened.anchorer.profile(evidence, source="test"))
    assert opened.anchorer.stored_evidence(4) is None


def test_anchorer_of_a_named_contract_opens_its_own_log(opened: Harbour, engine: Engine) -> None:
    with pytest.raises(ContractWrong, match="no code"):
        Anchorer(engine, opened.chain, opened.clock, contract=b"\x01" * 20)
    same = Anchorer(engine, opened.chain, opened.clock, contract=opened.anchorer.contract)
    assert same.log_id == opened.anchorer.log_id


# -- what contradicts


def test_same_plan_again_changes_nothing(opened: Harbour) -> None:
    assert opened.plan(4) == opened.anchorer.plan(*plan_of(1, 4))
    assert opened.anchorer.open_log(LEAVES[0]) == opened.anchorer.log_id
    opened.finish()
    assert opened.anchorer.plan(*plan_of(1, 4)).state == AnchorState.FINAL


def test_rejects_second_root_for_one_size(opened: Harbour) -> None:
    opened.plan(4)
    with pytest.raises(AnchorConflict, match="two histories"):
        opened.anchorer.plan(1, 4, b"\x01" * 32, [])


def test_rejects_step_that_does_not_follow_the_last(opened: Harbour) -> None:
    opened.plan(4)
    for old, new in ((1, 5), (5, 6), (4, 4), (4, 3)):
        with pytest.raises(AnchorConflict):
            opened.anchorer.plan(old, new, b"\x01" * 32, [])


def test_rejects_another_log_in_the_same_contract(opened: Harbour) -> None:
    with pytest.raises(AnchorConflict, match="another one is open"):
        opened.anchorer.open_log(LEAVES[1])


def test_nothing_is_claimed_before_it_exists(harbour: Harbour) -> None:
    anchorer = harbour.anchorer
    assert anchorer.step() == []
    assert (anchorer.anchored_size(), anchorer.final_size(), anchorer.latest_final()) == (0, 0, None)
    for ask in (lambda: anchorer.contract, lambda: anchorer.log_id, anchorer.evidence):
        with pytest.raises(AnchorNotReady):
            ask()
    anchorer.deploy()
    with pytest.raises(AnchorNotReady, match="none has been opened"):
        anchorer.plan(*plan_of(1, 2))
    anchorer.open_log(LEAVES[0])
    assert anchorer.state_of(1) is not None
    with pytest.raises(AnchorNotReady, match="no final anchor covers"):
        anchorer.evidence(1)


def test_step_with_a_wrong_proof_fails_by_name_and_blocks_what_builds_on_it(opened: Harbour) -> None:
    old, new, root, proof = plan_of(1, 6)
    opened.anchorer.plan(old, new, root, [*proof[:-1], b"\x00" * 32])
    opened.plan(8)
    for _ in range(6):
        opened.anchorer.step()
        opened.mine()
    left = opened.anchorer.step()
    assert opened.states(6) == [AnchorState.FAILED]
    failed = opened.anchorer.state_of(6)
    assert failed is not None
    assert "reverted" in (failed.problem or "")
    assert all(record.state != AnchorState.MINED for record in left)
    assert opened.anchorer.anchored_size() == 1


# -- kills


def test_restart_between_every_two_transitions_sends_each_transaction_once(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    allowed = 0
    names = ("sign", "sent", "mined", "settle", "replace")

    def kill_after(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object, **named: object) -> None:
            nonlocal allowed
            method(*arguments, **named)
            if allowed == 0:
                raise Killed
            allowed -= 1

        return call

    def again() -> None:
        for _ in range(40):
            try:
                harbour.anchorer.step()
            except Killed:
                harbour.restart()
            else:
                return

    harbour.anchorer.deploy()
    harbour.anchorer.open_log(LEAVES[0])
    from carbonseal_ledger.anchoring_journal import Journal

    for name in names:
        monkeypatch.setattr(Journal, name, kill_after(getattr(Journal, name)))
    sizes = (1, 3, 4, 9)
    for size in sizes:
        if size > 1:
            harbour.plan(size)
        for _ in range(4):
            again()
            harbour.mine(BLOCKS_TO_FINALITY)
        again()
    assert harbour.states(*sizes) == [AnchorState.FINAL] * 4
    assert [t.nonce for t in harbour.transactions()] == [0, 1, 2, 3, 4]
    assert harbour.chain.next_nonce() == 5


def test_kill_between_storing_and_sending_sends_the_stored_bytes(
    opened: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.plan(3)
    with monkeypatch.context() as patch:
        patch.setattr(LogAnchorClient, "send", _unreachable)
        with pytest.raises(ChainUnreachable):
            opened.anchorer.step()
    assert opened.states(3) == [AnchorState.SIGNED]
    stored = opened.transactions()[-1]
    opened.restart()
    opened.finish()
    assert opened.transactions()[-1].transaction_hash == stored.transaction_hash
    assert opened.chain.tx_receipt(stored.transaction_hash) is not None


def _unreachable(*_: object) -> None:
    raise ChainUnreachable("chain", "killed here", "start again")


def test_two_anchorers_on_one_database_never_share_a_nonce(opened: Harbour, engine: Engine) -> None:
    other = Anchorer(engine, opened.chain, opened.clock)
    for size in (2, 3, 4):
        opened.plan(size)
    opened.anchorer.step()
    other.step()
    opened.mine(BLOCKS_TO_FINALITY + 1)
    other.step()
    assert opened.anchorer.step() == []
    assert [t.nonce for t in opened.transactions()] == [0, 1, 2, 3, 4]


# -- reorganisations and lost transactions


def test_reorganisation_that_drops_the_transaction_is_survived(opened: Harbour) -> None:
    opened.plan(4)
    opened.plan(6)
    opened.anchorer.step()
    opened.mine()
    opened.anchorer.step()
    assert opened.states(4, 6) == [AnchorState.MINED] * 2
    first = opened.anchorer.state_of(4)
    assert first is not None
    # The same height again without the transactions, which the node does not put back into its queue.
    opened.node.rpc("anvil_reorg", 1, [])
    assert opened.chain.tx_receipt(first.transaction_hash or b"") is None
    opened.anchorer.step()
    assert opened.states(4, 6) == [AnchorState.SENT] * 2
    assert opened.anchorer.anchored_size() == 1
    opened.mine()
    opened.anchorer.step()
    again = opened.anchorer.state_of(4)
    assert again is not None
    assert again.state == AnchorState.MINED
    assert again.transaction_hash == first.transaction_hash
    assert again.block_hash != first.block_hash
    opened.finish()
    assert [t.nonce for t in opened.transactions()] == [0, 1, 2, 3]
    assert opened.anchorer.stored_evidence(6) is not None


def test_deep_reorganisation_of_a_safe_head_is_noticed(opened: Harbour) -> None:
    opened.plan(4)
    opened.anchorer.step()
    opened.mine(3)
    opened.anchorer.step()
    assert opened.states(4) == [AnchorState.SAFE]
    opened.node.rpc("anvil_reorg", 3, [])
    opened.anchorer.step()
    assert opened.states(4) == [AnchorState.SENT]
    opened.finish()
    assert opened.anchorer.final_size() == 4


def test_transaction_that_the_node_forgot_is_sent_again(opened: Harbour) -> None:
    opened.plan(4)
    opened.anchorer.step()
    opened.node.rpc("anvil_dropAllTransactions")
    opened.mine()
    opened.anchorer.step()
    assert opened.states(4) == [AnchorState.SENT]
    opened.finish()
    assert len(opened.transactions()) == 3


# -- fees


def test_underpriced_transaction_is_replaced_with_both_fees_raised(opened: Harbour) -> None:
    opened.plan(4)
    opened.anchorer.step()
    # The base fee rises beyond what was offered: the node drops the transaction and won't take it again.
    opened.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**12))
    opened.mine()
    opened.anchorer.step()
    assert opened.states(4) == [AnchorState.SENT]
    old, new = opened.transactions()[-2:]
    assert is_raised(old, new)
    opened.mine()
    opened.anchorer.step()
    record = opened.anchorer.state_of(4)
    assert record is not None
    assert (record.state, record.transaction_hash) == (AnchorState.MINED, new.transaction_hash)
    opened.finish()


def test_transaction_that_nobody_mines_is_replaced_after_a_while(opened: Harbour) -> None:
    opened.plan(4)
    opened.anchorer.step()
    opened.now += opened.limits.replace_after_ms - 1
    opened.anchorer.step()
    assert len(opened.transactions()) == 3, "too early"
    opened.now += 1
    opened.anchorer.step()
    old, new = opened.transactions()[-2:]
    assert is_raised(old, new)
    opened.anchorer.step()
    assert len(opened.transactions()) == 4, "the replacement waits its own while"
    opened.finish()
    assert opened.anchorer.final_size() == 4


def test_replaced_transaction_that_wins_after_all_counts(opened: Harbour) -> None:
    opened.plan(4)
    opened.anchorer.step()
    opened.now += opened.limits.replace_after_ms
    opened.anchorer.step()
    first, second = opened.transactions()[-2:]
    opened.node.rpc("anvil_dropAllTransactions")
    opened.chain.send(first.raw)
    opened.mine()
    opened.anchorer.step()
    record = opened.anchorer.state_of(4)
    assert record is not None
    assert (record.state, record.transaction_hash) == (AnchorState.MINED, first.transaction_hash)
    assert opened.chain.tx_receipt(second.transaction_hash) is None
    opened.finish()


def test_nothing_is_signed_above_the_fee_limit(opened: Harbour) -> None:
    opened.limits = FeeLimits(max_fee_wei=1)
    opened.restart()
    opened.plan(4)
    [record] = opened.anchorer.step()
    assert record.state == AnchorState.PLANNED
    assert "the limit is 1" in (record.problem or "")
    assert len(opened.transactions()) == 2


def test_account_without_money_is_told_and_goes_on_once_it_has_some(opened: Harbour) -> None:
    opened.node.fund(opened.chain.gas_address, 0)
    opened.plan(4)
    [record] = opened.anchorer.step()
    assert record.state == AnchorState.SIGNED
    assert "funds" in (record.problem or "").lower()
    opened.node.fund(opened.chain.gas_address)
    opened.finish()
    assert opened.anchorer.final_size() == 4


# -- others at work


def test_head_that_somebody_else_sent_is_adopted(opened: Harbour) -> None:
    # Signed heads are public once they are sent: anybody may carry them to the contract.
    stranger = LogAnchorClient(opened.node.url, gas_key=OTHER_GAS_KEY, head_key=HEAD_KEY)
    opened.node.fund(stranger.gas_address)
    old, new, root, proof = plan_of(1, 4)
    place = (opened.anchorer.contract, opened.anchorer.log_id)
    fees = Fees(10**10, 10**9)
    stranger.send(stranger.sign_advance(*place, (old, new, root), proof, 0, fees).raw)
    opened.mine()
    opened.plan(4)
    opened.anchorer.step()
    record = opened.anchorer.state_of(4)
    assert record is not None
    assert (record.state, record.transaction_hash) == (AnchorState.MINED, None)
    opened.finish()
    assert opened.anchorer.stored_evidence(4) is not None


def test_transaction_outrun_by_somebody_else_counts_as_done(opened: Harbour) -> None:
    stranger = LogAnchorClient(opened.node.url, gas_key=OTHER_GAS_KEY, head_key=HEAD_KEY)
    opened.node.fund(stranger.gas_address)
    opened.plan(4)
    opened.anchorer.step()
    old, new, root, proof = plan_of(1, 4)
    place = (opened.anchorer.contract, opened.anchorer.log_id)
    rich = Fees(10**12, 10**11)
    stranger.send(stranger.sign_advance(*place, (old, new, root), proof, 0, rich).raw)
    opened.mine()
    opened.anchorer.step()
    record = opened.anchorer.state_of(4)
    assert record is not None
    assert (record.state, record.transaction_hash) == (AnchorState.MINED, None)
    opened.finish()


def test_nonce_used_by_somebody_with_the_gas_key_is_given_up(opened: Harbour) -> None:
    thief = LogAnchorClient(opened.node.url, gas_key=GAS_KEY, head_key=b"\x44" * 32)
    thief.send(thief.sign_open(opened.anchorer.contract, LEAVES[5], 2, Fees(10**10, 10**9)).raw)
    opened.mine()
    opened.plan(4)
    opened.finish()
    assert opened.anchorer.final_size() == 4
    assert [t.nonce for t in opened.transactions()] == [0, 1, 2, 3]


def test_front_run_opening_changes_nothing(harbour: Harbour) -> None:
    stranger = LogAnchorClient(harbour.node.url, gas_key=OTHER_GAS_KEY, head_key=HEAD_KEY)
    harbour.node.fund(stranger.gas_address)
    contract = harbour.anchorer.deploy()
    harbour.finish()
    stranger.send(stranger.sign_open(contract, LEAVES[0], 0, Fees(10**12, 10**11)).raw)
    harbour.anchorer.open_log(LEAVES[0])
    harbour.anchorer.step()
    harbour.mine()
    harbour.anchorer.step()
    assert harbour.states(1) == [AnchorState.MINED]
    harbour.plan(4)
    harbour.finish()
    assert harbour.anchorer.final_size() == 4


def test_log_outlives_its_gas_key(opened: Harbour) -> None:
    opened.plan(4)
    opened.finish()
    opened.gas_key = OTHER_GAS_KEY
    opened.restart()
    opened.node.fund(opened.chain.gas_address)
    assert opened.anchorer.final_size() == 4
    opened.plan(6)
    opened.finish()
    assert opened.anchorer.final_size() == 6


def test_other_history_in_the_contract_stops_the_anchorer(opened: Harbour) -> None:
    # Somebody with the head key anchored another tree of the same size.
    stranger = LogAnchorClient(opened.node.url, gas_key=OTHER_GAS_KEY, head_key=HEAD_KEY)
    opened.node.fund(stranger.gas_address)
    forked = [LEAVES[0], *reversed(LEAVES[1:4])]
    proof = consistency_path(1, 4, lambda level, i: root_of(forked[i << level : (i + 1) << level]))
    place = (opened.anchorer.contract, opened.anchorer.log_id)
    step = (1, 4, root_of(forked))
    stranger.send(stranger.sign_advance(*place, step, proof, 0, Fees(10**10, 10**9)).raw)
    opened.mine()
    opened.plan(4)
    with pytest.raises(AnchorConflict, match="two histories"):
        opened.anchorer.step()


def test_evidence_of_this_chain_is_refused_under_another_trusted_block(opened: Harbour) -> None:
    evidence = opened.anchorer.evidence(1)
    opened.mine()
    later = opened.anchorer.evidence(1, trusted_block=opened.chain.block("latest").number)
    with pytest.raises(AnchorInvalid, match="does not name"):
        verify_anchor_evidence(evidence, profile=opened.anchorer.profile(later, source="test"))


def test_chain_and_journal_survive_a_restart_of_the_node(engine: Engine, tmp_path: Path) -> None:
    state = tmp_path / "chain.json"
    with AnvilNode(started_at=GENESIS_AT, state_path=state) as node:
        harbour = Harbour(node, engine)
        harbour.anchorer.deploy()
        harbour.anchorer.open_log(LEAVES[0])
        harbour.finish()
        harbour.plan(3)
        harbour.anchorer.step()
    with AnvilNode(started_at=GENESIS_AT, state_path=state) as node:
        harbour.node, harbour.url = node, node.url
        harbour.restart()
        harbour.finish()
        assert harbour.anchorer.final_size() == 3
        assert len(harbour.transactions()) == 3
