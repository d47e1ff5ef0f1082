from __future__ import annotations

import base64

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import MAX_NOTE, MAX_SIGNATURES, SignedNote, sign_note
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, Vkey

HOST = key("log host")
NAME = "log.example.org/e-a/data"
KNOWN = Vkey(NAME, ED25519_NOTE, HOST.public)
NOTE = sign_note("text\nof a note\n", NAME, HOST).decode()
LINE = NOTE.rpartition("\n\n")[2]


def line(name: str, blob: bytes) -> str:
    return f"\u2014 {name} {base64.b64encode(blob).decode()}\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "text\n",
        "text\n" + LINE,  # no empty line
        "text\n\n",
        "text\n\n" + LINE[:-1],  # last line not ended
        "text\n\n" + LINE + "\n",
        "te\rxt\n\n" + LINE,
        "te\x00xt\n\n" + LINE,
        "te\tx\n\n" + LINE,
        "text\n\n" + LINE.replace("\u2014", "-"),
        "text\n\n" + LINE.replace("\u2014 ", "\u2014"),
        "text\n\n\u2014 name \n",
        "text\n\n\u2014 name AAA\n",
        "text\n\n\u2014 name !!!!!!!!\n",
        "text\n\n\u2014 name \u0430AAAAAAA\n",
        "text\n\n\u2014  AAAAAAAA\n",
        "text\n\n" + line("a+b", bytes(6)),
        "text\n\n" + line("a\u2003b", bytes(6)),
        "text\n\n" + line("name", bytes(4)),  # a key id without a signature
        "text\n\n\u2014 name AAAAAAB=\n",  # spare bits that are not zero
        "text\n\n\u2014 name AAAA AAAA\n",
        "text\n\n" + LINE * (MAX_SIGNATURES + 1),
        "x" * MAX_NOTE + NOTE,
    ],
)
def test_refuses_malformed_note(note: str) -> None:
    with pytest.raises(NoteInvalid):
        SignedNote.parse(note.encode())


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xe2\x80"])
def test_refuses_note_that_is_not_utf_8(text: bytes) -> None:
    with pytest.raises(NoteInvalid, match="UTF-8"):
        SignedNote.parse(text + b"\n\n" + LINE.encode())


def test_note_that_was_signed_verifies_under_its_name_and_key_alone() -> None:
    note = SignedNote.parse(NOTE.encode())
    note.verify(KNOWN)
    assert note.text == "text\nof a note\n"
    with pytest.raises(NoteInvalid, match="no signature of the expected key"):
        note.verify(Vkey("log.example.org/e-a/register", ED25519_NOTE, HOST.public))
    with pytest.raises(NoteInvalid, match="no signature of the expected key"):
        note.verify(Vkey(NAME, ED25519_NOTE, key("party").public))
    with pytest.raises(NoteInvalid, match="is a cosignature"):
        note.verify(Vkey(NAME, ED25519_COSIGNATURE, HOST.public))


@pytest.mark.parametrize("text", ["a\n\n\u2014 name AAAAAAAA\n\nb\n", "\n", "\n\n\n", "a\n\n", "\u00e8\n"])
def test_text_is_split_from_signatures_at_the_last_empty_line(text: str) -> None:
    signed = sign_note(text, NAME, HOST)
    note = SignedNote.parse(signed)
    note.verify(KNOWN)
    assert note.text == text
    assert note.encode() == signed


def test_unknown_signatures_are_ignored_even_when_name_or_id_alone_is_known() -> None:
    known = KNOWN.key_id
    note = NOTE + line("other", known + bytes(64)) + line(NAME, b"\xff" * 4 + bytes(64)) + line("z", bytes(5))
    SignedNote.parse(note.encode()).verify(KNOWN)


def test_known_key_with_a_second_failing_signature_refuses_the_note() -> None:
    note = NOTE + line(NAME, KNOWN.key_id + bytes(64))
    with pytest.raises(NoteInvalid, match="does not verify"):
        SignedNote.parse(note.encode()).verify(KNOWN)


