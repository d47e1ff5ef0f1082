"""The contract CarbonAssets as the journal uses it: what it holds, what it would refuse, what was done.

Refusals come as `asset_refusals`, by name, before anything is sent: what would revert is asked for first and
not sent at all. It leaves out calldata (`carbon_assets_calls`), sending (`chain_client`) and when to do what
(`asset_machine`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from carbonseal_ledger import carbon_assets_calls as calls
from carbonseal_ledger.asset_acts import (
    Act,
    Admit,
    Cancel,
    Deploy,
    Freeze,
    Grant,
    Pledge,
    Record,
    Release,
    Retire,
    Split,
    Surrender,
    Unpledge,
    Withdraw,
    text_id,
)
from carbonseal_ledger.asset_events import (
    ACT_CONFIRMED,
    ACT_TOPICS,
    MEMBER_ADMITTED,
    PROPOSAL_WITHDRAWN,
    RECORD_FROZEN,
    ROLE_GRANTED,
    AssetEvent,
    read_events,
)
from carbonseal_ledger.asset_refusals import refusal_of
from carbonseal_ledger.carbon_assets_calls import AssetRecord, AssetState, FreezeState, PledgeState
from carbonseal_ledger.chain_answers import CallRefused, ChainEvent, ContractHead, ContractWrong
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.json_rpc import hex_of
from carbonseal_ledger.log_anchor import read_head

_ENDS = {
    Split: AssetState.SPLIT,
    Retire: AssetState.RETIRED,
    Surrender: AssetState.SURRENDERED,
    Cancel: AssetState.CANCELLED,
}
_NEVER = (1 << 64) - 1  # a proposal that does not expire, for asking what a confirmation would bring


class AssetsNotReady(LedgerError):
    """What is asked for does not exist yet: no contract, no anchored report."""

    code = "assets-not-ready"


class CarbonAssetsClient(ChainClient):
    """One node and one contract on it.

    Args:
        rpc_url, chain_id, confirmations: as for `ChainClient`.
        contract: the contract's address, 20 bytes; None until one is deployed.
    """

    def __init__(
        self,
        rpc_url: str,
        *,
        contract: bytes | None = None,
        chain_id: int | None = None,
        confirmations: int | None = None,
    ) -> None:
        super().__init__(rpc_url, chain_id=chain_id, confirmations=confirmations)
        self.known_contract = contract
        self._checked: bytes | None = None

    @property
    def contract(self) -> bytes:
        """The contract's address, 20 bytes.

        Raises:
            AssetsNotReady: none was named and none deployed.
        """
        if self.known_contract is None:
            raise AssetsNotReady("contract", "there is none yet", "deploy one, or name one in the settings")
        return self.known_contract

    def is_deployed(self) -> bool:
        """Whether the address holds our contract.

        Raises:
            ContractWrong: it holds other code.
        """
        code = self.code_at(self.contract)
        if code:
            calls.ARTEFACT.check(self.contract, code)
        return bool(code)

    def check_deployed(self) -> None:
        """Check that the address holds our contract.

        Raises:
            AssetsNotReady: it holds no code yet.
            ContractWrong: it holds other code.
        """
        if self._checked == self.contract:
            return  # code does not change; were its deployment reorganised away, every answer would be wrong
        if not self.is_deployed():
            raise AssetsNotReady("contract", "its deployment is not mined yet", "wait for it")
        self._checked = self.contract

    # -- what it holds

    def anchor(self) -> tuple[bytes, bytes]:
        """Return the LogAnchor against which reports are shown, and the log of logs in it."""
        address, log_id = self._ask("anchor", [], [], ["address", "bytes32"])
        return bytes.fromhex(address[2:]), log_id

    def anchored_head(self) -> ContractHead:
        """Return the head of the log of logs to which evidence must lead now."""
        return read_head(self, *self.anchor())

    def record_of(self, record: bytes) -> AssetRecord:
        """Return a record as the contract holds it; state NONE when there is none."""
        with self._understood():
            return calls.read_record(
                self.call(self.contract, calls.question("recordOf", ["bytes32"], [record]))
            )

    def freeze_of(self, record: bytes, cause: bytes) -> FreezeState:
        """Return what a cause means for a record."""
        (state,) = self._ask("freezeOf", ["bytes32", "bytes32"], [record, cause], ["uint8"])
        return FreezeState(state)

    def pledge_of(self, record: bytes, pledge: str) -> PledgeState:
        """Return what an official registration of a pledge means for a record."""
        arguments = [record, text_id(pledge)]
        (state,) = self._ask("pledgeOf", ["bytes32", "bytes32"], arguments, ["uint8"])
        return PledgeState(state)

    def predecessor_of(self, registry: str, batch: str, first: int) -> int:
        """Return the first serial of the nearest range recorded below; 0 when there is none."""
        arguments = [text_id(registry), text_id(batch), first]
        (found,) = self._ask("predecessorOf", ["bytes32", "bytes32", "uint64"], arguments, ["uint64"])
        return int(found)

    def expiry_of(self, act_hash: bytes, proposer: bytes) -> int:
        """Return until when a proposal is open, ms since 1970 UTC by block time; 0 when there is none."""
        arguments = [act_hash, hex_of(proposer)]
        (seconds,) = self._ask("expiryOf", ["bytes32", "address"], arguments, ["uint64"])
        return int(seconds) * 1000

    def party_of(self, member: bytes) -> bytes:
        """Return the id of the party for which an account is a member; zero when it is none."""
        (party,) = self._ask("partyOf", ["address"], [hex_of(member)], ["bytes32"])
        return bytes(party)

    def has_role(self, role: str, member: bytes) -> bool:
        """Whether an account has a role."""
        arguments = [calls.role_id(role), hex_of(member)]
        (has,) = self._ask("hasRole", ["bytes32", "address"], arguments, ["bool"])
        return bool(has)

    def is_done(self, act: Act) -> bool | None:
        """Say from the contract's state whether an act was done; None where only its events can tell.

        True for an end says that the record ended so, not yet that this act ended it.
        """
        match act:
            case Deploy():
                return self.known_contract is not None and self.is_deployed()
            case Admit():
                return self.party_of(act.member) == text_id(act.party)
            case Grant():
                return self.has_role(act.role, act.member)
            case Freeze():
                return self.freeze_of(act.record, act.cause) != FreezeState.NONE
            case Pledge():
                return self.pledge_of(act.record, act.pledge) != PledgeState.NONE
            case Unpledge():
                return self.pledge_of(act.record, act.pledge) == PledgeState.RELEASED
            case Release():
                return self.freeze_of(act.record, act.cause) == FreezeState.CURED
            case Record():
                return self.record_of(act.record).state != AssetState.NONE
            case Split() | Retire() | Surrender() | Cancel():
                return self.record_of(act.record).state == _ENDS[type(act)]
            case _:
                return None

    # -- what it would refuse

    def simulate(self, data: bytes, sender: bytes, *, proposed: tuple[bytes, bytes] | None = None) -> None:
        """Ask what a call would bring, without sending it.

        Args:
            data: the call.
            sender: whose it would be.
            proposed: hash and proposer of an act that is taken for proposed during this call.

        Raises:
            AssetRefused: the contract would refuse it; by name.
            ChainRefused: the node does not answer such a question.
        """
        overrides = None
        if proposed is not None:
            overrides = {calls.expiry_slot(*proposed): _NEVER.to_bytes(32, "big")}
        self._try(self.contract, data, sender, overrides)

    def estimate(self, to: bytes | None, data: bytes, sender: bytes) -> int:
        """Return the gas that a call or a deployment needs; raises as `simulate` does."""
        try:
            return self.gas_for(sender, to, data)
        except CallRefused as refusal:
            raise refusal_of(refusal.data) from refusal

    def simulate_deployment(self, act: Deploy, admin: bytes) -> None:
        """Ask whether the contract could be created; raises as `simulate` does."""
        self._try(None, calls.deployment(act, admin), admin, None)

    def _try(
        self, to: bytes | None, data: bytes, sender: bytes, overrides: dict[bytes, bytes] | None
    ) -> None:
        try:
            self.call(to, data, sender=sender, overrides=overrides)
        except CallRefused as refusal:
            raise refusal_of(refusal.data) from refusal

    # -- what was done

    def acts_between(self, start: int, end: int) -> list[AssetEvent]:
        """Return the acts done in blocks [start, end), in order."""
        with self._understood():
            return read_events(self.events(self.contract, [ACT_TOPICS], start, end))

    def find_act(self, act: Act, act_hash: bytes, start: int, end: int) -> ChainEvent | None:
        """Return the event by which an act was done in blocks [start, end), None when it was not.

        Of an act of two persons it is the one that says what changed, right after the confirmation.
        """
        member = getattr(act, "member", b"").rjust(32, b"\0")
        match act:
            case Deploy():
                return None
            case Freeze():
                topics = [RECORD_FROZEN, act.record, act.cause]
            case Withdraw():
                topics = [PROPOSAL_WITHDRAWN, act.act_hash]
            case Admit():
                topics = [MEMBER_ADMITTED, member, text_id(act.party)]
            case Grant():
                topics = [ROLE_GRANTED, calls.role_id(act.role), member]
            case _:
                topics = [ACT_CONFIRMED, act_hash]
        found = self.events(self.contract, [[topic] for topic in topics], start, end)
        if not found or topics[0] != ACT_CONFIRMED:
            return found[-1] if found else None
        number = found[-1].block_number
        for event in self.events(self.contract, [ACT_TOPICS], number, number + 1):
            if (event.transaction_hash, event.log_index) == (
                found[-1].transaction_hash,
                found[-1].log_index + 1,
            ):
                return event
        return None

    def _ask(
        self, function: str, types: Sequence[str], arguments: Sequence[Any], answer: Sequence[str]
    ) -> tuple[Any, ...]:
        with self._understood():
            data = self.call(self.contract, calls.question(function, types, arguments))
            return tuple(decode(answer, data))

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Whatever else than our contract answers is our error."""
        try:
            yield
        except (DecodingError, ValueError, IndexError) as error:
            reason = "does not answer as CarbonAssets does"
            raise ContractWrong(f"contract {hex_of(self.contract)}", reason, "correct the address") from error
