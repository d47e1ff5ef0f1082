"""Writes `bundle.json`: a tiny evidence bundle, one of two reports, and damaged ones."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from example_statements import example_bundle
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.bundle import write_bundle
from carbonseal_attest.bundle_layout import EvidenceBundle, to_members

ENTRIES = f"entries/{example.DATA}/000000"


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"bundle.json": document(__file__, "bundle.md", _bundles())}


def _bundles() -> list[Vector]:
    bundle = example_bundle()
    (report,) = bundle.reports
    earlier = replace(
        report,
        digest=example.digest("earlier report"),
        period=(report.period[0] - 86_400_000, report.period[0]),
        report_pdf=b"%PDF-1.4\n",
    )
    return [
        _good("a bundle of one log with two entries", bundle),
        _good("two reports, one with a rendering", replace(bundle, reports=(earlier, report))),
        *_damaged_files(_whole(_members(bundle))),
        *_damaged_members(_members(bundle)),
    ]


def _damaged_files(data: bytes) -> list[Vector]:
    """What the container refuses, whatever its members mean."""
    body = data[:-34]
    first, second = {"a": _row(b"x")}, {"b": _row(b"y")}
    head = cbor.encode(["carbonseal-bundle", 1])
    doubled = b"\xa2" + 2 * (cbor.encode("a") + cbor.encode(_row(b"x")))
    unsorted = b"\xa2" + b"".join(cbor.encode(row)[1:] for row in (second, first))
    both = cbor.encode(first | second)
    return [
        _bad("version is true", data.replace(b"carbonseal-bundle\x01", b"carbonseal-bundle\xf5", 1)),
        _bad("another version", _mended(body.replace(b"carbonseal-bundle\x01", b"carbonseal-bundle\x02", 1))),
        _bad("one bit of the trailer", data[:-1] + bytes([data[-1] ^ 1])),
        _bad("a byte after the trailer", data + b"\x00"),
        _bad("two bundles in a file", data + data),
        _bad("cut off", data[:-1]),
        _bad("cut off before the trailer", body),
        _bad("nothing", b""),
        _bad("a member changed", data.replace(b'id = "EXAMPLE"', b'id = "EXAMPLF"', 1)),
        _bad("a member changed, trailer mended", _mended(body.replace(b'"EXAMPLE"', b'"EXAMPLF"', 1))),
        _bad("a manifest that claims 2^64 - 1 members", head + b"\xbb" + b"\xff" * 8),
        _bad("a manifest that claims 200001 members", head + b"\xba" + (200_001).to_bytes(4, "big")),
        _bad("a member of 64 MiB and one byte", head + cbor.encode({"a": [(64 << 20) + 1, bytes(32)]})),
        _bad("a manifest without a member", _mended(head + b"\xa0")),
        _bad("a manifest that names a member twice", _mended(head + doubled + b"\x41x\x41x")),
        _bad("a manifest out of order", _mended(head + unsorted + b"\x41y\x41x")),
        _bad("members in another order than the manifest", _mended(head + both + b"\x41y\x41x")),
        _bad("a member too many", _mended(head + cbor.encode(first) + b"\x41x\x41y")),
        _bad("a length in more bytes than it needs", _mended(head + cbor.encode(first) + b"\x58\x01x")),
        *(
            _bad(f"a member of the name {name!r}", _mended(head + cbor.encode({name: _row(b"x")}) + b"\x41x"))
            for name in ("", "/a", "a/", "a//b", "../a", "a/./b", ".a", "a b", "a\\b", "a" * 241)
        ),
    ]


def _damaged_members(members: dict[str, bytes]) -> list[Vector]:
    """What reads as a container, and is no bundle."""
    subject, logs = cbor.decode(members["subject"]), cbor.decode(members["logs"])
    head, (report,) = cbor.decode(members["log-of-logs"]), subject["reports"]
    entries = cbor.decode(members[ENTRIES])
    empty = {**report["period"], "end": report["period"]["start"]}

    def changed(desc: str, **changes: Any) -> Vector:
        made = {**members, **{name: cbor.encode(value) for name, value in changes.items()}}
        return _bad(desc, _whole({n: d for n, d in made.items() if d != b"\xf6"}))

    return [
        *(
            changed(f"without {name.partition('/')[0]}", **{name: None})
            for name in members
            if _is_needed(name)
        ),
        changed("a member that no bundle has", **{"trust.toml": b"x"}),
        changed("a report listed twice", subject={**subject, "reports": [report, report]}),
        changed("no report", subject={**subject, "reports": []}),
        changed("an empty period", subject={**subject, "reports": [{**report, "period": empty}]}),
        changed("a report that is not listed", **{f"reports/{bytes(32).hex()}.json": b"{}"}),
        changed("a log listed twice", logs=logs * 2),
        changed("entries of a log that is not listed", **{f"entries/{example.REGISTER}/000000": [b"x"]}),
        changed("an entry left out", **{ENTRIES: entries[:1]}),
        changed("entries cut in another way", **{ENTRIES: entries[:1], ENTRIES[:-1] + "1": entries[1:]}),
        changed("a hole in the numbers of entries", **{ENTRIES[:-1] + "2": entries}),
        changed("contents that are not sorted", **{"contents/000000": [b"one", b"two", b"three", b"four"]}),
        changed("a cosigner that is no verifier key", **{"log-of-logs": {**head, "cosigners": ["x+y+z"]}}),
        changed("a map of what is no origin", **{"maps/NOWHERE": []}),
    ]


def _is_needed(name: str) -> bool:
    return not name.startswith(("maps/", "packages/", "contents/"))


def _members(bundle: EvidenceBundle) -> dict[str, bytes]:
    return dict(to_members(bundle))


def _whole(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    write_bundle(members.items(), out)
    return out.getvalue()


def _good(desc: str, bundle: EvidenceBundle) -> Vector:
    members = _members(bundle)
    return {
        "desc": desc,
        "want_error": None,
        "bundle": _whole(members).hex(),
        "members": {name: member.hex() for name, member in members.items()},
    }


def _bad(desc: str, data: bytes) -> Vector:
    return {"desc": desc, "want_error": "bundle-invalid", "bundle": data.hex()}


def _mended(data: bytes) -> bytes:
    return data + cbor.encode(hashlib.sha256(data).digest())


def _row(data: bytes) -> list[Any]:
    return [len(data), hashlib.sha256(data).digest()]


if __name__ == "__main__":
    write(__file__, files())
