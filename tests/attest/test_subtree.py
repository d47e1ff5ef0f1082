from __future__ import annotations

import hashlib

import pytest
import rfc9162_reference as rfc
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import EMPTY_ROOT, leaf_hash
from carbonseal_attest.subtree import is_subtree, verify_subtree_consistency, verify_subtree_inclusion

MOST = 130
ENTRIES = [bytes([n]) for n in range(MOST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
RFC = rfc.Entries(ENTRIES)
SUBTREES = [(start, end) for end in range(MOST + 1) for start in range(end + 1) if is_subtree(start, end)]


def line(head: str, path: list[bytes]) -> bytes:
    return (head + "".join(f" {item.hex()}" for item in path) + "\n").encode()


def test_all_subtrees_up_to_130_agree_with_the_digests_of_the_draft() -> None:
    """Appendix C.1 of draft-ietf-plants-merkle-tree-certs-06: a digest over all that can be asked."""
    hashes, inclusions, consistencies = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for start, end in SUBTREES:
        root = RFC.mth(start, end)
        hashes.update(f"[{start}, {end}) {root.hex()}\n".encode())
        for index in range(start, end):
            path = RFC.path(index - start, start, end)
            verify_subtree_inclusion(index, start, end, LEAVES[index], path, root)
            inclusions.update(line(f"{index} [{start}, {end})", path))
    for size in range(MOST + 1):
        for start, end in SUBTREES:
            if end <= size:
                path = RFC.subtree_proof(start, end, size)
                verify_subtree_consistency(start, end, size, RFC.mth(start, end), RFC.mth(0, size), path)
                consistencies.update(line(f"[{start}, {end}) {size}", path))
    assert hashes.hexdigest() == "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81"
    assert inclusions.hexdigest() == "ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f"
    assert consistencies.hexdigest() == "10fa99b37bf9bf9ffa26b412fbd98bd75363256d0b75d61bc4538b9c9c5a0a74"


@pytest.mark.parametrize(("start", "end"), [(1, 3), (2, 5), (2, 6), (1, 15), (4, 3), (-1, 0), (12, 17)])
def test_refuses_what_is_no_subtree(start: int, end: int) -> None:
    with pytest.raises(ProofInvalid):
        verify_subtree_consistency(start, end, 20, bytes(32), bytes(32), [])
    with pytest.raises(ProofInvalid):
        verify_subtree_inclusion(start, start, end, bytes(32), [], bytes(32))


def test_empty_subtree_shows_that_it_is_empty_and_nothing_else() -> None:
    verify_subtree_consistency(3, 3, 5, EMPTY_ROOT, bytes(32), [])
    for root, path in ((bytes(32), []), (EMPTY_ROOT, [EMPTY_ROOT])):
        with pytest.raises(ProofInvalid):
            verify_subtree_consistency(3, 3, 5, root, root, path)
    with pytest.raises(ProofInvalid):
        verify_subtree_inclusion(3, 3, 3, EMPTY_ROOT, [], EMPTY_ROOT)


@given(st.sampled_from([s for s in SUBTREES if s[0] < s[1]]), st.integers(1, MOST), st.data())
def test_subtree_proof_with_any_change_is_refused(
    subtree: tuple[int, int], size: int, data: st.DataObject
) -> None:
    start, end = subtree
    size = max(size, end)
    part, whole, path = RFC.mth(start, end), RFC.mth(0, size), RFC.subtree_proof(start, end, size)
    changed = [
        (part, whole, [*path, bytes(32)]),
        (part, whole, [bytes(32), *path]),
        (bytes(32), whole, path),
        (part, bytes(32), path),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        changed.append((part, whole, path[:at] + path[at + 1 :]))
        changed.append((part, whole, [*path[:at], bytes(32), *path[at + 1 :]]))
    for arguments in changed:
        with pytest.raises(ProofInvalid):
            verify_subtree_consistency(start, end, size, *arguments)
    with pytest.raises(ProofInvalid):
        verify_subtree_consistency(start, end, end - 1, part, whole, path)


def test_hostile_sizes_and_lengths_end() -> None:
    for path in ([], [bytes(32)] * 64, [bytes(32)] * 10**5):
        with pytest.raises(ProofInvalid):
            verify_subtree_consistency(0, 1, (1 << 64) - 1, bytes(32), bytes(32), path)
    with pytest.raises(ProofInvalid):
        verify_subtree_consistency(0, 1, 1 << 20_000, bytes(32), bytes(32), [bytes(32)])
