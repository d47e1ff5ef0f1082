"""The packaged copies of compiled contracts: from them the ledger deploys, calls and recognises contracts.

`contracts/check.sh --write` makes them; nothing is compiled here. Selectors and topics are hashes of the
signatures that the ABI spells out, so a contract that loses a function is noticed when its client is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from carbonseal_attest.evm_proof import keccak256
from carbonseal_ledger.chain_answers import ContractWrong


@dataclass(frozen=True, slots=True)
class Artefact:
    """One compiled contract: its name, its ABI, what creates it, and the hash of what then runs."""

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: bytes
    code_hash: bytes

    def selector(self, function: str) -> bytes:
        """Return the first four bytes of a call of `function`."""
        return keccak256(self.signature("function", function).encode())[:4]

    def topic(self, event: str) -> bytes:
        """Return the first topic of an event."""
        return keccak256(self.signature("event", event).encode())

    def signature(self, kind: str, name: str) -> str:
        """Return the signature of a function, event or error: `name(type,type)`.

        Raises:
            ContractWrong: the contract has none of that name.
        """
        for entry in self.abi:
            if entry["type"] == kind and entry.get("name") == name:
                return f"{name}({','.join(type_of(argument) for argument in entry['inputs'])})"
        raise ContractWrong(self.name, f"has no {kind} {name}", "renew the packaged copy")

    def errors(self) -> dict[bytes, Mapping[str, Any]]:
        """Return the contract's own errors by their selector."""
        return {
            keccak256(self.signature("error", entry["name"]).encode())[:4]: entry
            for entry in self.abi
            if entry["type"] == "error"
        }

    def check(self, address: bytes, code: bytes) -> None:
        """Check that `code`, found at `address`, is this contract's.

        Raises:
            ContractWrong: it is other code, or none.
        """
        if keccak256(code) != self.code_hash:
            reason = f"holds other code than this release's {self.name}" if code else "holds no code"
            raise ContractWrong(f"contract 0x{address.hex()}", reason, "deploy it, or correct the address")


def type_of(argument: Mapping[str, Any]) -> str:
    """Return an argument's type as signatures and encoders spell it; a struct is a tuple of its members."""
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    members = ",".join(type_of(member) for member in argument["components"])
    return f"({members}){kind.removeprefix('tuple')}"


def load_artefact(name: str) -> Artefact:
    """Return the packaged copy of a contract."""
    text = resources.files("carbonseal_ledger").joinpath(f"abi/{name}.json").read_text(encoding="utf-8")
    copy = json.loads(text)
    runtime = bytes.fromhex(copy["runtime_bytecode"].removeprefix("0x"))
    creation = bytes.fromhex(copy["bytecode"].removeprefix("0x"))
    return Artefact(copy["contract"], copy["abi"], creation, keccak256(runtime))
