"""Writes `content.json`: an example of every kind of content, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"content.json": document(__file__, "contents.md", _contents())}


def _contents() -> list[Vector]:
    good = [
        {
            "desc": f"example of {kind}",
            "want_error": None,
            "kind": kind,
            "version": KINDS[kind].version,
            "content": example.content(kind).hex(),
        }
        for kind in KINDS
    ]
    envelope = cbor.decode(example.content("readings"))
    body = envelope["body"]
    series = body["series"][0]

    def bad(desc: str, **changes: Any) -> Vector:
        return {
            "desc": desc,
            "want_error": "content-invalid",
            "content": cbor.encode({**envelope, **changes}).hex(),
        }

    def bad_series(desc: str, **changes: Any) -> Vector:
        return bad(desc, body={"series": [{**series, **changes}]})

    return [
        *good,
        bad("unknown field", note="x"),
        bad("unknown kind", kind="reading"),
        bad("another version", version=2),
        bad("version is true", version=True),
        bad("no salt", salt=b""),
        bad("no interval", interval=None),
        bad("a series twice", body={"series": [series, series]}),
        bad_series("a run of 10^18 readings", times=[0, [[0, 10**18]]]),
        bad_series("two runs that are one", times=[series["times"][0], [[900_000, 1], [900_000, 2]]]),
        bad_series("a scale larger than needed", scale=3, values=[5_124_000, 5_132_500, None, 5_140_000]),
        bad_series("a value is true", values=[True, 0, None, 0]),
        bad_series("fewer values than times", values=[1]),
        bad_series("quality of fewer readings", quality=[["good", "", 1]]),
        bad_series("right-to-left override in the unit", unit="kW\u202eh"),
        {
            **bad("readings after the interval", interval=[example.INTERVAL[0], example.INTERVAL[0] + 1]),
            "want_error": "content-contradicts-header",
        },
    ]


if __name__ == "__main__":
    write(__file__, files())
