"""The contracts Membership and MethodRegistry as a registrar uses them: the bytes of acts, and their events.

Every act takes two registrars, each with an account of its own, so nothing here signs or sends: `proposal`
and `confirmation` are the calldata of the first and the second person. Events come as they stand, for the
statements that mirror them (`chain_event`); what they make of a party, `carbonseal_attest.membership` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from carbonseal_attest.evm_proof import keccak256
from carbonseal_attest.membership import Event, id_of
from carbonseal_ledger.chain_answers import ContractWrong
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.contract_artefacts import Artefact, load_artefact, type_of
from carbonseal_ledger.json_rpc import hex_of

ARTEFACTS: Final = {name: load_artefact(name) for name in ("Membership", "MethodRegistry")}
SUSPEND: Final = "suspend"  # the one act that a single registrar does
_PARTY: Final = "(uint8,uint32,uint64,uint64,bytes32[],bytes32[])"
_VERSION: Final = "(bytes32,bytes32,uint64,uint64,uint64,uint64,uint8)"
_STATUSES: Final = ("none", "admitted", "removed")
_VERSION_STATUSES: Final = ("none", "published", "superseded", "withdrawn")


@dataclass(frozen=True, slots=True)
class RegistrarAct:
    """One act of a contract: the function that performs it, and its arguments without the proposer."""

    contract: str
    function: str
    arguments: tuple[Any, ...]

    def proposal(self) -> bytes:
        """Return the calldata by which the first registrar proposes it."""
        return ARTEFACTS[self.contract].selector("propose") + encode(["bytes"], [self.act_bytes()])

    def act_bytes(self) -> bytes:
        """Return the bytes that are proposed, of which the contract makes the same: selector, arguments."""
        artefact = ARTEFACTS[self.contract]
        types = ["bytes4", *self._types(artefact)]
        return encode(types, [artefact.selector(self.function), *self.arguments])

    def confirmation(self, proposer: bytes) -> bytes:
        """Return the calldata by which the second registrar performs it."""
        artefact = ARTEFACTS[self.contract]
        types = [*self._types(artefact), "address"]
        return artefact.selector(self.function) + encode(types, [*self.arguments, hex_of(proposer)])

    def _types(self, artefact: Artefact) -> list[str]:
        """Return the types of the arguments, without the proposer's at the end."""
        for entry in artefact.abi:
            if entry["type"] == "function" and entry["name"] == self.function:
                return [type_of(argument) for argument in entry["inputs"]][:-1]
        raise ContractWrong(self.contract, f"has no function {self.function}", "name one of its acts")


