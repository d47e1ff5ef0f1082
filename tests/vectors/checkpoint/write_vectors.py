"""Writes `checkpoint.json`, heads of our logs, and `foreign.json`, anybody's; and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.note import sign_note
from carbonseal_attest.vkey import ED25519_NOTE, Vkey

SIGNER: Final = example.key("log host")
HEAD: Final = Checkpoint(example.DATA, 17, example.digest("root"))
FOREIGN: Final = "rekor.example - 1193050959916656506"
FOREIGN_KEY: Final = Vkey("rekor.example", ED25519_NOTE, SIGNER.public)


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {
        "checkpoint.json": document(__file__, "checkpoint.md", _ours()),
        "foreign.json": document(__file__, "checkpoint.md", _foreign()),
    }


def _ours() -> list[Vector]:
    note = sign_checkpoint(HEAD, SIGNER)

    def vector(desc: str, text: str, code: str | None = "note-invalid") -> Vector:
        public = SIGNER.public.raw.hex()
        return {"desc": desc, "want_error": code, "origin": example.DATA, "public": public, "note": text}

    def signed(text: str) -> str:
        return sign_note(text, example.DATA, SIGNER).decode()

    text = HEAD.text()
    return [
        {**vector("a checkpoint", note, None), "tree_size": 17, "root_hash": HEAD.root_hash.hex()},
        vector("unknown signatures are ignored", note + "\u2014 other.example AAAAAAAA\n", None),
        vector("of another log", note.replace("/data", "/register")),
        vector("size with a leading zero", signed(text.replace("\n17\n", "\n017\n"))),
        vector("size in digits of another script", signed(text.replace("\n17\n", "\n\u0661\u0667\n"))),
        vector("size beyond 2^48", signed(text.replace("\n17\n", f"\n{(1 << 48) + 1}\n"))),
        vector("empty tree with a root of its own", signed(text.replace("\n17\n", "\n0\n"))),
        vector("an extension line", signed(text + "extension\n")),
        vector("signature line with a plus in the name", note + "\u2014 a+b AAAAAAAA\n"),
        vector("base64 with spare bits set", note + "\u2014 other AAAAAAB=\n"),
        vector("another size under the same signature", note.replace("\n17\n", "\n18\n")),
        vector("no signature", text),
    ]


def _foreign() -> list[Vector]:
    root = HEAD.text().split("\n")[2]

    def vector(desc: str, *lines: str, code: str | None = "note-invalid") -> Vector:
        note = sign_note("".join(f"{line}\n" for line in lines), FOREIGN_KEY.name, SIGNER)
        return {"desc": desc, "want_error": code, "note": note.hex(), "known": [str(FOREIGN_KEY)]}

    def good(desc: str, origin: str, size: int, *extensions: str) -> Vector:
        made = vector(desc, origin, str(size), root, *extensions, code=None)
        return {**made, "origin": origin, "tree_size": size, "root_hash": HEAD.root_hash.hex()}

    return [
        good("origin with spaces, signed under another name", FOREIGN, 42_591_958),
        good("extension lines", FOREIGN, 17, "Timestamp: 1689748607742585419", "more"),
        good("origin in another script, with a plus", "\u65e5\u5fd7+\u4e00", 17),
        good("empty tree with any root", FOREIGN, 0),
        good("greatest size", FOREIGN, (1 << 64) - 1),
        vector("two lines", FOREIGN, "17"),
        vector("empty origin", "", "17", root),
        vector("empty extension line", FOREIGN, "17", root, "", "x"),
        vector("empty last line", FOREIGN, "17", root, ""),
        vector("size with a leading zero", FOREIGN, "017", root),
        vector("size with a plus", FOREIGN, "+17", root),
        vector("negative size", FOREIGN, "-17", root),
        vector("size with a space", FOREIGN, "17 ", root),
        vector("size in hex", FOREIGN, "0x11", root),
        vector("size in digits of another script", FOREIGN, "\u0661\u0667", root),
        vector("size of 2^64", FOREIGN, str(1 << 64), root),
        vector("size of four hundred digits", FOREIGN, "9" * 400, root),
        vector("root hash of 31 bytes", FOREIGN, "17", "A" * 42 + "=="),
        vector("root hash of 33 bytes", FOREIGN, "17", "A" * 44),
        vector("root hash with spare bits set", FOREIGN, "17", "A" * 42 + "B="),
        vector("root hash without padding", FOREIGN, "17", root.rstrip("=")),
        vector("root hash in hex", FOREIGN, "17", HEAD.root_hash.hex()),
        vector("root hash followed by a space", FOREIGN, "17", root + " "),
    ]


if __name__ == "__main__":
    write(__file__, files())
