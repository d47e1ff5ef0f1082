"""What a chain answers, and what it is given: blocks, fees, transactions, events, heads, proofs, refusals.

Plain values between `chain_client`, which talks to the node, and the journals, which decide; neither network
nor web3 is needed for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from carbonseal_attest.anchor import AnchoredHead
from carbonseal_ledger.errors import LedgerError


class ChainUnreachable(LedgerError):
    """The node does not answer, or answers with something that is no JSON-RPC."""

    code = "chain-unreachable"


class ChainRefused(LedgerError):
    """The node answers with an error; `reason` holds its words."""

    code = "chain-refused"


class NoSuchBlock(ChainRefused):
    """The node has no block of that number or tag."""

    code = "no-such-block"


class CallRefused(ChainRefused):
    """A contract refuses a call; `data` holds its error as the ABI encodes it, empty when it names none."""

    code = "call-refused"

    def __init__(self, field: str, reason: str, remedy: str, *, data: bytes) -> None:
        super().__init__(field, reason, remedy)
        self.data = data


class HeaderNotReproducible(LedgerError):
    """A block's fields do not hash to its block hash: evidence from this chain cannot be checked offline."""

    code = "header-not-reproducible"


class ContractWrong(LedgerError):
    """The address does not hold the contract that this release knows."""

    code = "contract-wrong"


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of a transaction, in wei for one unit of gas.

    On a chain without EIP-1559 (`is_legacy`) both are the gas price, and the transaction is of type 0.
    """

    max_fee_wei: int
    max_priority_fee_wei: int
    is_legacy: bool = False


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction ready to send, as it is stored before it is sent."""

    raw: bytes
    transaction_hash: bytes
    nonce: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class Block:
    """A block by number and hash.

    `block_at` is its time in ms since 1970 UTC, `base_fee_wei` 0 where the chain has none.
    """

    number: int
    block_hash: bytes
    block_at: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """Where a transaction was mined, and whether it ran without reverting."""

    block_number: int
    block_hash: bytes
    is_success: bool
    gas_used: int


@dataclass(frozen=True, slots=True)
class ContractHead:
    """A log's head in the contract; size 0 when it is not open. `anchored_at` in ms since 1970 UTC."""

    tree_size: int
    root_hash: bytes
    anchored_at: int


@dataclass(frozen=True, slots=True)
class MinedHead:
    """A head that the contract took, and the block in which it did."""

    head: AnchoredHead
    block: Block


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """An event as the chain holds it: topics and data as the ABI encodes them, and where it stands."""

    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class StateProof:
    """Trie nodes from a block's state root to the contract, and from its storage root to each slot."""

    account_proof: tuple[bytes, ...]
    storage_proofs: tuple[tuple[bytes, ...], ...]
