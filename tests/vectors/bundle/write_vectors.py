"""Writes `bundle.json`: a tiny evidence bundle, and damaged ones."""

from __future__ import annotations

import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from example_statements import example_bundle
from vector_files import Vector, document, write

from carbonseal_attest.bundle import write_bundle
from carbonseal_attest.bundle_layout import to_members


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"bundle.json": document(__file__, "bundle.md", _bundles())}


def _bundles() -> list[Vector]:
    out = io.BytesIO()
    members = dict(to_members(example_bundle()))
    write_bundle(members.items(), out)
    data = out.getvalue()

    def bad(desc: str, changed: bytes) -> Vector:
        return {"desc": desc, "want_error": "bundle-invalid", "bundle": changed.hex()}

    return [
        {
            "desc": "a bundle of one log with two entries",
            "want_error": None,
            "bundle": data.hex(),
            "members": {name: member.hex() for name, member in members.items()},
        },
        bad("version is true", data.replace(b"carbonseal-bundle\x01", b"carbonseal-bundle\xf5", 1)),
        bad("one bit of the trailer", data[:-1] + bytes([data[-1] ^ 1])),
        bad("a byte after the trailer", data + b"\x00"),
        bad("cut off", data[:-1]),
        bad("a member changed", data.replace(b'id = "EXAMPLE"', b'id = "EXAMPLF"', 1)),
    ]


if __name__ == "__main__":
    write(__file__, files())
