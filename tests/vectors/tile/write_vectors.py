"""Writes `tile.json`: paths of a tiled log with the tiles and entry bundles there, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from example_tree import ENTRIES, LEAVES, node, root
from vector_files import Vector, document, write

from carbonseal_attest.tiles import encode_entries


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"tile.json": document(__file__, "tile.md", [*_good(), *_broken()])}


def _vector(desc: str, path: str, data: bytes, code: str | None = "proof-invalid") -> Vector:
    return {"desc": desc, "want_error": code, "path": path, "data": data.hex()}


def _good() -> list[Vector]:
    partial, full = b"".join(LEAVES[:5]), b"".join(LEAVES[:256])
    return [
        {
            **_vector("a partial tile", "tile/0/000.p/5", partial, None),
            "width": 5,
            "root_hash": root(5).hex(),
        },
        {**_vector("a full tile", "tile/0/000", full, None), "width": 256, "root_hash": root(256).hex()},
        {
            **_vector("the tile above it", "tile/1/000.p/1", node(8, 0), None),
            "width": 1,
            "root_hash": node(8, 0).hex(),
        },
        {**_vector("index 1234067", "tile/0/x001/x234/067.p/5", partial, None), "width": 5},
        {**_vector("an entry bundle", "tile/entries/000.p/3", encode_entries(ENTRIES[:3]), None), "width": 3},
        {**_vector("an empty entry", "tile/entries/000.p/1", b"\x00\x00", None), "width": 1},
    ]


def _broken() -> list[Vector]:
    five, three = b"".join(LEAVES[:5]), encode_entries(ENTRIES[:3])
    return [
        _vector("narrower than its path", "tile/0/000.p/6", five),
        _vector("wider than its path", "tile/0/000.p/4", five),
        _vector("partial under the path of a full one", "tile/0/000", five),
        _vector("no whole number of hashes", "tile/0/000.p/5", five[:-1]),
        _vector("width 0", "tile/0/000.p/0", b""),
        _vector("width 256 spelled out", "tile/0/000.p/256", b"".join(LEAVES[:256])),
        _vector("width with a leading zero", "tile/0/000.p/05", five),
        _vector("level 64", "tile/64/000.p/5", five),
        _vector("level with a leading zero", "tile/00/000.p/5", five),
        _vector("index of one digit", "tile/0/0.p/5", five),
        _vector("index with an empty group in front", "tile/0/x000/000.p/5", five),
        _vector("index without its x", "tile/0/001/067.p/5", five),
        _vector("path that climbs", "tile/0/../000.p/5", five),
        _vector("entry bundle narrower than its path", "tile/entries/000.p/4", three),
        _vector("entry bundle cut off in an entry", "tile/entries/000.p/3", three[:-1]),
        _vector("entry bundle cut off in a length", "tile/entries/000.p/3", three[:-3]),
        _vector("entry bundle with a byte more", "tile/entries/000.p/3", three + b"\x00"),
        _vector("entry bundle of nothing", "tile/entries/000", b""),
        _vector("entry bundle of 257 entries", "tile/entries/000", bytes(2 * 257)),
    ]


if __name__ == "__main__":
    write(__file__, files())
