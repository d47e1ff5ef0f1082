from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_contents import DATA, REGISTER, digest, key
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root_of, verify_consistency
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tiles import decode_entries
from carbonseal_attest.vkey import Vkey

HOST = key("log host")
ROOT = "A" * 43 + "="


@pytest.mark.parametrize("vector", read_vectors("checkpoint"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    public = PublicKey(ED25519, bytes.fromhex(vector["public"]))
    if vector["want_error"]:
        with pytest.raises(NoteInvalid) as caught:
            open_checkpoint(vector["note"], origin=vector["origin"], key=public)
        assert caught.value.code == vector["want_error"]
        return
    checkpoint = open_checkpoint(vector["note"], origin=vector["origin"], key=public)
    assert checkpoint.tree_size == vector.get("tree_size", 17)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{DATA}\n5\n{ROOT}",  # last line not ended
        f"{DATA}\n5\n{ROOT}\nextension\n",
        f"{DATA}\n05\n{ROOT}\n",
        f"{DATA}\n-5\n{ROOT}\n",
        f"{DATA}\n+5\n{ROOT}\n",
        f"{DATA}\n5 \n{ROOT}\n",
        f"{DATA}\n\u0665\n{ROOT}\n",
        f"{DATA}\n{(1 << 48) + 1}\n{ROOT}\n",
        f"{DATA}\n{10**400}\n{ROOT}\n",
        f"{DATA}\n0\n{ROOT}\n",  # the empty tree has one root
        f"{DATA}\n5\n{ROOT[:-1]}\n",
        f"{DATA}\n5\n{'A' * 42}B=\n",  # spare bits that are not zero
        f"{DATA}\n5\n{'A' * 44}\n",
        f"{DATA}\n5\n{ROOT} \n",
        f"{DATA}\n5\n\u0430{ROOT[1:]}\n",
        f"{DATA.upper()}\n5\n{ROOT}\n",
        f" {DATA}\n5\n{ROOT}\n",
    ],
)
def test_refuses_what_no_log_of_ours_could_sign(text: str) -> None:
    with pytest.raises(NoteInvalid):
        Checkpoint.parse(text).check_profile()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n5\n" + ROOT + "\n",
        f"{DATA}\n5\n",
        f"{DATA}\n5\n{ROOT}",
        f"{DATA}\n5\n{ROOT}\n\n",
        f"{DATA}\n5\n{ROOT}\n\nextension\n",
        f"{DATA}\n05\n{ROOT}\n",
        f"{DATA}\n-5\n{ROOT}\n",
        f"{DATA}\n\u0665\n{ROOT}\n",
        f"{DATA}\n{1 << 64}\n{ROOT}\n",
        f"{DATA}\n{10**400}\n{ROOT}\n",
        f"{DATA}\n5\n{'A' * 42}B=\n",
        f"{DATA}\n5\n{'A' * 44}\n",
    ],
)
def test_refuses_what_is_no_checkpoint_of_anybody(text: str) -> None:
    with pytest.raises(NoteInvalid):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("text", "extensions"),
    [
        (f"rekor.sigstore.dev - 1193050959916656506\n42591958\n{ROOT}\n", ()),
        (f"go.sum database tree\n0\n{ROOT}\nextension one\ntwo\n", ("extension one", "two")),
        (f"\u4e2d +\n{(1 << 64) - 1}\n{ROOT}\n", ()),
    ],
)
def test_reads_and_prints_checkpoints_of_foreign_logs(text: str, extensions: tuple[str, ...]) -> None:
    checkpoint = Checkpoint.parse(text)
    assert checkpoint.extensions == extensions
    assert checkpoint.text() == text


def test_refuses_checkpoint_of_another_log_although_the_same_key_signed_it() -> None:
    note = sign_checkpoint(Checkpoint(REGISTER, 5, digest("x")), HOST)
    with pytest.raises(NoteInvalid, match="not of"):
        open_checkpoint(note, origin=DATA, key=HOST.public)


def test_refuses_checkpoint_signed_under_another_name() -> None:
    note = sign_checkpoint(Checkpoint(DATA, 5, digest("x")), HOST).replace(
        f"\u2014 {DATA}", f"\u2014 {REGISTER}"
    )
    with pytest.raises(NoteInvalid, match="no signature of the expected key"):
        open_checkpoint(note, origin=DATA, key=HOST.public)


@given(st.integers(1, 1 << 48), st.binary(min_size=32, max_size=32))
def test_checkpoint_that_was_signed_opens_to_itself(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(DATA, size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    note = sign_checkpoint(checkpoint, HOST)
    assert note == sign_checkpoint(checkpoint, HOST)
    assert open_checkpoint(note, origin=DATA, key=HOST.public) == checkpoint


@given(st.text(), st.text(), st.text())
def test_any_three_lines_give_a_checkpoint_that_prints_to_itself_or_our_refusal(
    origin: str, size: str, root: str
) -> None:
    text = f"{origin}\n{size}\n{root}\n"
    try:
        checkpoint = Checkpoint.parse(text)
    except NoteInvalid:
        return
    assert checkpoint.text() == text


def test_every_checkpoint_of_the_public_log_verifies_and_extends_the_one_before(shared_data: Path) -> None:
    folder = shared_data / "tlog-tiles-small"
    key = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"  # SOURCE.md
    vkey = Vkey.parse(key)
    leaves = [leaf_hash(word) for word in decode_entries((folder / "tile/entries/000.p/15").read_bytes())]

    def node(level: int, at: int) -> bytes:
        return root_of(leaves[at << level : (at + 1) << level])

    heads = []
    for size in range(16):
        note = (folder / f"checkpoint.{size}").read_bytes()
        assert SignedNote.parse(note).encode() == note
        head = open_checkpoint(note.decode(), origin=vkey.name, key=vkey.key)
        assert (head.tree_size, head.root_hash) == (size, root_of(leaves[:size]) if size else EMPTY_ROOT)
        heads.append(head)
    assert (folder / "checkpoint").read_bytes() == (folder / "checkpoint.15").read_bytes()
    for old in heads[1:]:
        for new in heads[old.tree_size :]:
            path = consistency_path(old.tree_size, new.tree_size, node)
            verify_consistency(old.tree_size, new.tree_size, old.root_hash, new.root_hash, path)
