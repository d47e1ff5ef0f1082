"""Writes `epoch.json`: epoch entries, proofs of heads and of absence, whole maps, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash, root_of


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"epoch.json": document(__file__, "epochs-and-anchor.md", [*_epochs(), *_absences(), *_maps()])}


def _heads() -> list[MapEntry]:
    return [
        MapEntry(f"{example.HOST}/e-{c * 2}/data", n + 1, example.digest(c)) for n, c in enumerate("abcde")
    ]


def _epochs() -> list[Vector]:
    entries = _heads()
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


def _absences() -> list[Vector]:
    tree = EpochMap(_heads())
    epoch = tree.close(1, example.INTERVAL[1])

    def vector(desc: str, origin: str, value: Any, code: str | None = "proof-invalid") -> Vector:
        return {
            "desc": desc,
            "want_error": code,
            "epoch_entry": epoch.encode().hex(),
            "origin": origin,
            "absence_proof": cbor.encode(value).hex(),
        }

    def absent(name: str) -> tuple[str, Any]:
        origin = f"{example.HOST}/{name}/data"
        return origin, tree.prove_absent(origin).to_value()

    first, middle, last = absent("e-a"), absent("e-bc"), absent("e-zz")
    sides = [[e.origin, *tree.prove(e.origin).to_value()] for e in _heads()]
    moved = [*sides[1][:3], 2, sides[1][4]]
    return [
        vector("absent before all", *first, None),
        vector("absent between two", *middle, None),
        vector("absent after all", *last, None),
        vector("present, its neighbours shown", _heads()[2].origin, [sides[1], sides[3]]),
        vector("present, and itself the neighbour before", _heads()[2].origin, [sides[2], sides[3]]),
        vector("present, and itself the neighbour after", _heads()[2].origin, [sides[1], sides[2]]),
        vector("neighbours that are not next to each other", middle[0], [sides[0], sides[2]]),
        vector("neighbours exchanged", middle[0], [sides[2], sides[1]]),
        vector("place claimed before all", middle[0], [None, sides[0]]),
        vector("place claimed after all", middle[0], [sides[4], None]),
        vector("no neighbour after, none at the end", middle[0], [sides[1], None]),
        vector("no neighbour before, none at the beginning", middle[0], [None, sides[2]]),
        vector("neighbour with another index", middle[0], [moved, sides[3]]),
        vector("no neighbours", middle[0], [None, None]),
        vector("one neighbour only", middle[0], [sides[1]]),
    ]


def _maps() -> list[Vector]:
    heads = _heads()

    def vector(desc: str, entries: list[MapEntry], code: str | None = "proof-invalid") -> Vector:
        leaves = [entry.encode() for entry in entries]
        root = root_of([leaf_hash(leaf) for leaf in leaves])
        epoch = cbor.encode([1, root, max(1, len(leaves)), example.INTERVAL[1]])
        return {
            "desc": desc,
            "want_error": code,
            "epoch_entry": epoch.hex(),
            "map_entries": [leaf.hex() for leaf in leaves],
        }

    again = MapEntry(heads[1].origin, 9, example.digest("fork"))
    return [
        vector("a whole map", heads, None),
        vector("whole map, not sorted", heads[::-1]),
        vector("whole map, two heads for one origin", [*heads[:2], again, *heads[2:]]),
        vector("whole map, one head twice", [*heads[:2], heads[1], *heads[2:]]),
        vector("whole map of nothing", []),
        {
            **vector("whole map, an entry left out", heads[1:]),
            "epoch_entry": vector("", heads)["epoch_entry"],
        },
    ]


if __name__ == "__main__":
    write(__file__, files())
