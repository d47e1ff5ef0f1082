"""Gas of an anchor: a real transaction to the real contract on a real node.

The log of logs has 1,000,000 entries and grows by 257, where the consistency proof has ten nodes. The
contract checks it with the SHA-256 precompile and recovers the head key's EIP-712 signature. Beside it
stands what any transaction costs that changes nothing but a balance.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from web3 import Web3

from anvil import ROOT, running_anvil
from carbonseal_attest.merkle import consistency_path, leaf_hash, node_hash
from figures import Figure, Measure

OLD_SIZE, NEW_SIZE = 1_000_000, 1_000_257
ARTEFACT = ROOT / "ledger" / "carbonseal_ledger" / "abi" / "LogAnchor.json"


def perfect_subtrees(size: int) -> list[list[bytes]]:
    """The hashes of every perfect subtree of a tree with `size` made-up leaves, by level."""
    levels = [[leaf_hash(index.to_bytes(8, "big")) for index in range(size)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return levels


def root_of(levels: list[list[bytes]], size: int) -> bytes:
    """The root hash of the first `size` leaves (RFC 9162 §2.1.1), from their perfect subtrees."""
    root, start = None, size
    for level, hashes in enumerate(levels):
        if size >> level & 1:
            start -= 1 << level
            node = hashes[start >> level]
            root = node if root is None else node_hash(node, root)
    assert root is not None
    return root


def gas_figures() -> list[Figure]:
    """Gas of an anchor at a million entries and of opening a log, beside a bare transfer."""
    levels = perfect_subtrees(NEW_SIZE)
    with running_anvil() as node:
        payer, payee = node.eth.accounts[:2]
        transfer = mined(node, node.eth.send_transaction({"from": payer, "to": payee, "value": 1}))
        artefact = json.loads(ARTEFACT.read_text(encoding="utf-8"))
        creation = node.eth.contract(abi=artefact["abi"], bytecode=artefact["bytecode"])
        address = mined(node, creation.constructor().transact({"from": payer}))["contractAddress"]
        contract = node.eth.contract(address=address, abi=artefact["abi"])
        head = Account.create()
        opened = mined(node, contract.functions.open(levels[0][0], head.address).transact({"from": payer}))
        log_id = contract.events.LogOpened().process_receipt(opened)[0]["args"]["logId"]

        def advance(old: int, new: int) -> int:
            proof = consistency_path(old, new, lambda level, index: levels[level][index])
            root = root_of(levels, new)
            step = {"logId": log_id, "oldSize": old, "newSize": new, "newRoot": root}
            signed = head.sign_message(_typed(step, node.eth.chain_id, address))
            call = contract.functions.advance(log_id, old, new, root, proof, signed.signature)
            return int(mined(node, call.transact({"from": payer}))["gasUsed"])

        advance(1, OLD_SIZE)
        gas = advance(OLD_SIZE, NEW_SIZE)
        assert contract.functions.head(log_id).call()[:2] == [NEW_SIZE, root_of(levels, NEW_SIZE)]
    beside = Measure("gas_per_transfer", transfer["gasUsed"], "gas")
    return [
        Figure(Measure("gas_per_anchor", gas, "gas"), beside),
        Figure(Measure("gas_to_open_a_log", opened["gasUsed"], "gas"), beside),
    ]


def mined(node: Web3, transaction: Any) -> Any:
    """The receipt of a transaction, which must not have reverted."""
    receipt = node.eth.wait_for_transaction_receipt(transaction, timeout=30)
    assert receipt["status"] == 1, (
        f"transaction {hashlib.sha256(bytes(transaction)).hexdigest()[:8]} reverted"
    )
    return receipt


def _typed(step: dict[str, Any], chain_id: int, address: str) -> Any:
    domain = {
        "name": "Carbonseal LogAnchor",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": address,
    }
    fields = {"logId": "bytes32", "oldSize": "uint64", "newSize": "uint64", "newRoot": "bytes32"}
    types = {"Advance": [{"name": name, "type": kind} for name, kind in fields.items()]}
    return encode_typed_data(domain, types, step)