def test_sixteen_signatures_as_long_as_the_largest_of_them_all_are_read() -> None:
    note = "text\n\n" + "".join(line(f"w{n}", bytes(5_000)) for n in range(16)) + LINE
    assert len(SignedNote.parse(note.encode()).signatures) == 17


def test_any_flipped_bit_of_a_note_is_refused() -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        for bit in (0, 5):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            with pytest.raises(NoteInvalid):
                SignedNote.parse(changed).verify(KNOWN)


NOTES = st.text(st.characters() | st.sampled_from("\n\u2014 A=+"), max_size=60).map(
    lambda text: text.encode("utf-8", "surrogatepass")
) | st.binary(max_size=60)


@given(NOTES, st.booleans())
def test_any_bytes_give_a_note_that_prints_to_itself_or_our_refusal(text: bytes, is_signed: bool) -> None:  # noqa: FBT001 - drawn
    data = text + (NOTE.encode() if is_signed else b"")
    try:
        note = SignedNote.parse(data)
        assert note.encode() == data
        note.verify(KNOWN)
    except NoteInvalid:
        return
    assert is_signed


PETER = Vkey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
ENOCH = Vkey.parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
# The note that golang.org/x/mod/sumdb/note signs in its tests.
FOREIGN_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
PETER_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8"
    "pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNt"
    "COXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


def foreign(*lines: str) -> SignedNote:
    return SignedNote.parse(f"{FOREIGN_TEXT}\n{''.join(lines)}".encode())


def test_note_of_the_go_library_verifies_under_both_its_keys() -> None:
    note = foreign(PETER_LINE, ENOCH_LINE)
    note.verify(PETER)
    note.verify(ENOCH)
    assert note.text == FOREIGN_TEXT


def test_note_of_the_go_library_is_refused_for_bytes_too_many_in_a_known_signature() -> None:
    note = foreign(PETER_LINE[:60] + "ABCD" + PETER_LINE[60:])
    with pytest.raises(NoteInvalid, match="does not verify"):
        note.verify(PETER)
    foreign(PETER_LINE, ENOCH_LINE[:60] + "ABCD" + ENOCH_LINE[60:]).verify(PETER)


@pytest.mark.parametrize(
    "note",
    [
        FOREIGN_TEXT,
        FOREIGN_TEXT + "\n",
        FOREIGN_TEXT + "\n" + PETER_LINE[:-1],
        "\x01" + FOREIGN_TEXT + "\n" + PETER_LINE,
        FOREIGN_TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad Name"),
        FOREIGN_TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
    ],
)
def test_refuses_what_the_go_library_calls_malformed(note: str) -> None:
    with pytest.raises(NoteInvalid):
        SignedNote.parse(note.encode())


# A checkpoint of a public log, with its key, from the tests of github.com/transparency-dev/formats.
REKOR = Vkey.parse(
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l"
    "+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)
REKOR_NOTE = (
    "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n"
    "\u2014 rekor.sigstore.dev wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClgqq2"
    "0uDLet7MCoTURUCRdxwWBHHufk=\n"
)


def test_ecdsa_signature_of_a_foreign_log_verifies_and_any_other_encoding_of_it_is_refused() -> None:
    note = SignedNote.parse(REKOR_NOTE.encode())
    note.verify(REKOR)
    (signature,) = note.of(REKOR)
    r_then_s = signature[4:36] + signature[38:]
    for wrong in (
        r_then_s,
        signature + b"\x00",
        b"\x30\x81" + signature[1:],
        signature[:-1],
        b"\x30\x00",
        b"x",
    ):
        with pytest.raises(NoteInvalid):
            SignedNote(note.text, (note.signatures[0]._replace(signature=wrong),)).verify(REKOR)
    with pytest.raises(NoteInvalid, match="does not verify"):
        SignedNote(note.text + "x\n", note.signatures).verify(REKOR)
