"""Read a node's JSON-RPC answers: hexadecimal texts, members and lists, and what a reverted call says.

Whatever a node answers becomes a value of the type that was asked for or a `ChainRefused`, never another
exception. It leaves out the transport (`chain_client`) and what the values mean (`chain_answers`).
"""

from __future__ import annotations

from typing import Any

from carbonseal_attest.evm_proof import referenced_nodes
from carbonseal_ledger.chain_answers import ChainEvent, ChainRefused


def hex_of(data: bytes) -> str:
    """Return bytes as a node takes them."""
    return "0x" + data.hex()


def bytes_of(text: object) -> bytes:
    """Return the bytes of a node's hexadecimal text."""
    try:
        return bytes.fromhex(str(text)[2:])
    except ValueError as error:
        raise nonsense(text) from error


def number_of(text: object) -> int:
    """Return the number of a node's hexadecimal text."""
    try:
        return int(str(text), 16)
    except ValueError as error:
        raise nonsense(text) from error


def member_of(answer: Any, name: str) -> Any:
    """Return a member of an object that must have it."""
    if not isinstance(answer, dict) or name not in answer:
        raise nonsense(answer)
    return answer[name]


def items_of(answer: Any) -> list[Any]:
    """Return the items of what must be a list."""
    if not isinstance(answer, list):
        raise nonsense(answer)
    return answer


def nodes_of(answer: Any) -> tuple[bytes, ...]:
    """Return the trie nodes of a proof that are needed, in order."""
    return tuple(referenced_nodes([bytes_of(node) for node in items_of(answer)]))


def event_of(answer: Any) -> ChainEvent:
    """Return one event of an `eth_getLogs` answer."""
    return ChainEvent(
        topics=tuple(bytes_of(topic) for topic in items_of(member_of(answer, "topics"))),
        data=bytes_of(member_of(answer, "data")),
        block_number=number_of(member_of(answer, "blockNumber")),
        block_hash=bytes_of(member_of(answer, "blockHash")),
        transaction_hash=bytes_of(member_of(answer, "transactionHash")),
        log_index=number_of(member_of(answer, "logIndex")),
    )


def revert_data(error: object) -> bytes | None:
    """Return the bytes with which a contract reverted; None when it did not, or the node keeps them back."""
    if not isinstance(error, dict) or "revert" not in str(error.get("message", "")).lower():
        return None
    data = error.get("data")
    if isinstance(data, dict):  # some nodes wrap it once more
        data = data.get("data")
    return bytes_of(data) if isinstance(data, str) and data.startswith("0x") else None


def nonsense(answer: object) -> ChainRefused:
    """Return the refusal of an answer to another question than ours."""
    reason = f"the node's answer is not what was asked for: {str(answer)[:80]!r}"
    return ChainRefused("chain", reason, "ask another node")
