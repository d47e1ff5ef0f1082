"""Writes the seeds of the fuzz groups from the vectors: `python tests/fuzz/write_corpus.py`.

Small on purpose: good vectors before refused ones, and a limit of bytes for a seed and for a group.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vectors"))

import example_contents as example
import fuzz_targets
from vector_files import FOLDER as VECTORS

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tiles import encode_entries
from carbonseal_attest.tlog_witness import AddCheckpoint
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, Vkey

MAX_SEED = 6_000  # bytes
MAX_SEEDS = 48
MAX_GROUP = 32_000  # bytes
# Which groups read a field of a vector, by its name; texts are taken as UTF-8, everything else is hex.
GROUPS = {
    "cbor": ("cbor", "json"),
    "statement": ("transparent_statement", "statement", "content"),
    "cose": ("message", "receipt", "consistency_receipt", "extended_receipt", "cose_receipt"),
    "note": ("note", "vkey", "checkpoint"),
    "proofs": (
        "epoch_entry",
        "map_proof",
        "map_entry",
        "absence_proof",
        "data",
        "policy",
        "range_proof",
    ),
    "anchor": ("evidence", "header", "account_proof"),
    "bundle": ("bundle",),
}
TEXTS = {"json", "note", "vkey", "checkpoint", "policy"}


def vectors() -> Iterator[dict[str, Any]]:
    """Every vector of ours, those that must be accepted first."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(VECTORS.glob("*/*.json"))]
    found = [vector for file in files for vector in file.get("vectors", [file])]
    yield from sorted(found, key=lambda vector: vector.get("want_error") is not None)


def seeds(group: str) -> list[bytes]:
    """The seeds of a group: short ones first to be kept, in the order in which they were found."""
    found = dict.fromkeys(seed for seed in [*_examples(group), *_fields(group)] if len(seed) <= MAX_SEED)
    made: list[bytes] = []
    for seed in found:
        if len(made) < MAX_SEEDS and sum(map(len, made)) + len(seed) <= MAX_GROUP:
            made.append(seed)
    return made


def _fields(group: str) -> Iterator[bytes]:
    """What the vectors hold for a group."""
    for vector in vectors():
        for name in GROUPS.get(group, ()):
            value = vector.get(name)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str):
                    yield item.encode("utf-8", "replace") if name in TEXTS else bytes.fromhex(item)


def _examples(group: str) -> Iterator[bytes]:
    """What no vector holds as it is: one of each form that the group's parsers read."""
    log_key, device_key = example.key("log host").public, example.key("device").public
    if group == "cose":
        yield cbor.encode(log_key.cose_key())
    elif group == "note":
        yield str(Vkey(example.DATA, ED25519_NOTE, log_key)).encode()
        checkpoint = Checkpoint(example.DATA, 17, example.digest("root"))
        yield checkpoint.text().encode()
        signed = SignedNote.parse(sign_checkpoint(checkpoint, example.key("log host")).encode())
        yield AddCheckpoint(12, (example.digest("a"), example.digest("b")), signed).encode()
        for vector in vectors():
            if "proof" in vector:
                yield bytes.fromhex(vector["proof"])
            if "path" in vector and isinstance(vector["path"], str):
                yield vector["path"].encode()
    elif group == "proofs":
        yield encode_entries([b"one", b"two", b""])
        yield bytes(range(64))
        log, witness = Vkey(example.DATA, ED25519_NOTE, log_key), Vkey("w", ED25519_COSIGNATURE, device_key)
        yield f"log {log}\nwitness w {witness}\ngroup g any w\nquorum g\n".encode()
    elif group == "anchor":
        block = json.loads((VECTORS / "evm" / "proofs.json").read_text(encoding="utf-8"))
        nodes = encode_entries([bytes.fromhex(node) for node in block["account_proof"]])
        yield bytes.fromhex(block["account"]) + nodes
    elif group == "bundle":
        members = next(vector["members"] for vector in vectors() if "members" in vector)
        yield cbor.encode({name: bytes.fromhex(data) for name, data in members.items()})
    elif group == "trust":
        page = (VECTORS.parents[1] / "docs" / "spec" / "trust-file.md").read_text(encoding="utf-8")
        for block in re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
            yield block.encode()
        for path in sorted(VECTORS.glob("*/*.json")):
            file = json.loads(path.read_text(encoding="utf-8"))
            if "vectors" in file:
                yield json.dumps(file | {"vectors": file["vectors"][:1]}).encode()


def main() -> None:
    """Write one file a group: a seed a line, in hex."""
    fuzz_targets.CORPUS.mkdir(exist_ok=True)
    for group in fuzz_targets.PARSERS:
        lines = "".join(f"{seed.hex()}\n" for seed in seeds(group))
        (fuzz_targets.CORPUS / f"{group}.txt").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
