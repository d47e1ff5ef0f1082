"""Writes `receipt.json`: receipts of inclusion, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from example_statements import statements
from vector_files import Vector, document, write

from carbonseal_attest import cbor
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import make_receipt


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"receipt.json": document(__file__, "log.md", _receipts())}


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


if __name__ == "__main__":
    write(__file__, files())
