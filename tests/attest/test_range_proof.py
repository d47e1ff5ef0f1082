from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import rfc9162_reference as rfc
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import MAX_TREE_SIZE, leaf_hash, node_hash
from carbonseal_attest.range_proof import RangeProof, cover_nodes

MOST = 1025
ENTRIES = [n.to_bytes(2, "big") for n in range(MOST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
RFC = rfc.Entries(ENTRIES)


@cache
def node(level: int, at: int) -> bytes:
    return node_hash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1)) if level else LEAVES[at]


def ranges(size: int, *, everything: bool) -> list[tuple[int, int]]:
    """Ranges of a tree: at its ends, across its middle, and one by the size; all starts in the long run."""
    marks = sorted(
        {0, size // 3, size // 2, size - 1, size, size * 7919 % size, size & -size, size & (size - 1)}
    )
    if everything:
        return [
            (start, end)
            for start in range(size)
            for end in {start + 1, (start + size) // 2 + 1, size}
            if end <= size
        ]
    return [*pairwise(marks), (0, size), (marks[-2], size)]


def test_range_in_trees_of_every_size_leads_to_the_root_of_the_standard(is_long_run: bool) -> None:  # noqa: FBT001
    for size in range(1, MOST + 1):
        for start, end in ranges(size, everything=is_long_run and size <= 257):
            proof = RangeProof.build(start, end, size, node)
            proof.verify(LEAVES[start:end], size, RFC.mth(0, size))
            assert proof.left == tuple(RFC.mth(i << n, (i + 1) << n) for n, i in cover_nodes(0, start))
            assert proof.right == tuple(RFC.mth(i << n, (i + 1) << n) for n, i in cover_nodes(end, size))


@given(st.integers(1, 200), st.data())
def test_range_with_another_bound_size_leaf_or_hash_is_refused(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    proof, root, leaves = RangeProof.build(start, end, size, node), RFC.mth(0, size), LEAVES[start:end]
    proof.verify(leaves, size, root)
    at = data.draw(st.integers(0, len(leaves) - 1))
    broken = [
        (leaves[:-1], {}),
        ([*leaves, LEAVES[end % size]], {}),
        ([*leaves[:at], bytes(32), *leaves[at + 1 :]], {}),
        (leaves, {"start": start + 1, "end": end + 1}),
        (leaves, {"start": start + 1}),
        (leaves, {"end": end - 1}),
        (leaves, {"start": start + 1, "end": end + 1, "tree_size": size + 1}),
        (leaves, {"tree_size": size + 1}),
        (leaves, {"left": proof.left[:-1] or (bytes(32),)}),
        (leaves, {"right": (*proof.right, bytes(32))}),
    ]
    if len(leaves) > 1 and leaves[0] != leaves[-1]:
        broken.append((leaves[::-1], {}))
    for side in ("left", "right"):
        hashes = getattr(proof, side)
        broken += [(leaves, {side: (*hashes[:n], bytes(32), *hashes[n + 1 :])}) for n in range(len(hashes))]
    fields = {name: getattr(proof, name) for name in ("start", "end", "tree_size", "left", "right")}
    for given_leaves, change in broken:
        with pytest.raises(ProofInvalid):
            RangeProof(**{**fields, **change}).verify(given_leaves, size, root)


def test_range_under_another_size_than_the_signed_one_is_refused_although_the_root_is_the_same() -> None:
    # As with RFC 9162's own proofs, sizes 3 and 4 have one shape around the first leaf.
    proof, root = RangeProof.build(0, 1, 3, node), RFC.mth(0, 3)
    other = RangeProof(0, 1, 4, proof.left, proof.right)
    assert other.root(LEAVES[:1]) == root
    with pytest.raises(ProofInvalid, match="of a tree of 4 leaves, not of 3"):
        other.verify(LEAVES[:1], 3, root)


@pytest.mark.parametrize(
    "value",
    [
        [0, 0, 1, [], []],
        [1, 1, 1, [bytes(32)], []],
        [0, 2, 1, [], []],
        [-1, 1, 1, [], []],
        [2, 1, 4, [bytes(32)], [bytes(32)]],
        [0, 1, MAX_TREE_SIZE + 1, [], [bytes(32)] * 49],
        [0, 1, 1, [bytes(32)], []],
        [0, 1, 2, [], []],
        [0, 1, 2, [], [bytes(31)]],
        [0, 1, 2, [], ["a" * 32]],
        [0, True, 1, [], []],
        [False, 1, 1, [], []],
        [0, 1, 2, [], [bytes(32)], 0],
        [0, 1, 2, []],
        {},
        None,
    ],
    ids=repr,
)
def test_refuses_malformed_range_proof(value: Any) -> None:
    with pytest.raises(ProofInvalid, match="range proof"):
        RangeProof.from_value(value)


@pytest.mark.parametrize(("start", "end", "size"), [(0, 0, 5), (3, 2, 5), (0, 6, 5), (-1, 2, 5), (5, 5, 5)])
def test_refuses_to_prove_range_that_is_empty_or_outside_the_tree(start: int, end: int, size: int) -> None:
    with pytest.raises(ProofInvalid, match="not a range"):
        RangeProof.build(start, end, size, node)


def test_wrong_number_of_hashes_is_refused_before_anything_is_hashed() -> None:
    with pytest.raises(ProofInvalid, match="hashes instead of"):
        RangeProof(0, 1, MAX_TREE_SIZE, (), (None,) * 10**6)  # type: ignore[arg-type]


@given(st.integers(0, MAX_TREE_SIZE - 1), st.integers(0, MAX_TREE_SIZE), st.integers(0, MAX_TREE_SIZE))
def test_hashes_of_any_range_are_few_cover_it_and_read_back(start: int, length: int, more: int) -> None:
    end = min(start + 1 + length, MAX_TREE_SIZE)
    size = min(end + more, MAX_TREE_SIZE)
    proof = RangeProof.build(start, end, size, lambda *_: bytes(32))
    assert len(proof.left) + len(proof.right) <= 48 + 2 * 48
    assert RangeProof.from_value(cbor.decode(cbor.encode(proof.to_value()))) == proof
    covered = cover_nodes(0, start) + cover_nodes(end, size)
    assert sum(1 << level for level, _ in covered) == start + size - end
