from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import rfc9162_reference as rfc
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
    read_frontier,
    root_of,
    verify_consistency,
    verify_inclusion,
)

ENTRIES = [n.to_bytes(2, "big") for n in range(64)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
MOST = 33


def node(level: int, at: int) -> bytes:
    return root_of(LEAVES[at << level : (at + 1) << level])


def root(size: int) -> bytes:
    return root_of(LEAVES[:size])


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


def test_roots_agree_with_the_recursion_of_the_standard() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == rfc.mth([])
    for size in range(1, len(ENTRIES) + 1):
        frontier = frontier.extend(LEAVES[size - 1 : size])
        assert frontier.root() == root(size) == rfc.mth(ENTRIES[:size])


def test_proofs_agree_with_the_recursion_of_the_standard_and_check() -> None:
    for size in range(1, MOST):
        for index in range(size):
            made = inclusion_path(index, size, node)
            assert made == rfc.path(index, ENTRIES[:size])
            verify_inclusion(index, size, LEAVES[index], made, root(size))
            assert rfc.includes(index, size, LEAVES[index], made, root(size))
        for old in range(1, size + 1):
            made = consistency_path(old, size, node)
            assert made == rfc.proof(old, ENTRIES[:size])
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


@given(st.integers(0, 64), st.integers(0, 64))
def test_range_is_proved_by_the_frontier_before_it(first: int, end: int) -> None:
    first, end = min(first, end), max(first, end)
    frontier = read_frontier(first, node)
    assert frontier == Frontier().extend(LEAVES[:first])
    assert frontier.extend(LEAVES[first:end]).root() == root(end)
    starts = [index << level for level, index in frontier_nodes(first)]
    assert starts == sorted(starts)
