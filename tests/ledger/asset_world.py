"""A chain, a log host and an asset journal that can be lost and started again at any moment."""

from __future__ import annotations

from collections.abc import Callable

from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger.anchoring import Anchorer
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, AnvilNode
from carbonseal_ledger.asset_acts import Record
from carbonseal_ledger.asset_book import ActRecord, AssetBook, Members
from carbonseal_ledger.asset_evidence import ReportEvidence
from carbonseal_ledger.asset_journal import DONE
from carbonseal_ledger.carbon_assets import CarbonAssetsClient
from carbonseal_ledger.chain_client import ChainAccount
from carbonseal_ledger.chain_fees import FeeLimits
from carbonseal_ledger.log_anchor import LogAnchorClient

HOLDER, BUYER = "e-enterprise", "e-buyer"
REGISTRY, BATCH = "National registry", "2025/0001"
MINUTE = 60_000


def run_to_final(book: AssetBook, act_id: int, wait: Callable[[], None], *, rounds: int = 60) -> ActRecord:
    """Move an act until it is final or has failed, at most `rounds` times; `wait` lets a block pass."""
    for _ in range(rounds):
        told = book.step(act_id)
        if told.state in DONE:
            break
        wait()
    return told


class AssetHarbour:
    """The contract stands beside LogAnchor, its members are admitted, and one report is anchored."""

    def __init__(self, node: AnvilNode, world) -> None:
        self.node, self.world, self.engine = node, world, world.engine
        self.limits = FeeLimits()
        self.accounts = {name: ChainAccount(bytes([at]) * 32) for at, name in enumerate(
            ("gas", "admin", "registrar", "second", HOLDER, BUYER), start=1)}  # fmt: skip
        for account in self.accounts.values():
            node.fund(account.address)
        anchor_chain = LogAnchorClient(node.url, gas_key=b"\x01" * 32, head_key=b"\x70" * 32)
        self.anchorer = Anchorer(self.engine, anchor_chain, world.clock)
        self.anchor = self.anchorer.deploy()
        genesis = world.host.entry(world.log_of_logs, 0)
        self.log_id = self.anchorer.open_log(leaf_hash(genesis.raw))
        self.next_serial = 1
        self.report = world.accept(world.readings(world.main))[0].digest
        self.restart()

    def members(self) -> Members:
        its = self.accounts
        return Members(
            its["admin"],
            its["registrar"],
            "r-registrar",
            {HOLDER: its[HOLDER], BUYER: its[BUYER]},
            its["second"],
        )

    def client(self) -> CarbonAssetsClient:
        return CarbonAssetsClient(self.node.url)

    def restart(self) -> AssetBook:
        """Everything in memory is gone; only database and chain remain."""
        self.chain = self.client()
        self.book = AssetBook(
            self.engine,
            self.chain,
            self.world.clock,
            members=self.members(),
            evidence=ReportEvidence(self.world.host),
            limits=self.limits,
        )
        return self.book

    def found(self) -> AssetHarbour:
        address = self.book.deploy(self.anchor, self.log_id)
        self.book.found()
        # Nothing is sent before the log of logs is open: a revert would use up the nonce of the address told.
        assert len(self.book.step_unfinished()) == 9
        self.mine()
        assert self.chain.transaction_count(self.accounts["admin"].address) == 0
        assert self.restart().contract == address
        self.anchor_epoch()
        for _ in range(20):
            if not self.book.step_unfinished():
                return self
            self.mine(BLOCKS_TO_FINALITY + 1)
        raise AssertionError([act.problem for act in self.book.step_unfinished()])

    def anchor_epoch(self) -> None:
        """Close an epoch and anchor it."""
        host = self.world.host
        host.build_epoch()
        for _ in range(10):
            size = self.anchorer.planned_size()
            for plan in host.plan_anchors(size):
                self.anchorer.plan(plan.old_size, plan.new_size, plan.new_root, plan.path)
            self.anchorer.step()
            if self.anchorer.anchored_size() == host.head(host.log_of_logs).tree_size:
                return
            self.mine()
        raise AssertionError("the epoch is not anchored")

    def mine(self, count: int = 1) -> None:
        self.world.now += MINUTE
        self.node.mine(count, at=self.world.now)

    def serials(self, count: int = 10) -> tuple[int, int]:
        """Serials that nobody has recorded yet."""
        first, self.next_serial = self.next_serial, self.next_serial + count
        return first, first + count - 1

    def new_record(self, **changes) -> Record:
        first, last = self.serials()
        fields = {
            "registry": REGISTRY, "batch": BATCH, "first": first, "last": last, "holder": HOLDER,
            "origin": self.world.data, "report": self.report,
        }  # fmt: skip
        return Record.of(self.world.host, **(fields | changes))

    def do(self, act, **options) -> ActRecord:
        """Plan an act and move it on until it is final."""
        told = self.book.plan(act, **options)
        return self.finish(told.id)

    def finish(self, act_id: int) -> ActRecord:
        return run_to_final(self.book, act_id, lambda: self.mine(BLOCKS_TO_FINALITY + 1))

    def recorded(self) -> bytes:
        """The id of a new record that is final."""
        act = self.new_record()
        self.do(act)
        return act.record
