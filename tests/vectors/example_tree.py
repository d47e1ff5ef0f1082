"""The tree of the examples: entry n is n as two bytes; its nodes, and proofs out of them."""

from __future__ import annotations

from functools import cache
from typing import Final

from carbonseal_attest.merkle import leaf_hash, node_hash, root_of

ENTRIES: Final = [n.to_bytes(2, "big") for n in range(300)]
LEAVES: Final = [leaf_hash(entry) for entry in ENTRIES]


@cache
def node(level: int, at: int) -> bytes:
    """The hash of the perfect subtree over leaves [at·2^level, (at+1)·2^level)."""
    return node_hash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1)) if level else LEAVES[at]


@cache
def root(size: int) -> bytes:
    """The root hash over the first `size` entries."""
    return root_of(LEAVES[:size])


def hexes(hashes: list[bytes] | tuple[bytes, ...]) -> list[str]:
    """Each hash in hex."""
    return [item.hex() for item in hashes]
