"""Gas of each act upon a carbon-asset record, beside a bare ERC-1155 transfer on the same node.

Real transactions to the real contracts on a real node, each one on its own, so every storage slot is cold
when it is first touched. A record brings its evidence: a year of daily epochs, a thousand logs, and a
thousand statements in the verification body's log, 29 proof nodes. The token is OpenZeppelin's ERC-1155 with
nothing around it, compiled from the contracts' tests; it exists for this comparison alone.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import Web3

from anchor_gas import mined
from anvil import ROOT, running_anvil
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of
from carbonseal_ledger import carbon_assets_calls as calls
from carbonseal_ledger.asset_acts import (
    Act,
    Admit,
    Cancel,
    Deploy,
    Freeze,
    Grant,
    Move,
    Record,
    Release,
    Retire,
    Split,
    Surrender,
    record_id_of,
)
from carbonseal_ledger.log_anchor import LogAnchorClient
from figures import Figure, Measure

ORIGIN, CLOSED_AT = "log.carbonseal.example/v-body/data", 1_767_225_600_000  # 2026-01-01T00:00:00Z
EPOCHS, ORIGINS, STATEMENTS = 365, 1_000, 1_000
REPORT_INDEX, EPOCH = 777, 300
HEAD_KEY = b"\x42" * 32
GAS_LIMIT = 8_000_000


def measure() -> dict[str, int]:
    """Return the gas of whole transactions by name, of each act and of a bare ERC-1155."""
    with running_anvil() as node:
        return {**_token(node), **_Assets(node).measure()}


def asset_figures() -> list[Figure]:
    """Gas of each act, beside a bare ERC-1155 transfer to a new holder."""
    gas = measure()
    beside = Measure("gas_per_erc1155_transfer", gas.pop("erc1155_transfer_to_new_holder"), "gas")
    return [Figure(Measure(f"gas_per_{name}", value, "gas"), beside) for name, value in gas.items()]


class _Assets:
    """A CarbonAssets beside a LogAnchor, both founded by the node's own unlocked accounts."""

    def __init__(self, node: Web3) -> None:
        self._node = node
        self._admin, self._registrar, self._second, self._alice, self._bob = (
            bytes.fromhex(account[2:]) for account in node.eth.accounts[1:6]
        )
        self._gas: dict[str, int] = {}
        data = [leaf_hash(b"statement %d" % at) for at in range(STATEMENTS)]
        heads = [MapEntry(f"log.carbonseal.example/e-{at:04}/data", 1, data[0]) for at in range(ORIGINS - 1)]
        epoch_map = EpochMap([*heads, MapEntry(ORIGIN, STATEMENTS, root_of(data))])
        closings = [epoch_map.close(number, CLOSED_AT) for number in range(1, EPOCHS + 1)]
        logs = [leaf_hash(b"genesis"), *(leaf_hash(one.encode()) for one in closings)]
        proven = epoch_map.prove(ORIGIN)
        self._report = data[REPORT_INDEX]
        self._evidence = calls.Evidence(
            head_size=len(logs),
            epoch=EPOCH,
            closed_at=CLOSED_AT,
            map_root=epoch_map.root,
            origins=ORIGINS,
            map_index=proven.index,
            data_size=STATEMENTS,
            data_root=root_of(data),
            report_index=REPORT_INDEX,
            epoch_proof=tuple(inclusion_path(EPOCH, len(logs), _nodes(logs))),
            map_proof=proven.path,
            report_proof=tuple(inclusion_path(REPORT_INDEX, STATEMENTS, _nodes(data))),
        )
        self._contract = self._found(logs)

    def measure(self) -> dict[str, int]:
        first = self._record("asset_record_first_of_batch", 1, 1_000)
        self._record("asset_record_after_another", 1_001, 2_000)
        self._act("asset_split", Split(first.record, 500), self._alice)
        left, right = (record_id_of(first.registry, first.batch, *it) for it in ((1, 500), (501, 1_000)))
        self._act("asset_move", Move(left, "e-bobs", "transfer"), self._alice)
        cause, cure = b"\x01" * 32, b"\x02" * 32
        self._act("asset_freeze", Freeze(left, cause), None)
        self._act("asset_release", Release(left, cause, cure), self._second)
        self._act("asset_retire", Retire(left, "retirement"), self._bob)
        self._act("asset_split", Split(right, 600), self._alice)  # again, for two more ends
        left, right = (record_id_of(first.registry, first.batch, *it) for it in ((501, 600), (601, 1_000)))
        self._act("asset_surrender", Surrender(left, "surrender"), self._alice)
        self._act("asset_cancel", Cancel(right, "cancellation"), self._second)
        return self._gas

    def _found(self, logs: list[bytes]) -> bytes:
        chain = LogAnchorClient(self._url(), gas_key=bytes(Account.create().key), head_key=HEAD_KEY)
        funds = {"from": self._node.eth.accounts[0], "value": 10**18}
        mined(self._node, self._node.eth.send_transaction({**funds, "to": _address(chain.gas_address)}))
        anchor, fees = chain.contract_address_for(0), chain.suggest_fees()
        log_id, step = chain.log_id(logs[0]), (1, len(logs), root_of(logs))
        proof = consistency_path(1, len(logs), _nodes(logs))
        for signed in (
            chain.sign_deploy(0, fees),
            chain.sign_open(anchor, logs[0], 1, fees),
            chain.sign_advance(anchor, log_id, step, proof, 2, fees),
        ):
            chain.send(signed.raw)
            mined(self._node, signed.transaction_hash)
        created = self._send(
            self._admin, None, calls.deployment(Deploy(anchor, log_id, (chain.chain_id,)), self._admin)
        )
        self._contract = bytes.fromhex(created["contractAddress"][2:])
        for member, party, role in (
            (self._registrar, "r-registrar", "REGISTRAR_ROLE"),
            (self._second, "r-registrar", "REGISTRAR_ROLE"),
            (self._alice, "e-alices", "HOLDER_ROLE"),
            (self._bob, "e-bobs", "HOLDER_ROLE"),
        ):
            for act in (Admit(member, party), Grant(member, role)):
                self._send(self._admin, self._contract, calls.confirmation(act, None))
        return self._contract

    def _record(self, name: str, first: int, last: int) -> Record:
        serials = {"registry": "National registry", "batch": "2025/0001", "first": first, "last": last}
        report = {"holder": "e-alices", "origin": ORIGIN, "report": b"\x01" * 32}
        act = Record(**serials, **report, report_leaf=self._report)
        below = 1 if first > 1 else 0
        self._act(name, act, self._alice, (below, self._evidence))
        return act

    def _act(
        self, name: str, act: Act, proposer: bytes | None, proof: tuple[int, calls.Evidence] | None = None
    ) -> None:
        if proposer is not None:
            proposed = self._send(proposer, self._contract, calls.proposal(act))
            kind = "record" if isinstance(act, Record) else "other_act"
            self._gas.setdefault(f"asset_proposal_of_{kind}", proposed["gasUsed"])
        call = calls.confirmation(act, proposer, proof)
        self._gas[name] = self._send(self._registrar, self._contract, call)["gasUsed"]

    def _send(self, sender: bytes, to: bytes | None, data: bytes) -> Any:
        fields: dict[str, Any] = {"from": _address(sender), "data": "0x" + data.hex(), "gas": GAS_LIMIT}
        if to is not None:
            fields["to"] = _address(to)
        return mined(self._node, self._node.eth.send_transaction(fields))

    def _url(self) -> str:
        return str(self._node.provider.endpoint_uri)  # type: ignore[attr-defined]


