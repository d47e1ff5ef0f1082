"""Writes `cbor.json`, deterministic CBOR and what is refused, and `json-view.json`, its JSON view."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.json_view import to_json_view


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {
        "cbor.json": document(__file__, "cbor.md", _cbor()),
        "json-view.json": document(__file__, "json-view.md", _json_views()),
    }


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
        "a byte string as a key": "a1416b00",
        "text key before an integer key": "a26161000100",
        "true as a key": "a1f500",
        "shorter key first, as RFC 7049 sorts: -1 before 255": "a2200018ff00",
        "shorter key first, as RFC 7049 sorts: -70000 before 2^32": "a23a0001116f021b000000010000000001",
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
        "a negative key after a longer non-negative one": {255: 0, 1 << 32: 0, -1: 0, -256: 0},
        "integer keys before text keys": {1: 0, 1 << 32: 0, -1: 0, "": 0, "a": 0, "aa": 0},
        "text keys by length in UTF-8": {"z": 0, "é": 0, "aaa": 0, "水": 0},
        "a map with one of everything": {
            "array": [0, -1, True, False, None],
            "bytes": b"\x00\xff",
            "text": "kW.h",
            "map": {1: {}, "$": []},
            "integers that JSON readers round": [1 << 53, -(1 << 53), (1 << 64) - 1],
        },
        "sixteen nested arrays": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],
    }
    made = [{"desc": desc, "want_error": "encoding-invalid", "cbor": data} for desc, data in refused.items()]
    return [
        *(
            {
                "desc": desc,
                "want_error": None,
                "cbor": cbor.encode(value).hex(),
                "json_view": to_json_view(value),
            }
            for desc, value in good.items()
        ),
        *made,
    ]


def _json_views() -> list[Vector]:
    good: dict[str, tuple[str, Any]] = {
        "plain JSON": ('{"a":[1,-1,true,false,null,"x"]}', {"a": [1, -1, True, False, None, "x"]}),
        "bytes": ('{"$bytes":"00ff"}', b"\x00\xff"),
        "no bytes": ('{"$bytes":""}', b""),
        "greatest integer that stands plainly": ("9007199254740991", (1 << 53) - 1),
        "integer beyond": ('{"$integer":"9007199254740992"}', 1 << 53),
        "least integer": ('{"$integer":"-18446744073709551616"}', -(1 << 64)),
        "integer keys": ('{"$map":[[1,"a"],[-1,"b"]]}', {1: "a", -1: "b"}),
        "a text key that begins with a dollar": ('{"$map":[["$bytes",""]]}', {"$bytes": ""}),
        "members in another order": ('{"aa":1,"b":2}', {"b": 2, "aa": 1}),
        "an empty map": ("{}", {}),
    }
    refused = {
        "a float": "1.0",
        "a float without a point": "1e2",
        "not a number": "NaN",
        "an integer beyond 2^53 - 1": "9007199254740992",
        "a $integer that stands plainly": '{"$integer":"1"}',
        "a $integer with a leading zero": '{"$integer":"09007199254740992"}',
        "a $integer of 65 bits": '{"$integer":"18446744073709551616"}',
        "$bytes in upper case": '{"$bytes":"FF"}',
        "$bytes of half a byte": '{"$bytes":"f"}',
        "$bytes beside another member": '{"$bytes":"","a":1}',
        "an unknown name with a dollar": '{"$float":"1.0"}',
        "a $map that could be an object": '{"$map":[["a",1]]}',
        "an empty $map": '{"$map":[]}',
        "a $map out of order": '{"$map":[[-1,0],[1,0]]}',
        "a $map with a key twice": '{"$map":[[1,0],[1,0]]}',
        "a $map with a key of bytes": '{"$map":[[{"$bytes":"00"},0]]}',
        "a $map with a key true": '{"$map":[[true,0]]}',
        "a member twice": '{"a":1,"a":1}',
        "half of a surrogate pair": '"\\ud800"',
        "text after the value": "1 1",
        "no JSON": "{",
        "seventeen nested arrays": "[" * 17 + "]" * 17,
    }
    return [
        *(
            {"desc": desc, "want_error": None, "json": text, "cbor": cbor.encode(value).hex()}
            for desc, (text, value) in good.items()
        ),
        *({"desc": desc, "want_error": "encoding-invalid", "json": text} for desc, text in refused.items()),
    ]


if __name__ == "__main__":
    write(__file__, files())
