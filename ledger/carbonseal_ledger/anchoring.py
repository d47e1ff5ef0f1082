"""Anchor the log of logs on an EVM chain: plan heads, move them on until they are final, hand out evidence.

`anchoring_machine` has the states and why they are so, `anchoring_journal` the database and
`anchoring_evidence` the proofs. It leaves out keys and JSON-RPC (`chain_client`) and what to anchor
(`LogHost.plan_anchors`).

Instants are milliseconds since 1970 UTC; sizes are tree sizes of the log of logs.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine

from carbonseal_attest.anchor import AnchoredHead, AnchorEvidence
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.instants import Clock
from carbonseal_ledger.anchoring_evidence import EvidenceKeeper
from carbonseal_ledger.anchoring_journal import MINED, Journal
from carbonseal_ledger.anchoring_machine import AnchorConflict, AnchoringMachine
from carbonseal_ledger.anchoring_models import AnchoringStep, AnchorKind, AnchorState
from carbonseal_ledger.chain_answers import ChainUnreachable, ContractHead, HeaderNotReproducible
from carbonseal_ledger.chain_fees import FeeLimits
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.log_anchor import LogAnchorClient

_logger = logging.getLogger(__name__)


class AnchorNotReady(LedgerError):
    """What is asked for does not exist yet: no contract, no log, or nothing final."""

    code = "anchor-not-ready"


@dataclass(frozen=True, slots=True)
class AnchorRecord:
    """One head of the log of logs and how far its anchor has come; block fields are None until it is mined.

    `transaction_hash` is the one mined, before that the newest one signed; None for a head that others sent.
    `anchored_at` is the block's time in ms since 1970 UTC. `problem` is what the chain last said against it,
    `final_losses` how many final blocks of it the chain took back.
    """

    tree_size: int
    root_hash: bytes
    state: AnchorState
    transaction_hash: bytes | None
    block_number: int | None
    block_hash: bytes | None
    anchored_at: int | None
    gas_used: int | None
    problem: str | None
    final_losses: int = 0


@dataclass(frozen=True, slots=True)
class HeldHeads:
    """What the contract holds of a log: its heads, oldest first, its newest head, its history hash."""

    heads: tuple[AnchoredHead, ...]
    newest: ContractHead
    history: bytes


class Anchorer:
    """Anchors one log of logs in one contract. Safe to run in several processes against one database.

    Args:
        engine: the ledger's database.
        chain: the node and the two keys.
        clock: decides when an unmined transaction is replaced.
        contract: a LogAnchor deployed before; None takes the one that `deploy` made.
        limits: when to replace it and how much to pay.
    """

    def __init__(
        self,
        engine: Engine,
        chain: LogAnchorClient,
        clock: Clock,
        *,
        contract: bytes | None = None,
        limits: FeeLimits | None = None,
    ) -> None:
        self._engine = engine
        self._chain = chain
        self._clock = clock
        self._given_contract = self._contract = contract
        self._log_id: bytes | None = None
        self._journal = Journal(engine, clock, chain_id=chain.chain_id, account=chain.gas_address)
        self._machine = AnchoringMachine(self._journal, chain, clock, limits or FeeLimits())
        self._is_contract_checked = False
        with suppress(ChainUnreachable):  # the journal tells what was anchored without the node
            self._check_contract()

    # -- what there is

    @property
    def contract(self) -> bytes:
        """The contract's address, 20 bytes; known as soon as the deployment is signed.

        Raises:
            AnchorNotReady: none was named and none deployed.
        """
        if self._contract is None:
            deployment = self._journal.deployment()
            if deployment is None or deployment.contract is None:
                raise AnchorNotReady(
                    "contract", "there is none yet", "deploy one, or name one in the settings"
                )
            self._contract = deployment.contract
        return self._contract

    @property
    def log_id(self) -> bytes:
        """The log's id in the contract, 32 bytes.

        Raises:
            AnchorNotReady: no log has been opened.
        """
        if self._log_id is None:
            opening = self._journal.opening(self.contract)
            if opening is None or opening.log_id is None:
                raise AnchorNotReady("log", "none has been opened", "open it with its genesis leaf hash")
            self._log_id = opening.log_id
        return self._log_id

    def state_of(self, tree_size: int) -> AnchorRecord | None:
        """Return the first planned head of at least `tree_size`, None when none is planned."""
        return next((self._record(step) for step in self._steps() if step.new_size >= tree_size), None)

    def records(self) -> list[AnchorRecord]:
        """Return every head that was planned, by size; the opening is the first."""
        return [self._record(step) for step in self._steps()]

    def held_by_contract(self) -> HeldHeads:
        """Return what the contract holds of the log, asked of the node now.

        Final heads are taken from what is kept, newer ones from the contract's events; that the history hash
        comes from all of them is for the caller to see.

        Raises:
            AnchorNotReady: no log has been opened.
            ChainUnreachable, ChainRefused, ContractWrong: the node cannot be asked, or of another chain.
        """
        self._chain.check_chain()
        contract, log_id = self.contract, self.log_id
        number = self._chain.block("latest").number
        newest = self._chain.contract_head(contract, log_id, number)
        history = self._chain.contract_history(contract, log_id, number)
        kept, start = self._keeper().kept_heads()
        if not kept:
            start = self._machine.scan_from(contract)
        found = self._chain.heads_between(contract, log_id, start, number + 1)
        return HeldHeads((*kept, *(mined.head for mined in found)), newest, history)

    def latest_final(self) -> AnchorRecord | None:
        """Return the largest head in a final block."""
        final = [step for step in self._steps() if step.state == AnchorState.FINAL]
        return self._record(final[-1]) if final else None

    def anchored_size(self) -> int:
        """Return the largest size that is mined and found in the contract's state; 0 when there is none."""
        return self._largest(MINED)

    def final_size(self) -> int:
        """Return the largest size whose block is final; 0 when there is none."""
        return self._largest((AnchorState.FINAL,))

    def planned_size(self) -> int:
        """Return the largest size planned; the next plan starts from it. 0 before the log is opened."""
        return self._largest(tuple(AnchorState))

    # -- what is to be done

    def deploy(self) -> bytes:
        """Plan and sign the contract's deployment, and return the address it will have.

        The same again changes nothing. The address is known before anything is sent, so that the genesis of
        the log of logs can name it.
        """
        if self._given_contract is not None:
            return self._given_contract
        deployment = self._journal.deployment()
        if deployment is None:
            self._contract = None  # an earlier one may have failed
            deployment = self._journal.plan(self._journal.new_step(AnchorKind.DEPLOY))
        self._machine.sign(deployment)
        return self.contract

    def open_log(self, genesis_leaf_hash: bytes) -> bytes:
        """Plan the opening of a log and return its id; the same again changes nothing.

        Raises:
            AnchorConflict: another log is open in this contract already.
        """
        contract, log_id = self.contract, self._chain.log_id(genesis_leaf_hash)
        opening = self._journal.opening(contract)
        if opening is None:
            step = self._journal.new_step(
                AnchorKind.OPEN, contract=contract, log_id=log_id, new_size=1, root_hash=genesis_leaf_hash
            )
            self._journal.plan(step)
        elif opening.log_id != log_id:
            raise AnchorConflict("log", "another one is open in this contract", "use a database of its own")
        return log_id

    def plan(self, old_size: int, new_size: int, root: bytes, proof: Sequence[bytes]) -> AnchorRecord:
        """Plan the step from `old_size` to `new_size` with its consistency proof.

        The same again changes nothing.

        Raises:
            AnchorNotReady: no contract is deployed or no log is opened.
            AnchorConflict: it does not start where the last planned step ends, or the size is planned with
                another root: the log of logs would have forked.
        """
        contract, log_id = self.contract, self.log_id
        step = next((step for step in self._steps() if step.new_size == new_size), None)
        if step is None:
            if old_size != self.planned_size() or new_size <= old_size:
                reason = f"{old_size} to {new_size} does not follow size {self.planned_size()}"
                raise AnchorConflict("anchor step", reason, "plan steps in order, each from the last's size")
            fields = {"contract": contract, "log_id": log_id, "old_size": old_size, "new_size": new_size}
            proof_bytes = b"".join(proof)
            step = self._journal.plan(
                self._journal.new_step(AnchorKind.ADVANCE, root_hash=root, proof=proof_bytes, **fields)
            )
        if step.root_hash != root:
            reason = f"size {new_size} is planned with another root"
            raise AnchorConflict("log of logs", reason, "stop: the log of logs has two histories")
        return self._record(step)

    def step(self) -> list[AnchorRecord]:
        """Move every unfinished anchor as far as it goes now, and return those that are left.

        Call it again and again: after each block, or every few seconds. Evidence of what has become final is
        fetched and kept.

        Raises:
            ChainUnreachable: the node does not answer; nothing is lost, try again.
            ChainRefused: it is of another chain than the one that is meant.
            AnchorConflict: the contract holds another history than the journal; stop and look.
        """
        self._machine.begin_round()
        self._check_contract()
        for lost in self._machine.hold_finality():
            _logger.error("%s: %s; it is anchored again", lost.kind, lost.problem)
        unfinished = self._journal.unfinished()
        for step in unfinished:
            self._machine.run(step)
        self._keep_evidence()
        return [self._record(step) for step in self._journal.unfinished()] if unfinished else []

    def retry_failed(self) -> None:
        """Plan anew what has failed, after somebody has cured what the records' problems say."""
        for step in self._steps():
            if step.state == AnchorState.FAILED:
                self._journal.revive(step)

    # -- evidence

    def evidence(self, covering: int = 1, *, trusted_block: int | None = None) -> AnchorEvidence:
        """Return fresh evidence at the newest final block, whose last head covers a size.

        Args:
            covering: the tree size that must be covered.
            trusted_block: number of the block that the trust file names, up to which headers are added; None
                takes the evidence block itself.

        Raises:
            AnchorNotReady: nothing that covers the size is final.
        """
        if self.final_size() < covering:
            raise AnchorNotReady(
                "evidence", f"no final anchor covers size {covering}", "wait for finality, then ask again"
            )
        self._machine.begin_round()
        return self._fetch(covering, trusted_block)

    def _check_contract(self) -> None:
        """Check once that the contract that was named is ours."""
        if self._given_contract is not None and not self._is_contract_checked:
            self._chain.check_contract(self._given_contract)
            self._is_contract_checked = True

    def _fetch(self, covering: int, trusted_block: int | None = None) -> AnchorEvidence:
        final = self._machine.settled("finalized")
        last = final if trusted_block is None else trusted_block
        evidence = self._keeper().fetch(
            min(final, last), last, scan_from=lambda: self._machine.scan_from(self.contract)
        )
        if evidence.heads[-1].tree_size < covering:
            reason = f"size {covering} was anchored after block {last}"
            raise AnchorNotReady("evidence", reason, "name a later trusted block")
        return evidence

    def stored_evidence(self, covering: int = 1) -> AnchorEvidence | None:
        """Return the oldest evidence kept that covers a size; it needs no node."""
        return self._keeper().kept(covering)

    def profile(self, evidence: AnchorEvidence, *, source: str) -> ChainProfile:
        """Return what a trust file says that trusts the last block of `evidence`, seen at `source`."""
        return self._keeper().profile(evidence, source=source)

    def _keeper(self) -> EvidenceKeeper:
        return EvidenceKeeper(
            self._engine, self._chain, self._clock, contract=self.contract, log_id=self.log_id
        )

    def _keep_evidence(self) -> None:
        size = self.final_size()
        if size == 0:
            return
        keeper = self._keeper()
        if keeper.has(size):
            return
        try:
            evidence = self._fetch(size)
        except HeaderNotReproducible:
            return  # anchors of such a chain are checked online only, and `check` says so
        anchored = {(head.tree_size, head.root_hash) for head in evidence.heads}
        for step in self._steps():
            if step.state == AnchorState.FINAL and (step.new_size, step.root_hash) not in anchored:
                reason = f"the contract's history lacks our head of size {step.new_size}"
                raise AnchorConflict("log of logs", reason, "stop: the head key has signed two histories")
        keeper.keep(evidence)

    def _largest(self, states: Collection[AnchorState]) -> int:
        try:
            return self._journal.largest_size(self.contract, self.log_id, states)
        except AnchorNotReady:
            return 0

    def _steps(self) -> list[AnchoringStep]:
        try:
            return self._journal.of_log(self.contract, self.log_id)
        except AnchorNotReady:
            return []

    def _record(self, step: AnchoringStep) -> AnchorRecord:
        transaction_hash = step.transaction_hash
        if step.state not in MINED and step.nonce is not None:
            transaction_hash = self._journal.transactions(step)[0].transaction_hash
        return AnchorRecord(
            tree_size=step.new_size,
            root_hash=step.root_hash,
            state=AnchorState(step.state),
            transaction_hash=transaction_hash,
            block_number=step.block_number,
            block_hash=step.block_hash,
            anchored_at=step.block_at,
            gas_used=step.gas_used,
            problem=step.problem,
            final_losses=step.final_losses,
        )


__all__ = [
    "AnchorConflict",
    "AnchorNotReady",
    "AnchorRecord",
    "AnchorState",
    "Anchorer",
    "HeldHeads",
]
