from __future__ import annotations

import pytest
from example_contents import DATA, REGISTER, digest, key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cosignature import (
    MAX_TIME,
    cosign,
    open_by_policy,
    subtree_message,
    verify_cosignatures,
    verify_signatures,
)
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import NoteSignature, SignedNote, sign_note
from carbonseal_attest.signing import MlDsa44Signer
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, ML_DSA_44_COSIGNATURE, Vkey

HOST = key("log host")
LOG = Vkey(DATA, ED25519_NOTE, HOST.public)
HEAD = Checkpoint(DATA, 17, digest("root"))
BARE = SignedNote.parse(sign_checkpoint(HEAD, HOST).encode())
TIME = 1_767_229_200
NAMES = ("w1", "w2", "w3")
VKEYS = {
    name: Vkey(f"witness.example/{name}", ED25519_COSIGNATURE, key(f"witness {name}").public)
    for name in NAMES
}
POLICY = TlogPolicy.parse(
    f"log {LOG}\n"
    + "".join(f"witness {name} {vkey}\n" for name, vkey in VKEYS.items())
    + "group two 2 w1 w2 w3\nquorum two\n"
)


def cosigned(*names: str, note: SignedNote = BARE, time: int = TIME) -> SignedNote:
    for name in names:
        note = cosign(note, VKEYS[name], key(f"witness {name}"), time=time)
    return note


def replaced(note: SignedNote, at: int, signature: bytes) -> SignedNote:
    lines = list(note.signatures)
    lines[at] = NoteSignature(lines[at].name, lines[at].key_id, signature)
    return SignedNote(note.text, tuple(lines))


def test_refuses_note_with_a_failing_cosignature_of_a_known_witness_although_the_quorum_is_met() -> None:
    note = cosigned("w1", "w2", "w3")
    broken = replaced(note, 3, bytes(72))
    for refuse in (verify_cosignatures, open_by_policy):
        with pytest.raises(NoteInvalid, match="does not verify"):
            refuse(broken, POLICY)


def test_refuses_cosignature_whose_time_was_changed() -> None:
    note = cosigned("w1")
    signature = note.signatures[1].signature
    with pytest.raises(NoteInvalid, match="does not verify"):
        verify_cosignatures(replaced(note, 1, (TIME + 1).to_bytes(8, "big") + signature[8:]), POLICY)


@pytest.mark.parametrize("time", [1 << 63, (1 << 64) - 1])
def test_refuses_cosignature_at_a_time_beyond_the_format(time: int) -> None:
    broken = replaced(cosigned("w1"), 1, time.to_bytes(8, "big") + bytes(64))
    with pytest.raises(NoteInvalid, match="not below 2\\^63"):
        verify_cosignatures(broken, POLICY)
    with pytest.raises(NoteInvalid, match="not below 2\\^63"):
        cosigned("w1", time=1 << 63)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 64, 71, 73])
def test_refuses_cosignature_of_the_wrong_length(length: int) -> None:
    signature = cosigned("w1").signatures[1].signature
    with pytest.raises(NoteInvalid):
        verify_cosignatures(replaced(cosigned("w1"), 1, (signature + bytes(9))[:length]), POLICY)


def test_refuses_cosignature_moved_to_another_checkpoint() -> None:
    other = SignedNote.parse(sign_checkpoint(Checkpoint(DATA, 18, HEAD.root_hash), HOST).encode())
    moved = SignedNote(other.text, (*other.signatures, *cosigned("w1").signatures[1:]))
    with pytest.raises(NoteInvalid, match="does not verify"):
        verify_cosignatures(moved, POLICY)


def test_plain_signature_of_a_witness_key_is_no_cosignature() -> None:
    plain = SignedNote.parse(sign_note(BARE.text, "witness.example/w1", key("witness w1")))
    assert verify_cosignatures(plain, POLICY) == {}
    as_cosignature = NoteSignature(
        "witness.example/w1", VKEYS["w1"].key_id, bytes(8) + plain.signatures[0].signature
    )
    with pytest.raises(NoteInvalid, match="does not verify"):
        verify_cosignatures(SignedNote(BARE.text, (as_cosignature,)), POLICY)


def test_unknown_witness_counts_for_nothing_and_does_no_harm() -> None:
    name, key_id, signature = cosigned("w1").signatures[1]
    note = SignedNote(
        BARE.text,
        (
            *cosigned("w2", "w3").signatures,
            NoteSignature(name, b"\xff\xff\xff\xff", signature),
            NoteSignature("witness.example/other", key_id, signature),
            NoteSignature("x", key_id, b"x"),
        ),
    )
    assert verify_cosignatures(note, POLICY) == {"w2": TIME, "w3": TIME}


def test_one_witness_twice_counts_once_at_its_earlier_time() -> None:
    twice = cosigned("w1", note=cosigned("w1", time=TIME + 60), time=TIME)
    assert verify_cosignatures(twice, POLICY) == {"w1": TIME}
    with pytest.raises(NoteInvalid, match="quorum two is not met"):
        open_by_policy(twice, POLICY)


