"""No parser works more than linearly: hostile inputs are doubled twice and the work is counted, never timed.

How it is counted stands in tests/fuzz/work_counting.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fuzz_targets as targets
import pytest
from work_counting import grows_linearly

from carbonseal_attest import cbor
from carbonseal_attest.bundle import write_bundle
from carbonseal_attest.tiles import encode_entries


def bundle_of(members: int, size: int = 1) -> bytes:
    out = io.BytesIO()
    write_bundle(((f"packages/A@1/{n}", b"x" * size) for n in range(members)), out)
    return out.getvalue()


TEXT_LINES: dict[str, Callable[[int], bytes]] = {
    "lines": lambda n: b"a\n" * n,
    "empty lines": lambda n: b"\n" * n,
    "one long line": lambda n: b"a" * n,
    "spaces": lambda n: b" " * n,
    "quotes": lambda n: b'"' * n,
    "opening brackets": lambda n: b"[" * n,
    "pairs of brackets": lambda n: b"[]" * n,
    "backslashes": lambda n: b"\\" * n,
    "signature lines": lambda n: b"a\n1\n\n" + "\u2014 a AAAAAAA=\n".encode() * n,
    "one long signature": lambda n: b"a\n\n" + "\u2014 a ".encode() + b"AAAA" * n + b"\n",
    "one long name": lambda n: b"a\n\n" + "\u2014 ".encode() + b"a" * n + b" AAAAAAA=\n",
    "extension lines": lambda n: b"a\n1\n" + b"A" * 43 + b"=\n" + b"x\n" * n,
    "policy comments": lambda n: b"# a b c\n" * n,
    "one long policy line": lambda n: b"group g any " + b"a " * n + b"\n",
    "policy groups": lambda n: b"".join(b"group g%d any w\n" % i for i in range(n)),
    "tables": lambda n: b"[[log]]\norigin = 'a'\n" * n,
    "dotted keys": lambda n: b"".join(b"a.b%d = 1\n" % i for i in range(n)),
    "inline tables": lambda n: b"a = [" + b"{b = 1}," * n + b"]\n",
    "JSON integers": lambda n: b"[" + b"1," * n + b"1]",
    "JSON objects": lambda n: b"[" + b'{"a":1},' * n + b"1]",
    "JSON map": lambda n: b'{"$map":[' + b",".join(b"[%d,0]" % i for i in range(n)) + b"]}",
}
BYTES: dict[str, Callable[[int], bytes]] = {
    "zeros": bytes,
    "ones": lambda n: b"\xff" * n,
    "array of integers": lambda n: cbor.encode([0] * n),
    "array of texts": lambda n: cbor.encode(["a"] * n),
    "array of empty arrays": lambda n: cbor.encode([[]] * n),
    "map of texts": lambda n: cbor.encode({f"{i:06d}": i for i in range(n)}),
    "map of integers": lambda n: cbor.encode(dict.fromkeys(range(n), 0)),
    "map in reverse": lambda n: b"\xb9" + n.to_bytes(2, "big") + b"".join(
        cbor.encode(i) + b"\x00" for i in reversed(range(n))
    ),
    "map with long keys": lambda n: b"\xa2" + cbor.encode("a" * n) + b"\x00" + cbor.encode("b" * n) + b"\x00",
    "indefinite array": lambda n: b"\x9f" + b"\x00" * n + b"\xff",
    "indefinite string": lambda n: b"\x5f" + b"\x41a" * n + b"\xff",
    "indefinite map": lambda n: b"\xbf" + b"".join(cbor.encode(i) + b"\x00" for i in range(n)) + b"\xff",
    "sixteen deep": lambda n: b"\x82" + (b"\x81" * 14 + b"\x00") + b"\x98\xff" + b"\x81" * n,
    "tags": lambda n: b"\xc1" * n + b"\x00",
    "one long string": lambda n: cbor.encode(bytes(n)),
    "a promise of items": lambda n: b"\x9b" + b"\xff" * 8 + b"\x00" * n,
    "entries": lambda n: encode_entries([bytes(n)] * 9),
    "empty entries": lambda n: b"\x00\x00" * n,
    "RLP strings": lambda n: b"\xf9" + n.to_bytes(2, "big") + b"\x01" * n,
    "RLP lists": lambda n: b"\xc0" * n,
    "RLP nested": lambda n: b"\xf8\xff" * n,
    "bundle of members": bundle_of,
    "bundle of one large member": lambda n: bundle_of(1, n * 10),
    "bundle members as a map": lambda n: cbor.encode({f"packages/A@1/{i}": b"x" for i in range(n)}),
}  # fmt: skip
PARSERS = [parse for group in targets.PARSERS.values() for parse in group]


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
def test_work_grows_no_faster_than_the_input(parse: Callable[[bytes], Any]) -> None:
    slow = [name for name, build in (TEXT_LINES | BYTES).items() if not grows_linearly(parse, build)]
    assert slow == []


def test_counting_finds_what_is_quadratic() -> None:
    def scans_again(data: bytes) -> None:
        for at in range(len(data)):
            for _ in range(at):
                pass

    def copies_the_rest(data: bytes) -> None:
        at = 0
        while data[at:]:
            at += 1

    assert not grows_linearly(scans_again, bytes)
    assert not grows_linearly(copies_the_rest, bytes)
    assert grows_linearly(lambda data: [None for _ in data], bytes)