def _token(node: Web3) -> dict[str, int]:
    alice, bob = node.eth.accounts[:2]
    artefact = _compiled_token()
    creation = node.eth.contract(abi=artefact["abi"], bytecode=artefact["bytecode"]["object"])
    created = mined(node, creation.constructor().transact({"from": alice}))
    token = node.eth.contract(address=created["contractAddress"], abi=artefact["abi"])
    mined(node, token.functions.mint(alice, 1, 1_000).transact({"from": alice}))

    def transfer(amount: int) -> int:
        call = token.functions.safeTransferFrom(alice, bob, 1, amount, b"")
        return int(mined(node, call.transact({"from": alice}))["gasUsed"])

    return {
        "erc1155_transfer_to_new_holder": transfer(100),
        "erc1155_transfer_to_who_holds_some": transfer(100),
        "erc1155_transfer_of_all": transfer(800),
    }


def _compiled_token() -> Any:
    """The token of the contracts' tests, compiled on its own; a few seconds."""
    with tempfile.TemporaryDirectory(prefix="csb-") as folder:
        script = (
            '. ./forge.sh; "$forge" build --quiet test/BareErc1155.sol --out "$1/out" --cache-path "$1/cache"'
        )
        subprocess.run(["sh", "-c", script, "sh", folder], cwd=ROOT / "contracts", check=True)
        compiled = Path(folder) / "out" / "BareErc1155.sol" / "BareErc1155.json"
        return json.loads(compiled.read_text(encoding="utf-8"))


def _nodes(leaves: list[bytes]) -> Any:
    return lambda level, at: root_of(leaves[at << level : (at + 1) << level])


def _address(address: bytes) -> str:
    return Web3.to_checksum_address("0x" + address.hex())


if __name__ == "__main__":
    for figure in asset_figures():
        print(figure.line())
