"""Talk to one EVM chain over JSON-RPC: build and send transactions of LogAnchor, and read what it holds.

The only module that knows web3. It decides nothing: nonces, fees and when to send come from `anchoring`,
which stores every raw transaction before it is sent. Transactions are of type 2 (EIP-1559). A node is not
believed where its answer can be checked: a header is handed out only if its bytes hash to the block's hash.

Two keys, never one: the gas key pays and sends; the head key signs heads (EIP-712) and sends nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final, cast

from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from carbonseal_attest.anchor import AnchoredHead, log_id_of
from carbonseal_attest.chain_profile import EVM_RLP
from carbonseal_attest.evm_proof import (
    keccak256,
    parse_header,
    referenced_nodes,
    rlp_encode,
    rlp_encode_uint,
)
from carbonseal_ledger import RECURSION_LIMIT
from carbonseal_ledger.chain_answers import (
    Block,
    ChainRefused,
    ChainUnreachable,
    ContractHead,
    ContractWrong,
    Fees,
    HeaderNotReproducible,
    MinedHead,
    SignedTransaction,
    StateProof,
    TxReceipt,
)

sys.setrecursionlimit(RECURSION_LIMIT)

_TIMEOUT_SECONDS: Final = 20
LOGS_SLOT: Final = 0  # storage slot of the mapping of logs in LogAnchor
_CONFIRMATIONS: Final = 12  # where nothing better is known; no public chain reorganises deeper than a few
_LOG_RANGE: Final = 5_000  # blocks asked for at once; public nodes refuse more than about 10,000
_ADVANCE_GAS: Final = 130_000  # gas limit without proof nodes; 57,000 are used with ten of them
_NODE_GAS: Final = 2_000  # gas limit for each proof node; under 1,000 are used
_OPEN_GAS: Final = 150_000
_DEPLOY_GAS: Final = 1_500_000
_HEX_NUMBERS: Final = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}
    | {"blobGasUsed", "excessBlobGas", "slotNumber"}
)
# In the order in which forks appended them; a header has a prefix of this list.
_HEADER_FIELDS: Final = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
    *("requestsHash", "blockAccessListHash", "slotNumber"),
)
_FIELDS_AT_LEAST: Final = 15


def _load_artefact() -> dict[str, Any]:
    text = resources.files("carbonseal_ledger").joinpath("abi/LogAnchor.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


_ARTEFACT: Final = _load_artefact()
CODE_HASH: Final = keccak256(bytes.fromhex(_ARTEFACT["runtime_bytecode"][2:]))
_HEAD_ADVANCED: Final = keccak256(b"HeadAdvanced(bytes32,uint64,bytes32)")
_LOG_OPENED: Final = keccak256(b"LogOpened(bytes32,address,bytes32)")


class ChainClient:
    """One node, one gas key, one head key.

    Args:
        rpc_url: JSON-RPC over HTTP. Whoever answers there can delay anchors and hide reorganisations; it can
            neither forge a head (the head key signs) nor evidence (proofs are checked).
        gas_key: secp256k1 private key, 32 bytes; it pays. Stolen, it loses its money and nothing else.
        head_key: secp256k1 private key, 32 bytes; it signs heads. Stolen, it can anchor forged extensions.
        chain_id: the chain that is meant; a node of another one is refused. None takes the node's word.
        confirmations: blocks on top that make a block final, for chains whose `finalized` tag means nothing.
            None goes by the tag, and by 12 confirmations where the node does not know it.
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
        self._web3 = Web3(HTTPProvider(rpc_url, request_kwargs={"timeout": _TIMEOUT_SECONDS}))
        self._contract = self._web3.eth.contract(abi=_ARTEFACT["abi"])
        self._gas_account = Account.from_key(gas_key)
        self._head_account = Account.from_key(head_key)
        self._confirmations = confirmations
        self._expected_chain_id = chain_id
        self._chain_id: int | None = None

    @property
    def gas_address(self) -> bytes:
        """The address that pays, 20 bytes."""
        return bytes.fromhex(self._gas_account.address[2:])

    @property
    def head_address(self) -> bytes:
        """The address whose signatures move the head, 20 bytes."""
        return bytes.fromhex(self._head_account.address[2:])

    @property
    def chain_id(self) -> int:
        """The chain's id, asked for once.

        Raises:
            ChainRefused: the node is of another chain than the one that is meant.
        """
        if self._chain_id is None:
            answer = _number(self._call("eth_chainId"))
            if self._expected_chain_id not in {None, answer}:
                reason = f"the node is of chain {answer}, not {self._expected_chain_id}"
                raise ChainRefused("chain", reason, "correct the address of the node")
            self._chain_id = answer
        return self._chain_id

    # -- transactions

    def contract_address_for(self, nonce: int) -> bytes:
        """Return the address that a deployment by the gas key with this nonce gets, 20 bytes."""
        return keccak256(rlp_encode([self.gas_address, rlp_encode_uint(nonce)]))[12:]

    def sign_deploy(self, nonce: int, fees: Fees) -> SignedTransaction:
        """Return the transaction that creates a LogAnchor."""
        return self._sign(nonce, fees, None, _ARTEFACT["bytecode"], _DEPLOY_GAS)

    def sign_open(
        self, contract: bytes, genesis_leaf_hash: bytes, nonce: int, fees: Fees
    ) -> SignedTransaction:
        """Return the transaction that opens the log of `genesis_leaf_hash` and our head key."""
        data = self._contract.encode_abi("open", [genesis_leaf_hash, self._head_account.address])
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
        old_size, new_size, new_root = step
        signature = self.sign_head(contract, log_id, step)
        arguments = [log_id, old_size, new_size, new_root, list(proof), signature]
        data = self._contract.encode_abi("advance", arguments)
        return self._sign(nonce, fees, contract, data, _ADVANCE_GAS + _NODE_GAS * len(proof))

    def sign_head(self, contract: bytes, log_id: bytes, step: tuple[int, int, bytes]) -> bytes:
        """Return the head key's EIP-712 signature over a step: 65 bytes, low s."""
        old_size, new_size, new_root = step
        message = {"logId": log_id, "oldSize": old_size, "newSize": new_size, "newRoot": new_root}
        signed = self._head_account.sign_typed_data(
            domain_data={
                "name": "Carbonseal LogAnchor",
                "version": "1",
                "chainId": self.chain_id,
                "verifyingContract": Web3.to_checksum_address(contract),
            },
            message_types={
                "Advance": [
                    {"name": "logId", "type": "bytes32"},
                    {"name": "oldSize", "type": "uint64"},
                    {"name": "newSize", "type": "uint64"},
                    {"name": "newRoot", "type": "bytes32"},
                ]
            },
            message_data=message,
        )
        return bytes(signed.signature)

    def send(self, raw: bytes) -> None:
        """Hand a stored raw transaction to the node; one that it knows already is no error.

        Raises:
            ChainRefused: the node does not take it; its words are the reason.
        """
        try:
            self._call("eth_sendRawTransaction", _hex(raw))
        except ChainRefused as error:
            if not any(words in error.reason.lower() for words in ("already known", "already imported")):
                raise

    def _sign(self, nonce: int, fees: Fees, to: bytes | None, data: str, gas: int) -> SignedTransaction:
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "maxFeePerGas": fees.max_fee_wei,
            "maxPriorityFeePerGas": fees.max_priority_fee_wei,
            "gas": gas,
            "value": 0,
            "data": data,
        }
        if to is not None:
            transaction["to"] = Web3.to_checksum_address(to)
        signed = self._gas_account.sign_transaction(transaction)
        return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash), nonce, fees)

    # -- chain state

    def suggest_fees(self) -> Fees:
        """Return fees that outlast six full blocks in a row: twice the base fee, plus the node's tip."""
        tip = _number(self._call("eth_maxPriorityFeePerGas"))
        return Fees(2 * self.block("latest").base_fee_wei + tip, tip)

    def next_nonce(self) -> int:
        """Return the gas key's transaction count at the newest block; the journal counts on from there."""
        return _number(self._call("eth_getTransactionCount", _hex(self.gas_address), "latest"))

    def block(self, which: int | str) -> Block:
        """Return a block by number or tag.

        Raises:
            ChainRefused: there is no such block.
        """
        fields = self._block_fields(which)
        return Block(
            number=_number(_member(fields, "number")),
            block_hash=_bytes(_member(fields, "hash")),
            block_at=_number(_member(fields, "timestamp")) * 1000,
            base_fee_wei=_number(fields.get("baseFeePerGas") or "0x0"),
        )

    def settled(self, tag: str) -> int:
        """Return the newest `safe` or `finalized` block number; -1 when no block is that settled yet.

        A node that does not know the tags counts confirmations: 12 for `finalized`, half of them for `safe`.
        """
        if self._confirmations is None:
            try:
                return self.block(tag).number
            except ChainRefused as error:
                # Known, but nothing is settled yet: never fall back to something weaker.
                if "not found" in error.reason.lower() or "has no block" in error.reason:
                    return -1
        depth = self._confirmations if self._confirmations is not None else _CONFIRMATIONS
        if tag == "safe":
            depth = (depth + 1) // 2
        return max(self.block("latest").number - depth, -1)

    def tx_receipt(self, transaction_hash: bytes) -> TxReceipt | None:
        """Return where a transaction was mined in the present chain, None when it is not in it."""
        answer = self._call("eth_getTransactionReceipt", _hex(transaction_hash))
        if answer is None:
            return None
        return TxReceipt(
            block_number=_number(_member(answer, "blockNumber")),
            block_hash=_bytes(_member(answer, "blockHash")),
            is_success=_number(_member(answer, "status")) == 1,
            gas_used=_number(_member(answer, "gasUsed")),
        )

    def knows(self, transaction_hash: bytes) -> bool:
        """Whether the node has the transaction, mined or waiting."""
        return self._call("eth_getTransactionByHash", _hex(transaction_hash)) is not None

    def check_contract(self, contract: bytes) -> None:
        """Check that the address holds our LogAnchor.

        Raises:
            ContractWrong: it holds other code, or none.
        """
        code = _bytes(self._call("eth_getCode", _hex(contract), "latest"))
        if keccak256(code) != CODE_HASH:
            reason = "holds other code than this release's LogAnchor" if code else "holds no code"
            raise ContractWrong(f"contract {_hex(contract)}", reason, "deploy it, or correct the address")

    def contract_head(self, contract: bytes, log_id: bytes, which: int | str = "latest") -> ContractHead:
        """Return a log's head as the contract has it at a block."""
        data = self._contract.encode_abi("head", [log_id])
        call = {"to": _hex(contract), "data": data}
        words = _bytes(self._call("eth_call", call, hex(which) if isinstance(which, int) else which))
        if len(words) != 96:
            raise ContractWrong(f"contract {_hex(contract)}", "does not answer head()", "correct the address")
        size, seconds = int.from_bytes(words[:32], "big"), int.from_bytes(words[64:], "big")
        return ContractHead(size, words[32:64], seconds * 1000)

    def log_id(self, genesis_leaf_hash: bytes) -> bytes:
        """Return the id of the log of a genesis leaf and our head key."""
        return log_id_of(genesis_leaf_hash, self.head_address)

    # -- evidence

    def header(self, number: int) -> tuple[Block, bytes]:
        """Return a block and its encoded header, rebuilt from its fields and found to hash to its hash.

        Raises:
            HeaderNotReproducible: it does not hash to it.
        """
        fields = self._block_fields(number)
        present = [fields.get(name) for name in _HEADER_FIELDS]
        while present and present[-1] is None:
            present.pop()
        encoded: list[bytes] = []
        for name, value in zip(_HEADER_FIELDS, present, strict=False):
            if value is None:
                break
            encoded.append(rlp_encode_uint(_number(value)) if name in _HEX_NUMBERS else _bytes(value))
        raw, block_hash = rlp_encode(list(encoded)), _bytes(_member(fields, "hash"))
        if len(encoded) != len(present) or len(encoded) < _FIELDS_AT_LEAST or keccak256(raw) != block_hash:
            raise HeaderNotReproducible(
                f"block {number}",
                "its fields don't hash to its block hash",
                "this chain's anchors can only be checked online; leave its header profile out",
            )
        header = parse_header(raw, header_profile=EVM_RLP)
        fee = _number(fields.get("baseFeePerGas") or "0x0")
        return Block(header.number, block_hash, header.timestamp * 1000, fee), raw

    def state_proof(self, contract: bytes, slots: Sequence[bytes], number: int) -> StateProof:
        """Return account and storage proofs at a block; nodes forget those of old blocks."""
        # Slots are sent as 32 bytes each: nodes differ in which shorter forms they take.
        answer = self._call("eth_getProof", _hex(contract), [_hex(slot) for slot in slots], hex(number))
        found = {
            _bytes(_member(item, "key")).rjust(32, b"\0"): _nodes(_member(item, "proof"))
            for item in _items(_member(answer, "storageProof"))
        }
        if any(slot not in found for slot in slots):
            raise _nonsense(answer)
        account_proof = _nodes(_member(answer, "accountProof"))
        return StateProof(account_proof, tuple(found[slot] for slot in slots))

    def heads_between(self, contract: bytes, log_id: bytes, start: int, end: int) -> list[MinedHead]:
        """Return the heads that blocks [start, end) gave a log, in order, read from the contract's events."""
        heads: list[MinedHead] = []
        blocks: dict[int, Block] = {}
        for first in range(start, end, _LOG_RANGE):
            last = min(first + _LOG_RANGE, end) - 1
            topics = [[_hex(_LOG_OPENED), _hex(_HEAD_ADVANCED)], _hex(log_id)]
            query = {
                "address": _hex(contract),
                "topics": topics,
                "fromBlock": hex(first),
                "toBlock": hex(last),
            }
            for event in _items(self._call("eth_getLogs", query)):
                data, number = _bytes(_member(event, "data")), _number(_member(event, "blockNumber"))
                if number not in blocks:
                    blocks[number] = self.block(number)
                is_opening = _items(_member(event, "topics"))[:1] == [_hex(_LOG_OPENED)]
                size = 1 if is_opening else int.from_bytes(data[:32], "big")
                heads.append(
                    MinedHead(AnchoredHead(size, data[-32:], blocks[number].block_at), blocks[number])
                )
        return heads

    def _block_fields(self, which: int | str) -> dict[str, Any]:
        answer = self._call("eth_getBlockByNumber", hex(which) if isinstance(which, int) else which, False)
        if not isinstance(answer, dict):
            raise ChainRefused("chain", f"has no block {which}", "wait for it, or ask another node")
        return answer

    def _call(self, method: str, *params: object) -> Any:
        """Return the raw result: web3's own formatters would hide the fields of which a header is made."""
        try:
            answer = self._web3.provider.make_request(RPCEndpoint(method), list(params))
        except Exception as error:  # the transport's errors have no common root
            reason = f"{method}: {type(error).__name__}: {error}"
            raise ChainUnreachable(
                "chain", reason, "check that the node runs and the address is right"
            ) from error
        if answer.get("error"):
            reason = f"{method}: {answer['error']}"
            raise ChainRefused("chain", reason, "read the node's words; raise the fees or top up the gas key")
        return answer.get("result")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text)[2:])
    except ValueError as error:
        raise _nonsense(text) from error


def _number(text: object) -> int:
    try:
        return int(str(text), 16)
    except ValueError as error:
        raise _nonsense(text) from error


def _member(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise _nonsense(answer)
    return answer[name]


def _items(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise _nonsense(answer)
    return answer


def _nodes(answer: Any) -> tuple[bytes, ...]:
    return tuple(referenced_nodes([_bytes(node) for node in _items(answer)]))


def _nonsense(answer: object) -> ChainRefused:
    reason = f"the node's answer is not what was asked for: {str(answer)[:80]!r}"
    return ChainRefused("chain", reason, "ask another node")
