from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import rfc9162_reference as rfc
import unsound_trees
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    frontier_nodes,
    inclusion_path,
    leaf_hash,
    node_hash,
    read_frontier,
    root_of,
    verify_consistency,
    verify_inclusion,
)

MOST = 1025
ENTRIES = [n.to_bytes(2, "big") for n in range(MOST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
RFC = rfc.Entries(ENTRIES)
SIZES = range(1, MOST + 1)


@cache
def node(level: int, at: int) -> bytes:
    return node_hash(node(level - 1, 2 * at), node(level - 1, 2 * at + 1)) if level else LEAVES[at]


def root(size: int) -> bytes:
    return RFC.mth(0, size)


def chosen(size: int, count: int, *, everything: bool) -> list[int]:
    """Of 0 to size - 1 all, or `count` and the ends and both sides of each power of two."""
    if everything or size <= 2 * count:
        return list(range(size))
    ends = {0, 1, size - 2, size - 1, size // 2}
    powers = {(1 << n) + at for n in range(1, size.bit_length()) for at in (-1, 0)}
    others = {(size * 7919 + n * 104_729) % size for n in range(count)}
    return sorted(n for n in ends | powers | others if n < size)


def octets(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def vectors(shared_data: Path, name: str) -> list[dict[str, Any]]:
    stored = json.loads((shared_data / "merkle-rfc6962-proofs" / name).read_bytes())
    return [item["vector"] for item in stored]


def test_agrees_with_public_inclusion_vectors(shared_data: Path) -> None:
    accepted = 0
    for vector in vectors(shared_data, "inclusion.json"):
        proof = [octets(item) for item in vector["proof"] or []]
        arguments = (
            vector["leafIdx"],
            vector["treeSize"],
            octets(vector["leafHash"]),
            proof,
            octets(vector["root"]),
        )
        if vector["wantErr"]:
            with pytest.raises(ProofInvalid):
                verify_inclusion(*arguments)
        else:
            verify_inclusion(*arguments)
            accepted += 1
    assert accepted == 4


def test_agrees_with_public_consistency_vectors(shared_data: Path) -> None:
    accepted = 0
    for vector in vectors(shared_data, "consistency.json"):
        proof = [octets(item) for item in vector["proof"] or []]
        arguments = (
            vector["size1"],
            vector["size2"],
            octets(vector["root1"]),
            octets(vector["root2"]),
            proof,
        )
        if vector["wantErr"]:
            with pytest.raises(ProofInvalid):
                verify_consistency(*arguments)
        else:
            verify_consistency(*arguments)
            accepted += 1
    assert accepted == 3


def test_root_of_every_size_agrees_with_the_standard() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == RFC.mth(0, 0)
    for size in SIZES:
        frontier = frontier.extend(LEAVES[size - 1 : size])
        assert frontier.root() == RFC.mth(0, size)
        assert read_frontier(size, node) == frontier


def test_inclusion_in_trees_of_every_size_agrees_with_the_standard(is_long_run: bool) -> None:  # noqa: FBT001
    for size in SIZES:
        for index in chosen(size, 40, everything=is_long_run):
            made = inclusion_path(index, size, node)
            assert made == RFC.path(index, 0, size)
            verify_inclusion(index, size, LEAVES[index], made, root(size))
            assert rfc.includes(index, size, LEAVES[index], made, root(size))


def test_consistency_of_trees_of_every_size_agrees_with_the_standard(is_long_run: bool) -> None:  # noqa: FBT001
    for size in SIZES:
        for old in (n + 1 for n in chosen(size, 40, everything=is_long_run)):
            made = consistency_path(old, size, node)
            assert made == RFC.proof(old, size)
            verify_consistency(old, size, root(old), root(size), made)
            assert rfc.is_consistent(old, size, root(old), root(size), made)


@given(st.integers(1, MOST), st.integers(0, MOST), st.integers(1, MOST), st.integers(0, MOST), st.data())
def test_proof_under_any_other_size_index_or_hash_is_judged_as_the_standard_does(
    size: int, index: int, other_size: int, other_index: int, data: st.DataObject
) -> None:
    path = inclusion_path(index % size, size, node)
    kind = data.draw(st.sampled_from(["keep", "drop", "double", "flip"]))
    if path and kind != "keep":
        at = data.draw(st.integers(0, len(path) - 1))
        item = path[at]
        new = {"drop": [], "double": [item, item], "flip": [bytes([item[0] ^ 1]) + item[1:]]}[kind]
        path = [*path[:at], *new, *path[at + 1 :]]
    expected = rfc.includes(other_index, other_size, LEAVES[index % size], path, root(size))
    try:
        verify_inclusion(other_index, other_size, LEAVES[index % size], path, root(size))
    except ProofInvalid:
        assert not expected
    else:
        assert expected


@given(st.integers(1, MOST), st.integers(1, MOST), st.integers(0, MOST), st.integers(0, MOST), st.data())
def test_consistency_under_any_other_size_or_hash_is_judged_as_the_standard_does(
    old: int, new: int, other_old: int, other_new: int, data: st.DataObject
) -> None:
    old, new = min(old, new), max(old, new)
    path = consistency_path(old, new, node)
    if path and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(path) - 1))
        path = path[:at] + path[at + 1 :]
    arguments = (other_old, other_new, root(old), root(new), path)
    expected = other_old > 0 and rfc.is_consistent(*arguments)
    try:
        verify_consistency(*arguments)
    except ProofInvalid:
        assert not expected
    else:
        assert expected


def test_any_flipped_bit_of_a_proof_leaf_or_root_is_refused() -> None:
    path = inclusion_path(5, 13, node)
    parts = [LEAVES[5], root(13), *path]
    for at in range(len(parts)):
        for byte in range(32):
            changed = list(parts)
            changed[at] = changed[at][:byte] + bytes([changed[at][byte] ^ 16]) + changed[at][byte + 1 :]
            with pytest.raises(ProofInvalid):
                verify_inclusion(5, 13, changed[0], changed[2:], changed[1])
    steps = [root(5), root(13), *consistency_path(5, 13, node)]
    for at in range(len(steps)):
        changed = list(steps)
        changed[at] = bytes([changed[at][0] ^ 1]) + changed[at][1:]
        with pytest.raises(ProofInvalid):
            verify_consistency(5, 13, changed[0], changed[1], changed[2:])


def test_wrong_length_is_refused_before_anything_is_hashed() -> None:
    with pytest.raises(ProofInvalid, match="hashes instead of 48"):
        verify_inclusion(0, 1 << 48, bytes(32), [None] * 10**6, bytes(32))  # type: ignore[list-item]
    with pytest.raises(ProofInvalid, match="hashes instead of"):
        verify_consistency(3, 1 << 48, bytes(32), bytes(32), [None] * 10**6)  # type: ignore[list-item]


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (1 << 63, 5)])
def test_refuses_index_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofInvalid):
        verify_inclusion(index, size, LEAVES[0], [], LEAVES[0])
    with pytest.raises(ProofInvalid):
        inclusion_path(index, size, node)


