"""Writes `statement.json`, signed statements, and `transparent.json`, the same with their receipts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from example_statements import statements
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.cose import join_sign1
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import make_receipt


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {
        "statement.json": document(__file__, "statement.md", _statements()),
        "transparent.json": document(__file__, "transparent-statement.md", _transparent()),
    }


def _bad(desc: str, data: bytes, code: str = "malformed-statement") -> Vector:
    return {"desc": desc, "want_error": code, "statement": data.hex()}


def _sign1(
    protected: bytes, payload: bytes | None, signature: bytes, unprotected: dict[int, Any] | None = None
) -> bytes:
    return b"\xd2" + cbor.encode([protected, unprotected or {}, payload, signature])


def _statements() -> list[Vector]:
    first, second = statements(2)
    good = [
        {
            "desc": desc,
            "want_error": None,
            "statement": made.raw.hex(),
            "digest": made.digest.hex(),
            "leaf_hash": leaf_hash(made.raw).hex(),
            "content": example.content("readings").hex(),
            "public": example.key("device").public.raw.hex(),
        }
        for desc, made in (("first of its stream", first), ("second of its stream", second))
    ]
    protected, payload, signature = first.protected, first.payload, first.signature
    labels = cbor.decode(protected)

    def with_labels(**changes: Any) -> bytes:
        numbers = {"alg": 1, "kid": 4, "iss": 15, "typ": 16, "sequence": -70003, "previous": -70004}
        numbers |= {
            "interval": -70005,
            "checkpoint": -70006,
            "content_type": 259,
            "other": 3,
            "origin": -70001,
        }
        changed = {**labels, **{numbers[name]: value for name, value in changes.items()}}
        changed = {label: value for label, value in changed.items() if value is not None}
        return _sign1(cbor.encode(changed), payload, signature)

    bad = [
        _bad("no tag", first.raw[1:]),
        _bad("tag 98", b"\xd8\x62" + first.raw[1:]),
        _bad("bytes after the end", first.raw + b"\x00"),
        _bad("empty protected header", _sign1(b"", payload, signature)),
        _bad("something in the unprotected header", _sign1(protected, payload, signature, {4: b"k"})),
        _bad("payload of 31 bytes", _sign1(protected, payload[:31], signature)),
        _bad("detached payload", _sign1(protected, None, signature)),
        _bad("label 3 beside 259", with_labels(other="text/plain")),
        _bad("unknown algorithm -6", with_labels(alg=-6)),
        {
            **_bad("legacy algorithm -8, not admitted", with_labels(alg=-8), "algorithm-refused"),
            "public": example.key("device").public.raw.hex(),
        },
        {
            **_bad("algorithm of another key type", with_labels(alg=-9), "algorithm-refused"),
            "public": example.key("device").public.raw.hex(),
        },
        _bad("no kid", with_labels(kid=None)),
        _bad("sequence is true", with_labels(sequence=True)),
        _bad("previous at sequence 0", with_labels(previous=bytes(32))),
        _bad("no previous at sequence 1", with_labels(sequence=1)),
        _bad("interval empty", with_labels(interval=[5, 5])),
        _bad("issuer is a name", with_labels(iss={1: "Example works", 2: "m-1", 6: 1})),
        _bad("a fourth claim", with_labels(iss={**labels[15], 7: b"id"})),
        _bad("upper case in the origin", with_labels(origin="Log.example.org/e-x/data")),
        _bad(
            "version in digits of another script",
            with_labels(content_type="application/vnd.carbonseal.readings.v1\u0661+cbor"),
        ),
        {
            **_bad(
                "one bit of the signature", first.raw[:-1] + bytes([first.raw[-1] ^ 1]), "signature-invalid"
            ),
            "public": example.key("device").public.raw.hex(),
        },
        {
            **_bad("another key than kid names", first.raw, "signature-invalid"),
            "public": example.key("party").public.raw.hex(),
        },
    ]
    return [*good, *bad]


def _transparent() -> list[Vector]:
    made = statements(6)
    leaves, host, statement = [leaf_hash(s.raw) for s in made], example.key("log host"), made[3]

    def receipt(size: int, index: int = 3, origin: str = example.DATA, signer: Any = host) -> bytes:
        def node(level: int, at: int) -> bytes:
            return root_of(leaves[at << level : (at + 1) << level])

        return make_receipt(
            signer, log_host="h-examplehost", origin=origin, tree_size=size, index=index,
            path=inclusion_path(index, size, node), root=root_of(leaves[:size]),
        )  # fmt: skip

    def under(unprotected: dict[int | str, Any]) -> bytes:
        return join_sign1(statement.protected, unprotected, statement.payload, statement.signature)

    def vector(
        desc: str, data: bytes, size: int | None = None, code: str | None = None, **more: Any
    ) -> Vector:
        given = {"transparent_statement": data.hex(), "origin": example.DATA}
        keys = {"public": example.key("device").public.text(), "log_public": host.public.text()}
        meaning: Vector = {}
        if size is not None:
            root = root_of(leaves[:size]).hex()
            meaning = {"statement": statement.raw.hex(), "index": 3, "tree_size": size, "root_hash": root}
        return {"desc": desc, "want_error": code, **given, **keys, **meaning, **more}

    good, later, elsewhere = receipt(5), receipt(6), receipt(5, origin=example.REGISTER)
    stranger = receipt(5, signer=example.key("party"))
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    bad = "malformed-statement"
    return [
        vector("one receipt", under({394: [good]}), 5),
        vector("two receipts: the first counts", under({394: [later, good]}), 6),
        vector(
            "receipts of another log and key are left aside", under({394: [elsewhere, stranger, good]}), 5
        ),
        vector("a bad receipt after a good one", under({394: [good, flipped]}), code="signature-invalid"),
        vector("no receipt of a known log", under({394: [elsewhere, stranger]}), code="proof-invalid"),
        vector("by another key", under({394: [good]}), code="signature-invalid", public=host.public.text()),
        vector("no receipts", statement.raw, code=bad),
        vector("an empty list of receipts", under({394: []}), code=bad),
        vector("something beside the receipts", under({394: [good], 4: b"k"}), code=bad),
        vector("a receipt that is none", under({394: [statement.raw]}), code="proof-invalid"),
        vector("a receipt of another entry", under({394: [receipt(5, 2)]}), code="signature-invalid"),
    ]


if __name__ == "__main__":
    write(__file__, files())
