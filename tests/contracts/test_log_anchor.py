"""The deployed contract on a real node, against public vectors and against this project's own proofs."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.anchor import AnchoredHead, history_link, storage_slots
from carbonseal_attest.evm_proof import keccak256
from carbonseal_attest.merkle import consistency_path, leaf_hash, node_hash, read_frontier, verify_consistency
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.chain_answers import ChainRefused, Fees
from carbonseal_ledger.log_anchor import CODE_HASH, LOGS_SLOT, LogAnchorClient, advance_data

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FEES = Fees(10**11, 10**9)
LEAF = leaf_hash(b"every entry alike")
MAX_SIZE = 1 << 48


class Contract:
    """A LogAnchor whose head can be set to anything, so that a step from any size can be tried."""

    def __init__(self, node: AnvilNode) -> None:
        self.node = node
        self.chain = LogAnchorClient(node.url, gas_key=os.urandom(32), head_key=b"\x42" * 32)
        node.fund(self.chain.gas_address)
        self.address = self.chain.contract_address_for(0)
        self.nonce = 0
        self.run(self.chain.sign_deploy(0, FEES).raw)
        self.run(self.chain.sign_open(self.address, LEAF, 1, FEES).raw)
        self.log_id = self.chain.log_id(LEAF)
        self.slots = storage_slots(self.log_id, LOGS_SLOT)

    def run(self, raw: bytes) -> int:
        self.chain.send(raw)
        self.node.mine()
        self.nonce += 1
        receipt = self.chain.tx_receipt(keccak256(raw))
        assert receipt is not None
        assert receipt.is_success
        return receipt.gas_used

    def set_head(self, size: int, root: bytes) -> None:
        packed = (GENESIS_AT // 1000) << 216 | size << 160 | int.from_bytes(self.chain.head_address, "big")
        for slot, word in zip(self.slots, (packed.to_bytes(32, "big"), root), strict=False):
            self.node.rpc("anvil_setStorageAt", _hex(self.address), _hex(slot), _hex(word))

    def advance_raw(self, step: tuple[int, int, bytes], proof: list[bytes]) -> bytes:
        return self.chain.sign_advance(self.address, self.log_id, step, proof, self.nonce, FEES).raw

    def accepts(self, old: int, new: int, roots: tuple[bytes, bytes], proof: list[bytes]) -> bool:
        """Whether the step would go through, asked for without sending it."""
        self.set_head(old, roots[0])
        signature = self.chain.sign_head(self.address, self.log_id, (old, new, roots[1]))
        try:
            self.chain.call(self.address, advance_data(self.log_id, (old, new, roots[1]), proof, signature))
        except ChainRefused as refusal:
            if "revert" not in refusal.reason:
                raise
            return False
        return True


@pytest.fixture(scope="module")
def contract() -> Iterator[Contract]:
    with AnvilNode(started_at=GENESIS_AT) as node:
        yield Contract(node)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


@cache
def _alike(level: int) -> bytes:
    return LEAF if level == 0 else node_hash(_alike(level - 1), _alike(level - 1))


def _tree(size: int) -> bytes:
    """The root of a tree whose leaves are all alike, at any size."""
    return read_frontier(size, lambda level, _: _alike(level)).root()


def _proof(old: int, new: int) -> list[bytes]:
    return consistency_path(old, new, lambda level, _: _alike(level))


def test_agrees_with_every_public_consistency_vector(shared_data: Path, contract: Contract) -> None:
    path = shared_data / "merkle-rfc6962-proofs" / "consistency.json"
    vectors: list[dict[str, Any]] = json.loads(path.read_text())
    assert len(vectors) == 43
    accepted = 0
    for entry in vectors:
        vector = entry["vector"]
        old, new = vector["size1"], vector["size2"]
        roots = [base64.b64decode(vector[name] or "") for name in ("root1", "root2")]
        proof = [base64.b64decode(node) for node in vector["proof"] or []]
        if not all(len(h) == 32 for h in (*roots, *proof)) or max(old, new) >= 1 << 64:
            # The contract's interface has no room for such a hash or size: it can't even be asked.
            assert vector["wantErr"], entry["path"]
            continue
        # An anchor always moves: equal sizes, which a verifier accepts, are no step.
        expected = not vector["wantErr"] and old < new
        assert contract.accepts(old, new, (roots[0], roots[1]), proof) == expected, entry["path"]
        accepted += expected
    assert accepted >= 2


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_accepts_what_the_ledger_proves_at_any_size(contract: Contract, data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 48))
    new = data.draw(st.integers(2, 1 << bits))
    old = data.draw(st.one_of(st.integers(1, new - 1), st.just(1 << (new - 1).bit_length() - 1)))
    proof = _proof(old, new)
    verify_consistency(old, new, _tree(old), _tree(new), proof)
    assert contract.accepts(old, new, (_tree(old), _tree(new)), proof)
    node = data.draw(st.integers(0, len(proof) - 1))
    changed = [*proof[:node], bytes([proof[node][0] ^ 1]) + proof[node][1:], *proof[node + 1 :]]
    assert not contract.accepts(old, new, (_tree(old), _tree(new)), changed)
    assert not contract.accepts(old, new, (_tree(old), _tree(new)), proof[:-1])
    assert not contract.accepts(old, new, (_tree(old), _tree(new)), [*proof, LEAF])


def test_rejects_sizes_beyond_the_limit(contract: Contract) -> None:
    assert contract.accepts(1, MAX_SIZE, (LEAF, _tree(MAX_SIZE)), _proof(1, MAX_SIZE))
    beyond = MAX_SIZE + 1
    assert not contract.accepts(1, beyond, (LEAF, _tree(beyond)), _proof(1, beyond))


def test_history_hash_is_the_one_that_offline_evidence_replays(contract: Contract) -> None:
    contract.set_head(1, LEAF)
    before = bytes.fromhex(
        contract.node.rpc("eth_getStorageAt", _hex(contract.address), _hex(contract.slots[2]), "latest")[2:]
    )
    contract.run(contract.advance_raw((1, 3, _tree(3)), _proof(1, 3)))
    head = contract.chain.contract_head(contract.address, contract.log_id)
    after = contract.node.rpc("eth_getStorageAt", _hex(contract.address), _hex(contract.slots[2]), "latest")
    link = history_link(before, AnchoredHead(3, _tree(3), head.anchored_at))
    assert after == _hex(link)


@pytest.mark.parametrize(
    ("old", "new", "nodes", "budget"),
    [
        (1_000_000, 1_000_257, 10, 65_000),
        (1_048_575, 1_048_576, 21, 80_000),
        (1, 1_000_000, 20, 80_000),
    ],
    ids=["an epoch at a million entries", "the most nodes, nearly all hashed twice", "all at once"],
)
def test_advance_stays_within_the_gas_budget(
    contract: Contract, old: int, new: int, nodes: int, budget: int
) -> None:
    proof = _proof(old, new)
    assert len(proof) == nodes
    contract.set_head(old, _tree(old))
    gas_used = contract.run(contract.advance_raw((old, new, _tree(new)), proof))
    assert gas_used <= budget


def test_readme_names_the_code_hash_and_the_measured_gas(repository_root: Path) -> None:
    text = (repository_root / "contracts" / "README.md").read_text(encoding="utf-8")
    snapshot = json.loads((repository_root / "contracts" / "snapshots" / "LogAnchor.json").read_text())
    assert CODE_HASH.hex() in text
    for name in (
        "advance 1,000,000 to 1,000,257, ten proof nodes",
        "advance to 2**48, 48 proof nodes",
        "open",
    ):
        assert f"{int(snapshot[name]):,}" in text
