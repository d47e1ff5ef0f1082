from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carbonseal_attest.anchor import (
    AnchoredHead,
    AnchorEvidence,
    ChainProfile,
    log_id_of,
    storage_slots,
    verify_anchor_evidence,
)
from carbonseal_attest.chain_profile import HeadKey, TrustedBlock
from carbonseal_attest.merkle import consistency_path, leaf_hash, root_of
from carbonseal_ledger import chain_client
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, AnvilNode, AnvilUnavailable, find_anvil
from carbonseal_ledger.chain_answers import (
    ChainRefused,
    ChainUnreachable,
    ContractWrong,
    Fees,
    HeaderNotReproducible,
    SignedTransaction,
)
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.json_rpc import revert_data
from carbonseal_ledger.log_anchor import CODE_HASH, LogAnchorClient
from witness_house import Dripper, Liar

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
GAS_KEY, HEAD_KEY = b"\x11" * 32, b"\x22" * 32
LEAVES = [leaf_hash(f"epoch {n}".encode()) for n in range(40)]
FEES = Fees(10**10, 10**9)


def _node_at(level: int, index: int) -> bytes:
    return root_of(LEAVES[index << level : (index + 1) << level])


class Deployed:
    """A contract on a real node, with a log opened in it."""

    def __init__(self, node: AnvilNode) -> None:
        self.node = node
        self.chain = LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY)
        node.fund(self.chain.gas_address)
        self.contract = self.chain.contract_address_for(0)
        self.nonce = 0
        self.mine(self.chain.sign_deploy(0, FEES))
        self.mine(self.chain.sign_open(self.contract, LEAVES[0], 1, FEES))
        self.log_id = self.chain.log_id(LEAVES[0])
        self.size = 1

    def mine(self, transaction: SignedTransaction) -> int:
        self.chain.send(transaction.raw)
        self.node.mine()
        receipt = self.chain.tx_receipt(transaction.transaction_hash)
        assert receipt is not None
        assert receipt.is_success
        self.nonce = transaction.nonce + 1
        return receipt.gas_used

    def advance(self, new_size: int) -> int:
        step = (self.size, new_size, root_of(LEAVES[:new_size]))
        proof = consistency_path(self.size, new_size, _node_at)
        self.size = new_size
        chain, place = self.chain, (self.contract, self.log_id)
        return self.mine(chain.sign_advance(*place, step, proof, self.nonce, FEES))


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with AnvilNode(started_at=GENESIS_AT) as node:
        yield Deployed(node)


def test_deploys_at_the_address_told_before(deployed: Deployed) -> None:
    deployed.chain.check_contract(deployed.contract)


def test_rejects_contract_with_other_code(deployed: Deployed) -> None:
    with pytest.raises(ContractWrong, match="holds no code"):
        deployed.chain.check_contract(b"\x77" * 20)
    deployed.node.rpc("anvil_setCode", "0x" + "78" * 20, "0x6000")
    with pytest.raises(ContractWrong, match="other code"):
        deployed.chain.check_contract(b"\x78" * 20)


def test_opens_and_advances_within_the_gas_budget(deployed: Deployed) -> None:
    assert deployed.log_id == log_id_of(LEAVES[0], deployed.chain.head_address)
    for size in (2, 5, 17):
        assert deployed.advance(size) <= 65_000
        head = deployed.chain.contract_head(deployed.contract, deployed.log_id)
        assert (head.tree_size, head.root_hash) == (size, root_of(LEAVES[:size]))


def test_evidence_fetched_from_a_node_proves_every_head(deployed: Deployed) -> None:
    deployed.advance(deployed.size + 3)
    chain, contract, log_id = deployed.chain, deployed.contract, deployed.log_id
    number = chain.block("latest").number
    deployed.node.mine(2)
    proof = chain.state_proof(contract, storage_slots(log_id, 0), number)
    headers = [chain.header(n) for n in range(number, number + 3)]
    evidence = AnchorEvidence(
        chain_id=chain.chain_id,
        contract=contract,
        log_id=log_id,
        headers=tuple(raw for _, raw in headers),
        account_proof=proof.account_proof,
        storage_proofs=proof.storage_proofs,
        heads=tuple(mined.head for mined in chain.heads_between(contract, log_id, 0, number + 1)),
    )
    last = headers[-1][0]
    profile = ChainProfile(
        chain_id=chain.chain_id,
        header_profile="evm-rlp",
        contract=contract,
        code_hash=CODE_HASH,
        log_id=log_id,
        slot=0,
        head_keys=(HeadKey(chain.head_address, 0, None),),
        trusted_blocks=(TrustedBlock(last.number, last.block_hash, "test"),),
    )
    proven = verify_anchor_evidence(AnchorEvidence.from_cbor(evidence.to_cbor()), profile=profile)
    assert proven.heads[0] == AnchoredHead(1, LEAVES[0], chain.block(2).block_at)
    assert proven.heads[-1].tree_size == deployed.size
    assert proven.head_key == chain.head_address
    assert (proven.block_number, proven.block_hash) == (number, headers[0][0].block_hash)


