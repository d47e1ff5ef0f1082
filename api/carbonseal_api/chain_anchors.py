"""The chain side of a deployment: an anchor for each epoch, moved on until final, shown to pages and proofs.

What has been anchored is read from the ledger's journal, so pages and receipt states need no node; only steps
and fresh evidence do. Keys: `head` signs heads, `gas` pays (both in the key folder).
"""

from __future__ import annotations

from sqlalchemy import Engine

from carbonseal_api.evidence.schemas import AnchorView
from carbonseal_api.founding import Chain
from carbonseal_api.key_files import KeyFolder
from carbonseal_api.settings import Settings
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.instants import Clock, format_instant
from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.anchoring import Anchorer, AnchorRecord
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.contract_view import ContractView
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import EntryUnknown, LogDamaged
from carbonseal_ledger.log_anchor import LogAnchorClient
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.tree_reader import TreeReader

ANVIL_WEI = 10**20  # 100 ether of a chain that is nobody's


class ChainAnchors:
    """The anchors of one log of logs in one contract, for ledger, pages, proofs and worker."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        keys: KeyFolder,
        clock: Clock,
        *,
        chain_id: int | None = None,
    ) -> None:
        """Take what is needed. With a chain id, a node that is away keeps nobody from starting.

        `chain_id` is the one that this deployment was founded on; the setting of that name goes before it.
        """
        self._settings = settings
        self._engine = engine
        self._chain = LogAnchorClient(
            settings.chain_rpc_url or "",
            gas_key=keys.secret("gas"),
            head_key=keys.secret("head"),
            chain_id=settings.chain_id or chain_id,
        )
        self.chain_id = self._chain.chain_id
        contract = settings.anchor_contract
        self._anchorer = Anchorer(
            engine,
            self._chain,
            clock,
            contract=None if contract is None else bytes.fromhex(contract.removeprefix("0x")),
        )

    @property
    def anchorer(self) -> Anchorer:
        """The anchors of the log of logs."""
        return self._anchorer

    def view(self, published: PublishedCopy, log_of_logs: str, facts: Chain) -> ContractView:
        """Return what start-up and reconciliation ask the contract with.

        The contract is the one of `facts`, on which the deployment was founded, and the log's first leaf is
        read from the published copy: nothing comes from the journal, which may be as old as the database.
        """
        return ContractView(
            self._chain,
            log_of_logs,
            contract=facts.contract,
            head_key=facts.head_key,
            first_leaf=lambda: _first_leaf(published, self._engine, log_of_logs),
            is_open=lambda: self._anchorer.anchored_size() > 0,
        )

    def facts(self) -> Chain:
        """Return what each genesis says about the chain; signs the deployment if there is none yet."""
        contract = self._settings.anchor_contract
        address = self._anchorer.deploy() if contract is None else bytes.fromhex(contract.removeprefix("0x"))
        return Chain(self.chain_id, address, self._chain.head_address)

    @property
    def gas_address(self) -> str:
        """The address that must hold money for gas."""
        return "0x" + self._chain.gas_address.hex()

    def fund_on_anvil(self, url: str) -> None:
        """Give the gas address money on a local Anvil, as a faucet would."""
        node = _running(url)
        if _is_poor(node, self._chain.gas_address):  # at founding, when nothing is anchored yet
            node.fund(self._chain.gas_address, ANVIL_WEI)

    def open_log(self, host: LogHost) -> None:
        """Plan the opening of the log of logs in the contract; the same again changes nothing."""
        self._anchorer.open_log(leaf_hash(host.entry(host.log_of_logs, 0).raw))

    def bound_to(self) -> tuple[bytes, bytes]:
        """Return the contract's address and the id of the log of logs in it, once its opening is planned."""
        return self._anchorer.contract, self._anchorer.log_id

    def plan_epochs(self, host: LogHost) -> int:
        """Plan an anchor for each epoch that has none; returns how many were planned."""
        plans = host.plan_anchors(self._anchorer.planned_size()) if self._anchorer.planned_size() else []
        for plan in plans:
            self._anchorer.plan(plan.old_size, plan.new_size, plan.new_root, plan.path)
        return len(plans)

    def anchored_size(self) -> int:
        """The largest size of the log of logs found in the contract's state."""
        return self._anchorer.anchored_size()

    def final_size(self) -> int:
        """The largest size in a final block."""
        return self._anchorer.final_size()

    def anchor_of(self, tree_size: int) -> AnchorView | None:
        """Return the first anchor covering a size of the log of logs, None before it is planned."""
        record = self._anchorer.state_of(tree_size)
        return None if record is None else anchor_view(record, self.facts())

    def step(self) -> int:
        """Take the next steps of anchoring; returns how many anchors are unfinished."""
        return len(self._anchorer.step())

    def profile(self, evidence: AnchorEvidence) -> ChainProfile:
        """Return what a trust file written here says about the chain, trusting the evidence's last block."""
        return self._anchorer.profile(evidence, source="the log host's own node")

    def evidence(self, covering: int | None = None, *, trusted_block: int | None = None) -> bytes | None:
        """Return fresh evidence for a bundle, or None before anything is final; see `AnchorBook`."""
        size = self._anchorer.final_size()
        if not size:
            return None
        return self._anchorer.evidence(covering or size, trusted_block=trusted_block).to_cbor()


def pay_on_anvil(url: str, address: bytes) -> None:
    """Have one of Anvil's own accounts pay an address that has little, in a transaction like any other.

    A balance that is set behind the chain's back changes the newest block's state after its header was made,
    and proofs at that block would be wrong.
    """
    node = _running(url)
    if _is_poor(node, address):
        payer = node.rpc("eth_accounts")[0]
        node.rpc("eth_sendTransaction", {"from": payer, "to": _hex(address), "value": hex(ANVIL_WEI)})


def _first_leaf(published: PublishedCopy, engine: Engine, log_of_logs: str) -> bytes | None:
    """Return the leaf hash of entry 0 as published; of a copy that is lost or damaged, as stored.

    It is the same in every backup. None before the log is open.
    """
    try:
        if published.checkpoint(log_of_logs) is not None:
            return TreeReader(published).root(log_of_logs, 1)
    except LogDamaged:
        pass
    try:
        return leaf_hash(EntryReader(engine).raws(log_of_logs, 0, 1)[0])
    except EntryUnknown:
        return None


def _running(url: str) -> AnvilNode:
    node = AnvilNode(started_at=0)
    node.url = url  # it was started by somebody else
    return node


def _is_poor(node: AnvilNode, address: bytes) -> bool:
    return int(node.rpc("eth_getBalance", _hex(address), "latest"), 16) < ANVIL_WEI // 2


def anchor_view(record: AnchorRecord, chain: Chain) -> AnchorView:
    """Return an anchor as pages, proofs and the API show it."""
    return AnchorView(
        chain_id=chain.chain_id,
        contract="0x" + chain.contract.hex(),
        state=str(record.state.value),
        transaction=_hex(record.transaction_hash),
        block_number=record.block_number,
        block_hash=_hex(record.block_hash),
        anchored_at=None if record.anchored_at is None else format_instant(record.anchored_at),
    )


def _hex(data: bytes | None) -> str | None:
    return None if data is None else "0x" + data.hex()