def test_checkpoint_is_valid_when_a_log_of_the_policy_signed_it_and_the_quorum_is_met() -> None:
    assert open_by_policy(cosigned("w1", "w3"), POLICY) == (HEAD, {"w1": TIME, "w3": TIME})
    with pytest.raises(NoteInvalid, match="quorum two is not met"):
        open_by_policy(cosigned("w1"), POLICY)
    unsigned = SignedNote(BARE.text, cosigned("w1", "w2").signatures[1:])
    with pytest.raises(NoteInvalid, match="no log of the policy signed"):
        open_by_policy(unsigned, POLICY)


def test_refuses_checkpoint_that_a_log_of_the_policy_signed_under_another_origin() -> None:
    text = Checkpoint(REGISTER, 17, digest("root")).text()
    note = cosigned("w1", "w2", note=SignedNote.parse(sign_note(text, DATA, HOST)))
    with pytest.raises(NoteInvalid, match="no log of the policy signed it as"):
        open_by_policy(note, POLICY)


def test_extension_lines_are_covered_by_an_ed25519_cosignature() -> None:
    extended = SignedNote.parse(sign_note(HEAD.text() + "extension\n", DATA, HOST))
    note = cosigned("w1", "w2", note=extended)
    assert open_by_policy(note, POLICY)[0].extensions == ("extension",)
    changed = SignedNote(note.text.replace("extension", "extensiom"), note.signatures[1:])
    with pytest.raises(NoteInvalid, match="does not verify"):
        verify_cosignatures(changed, POLICY)


def test_refuses_to_cosign_what_is_no_checkpoint_or_with_another_key() -> None:
    with pytest.raises(NoteInvalid, match="checkpoint"):
        cosigned("w1", note=SignedNote.parse(sign_note("text\n", DATA, HOST)))
    with pytest.raises(NoteInvalid, match="does not hold the key"):
        cosign(BARE, VKEYS["w1"], HOST, time=TIME)


@given(st.integers(0, MAX_TIME))
def test_cosignature_of_any_time_reads_back_and_prints_to_itself(time: int) -> None:
    note = cosigned("w1", time=time)
    assert verify_signatures(SignedNote.parse(note.encode()), [LOG, VKEYS["w1"]]) == {
        LOG: None,
        VKEYS["w1"]: time,
    }


QUANTUM = MlDsa44Signer.from_seed(digest("ml-dsa witness"))
SAFE = Vkey("witness.example/safe", ML_DSA_44_COSIGNATURE, QUANTUM.public)


def test_ml_dsa_cosignature_covers_name_time_origin_size_and_root_but_no_extension_lines() -> None:
    note = cosign(BARE, SAFE, QUANTUM, time=TIME)
    assert verify_signatures(SignedNote.parse(note.encode()), [SAFE]) == {SAFE: TIME}
    signature = note.signatures[-1].signature
    extended = SignedNote(note.text + "extension\n", note.signatures)
    assert verify_signatures(extended, [SAFE]) == {SAFE: TIME}
    renamed = Vkey("witness.example/other", ML_DSA_44_COSIGNATURE, QUANTUM.public)
    broken = [
        (SignedNote(note.text, (NoteSignature(renamed.name, renamed.key_id, signature),)), renamed),
        (replaced(note, 1, (TIME + 1).to_bytes(8, "big") + signature[8:]), SAFE),
        (replaced(note, 1, signature[:-1]), SAFE),
        (replaced(note, 1, signature + b"\x00"), SAFE),
        *(
            (SignedNote(Checkpoint(origin, size, root).text(), note.signatures), SAFE)
            for origin, size, root in (
                (REGISTER, 17, HEAD.root_hash),
                (DATA, 18, HEAD.root_hash),
                (DATA, 17, digest("other")),
            )
        ),
    ]
    for changed, vkey in broken:
        with pytest.raises(NoteInvalid, match="does not verify"):
            verify_signatures(changed, [vkey])


def test_message_of_an_ml_dsa_cosignature_has_the_layout_of_the_specification() -> None:
    message = subtree_message(SAFE, time=1, origin="o", start=0, end=5, root=bytes(32))
    name = b"\x14witness.example/safe"
    assert message == (
        b"subtree/v1\n\x00" + name + bytes(7) + b"\x01" + b"\x01o" + bytes(8) + bytes(7) + b"\x05" + bytes(32)
    )
    for wrong in (
        {"time": 1, "start": 4},
        {"start": 6},
        {"time": 1 << 63},
        {"origin": ""},
        {"origin": "o" * 256},
        {"end": 1 << 64},
        {"root": bytes(31)},
    ):
        parts = {"time": 0, "origin": "o", "start": 0, "end": 5, "root": bytes(32)} | wrong
        with pytest.raises(NoteInvalid):
            subtree_message(SAFE, **parts)


def test_ml_dsa_and_ed25519_witnesses_make_one_quorum() -> None:
    policy = TlogPolicy.parse(
        f"log {LOG}\nwitness w1 {VKEYS['w1']}\nwitness safe {SAFE}\ngroup both all w1 safe\nquorum both\n"
    )
    note = cosign(cosigned("w1"), SAFE, QUANTUM, time=TIME + 1)
    assert open_by_policy(note, policy) == (HEAD, {"w1": TIME, "safe": TIME + 1})
    with pytest.raises(NoteInvalid, match="quorum both is not met"):
        open_by_policy(cosigned("w1"), policy)
