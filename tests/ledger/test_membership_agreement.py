"""Membership on a real chain against the registrar's statements: every difference by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode

from carbonseal_attest.identity.parties import KeySpan, PartyRecord
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.asset_acts import text_id
from carbonseal_ledger.chain_answers import ChainUnreachable, ContractWrong
from carbonseal_ledger.chain_client import ChainAccount, ChainClient
from carbonseal_ledger.contract_artefacts import load_artefact
from carbonseal_ledger.membership_agreement import MemberDifference, MembershipReader, disagreements

START = 1_767_225_600_000
MEMBERSHIP = load_artefact("Membership")
ADMISSION = "(bytes32,bytes32[],bytes32[],bytes32,uint64,uint64)"
KEYS = [Ed25519Signer.generate().public for _ in range(4)]


class Registry:
    """The contract with its two registrars."""

    def __init__(self, node: AnvilNode) -> None:
        self.node, self.chain = node, ChainClient(node.url)
        self.accounts = [ChainAccount(bytes([at]) * 32) for at in (1, 2)]
        self.nonces = [0, 0]
        for account in self.accounts:
            node.fund(account.address)
        addresses = [account.address.hex() for account in self.accounts]
        founding = encode(["address", "address", "bytes32[2][]"], [*addresses, []])
        self.contract = self.accounts[0].contract_address_for(0)
        self.send(0, None, MEMBERSHIP.bytecode + founding)

    def send(self, who: int, to: bytes | None, data: bytes) -> None:
        fees = self.chain.suggest_fees()
        signed = self.chain.sign(
            self.accounts[who], to, data, nonce=self.nonces[who], fees=fees, gas=5_000_000
        )
        self.chain.send(signed.raw)
        self.node.mine()
        receipt = self.chain.tx_receipt(signed.transaction_hash)
        assert receipt is not None
        assert receipt.is_success
        self.nonces[who] += 1

    def act(self, function: str, types: list[str], *arguments: Any) -> None:
        """One registrar proposes, the other confirms."""
        selector = MEMBERSHIP.selector(function)
        words = encode(["bytes4", *types], [selector, *arguments])
        self.send(0, self.contract, MEMBERSHIP.selector("propose") + encode(["bytes"], [words]))
        proposer = self.accounts[0].address.hex()
        self.send(1, self.contract, selector + encode([*types, "address"], [*arguments, proposer]))

    def admit(self, party: str, roles: list[str], key: bytes) -> None:
        ids = [text_id(role) for role in roles]
        self.act("admit", [ADMISSION], (text_id(party), ids[:1], ids[1:], key, 1, 0))

    def found(self, *records: PartyRecord) -> dict[str, set[str]]:
        members = MembershipReader(self.chain, self.contract).read(records)
        told: dict[str, set[str]] = {}
        for one in disagreements(records, members):
            told.setdefault(one.subject, set()).add(one.code)
        return told


def record(party: str, *roles: str, keys: int = 1, status: str = "admitted") -> PartyRecord:
    spans = tuple(KeySpan(KEYS[at], at, None if at == keys - 1 else at + 1) for at in range(keys))
    return PartyRecord(party, status, frozenset(roles), "r", "d", {}, None, spans)


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with AnvilNode(started_at=START) as node:
        yield Registry(node)


def test_every_difference_between_statements_and_contract_is_found_by_name(registry: Registry) -> None:
    plant, bank = record("e-plant", "enterprise"), record("b-bank", "bank", "regulator")
    assert registry.found(plant) == {"e-plant": {MemberDifference.NOT_ON_CHAIN}}
    registry.admit("e-plant", ["enterprise"], KEYS[0].kid)
    assert registry.found(plant) == {}
    assert registry.found() == {f"0x{text_id('e-plant').hex()}": {MemberDifference.NOT_IN_LOG}}
    assert registry.found(replace(plant, roles=frozenset({"bank"}))) == {"e-plant": {MemberDifference.ROLES}}
    assert registry.found(replace(plant, keys=(KeySpan(KEYS[1], 0),))) == {"e-plant": {MemberDifference.KEY}}

    rotated = record("e-plant", "enterprise", keys=2)
    assert registry.found(rotated) == {"e-plant": {MemberDifference.KEY}}  # the new one lacks, the old counts
    seconds = registry.chain.block("latest").block_at // 1000
    registry.act("addKey", ["bytes32", "bytes32", "uint64", "uint64"], text_id("e-plant"), KEYS[1].kid, 1, 0)
    assert registry.found(rotated) == {"e-plant": {MemberDifference.KEY}}  # the old one still counts
    registry.act("endKey", ["bytes32", "uint64"], KEYS[0].kid, seconds)
    assert registry.found(rotated) == {}

    cause = b"\x07" * 32
    suspend = MEMBERSHIP.selector("suspend") + encode(["bytes32", "bytes32"], [text_id("e-plant"), cause])
    registry.send(0, registry.contract, suspend)
    assert registry.found(rotated) == {"e-plant": {MemberDifference.STATUS}}
    assert registry.found(replace(rotated, status="suspended")) == {}
    registry.act("remove", ["bytes32", "bytes32"], text_id("e-plant"), cause)
    assert registry.found(replace(rotated, status="suspended")) == {"e-plant": {MemberDifference.STATUS}}

    gone = replace(rotated, status="removed")
    assert "b-bank" in registry.found(gone, replace(bank, keys=(KeySpan(KEYS[2], 0),)))
    registry.admit("b-bank", ["bank", "regulator"], KEYS[2].kid)
    assert registry.found(gone, replace(bank, keys=(KeySpan(KEYS[2], 0),))) == {}


def test_another_contract_and_a_node_that_is_away_are_no_agreement(registry: Registry) -> None:
    with pytest.raises(ContractWrong):
        MembershipReader(registry.chain, b"\x77" * 20).read([])
    with pytest.raises(ChainUnreachable):
        MembershipReader(ChainClient("http://127.0.0.1:9"), registry.contract).read([])
