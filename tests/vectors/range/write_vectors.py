"""Writes `range.json`: range proofs (CBOR), and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from example_tree import LEAVES, hexes, node, root
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.range_proof import RangeProof


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"range.json": document(__file__, "merkle.md", [*_good(), *_broken()])}


def _vector(desc: str, value: Any, leaves: list[bytes], size: int, head: bytes, code: str | None) -> Vector:
    return {
        "desc": desc,
        "want_error": code,
        "range_proof": cbor.encode(value).hex(),
        "tree_size": size,
        "root_hash": head.hex(),
        "leaf_hashes": hexes(leaves),
    }


def _good() -> list[Vector]:
    ranges = [
        (0, 1, 1),
        (0, 13, 13),
        (5, 9, 13),
        (12, 13, 13),
        (0, 5, 8),
        (3, 8, 8),
        (4, 8, 16),
        (250, 260, 300),
    ]
    return [
        {
            **_vector(
                f"entries {start} to {end - 1} of {size}",
                RangeProof.build(start, end, size, node).to_value(),
                LEAVES[start:end],
                size,
                root(size),
                None,
            ),
            "start": start,
            "end": end,
        }
        for start, end, size in ranges
    ]


def _broken() -> list[Vector]:
    start, end, size, left, right = RangeProof.build(5, 9, 13, node).to_value()
    leaves, head = LEAVES[5:9], root(13)

    def bad(
        desc: str, value: Any, leaves: list[bytes] = leaves, size: int = 13, head: bytes = head
    ) -> Vector:
        return _vector(desc, value, leaves, size, head, "proof-invalid")

    other = RangeProof.build(0, 1, 3, node).to_value()
    return [
        bad("another start", [start + 1, end, size, left, right]),
        bad("another end", [start, end + 1, size, left, right]),
        bad("moved by one", [start + 1, end + 1, size, left, right]),
        bad("another size than the signed one", [start, end, size, left, right], size=14),
        bad("another size of the same shape", [0, 1, 4, *other[3:]], LEAVES[:1], 3, root(3)),
        bad("an entry left out", [start, end, size, left, right], leaves[1:]),
        bad("an entry more", [start, end, size, left, right], LEAVES[5:10]),
        bad("entries in another order", [start, end, size, left, right], leaves[::-1]),
        bad("an entry replaced", [start, end, size, left, right], [*leaves[:3], LEAVES[0]]),
        bad("another root", [start, end, size, left, right], head=root(12)),
        bad("hash on the left left out", [start, end, size, left[1:], right]),
        bad("hash on the right left out", [start, end, size, left, right[:-1]]),
        bad("hash of 31 bytes", [start, end, size, [left[0][:31], *left[1:]], right]),
        bad("sides exchanged", [start, end, size, right, left]),
        bad("no entries", [5, 5, 13, left, right], []),
        bad("start is true", [True, 2, 2, [LEAVES[0]], []], LEAVES[1:2], 2, root(2)),
        bad("one part more", [start, end, size, left, right, 0]),
    ]


if __name__ == "__main__":
    write(__file__, files())
