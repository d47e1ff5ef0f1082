"""The chain side of carbon-asset records: the contract, the accounts of its members, and when to wait for it.

Every party that acts has an account of its own (secp256k1, in the key folder beside its other keys, here in
a pilot, with the party in production); so have the registrar and whoever administers membership. None of them
is the gas key of anchoring: who could send anchors could otherwise hold units.

On which chains records may be kept is a setting, and the list is short on purpose. Mainland rules of 2026
forbid turning asset rights into tokens that are issued and traded, and services for that. A record here is no
token, but on a public chain nobody could keep others from treating it as one. So the development chain is
allowed, and a permissioned chain of the members once its id was added; any other is refused before anything
is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Final, Protocol

from sqlalchemy import Engine

from carbonseal_api.assets.refusals import ChainNotAllowed, ContractRefuses
from carbonseal_attest.instants import Clock
from carbonseal_ledger import asset_refusals
from carbonseal_ledger.asset_acts import SINGLE_KINDS, RecordAct, text_id
from carbonseal_ledger.asset_book import ActRecord, ActState, AssetBook, Members
from carbonseal_ledger.asset_evidence import ReportEvidence
from carbonseal_ledger.carbon_assets import CarbonAssetsClient
from carbonseal_ledger.chain_client import ChainAccount
from carbonseal_ledger.log_host import LogHost

ADMIN: Final = "asset-admin"  # names of key files
_MEMBER: Final = "asset-{}"
_ROUNDS: Final = 60  # of waiting for a block before an act is left to the worker
DONE: Final = (ActState.MINED, ActState.FINAL)
# Before the second person's signature: until then what is confirmed can be stopped.
UNSIGNED: Final = (
    ActState.PLANNED,
    ActState.PROPOSAL_SIGNED,
    ActState.PROPOSAL_SENT,
    ActState.PROPOSED,
)


class Secrets(Protocol):
    """Where the accounts' keys are kept; a deployment's key folder is one."""

    def secret(self, name: str) -> bytes:
        """Return the 32 bytes of a name; made when missing."""

    def names(self) -> Collection[str]:
        """Return the names that there are."""


class MemberAccounts(Mapping[str, ChainAccount]):
    """The accounts of the parties that hold units, read from their keys when they are asked for.

    A key that another process of the deployment has made meanwhile is seen.
    """

    def __init__(self, secrets: Secrets, registrar: str) -> None:
        self._secrets = secrets
        self._not_holders = {ADMIN, account_name(registrar)}
        self._known: dict[str, ChainAccount] = {}

    def __getitem__(self, party: str) -> ChainAccount:
        name = account_name(party)
        if party not in self._known:
            if name in self._not_holders or name not in self._secrets.names():
                raise KeyError(party)
            self._known[party] = ChainAccount(self._secrets.secret(name))
        return self._known[party]

    def __iter__(self) -> Iterator[str]:
        prefix = account_name("")
        names = {name for name in self._secrets.names() if name.startswith(prefix)} - self._not_holders
        return iter(sorted(name.removeprefix(prefix) for name in names))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def make(self, party: str) -> ChainAccount:
        """Return the account of a party, made when it has none."""
        self._secrets.secret(account_name(party))
        return self[party]


class AssetChain:
    """CarbonAssets on one chain, with the accounts that this deployment may use.

    Attributes:
        registrar: party code of the registrar, who confirms.
        accounts: of the holders.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        client: CarbonAssetsClient,
        host: LogHost,
        registrar: str,
        secrets: Secrets,
        allowed: Collection[int],
        bound_to: Callable[[], tuple[bytes, bytes]],
        is_open: Callable[[], bool],
        wait: Callable[[], None],
        fund: Callable[[bytes], None] | None = None,
    ) -> None:
        """Take what is needed; the chain is asked for its id alone.

        Args:
            engine: The one database.
            clock: Decides when an unmined transaction is replaced.
            client: The node.
            host: Whose logs hold the verification reports.
            registrar: Party code of the registrar.
            secrets: Where the accounts' keys are.
            allowed: Ids of the chains on which records may be kept.
            bound_to: Returns LogAnchor's address and the id of the log of logs in it.
            is_open: Whether the log of logs is open there, in a mined block.
            wait: Lets a moment pass in which a block may come; the demo mines one.
            fund: Gives an address money for gas, where money is free.

        Raises:
            ChainNotAllowed: The node is of another chain than those.
        """
        check_chain(client.chain_id, allowed)
        self._allowed = frozenset(allowed)
        self.registrar = registrar
        self.accounts = MemberAccounts(secrets, registrar)
        self._client, self._bound_to, self._is_open = client, bound_to, is_open
        self._wait, self._fund = wait, fund
        self._founded: frozenset[str] | None = None
        self._secrets = secrets
        self._open_book: Callable[[Members], AssetBook] = lambda members: AssetBook(
            engine, client, clock, members=members, evidence=ReportEvidence(host)
        )

    @cached_property
    def book(self) -> AssetBook:
        """The ledger's journal of acts; the keys of registrar and admin are opened with it."""
        return self._open_book(self._members)

    @cached_property
    def _members(self) -> Members:
        return Members(
            admin=ChainAccount(self._secrets.secret(ADMIN)),
            registrar=ChainAccount(self._secrets.secret(account_name(self.registrar))),
            registrar_party=self.registrar,
            holders=self.accounts,
        )

    @property
    def chain_id(self) -> int:
        """The chain's id."""
        return self._client.chain_id

    @property
    def contract(self) -> bytes:
        """The contract's address, 20 bytes."""
        return self.book.contract

    @property
    def registrar_address(self) -> bytes:
        """The account that confirms and freezes."""
        return self._members.registrar.address

    def deploy(self) -> bytes:
        """Sign the contract's deployment, once, and return the address that it will have."""
        return self.book.deploy(*self._bound_to(), chain_ids=self._allowed)

    def prepare(self) -> bool:
        """Plan the contract's deployment and the admission of members that are new, each once.

        Returns whether LogAnchor holds the log of logs, to which the contract is bound: before that nothing
        can be sent.
        """
        if not self._is_open():
            return False
        members = frozenset(self.accounts)
        if members != self._founded:
            if self._fund is not None:
                addresses = [self.accounts[party].address for party in members]
                for address in (self._members.admin.address, self.registrar_address, *addresses):
                    self._fund(address)
            self.deploy()
            self.book.found()
            self._founded = members
        return True

    def join(self, party: str) -> None:
        """Make a party a member, with an account of its own, and wait until it is one."""
        address = self.accounts.make(party).address
        if self.prepare() and not self._is_member(party, address):

            def has_joined() -> bool:
                self.step()
                return self._is_member(party, address)

            self._wait_for(has_joined)

    def _is_member(self, party: str, address: bytes) -> bool:
        return (
            self._client.is_deployed()
            and self._client.party_of(address) == text_id(party)
            and self._client.has_role("HOLDER_ROLE", address)
        )

    def plan(self, act: RecordAct) -> ActRecord:
        """Plan an act; one that takes two persons rests once it is proposed. The same again changes nothing.

        Raises:
            ContractRefuses: The contract would not do it.
        """
        try:
            return self.book.plan(act, is_held=act.kind not in SINGLE_KINDS)
        except asset_refusals.AssetRefused as refusal:
            raise ContractRefuses(refusal) from refusal

    def act(self, act_id: str) -> ActRecord:
        """Return how far an act has come."""
        return self.book.act(int(act_id))

    def confirm(self, act_id: str) -> None:
        """Let an act that rests go on to its second person. The same again changes nothing."""
        self.book.confirm(int(act_id))

    def hold(self, act_id: str) -> None:
        """Let a confirmed act rest again whose confirmation nobody has signed yet."""
        self.book.hold(int(act_id))

    def advance(self, act_id: str, wanted: Collection[ActState]) -> ActRecord:
        """Take an act's next steps until it is in one of the wanted states, has failed, or time is up."""
        ends = {*wanted, ActState.FAILED}
        self._wait_for(lambda: self.book.step(int(act_id)).state in ends)
        return self.act(act_id)

    def step(self) -> int:
        """Take the next steps of all acts; return how many are unfinished."""
        return len(self.book.step_unfinished())

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        for _ in range(_ROUNDS):
            if is_so():
                return
            self._wait()


def account_name(party: str) -> str:
    """Return the name of the key file of a party's account."""
    return _MEMBER.format(party)


def check_chain(chain_id: int, allowed: Collection[int]) -> None:
    """Refuse a chain on which no carbon-asset records may be kept.

    Raises:
        ChainNotAllowed: It is not in the list.
    """
    if chain_id not in allowed:
        raise ChainNotAllowed(
            "chain_id",
            f"chain {chain_id} is none of those on which carbon-asset records may be kept",
            "have the law looked at first, then add its id to `asset_chain_ids`",
        )
