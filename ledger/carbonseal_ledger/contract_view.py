"""What the anchor contract holds of our log of logs, as start-up and reconciliation ask an outsider.

A backup that takes database and published copy back together cannot take the contract back. So this view
asks the node, and takes nothing about the log from the journal of anchors, which lies in the very database
that may be old: the contract's address is the deployment's, and the log's id follows from its first leaf. A
node that lies can hide a head; it can't make start-up accept a shorter log than database and copy tell.
"""

from __future__ import annotations

from collections.abc import Callable

from carbonseal_attest.anchor import log_id_of
from carbonseal_ledger.chain_answers import ChainRefused, ChainUnreachable, ContractWrong
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.errors import OutsideUnreachable
from carbonseal_ledger.log_anchor import read_head
from carbonseal_ledger.outside_heads import OutsideHead


class ContractView:
    """One LogAnchor, asked about one log of logs.

    Args:
        chain: the node; one that names the chain that is meant refuses every other.
        origin: the log of logs.
        contract: the contract's address, 20 bytes.
        head_key: the address whose signatures move the head, 20 bytes.
        first_leaf: returns the leaf hash of entry 0, None before the log is open.
        is_open: whether we have seen the log open there; then its absence is no answer.
    """

    def __init__(
        self,
        chain: ChainClient,
        origin: str,
        *,
        contract: bytes,
        head_key: bytes,
        first_leaf: Callable[[], bytes | None],
        is_open: Callable[[], bool],
    ) -> None:
        self._chain = chain
        self._origin = origin
        self._contract = contract
        self._head_key = head_key
        self._first_leaf = first_leaf
        self._is_open = is_open

    @property
    def name(self) -> str:
        """`contract 0x…`."""
        return f"contract 0x{self._contract.hex()}"

    def head(self, origin: str) -> OutsideHead | None:
        """The newest head that the contract holds; None for another log, or before it is open there.

        Raises:
            OutsideUnreachable: the node cannot be asked, is of another chain, or knows no such log although
                it was open.
        """
        leaf = self._first_leaf() if origin == self._origin else None
        if leaf is None:
            return None
        try:
            self._chain.check_chain()
            if self._chain.code_at(self._contract):
                head = read_head(self._chain, self._contract, log_id_of(leaf, self._head_key))
                if head.tree_size:
                    return OutsideHead(head.tree_size, head.root_hash)
        except (ChainUnreachable, ChainRefused, ContractWrong) as problem:
            raise OutsideUnreachable(
                self.name, problem.reason, "have the node answer, then start"
            ) from problem
        if self._is_open():
            reason = "the node holds no such log, and it was open"
            raise OutsideUnreachable(self.name, reason, "ask a node that is up to date, of the right chain")
        return None
