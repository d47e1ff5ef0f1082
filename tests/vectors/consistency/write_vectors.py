"""Writes `consistency.json`: consistency proofs, broken ones, and trees that are not RFC 9162's."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import unsound_trees as unsound
from example_tree import LEAVES, hexes, node, root
from vector_files import Vector, document, write

from carbonseal_attest.merkle import EMPTY_ROOT, consistency_path, root_of


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"consistency.json": document(__file__, "merkle.md", [*_good(), *_broken(), *_unsound()])}


def _vector(
    desc: str,
    old: int,
    new: int,
    roots: tuple[bytes, bytes],
    path: list[bytes],
    code: str | None = "proof-invalid",
) -> Vector:
    return {
        "desc": desc,
        "want_error": code,
        "old_size": old,
        "new_size": new,
        "old_root": roots[0].hex(),
        "new_root": roots[1].hex(),
        "path": hexes(path),
    }


def _good() -> list[Vector]:
    sizes = [
        (1, 1),
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 8),
        (6, 8),
        (7, 13),
        (13, 13),
        (255, 256),
        (256, 300),
        (299, 300),
    ]
    return [
        _vector(f"{old} to {new}", old, new, (root(old), root(new)), consistency_path(old, new, node), None)
        for old, new in sizes
    ]


def _broken() -> list[Vector]:
    path, roots = consistency_path(6, 13, node), (root(6), root(13))
    return [
        _vector("another old size", 5, 13, roots, path),
        _vector("another new size of another shape", 6, 8, roots, path),
        _vector("sizes exchanged", 13, 6, roots[::-1], path),
        _vector("roots exchanged", 6, 13, roots[::-1], path),
        _vector("another old root", 6, 13, (root(5), root(13)), path),
        _vector("another new root", 6, 13, (root(6), root(12)), path),
        _vector("no hashes", 6, 13, roots, []),
        _vector("first hash left out", 6, 13, roots, path[1:]),
        _vector("one hash more", 6, 13, roots, [*path, root(1)]),
        _vector("old root in front although the size is no power of two", 6, 13, roots, [root(6), *path]),
        _vector(
            "old root in front of the proof from a power of two",
            4,
            8,
            (root(4), root(8)),
            [root(4), node(2, 1)],
        ),
        _vector("hash of 33 bytes", 4, 8, (root(4), root(8)), [node(2, 1) + b"\x00"]),
        _vector("equal sizes, other roots", 6, 6, (root(6), root(7)), []),
        _vector("equal sizes, a hash", 6, 6, (root(6), root(6)), [root(6)]),
        _vector("from the empty tree", 0, 6, (EMPTY_ROOT, root(6)), []),
        _vector("between empty trees", 0, 0, (EMPTY_ROOT, EMPTY_ROOT), []),
        _vector("negative old size", -6, 13, roots, path),
    ]


def _unsound() -> list[Vector]:
    three = LEAVES[:3]
    repeated = unsound.climb(three, 0)[0]
    padded = unsound.climb(unsound.padded(three), 0)[0]
    dropped = unsound.climb([*three, bytes(32)], 0, unsound.zero_dropped)[0]
    proof = [LEAVES[2], LEAVES[2], node(1, 0)]  # from 3 to 4, the fourth entry being the third
    return [
        _vector("odd leaf repeated: three and four entries of one root", 3, 4, (repeated, repeated), []),
        _vector("odd leaf repeated: the proof between them", 3, 4, (repeated, repeated), proof),
        _vector(
            "padded with zeros: from three entries", 3, 4, (padded, root(4)), consistency_path(3, 4, node)
        ),
        _vector(
            "zeros dropped: a fourth entry that adds nothing",
            3,
            4,
            (root_of(three), dropped),
            [LEAVES[2], bytes(32), node(1, 0)],
        ),
    ]


if __name__ == "__main__":
    write(__file__, files())
