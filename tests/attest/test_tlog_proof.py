from __future__ import annotations

import base64

import pytest
from example_contents import DATA, key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cosignature import cosign
from carbonseal_attest.errors import AttestError, NoteInvalid, ProofInvalid
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_proof import HEADER, MAX_EXTRA, MAX_PROOF, TlogProof
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, Vkey

HOST, WITNESS = key("log host"), key("witness w1")
W1 = Vkey("witness.example/w1", ED25519_COSIGNATURE, WITNESS.public)
POLICY = TlogPolicy.parse(f"log {Vkey(DATA, ED25519_NOTE, HOST.public)}\nwitness w1 {W1}\nquorum w1\n")
LEAVES = [leaf_hash(bytes([n])) for n in range(13)]
TIME = 1_767_229_200


def node(level: int, at: int) -> bytes:
    return root_of(LEAVES[at << level : (at + 1) << level])


def note(size: int = 13) -> SignedNote:
    head = Checkpoint(DATA, size, root_of(LEAVES[:size]))
    return cosign(SignedNote.parse(sign_checkpoint(head, HOST).encode()), W1, WITNESS, time=TIME)


PROOF = TlogProof.build(5, note(), node)
TEXT = PROOF.encode().decode()
HASH = base64.b64encode(bytes(32)).decode()


def test_proof_shows_its_entry_under_the_policy_and_no_other() -> None:
    checkpoint, times = PROOF.verify(LEAVES[5], POLICY)
    assert (checkpoint.origin, checkpoint.tree_size, times) == (DATA, 13, {"w1": TIME})
    for leaf in (LEAVES[4], bytes(32), b""):
        with pytest.raises(ProofInvalid):
            PROOF.verify(leaf, POLICY)
    for index in (4, 7, 12):
        with pytest.raises(ProofInvalid):
            TlogProof(index, PROOF.path, PROOF.note).verify(LEAVES[5], POLICY)


def test_proof_without_the_quorum_shows_nothing() -> None:
    bare = SignedNote(PROOF.note.text, PROOF.note.signatures[:1])
    with pytest.raises(NoteInvalid, match="quorum w1 is not met"):
        TlogProof(5, PROOF.path, bare).verify(LEAVES[5], POLICY)
    with pytest.raises(NoteInvalid, match="no log of the policy"):
        PROOF.verify(LEAVES[5], TlogPolicy.parse("quorum none\n"))


def test_any_flipped_bit_of_a_proof_is_refused() -> None:
    data = PROOF.encode()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        with pytest.raises(AttestError):
            TlogProof.parse(changed).verify(LEAVES[5], POLICY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin"),
        (TEXT.replace(HEADER, HEADER[:-1] + "2"), "does not begin"),
        (TEXT.replace(HEADER + "\n", HEADER + "\r\n"), "does not begin"),
        ("\n" + TEXT, "does not begin"),
        (TEXT.partition("\n\n")[0], "no empty line"),
        (TEXT.replace("index 5", "extra !!\nindex 5"), "not base64"),
        (TEXT.replace("index 5", "extra AB==\nindex 5"), "not the one base64"),
        (TEXT.replace("index 5", "extra AAAA\nextra AAAA\nindex 5"), "no index line"),
        (TEXT.replace("index 5", "index 5\nextra AAAA"), "not base64"),
        (TEXT.replace("index 5\n", ""), "no index line"),
        (TEXT.replace("index 5", "index 05"), "no index line"),
        (TEXT.replace("index 5", "index -5"), "no index line"),
        (TEXT.replace("index 5", "index 5 "), "no index line"),
        (TEXT.replace("index 5", "index  5"), "no index line"),
        (TEXT.replace("index 5", "index \u0665"), "not ASCII"),
        (TEXT.replace("index 5", "index 13"), "outside the checkpoint"),
        (TEXT.replace("index 5", "index " + "9" * 400), "no index line"),
        (TEXT.replace("index 5\n", f"index 5\n{HASH[:-4]}\n"), "not base64|not 32 bytes"),
        (TEXT.replace("index 5\n", f"index 5\n{HASH}{HASH}\n"), "not base64|not 32 bytes"),
        (TEXT.replace("index 5\n", "index 5\n" + f"{HASH}\n" * 64), "too many hashes"),
        (TEXT.replace("index 5", f"extra {'AAAA' * (MAX_EXTRA // 3 + 1)}\nindex 5"), "too much extra"),
        ("A" * (MAX_PROOF + 1), "longer than"),
    ],
)
def test_refuses_malformed_proof(text: str, reason: str) -> None:
    with pytest.raises(ProofInvalid, match=reason):
        TlogProof.parse(text.encode())


def test_refuses_proof_whose_checkpoint_is_none() -> None:
    for rest in ("", "checkpoint\n", f"{DATA}\n13\n{HASH}\n"):
        with pytest.raises(NoteInvalid):
            TlogProof.parse(f"{HEADER}\nindex 0\n\n{rest}".encode())


@given(st.integers(1, 13), st.integers(0, 12), st.none() | st.binary(max_size=40))
def test_proof_that_was_built_reads_back_and_verifies(size: int, index: int, extra: bytes | None) -> None:
    proof = TlogProof.build(index % size, note(size), node, extra=extra)
    data = proof.encode()
    assert TlogProof.parse(data) == proof
    assert proof.verify(LEAVES[index % size], POLICY)[0].tree_size == size


@given(
    st.binary(max_size=200) | st.text("extraindx 0159AB=\n", max_size=60).map(str.encode), st.integers(0, 999)
)
def test_any_bytes_give_a_proof_that_prints_to_itself_or_our_refusal(noise: bytes, at: int) -> None:
    whole = PROOF.encode()
    for data in (noise, whole[:at] + noise + whole[at:], whole[:at] + noise):
        try:
            proof = TlogProof.parse(data)
        except AttestError:
            continue
        assert proof.encode() == data
