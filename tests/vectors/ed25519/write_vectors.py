"""Writes `keys.json`: the example keys, their key identifiers and a signature of each."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"keys.json": document(__file__, "statement.md", _keys())}


def _keys() -> list[Vector]:
    return [
        {
            "desc": f"example key of the {name}",
            "want_error": None,
            "name": name,
            "seed": example.key(name).seed.hex(),
            "public": example.key(name).public.raw.hex(),
            "kid": example.key(name).public.kid.hex(),
        }
        for name in ("device", "party", "log host", "registrar")
    ]


if __name__ == "__main__":
    write(__file__, files())
