"""The vectors of trees, notes, cosignatures and tiles come out as they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import open_by_policy, open_note
from carbonseal_attest.errors import AttestError, ProofInvalid
from carbonseal_attest.merkle import root_of, verify_consistency, verify_inclusion
from carbonseal_attest.note import SignedNote
from carbonseal_attest.range_proof import RangeProof
from carbonseal_attest.tiles import TileName, decode_entries, split_hashes
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_proof import TlogProof
from carbonseal_attest.vkey import Vkey

Vector = dict[str, Any]
octets = bytes.fromhex


def hashes(vector: Vector, name: str) -> list[bytes]:
    return [octets(item) for item in vector[name]]


def inclusion(v: Vector) -> None:
    verify_inclusion(
        v["index"], v["tree_size"], octets(v["leaf_hash"]), hashes(v, "path"), octets(v["root_hash"])
    )


def consistency(v: Vector) -> None:
    roots = octets(v["old_root"]), octets(v["new_root"])
    verify_consistency(v["old_size"], v["new_size"], *roots, hashes(v, "path"))


def range_proof(v: Vector) -> None:
    proof = RangeProof.from_value(cbor.decode(octets(v["range_proof"])))
    proof.verify(hashes(v, "leaf_hashes"), v["tree_size"], octets(v["root_hash"]))
    assert (proof.start, proof.end) == (v["start"], v["end"])


def note(v: Vector) -> None:
    read = open_note(octets(v["note"]), [Vkey.parse(text) for text in v["known"]])
    assert read.encode() == octets(v["note"])
    assert read.text == v.get("text", read.text)


def foreign_checkpoint(v: Vector) -> None:
    read = open_note(octets(v["note"]), [Vkey.parse(text) for text in v["known"]])
    head = Checkpoint.parse(read.text)
    assert head.text() == read.text
    assert (head.origin, head.tree_size, head.root_hash) == (
        v["origin"],
        v["tree_size"],
        octets(v["root_hash"]),
    )


def cosignature(v: Vector) -> None:
    _, times = open_by_policy(SignedNote.parse(v["note"].encode()), TlogPolicy.parse(v["policy"]))
    assert times == v["witnesses"]


def policy(v: Vector) -> None:
    read = TlogPolicy.from_bytes(octets(v["policy"]))
    assert bytes(read) == octets(v["policy"])
    assert all(read.is_met(names) for names in v["met"])
    assert not any(read.is_met(names) for names in v["unmet"])


def tile(v: Vector) -> None:
    name, data = TileName.parse(v["path"]), octets(v["data"])
    items = decode_entries(data) if name.level is None else split_hashes(data)
    if len(items) != name.width:
        raise ProofInvalid("tile", "of another width", "fetch it again")
    assert name.width == v["width"]
    assert "root_hash" not in v or root_of(items) == octets(v["root_hash"])


def tlog_proof(v: Vector) -> None:
    proof = TlogProof.parse(octets(v["proof"]))
    head, times = proof.verify(octets(v["leaf_hash"]), TlogPolicy.parse(v["policy"]))
    assert proof.encode() == octets(v["proof"])
    assert (proof.index, head.tree_size, times) == (v["index"], v["tree_size"], v["witnesses"])


FILES: list[tuple[str, str, Callable[[Vector], None]]] = [
    ("inclusion", "inclusion.json", inclusion),
    ("consistency", "consistency.json", consistency),
    ("range", "range.json", range_proof),
    ("note", "note.json", note),
    ("checkpoint", "foreign.json", foreign_checkpoint),
    ("cosignature", "cosignature.json", cosignature),
    ("cosignature", "policy.json", policy),
    ("tile", "tile.json", tile),
    ("tlog-proof", "tlog-proof.json", tlog_proof),
]


@pytest.mark.parametrize(
    ("check", "vector"),
    [
        pytest.param(check, vector, id=f"{family}: {vector['desc']}")
        for family, name, check in FILES
        for vector in read_vectors(family, name)
    ],
)
def test_agrees_with_own_vectors(check: Callable[[Vector], None], vector: Vector) -> None:
    if not vector["want_error"]:
        check(vector)
        return
    with pytest.raises(AttestError) as caught:
        check(vector)
    assert caught.value.code == vector["want_error"]
