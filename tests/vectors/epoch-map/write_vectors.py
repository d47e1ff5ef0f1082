"""Writes `epoch.json`: epoch entries and proofs of a log's head in the epoch's map, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.epoch import EpochMap, MapEntry


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"epoch.json": document(__file__, "epochs-and-anchor.md", _epochs())}


def _epochs() -> list[Vector]:
    entries = [
        MapEntry(f"{example.HOST}/e-{c * 2}/data", n + 1, example.digest(c)) for n, c in enumerate("abcde")
    ]
    tree = EpochMap(entries)
    epoch = tree.close(1, example.INTERVAL[1])
    proofs: list[Vector] = []
    for entry in entries:
        value = tree.prove(entry.origin).to_value()
        proofs.append(
            {
                "desc": f"head of {entry.origin}",
                "want_error": None,
                "epoch_entry": epoch.encode().hex(),
                "origin": entry.origin,
                "map_entry": entry.encode().hex(),
                "map_proof": cbor.encode(value).hex(),
            }
        )
    size, root, index, path = tree.prove(entries[2].origin).to_value()

    def bad(desc: str, entry: bytes, *value: Any, origin: str = entries[2].origin) -> Vector:
        return {
            "desc": desc,
            "want_error": "proof-invalid",
            "epoch_entry": entry.hex(),
            "origin": origin,
            "map_proof": cbor.encode(list(value)).hex(),
        }

    encoded = epoch.encode()
    return [
        *proofs,
        bad("another size", encoded, size + 1, root, index, path),
        bad("another origin", encoded, size, root, index, path, origin=entries[3].origin),
        bad("index is true", encoded, size, root, True, path),
        bad("index outside the map", encoded, size, root, 5, path),
        bad("epoch is true", cbor.encode([True, tree.root, 5, 0]), size, root, index, path),
        bad("epoch 0", cbor.encode([0, tree.root, 5, 0]), size, root, index, path),
    ]


if __name__ == "__main__":
    write(__file__, files())
