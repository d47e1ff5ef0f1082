"""Writes `checkpoint.json`: checkpoints as signed notes, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"checkpoint.json": document(__file__, "log.md", _checkpoints())}


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


if __name__ == "__main__":
    write(__file__, files())
