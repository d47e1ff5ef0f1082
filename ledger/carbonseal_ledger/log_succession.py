"""How a log of logs is closed and succeeded in LogAnchor: calldata of its two guardians, and what they said.

Guardians send their own transactions, from accounts that are neither the gas key nor the head key, and may be
contracts of several persons; so nothing here signs or sends. What a closing means offline is the trust file's
to say (`closed_log`), never this contract's. The times are the contract's: seven days of lock, then fourteen
in which the other guardian can confirm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from carbonseal_ledger.chain_answers import ContractWrong
from carbonseal_ledger.chain_client import ChainClient
from carbonseal_ledger.contract_artefacts import load_artefact
from carbonseal_ledger.json_rpc import hex_of

LOCK_MS: Final = 7 * 86_400_000
WINDOW_MS: Final = 14 * 86_400_000
APPOINT_TYPES: Final = [
    {"name": "logId", "type": "bytes32"},
    {"name": "first", "type": "address"},
    {"name": "second", "type": "address"},
]
_ARTEFACT: Final = load_artefact("LogAnchor")
_NOBODY: Final = bytes(20)


@dataclass(frozen=True, slots=True)
class LastHead:
    """What a succession says: the log that goes on, and the old log's last head that counts."""

    successor: bytes
    tree_size: int
    root_hash: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed log: what two guardians said, and the time of the block in which the second one did (ms)."""

    terms: LastHead
    closed_at: int


def appoint_data(log_id: bytes, guardians: tuple[bytes, bytes], head_signature: bytes) -> bytes:
    """Return the calldata that names a log's two guardians, once; anybody may send it."""
    first, second = (hex_of(guardian) for guardian in guardians)
    types = ["bytes32", "address", "address", "bytes"]
    return _ARTEFACT.selector("appoint") + encode(types, [log_id, first, second, head_signature])


def hand_over_data(log_id: bytes, successor: bytes) -> bytes:
    """Return the calldata by which a guardian gives its seat to another account."""
    return _ARTEFACT.selector("handOver") + encode(["bytes32", "address"], [log_id, hex_of(successor)])


def propose_data(old_log_id: bytes, terms: LastHead) -> bytes:
    """Return the calldata by which one guardian proposes a succession."""
    return _ARTEFACT.selector("proposeSuccession") + _terms(old_log_id, terms)


def withdraw_data(old_log_id: bytes) -> bytes:
    """Return the calldata by which a guardian withdraws its own proposal."""
    return _ARTEFACT.selector("withdrawSuccession") + old_log_id


def succeed_data(old_log_id: bytes, terms: LastHead) -> bytes:
    """Return the calldata by which the other guardian confirms, once the lock is over."""
    return _ARTEFACT.selector("succeed") + _terms(old_log_id, terms)


def guardians_of(chain: ChainClient, contract: bytes, log_id: bytes) -> tuple[bytes, bytes] | None:
    """Return a log's two guardians, None when none were appointed."""
    answer = _ask(chain, contract, "guardiansOf", log_id, ["address", "address"])
    first, second = (bytes.fromhex(address[2:]) for address in answer)
    return None if first == _NOBODY else (first, second)


def succession_of(chain: ChainClient, contract: bytes, log_id: bytes) -> Closing | None:
    """Return how a log was closed, None while it is open."""
    types = ["bytes32", "uint64", "bytes32", "uint64"]
    successor, size, root, seconds = _ask(chain, contract, "successionOf", log_id, types)
    return Closing(LastHead(successor, size, root), seconds * 1000) if seconds else None


def _terms(old_log_id: bytes, terms: LastHead) -> bytes:
    values = [old_log_id, terms.successor, terms.tree_size, terms.root_hash]
    return encode(["bytes32", "bytes32", "uint64", "bytes32"], values)


def _ask(
    chain: ChainClient, contract: bytes, function: str, log_id: bytes, types: list[str]
) -> tuple[Any, ...]:
    answer = chain.call(contract, _ARTEFACT.selector(function) + log_id)
    try:
        return decode(types, answer)
    except DecodingError as error:
        where = f"contract {hex_of(contract)}"
        raise ContractWrong(where, f"does not answer {function}()", "correct the address") from error
