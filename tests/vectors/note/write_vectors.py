"""Writes `note.json`: signed notes as bytes, with the keys a reader knows, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest.note import sign_note
from carbonseal_attest.vkey import ED25519_NOTE, Vkey

# The note and keys of the tests of golang.org/x/mod/sumdb/note.
GO_KEYS: Final = [
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
]
GO_NOTE: Final = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6Ry"
    "yBwJnAM=\n"
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1R"
    "vMc+QQ=\n"
)
# A checkpoint of a public log, and its key of type 02, from the tests of github.com/transparency-dev/formats.
ECDSA_KEY: Final = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l"
    "+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)
ECDSA_NOTE: Final = (
    "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n"
    "\u2014 rekor.sigstore.dev wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClgqq2"
    "0uDLet7MCoTURUCRdxwWBHHufk=\n"
)
# Made by github.com/transparency-dev/formats 0.1.1 over filippo.io/mldsa: the key in a line, then the note.
BY_GO: Final = Path(__file__).resolve().with_name("ml_dsa_44_by_go.txt")
NAME: Final = "log.example.org/e-exampleworks/data"
HOST: Final = example.key("log host")
KEY: Final = Vkey(NAME, ED25519_NOTE, HOST.public)
TEXT: Final = "Saldi di prova,\n\nsu due paragrafi: \u00e8 cos\u00ec.\n"


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {"note.json": document(__file__, "note.md", [*_good(), *_broken(), *_keys()])}


def _vector(desc: str, note: bytes, known: list[str], code: str | None = "note-invalid") -> Vector:
    return {"desc": desc, "want_error": code, "note": note.hex(), "known": known}


def _line(name: str, blob: bytes) -> bytes:
    return f"\u2014 {name} {base64.b64encode(blob).decode()}\n".encode()


def _good() -> list[Vector]:
    note, other = sign_note(TEXT, NAME, HOST), [str(KEY)]
    known_id = KEY.key_id + bytes(64)
    return [
        {**_vector("a note of two paragraphs", note, other, None), "text": TEXT},
        {**_vector("text of one empty line", sign_note("\n", NAME, HOST), other, None), "text": "\n"},
        _vector(
            "line like a signature in the text",
            sign_note(f"a\n\n{_line('x', bytes(9)).decode()}\nb\n", NAME, HOST),
            other,
            None,
        ),
        _vector("unknown name with a known key id is ignored", note + _line("other", known_id), other, None),
        _vector("known name with an unknown key id is ignored", note + _line(NAME, bytes(68)), other, None),
        _vector("unknown signature in front is ignored", _before(note, _line("a", bytes(5))), other, None),
        _vector(
            "sixteen unknown signatures",
            note + _line("w", bytes(72)) * 16,
            other,
            None,
        ),
        _vector("note of the Go library, first key known", GO_NOTE.encode(), GO_KEYS[:1], None),
        _vector("note of the Go library, both keys known", GO_NOTE.encode(), GO_KEYS, None),
        _by_go(),
        _vector("ECDSA of a public log", ECDSA_NOTE.encode(), [ECDSA_KEY], None),
    ]


def _by_go() -> Vector:
    key, _, note = BY_GO.read_bytes().partition(b"\n")
    return _vector("ML-DSA-44 cosignature made by another implementation", note, [key.decode()], None)


def _before(note: bytes, line: bytes) -> bytes:
    text, _, block = note.rpartition(b"\n\n")
    return text + b"\n\n" + line + block


def _blob(block: bytes) -> bytes:
    return base64.b64decode(block.split(b" ")[2])


def _broken() -> list[Vector]:
    note, known = sign_note(TEXT, NAME, HOST), [str(KEY)]
    text, _, block = note.rpartition(b"\n\n")
    second = _line(NAME, KEY.key_id + bytes(64))

    def bad(desc: str, data: bytes) -> Vector:
        return _vector(desc, data, known)

    return [
        bad("known signature that fails beside one that holds", note + second),
        bad("known signature a byte too long", text + b"\n\n" + _line(NAME, _blob(block) + b"\x00")),
        bad("signed under another name", note.replace(f"\u2014 {NAME}".encode(), f"\u2014 {NAME}x".encode())),
        bad("text changed", b"s" + note[1:]),
        _vector("ECDSA over another text", ECDSA_NOTE.replace("798034", "798035").encode(), [ECDSA_KEY]),
        bad("only unknown signatures", text + b"\n\n" + _line("other", bytes(68))),
        bad("no signature block", text + b"\n"),
        bad("empty signature block", text + b"\n\n"),
        bad("no empty line before the signatures", text + b"\n" + block),
        bad("last line not ended", note[:-1]),
        bad("line after the signatures", note + b"Unexpected line.\n"),
        bad("empty line after the signatures", note + b"\n"),
        bad("carriage returns", note.replace(b"\n", b"\r\n")),
        bad("tab in the text", b"\t" + note),
        bad("NUL in the text", b"\x00" + note),
        bad("not UTF-8", b"\xff" + note),
        bad("half of a surrogate pair", b"\xed\xa0\x80" + note),
        bad("hyphen for the em dash", note.replace("\u2014 ".encode(), b"- ")),
        bad("no space after the em dash", note.replace("\u2014 ".encode(), "\u2014".encode())),
        bad("name with a plus", note + _line("a+b", bytes(9))),
        bad("name with a space", note + _line("a b", bytes(9))),
        bad("name with an em space", note + _line("a\u2003b", bytes(9))),
        bad("empty name", note + _line("", bytes(9))),
        bad("key id without a signature", note + _line("other", bytes(4))),
        bad("base64 with spare bits set", note + "\u2014 other AAAAAAB=\n".encode()),
        bad("base64 without padding", note + "\u2014 other AAAAAAA\n".encode()),
        bad("base64url", note + "\u2014 other ______-_\n".encode()),
        bad("sixty-five signatures", note + _line("w", bytes(9)) * 64),
    ]


def _keys() -> list[Vector]:
    note = GO_NOTE.encode()

    def bad(desc: str, key: str) -> Vector:
        return _vector(f"verifier key: {desc}", note, [key], "key-refused")

    peter = GO_KEYS[0]
    return [
        bad(
            "of the wrong length, with its right key id",
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        ),
        bad(
            "of an unknown type, with its right key id",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ),
        bad("with another key id", peter.replace("c74f20a3", "c74f20a4")),
        bad("with a key id in capitals", peter.replace("c74f20a3", "C74F20A3")),
        bad("without a name", peter.removeprefix("PeterNeumann")),
        bad("name with a space", peter.replace("Peter", "Peter ")),
        bad("low-order point", _weak()),
    ]


def _weak() -> str:
    raw = b"\x01" + bytes(32)
    return f"x+{hashlib.sha256(b'x' + bytes([10]) + raw).hexdigest()[:8]}+{base64.b64encode(raw).decode()}"


if __name__ == "__main__":
    write(__file__, files())
