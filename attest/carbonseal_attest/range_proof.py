"""Range proofs: one proof that leaves [start, end) are those of an RFC 9162 tree, whatever their number.

The proof is two compact ranges: the perfect subtrees that cover [0, start) and those that cover [end,
size), each from left to right. With the leaf hashes between them they give the root, so that a whole
reporting period is shown by fewer than a hundred hashes. RFC 9162 has no such proof; its tree and hashes
are unchanged. Linear in the leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import MAX_TREE_SIZE, GetNode, frontier_nodes, node_hash


@dataclass(frozen=True, slots=True)
class RangeProof:
    """Proof that leaves [start, end), at least one, are those of a tree of `tree_size` leaves.

    As with RFC 9162's own proofs, another size of the same shape leads to the same root, and the range with
    it to another place; `verify` therefore asks for the size that is signed.
    """

    start: int
    end: int
    tree_size: int
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]

    def __post_init__(self) -> None:
        bounds = (self.start, self.end, self.tree_size)
        if any(type(n) is not int for n in bounds) or not 0 <= self.start < self.end <= self.tree_size:
            raise _refusal("bounds are not a range of the tree")
        if self.tree_size > MAX_TREE_SIZE:
            raise _refusal("tree size beyond 2^48")
        wanted = len(frontier_nodes(self.start)), len(cover_nodes(self.end, self.tree_size))
        if (len(self.left), len(self.right)) != wanted:
            raise _refusal(
                f"{len(self.left)} and {len(self.right)} hashes instead of {wanted[0]} and {wanted[1]}"
            )
        if any(type(h) is not bytes or len(h) != 32 for h in (*self.left, *self.right)):
            raise _refusal("a hash is not 32 bytes")

    @classmethod
    def build(cls, start: int, end: int, tree_size: int, get_node: GetNode) -> RangeProof:
        """Return the proof of leaves [start, end) out of the tree's nodes.

        Raises:
            ProofInvalid: the range is empty or lies outside the tree.
        """
        if not 0 <= start < end <= tree_size <= MAX_TREE_SIZE:
            raise _refusal("bounds are not a range of the tree")
        left = tuple(get_node(level, index) for level, index in frontier_nodes(start))
        right = tuple(get_node(level, index) for level, index in cover_nodes(end, tree_size))
        return cls(start, end, tree_size, left, right)

    def root(self, leaf_hashes: Iterable[bytes]) -> bytes:
        """Return the root to which the proof leads; the caller compares it with a trusted one.

        Raises:
            ProofInvalid: more or fewer leaf hashes than the range has, or one that is not 32 bytes.
        """
        stack = list(zip((level for level, _ in frontier_nodes(self.start)), self.left, strict=True))
        count = self.end - self.start
        for leaf in leaf_hashes:
            if count == 0 or len(leaf) != 32:
                raise _refusal("more leaf hashes than the range has, or one that is not 32 bytes")
            count -= 1
            _push(stack, 0, leaf)
        if count:
            raise _refusal(f"{count} leaf hashes fewer than the range has")
        for (level, _), node in zip(cover_nodes(self.end, self.tree_size), self.right, strict=True):
            _push(stack, level, node)
        root = stack.pop()[1]
        while stack:
            root = node_hash(stack.pop()[1], root)
        return root

    def verify(self, leaf_hashes: Iterable[bytes], tree_size: int, root: bytes) -> None:
        """Check that these leaf hashes are the range's in the tree of a signed `tree_size` and `root`.

        Raises:
            ProofInvalid: they are not.
        """
        if self.tree_size != tree_size:
            raise _refusal(f"of a tree of {self.tree_size} leaves, not of {tree_size}")
        if self.root(leaf_hashes) != root:
            raise _refusal("leads to another root")

    def to_value(self) -> list[Any]:
        """Return the proof as a CBOR value: [start, end, tree size, left, right]."""
        return [self.start, self.end, self.tree_size, list(self.left), list(self.right)]

    @classmethod
    def from_value(cls, value: object) -> RangeProof:
        """Return the proof that `value` writes.

        Raises:
            ProofInvalid: `value` is not bounds, size and the right number of hashes.
        """
        match value:
            case [int(start), int(end), int(size), list(left), list(right)]:
                return cls(start, end, size, tuple(left), tuple(right))
            case _:
                raise _refusal("malformed")


def cover_nodes(start: int, end: int) -> list[tuple[int, int]]:
    """Return the (level, index) of the largest perfect subtrees over leaves [start, end), left to right."""
    nodes = []
    while start < end:
        aligned = (start & -start).bit_length() - 1 if start else end.bit_length()
        level = min(aligned, (end - start).bit_length() - 1)
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _push(stack: list[tuple[int, bytes]], level: int, node: bytes) -> None:
    """Append a perfect subtree, joined with every one on the left that is of its height."""
    while stack and stack[-1][0] == level:
        node = node_hash(stack.pop()[1], node)
        level += 1
    stack.append((level, node))


def _refusal(reason: str) -> ProofInvalid:
    return ProofInvalid(
        "range proof", reason, "ask the log host for the proof again; if it persists, keep it as evidence"
    )
