from __future__ import annotations

import base64

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import MAX_NOTE, SignedNote, key_id, sign_note

HOST = key("log host")
NAME = "log.example.org/e-a/data"
NOTE = sign_note("text\nof a note\n", NAME, HOST)
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
        "te\ud800xt\n\n" + LINE,
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
        "text\n\n" + LINE * 65,
        "x" * MAX_NOTE + NOTE,
    ],
)
def test_refuses_malformed_note(note: str) -> None:
    with pytest.raises(NoteInvalid):
        SignedNote.parse(note)


def test_note_that_was_signed_verifies_under_its_name_and_key_alone() -> None:
    note = SignedNote.parse(NOTE)
    note.verify(NAME, HOST.public)
    assert note.text == "text\nof a note\n"
    with pytest.raises(NoteInvalid, match="no signature of the expected key"):
        note.verify("log.example.org/e-a/register", HOST.public)
    with pytest.raises(NoteInvalid, match="no signature of the expected key"):
        note.verify(NAME, key("party").public)


def test_text_is_split_from_signatures_at_the_last_empty_line() -> None:
    text = "a\n\n\u2014 name AAAAAAAA\n\nb\n"
    note = SignedNote.parse(sign_note(text, NAME, HOST))
    note.verify(NAME, HOST.public)
    assert note.text == text


def test_unknown_signatures_are_ignored_even_when_name_or_id_alone_is_known() -> None:
    known = key_id(NAME, HOST.public)
    note = NOTE + line("other", known + bytes(64)) + line(NAME, b"\xff" * 4 + bytes(64)) + line("z", bytes(5))
    SignedNote.parse(note).verify(NAME, HOST.public)


def test_known_key_with_a_second_failing_signature_refuses_the_note() -> None:
    note = NOTE + line(NAME, key_id(NAME, HOST.public) + bytes(64))
    with pytest.raises(NoteInvalid, match="does not verify"):
        SignedNote.parse(note).verify(NAME, HOST.public)


def test_any_flipped_bit_of_a_note_is_refused() -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        for bit in (0, 5):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            with pytest.raises((NoteInvalid, UnicodeDecodeError)):  # noqa: PT012 - a note arrives as bytes
                text = changed.decode()
                SignedNote.parse(text).verify(NAME, HOST.public)


@given(st.text(st.characters() | st.sampled_from("\n\u2014 A=+"), max_size=60), st.booleans())
def test_any_text_gives_a_note_or_our_refusal(text: str, is_signed: bool) -> None:  # noqa: FBT001 - drawn
    try:
        SignedNote.parse(text + (NOTE if is_signed else "")).verify(NAME, HOST.public)
    except NoteInvalid:
        return
    assert is_signed
