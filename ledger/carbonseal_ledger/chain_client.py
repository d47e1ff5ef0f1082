"""Talk to one EVM chain over JSON-RPC: sign and send transactions, call contracts, read what the chain holds.

The only module that knows web3. It decides nothing: nonces, fees and when to send come from the journals,
which store every raw transaction before it is sent. It knows no contract either: `log_anchor` and
`carbon_assets` say what is called. Transactions are of type 2 (EIP-1559) where blocks have a base fee, and of
type 0 with the chain id signed (EIP-155) where they have none. A node is not believed where its answer can be
checked: a header is handed out only if its bytes hash to the block's hash.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

import httpx
from eth_account import Account
from web3 import Web3

from carbonseal_attest.chain_profile import EVM_RLP
from carbonseal_attest.evm_proof import keccak256, parse_header, rlp_encode, rlp_encode_uint
from carbonseal_ledger import RECURSION_LIMIT
from carbonseal_ledger.block_headers import encode_header
from carbonseal_ledger.chain_answers import (
    Block,
    CallRefused,
    ChainEvent,
    ChainRefused,
    ChainUnreachable,
    Fees,
    NoSuchBlock,
    SignedTransaction,
    StateProof,
    TxReceipt,
)
from carbonseal_ledger.json_rpc import (
    bytes_of,
    event_of,
    hex_of,
    items_of,
    member_of,
    nodes_of,
    nonsense,
    number_of,
    revert_data,
)

sys.setrecursionlimit(RECURSION_LIMIT)

ANSWER_SECONDS: Final = 60  # for a whole answer, so that one byte now and then holds nobody up
MAX_ANSWER: Final = 64 << 20  # bytes; a header is some hundred, the events of a range are some megabytes
_TIMEOUT_SECONDS: Final = 20  # of each silence
_CONFIRMATIONS: Final = 12  # where nothing better is known; no public chain reorganises deeper than a few
_EVENT_RANGE: Final = 5_000  # blocks asked for at once; public nodes refuse more than about 10,000


class ChainAccount:
    """A key that signs transactions, or what a contract checks instead (EIP-712).

    Args:
        key: secp256k1 private key, 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._account = Account.from_key(key)
        self.address = bytes.fromhex(self._account.address[2:])

    def contract_address_for(self, nonce: int) -> bytes:
        """Return the address that a contract deployed by this key with this nonce gets, 20 bytes."""
        return keccak256(rlp_encode([self.address, rlp_encode_uint(nonce)]))[12:]

    def sign_transaction(self, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Return the signed transaction's raw bytes and its hash."""
        signed = self._account.sign_transaction(dict(transaction))
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def sign_typed(
        self,
        domain: Mapping[str, Any],
        types: Mapping[str, Sequence[Mapping[str, str]]],
        message: Mapping[str, Any],
    ) -> bytes:
        """Return the EIP-712 signature over a message: 65 bytes, low s."""
        signed = self._account.sign_typed_data(
            domain_data=dict(domain), message_types=dict(types), message_data=dict(message)
        )
        return bytes(signed.signature)


class ChainClient:
    """One node.

    Args:
        rpc_url: JSON-RPC over HTTP. Whoever answers there can delay what we send and hide reorganisations; it
            can forge neither signatures nor evidence (proofs are checked).
        chain_id: the chain that is meant; a node of another one is refused before anything else is asked of
            it. None takes the node's first word.
        confirmations: blocks on top that make a block final, for chains whose `finalized` tag means nothing.
            None goes by the tag, and by 12 confirmations where the node does not know it.
    """

    def __init__(
        self, rpc_url: str, *, chain_id: int | None = None, confirmations: int | None = None
    ) -> None:
        self._rpc_url = rpc_url
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS)
        self._confirmations = confirmations
        self._chain_id = chain_id
        self._is_checked = False

    @property
    def chain_id(self) -> int:
        """The chain's id. A node that is away leaves the id that is meant; it is asked before it is used.

        Raises:
            ChainRefused: the node is of another chain than the one that is meant.
            ChainUnreachable: it does not answer, and no id was named.
        """
        if not self._is_checked:
            try:
                self.check_chain()
            except ChainUnreachable:
                if self._chain_id is None:
                    raise
        if self._chain_id is None:
            raise nonsense(None)
        return self._chain_id

    def check_chain(self) -> None:
        """Ask the node for its chain again: an address may come to lead to another node.

        Raises:
            ChainRefused: it is of another chain than the one that is meant.
        """
        answer = number_of(self._ask_node("eth_chainId"))
        if self._chain_id not in {None, answer}:
            self._is_checked = False
            reason = f"the node is of chain {answer}, not {self._chain_id}"
            raise ChainRefused("chain", reason, "correct the address of the node")
        self._chain_id, self._is_checked = answer, True

    # -- transactions

    def sign(
        self, account: ChainAccount, to: bytes | None, data: bytes, *, nonce: int, fees: Fees, gas: int
    ) -> SignedTransaction:
        """Return a transaction by `account` that calls `to`, or deploys `data` when it is None."""
        transaction: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": nonce,
            "gas": gas,
            "value": 0,
            "data": hex_of(data),
        }
        if fees.is_legacy:
            transaction["gasPrice"] = fees.max_fee_wei
        else:
            transaction |= {
                "type": 2,
                "maxFeePerGas": fees.max_fee_wei,
                "maxPriorityFeePerGas": fees.max_priority_fee_wei,
            }
        if to is not None:
            transaction["to"] = Web3.to_checksum_address(to)
        raw, transaction_hash = account.sign_transaction(transaction)
        return SignedTransaction(raw, transaction_hash, nonce, fees)

    def send(self, raw: bytes) -> None:
        """Hand a stored raw transaction to the node; one that it knows already is no error.

        Raises:
            ChainRefused: the node does not take it; its words are the reason.
        """
        try:
            self._call("eth_sendRawTransaction", hex_of(raw))
        except ChainRefused as error:
            if not any(words in error.reason.lower() for words in ("already known", "already imported")):
                raise

    # -- chain state

    def suggest_fees(self) -> Fees:
        """Return fees that outlast six full blocks in a row: twice the base fee, plus the node's tip.

        Where blocks have no base fee, the gas price that the node names.
        """
        named = self._block_fields("latest").get("baseFeePerGas")
        if named is None:
            price = number_of(self._call("eth_gasPrice"))
            return Fees(price, price, is_legacy=True)
        base_fee = number_of(named)
        try:
            tip = number_of(self._call("eth_maxPriorityFeePerGas"))
        except ChainRefused:  # older and permissioned nodes know no such question
            tip = max(number_of(self._call("eth_gasPrice")) - base_fee, 0)
        return Fees(2 * base_fee + tip, tip)

    def transaction_count(self, address: bytes) -> int:
        """Return an account's transaction count at the newest block; a journal counts on from there."""
        return number_of(self._call("eth_getTransactionCount", hex_of(address), "latest"))

    def block(self, which: int | str) -> Block:
        """Return a block by number or tag.

        Raises:
            NoSuchBlock: there is none.
        """
        fields = self._block_fields(which)
        return Block(
            number=number_of(member_of(fields, "number")),
            block_hash=bytes_of(member_of(fields, "hash")),
            block_at=number_of(member_of(fields, "timestamp")) * 1000,
            base_fee_wei=number_of(fields.get("baseFeePerGas") or "0x0"),
        )

    def settled(self, tag: str) -> int:
        """Return the newest `safe` or `finalized` block number; -1 when no block is that settled yet.

        A node that does not know the tags counts confirmations: 12 for `finalized`, half of them for `safe`.
        """
        if self._confirmations is None:
            try:
                return self.block(tag).number
            except NoSuchBlock:
                return -1  # known, but nothing is settled yet: never fall back to something weaker
            except ChainRefused as error:
                if "not found" in error.reason.lower():
                    return -1  # the same, as other nodes say it
        depth = self._confirmations if self._confirmations is not None else _CONFIRMATIONS
        if tag == "safe":
            depth = (depth + 1) // 2
        return max(self.block("latest").number - depth, -1)

    def tx_receipt(self, transaction_hash: bytes) -> TxReceipt | None:
        """Return where a transaction was mined in the present chain, None when it is not in it."""
        answer = self._call("eth_getTransactionReceipt", hex_of(transaction_hash))
        if answer is None:
            return None
        return TxReceipt(
            block_number=number_of(member_of(answer, "blockNumber")),
            block_hash=bytes_of(member_of(answer, "blockHash")),
            is_success=number_of(member_of(answer, "status")) == 1,
            gas_used=number_of(member_of(answer, "gasUsed")),
        )

    def knows(self, transaction_hash: bytes) -> bool:
        """Whether the node has the transaction, mined or waiting."""
        return self._call("eth_getTransactionByHash", hex_of(transaction_hash)) is not None

    def refusal_of(self, transaction_hash: bytes, number: int) -> bytes | None:
        """Return the error with which a reverted transaction would revert after block `number`.

        None when it no longer would, or the node does not say.
        """
        fields = self._call("eth_getTransactionByHash", hex_of(transaction_hash))
        if fields is None or fields.get("to") is None:
            return None
        to, data, sender = (bytes_of(member_of(fields, name)) for name in ("to", "input", "from"))
        try:
            self.call(to, data, sender=sender, which=number)
        except CallRefused as refusal:
            return refusal.data
        except ChainRefused:
            return None
        return None

    # -- contracts

    def code_at(self, address: bytes) -> bytes:
        """Return the code at an address, empty where there is none."""
        return bytes_of(self._call("eth_getCode", hex_of(address), "latest"))

    def call(
        self,
        to: bytes | None,
        data: bytes,
        *,
        sender: bytes | None = None,
        which: int | str = "latest",
        overrides: Mapping[bytes, bytes] | None = None,
    ) -> bytes:
        """Return what a contract answers at a block, without sending anything.

        Args:
            to: the contract; None runs `data` as a deployment.
            data: selector and arguments, or what creates a contract.
            sender: whose call it is; None nobody's in particular.
            which: the block, by number or tag, on whose state it runs.
            overrides: slots of the contract's storage that are taken for other values during this call.

        Raises:
            CallRefused: it reverts; `data` holds the contract's error.
            ChainRefused: the node does not run it.
        """
        fields = {"data": hex_of(data)}
        if to is not None:
            fields["to"] = hex_of(to)
        if sender is not None:
            fields["from"] = hex_of(sender)
        parameters: list[object] = [fields, hex(which) if isinstance(which, int) else which]
        if to is not None and overrides:
            slots = {hex_of(slot): hex_of(value) for slot, value in overrides.items()}
            parameters.append({hex_of(to): {"stateDiff": slots}})
        return bytes_of(self._call("eth_call", *parameters))

    def gas_for(self, sender: bytes, to: bytes | None, data: bytes) -> int:
        """Return the gas that a transaction needs by the node's estimate; raises as `call` does."""
        fields = {"from": hex_of(sender), "data": hex_of(data)}
        if to is not None:
            fields["to"] = hex_of(to)
        # Some nodes would count in what is waiting, which may never be mined.
        return number_of(self._call("eth_estimateGas", fields, "latest"))

    def events(
        self, contract: bytes, topics: Sequence[Sequence[bytes] | None], start: int, end: int
    ) -> list[ChainEvent]:
        """Return a contract's events in blocks [start, end), in order.

        `topics` says for each place which values are meant, None for any.
        """
        wanted = [None if values is None else [hex_of(value) for value in values] for values in topics]
        found: list[ChainEvent] = []
        for first in range(start, end, _EVENT_RANGE):
            last = min(first + _EVENT_RANGE, end) - 1
            places = {"fromBlock": hex(first), "toBlock": hex(last)}
            query = {"address": hex_of(contract), "topics": wanted} | places
            found += [event_of(answer) for answer in items_of(self._call("eth_getLogs", query))]
        return found

    # -- evidence

    def header(self, number: int) -> tuple[Block, bytes]:
        """Return a block and its encoded header, rebuilt from its fields and found to hash to its hash.

        Raises:
            HeaderNotReproducible: it does not hash to it.
        """
        fields = self._block_fields(number)
        raw, block_hash = encode_header(number, fields)
        header = parse_header(raw, header_profile=EVM_RLP)
        fee = number_of(fields.get("baseFeePerGas") or "0x0")
        return Block(header.number, block_hash, header.timestamp * 1000, fee), raw

    def state_proof(self, contract: bytes, slots: Sequence[bytes], number: int) -> StateProof:
        """Return account and storage proofs at a block; nodes forget those of old blocks."""
        # Slots are sent as 32 bytes each: nodes differ in which shorter forms they take.
        answer = self._call("eth_getProof", hex_of(contract), [hex_of(slot) for slot in slots], hex(number))
        found = {
            bytes_of(member_of(item, "key")).rjust(32, b"\0"): nodes_of(member_of(item, "proof"))
            for item in items_of(member_of(answer, "storageProof"))
        }
        if any(slot not in found for slot in slots):
            raise nonsense(answer)
        account_proof = nodes_of(member_of(answer, "accountProof"))
        return StateProof(account_proof, tuple(found[slot] for slot in slots))

    def _block_fields(self, which: int | str) -> dict[str, Any]:
        answer = self._call("eth_getBlockByNumber", hex(which) if isinstance(which, int) else which, False)
        if not isinstance(answer, dict):
            raise NoSuchBlock("chain", f"has no block {which}", "wait for it, or ask another node")
        return answer

    def _call(self, method: str, *params: object) -> Any:
        """Return a node's answer, once it is known to be of the chain that is meant."""
        if not self._is_checked:
            self.check_chain()
        return self._ask_node(method, *params)

    def _ask_node(self, method: str, *params: object) -> Any:
        """Return the raw result: web3's own formatters would hide the fields of which a header is made."""
        asked: Future[bytes] = Future()
        arguments = (asked, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        threading.Thread(target=self._post, args=arguments, daemon=True, name="chain-node").start()
        try:
            data = asked.result(ANSWER_SECONDS)
            answer = json.loads(data) if len(data) <= MAX_ANSWER else None
        except Exception as error:  # the transport's errors have no common root
            reason = f"{method}: {type(error).__name__}: {error}"
            raise ChainUnreachable(
                "chain", reason, "check that the node runs and the address is right"
            ) from error
        if not isinstance(answer, dict):
            raise nonsense(answer)
        failure = answer.get("error")
        if failure:
            reason = f"{method}: {failure}"
            reverted = revert_data(failure)
            if reverted is not None:
                raise CallRefused("chain", reason, "read the contract's error", data=reverted)
            raise ChainRefused("chain", reason, "read the node's words; raise the fees or top up the gas key")
        return answer.get("result")

    def _post(self, asked: Future[bytes], question: dict[str, Any]) -> None:
        """Ask in a thread that the caller need not wait for: httpx has limits for each silence alone."""
        try:
            with self._http.stream("POST", self._rpc_url, json=question) as response:
                response.raise_for_status()
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        break
            asked.set_result(bytes(data))
        except Exception as error:  # noqa: BLE001 - the caller's, whatever it is
            asked.set_exception(error)
