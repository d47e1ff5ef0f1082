"""Writes `tlog-proof.json`: offline proofs as text, with leaf hash and policy, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from example_tree import LEAVES, node, root
from vector_files import Vector, document, write

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_proof import TlogProof
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, Vkey

TIME: Final = 1_767_229_200
HOST: Final = example.key("log host")
WITNESS: Final = example.key("witness w1")
W1: Final = Vkey("witness.example/w1", ED25519_COSIGNATURE, WITNESS.public)
POLICY: Final = f"log {Vkey(example.DATA, ED25519_NOTE, HOST.public)}\nwitness w1 {W1}\nquorum w1\n"


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"tlog-proof.json": document(__file__, "tlog-proof.md", [*_good(), *_malformed(), *_unproved()])}


def _proof(index: int, size: int, extra: bytes | None = None) -> TlogProof:
    head = Checkpoint(example.DATA, size, root(size))
    note = cosign(SignedNote.parse(sign_checkpoint(head, HOST).encode()), W1, WITNESS, time=TIME)
    return TlogProof.build(index, note, node, extra=extra)


def _vector(desc: str, text: str, code: str | None, index: int = 5) -> Vector:
    return {
        "desc": desc,
        "want_error": code,
        "proof": text.encode().hex(),
        "leaf_hash": LEAVES[index].hex(),
        "policy": POLICY,
    }


def _good() -> list[Vector]:
    def good(desc: str, index: int, size: int, extra: bytes | None = None) -> Vector:
        vector = _vector(desc, _proof(index, size, extra).encode().decode(), None, index)
        return {**vector, "index": index, "tree_size": size, "witnesses": {"w1": TIME}}

    return [
        good("entry 5 of 13", 5, 13),
        good("with extra data", 5, 13, b"extra"),
        good("with extra data of no bytes", 5, 13, b""),
        good("the only entry", 0, 1),
        good("last entry", 299, 300),
    ]


def _malformed() -> list[Vector]:
    text = _proof(5, 13).encode().decode()
    head, _, note = text.partition("\n\n")
    first = head.split("\n")[2]

    def bad(desc: str, changed: str) -> Vector:
        return _vector(desc, changed, "proof-invalid")

    return [
        bad("another version", text.replace("@v1", "@v2")),
        bad("carriage returns", text.replace("\n", "\r\n")),
        bad("no empty line", head + "\n" + note.replace("\n\n", "\n")),
        bad("no index", text.replace("index 5\n", "")),
        bad("index with a leading zero", text.replace("index 5", "index 05")),
        bad("index in another script", text.replace("index 5", "index \u0665")),
        bad("index outside the tree", text.replace("index 5", "index 13")),
        bad("extra data after the index", text.replace("index 5\n", "index 5\nextra AAAA\n")),
        bad("extra data twice", text.replace("index 5", "extra AAAA\nextra AAAA\nindex 5")),
        bad("extra data with spare bits set", text.replace("index 5", "extra AB==\nindex 5")),
        bad("hash of 31 bytes", text.replace(first, "A" * 42 + "==")),
        bad("hash with spare bits set", text.replace(first, "A" * 42 + "B=")),
        bad("sixty-four hashes", text.replace(first, "\n".join([first] * 64))),
        {
            **bad("checkpoint without signatures", head + "\n\n" + note.split("\n\n")[0] + "\n"),
            "want_error": "note-invalid",
        },
    ]


def _unproved() -> list[Vector]:
    proof = _proof(5, 13)
    bare = SignedNote(proof.note.text, proof.note.signatures[:1])
    by_witness = SignedNote(proof.note.text, proof.note.signatures[1:])

    def text(index: int, path: tuple[bytes, ...], note: SignedNote) -> str:
        return TlogProof(index, path, note).encode().decode()

    return [
        _vector("another index", text(4, proof.path, proof.note), "proof-invalid"),
        _vector("another leaf", text(5, proof.path, proof.note), "proof-invalid", index=6),
        _vector("a hash left out", text(5, proof.path[1:], proof.note), "proof-invalid"),
        _vector("proof of another tree", text(5, _proof(5, 12).path, proof.note), "proof-invalid"),
        _vector("without the witness", text(5, proof.path, bare), "note-invalid"),
        _vector("without the log", text(5, proof.path, by_witness), "note-invalid"),
    ]


if __name__ == "__main__":
    write(__file__, files())
