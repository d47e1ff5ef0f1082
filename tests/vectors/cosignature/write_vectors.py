"""Writes `cosignature.json`, cosigned checkpoints under a policy, and `policy.json`; and what is refused.

ML-DSA-44 signs with fresh randomness, so its one signature is kept in `ml_dsa_44.hex`; `--record` signs anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import example_contents as example
from vector_files import Vector, document, write

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.note import NoteSignature, SignedNote, sign_note
from carbonseal_attest.signing import MlDsa44Signer
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, ML_DSA_44_COSIGNATURE, Vkey

TIME: Final = 1_767_229_200
HOST: Final = example.key("log host")
LOG: Final = Vkey(example.DATA, ED25519_NOTE, HOST.public)
HEAD: Final = Checkpoint(example.DATA, 17, example.digest("root"))
BARE: Final = SignedNote.parse(sign_checkpoint(HEAD, HOST).encode())
NAMES: Final = ("w1", "w2", "w3")
WITNESSES: Final = {
    name: Vkey(f"witness.example/{name}", ED25519_COSIGNATURE, example.key(f"witness {name}").public)
    for name in NAMES
}
POLICY: Final = (
    f"log {LOG}\n\n"
    + "".join(f"witness {name} {vkey}\n" for name, vkey in WITNESSES.items())
    + "group two-of-three 2 w1 w2 w3\n\nquorum two-of-three\n"
)


QUANTUM: Final = MlDsa44Signer.from_seed(example.digest("carbonseal example key witness ml-dsa"))
SAFE: Final = Vkey("witness.example/safe", ML_DSA_44_COSIGNATURE, QUANTUM.public)
RECORDED: Final = Path(__file__).resolve().with_name("ml_dsa_44.hex")
MIXED: Final = (
    f"log {LOG}\nwitness w1 {WITNESSES['w1']}\nwitness safe {SAFE}\ngroup both all w1 safe\nquorum both\n"
)


def files() -> dict[str, str]:
    """The text of each file of this folder, by name."""
    return {
        "cosignature.json": document(__file__, "cosignature.md", [*_good(), *_broken()]),
        "policy.json": document(__file__, "tlog-policy.md", [*_policies(), *_broken_policies()]),
    }


def _recorded() -> SignedNote:
    """The checkpoint with w1's cosignature and the recorded one of ML-DSA-44."""
    signature = TIME.to_bytes(8, "big") + bytes.fromhex(RECORDED.read_text(encoding="ascii"))
    one = cosigned("w1")
    return SignedNote(one.text, (*one.signatures, NoteSignature(SAFE.name, SAFE.key_id, signature)))


def record() -> None:
    """Sign the example checkpoint anew with ML-DSA-44."""
    signature = cosign(BARE, SAFE, QUANTUM, time=TIME).signatures[-1].signature[8:]
    RECORDED.write_text(signature.hex() + "\n", encoding="ascii")


def cosigned(*names: str, note: SignedNote = BARE, time: int = TIME) -> SignedNote:
    """`note` with a cosignature of each witness named."""
    for name in names:
        note = cosign(note, WITNESSES[name], example.key(f"witness {name}"), time=time)
    return note


def _vector(
    desc: str,
    note: SignedNote,
    witnesses: dict[str, int] | None,
    code: str | None = None,
    policy: str = POLICY,
) -> Vector:
    vector: Vector = {"desc": desc, "want_error": code, "note": note.encode().decode(), "policy": policy}
    return vector if witnesses is None else {**vector, "witnesses": witnesses}


def _good() -> list[Vector]:
    two = cosigned("w1", "w2")
    name, key_id, signature = two.signatures[1]
    unknown = (NoteSignature(name, bytes(4), signature), NoteSignature("x.example", key_id, signature))
    extended = SignedNote.parse(sign_note(HEAD.text() + "extension\n", example.DATA, HOST))
    times = {"w1": TIME, "w2": TIME}
    return [
        _vector("two of three witnesses", two, times),
        _vector("three of three", cosigned(*NAMES), {**times, "w3": TIME}),
        _vector(
            "unknown name or key id alone is ignored",
            SignedNote(two.text, (*two.signatures, *unknown)),
            times,
        ),
        _vector(
            "one witness twice counts at its earlier time", cosigned("w1", note=two, time=TIME + 60), times
        ),
        _vector("time 0, which claims no time", cosigned("w1", "w2", time=0), {"w1": 0, "w2": 0}),
        _vector("extension line, covered", cosigned("w1", "w2", note=extended), times),
        _vector("Ed25519 and ML-DSA-44", _recorded(), {"w1": TIME, "safe": TIME}, policy=MIXED),
        _vector("no quorum asked for", BARE, {}, policy=f"log {LOG}\nquorum none\n"),
    ]


