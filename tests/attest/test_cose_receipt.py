from __future__ import annotations

import hashlib
from typing import Any

import foreign_cose
import pytest
from example_contents import key
from example_statements import statements
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, EDDSA
from carbonseal_attest.cose import Sign1, join_sign1, sig_structure
from carbonseal_attest.cose_receipt import MAX_PROOFS, ConsistencyProof, CoseReceipt, InclusionProof
from carbonseal_attest.errors import (
    AttestError,
    CoseInvalid,
    ProofInvalid,
    SignatureInvalid,
    Unsupported,
)
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import consistency_path, inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import Receipt

HOST = key("log host")
ENTRIES = [made.raw for made in statements(7)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
PROTECTED = cbor.encode({1: -19, 395: 1})


def node(level: int, at: int) -> bytes:
    return root_of(LEAVES[at << level : (at + 1) << level])


def inclusion(index: int, size: int) -> bytes:
    return InclusionProof(size, index, tuple(inclusion_path(index, size, node))).encode()


def consistency(old: int, new: int) -> bytes:
    return ConsistencyProof(old, new, tuple(consistency_path(old, new, node))).encode()


def receipt(
    proofs: Any, size: int = 5, *, payload: bytes | None = None, protected: bytes = PROTECTED
) -> CoseReceipt:
    signature = HOST.sign(sig_structure(protected, root_of(LEAVES[:size])))
    return CoseReceipt.parse(join_sign1(protected, {396: proofs}, payload, signature))


@pytest.mark.parametrize("vector", read_vectors("receipt", "foreign.json"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    def check() -> tuple[CoseReceipt, bytes | None]:
        read = CoseReceipt.parse(bytes.fromhex(vector["cose_receipt"]))
        if "entry" not in vector:
            return read, None
        public = PublicKey.from_text(vector["public"])
        entry = bytes.fromhex(vector["entry"])
        return read, read.verify_inclusion(entry, key=public, admitted=vector["admitted"])[1]

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
        return
    read, root = check()
    assert read.structure == vector["vds"]
    assert [[p.tree_size, p.index, len(p.path)] for p in read.inclusion] == vector["inclusion"]
    assert [[p.old_size, p.new_size, len(p.path)] for p in read.consistency] == vector["consistency"]
    assert "root_hash" not in vector or root == bytes.fromhex(vector["root_hash"])


@pytest.mark.parametrize(
    "vector",
    [v for v in read_vectors("receipt", "foreign.json") if not v["want_error"]],
    ids=lambda v: v["desc"],
)
def test_no_foreign_receipt_passes_for_one_of_ours(vector: dict[str, Any]) -> None:
    with pytest.raises(ProofInvalid):
        Receipt.parse(bytes.fromhex(vector["cose_receipt"]))


def test_statement_and_receipt_of_another_implementation_hold_together() -> None:
    statement = bytes.fromhex(foreign_cose.INTEROP_STATEMENT)
    Sign1.parse(statement).verify(PublicKey.from_text(foreign_cose.INTEROP_STATEMENT_KEY), admitted={EDDSA})
    made = CoseReceipt.parse(bytes.fromhex(foreign_cose.INTEROP_FIRST))
    log_key = PublicKey.from_text(foreign_cose.INTEROP_FIRST_KEY)
    _, root = made.verify_inclusion(hashlib.sha256(statement).digest(), key=log_key, admitted={EDDSA})
    assert root.hex() == foreign_cose.INTEROP_FIRST_ROOT
    with pytest.raises(SignatureInvalid):
        made.verify_inclusion(statement, key=log_key, admitted={EDDSA})  # its entry is the digest


def test_a_flipped_size_or_index_may_verify_here_which_is_why_ours_signs_the_size() -> None:
    # The path of entry 3 is as long in a tree of 6 as in one of 5, and leads to the same root.
    path = tuple(inclusion_path(3, 5, node))
    flipped = receipt({-1: [InclusionProof(6, 3, path).encode()]}, 5)
    proof, root = flipped.verify_inclusion(ENTRIES[3], key=HOST.public, admitted=ADMITTED)
    assert (proof.tree_size, root) == (6, root_of(LEAVES[:5]))


def test_one_of_several_proofs_is_enough_and_says_which() -> None:
    several = receipt({-1: [inclusion(0, 5), inclusion(2, 5), inclusion(4, 5)]})
    proof, root = several.verify_inclusion(ENTRIES[2], key=HOST.public, admitted=ADMITTED)
    assert (proof.index, root) == (2, root_of(LEAVES[:5]))
    with pytest.raises(AttestError):
        several.verify_inclusion(ENTRIES[1], key=HOST.public, admitted=ADMITTED)


def test_attached_root_must_be_the_one_to_which_the_proof_leads() -> None:
    right = receipt({-1: [inclusion(2, 5)]}, payload=root_of(LEAVES[:5]))
    right.verify_inclusion(ENTRIES[2], key=HOST.public, admitted=ADMITTED)
    wrong = receipt({-1: [inclusion(2, 5)]}, payload=bytes(32))
    with pytest.raises(ProofInvalid, match="another root"):
        wrong.verify_inclusion(ENTRIES[2], key=HOST.public, admitted=ADMITTED)


def test_consistency_needs_the_very_old_head() -> None:
    made = receipt({-2: [consistency(3, 7), consistency(4, 7)]}, 7)
    for old in (3, 4):
        proof, new = made.verify_consistency(old, root_of(LEAVES[:old]), key=HOST.public, admitted=ADMITTED)
        assert (proof.old_size, proof.new_size, new) == (old, 7, root_of(LEAVES))
        with pytest.raises(AttestError):
            made.verify_consistency(old, bytes(32), key=HOST.public, admitted=ADMITTED)
    with pytest.raises(ProofInvalid, match="no proof of consistency from size 5"):
        made.verify_consistency(5, root_of(LEAVES[:5]), key=HOST.public, admitted=ADMITTED)


def test_signature_is_checked_before_the_old_root() -> None:
    made = receipt({-2: [consistency(3, 7)]}, 6)  # signed over another root
    with pytest.raises(SignatureInvalid):
        made.verify_consistency(3, bytes(32), key=HOST.public, admitted=ADMITTED)


def test_kinds_of_proof_do_not_stand_for_each_other() -> None:
    with pytest.raises(ProofInvalid, match="no proof of inclusion"):
        receipt({-2: [consistency(3, 5)]}).verify_inclusion(ENTRIES[3], key=HOST.public, admitted=ADMITTED)
    with pytest.raises(ProofInvalid, match="no proof of consistency"):
        receipt({-1: [inclusion(3, 5)]}).verify_consistency(
            3, root_of(LEAVES[:3]), key=HOST.public, admitted=ADMITTED
        )


def test_other_data_structure_is_read_and_named_when_it_is_to_be_verified() -> None:
    other = receipt({-1: [b"\xa0"], "x": 1}, protected=cbor.encode({1: -19, 395: 2}))
    assert other.proofs == {-1: [b"\xa0"], "x": 1}
    with pytest.raises(Unsupported, match="structure 2 is not supported"):
        other.verify_inclusion(ENTRIES[0], key=HOST.public, admitted=ADMITTED)
    with pytest.raises(Unsupported, match="structure 2 is not supported"):
        other.verify_consistency(1, LEAVES[0], key=HOST.public, admitted=ADMITTED)


@pytest.mark.parametrize(
    "proofs",
    [
        None, [], {}, {-1: []}, {-1: None}, {-1: b""}, {-1: [None]}, {-2: []}, {-2: ["x"]},
        {-1: [b"\xa0"] * (MAX_PROOFS + 1)}, {-1: [b""]}, {-1: [b"\x81" * 4 + b"\x00"]},
    ],
    ids=repr,
)  # fmt: skip
def test_refuses_map_of_proofs_that_is_none(proofs: Any) -> None:
    with pytest.raises(CoseInvalid):
        receipt(proofs)


@pytest.mark.parametrize(
    "proof",
    [[], [5, 3], [5, True, []], [5, 3, []][::-1], [5, 5, []], [5, -1, []], [0, 0, []], [(1 << 48) + 1, 0, []],
     [5, 3, [bytes(31)]], [5, 3, ["x"]], [5, 3, [bytes(32)] * 64], {5: 3}, 5],
    ids=repr,
)  # fmt: skip
def test_refuses_malformed_proof(proof: Any) -> None:
    for kind in (-1, -2):
        if (kind, proof) != (-2, [5, 5, []]):  # consistent with itself
            with pytest.raises(ProofInvalid):
                receipt({kind: [cbor.encode(proof)]})


@pytest.mark.parametrize("header", [{1: -19}, {1: -19, 395: True}, {1: -19, 395: "RFC9162_SHA256"}], ids=repr)
def test_refuses_receipt_without_a_signed_data_structure(header: dict[int | str, Any]) -> None:
    with pytest.raises(CoseInvalid, match="vds"):
        receipt({-1: [inclusion(3, 5)]}, protected=cbor.encode(header))


@given(st.integers(1, 7), st.data())
def test_proofs_made_lead_to_the_roots(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    made = receipt({-1: [inclusion(index, size)], -2: [consistency(old, size)]}, size)
    assert made.verify_inclusion(ENTRIES[index], key=HOST.public, admitted=ADMITTED)[1] == root_of(
        LEAVES[:size]
    )
    new = made.verify_consistency(old, root_of(LEAVES[:old]), key=HOST.public, admitted=ADMITTED)[1]
    assert new == root_of(LEAVES[:size])