class LyingNode(LogAnchorClient):
    """A node's client whose answers about blocks were altered on the way."""

    changes: dict[str, Any]

    def _block_fields(self, which: int | str) -> dict[str, Any]:
        return super()._block_fields(which) | self.changes


@pytest.mark.parametrize(
    "changes",
    [{"timestamp": "0x1"}, {"requestsHash": None}, {"stateRoot": "0x" + "00" * 32}, {"nonce": None}],
)
def test_refuses_header_whose_fields_do_not_hash(deployed: Deployed, changes: dict[str, Any]) -> None:
    lying = LyingNode(deployed.node.url, gas_key=GAS_KEY, head_key=HEAD_KEY)
    lying.changes = changes
    with pytest.raises(HeaderNotReproducible, match="don't hash"):
        lying.header(1)


def test_same_transaction_may_be_sent_twice(deployed: Deployed) -> None:
    transaction = deployed.chain.sign_open(deployed.contract, LEAVES[1], deployed.nonce, FEES)
    deployed.chain.send(transaction.raw)
    deployed.chain.send(transaction.raw)
    assert deployed.chain.knows(transaction.transaction_hash)
    deployed.mine(transaction)


def test_refuses_underpriced_replacement(deployed: Deployed) -> None:
    nonce = deployed.nonce
    first = deployed.chain.sign_open(deployed.contract, LEAVES[2], nonce, FEES)
    deployed.chain.send(first.raw)
    tip_only = Fees(FEES.max_fee_wei, FEES.max_priority_fee_wei * 2)
    with pytest.raises(ChainRefused, match="eth_sendRawTransaction"):
        deployed.chain.send(deployed.chain.sign_open(deployed.contract, LEAVES[2], nonce, tip_only).raw)
    deployed.mine(first)


def test_reverted_transaction_is_told_as_such(deployed: Deployed) -> None:
    step = (deployed.size + 1, deployed.size + 2, b"\x01" * 32)
    place = (deployed.contract, deployed.log_id)
    bad = deployed.chain.sign_advance(*place, step, [b"\x00" * 32], deployed.nonce, FEES)
    deployed.chain.send(bad.raw)
    deployed.node.mine()
    deployed.nonce += 1
    receipt = deployed.chain.tx_receipt(bad.transaction_hash)
    assert receipt is not None
    assert not receipt.is_success


def test_settled_blocks_follow_the_tags(deployed: Deployed) -> None:
    deployed.node.mine(BLOCKS_TO_FINALITY)
    latest = deployed.chain.block("latest").number
    assert deployed.chain.settled("safe") == latest - BLOCKS_TO_FINALITY // 2
    assert deployed.chain.settled("finalized") == latest - BLOCKS_TO_FINALITY


def test_settled_blocks_count_confirmations_where_asked(deployed: Deployed) -> None:
    chain = LogAnchorClient(deployed.node.url, gas_key=GAS_KEY, head_key=HEAD_KEY, confirmations=3)
    latest = chain.block("latest").number
    assert (chain.settled("safe"), chain.settled("finalized")) == (latest - 2, latest - 3)
    chain = LogAnchorClient(deployed.node.url, gas_key=GAS_KEY, head_key=HEAD_KEY, confirmations=10**6)
    assert chain.settled("finalized") == -1


def test_rejects_node_of_another_chain(deployed: Deployed) -> None:
    chain = LogAnchorClient(deployed.node.url, gas_key=GAS_KEY, head_key=HEAD_KEY, chain_id=1)
    with pytest.raises(ChainRefused, match="chain 31337, not 1"):
        _ = chain.chain_id


class BabblingNode(LogAnchorClient):
    """A client whose node answers everything with the same nonsense."""

    answer: Any

    def _call(self, method: str, *params: object) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    ["", "0xzz", "nonsense", 7, True, [], {}, [None], {"number": "x"}, {"number": "0x1", "hash": []}],
    ids=str,
)
def test_nonsense_from_a_node_is_our_error(answer: object) -> None:
    chain = BabblingNode("http://127.0.0.1:9", gas_key=GAS_KEY, head_key=HEAD_KEY)
    chain.answer = answer
    word = b"\x01" * 32
    for ask in (
        lambda: chain.block("latest"),
        lambda: chain.header(1),
        lambda: chain.tx_receipt(word),
        lambda: chain.contract_head(word[:20], word),
        lambda: chain.check_contract(word[:20]),
        lambda: chain.state_proof(word[:20], [word], 1),
        chain.suggest_fees,
    ):
        with pytest.raises(LedgerError):
            ask()
    if not isinstance(answer, list) or answer:
        with pytest.raises(LedgerError):
            chain.heads_between(word[:20], word, 0, 1)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"code": 3, "message": "execution reverted", "data": "0x01ff"}, b"\x01\xff"),
        ({"message": "VM Exception: reverted", "data": {"message": "reverted", "data": "0x02"}}, b"\x02"),
        ({"code": 3, "message": "execution reverted", "data": "0x"}, b""),
        ({"code": 3, "message": "execution reverted"}, None),
        ({"code": -32000, "message": "out of gas", "data": "0x01"}, None),
        ("execution reverted", None),
    ],
    ids=str,
)
def test_contracts_own_words_are_found_in_a_nodes_refusal(failure: object, expected: bytes | None) -> None:
    assert revert_data(failure) == expected


