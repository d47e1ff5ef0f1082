"""Merkle trees of RFC 9162 §2.1 over SHA-256: frontiers, inclusion, consistency and range proofs.

Verification follows the closed form of the proof's length, so that a hostile proof is refused before any
hashing. Where nodes are kept is the caller's: proofs are built through `get_node(level, index)`, which
returns the hash of the perfect subtree over leaves [index·2^level, (index+1)·2^level).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import ProofInvalid

GetNode = Callable[[int, int], bytes]
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
MAX_TREE_SIZE: Final = 1 << 48  # leaves; the anchor contract has the same bound
MAX_PATH: Final = 63  # hashes; a tree of 2^48 leaves needs 48, C2SP allows 63
_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 | entry)."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 | left | right)."""
    return _sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The perfect subtrees that make up a tree of `size` leaves, from the largest (leftmost) to the smallest.

    It is all that is needed to append and to know the root; its length is the number of ones in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.hashes) != self.size.bit_count() or any(len(h) != 32 for h in self.hashes):
            raise ProofInvalid("frontier", "does not fit its size", "recompute it from the entries")

    def extend(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """Return the frontier after appending `leaf_hashes`."""
        size, stack = self.size, list(self.hashes)
        for leaf in leaf_hashes:
            node, rest = leaf, size
            while rest & 1:
                node = _sha256(b"\x01" + stack.pop() + node).digest()
                rest >>= 1
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """Return the root hash of the tree; of the empty tree, SHA-256 of nothing."""
        if not self.hashes:
            return EMPTY_ROOT
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = node_hash(left, node)
        return node


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root hash over all leaves."""
    return Frontier().extend(leaf_hashes).root()


def frontier_nodes(size: int) -> list[tuple[int, int]]:
    """Return the (level, index) of the perfect subtrees of a tree of `size` leaves, left to right."""
    nodes, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            nodes.append((level, start >> level))
            start += 1 << level
    return nodes


def read_frontier(size: int, get_node: GetNode) -> Frontier:
    """Return the frontier of a tree of `size` leaves: the proof of a range that begins at `size`."""
    return Frontier(size, tuple(get_node(level, index) for level, index in frontier_nodes(size)))


def inclusion_path(index: int, size: int, get_node: GetNode) -> list[bytes]:
    """Return the inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162 §2.1.3.1)."""
    _check(0 <= index < size, "index", "not in the tree")
    return _path(index, 0, size, get_node)


def consistency_path(old_size: int, new_size: int, get_node: GetNode) -> list[bytes]:
    """Return the consistency proof between two sizes (RFC 9162 §2.1.4.1); empty when they are equal."""
    _check(0 < old_size <= new_size, "old_size", "not between 1 and the new size")
    if old_size == new_size:
        return []
    return _subproof(old_size, 0, new_size, get_node, is_whole=True)


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` in the tree of `size` leaves with `root`.

    Raises:
        ProofInvalid: it does not, or the proof is not exactly as long as it must be.
    """
    if root_from_inclusion(index, size, leaf, path) != root:
        raise _broken("inclusion proof", "leads to another root")


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root to which an inclusion proof leads; the caller compares it with a trusted one."""
    _check(0 <= index < size, "inclusion proof", "index is not in the tree")
    inner = (index ^ (size - 1)).bit_length()
    border = (index >> inner).bit_count()
    _check(len(path) == inner + border, "inclusion proof", f"{len(path)} hashes instead of {inner + border}")
    _check(all(len(h) == 32 for h in (leaf, *path)), "inclusion proof", "a hash is not 32 bytes")
    node = leaf
    for level, sibling in enumerate(path[:inner]):
        node = node_hash(sibling, node) if index >> level & 1 else node_hash(node, sibling)
    for left in path[inner:]:
        node = node_hash(left, node)
    return node


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree (new_size, new_root) extends the tree (old_size, old_root).

    Raises:
        ProofInvalid: it does not; also for an old size of 0, about which nothing can be proved.
    """
    what = "consistency proof"
    if 0 < old_size == new_size:  # the roots are compared and never hashed; public vectors have short ones
        _check(not path, what, "not empty between equal sizes")
        _check(old_root == new_root, what, "equal sizes with different roots")
        return
    old, new = consistency_roots(old_size, new_size, old_root, path)
    _check(old == old_root, what, "leads to another old root")
    _check(new == new_root, what, "leads to another new root")


def consistency_roots(
    old_size: int, new_size: int, old_root: bytes, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return the old and the new root to which a consistency proof leads; the caller compares both.

    `old_root` is where the proof of an old tree of 2^n leaves begins, and any other proof ignores it.

    Raises:
        ProofInvalid: an old size of 0 or above the new one, or not as many hashes as the sizes call for.
    """
    what = "consistency proof"
    _check(0 < old_size <= new_size, what, "old size is not between 1 and the new size")
    _check(len(old_root) == 32, what, "a hash is not 32 bytes")
    if old_size == new_size:
        _check(not path, what, "not empty between equal sizes")
        return old_root, old_root
    # The old tree's last perfect subtree is where both walks begin; when it is the whole old tree, its hash
    # is the old root and is left out of the proof.
    shift = (old_size & -old_size).bit_length() - 1
    inner = ((old_size - 1) ^ (new_size - 1)).bit_length() - shift
    border = ((old_size - 1) >> (inner + shift)).bit_count()
    is_perfect = old_size == 1 << shift
    expected = inner + border + (0 if is_perfect else 1)
    _check(len(path) == expected, what, f"{len(path)} hashes instead of {expected}")
    _check(all(len(h) == 32 for h in path), what, "a hash is not 32 bytes")
    seed, rest = (old_root, list(path)) if is_perfect else (path[0], list(path[1:]))
    mask = (old_size - 1) >> shift
    old_node = new_node = seed
    for level, sibling in enumerate(rest[:inner]):
        if mask >> level & 1:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
        else:
            new_node = node_hash(new_node, sibling)
    for left in rest[inner:]:
        old_node, new_node = node_hash(left, old_node), node_hash(left, new_node)
    return old_node, new_node


def _path(index: int, start: int, end: int, get_node: GetNode) -> list[bytes]:
    if end - start == 1:
        return []
    split = start + _largest_power_below(end - start)
    if index < split:
        return [*_path(index, start, split, get_node), _range_hash(split, end, get_node)]
    return [*_path(index, split, end, get_node), _range_hash(start, split, get_node)]


def _subproof(old: int, start: int, end: int, get_node: GetNode, *, is_whole: bool) -> list[bytes]:
    if old == end:
        return [] if is_whole else [_range_hash(start, end, get_node)]
    split = start + _largest_power_below(end - start)
    if old <= split:
        return [*_subproof(old, start, split, get_node, is_whole=is_whole), _range_hash(split, end, get_node)]
    return [*_subproof(old, split, end, get_node, is_whole=False), _range_hash(start, split, get_node)]


def _range_hash(start: int, end: int, get_node: GetNode) -> bytes:
    """Return the hash over leaves [start, end), where start is aligned as the recursion aligns it."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return get_node(level, start >> level)
    split = start + _largest_power_below(size)
    return node_hash(_range_hash(start, split, get_node), _range_hash(split, end, get_node))


def _largest_power_below(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def _check(holds: bool, field: str, reason: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise _broken(field, reason)


def _broken(field: str, reason: str) -> ProofInvalid:
    return ProofInvalid(
        field, reason, "ask the log host for the proof again; if it persists, keep it as evidence"
    )
