"""The demo's chain: an Anvil node of its own, LogAnchor deployed on it, and one anchor an epoch, waited for.

The chain's blocks carry the demo's clock. Anvil mines when told; four blocks on top of a transaction make it
final, as its `finalized` tag says.
"""

from __future__ import annotations

import secrets
from typing import Final, Self

from sqlalchemy import Engine

from carbonseal_api.assets.chain import AssetChain
from carbonseal_api.chain_anchors import anchor_view, pay_on_anvil
from carbonseal_api.evidence.schemas import AnchorView
from carbonseal_api.founding import Chain
from carbonseal_api.key_files import KeyFolder
from carbonseal_api.problems import ServiceUnavailable
from carbonseal_api.settings import Settings
from carbonseal_attest.anchor import AnchorEvidence
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.instants import Clock
from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.anchoring import Anchorer, AnchorRecord
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.carbon_assets import CarbonAssetsClient
from carbonseal_ledger.log_anchor import LogAnchorClient
from carbonseal_ledger.log_host import LogHost

_ROUNDS: Final = 20  # of mining and stepping before an anchor that does not become final is given up
_BLOCKS_A_ROUND: Final = 5


class ChainDesk:
    """Node, contract and anchors, for a `with` block; satisfies what ledger and pages ask of a chain.

    Attributes:
        facts: chain id, contract and head key, as each genesis names them.
        last_gas: gas used by the newest anchor.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.last_gas: int | None = None

    def __enter__(self) -> Self:
        self._node = AnvilNode(started_at=self._clock()).start()
        try:
            chain = LogAnchorClient(
                self._node.url, gas_key=secrets.token_bytes(32), head_key=secrets.token_bytes(32)
            )
            self._node.fund(chain.gas_address)
            self.anchorer = Anchorer(self._engine, chain, self._clock)
            self.facts = Chain(chain.chain_id, self.anchorer.deploy(), chain.head_address)
        except BaseException:
            self._node.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._node.stop()

    @property
    def url(self) -> str:
        """The node's address."""
        return self._node.url

    def mine(self) -> None:
        """Let a block come."""
        self._node.mine(1, at=self._clock())

    def bound_to(self) -> tuple[bytes, bytes]:
        """Return LogAnchor's address and the id of the log of logs in it."""
        return self.anchorer.contract, self.anchorer.log_id

    def open(self, genesis: bytes) -> None:
        """Open the log of logs in the contract with its genesis leaf, and wait until that is final."""
        self.anchorer.open_log(leaf_hash(genesis))
        self._settle(1)

    def assets(self, host: LogHost, registrar: str, settings: Settings) -> AssetChain:
        """Return the carbon-asset records of this chain; a block is mined whenever one is waited for."""
        return AssetChain(
            self._engine,
            self._clock,
            client=CarbonAssetsClient(self._node.url, chain_id=self.facts.chain_id),
            host=host,
            registrar=registrar,
            secrets=KeyFolder(settings.data_folder / "keys", settings.passphrase),
            allowed=settings.asset_chain_ids,
            bound_to=self.bound_to,
            is_open=lambda: self.anchorer.anchored_size() > 0,
            wait=self.mine,
            fund=lambda address: pay_on_anvil(self.url, address),
        )

    def anchor_epoch(self, host: LogHost) -> AnchorRecord:
        """Anchor every epoch that is not planned yet, and return the newest anchor once it is final."""
        size = self.anchorer.planned_size()
        for plan in host.plan_anchors(size):
            self.anchorer.plan(plan.old_size, plan.new_size, plan.new_root, plan.path)
            size = plan.new_size
        self._settle(size)
        record = self.anchorer.latest_final()
        if record is None:
            raise ServiceUnavailable("chain", "nothing is final", "look at the node's messages")
        self.last_gas = record.gas_used
        return record

    def anchored_size(self) -> int:
        """The largest size found in the contract's state."""
        return self.anchorer.anchored_size()

    def final_size(self) -> int:
        """The largest size in a final block."""
        return self.anchorer.final_size()

    def anchor_of(self, tree_size: int) -> AnchorView | None:
        """Return the first anchor covering a size of the log of logs, None before it is planned."""
        record = self.anchorer.state_of(tree_size)
        return None if record is None else anchor_view(record, self.facts)

    def step(self) -> int:
        """Take the next steps of anchoring; return how many anchors are unfinished."""
        return len(self.anchorer.step())

    def evidence(self, covering: int | None = None, *, trusted_block: int | None = None) -> bytes | None:
        """Return a final anchor's evidence for a bundle; see `AnchorBook`."""
        size = self.anchorer.final_size()
        if not size:
            return None
        return self.anchorer.evidence(covering or size, trusted_block=trusted_block).to_cbor()

    def profile(self, evidence: AnchorEvidence) -> ChainProfile:
        """Return what the demo's trust file says about this chain."""
        return self.anchorer.profile(evidence, source="the demo's own node")

    def _settle(self, size: int) -> None:
        for _ in range(_ROUNDS):
            self.anchorer.step()
            if self.anchorer.final_size() >= size:
                return
            self._node.mine(_BLOCKS_A_ROUND, at=self._clock())
        raise ServiceUnavailable("chain", f"size {size} did not become final", "look at the node's messages")
