"""Write `proofs.json` anew: a block header, account and storage proofs as a real Anvil answers them.

Run it with the project's Python from the repository's root; needs the node parts that `make setup` installs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carbonseal_attest.evm_proof import referenced_nodes
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.log_anchor import LogAnchorClient

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
ACCOUNT = bytes.fromhex("c0de000000000000000000000000000000000001")
NOBODY = b"\x99" * 20
CODE = "600160005260206000f3"
# keccak256 of these two slots agrees in its first eight nibbles, so that the branch which parts them holds
# two leaves of less than 32 bytes: nodes embedded in a node, which ordinary keys hardly ever give.
TWIN_SLOTS = (40_364, 105_566)
ABSENT_SLOT = 60
WORDS = {slot: slot * 7 + 1 for slot in range(60)} | {TWIN_SLOTS[0]: 1, TWIN_SLOTS[1]: 2, 59: 2**256 - 1}
SHOWN = (0, 1, 7, 42, 59, *TWIN_SLOTS, ABSENT_SLOT)


def record(node: AnvilNode, shown: tuple[int, ...] = SHOWN) -> dict[str, Any]:
    """Fill an account's storage on a node, and return what it then says about one block."""
    node.rpc("anvil_setCode", "0x" + ACCOUNT.hex(), "0x" + CODE)
    for slot, word in WORDS.items():
        node.rpc("anvil_setStorageAt", "0x" + ACCOUNT.hex(), f"0x{slot:064x}", f"0x{word:064x}")
    node.mine(at=GENESIS_AT + 60_000)
    chain = LogAnchorClient(node.url, gas_key=b"\x11" * 32, head_key=b"\x22" * 32)
    block, header = chain.header(1)
    fields = node.rpc("eth_getBlockByNumber", "latest", False)

    def proof(address: bytes, slots: list[str]) -> dict[str, Any]:
        answer: dict[str, Any] = node.rpc("eth_getProof", "0x" + address.hex(), slots, "latest")
        return answer

    def nodes(texts: list[str]) -> list[str]:
        return [raw.hex() for raw in referenced_nodes([bytes.fromhex(text[2:]) for text in texts])]

    def storage(slot: int) -> dict[str, Any]:
        found = proof(ACCOUNT, [f"0x{slot:064x}"])["storageProof"][0]["proof"]
        return {"slot": slot, "word": WORDS.get(slot, 0).to_bytes(32, "big").hex(), "proof": nodes(found)}

    return {
        "format": "carbonseal EVM proofs, version 1",
        "source": "Recorded from Anvil 1.7 by write_vectors.py. A word of zero is absence: it must fail.",
        "header": header.hex(),
        "block_hash": block.block_hash.hex(),
        "parent_hash": fields["parentHash"][2:],
        "state_root": fields["stateRoot"][2:],
        "number": block.number,
        "timestamp": block.block_at // 1000,
        "account": ACCOUNT.hex(),
        "code": CODE,
        "account_proof": nodes(proof(ACCOUNT, [])["accountProof"]),
        "absent_account": NOBODY.hex(),
        "absent_account_proof": nodes(proof(NOBODY, [])["accountProof"]),
        "storage": [storage(slot) for slot in shown],
    }


if __name__ == "__main__":
    with AnvilNode(started_at=GENESIS_AT) as anvil:
        text = json.dumps(record(anvil), indent=1)
    Path(__file__).with_name("proofs.json").write_text(text + "\n", encoding="utf-8")