def test_unreachable_node_is_our_error() -> None:
    chain = LogAnchorClient("http://127.0.0.1:9", gas_key=GAS_KEY, head_key=HEAD_KEY)
    with pytest.raises(ChainUnreachable, match="eth_chainId"):
        _ = chain.chain_id


def test_missing_block_is_our_error(deployed: Deployed) -> None:
    with pytest.raises(ChainRefused, match="has no block"):
        deployed.chain.block(10**6)


@pytest.mark.long  # `make check` compares the copies as well (contracts/check.sh)
def test_packaged_contracts_equal_a_fresh_compile(repository_root: Path, tmp_path: Path) -> None:
    contracts = repository_root / "contracts"
    script = '. ./forge.sh; "$forge" build --quiet --skip test --out "$1/out" --cache-path "$1/cache"'
    subprocess.run(["sh", "-c", script, "sh", str(tmp_path)], cwd=contracts, check=True)
    for name in ("LogAnchor", "CarbonAssets"):
        fresh = json.loads((tmp_path / "out" / f"{name}.sol" / f"{name}.json").read_text())
        packaged = json.loads((repository_root / f"ledger/carbonseal_ledger/abi/{name}.json").read_text())
        assert packaged == {
            "contract": name,
            "abi": fresh["abi"],
            "bytecode": fresh["bytecode"]["object"],
            "runtime_bytecode": fresh["deployedBytecode"]["object"],
        }, "run contracts/check.sh --write"


# -- the node itself


def test_anvil_keeps_its_chain_in_a_state_file(tmp_path: Path) -> None:
    state = tmp_path / "chain.json"
    with AnvilNode(started_at=GENESIS_AT, state_path=state) as node:
        first = Deployed(node)
        first.advance(4)
    with AnvilNode(started_at=GENESIS_AT, state_path=state) as node:
        chain = LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY)
        assert chain.contract_head(first.contract, first.log_id).tree_size == 4
        node.mine(3)
        assert chain.header(3)[0].number == 3
        assert chain.state_proof(first.contract, storage_slots(first.log_id, 0), 3).account_proof


def test_anvil_follows_our_clock() -> None:
    with AnvilNode(started_at=GENESIS_AT) as node:
        chain = LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY)
        node.mine(3, at=GENESIS_AT + 3_600_999)
        assert [chain.block(n).block_at - GENESIS_AT for n in range(4)] == [
            0,
            3_600_000,
            3_601_000,
            3_602_000,
        ]
        assert node.set_next_block_time(GENESIS_AT) == GENESIS_AT + 3_603_000


def test_anvil_that_is_not_installed_is_our_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_anvil().is_file()
    monkeypatch.setenv("CARBONSEAL_NODE_MODULES", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AnvilUnavailable, match="make setup"):
        AnvilNode(started_at=GENESIS_AT).start()


def test_fees_of_a_replacement_differ_from_the_first() -> None:
    # Equal values would be one transaction: hash and raw bytes follow the fees.
    with AnvilNode(started_at=GENESIS_AT) as node:
        chain = LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY)
        fees = chain.suggest_fees()
        assert fees.max_fee_wei > fees.max_priority_fee_wei >= 0
        raised = replace(fees, max_fee_wei=fees.max_fee_wei + 1)
        assert chain.sign_deploy(0, fees).raw != chain.sign_deploy(0, raised).raw


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"7", b"{", b"", b"\xff", b"[" * 100_000])
def test_node_that_answers_no_object_is_refused_in_our_words(body: bytes) -> None:
    node = Liar(lambda *_: (200, {}, body))
    with pytest.raises((ChainRefused, ChainUnreachable)):
        LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY).check_chain()
    node.stop()


def test_node_that_never_ends_its_answer_or_says_too_much_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chain_client, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(chain_client, "MAX_ANSWER", 1000)
    head = b"HTTP/1.1 200 OK\r\n"
    long = Liar(lambda *_: (200, {}, b" " * 2000 + b"{}"))
    for node in (Dripper(head + b"X: "), Dripper(head + b"Content-Length: 999\r\n\r\n"), long):
        with pytest.raises(ChainRefused if node is long else ChainUnreachable):
            LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY).check_chain()
        node.stop()
