"""Writes `inclusion.json`: inclusion proofs, broken ones, and proofs of trees that are not RFC 9162's."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import unsound_trees as unsound
from example_tree import LEAVES, hexes, node, root
from vector_files import Vector, document, write

from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"inclusion.json": document(__file__, "merkle.md", [*_good(), *_broken(), *_unsound()])}


def _vector(
    desc: str, index: int, size: int, leaf: bytes, path: list[bytes], head: bytes, code: str | None
) -> Vector:
    return {
        "desc": desc,
        "want_error": code,
        "index": index,
        "tree_size": size,
        "leaf_hash": leaf.hex(),
        "path": hexes(path),
        "root_hash": head.hex(),
    }


def _good() -> list[Vector]:
    places = [(0, 1), (0, 2), (1, 2), (2, 3), (5, 13), (12, 13), (7, 8), (255, 256), (256, 257), (299, 300)]
    return [
        _vector(
            f"entry {index} of {size}",
            index,
            size,
            LEAVES[index],
            inclusion_path(index, size, node),
            root(size),
            None,
        )
        for index, size in places
    ]


def _broken() -> list[Vector]:
    path, leaf, head = inclusion_path(5, 13, node), LEAVES[5], root(13)

    def bad(desc: str, index: int, size: int, leaf: bytes, path: list[bytes], head: bytes) -> Vector:
        return _vector(desc, index, size, leaf, path, head, "proof-invalid")

    return [
        bad("another index", 4, 13, leaf, path, head),
        bad("index outside the tree", 13, 13, leaf, path, head),
        bad("negative index", -1, 13, leaf, path, head),
        bad("tree of no entries", 0, 0, leaf, [], head),
        bad("another size of another shape", 5, 8, leaf, path, head),
        bad("another leaf", 5, 13, LEAVES[6], path, head),
        bad("another root", 5, 13, leaf, path, root(12)),
        bad("first hash left out", 5, 13, leaf, path[1:], head),
        bad("last hash left out", 5, 13, leaf, path[:-1], head),
        bad("one hash more", 5, 13, leaf, [*path, root(1)], head),
        bad("two hashes exchanged", 5, 13, leaf, [path[1], path[0], *path[2:]], head),
        bad("hash of 31 bytes", 5, 13, leaf, [path[0][:31], *path[1:]], head),
        bad("leaf hash of no bytes", 0, 1, b"", [], b""),
        bad("an inner node as the leaf", 2, 13, node(1, 2), path[1:], head),
    ]


def _unsound() -> list[Vector]:
    def bad(desc: str, index: int, size: int, leaf: bytes, path: list[bytes], head: bytes) -> Vector:
        return _vector(desc, index, size, leaf, path, head, "proof-invalid")

    three, zero = LEAVES[:3], bytes(32)
    repeated, repeated_path = unsound.climb(three, 2)
    padded, padded_path = unsound.climb(unsound.padded(three), 2)
    dropped, dropped_path = unsound.climb([*three, zero], 3, unsound.zero_dropped)
    entry = LEAVES[0] + LEAVES[1]
    bare = unsound.bare_node(unsound.bare_node(*LEAVES[:2]), LEAVES[2])
    return [
        bad("odd leaf repeated: its proof", 2, 3, LEAVES[2], repeated_path, repeated),
        bad("odd leaf repeated: a fourth entry that is the third", 3, 4, LEAVES[2], repeated_path, root(3)),
        bad("padded with zeros: proof of the last entry", 2, 3, LEAVES[2], padded_path, padded),
        bad("zeros dropped: an entry that adds nothing to the root", 3, 4, zero, dropped_path, dropped),
        bad(
            "no domain separation: nodes without their prefix", 0, 3, LEAVES[0], [LEAVES[1], LEAVES[2]], bare
        ),
        bad(
            "no domain separation: leaf without its prefix",
            0,
            2,
            unsound.sha256(entry),
            [LEAVES[2]],
            root_of([leaf_hash(entry), LEAVES[2]]),
        ),
        bad("no domain separation: two hashes as an entry", 0, 2, leaf_hash(entry), [LEAVES[2]], root(3)),
    ]


if __name__ == "__main__":
    write(__file__, files())
