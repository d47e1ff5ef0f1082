"""An anchor that can be checked online only: what a live node says the contract holds, asked by JSON-RPC.

Some chains hash their headers in ways that are not known here (QBFT, FISCO BCOS), so no proof can be followed
to a block. Then a node that the reader chose is asked for code, storage and block times. What it answers is
that node's word and is called so; it is never final.
"""

from __future__ import annotations

from typing import Any

import httpx

from carbonseal_attest.anchor import (
    AnchoredHeads,
    AnchorEvidence,
    PackedHead,
    history_link,
    log_id_of,
    storage_slots,
)
from carbonseal_attest.chain_profile import ChainProfile
from carbonseal_attest.evm_proof import keccak256
from carbonseal_verifier.case import StepFailed, require
from carbonseal_verifier.node_answers import NODE_TIMEOUT_S, ask_node, quantity, word


def check_online(url: str, evidence: AnchorEvidence, profile: ChainProfile) -> AnchoredHeads:
    """Return the heads of the evidence, if a live node says that the contract holds exactly them.

    Raises:
        StepFailed: the node does not answer, or says something else.
    """
    require(
        (evidence.contract, evidence.log_id) == (profile.contract, profile.log_id),
        "the evidence is about another contract or log than the trust file's",
    )
    address = f"0x{profile.contract.hex()}"
    with httpx.Client(timeout=NODE_TIMEOUT_S) as client:
        chain_id = quantity(ask_node(client, url, "eth_chainId", []))
        require(chain_id == profile.chain_id, f"the node is of chain {chain_id}, not {profile.chain_id}")
        for block in profile.trusted_blocks:
            found = ask_node(client, url, "eth_getBlockByNumber", [hex(block.number), False])
            require(
                isinstance(found, dict) and found.get("hash") == f"0x{block.block_hash.hex()}",
                f"the node has another block {block.number}",
            )
        code = ask_node(client, url, "eth_getCode", [address, "latest"])
        require(keccak256(_octets(code)) == profile.code_hash, "the contract has other code on the node")
        newest = ask_node(client, url, "eth_getBlockByNumber", ["latest", False])
        words = [
            word(ask_node(client, url, "eth_getStorageAt", [address, f"0x{slot.hex()}", "latest"]))
            for slot in storage_slots(profile.log_id, profile.slot)
        ]
    packed, last = PackedHead.from_word(words[0]), evidence.heads[-1]
    history = bytes(32)
    for head in evidence.heads:
        history = history_link(history, head)
    require(
        (packed.tree_size, packed.anchored_at, words[1], words[2])
        == (last.tree_size, last.anchored_at, last.root_hash, history),
        "the node's contract holds another head or history than the evidence; if the chain has gone on, "
        "get the bundle again",
    )
    require(
        log_id_of(evidence.heads[0].root_hash, packed.head_key) == profile.log_id
        and any(k.address == packed.head_key and k.covers(last.tree_size) for k in profile.head_keys),
        f"the head key 0x{packed.head_key.hex()} is not the trust file's",
    )
    if not isinstance(newest, dict):
        raise StepFailed("the node's answer is no block")
    return AnchoredHeads(
        heads=evidence.heads,
        block_number=quantity(newest.get("number")),
        block_hash=word(newest.get("hash")),
        block_at=quantity(newest.get("timestamp")) * 1000,
        head_key=packed.head_key,
        is_closed=packed.is_closed,
    )


def _octets(value: Any) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise StepFailed("the node's answer is no code") from error
