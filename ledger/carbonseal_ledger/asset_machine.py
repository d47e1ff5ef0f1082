"""The asset journal's state machine: which transition an act takes next, decided from what the chain says.

    planned → proposal_signed → proposal_sent → proposed → confirm_signed → confirm_sent → mined → final

What one person does goes from planned to confirm_signed. Nothing is sent that the contract would refuse now:
it is asked first, and a refusal by name ends the act. Success is read from the contract's state and events,
never from a transaction alone: anybody who may could have done the act. Since the contract does each act at
most once, an act that two copies of this journal send is done once, and both find it done. After a
reorganisation the node forgets, and the same bytes are sent again, the proposal before the confirmation. It
leaves out sending (`asset_sending`), the database (`asset_journal`) and which acts there are (`asset_book`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from carbonseal_ledger import carbon_assets_calls as calls
from carbonseal_ledger.asset_acts import (
    SINGLE_KINDS,
    Act,
    ActInvalid,
    ActKind,
    Deploy,
    Record,
    from_parameters,
)
from carbonseal_ledger.asset_evidence import EvidenceSource
from carbonseal_ledger.asset_journal import AssetJournal, Unsigned
from carbonseal_ledger.asset_models import ActState, AssetAct, Leg
from carbonseal_ledger.asset_refusals import (
    AlreadyProposed,
    AssetRefused,
    HeadMovedOn,
    LogNotOpen,
    NotProposed,
    PredecessorWrong,
)
from carbonseal_ledger.asset_sending import MemberKeyMissing, Sender
from carbonseal_ledger.carbon_assets import AssetsNotReady, CarbonAssetsClient
from carbonseal_ledger.chain_answers import ChainRefused, TxReceipt
from carbonseal_ledger.errors import LedgerError

# Refusals that only say that the chain has moved on since the question was made, or is not so far yet.
_PASSING: Final = (HeadMovedOn, PredecessorWrong, LogNotOpen, AlreadyProposed)
_DEPLOY_GAS: Final = 5_000_000  # gas limit; 3,700,000 are used
_GAS_SPARE: Final = 20_000  # beside a quarter, since what an act costs depends on what others did before


class AssetConflict(LedgerError):
    """The chain says that an act was done and does not hold what it should have brought."""

    code = "asset-conflict"


class AssetMachine:
    """Moves single acts; every decision it takes is in the journal before it acts."""

    def __init__(
        self,
        journal: AssetJournal,
        client: CarbonAssetsClient,
        sender: Sender,
        evidence: EvidenceSource | None,
    ) -> None:
        self._journal = journal
        self._client = client
        self._sender = sender
        self._evidence = evidence

    def run(self, act: AssetAct) -> AssetAct:
        """Move an act as far as it goes now, and return it as it then stands.

        Raises:
            ChainUnreachable: the node does not answer; nothing is lost, try again.
            AssetConflict: the contract does not hold what it says it did.
        """
        here, moved = act, self._move(act)
        while moved is not None and moved.state != here.state:
            here = moved
            if moved.state in {ActState.PROPOSAL_SENT, ActState.CONFIRM_SENT}:
                break  # it needs a block now
            moved = self._move(here)
        return self._journal.get(here.id) or here

    def preflight(self, act: Act, proposer: bytes | None, confirmer: bytes, act_hash: bytes) -> None:
        """Ask whether the contract would do an act now, taking it for proposed already.

        Raises:
            AssetRefused: it would not; by name.
            AssetsNotReady: the report of a record is not anchored yet.
        """
        if isinstance(act, Deploy):
            self._client.simulate_deployment(act, confirmer)
            return
        self._client.check_deployed()
        data = self._confirmation(act, proposer)
        proposed = None if proposer is None else (act_hash, proposer)
        try:
            self._client.simulate(data, confirmer, proposed=proposed)
        except ChainRefused:
            # This node takes no questions about other storage: the contract is asked before the confirmation.
            return
        if proposer is not None:
            with suppress(AlreadyProposed):
                self._client.simulate(calls.proposal(act), proposer)

    def was_done(self, act: Act, act_hash: bytes) -> bool:
        """Whether the contract has done an act before, whoever asked for it."""
        if self._client.is_done(act) is False:
            return False
        end = self._client.block("latest").number + 1
        return self._client.find_act(act, act_hash, 0, end) is not None

    def give_up(self, act: AssetAct) -> AssetAct:
        """End an act that nobody has signed yet."""
        return self._fail(act, "proposer: given up before it was proposed", NotProposed.code)

    def sign_deployment(self, act: AssetAct) -> AssetAct | None:
        """Sign and store a deployment without sending it; its address is known from then on."""
        words = _words(act)
        if not isinstance(words, Deploy) or act.state != ActState.PLANNED:
            return act
        call = Unsigned(None, calls.deployment(words, act.confirmer), _DEPLOY_GAS)
        return self._sender.sign(act, Leg.CONFIRMATION, call)

    # -- transitions

    def _move(self, act: AssetAct) -> AssetAct | None:
        """Take one transition and return the act after it; None when it can't go on now."""
        moves: dict[str, Callable[[AssetAct], AssetAct | None]] = {
            ActState.PLANNED: self._begin,
            ActState.PROPOSAL_SIGNED: lambda it: self._sender.send(it, Leg.PROPOSAL),
            ActState.PROPOSAL_SENT: self._look_for_proposal,
            ActState.PROPOSED: self._confirm,
            ActState.CONFIRM_SIGNED: self._send_confirmation,
            ActState.CONFIRM_SENT: self._look_for_confirmation,
            ActState.MINED: self._settle,
        }
        move = moves.get(act.state)
        if move is None:
            return None
        try:
            if act.kind != ActKind.DEPLOY:
                self._client.check_deployed()
            return move(act)
        except AssetRefused as refusal:
            return self._refused(act, refusal)
        except ActInvalid as invalid:
            return self._fail(act, f"{invalid.field}: {invalid.reason}", invalid.code)
        except (AssetsNotReady, MemberKeyMissing, ChainRefused) as problem:
            self._journal.complain(act, f"{problem.field}: {problem.reason}", problem.code)
            return None

    def _begin(self, act: AssetAct) -> AssetAct | None:
        if act.proposer is None:
            return self._confirm(act)
        if self._is_proposed(act):
            return self._journal.change(act, state=ActState.PROPOSED)
        words = _words(act)
        self.preflight(words, act.proposer, act.confirmer, act.act_hash)
        return self._sign(act, Leg.PROPOSAL, self._client.contract, calls.proposal(words), act.proposer)

    def _look_for_proposal(self, act: AssetAct) -> AssetAct | None:
        found = self._sender.find_mined(act, Leg.PROPOSAL)
        if found is None:
            return self._sender.wait(act, Leg.PROPOSAL, lambda: None)
        if found[1].is_success or self._is_proposed(act):
            return self._journal.change(act, state=ActState.PROPOSED)
        return self._sender.retry(act, Leg.PROPOSAL, _reverted(found[1]))

    def _confirm(self, act: AssetAct) -> AssetAct | None:
        if act.is_held:
            return None if self._is_proposed(act) else self._seek_proposal(act)
        if act.confirmation_nonce is not None:  # signed before a reorganisation took the proposal away
            return self._journal.change(act, state=ActState.CONFIRM_SIGNED)
        words = _words(act)
        if isinstance(words, Deploy):
            return self.sign_deployment(act)
        if act.kind in SINGLE_KINDS and self._client.is_done(words):
            done = self._find_done(act)
            if done is not None:
                return done
        data = self._confirmation(words, act.proposer)
        return self._sign(act, Leg.CONFIRMATION, self._client.contract, data, act.confirmer)

    def _send_confirmation(self, act: AssetAct) -> AssetAct | None:
        words = _words(act)
        if isinstance(words, Deploy) and not self._sender.is_known(act, Leg.CONFIRMATION):
            # Its address is written down already, so its nonce must not be used up by a revert.
            self._client.simulate_deployment(words, act.confirmer)
        return self._sender.send(act, Leg.CONFIRMATION)

    def _look_for_confirmation(self, act: AssetAct) -> AssetAct | None:
        found = self._sender.find_mined(act, Leg.CONFIRMATION)
        if found is not None:
            transaction_hash, tx_receipt = found
            if tx_receipt.is_success:
                return self._conclude(act, transaction_hash, tx_receipt)
            return self._find_done(act) or self._sender.retry(act, Leg.CONFIRMATION, _reverted(tx_receipt))
        if self._is_proposal_gone(act) and not self._sender.is_known(act, Leg.CONFIRMATION):
            # Alone the confirmation would revert: the proposal is sent again before it.
            return self._journal.change(act, state=ActState.PROPOSAL_SENT)
        return self._sender.wait(act, Leg.CONFIRMATION, lambda: self._fresh_confirmation(act))

    def _settle(self, act: AssetAct) -> AssetAct | None:
        if not self._is_in_chain(act):
            back = ActState.PROPOSED if act.proposer is not None else ActState.PLANNED
            gone = ("block_number", "block_hash", "block_at", "transaction_hash", "log_index", "gas_used")
            state = back if act.confirmation_nonce is None else ActState.CONFIRM_SENT
            return self._journal.change(act, state=state, **dict.fromkeys(gone))
        if act.block_number is not None and act.block_number <= self._client.settled("finalized"):
            return self._journal.change(act, state=ActState.FINAL)
        return None

    # -- what went otherwise

    def _refused(self, act: AssetAct, refusal: AssetRefused) -> AssetAct | None:
        if isinstance(refusal, _PASSING):
            self._journal.complain(act, refusal.reason, refusal.code)
            return None
        done = self._find_done(act)
        if done is not None:
            return done
        if act.state == ActState.PROPOSED and isinstance(refusal, NotProposed):
            return self._seek_proposal(act)
        return self._fail(act, f"{refusal.field}: {refusal.reason}", refusal.code)

    def _seek_proposal(self, act: AssetAct) -> AssetAct | None:
        """Look for the proposal that the contract no longer holds: reorganised away, or taken back."""
        if self._is_proposed(act):
            return None  # it came back between two questions
        if act.proposal_nonce is None:
            return self._fail(act, "proposer: the proposal was withdrawn, or has expired", NotProposed.code)
        found = self._sender.find_mined(act, Leg.PROPOSAL)
        if found is None:
            return self._journal.change(act, state=ActState.PROPOSAL_SENT)
        if not found[1].is_success:
            return self._sender.retry(act, Leg.PROPOSAL, _reverted(found[1]))
        # Nobody's word is renewed for them: the first person has to propose it again.
        return self._fail(act, "proposer: the proposal was withdrawn, or has expired", NotProposed.code)

    def _fail(self, act: AssetAct, problem: str, code: str) -> AssetAct:
        # What was signed is sent all the same and reverts, since its nonce must not be left out.
        state = ActState.FAILED if act.confirmation_nonce is None else ActState.CONFIRM_SIGNED
        return self._journal.change(act, state=state, problem=problem, problem_code=code)

    # -- what the chain holds

    def _conclude(self, act: AssetAct, transaction_hash: bytes, tx_receipt: TxReceipt) -> AssetAct | None:
        words = _words(act)
        block = self._client.block(tx_receipt.block_number)
        if block.block_hash != tx_receipt.block_hash:
            return None  # the chain is being reorganised under us; look again later
        log_index = None
        if not isinstance(words, Deploy):
            number = tx_receipt.block_number
            event = self._client.find_act(words, act.act_hash, number, number + 1)
            if event is None or self._client.is_done(words) is False:
                if not self._is_block(number, tx_receipt.block_hash):
                    return None
                reason = f"block {number} has the transaction, and the contract does not hold the act"
                raise AssetConflict("contract", reason, "stop, and compare the contract's code with ours")
            log_index = event.log_index
        elif not self._client.is_deployed():
            return None
        return self._journal.change(
            act,
            state=ActState.MINED,
            problem=None,
            problem_code=None,
            block_number=block.number,
            block_hash=block.block_hash,
            block_at=block.block_at,
            transaction_hash=transaction_hash,
            log_index=log_index,
            gas_used=tx_receipt.gas_used,
        )

    def _find_done(self, act: AssetAct) -> AssetAct | None:
        """Take an act as mined that somebody else performed, or an older copy of this journal."""
        words = _words(act)
        if isinstance(words, Deploy) or self._client.is_done(words) is False:
            return None
        end = self._client.block("latest").number + 1
        event = self._client.find_act(words, act.act_hash, act.planned_block, end)
        if event is None and act.planned_block > 0:
            event = self._client.find_act(words, act.act_hash, 0, act.planned_block)
        if event is None:
            return None
        block = self._client.block(event.block_number)
        return self._journal.change(
            act,
            state=ActState.MINED,
            problem=None,
            problem_code=None,
            block_number=block.number,
            block_hash=event.block_hash,
            block_at=block.block_at,
            transaction_hash=event.transaction_hash,
            log_index=event.log_index,
        )

    def _is_proposed(self, act: AssetAct) -> bool:
        if act.proposer is None:
            return False
        return self._client.expiry_of(act.act_hash, act.proposer) > self._client.block("latest").block_at

    def _is_proposal_gone(self, act: AssetAct) -> bool:
        """Whether our proposal was mined once and the present chain does not hold it."""
        if act.proposal_nonce is None or self._is_proposed(act):
            return False
        return self._sender.find_mined(act, Leg.PROPOSAL) is None

    def _is_in_chain(self, act: AssetAct) -> bool:
        return act.block_number is not None and self._is_block(act.block_number, act.block_hash)

    def _is_block(self, number: int, block_hash: bytes | None) -> bool:
        try:
            return self._client.block(number).block_hash == block_hash
        except ChainRefused:
            return False

    # -- calls

    def _sign(self, act: AssetAct, leg: Leg, to: bytes | None, data: bytes, sender: bytes) -> AssetAct | None:
        gas = self._client.estimate(to, data, sender)
        return self._sender.sign(act, leg, Unsigned(to, data, gas * 5 // 4 + _GAS_SPARE))

    def _confirmation(self, words: Act, proposer: bytes | None) -> bytes:
        if not isinstance(words, Record):
            return calls.confirmation(words, proposer)
        if self._evidence is None:
            raise AssetsNotReady("evidence", "no log host is here to make it", "act beside the log host")
        evidence = self._evidence.evidence(words, self._client.anchored_head())
        predecessor = self._client.predecessor_of(words.registry, words.batch, words.first)
        return calls.confirmation(words, proposer, (predecessor, evidence))

    def _fresh_confirmation(self, act: AssetAct) -> bytes | None:
        """Return the confirmation as it would be made now; None keeps it as it was signed."""
        words = _words(act)
        if isinstance(words, Deploy):
            return None
        try:
            return self._confirmation(words, act.proposer)
        except (AssetsNotReady, ChainRefused):
            return None


def _words(act: AssetAct) -> Act:
    return from_parameters(act.kind, act.parameters)


def _reverted(tx_receipt: TxReceipt) -> str:
    return f"the transaction in block {tx_receipt.block_number} reverted"