@dataclass(frozen=True, slots=True)
class HeldParty:
    """A party as Membership holds it; ids are keccak256 of texts, times in seconds since 1970 UTC."""

    status: str
    suspensions: int
    valid_from: int
    valid_until: int
    kinds: frozenset[bytes]
    roles: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A method version as MethodRegistry holds it; times in seconds since 1970 UTC, an end of 0 is open."""

    digest: bytes
    successor: bytes
    effective_from: int
    effective_until: int
    published_at: int
    changed_at: int
    status: str


def admission(
    party: str, kinds: Sequence[str], key: bytes, *, roles: Sequence[str] = (), since: int = 0, until: int = 0
) -> RegistrarAct:
    """Return the admission of a party by its code; `key` is the thumbprint of its first key.

    `since` and `until` are seconds since 1970 UTC, half-open, an end of 0 is open.
    """
    ids = [[id_of(text) for text in texts] for texts in (kinds, roles)]
    return RegistrarAct("Membership", "admit", ((id_of(party), *ids, key, since, until),))


def lifting(party: str, cause: bytes, cure: bytes) -> RegistrarAct:
    """Return the end of a suspension for one cause; both are statement digests."""
    return RegistrarAct("Membership", "lift", (id_of(party), cause, cure))


def removal(party: str, cause: bytes) -> RegistrarAct:
    """Return the removal of a party, for good."""
    return RegistrarAct("Membership", "remove", (id_of(party), cause))


def suspension_data(party: str, cause: bytes) -> bytes:
    """Return the calldata by which one registrar suspends a party for a cause, a statement digest."""
    return ARTEFACTS["Membership"].selector(SUSPEND) + encode(["bytes32", "bytes32"], [id_of(party), cause])


def publication(method: str, version: str, digest: bytes, since: int, until: int = 0) -> RegistrarAct:
    """Return the publication of a method's version: `digest` is its package's; times in seconds."""
    return RegistrarAct("MethodRegistry", "publish", (method, version, digest, since, until))


def version_key(method: str, version: str) -> bytes:
    """Return the key under which MethodRegistry has a version."""
    return keccak256(encode(["string", "string"], [method, version]))


def deployment(
    contract: str, registrars: tuple[bytes, bytes], exclusions: Sequence[tuple[str, str]]
) -> bytes:
    """Return what creates a contract with its first two registrars; MethodRegistry knows no exclusions."""
    types, values = ["address", "address"], [hex_of(one) for one in registrars]
    if contract != "Membership":
        return ARTEFACTS[contract].bytecode + encode(types, values)
    pairs = [[id_of(one), id_of(other)] for one, other in exclusions]
    return ARTEFACTS[contract].bytecode + encode([*types, "bytes32[2][]"], [*values, pairs])


def party_of(chain: ChainClient, contract: bytes, party: str) -> HeldParty:
    """Return a party as the contract holds it; status none when it was never admitted."""
    (fields,) = _ask(chain, contract, ("Membership", "partyOf"), id_of(party), _PARTY)
    status, suspensions, since, until, kinds, roles = fields
    return HeldParty(_STATUSES[status], suspensions, since, until, frozenset(kinds), frozenset(roles))


def is_active(chain: ChainClient, contract: bytes, party: str) -> bool:
    """Whether a party takes part now, as the contract has it."""
    (answer,) = _ask(chain, contract, ("Membership", "isActive"), id_of(party), "bool")
    return bool(answer)


def version_of(chain: ChainClient, contract: bytes, method: str, version: str) -> HeldVersion:
    """Return a method's version as the contract holds it; status none when it was never published."""
    key = version_key(method, version)
    (fields,) = _ask(chain, contract, ("MethodRegistry", "versionOf"), key, _VERSION)
    digest, successor, since, until, published_at, changed_at, status = fields
    times = (since, until, published_at, changed_at)
    return HeldVersion(digest, successor, *times, _VERSION_STATUSES[status])


def events_between(chain: ChainClient, contract: bytes, start: int, end: int) -> list[Event]:
    """Return all events of a contract in blocks [start, end), in order."""
    return [
        Event(
            event.block_number,
            event.log_index,
            event.block_hash,
            event.transaction_hash,
            event.topics,
            event.data,
        )
        for event in chain.events(contract, [], start, end)
    ]


def event_body(name: str, chain_id: int, address: bytes, event: Event) -> dict[str, Any]:
    """Return the content of the statement that mirrors an event of the contract `name`."""
    return {
        "contract": name,
        "chain_id": chain_id,
        "address": address,
        "block": event.block,
        "block_hash": event.block_hash,
        "transaction": event.transaction,
        "log_index": event.log_index,
        "topics": list(event.topics),
        "data": event.data,
    }


def _ask(
    chain: ChainClient, contract: bytes, question: tuple[str, str], argument: bytes, answer: str
) -> tuple[Any, ...]:
    name, function = question
    data = chain.call(contract, ARTEFACTS[name].selector(function) + argument)
    try:
        return decode([answer], data)
    except DecodingError as error:
        where = f"contract {hex_of(contract)}"
        raise ContractWrong(
            where, f"does not answer {function}() as {name}", "correct the address"
        ) from error
