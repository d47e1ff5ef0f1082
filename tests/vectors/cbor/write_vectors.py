"""Writes `cbor.json`: deterministic CBOR, and encodings that are refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vector_files import Vector, document, write

from carbonseal_attest import cbor


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"cbor.json": document(__file__, "statement.md", _cbor())}


def _cbor() -> list[Vector]:
    refused = {
        "float": "f93c00",
        "tag (epoch time)": "c100",
        "tag (shared value), which could unfold": "d81c80",
        "integer not in its shortest form": "1800",
        "length not in its shortest form": "580100",
        "indefinite array": "9fff",
        "keys not sorted": "a2616201616101",
        "key twice": "a2616101616102",
        "keys of two types": "a201006100" + "00",
        "true as a key": "a1f500",
        "negative key before a longer non-negative one": "a2200018ff00",
        "negative key of 5 bytes before a non-negative one of 9": "a23a0001116f021b000000010000000001",
        "undefined": "f7",
        "simple value": "f0",
        "text that is not UTF-8": "61ff",
        "half of a surrogate pair": "63eda080",
        "bytes after the value": "0000",
        "cut off": "8201",
        "nothing": "",
        "seventeen nested arrays": "81" * 17 + "00",
    }
    good: dict[str, Any] = {
        "whole numbers": [0, 23, 24, 255, 256, 65_536, (1 << 64) - 1, -1, -(1 << 64)],
        "keys sorted by their bytes": {"b": 1, "aa": 2},
        "integer keys": {1: 0, 258: 0, -70_001: 0},
        "short integer keys": {1: 0, 23: 0, -1: 0, -2: 0},
    }
    made = [{"desc": desc, "want_error": "encoding-invalid", "cbor": data} for desc, data in refused.items()]
    return [
        *(
            {"desc": desc, "want_error": None, "cbor": cbor.encode(value).hex()}
            for desc, value in good.items()
        ),
        *made,
    ]


if __name__ == "__main__":
    write(__file__, files())
