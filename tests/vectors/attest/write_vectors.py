"""Writes the vectors of this folder: `python tests/vectors/attest/write_vectors.py`.

Everything is fixed (keys, salts, instants), so that a second run writes the same bytes; a test compares. Each
file has `format` (the page of docs/spec that defines it), `source` and `vectors`, each with `desc`,
`want_error` (null, or the stable code of the refusal), the input and, where it is good, what it means. Bytes
are hex.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

import example_contents as example  # noqa: E402

from carbonseal_attest import cbor  # noqa: E402
from carbonseal_attest.bundle import write_bundle  # noqa: E402
from carbonseal_attest.bundle_layout import EvidenceBundle, LogSection, to_members  # noqa: E402
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint  # noqa: E402
from carbonseal_attest.contents import KINDS  # noqa: E402
from carbonseal_attest.epoch import EpochMap, MapEntry  # noqa: E402
from carbonseal_attest.merkle import Frontier, inclusion_path, leaf_hash, root_of  # noqa: E402
from carbonseal_attest.receipt import make_receipt  # noqa: E402
from carbonseal_attest.statement import SignedStatement, sign_statement  # noqa: E402

SOURCE: Final = "made by tests/vectors/attest/write_vectors.py from the attest room; keys are public examples"
Vector = dict[str, Any]


def statement(sequence: int = 0, previous: bytes | None = None, kind: str = "readings") -> SignedStatement:
    """The example statement of `kind` at `sequence` of its stream."""
    return sign_statement(
        example.key("device"),
        kind=kind,
        issuer=example.PARTY,
        subject=example.METER,
        issued_at=example.INTERVAL[1] // 1000,
        origin=example.DATA,
        stream=f"{kind}/{example.METER}",
        sequence=sequence,
        previous=previous,
        interval=example.INTERVAL if KINDS[kind].has_interval else None,
        checkpoint=(17, example.digest("root")),
        content=example.content(kind),
    )


def statements(count: int) -> list[SignedStatement]:
    """A stream of `count` example statements."""
    made = [statement()]
    while len(made) < count:
        made.append(statement(len(made), made[-1].digest))
    return made


def files() -> dict[str, str]:
    """The text of each file of vectors, by name."""
    made = {
        "keys.json": ("statement.md", _keys()),
        "cbor.json": ("statement.md", _cbor()),
        "statement.json": ("statement.md", _statements()),
        "content.json": ("contents.md", _contents()),
        "checkpoint.json": ("log.md", _checkpoints()),
        "receipt.json": ("log.md", _receipts()),
        "epoch.json": ("epochs-and-anchor.md", _epochs()),
        "bundle.json": ("bundle.md", _bundles()),
    }
    return {
        name: json.dumps(
            {"format": f"docs/spec/{page}", "source": SOURCE, "vectors": vectors},
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
        for name, (page, vectors) in made.items()
    }


def read_vectors(name: str) -> list[Vector]:
    """The vectors of one file, as it is stored."""
    stored: list[Vector] = json.loads((FOLDER / name).read_text(encoding="utf-8"))["vectors"]
    return stored


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


def _bad(desc: str, data: bytes, code: str = "malformed-statement") -> Vector:
    return {"desc": desc, "want_error": code, "statement": data.hex()}


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
        _bad("deprecated algorithm -8", with_labels(alg=-8)),
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


def _sign1(
    protected: bytes, payload: bytes | None, signature: bytes, unprotected: dict[int, Any] | None = None
) -> bytes:
    return b"\xd2" + cbor.encode([protected, unprotected or {}, payload, signature])


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


def _checkpoints() -> list[Vector]:
    signer = example.key("log host")
    checkpoint = Checkpoint(example.DATA, 17, example.digest("root"))
    note = sign_checkpoint(checkpoint, signer)

    def vector(desc: str, text: str, code: str | None = "note-invalid") -> Vector:
        public = signer.public.raw.hex()
        return {"desc": desc, "want_error": code, "origin": example.DATA, "public": public, "note": text}

    return [
        {
            **vector("a checkpoint", note, None),
            "tree_size": 17,
            "root_hash": checkpoint.root_hash.hex(),
        },
        vector("unknown signatures are ignored", note + "\u2014 other.example AAAAAAAA\n", None),
        vector("of another log", note.replace("/data", "/register")),
        vector("size with a leading zero", note.replace("\n17\n", "\n017\n")),
        vector("size in digits of another script", note.replace("\n17\n", "\n\u0661\u0667\n")),
        vector("an extension line", note.replace("\n\n", "\nextension\n\n")),
        vector("signature line with a plus in the name", note + "\u2014 a+b AAAAAAAA\n"),
        vector("base64 with spare bits set", note + "\u2014 other AAAAAAB=\n"),
        vector("another size under the same signature", note.replace("\n17\n", "\n18\n")),
        vector("no signature", checkpoint.text()),
    ]


def _receipts() -> list[Vector]:
    made = statements(5)
    leaves = [leaf_hash(s.raw) for s in made]
    signer, index = example.key("log host"), 3

    def node(level: int, at: int) -> bytes:
        return root_of(leaves[at << level : (at + 1) << level])

    path, root = inclusion_path(index, 5, node), root_of(leaves)
    receipt = make_receipt(
        signer, log_host="h-examplehost", origin=example.DATA, tree_size=5, index=index, path=path, root=root
    )

    def vector(
        desc: str, data: bytes, code: str | None = "proof-invalid", entry: bytes = made[3].raw
    ) -> Vector:
        return {
            "desc": desc,
            "want_error": code,
            "receipt": data.hex(),
            "entry": entry.hex(),
            "origin": example.DATA,
            "public": signer.public.raw.hex(),
        }

    protected, _, _, signature = cbor.decode(receipt[1:])

    def with_proof(*proof: Any) -> bytes:
        parts = [protected, {396: {-1: [cbor.encode(list(proof))]}}, None, signature]
        return b"\xd2" + cbor.encode(parts)

    return [
        {
            **vector("entry 3 in a tree of 5", receipt, None),
            "tree_size": 5,
            "index": index,
            "root_hash": root.hex(),
        },
        vector("another entry", receipt, "signature-invalid", made[2].raw),
        vector("the proof's size is not the signed one", with_proof(6, index, path)),
        vector("another index", with_proof(5, 2, path), "signature-invalid"),
        vector("index is false", with_proof(5, False, path)),
        vector("a path too short", with_proof(5, index, path[:-1])),
        vector("a path with a hash too many", with_proof(5, index, [*path, bytes(32)])),
        vector("one bit of the signature", receipt[:-1] + bytes([receipt[-1] ^ 1]), "signature-invalid"),
    ]


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


def example_bundle() -> EvidenceBundle:
    """A tiny bundle: its form is right, its evidence is not complete enough for a check to pass."""
    made = statements(3)
    leaves = [leaf_hash(s.raw) for s in made]
    host = example.key("log host")
    head = Checkpoint(example.DATA, 3, root_of(leaves))
    tree = EpochMap([MapEntry(example.DATA, 3, head.root_hash)])
    epochs = [b"\xd2genesis", tree.close(1, example.INTERVAL[1]).encode()]
    log_of_logs = Checkpoint(f"{example.HOST}/epochs", 2, root_of([leaf_hash(e) for e in epochs]))
    prefix = Frontier().extend(leaves[:1])
    note = sign_checkpoint(head, host)
    return EvidenceBundle(
        report_digest=example.digest("report"),
        operator=example.PARTY,
        registrar="r-exampleregistrar",
        log_host="h-examplehost",
        period=(example.PERIOD["start"], example.PERIOD["end"]),
        time_zone="Asia/Shanghai",
        logs={example.DATA: LogSection(example.DATA, 1, 3, prefix, note, tuple(s.raw for s in made[1:]))},
        log_of_logs_checkpoint=sign_checkpoint(log_of_logs, host),
        log_of_logs_entries=epochs,
        maps={example.DATA: {1: tree.prove(example.DATA)}},
        contents={made[0].payload: example.content("readings")},
        packages={"EXAMPLE@1.0.0": {"method.toml": b'id = "EXAMPLE"\n'}},
        report_json=b"{}\n",
    )


def _bundles() -> list[Vector]:
    out = io.BytesIO()
    members = to_members(example_bundle())
    write_bundle(members, out)
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
    for file_name, text in files().items():
        (FOLDER / file_name).write_text(text, encoding="utf-8")
