"""A chain, a database and an anchorer that can be lost and started again at any moment."""

from __future__ import annotations

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from carbonseal_attest.merkle import consistency_path, leaf_hash, root_of
from carbonseal_ledger.anchoring import Anchorer, AnchorRecord, AnchorState
from carbonseal_ledger.anchoring_models import AnchoringTransaction
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, CHAIN_ID, AnvilNode
from carbonseal_ledger.chain_fees import FeeLimits
from carbonseal_ledger.log_anchor import LogAnchorClient

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LEAVES = [leaf_hash(f"epoch {n}".encode()) for n in range(12)]
GAS_KEY, OTHER_GAS_KEY, HEAD_KEY = b"\x31" * 32, b"\x33" * 32, b"\x32" * 32
MINUTE = 60_000


class Harbour:
    """A node, a database and an anchorer that can be lost and started again at any moment."""

    def __init__(self, node: AnvilNode, engine: Engine) -> None:
        self.node = node
        self.url = node.url
        self.engine = engine
        self.now = GENESIS_AT
        self.limits = FeeLimits()
        self.gas_key = GAS_KEY
        self.confirmations: int | None = None
        self.anchorer = self.restart()
        node.fund(self.chain.gas_address)

    def clock(self) -> int:
        return self.now

    def restart(self) -> Anchorer:
        """Everything in memory is gone; only database and chain remain."""
        self.chain = LogAnchorClient(
            self.url,
            gas_key=self.gas_key,
            head_key=HEAD_KEY,
            chain_id=CHAIN_ID,
            confirmations=self.confirmations,
        )
        self.anchorer = Anchorer(self.engine, self.chain, self.clock, limits=self.limits)
        return self.anchorer

    def plan(self, new_size: int) -> AnchorRecord:
        return self.anchorer.plan(*plan_of(self.anchorer.planned_size(), new_size))

    def mine(self, count: int = 1) -> None:
        self.now += MINUTE
        self.node.mine(count, at=self.now)

    def finish(self) -> None:
        for _ in range(8):
            if self.anchorer.step() == []:
                return
            self.mine(BLOCKS_TO_FINALITY + 1)
        assert self.anchorer.step() == []

    def found(self) -> Harbour:
        """The contract stands, the log is open, and both are final."""
        self.anchorer.deploy()
        self.anchorer.open_log(LEAVES[0])
        self.finish()
        return self

    def assert_settled(self, *sizes: int) -> None:
        """Exactly one head per epoch, contract equals database, nothing anchored twice, all of it final."""
        contract, log_id = self.anchorer.contract, self.anchorer.log_id
        end = self.chain.block("latest").number + 1
        mined = self.chain.heads_between(contract, log_id, 0, end)
        assert [one.head.tree_size for one in mined] == [1, *sizes]
        assert [one.head.root_hash for one in mined] == [root_of(LEAVES[:size]) for size in (1, *sizes)]
        assert self.states(*sizes) == [AnchorState.FINAL] * len(sizes)
        head = self.chain.contract_head(contract, log_id)
        assert (head.tree_size, head.root_hash) == (mined[-1].head.tree_size, mined[-1].head.root_hash)
        assert self.anchorer.final_size() == self.anchorer.anchored_size() == head.tree_size
        for one in mined:
            record = self.anchorer.state_of(one.head.tree_size)
            assert record is not None
            assert (record.block_hash, record.root_hash) == (one.block.block_hash, one.head.root_hash)

    def states(self, *sizes: int) -> list[AnchorState | None]:
        records = [self.anchorer.state_of(size) for size in sizes]
        return [record.state if record else None for record in records]

    def transactions(self) -> list[AnchoringTransaction]:
        query = select(AnchoringTransaction).order_by(
            AnchoringTransaction.nonce, AnchoringTransaction.max_fee_wei
        )
        with Session(self.engine) as session:
            return list(session.scalars(query))


def plan_of(old_size: int, new_size: int) -> tuple[int, int, bytes, list[bytes]]:
    def node_at(level: int, index: int) -> bytes:
        return root_of(LEAVES[index << level : (index + 1) << level])

    return old_size, new_size, root_of(LEAVES[:new_size]), consistency_path(old_size, new_size, node_at)


def is_raised(old: AnchoringTransaction, new: AnchoringTransaction) -> bool:
    pairs = (
        (old.max_fee_wei, new.max_fee_wei),
        (old.max_priority_fee_wei, new.max_priority_fee_wei),
    )
    return old.nonce == new.nonce and all(after * 8 >= before * 9 for before, after in pairs)
