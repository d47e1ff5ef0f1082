"""The anchoring state machine: which transition a step takes next, decided from what the chain says now.

    planned → signed → sent → mined → safe → final          mined | safe → reorganised → sent (same nonce)

A raw transaction is stored with nonce and fees before it is sent, and only ever the stored bytes are sent.
Nonces come from a locked row. A transaction that stays unmined is replaced with both fees raised by at least
12.5 %; any of a nonce's transactions may win, so all are looked for. Success is read from the contract's
state, never from a transaction alone: anybody may send a head that we signed. After a reorganisation the node
forgets, and the same bytes are sent again. What somebody else does with the gas key costs nonces and money,
never the step: it takes the next nonce, fills a gap, or is signed anew by the key that took over. It leaves
out what to anchor (`anchoring`), the database (`anchoring_journal`) and JSON-RPC (`chain_client`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_journal import Journal
from carbonseal_ledger.anchoring_models import AnchoringStep, AnchoringTransaction, AnchorKind, AnchorState
from carbonseal_ledger.chain_answers import (
    Block,
    ChainRefused,
    ContractHead,
    ContractWrong,
    Fees,
    NoSuchBlock,
    SignedTransaction,
    TxReceipt,
)
from carbonseal_ledger.chain_fees import FeeLimits, is_too_cheap, replacement_fees
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.log_anchor import LogAnchorClient

MAX_ATTEMPTS: Final = 3  # transactions of ours that may revert for one step
_ON_ITS_WAY: Final = (AnchorState.SIGNED, AnchorState.SENT, AnchorState.REORGANISED)


class AnchorConflict(LedgerError):
    """What is to be anchored contradicts what the journal or the contract holds already."""

    code = "anchor-conflict"


@dataclass(slots=True)
class _Round:
    """What the chain said in this round."""

    settled: dict[str, int] = field(default_factory=dict)
    heads: dict[tuple[bytes, bytes, int | str], ContractHead] = field(default_factory=dict)
    fees: Fees | None = None


class AnchoringMachine:
    """Moves single steps; every decision it takes is in the journal before it acts."""

    def __init__(self, journal: Journal, chain: LogAnchorClient, clock: Clock, limits: FeeLimits) -> None:
        self._journal = journal
        self._chain = chain
        self._clock = clock
        self._limits = limits
        self._round = _Round()

    def begin_round(self) -> None:
        """Forget what the chain said before: its id, heads, fees and finality are asked for once a round.

        Raises:
            ChainRefused: the node has come to be of another chain.
        """
        self._chain.check_chain()
        self._round = _Round()

    def hold_finality(self) -> list[AnchoringStep]:
        """Take back what was called final and is in the chain no more; returns those steps.

        No chain should do that; one that does has lost its finality, and only looking again can tell.
        """
        newest = self._journal.newest_final()
        if newest is None or not self._has_other_block(newest):
            return []
        lost = []
        for step in self._journal.finals():
            if not self._has_other_block(step):
                break
            reason = f"block {step.block_number}, which was final, is in the chain no more"
            lost.append(self._journal.unfinalised(step, reason))
        return lost

    def run(self, step: AnchoringStep) -> None:
        """Move a step as far as it goes now.

        Raises:
            ChainUnreachable: the node does not answer; nothing is lost, try again.
            AnchorConflict: the contract holds another history than the journal.
        """
        here, moved = step, self._move(step)
        while moved is not None and moved.state != here.state:
            if moved.state == AnchorState.SENT:
                return  # it needs a block now
            here, moved = moved, self._move(moved)

    def settled(self, tag: str) -> int:
        """The newest `safe` or `finalized` block number in this round; -1 for none."""
        if tag not in self._round.settled:
            self._round.settled[tag] = self._chain.settled(tag)
        return self._round.settled[tag]

    def sign(self, step: AnchoringStep) -> None:
        """Sign and store a planned step without sending it."""
        if step.state == AnchorState.PLANNED:
            self._sign(step)

    def scan_from(self, contract: bytes) -> int:
        """The first block that can hold the log: the opening's own, or 0 while it is not known."""
        opening = self._journal.opening(contract)
        return 0 if opening is None or opening.block_number is None else opening.block_number

    def _move(self, step: AnchoringStep) -> AnchoringStep | None:
        """Take one transition and return the step after it; None when it can't go on now."""
        moves: dict[str, Callable[[AnchoringStep], AnchoringStep | None]] = {
            AnchorState.PLANNED: self._sign,
            AnchorState.SIGNED: self._send,
            AnchorState.SENT: self._look_for,
            AnchorState.REORGANISED: self._send_again,
            AnchorState.MINED: self._settle,
            AnchorState.SAFE: self._settle,
        }
        move = moves.get(step.state)
        if move is None:
            return None
        is_ours = step.account == self._chain.gas_address or step.kind == AnchorKind.DEPLOY
        return move(step) if is_ours or step.state not in _ON_ITS_WAY else self._take_over(step)

    def _sign(self, step: AnchoringStep) -> AnchoringStep | None:
        if self._journal.has_failed_before(step):
            return self._journal.complain(step, "a step before it has failed")
        adopted = self._adopt(step)
        if adopted is not None:
            return adopted
        fees = self._affordable(step, self._suggested_fees())
        if fees is None:
            return None
        return self._journal.sign(
            step,
            first_nonce=self._chain.next_nonce,
            sign=lambda nonce: self._signed(step, nonce, fees),
            address=self._chain.contract_address_for,
        )

    def _signed(self, step: AnchoringStep, nonce: int, fees: Fees) -> SignedTransaction:
        if step.kind == AnchorKind.DEPLOY:
            return self._chain.sign_deploy(nonce, fees)
        if step.contract is None or step.log_id is None:
            raise AnchorConflict("anchor step", "names no contract or log", "restore the journal")
        if step.kind == AnchorKind.OPEN:
            return self._chain.sign_open(step.contract, step.root_hash, nonce, fees)
        proof = [step.proof[start : start + 32] for start in range(0, len(step.proof), 32)]
        head = (step.old_size, step.new_size, step.root_hash)
        return self._chain.sign_advance(step.contract, step.log_id, head, proof, nonce, fees)

    def _send(self, step: AnchoringStep) -> AnchoringStep | None:
        transaction = self._journal.transactions(step)[0]
        try:
            self._chain.send(transaction.raw)
        except ChainRefused as refusal:
            return self._refused(step, transaction, refusal.reason)
        return self._journal.sent(step, transaction)

    def _refused(
        self, step: AnchoringStep, transaction: AnchoringTransaction, reason: str
    ) -> AnchoringStep | None:
        if self._chain.transaction_count(step.account) > transaction.nonce:
            # Something with this nonce is in the chain: one of ours, or of somebody who has the gas key.
            return self._find_mined(step) or self._retry(step, reason, is_ours=False)
        if is_too_cheap(reason):
            return self._replace(step, transaction)
        return self._journal.complain(step, reason)

    def _look_for(self, step: AnchoringStep) -> AnchoringStep | None:
        found = self._find_mined(step)
        if found is not None:
            return found
        transaction = self._journal.transactions(step)[0]
        if not self._chain.knows(transaction.transaction_hash):
            # A restarted node, or one after a reorganisation, has forgotten it.
            return self._send(step)
        waiting_since = transaction.sent_at if transaction.sent_at is not None else step.changed_at
        if self._clock() - waiting_since < self._limits.replace_after_ms:
            return None
        return self._fill_gap(step) or self._replace(step, transaction)

    def _fill_gap(self, step: AnchoringStep) -> AnchoringStep | None:
        """Use the nonce before all of ours that nothing will ever use, as after a reorganisation.

        The transaction at the later nonce reverts when its turn comes, or does nothing: the head stands.
        """
        nonce = self._chain.next_nonce()
        if step.nonce is None or nonce >= step.nonce or step.kind == AnchorKind.DEPLOY:
            return None
        if self._journal.sends(nonce):
            return None
        fees = self._affordable(step, self._suggested_fees())
        return None if fees is None else self._journal.fill_gap(step, self._signed(step, nonce, fees))

    def _take_over(self, step: AnchoringStep) -> AnchoringStep | None:
        """Plan a step anew that a gas key signed which is ours no more; its transaction may still win.

        The contract takes a head once, so the later of two transactions changes nothing.
        """
        found = self._find_mined(step)
        if found is not None:
            return found
        newest = self._journal.transactions(step)[:1]
        is_waiting = any(self._chain.knows(one.transaction_hash) for one in newest)
        if is_waiting and self._clock() - step.changed_at < self._limits.replace_after_ms:
            return None
        return self._retry(step, "signed by a gas key that is no longer ours", is_ours=False)

    def _replace(self, step: AnchoringStep, transaction: AnchoringTransaction) -> AnchoringStep | None:
        if step.account != self._chain.gas_address:
            return self._journal.complain(step, "unmined, and only the gas key that signed it can replace it")
        fees = replacement_fees(
            transaction.max_fee_wei, transaction.max_priority_fee_wei, self._suggested_fees()
        )
        affordable = self._affordable(step, fees)
        if affordable is None:
            return None
        return self._journal.replace(step, self._signed(step, transaction.nonce, affordable))

    def _find_mined(self, step: AnchoringStep) -> AnchoringStep | None:
        """Look for every transaction of the step's nonce; any of them may have won."""
        for transaction in self._journal.transactions(step):
            tx_receipt = self._chain.tx_receipt(transaction.transaction_hash)
            if tx_receipt is None:
                continue
            block = self._chain.block(tx_receipt.block_number)
            if block.block_hash != tx_receipt.block_hash:
                return None  # the chain is being reorganised under us; look again later
            return self._conclude(step, block, transaction.transaction_hash, tx_receipt)
        return None

    def _conclude(
        self, step: AnchoringStep, block: Block, transaction_hash: bytes, tx_receipt: TxReceipt
    ) -> AnchoringStep:
        if tx_receipt.is_success and self._is_done(step, block.number):
            gas_used = tx_receipt.gas_used
            return self._journal.mined(step, block, transaction_hash=transaction_hash, gas_used=gas_used)
        adopted = self._adopt(step)
        if adopted is not None:
            return adopted
        why = self._chain.why_reverted(transaction_hash, block.number)
        reason = f"the transaction in block {block.number} reverted: {why}"
        return self._retry(step, reason, is_ours=True)

    def _is_done(self, step: AnchoringStep, block_number: int | str) -> bool:
        """Whether the contract's state at a block contains what the step wants."""
        if step.contract is None:
            return False
        if step.kind == AnchorKind.DEPLOY:
            self._chain.check_contract(step.contract)
            return True
        if step.log_id is None:
            return False
        head = self._head(step.contract, step.log_id, block_number)
        if head.tree_size == step.new_size and head.root_hash != step.root_hash:
            reason = f"the contract holds another root at size {step.new_size}"
            raise AnchorConflict("log of logs", reason, "stop: the head key has signed two histories")
        return head.tree_size >= step.new_size

    def _adopt(self, step: AnchoringStep) -> AnchoringStep | None:
        """Take a step as mined that somebody else sent, or that an older copy of this journal did."""
        if step.kind == AnchorKind.DEPLOY or step.contract is None or step.log_id is None:
            return None
        try:
            if not self._is_done(step, "latest"):
                return None
        except ContractWrong:
            return None  # not deployed yet: the deployment waits in front of this step
        start, end = self.scan_from(step.contract), self._chain.block("latest").number + 1
        heads = self._chain.heads_between(step.contract, step.log_id, start, end)
        for mined in heads:
            if (mined.head.tree_size, mined.head.root_hash) == (step.new_size, step.root_hash):
                return self._journal.mined(step, mined.block)
        if heads and heads[-1].head.tree_size > step.new_size:
            reason = f"the contract went on to size {heads[-1].head.tree_size} without our {step.new_size}"
            raise AnchorConflict("log of logs", reason, "stop: somebody else has signed with the head key")
        return None

    def _settle(self, step: AnchoringStep) -> AnchoringStep | None:
        if step.block_number is None or not self._is_in_chain(step):
            return self._journal.reorganised(step)
        if step.block_number <= self.settled("finalized"):
            return self._journal.settle(step, AnchorState.FINAL)
        if step.state == AnchorState.MINED and step.block_number <= self.settled("safe"):
            return self._journal.settle(step, AnchorState.SAFE)
        return None

    def _has_other_block(self, step: AnchoringStep) -> bool:
        """Whether the chain has another block where the step's was; a node that lags has none yet."""
        try:
            return self._chain.block(step.block_number or 0).block_hash != step.block_hash
        except NoSuchBlock:
            return False

    def _is_in_chain(self, step: AnchoringStep) -> bool:
        if step.block_number is None:
            return False
        try:
            return self._chain.block(step.block_number).block_hash == step.block_hash
        except NoSuchBlock:
            return False

    def _send_again(self, step: AnchoringStep) -> AnchoringStep | None:
        if step.nonce is None:
            # It was adopted and has no transaction of its own: it is planned anew.
            return self._retry(step, "its block was reorganised away", is_ours=False)
        return self._find_mined(step) or self._send(step)

    def _retry(self, step: AnchoringStep, problem: str, *, is_ours: bool) -> AnchoringStep:
        most = MAX_ATTEMPTS if is_ours else None
        if step.kind == AnchorKind.DEPLOY:
            most = 1  # its address follows from its nonce and may be written down already
        return self._journal.retry(step, problem, next_nonce=self._chain.next_nonce(), most=most)

    def _head(self, contract: bytes, log_id: bytes, which: int | str) -> ContractHead:
        """Return a head; the newest one is asked for once a round, since only blocks change it."""
        key = (contract, log_id, which)
        if key not in self._round.heads:
            self._round.heads[key] = self._chain.contract_head(contract, log_id, which)
        return self._round.heads[key]

    def _suggested_fees(self) -> Fees:
        if self._round.fees is None:
            self._round.fees = self._chain.suggest_fees()
        return self._round.fees

    def _affordable(self, step: AnchoringStep, fees: Fees) -> Fees | None:
        problem = self._limits.objection(fees)
        if problem is None:
            return fees
        self._journal.complain(step, problem)
        return None
