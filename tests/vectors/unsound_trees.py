"""Unsound Merkle trees as they are found in the wild; only tests and vectors use them, to be refused."""

from __future__ import annotations

import hashlib

ZERO = bytes(32)


def sha256(data: bytes) -> bytes:
    """The bare hash, as trees without domain separation have it for leaves and nodes alike."""
    return hashlib.sha256(data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """RFC 9162's node."""
    return sha256(b"\x01" + left + right)


def bare_node(left: bytes, right: bytes) -> bytes:
    """A node that a 64-byte leaf can be taken for."""
    return sha256(left + right)


def zero_dropped(left: bytes, right: bytes) -> bytes:
    """A node that counts an all-zero child as missing, so that a leaf of zeros adds nothing."""
    if right == ZERO:
        return left
    return right if left == ZERO else node(left, right)


def padded(leaves: list[bytes]) -> list[bytes]:
    """All-zero leaves up to the next power of two."""
    return leaves + [ZERO] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))


def climb(leaves: list[bytes], index: int, join=node) -> tuple[bytes, list[bytes]]:
    """Root, and path of leaf `index`, of a tree that repeats the last item of an odd level."""
    path = []
    while len(leaves) > 1:
        if len(leaves) % 2:
            leaves = [*leaves, leaves[-1]]
        path.append(leaves[index ^ 1])
        leaves = [join(leaves[at], leaves[at + 1]) for at in range(0, len(leaves), 2)]
        index //= 2
    return leaves[0], path
