from __future__ import annotations

from typing import Any

import pytest
from example_contents import DATA, REGISTER, key
from example_statements import statements
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ED25519
from carbonseal_attest.errors import AttestError, ProofInvalid, SignatureInvalid, StatementInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import Receipt, make_receipt
from carbonseal_attest.statement import sig_structure

HOST = key("log host")
ENTRIES = [made.raw for made in statements(7)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def node(level: int, at: int) -> bytes:
    return root_of(LEAVES[at << level : (at + 1) << level])


def made(index: int = 3, size: int = 5) -> bytes:
    return make_receipt(
        HOST,
        log_host="h-examplehost",
        origin=DATA,
        tree_size=size,
        index=index,
        path=inclusion_path(index, size, node),
        root=root_of(LEAVES[:size]),
    )


def changed(*, proof: list[Any] | None = None, labels: dict[int, Any] | None = None) -> bytes:
    """The receipt of entry 3 of 5 with another proof, or signed again over other labels."""
    protected, unprotected, _, signature = cbor.decode(made()[1:])
    if labels is not None:
        protected = cbor.encode({**cbor.decode(protected), **labels})
        signature = HOST.sign(sig_structure(protected, root_of(LEAVES[:5])))
    if proof is not None:
        unprotected = {396: {-1: [cbor.encode(proof)]}}
    return b"\xd2" + cbor.encode([protected, unprotected, None, signature])


@pytest.mark.parametrize("vector", read_vectors("receipt"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    def check() -> bytes:
        receipt = Receipt.parse(bytes.fromhex(vector["receipt"]))
        public = PublicKey(ED25519, bytes.fromhex(vector["public"]))
        return receipt.verify(bytes.fromhex(vector["entry"]), origin=vector["origin"], key=public)

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
    else:
        assert check().hex() == vector["root_hash"]


@pytest.mark.parametrize("size", range(2, 8))
def test_receipt_that_was_made_verifies_and_shows_its_place(size: int) -> None:
    for index in range(size):
        receipt = Receipt.parse(made(index, size))
        assert (receipt.index, receipt.tree_size, receipt.origin) == (index, size, DATA)
        assert receipt.verify(ENTRIES[index], origin=DATA, key=HOST.public) == root_of(LEAVES[:size])


def test_refuses_receipt_for_another_entry_log_or_key() -> None:
    receipt = Receipt.parse(made())
    with pytest.raises(SignatureInvalid):
        receipt.verify(ENTRIES[2], origin=DATA, key=HOST.public)
    with pytest.raises(ProofInvalid, match="another log or key"):
        receipt.verify(ENTRIES[3], origin=REGISTER, key=HOST.public)
    with pytest.raises(ProofInvalid, match="another log or key"):
        receipt.verify(ENTRIES[3], origin=DATA, key=key("party").public)


def test_refuses_unsigned_size_that_differs_from_the_signed_one() -> None:
    path = inclusion_path(3, 5, node)
    for size in (4, 6, 8):
        with pytest.raises(ProofInvalid, match="differ"):
            Receipt.parse(changed(proof=[size, 3, path]))


def test_refuses_every_other_index_over_the_same_path() -> None:
    for index in (0, 1, 2, 4):
        with pytest.raises(AttestError):
            Receipt.parse(changed(proof=[5, index, inclusion_path(3, 5, node)])).verify(
                ENTRIES[3], origin=DATA, key=HOST.public
            )


@pytest.mark.parametrize(
    "proof",
    [
        [],
        [5, 3],
        [5, 3, None],
        [5, 3, [], 0],
        [5, -1, []],
        [5, 5, []],
        [5, True, []],
        [True, False, []],
        [1, 0, []],
        [(1 << 48) + 1, 0, []],
        [5, 3, [bytes(31)] * 3],
        [5, 3, [bytes(32)] * 64],
        [5, 3, ["x"]],
    ],
    ids=repr,
)
def test_refuses_malformed_proof(proof: list[Any]) -> None:
    with pytest.raises(ProofInvalid):
        Receipt.parse(changed(proof=proof))


@pytest.mark.parametrize(
    "labels",
    [
        {1: -6},
        {1: "Ed25519"},
        {395: 2},
        {395: True},
        {-70007: 6},
        {-70007: True},
        {-70001: REGISTER},
        {4: b"short"},
        {15: {1: "h-examplehost", 2: REGISTER}},
        {15: {1: "h-examplehost", 2: DATA, 6: 0}},
        {15: {1: 5, 2: DATA}},
        {15: {1: "Example host", 2: DATA}},
        {3: 0},
    ],
    ids=repr,
)
def test_refuses_header_outside_the_profile_although_it_is_signed(labels: dict[int, Any]) -> None:
    with pytest.raises(ProofInvalid):
        Receipt.parse(changed(labels=labels))


@pytest.mark.parametrize(
    "unprotected",
    [
        {},
        {396: {}},
        {396: {-1: []}},
        {396: {-1: [b"", b""]}},
        {396: {-1: [b""], -2: []}},
        {396: {-1: [b""]}, 4: b"k"},
    ],
    ids=repr,
)
def test_refuses_unprotected_header_other_than_one_inclusion_proof(unprotected: dict[int, Any]) -> None:
    protected, _, _, signature = cbor.decode(made()[1:])
    with pytest.raises(ProofInvalid):
        Receipt.parse(b"\xd2" + cbor.encode([protected, unprotected, None, signature]))


def test_refuses_receipt_that_carries_its_root() -> None:
    # The root must be recomputed: one that is carried along would be believed.
    protected, unprotected, _, signature = cbor.decode(made()[1:])
    with pytest.raises(ProofInvalid, match="not a detached"):
        Receipt.parse(b"\xd2" + cbor.encode([protected, unprotected, root_of(LEAVES[:5]), signature]))


def test_never_makes_a_receipt_for_a_log_of_one_entry() -> None:
    # The grammar of RFC 9942 has no empty path.
    with pytest.raises(StatementInvalid, match="log of one entry"):
        make_receipt(HOST, log_host="h-x", origin=DATA, tree_size=1, index=0, path=[], root=LEAVES[0])


def test_any_flipped_bit_of_a_receipt_is_refused() -> None:
    data = made()
    for at in range(len(data)):
        for bit in (0, 6):
            with pytest.raises(AttestError):
                Receipt.parse(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]).verify(
                    ENTRIES[3], origin=DATA, key=HOST.public
                )


@given(st.binary(max_size=64), st.integers(0, 200), st.integers(0, 20))
def test_any_change_of_bytes_is_refused(new: bytes, at: int, removed: int) -> None:
    data = made()
    other = data[:at] + new + data[at + removed :]
    if other != data:
        with pytest.raises(AttestError):
            Receipt.parse(other).verify(ENTRIES[3], origin=DATA, key=HOST.public)
