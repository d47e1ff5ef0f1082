"""The registrar's contract mirrored in its register log: every final event once, in order, and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from asset_house import House, open_house

from carbonseal_api.operation.schedule import periods
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.registrar_contracts import KIND, mirror_configured, mirror_events
from carbonseal_ledger import membership as m
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, AnvilNode
from carbonseal_ledger.chain_answers import ContractWrong, Fees
from carbonseal_ledger.chain_client import ChainAccount, ChainClient

FEES = Fees(10**11, 10**9)
GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@pytest.fixture(scope="module")
def house(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(database_url, "contracts", tmp_path_factory.mktemp("contracts")) as made:
        yield made


def test_mirrors_final_events_once_and_says_where_the_register_differs(house: House) -> None:
    accounts = [ChainAccount(bytes([number]) * 32) for number in (0x33, 0x44)]
    with AnvilNode(started_at=GENESIS_AT) as node:
        chain = ChainClient(node.url)
        contract = accounts[0].contract_address_for(0)

        def send(account: ChainAccount, to: bytes | None, data: bytes) -> None:
            nonce = chain.transaction_count(account.address)
            chain.send(chain.sign(account, to, data, nonce=nonce, fees=FEES, gas=6_000_000).raw)
            node.mine()

        for account in accounts:
            node.fund(account.address)
        both = (accounts[0].address, accounts[1].address)
        send(accounts[0], None, m.deployment("Membership", both, []))
        with pytest.raises(ContractWrong):
            mirror_events(house.parts, chain, "MethodRegistry", contract)
        assert mirror_events(house.parts, chain, "Membership", contract).mirrored == 0  # nothing is final yet
        node.mine(BLOCKS_TO_FINALITY)
        founded = mirror_events(house.parts, chain, "Membership", contract)
        assert founded.mirrored == founded.events == 2
        assert any("not in the contract" in line for line in founded.differing)

        for record in house.parts.host.parties():
            act = m.admission(record.party, sorted(record.roles), record.key.kid)
            send(accounts[0], contract, act.proposal())
            send(accounts[1], contract, act.confirmation(accounts[0].address))
        node.mine(BLOCKS_TO_FINALITY)
        told = mirror_events(house.parts, chain, "Membership", contract)
        assert told.mirrored > 0
        assert told.differing == ()
        assert mirror_events(house.parts, chain, "Membership", contract).mirrored == 0
        origin = house.parts.keys.standing.register_origin
        assert len(list(house.parts.host.select(origin, kinds={KIND}))) == told.events

        # The scheduled job does the same for what the settings name.
        one = next(iter(house.parts.host.parties()))
        send(accounts[0], contract, m.suspension_data(one.party, b"\x07" * 32))
        node.mine(BLOCKS_TO_FINALITY)
        wish = {"chain_rpc_url": node.url, "membership_contract": "0x" + contract.hex()}
        parts = replace(house.parts, settings=house.parts.settings.model_copy(update=wish))
        (mirrored,) = mirror_configured(parts)
        assert (mirrored.mirrored > 0, len(mirrored.differing)) == (True, 1)
        assert "mirror_contracts" in periods(parts.settings)
        assert "mirror_contracts" not in periods(house.parts.settings)

        node.rpc("anvil_reset")
        node.fund(accounts[0].address)
        send(accounts[0], None, m.deployment("Membership", both, []))
        node.mine(BLOCKS_TO_FINALITY)
        with pytest.raises(RequestInvalid, match="does not have"):
            mirror_events(house.parts, chain, "Membership", contract)