def test_refuses_consistency_with_the_empty_tree() -> None:
    # Nothing can be proved about size 0; a witness that never saw the log keeps that rule itself.
    with pytest.raises(ProofInvalid):
        verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    with pytest.raises(ProofInvalid):
        verify_consistency(0, 5, EMPTY_ROOT, root(5), [])
    with pytest.raises(ProofInvalid):
        consistency_path(0, 5, node)


def test_refuses_hash_of_another_length() -> None:
    for wrong in (b"", bytes(31), bytes(33)):
        with pytest.raises(ProofInvalid, match="not 32 bytes"):
            verify_inclusion(0, 2, LEAVES[0], [wrong], root(2))
        with pytest.raises(ProofInvalid, match="not 32 bytes"):
            verify_consistency(1, 2, LEAVES[0], root(2), [wrong])


def test_refuses_frontier_that_does_not_fit_its_size() -> None:
    for size, hashes in ((3, 1), (4, 2), (0, 1), (1, 0)):
        with pytest.raises(ProofInvalid, match="does not fit"):
            Frontier(size, (bytes(32),) * hashes)
    with pytest.raises(ProofInvalid, match="does not fit"):
        Frontier(1, (bytes(31),))


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_range_is_proved_by_the_frontier_before_it(first: int, end: int) -> None:
    first, end = min(first, end), max(first, end)
    frontier = read_frontier(first, node)
    assert frontier == Frontier().extend(LEAVES[:first])
    assert frontier.extend(LEAVES[first:end]).root() == root(end)
    starts = [index << level for level, index in frontier_nodes(first)]
    assert starts == sorted(starts)


def test_size_cannot_be_hidden_by_repeating_the_odd_leaf() -> None:
    # Trees that repeat an odd leaf give three leaves and four, the last one twice, the same root.
    three, four = LEAVES[:3], [*LEAVES[:3], LEAVES[2]]
    assert unsound_trees.climb(three, 0)[0] == unsound_trees.climb(four, 0)[0]
    assert root_of(three) != root_of(four)
    bad, path = unsound_trees.climb(three, 2)
    for size, index in ((3, 2), (4, 3)):
        with pytest.raises(ProofInvalid):
            verify_inclusion(index, size, LEAVES[2], path, root_of(three))
    with pytest.raises(ProofInvalid):
        verify_inclusion(2, 3, LEAVES[2], path, bad)


def test_inner_node_cannot_stand_as_an_entry() -> None:
    entry = LEAVES[0] + LEAVES[1]
    assert unsound_trees.sha256(entry) == unsound_trees.bare_node(LEAVES[0], LEAVES[1])
    assert root_of([leaf_hash(entry), LEAVES[2]]) != root_of(LEAVES[:3])
    for prefix in (b"", b"\x01"):
        with pytest.raises(ProofInvalid):
            verify_inclusion(0, 2, leaf_hash(prefix + entry), [LEAVES[2]], root_of(LEAVES[:3]))


def test_leaf_of_zeros_counts_and_padding_does_not() -> None:
    zero = bytes(32)
    leaves = [*LEAVES[:3], zero]
    dropped, path = unsound_trees.climb(leaves, 3, unsound_trees.zero_dropped)
    assert dropped == root_of(LEAVES[:3])
    assert root_of(leaves) != root_of(LEAVES[:3])
    with pytest.raises(ProofInvalid):
        verify_inclusion(3, 4, zero, path, dropped)
    padded, path = unsound_trees.climb(unsound_trees.padded(LEAVES[:3]), 2)
    with pytest.raises(ProofInvalid):
        verify_inclusion(2, 3, LEAVES[2], path, padded)
    assert padded == root_of(leaves)  # so a size must come from what is signed, never from a proof
