"""Rebuild a block's encoded header from the fields that a node names, and believe it only if it hashes.

A node hands out headers as JSON, evidence needs their RLP. Which fields a header has depends on the forks of
its chain: they are appended, so every header has a prefix of one list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_attest.evm_proof import keccak256, rlp_encode, rlp_encode_uint
from carbonseal_ledger.chain_answers import HeaderNotReproducible
from carbonseal_ledger.json_rpc import bytes_of, member_of, number_of

_NUMBERS: Final = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"}
    | {"blobGasUsed", "excessBlobGas", "slotNumber"}
)
# In the order in which forks appended them; a header has a prefix of this list.
_FIELDS: Final = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
    *("requestsHash", "blockAccessListHash", "slotNumber"),
)
_FIELDS_AT_LEAST: Final = 15


def encode_header(number: int, fields: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return a header's RLP and the block's hash, which is the hash of it.

    Raises:
        HeaderNotReproducible: the fields do not hash to the block's hash.
    """
    present = [fields.get(name) for name in _FIELDS]
    while present and present[-1] is None:
        present.pop()
    encoded: list[bytes] = []
    for name, value in zip(_FIELDS, present, strict=False):
        if value is None:
            break
        encoded.append(rlp_encode_uint(number_of(value)) if name in _NUMBERS else bytes_of(value))
    raw, block_hash = rlp_encode(list(encoded)), bytes_of(member_of(fields, "hash"))
    if len(encoded) != len(present) or len(encoded) < _FIELDS_AT_LEAST or keccak256(raw) != block_hash:
        raise HeaderNotReproducible(
            f"block {number}",
            "its fields don't hash to its block hash",
            "this chain's anchors can only be checked online; leave its header profile out",
        )
    return raw, block_hash