def _broken() -> list[Vector]:
    two, three = cosigned("w1", "w2"), cosigned(*NAMES)

    def bad(desc: str, note: SignedNote, policy: str = POLICY) -> Vector:
        return _vector(desc, note, None, "note-invalid", policy)

    def replaced(note: SignedNote, at: int, signature: bytes) -> SignedNote:
        line = note.signatures[at]._replace(signature=signature)
        return SignedNote(note.text, (*note.signatures[:at], line, *note.signatures[at + 1 :]))

    first = two.signatures[1].signature
    other = SignedNote.parse(sign_checkpoint(Checkpoint(example.DATA, 18, HEAD.root_hash), HOST).encode())
    plain = SignedNote.parse(sign_note(BARE.text, "witness.example/w2", example.key("witness w2")))
    register = Checkpoint(example.REGISTER, 17, HEAD.root_hash).text()
    safe = _recorded()
    last = safe.signatures[2].signature
    moved = cosigned("w1", note=other)
    elsewhere = SignedNote.parse(sign_note(register, example.DATA, HOST))
    return [
        bad("one of three witnesses", cosigned("w1")),
        bad("one witness twice", cosigned("w1", "w1")),
        bad("failing cosignature beside a quorum", replaced(three, 3, bytes(72))),
        bad("another time", replaced(two, 1, (TIME + 1).to_bytes(8, "big") + first[8:])),
        bad("time of 2^63 seconds", replaced(two, 1, (1 << 63).to_bytes(8, "big") + first[8:])),
        bad("a byte too short", replaced(two, 1, first[:-1])),
        bad("a byte too long", replaced(two, 1, first + b"\x00")),
        bad("shorter than a time", replaced(two, 1, first[:7])),
        bad(
            "plain signature of a witness's key",
            SignedNote(two.text, (*cosigned("w1").signatures, *plain.signatures)),
        ),
        bad(
            "moved from another checkpoint", SignedNote(other.text, (*other.signatures, *two.signatures[1:]))
        ),
        bad("without the log's signature", SignedNote(two.text, two.signatures[1:])),
        bad("log's signature under another origin", cosigned("w1", "w2", note=elsewhere)),
        bad("ML-DSA-44 at another time", replaced(safe, 2, (TIME + 1).to_bytes(8, "big") + last[8:]), MIXED),
        bad(
            "ML-DSA-44 of another root",
            SignedNote(moved.text, (*moved.signatures, *safe.signatures[2:])),
            MIXED,
        ),
        bad("policy without a log", two, POLICY.split("\n\n", 1)[1]),
    ]


def _policies() -> list[Vector]:
    def good(desc: str, policy: str, met: list[list[str]], unmet: list[list[str]]) -> Vector:
        return {"desc": desc, "want_error": None, "policy": policy.encode().hex(), "met": met, "unmet": unmet}

    w1, w2, w3 = WITNESSES.values()
    return [
        good(
            "two of three",
            POLICY,
            [["w1", "w2"], ["w2", "w3"], [*NAMES]],
            [[], ["w1"], ["w1", "two-of-three"]],
        ),
        good(
            "groups in groups",
            f"witness a {w1}\nwitness b {w2}\nwitness c {w3}\n"
            "group any-of any b c\ngroup both all a any-of\nquorum both\n",
            [["a", "b"], ["a", "c"]],
            [["a"], ["b", "c"], ["a", "any-of"]],
        ),
        good("a single witness", f"witness a {w1} https://w.example/\nquorum a\n", [["a"]], [[], ["b"]]),
        good("nobody", "quorum none\n", [[]], []),
        good(
            "white space, comments, no last newline",
            f"\n# x\n\t # y\n\twitness \t a  {w1}  \n\n  quorum\ta",
            [["a"]],
            [[]],
        ),
        good(
            "words of the format as names",
            f"witness all {w1}\nwitness any {w2}\ngroup group 2 all any\nquorum group\n",
            [["all", "any"]],
            [["all"]],
        ),
        good(
            "name in another script",
            f"witness \u89c1\u8bc1 {w1}\nquorum \u89c1\u8bc1\n",
            [["\u89c1\u8bc1"]],
            [[]],
        ),
    ]


def _broken_policies() -> list[Vector]:
    w1, w2 = str(WITNESSES["w1"]), str(WITNESSES["w2"])
    same = str(Vkey("impostor.example", ED25519_COSIGNATURE, example.key("witness w1").public))

    def bad(desc: str, policy: str) -> Vector:
        return {"desc": desc, "want_error": "witness-policy-invalid", "policy": policy.encode().hex()}

    return [
        bad("no quorum", f"witness a {w1}\n"),
        bad("two quorums", f"witness a {w1}\nquorum a\nquorum a\n"),
        bad("quorum that nothing defines", "quorum a\n"),
        bad("quorum before its witness", f"quorum a\nwitness a {w1}\n"),
        bad("one key under two names", f"witness a {w1}\nwitness b {same}\nquorum a\n"),
        bad("one name for two keys", f"witness a {w1}\nwitness a {w2}\nquorum a\n"),
        bad("name of a group that a witness has", f"witness a {w1}\ngroup a any a\nquorum a\n"),
        bad(
            "witness in two groups",
            f"witness a {w1}\nwitness b {w2}\ngroup g any a b\ngroup h any a\nquorum g\n",
        ),
        bad("witness twice in a group", f"witness a {w1}\ngroup g 2 a a\nquorum g\n"),
        bad("threshold 0", f"witness a {w1}\ngroup g 0 a\nquorum g\n"),
        bad("threshold above the members", f"witness a {w1}\ngroup g 2 a\nquorum g\n"),
        bad("group of itself", f"witness a {w1}\ngroup g any g\nquorum g\n"),
        bad("group without members", f"witness a {w1}\ngroup g any\nquorum g\n"),
        bad("witness named none", f"witness none {w1}\nquorum none\n"),
        bad("plain signing key as a witness", f"witness a {LOG}\nquorum a\n"),
        bad("verifier key with another key id", f"witness a {w1.replace('+', '+0', 1)}\nquorum a\n"),
        bad("one log twice", f"log {LOG}\nlog {LOG} https://log.example/\nquorum none\n"),
        bad("comment after a line", f"witness a {w1} https://w.example/ # comment\nquorum a\n"),
        bad("unknown word", "witnesses\nquorum none\n"),
        bad("carriage return", "quorum none\r\n"),
        bad("NUL", "quorum none\n\x00"),
    ]


if __name__ == "__main__":
    if "--record" in sys.argv:
        record()
    write(__file__, files())
