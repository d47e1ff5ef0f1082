"""The same proofs as in the recorded vectors, asked of a node now: formats of nodes drift, vectors don't."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.evm_proof import keccak256, parse_header, verify_account, verify_storage
from carbonseal_ledger.anvil_node import AnvilNode


@pytest.fixture(scope="module")
def writer(repository_root: Path) -> ModuleType:
    path = repository_root / "tests" / "vectors" / "evm" / "write_vectors.py"
    spec = importlib.util.spec_from_file_location("write_evm_vectors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def answer(writer: ModuleType) -> dict[str, Any]:
    with AnvilNode(started_at=writer.GENESIS_AT) as node:
        return dict(writer.record(node, (*writer.WORDS, writer.ABSENT_SLOT)))


def test_header_of_a_live_node_hashes_to_its_block_hash(answer: dict[str, Any]) -> None:
    header = parse_header(bytes.fromhex(answer["header"]), header_profile="evm-rlp")
    assert header.block_hash.hex() == answer["block_hash"]
    assert header.state_root.hex() == answer["state_root"]
    assert (header.number, header.timestamp) == (answer["number"], answer["timestamp"])


def test_every_stored_word_of_a_live_node_is_proven_and_an_absent_one_is_not(answer: dict[str, Any]) -> None:
    nodes = [bytes.fromhex(node) for node in answer["account_proof"]]
    account = verify_account(bytes.fromhex(answer["state_root"]), bytes.fromhex(answer["account"]), nodes)
    assert account.code_hash == keccak256(bytes.fromhex(answer["code"]))
    absent = 0
    for vector in answer["storage"]:
        slot, proof = vector["slot"].to_bytes(32, "big"), [bytes.fromhex(node) for node in vector["proof"]]
        if int(vector["word"], 16) == 0:
            absent += 1
            with pytest.raises(ProofInvalid, match="absent"):
                verify_storage(account.storage_root, slot, proof)
        else:
            assert verify_storage(account.storage_root, slot, proof).hex() == vector["word"]
    assert absent == 1
