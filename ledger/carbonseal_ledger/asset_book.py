"""Carbon-asset records as the service uses them: plan an act, move it on until it is final, read records.

`docs/spec/carbon-assets.md` says what acts are and what may be claimed; `asset_machine` has the states and
why they are so, `asset_journal` the database. It leaves out whether a report deserves a record, and the
statements that mirror each act in the registrar's log (the service's).

Instants are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Engine

from carbonseal_attest.instants import Clock
from carbonseal_ledger.act_record import ActRecord, told, told_all
from carbonseal_ledger.asset_acts import (
    NO_MEMBERSHIP,
    SINGLE_KINDS,
    Act,
    ActKind,
    Admit,
    Deploy,
    Grant,
    Record,
    RecordAct,
    Unpledge,
    Withdraw,
    text_id,
)
from carbonseal_ledger.asset_agreement import (
    Disagreement,
    JournalRow,
    MirrorRow,
    PartRow,
    disagreements,
)
from carbonseal_ledger.asset_events import AssetEvent
from carbonseal_ledger.asset_evidence import EvidenceSource
from carbonseal_ledger.asset_journal import DONE, AssetJournal, act_hash_of
from carbonseal_ledger.asset_machine import AssetConflict, AssetMachine
from carbonseal_ledger.asset_models import ActState, AssetAct
from carbonseal_ledger.asset_refusals import AssetRefused, HeadMovedOn, PredecessorWrong
from carbonseal_ledger.asset_sending import MemberKeyMissing, Members, Sender
from carbonseal_ledger.carbon_assets import AssetsNotReady, CarbonAssetsClient
from carbonseal_ledger.carbon_assets_calls import AssetRecord
from carbonseal_ledger.chain_fees import FeeLimits
from carbonseal_ledger.errors import LedgerError

_DEEPEST_REORGANISATION = 64  # blocks; where an act's events are first looked for
_QUESTIONS = 3  # how often an act is asked for again when the chain moves on meanwhile


class ActUnknown(LedgerError):
    """No act has this number."""

    code = "asset-act-unknown"


class AssetBook:
    """The acts upon one contract's records. Safe to run in several processes against one database.

    Args:
        engine: the ledger's database.
        client: the node, and the contract if it is known; else the one that `deploy` made.
        clock: decides when an unmined transaction is replaced.
        members: the accounts whose keys are here.
        evidence: shows that a report is in an anchored log; None where nothing is recorded.
        limits: when to replace it and how much to pay.
    """

    def __init__(
        self,
        engine: Engine,
        client: CarbonAssetsClient,
        clock: Clock,
        *,
        members: Members,
        evidence: EvidenceSource | None = None,
        limits: FeeLimits | None = None,
    ) -> None:
        self._client = client
        self._members = members
        self._journal = AssetJournal(engine, clock, chain_id=client.chain_id)
        sender = Sender(self._journal, client, clock, limits or FeeLimits(), members)
        self._machine = AssetMachine(self._journal, client, sender, evidence)
        if client.known_contract is None:
            deployment = self._journal.deployment()
            client.known_contract = None if deployment is None else deployment.contract

    # -- founding

    def deploy(
        self,
        anchor: bytes,
        log_id: bytes,
        *,
        chain_ids: Collection[int] | None = None,
        membership: bytes = NO_MEMBERSHIP,
    ) -> bytes:
        """Plan and sign the contract's deployment by the admin, and return the address it will have.

        The same again changes nothing. It is sent once the log of logs is open in LogAnchor. `chain_ids` are
        the chains on which the contract may be, None for the present one alone; `membership` is the contract
        that it asks who takes part.

        Raises:
            AssetsNotReady: gas costs more than is paid.
            AssetConflict: another one is deployed for another log of logs.
        """
        chains = tuple(sorted({self._client.chain_id} if chain_ids is None else chain_ids))
        act = Deploy(anchor, log_id, chains, membership)
        deployment = self._journal.deployment()
        if deployment is None:
            deployment = self._plan(act, None, self._members.admin.address, contract=None)
        elif deployment.act_hash != act_hash_of(act):
            raise AssetConflict("contract", "one for another log is deployed", "use a database of its own")
        signed = self._machine.sign_deployment(deployment)
        if signed is None or signed.contract is None:
            raise AssetsNotReady("contract", "its deployment is not signed", "try again when gas is cheaper")
        self._client.known_contract = signed.contract
        return signed.contract

    def found(self) -> list[ActRecord]:
        """Plan the admission and the role of every member; what is planned already stays as it is."""
        members = self._members
        registrars = [account for account in (members.registrar, members.second_registrar) if account]
        wanted = [(account, members.registrar_party, "REGISTRAR_ROLE") for account in registrars]
        wanted += [(account, party, "HOLDER_ROLE") for party, account in sorted(members.holders.items())]
        acts: list[Act] = []
        for account, party, role in wanted:
            acts += [Admit(account.address, party), Grant(account.address, role)]
        contract, admin = self._client.contract, members.admin.address
        return [told(self._journal, self._plan(act, None, admin, contract=contract)) for act in acts]

    # -- acts

    def plan(self, act: RecordAct, *, proposer: str | None = None, is_held: bool = False) -> ActRecord:
        """Plan an act and return it; the same act again changes nothing, a failed one is planned anew.

        Args:
            act: what is to be done, in words.
            proposer: code of the party whose member proposes; None takes the holder's, or where its key is
                not here and the act allows it the second registrar.
            is_held: rest once it is proposed, until `confirm`; what one person does never rests.

        Raises:
            AssetRefused: the contract would refuse it, by name; nothing is planned or sent.
            AssetsNotReady: no contract, or the report of a record is in no anchored epoch yet.
            MemberKeyMissing: nobody here may propose it.
        """
        contract = self._client.contract
        known = self._journal.known(act, contract)
        if known is not None and known.state != ActState.FAILED:
            return told(self._journal, known)
        first = None if act.kind in SINGLE_KINDS else self._proposer(act, proposer)
        second = self._members.registrar.address
        self._ask(act, first, second)
        is_held = is_held and first is not None
        return told(self._journal, self._plan(act, first, second, contract=contract, is_held=is_held))

    def confirm(self, act_id: int) -> ActRecord:
        """Let an act go on that rests until the second person says so; again changes nothing."""
        act = self._stored(act_id)
        return told(self._journal, self._journal.change(act, is_held=False) if act.is_held else act)

    def hold(self, act_id: int) -> ActRecord:
        """Let an act rest again whose second person's word no longer counts; no longer once it is signed."""
        act = self._stored(act_id)
        is_open = act.proposer is not None and act.confirmation_nonce is None and act.state not in DONE
        return told(self._journal, self._journal.change(act, is_held=True) if is_open else act)

    def withdraw(self, act_id: int) -> ActRecord:
        """Have the first person take the proposal of an act back, and return the act that does it.

        The act itself fails once that is mined. One that was not signed yet fails at once and is returned.

        Raises:
            AssetsNotReady: its proposal is on its way, or it is confirmed already.
        """
        act = self._stored(act_id)
        if act.state == ActState.PLANNED and act.proposer is not None:
            return told(self._journal, self._machine.give_up(act))
        if act.state != ActState.PROPOSED or act.proposer is None or act.confirmation_nonce is not None:
            raise AssetsNotReady("proposal", f"the act is {act.state}", "withdraw what is proposed and open")
        expires_at = self._client.expiry_of(act.act_hash, act.proposer)
        withdrawal = Withdraw(act.act_hash, expires_at)
        return told(self._journal, self._plan(withdrawal, None, act.proposer, contract=self._client.contract))

    def step(self, act_id: int) -> ActRecord:
        """Move an act as far as it goes now, and return it.

        Raises:
            ActUnknown: there is no such act.
            ChainUnreachable: the node does not answer; nothing is lost, try again.
            AssetConflict: the contract does not hold what it says it did; stop and look.
        """
        return told(self._journal, self._machine.run(self._stored(act_id)))

    def step_unfinished(self) -> list[ActRecord]:
        """Move every unfinished act as far as it goes now, and return those that are left.

        Call it again and again: after each block, or every few seconds. An act that rests until the second
        person says so is looked after, but is not among those that are left.
        """
        moved = [self._machine.run(act) for act in self._journal.acts(AssetAct.state.not_in(DONE))]
        return told_all(self._journal, [act for act in moved if act.state not in DONE and not _rests(act)])

    def act(self, act_id: int) -> ActRecord:
        """Return an act.

        Raises:
            ActUnknown: there is no such act.
        """
        return told(self._journal, self._stored(act_id))

    def acts(
        self, *, state: ActState | None = None, kind: ActKind | None = None, record: bytes | None = None
    ) -> list[ActRecord]:
        """Return the acts upon this contract, in the order in which they were planned."""
        conditions = [AssetAct.contract == self._client.contract]
        if state is not None:
            conditions.append(AssetAct.state == state)
        if kind is not None:
            conditions.append(AssetAct.kind == kind)
        if record is not None:
            conditions.append(AssetAct.record == record)
        return told_all(self._journal, self._journal.acts(*conditions))

    # -- what the contract holds

    @property
    def contract(self) -> bytes:
        """The contract's address, 20 bytes; known as soon as the deployment is signed.

        Raises:
            AssetsNotReady: none was named and none deployed.
        """
        return self._client.contract

    def record_of(self, record: bytes) -> AssetRecord:
        """Return a record as the contract holds it; state NONE when there is none."""
        return self._client.record_of(record)

    def events(self, from_block: int = 0, to_block: int | None = None) -> list[AssetEvent]:
        """Return the acts done in blocks [from_block, to_block), up to the newest when it is None."""
        end = self._client.block("latest").number + 1 if to_block is None else to_block
        return self._client.acts_between(max(from_block, self._first_block()), end)

    def disagreements(self, mirrors: Iterable[MirrorRow]) -> list[Disagreement]:
        """Return where the contract's storage, its events, this journal and mirrored statements differ."""
        events = self.events()
        records = {record for event in events for record in (event.record, *event.parts)}
        believed = [act for act in self.acts() if act.state in {ActState.MINED, ActState.FINAL}]
        return disagreements(
            parts=[PartRow.of(record, self.record_of(record)) for record in sorted(records)],
            events=events,
            journal=[
                JournalRow(act.kind, act.record, act.transaction_hash)
                for act in believed
                if act.record is not None and act.transaction_hash is not None
            ],
            mirrors=mirrors,
        )

    # -- within

    def _plan(
        self,
        act: Act,
        proposer: bytes | None,
        confirmer: bytes,
        *,
        contract: bytes | None,
        is_held: bool = False,
    ) -> AssetAct:
        at_block = max(self._client.block("latest").number - _DEEPEST_REORGANISATION, 0)
        return self._journal.plan(
            act,
            contract=contract,
            proposer=proposer,
            confirmer=confirmer,
            at_block=at_block,
            is_held=is_held,
        )

    def _ask(self, act: RecordAct, proposer: bytes | None, confirmer: bytes) -> None:
        act_hash = act_hash_of(act)
        for question in range(_QUESTIONS):
            try:
                self._machine.preflight(act, proposer, confirmer, act_hash)
            except AssetRefused as refusal:
                if isinstance(refusal, HeadMovedOn | PredecessorWrong) and question + 1 < _QUESTIONS:
                    continue
                # Done before, by a journal that was lost: then the act is planned and found done.
                if not self._machine.was_done(act, act_hash):
                    raise
            return

    def _proposer(self, act: RecordAct, party: str | None) -> bytes:
        members = self._members
        holders = {text_id(code): account for code, account in members.holders.items()}
        if party is not None:
            wanted = text_id(party)
        elif isinstance(act, Record):
            wanted = text_id(act.holder)
        else:
            wanted = self._client.record_of(act.record).holder
        if isinstance(act, Unpledge) and party is None:
            wanted = self._client.record_of(act.record).pledgee
        if wanted in holders:
            return holders[wanted].address
        second = members.second_registrar
        if (
            act.kind in {ActKind.CANCEL, ActKind.RELEASE, ActKind.UNPLEDGE}
            and second is not None
            and (party in {None, members.registrar_party})
        ):
            return second.address
        if not isinstance(act, Record) and wanted == bytes(32):
            return members.registrar.address  # there is no such record, and the contract will say so
        reason = f"the key of a member of {party or '0x' + wanted.hex()} is not here"
        raise MemberKeyMissing("proposer", reason, "have the holder propose it where its key is")

    def _stored(self, act_id: int) -> AssetAct:
        act = self._journal.get(act_id)
        if act is None:
            raise ActUnknown("act", f"there is no act {act_id}", "ask for the list of acts")
        return act

    def _first_block(self) -> int:
        deployment = self._journal.deployment()
        if deployment is None or deployment.contract != self._client.contract:
            return 0
        return deployment.block_number or 0


def _rests(act: AssetAct) -> bool:
    return act.is_held and act.state == ActState.PROPOSED


__all__ = ["ActRecord", "ActState", "AssetBook", "AssetConflict", "MemberKeyMissing", "Members"]
