"""The contract LogAnchor as the anchorer uses it: its transactions, its head, its events.

It builds calldata with `eth_abi` and leaves signing and sending to `chain_client`, and when to do what to
`anchoring`. Two keys, never one: the gas key pays and sends; the head key signs heads (EIP-712) and sends
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_abi.abi import encode

from carbonseal_attest.anchor import AnchoredHead, log_id_of
from carbonseal_ledger.chain_answers import (
    Block,
    ContractHead,
    ContractWrong,
    Fees,
    MinedHead,
    SignedTransaction,
)
from carbonseal_ledger.chain_client import ChainAccount, ChainClient
from carbonseal_ledger.contract_artefacts import load_artefact
from carbonseal_ledger.json_rpc import hex_of
from carbonseal_ledger.log_succession import APPOINT_TYPES, appoint_data

LOGS_SLOT: Final = 0  # storage slot of the mapping of logs in LogAnchor
_ADVANCE_GAS: Final = 130_000  # gas limit without proof nodes; 57,000 are used with ten of them
_NODE_GAS: Final = 2_000  # gas limit for each proof node; under 1,000 are used
_OPEN_GAS: Final = 150_000
_DEPLOY_GAS: Final = 3_000_000

_ARTEFACT: Final = load_artefact("LogAnchor")
CODE_HASH: Final = _ARTEFACT.code_hash
_OPEN: Final = _ARTEFACT.selector("open")
_ADVANCE: Final = _ARTEFACT.selector("advance")
_HEAD: Final = _ARTEFACT.selector("head")
_HISTORY: Final = _ARTEFACT.selector("history")
_HEAD_ADVANCED: Final = _ARTEFACT.topic("HeadAdvanced")
_LOG_OPENED: Final = _ARTEFACT.topic("LogOpened")
_ADVANCE_TYPES: Final = [
    {"name": "logId", "type": "bytes32"},
    {"name": "oldSize", "type": "uint64"},
    {"name": "newSize", "type": "uint64"},
    {"name": "newRoot", "type": "bytes32"},
]


class LogAnchorClient(ChainClient):
    """One node, one gas key, one head key.

    Args:
        rpc_url, chain_id, confirmations: as for `ChainClient`.
        gas_key: secp256k1 private key, 32 bytes; it pays. Stolen, it loses its money and nothing else.
        head_key: secp256k1 private key, 32 bytes; it signs heads. Stolen, it can anchor forged extensions.
    """

    def __init__(
        self,
        rpc_url: str,
        *,
        gas_key: bytes,
        head_key: bytes,
        chain_id: int | None = None,
        confirmations: int | None = None,
    ) -> None:
        super().__init__(rpc_url, chain_id=chain_id, confirmations=confirmations)
        self._gas_account = ChainAccount(gas_key)
        self._head_account = ChainAccount(head_key)

    @property
    def gas_address(self) -> bytes:
        """The address that pays, 20 bytes."""
        return self._gas_account.address

    @property
    def head_address(self) -> bytes:
        """The address whose signatures move the head, 20 bytes."""
        return self._head_account.address

    # -- transactions

    def contract_address_for(self, nonce: int) -> bytes:
        """Return the address that a deployment by the gas key with this nonce gets, 20 bytes."""
        return self._gas_account.contract_address_for(nonce)

    def next_nonce(self) -> int:
        """Return the gas key's transaction count at the newest block; the journal counts on from there."""
        return self.transaction_count(self.gas_address)

    def sign_deploy(self, nonce: int, fees: Fees) -> SignedTransaction:
        """Return the transaction that creates a LogAnchor."""
        return self._sign(nonce, fees, None, _ARTEFACT.bytecode, _DEPLOY_GAS)

    def sign_open(
        self, contract: bytes, genesis_leaf_hash: bytes, nonce: int, fees: Fees
    ) -> SignedTransaction:
        """Return the transaction that opens the log of `genesis_leaf_hash` and our head key."""
        data = _OPEN + encode(["bytes32", "address"], [genesis_leaf_hash, hex_of(self.head_address)])
        return self._sign(nonce, fees, contract, data, _OPEN_GAS)

    def sign_advance(
        self,
        contract: bytes,
        log_id: bytes,
        step: tuple[int, int, bytes],
        proof: Sequence[bytes],
        nonce: int,
        fees: Fees,
    ) -> SignedTransaction:
        """Return the transaction that moves a log's head; `step` is old size, new size and new root."""
        data = advance_data(log_id, step, proof, self.sign_head(contract, log_id, step))
        return self._sign(nonce, fees, contract, data, _ADVANCE_GAS + _NODE_GAS * len(proof))

    def sign_head(self, contract: bytes, log_id: bytes, step: tuple[int, int, bytes]) -> bytes:
        """Return the head key's EIP-712 signature over a step: 65 bytes, low s."""
        old_size, new_size, new_root = step
        message = {"logId": log_id, "oldSize": old_size, "newSize": new_size, "newRoot": new_root}
        return self._head_account.sign_typed(self._domain(contract), {"Advance": _ADVANCE_TYPES}, message)

    def sign_appointment(self, contract: bytes, log_id: bytes, guardians: tuple[bytes, bytes]) -> bytes:
        """Return the head key's EIP-712 signature over who may close the log: 65 bytes, low s."""
        first, second = (hex_of(guardian) for guardian in guardians)
        message = {"logId": log_id, "first": first, "second": second}
        return self._head_account.sign_typed(self._domain(contract), {"Appoint": APPOINT_TYPES}, message)

    def sign_appoint(
        self, contract: bytes, log_id: bytes, guardians: tuple[bytes, bytes], nonce: int, fees: Fees
    ) -> SignedTransaction:
        """Return the transaction that names the two guardians of a log, right after its opening."""
        signature = self.sign_appointment(contract, log_id, guardians)
        return self._sign(nonce, fees, contract, appoint_data(log_id, guardians, signature), _OPEN_GAS)

    def _domain(self, contract: bytes) -> dict[str, Any]:
        return {
            "name": "Carbonseal LogAnchor",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": hex_of(contract),
        }

    def _sign(self, nonce: int, fees: Fees, to: bytes | None, data: bytes, gas: int) -> SignedTransaction:
        return self.sign(self._gas_account, to, data, nonce=nonce, fees=fees, gas=gas)

    # -- what the contract holds

    def check_contract(self, contract: bytes) -> None:
        """Check that the address holds our LogAnchor.

        Raises:
            ContractWrong: it holds other code, or none.
        """
        _ARTEFACT.check(contract, self.code_at(contract))

    def contract_head(self, contract: bytes, log_id: bytes, which: int | str = "latest") -> ContractHead:
        """Return a log's head as the contract has it at a block."""
        return read_head(self, contract, log_id, which)

    def contract_history(self, contract: bytes, log_id: bytes, which: int | str = "latest") -> bytes:
        """Return the hash chain over all of a log's heads as the contract has it at a block."""
        return self.call(contract, _HISTORY + log_id, which=which)

    def why_reverted(self, transaction_hash: bytes, number: int) -> str:
        """Return the contract's error for a transaction that reverted in block `number`, in words."""
        error = self.refusal_of(transaction_hash, number)
        if error is None:
            return "for want of gas, or because another transaction of its block came first"
        named = _ARTEFACT.errors().get(error[:4])
        return "without a named error" if named is None else str(named["name"])

    def log_id(self, genesis_leaf_hash: bytes) -> bytes:
        """Return the id of the log of a genesis leaf and our head key."""
        return log_id_of(genesis_leaf_hash, self.head_address)

    def heads_between(self, contract: bytes, log_id: bytes, start: int, end: int) -> list[MinedHead]:
        """Return the heads that blocks [start, end) gave a log, in order, read from the contract's events."""
        heads: list[MinedHead] = []
        blocks: dict[int, Block] = {}
        for event in self.events(contract, [[_LOG_OPENED, _HEAD_ADVANCED], [log_id]], start, end):
            number = event.block_number
            if number not in blocks:
                blocks[number] = self.block(number)
            is_opening = event.topics[:1] == (_LOG_OPENED,)
            size = 1 if is_opening else int.from_bytes(event.data[:32], "big")
            head = AnchoredHead(size, event.data[-32:], blocks[number].block_at)
            heads.append(MinedHead(head, blocks[number]))
        return heads


def advance_data(
    log_id: bytes, step: tuple[int, int, bytes], proof: Sequence[bytes], signature: bytes
) -> bytes:
    """Return the calldata that moves a log's head; `step` is old size, new size and new root."""
    types = ["bytes32", "uint64", "uint64", "bytes32", "bytes32[]", "bytes"]
    return _ADVANCE + encode(types, [log_id, *step, list(proof), signature])


def read_head(
    chain: ChainClient, contract: bytes, log_id: bytes, which: int | str = "latest"
) -> ContractHead:
    """Return a log's head as a LogAnchor has it at a block.

    Raises:
        ContractWrong: what is there does not answer as LogAnchor does.
    """
    words = chain.call(contract, _HEAD + log_id, which=which)
    if len(words) != 96:
        raise ContractWrong(f"contract {hex_of(contract)}", "does not answer head()", "correct the address")
    size, seconds = int.from_bytes(words[:32], "big"), int.from_bytes(words[64:], "big")
    return ContractHead(size, words[32:64], seconds * 1000)
