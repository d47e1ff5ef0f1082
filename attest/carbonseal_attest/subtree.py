"""Subtree proofs (draft-ietf-plants-merkle-tree-certs, section 4): RFC 9162 proofs about leaves [start, end).

A range is a subtree when its start is a multiple of the smallest power of two that holds its leaves, so
that its hash is the tree hash over them. C2SP cosigners may sign such hashes. We verify what others make
and make proofs for tests; our own logs prove ranges by `range_proof`. About an empty subtree nothing is
shown but that it is empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import EMPTY_ROOT, node_hash, root_from_inclusion


def is_subtree(start: int, end: int) -> bool:
    """Say whether leaves [start, end) are a subtree of the trees that hold them."""
    if not 0 <= start <= end:
        return False
    return start == end or start % (1 << (end - start - 1).bit_length()) == 0


def verify_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` of the log, in the subtree [start, end) with `root`.

    Raises:
        ProofInvalid: it does not, or [start, end) is no subtree.
    """
    if not is_subtree(start, end) or not start <= index < end:
        raise _refusal("subtree inclusion proof", "the range is no subtree, or does not hold the index")
    if root_from_inclusion(index - start, end - start, leaf, path) != root:
        raise _refusal("subtree inclusion proof", "leads to another root")


def verify_subtree_consistency(
    start: int, end: int, size: int, subtree_root: bytes, root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the subtree [start, end) with `subtree_root` is part of the tree (size, root).

    Raises:
        ProofInvalid: it is not, or the proof is not exactly as long as it must be.
    """
    what = "subtree consistency proof"
    if not is_subtree(start, end) or end > size:
        raise _refusal(what, "the range is no subtree of the tree")
    if start == end or (start == 0 and end == size):
        expected = EMPTY_ROOT if start == end else root
        if path or subtree_root != expected:
            raise _refusal(what, "not empty, or the subtree has another root")
        return
    if size >= 1 << 64 or len(path) > 64 or any(len(h) != 32 for h in (subtree_root, root, *path)):
        raise _refusal(what, "too long, or a hash is not 32 bytes")
    # The three walk up from the subtree's first leaf, its last leaf and the tree's last leaf.
    first, last, edge = start, end - 1, size - 1
    while first != last and (last & 1 or end == size):
        first, last, edge = first >> 1, last >> 1, edge >> 1
    if first != last and not path:
        raise _refusal(what, "empty")
    # Where the walk began at the subtree's root that root is known; else the proof gives the node first.
    part = whole = subtree_root if first == last else path[0]
    for sibling in path if first == last else path[1:]:
        if edge == 0:
            raise _refusal(what, "longer than the path to the root")
        if last & 1 or last == edge:
            if first < last:
                part = node_hash(sibling, part)
            whole = node_hash(sibling, whole)
            while not last & 1:  # ends, since last is odd or equals edge, which is not 0
                first, last, edge = first >> 1, last >> 1, edge >> 1
        else:
            whole = node_hash(whole, sibling)
        first, last, edge = first >> 1, last >> 1, edge >> 1
    if edge or part != subtree_root or whole != root:
        raise _refusal(what, "leads to another root")


def _refusal(what: str, reason: str) -> ProofInvalid:
    return ProofInvalid(what, reason, "ask for the proof again, from whoever made it")
