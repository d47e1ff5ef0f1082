from __future__ import annotations

from typing import Any

import pytest
from example_contents import DATA, REGISTER, key
from example_statements import statements
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.cose import sig_structure
from carbonseal_attest.cose_receipt import InclusionProof
from carbonseal_attest.errors import AttestError, ProofInvalid, SignatureInvalid, StatementInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import MAX_TREE_SIZE, consistency_path, inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import ConsistencyReceipt, Receipt, make_consistency_receipt, make_receipt
from carbonseal_attest.signing import signer_from_seed

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
        public = PublicKey.from_text(vector["public"])
        return receipt.verify(bytes.fromhex(vector["entry"]), origin=vector["origin"], key=public)

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
    else:
        assert check().hex() == vector["root_hash"]


@pytest.mark.parametrize(
    "vector", read_vectors("receipt", "consistency-receipt.json"), ids=lambda v: v["desc"]
)
def test_consistency_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    def check() -> tuple[int, bytes]:
        receipt = ConsistencyReceipt.parse(bytes.fromhex(vector["consistency_receipt"]))
        public = PublicKey.from_text(vector["public"])
        old_root = bytes.fromhex(vector["old_root"])
        root = receipt.verify(vector["old_size"], old_root, origin=vector["origin"], key=public)
        return receipt.tree_size, root

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
    else:
        assert check() == (vector["tree_size"], bytes.fromhex(vector["root_hash"]))


def consistency(old: int = 3, new: int = 7) -> bytes:
    return make_consistency_receipt(
        HOST,
        log_host="h-examplehost",
        origin=DATA,
        old_size=old,
        new_size=new,
        path=consistency_path(old, new, node),
        root=root_of(LEAVES[:new]),
    )


@pytest.mark.parametrize("new", range(2, 8))
def test_consistency_receipt_verifies_from_every_earlier_head(new: int) -> None:
    for old in range(1, new):
        receipt = ConsistencyReceipt.parse(consistency(old, new))
        root = receipt.verify(old, root_of(LEAVES[:old]), origin=DATA, key=HOST.public)
        assert (receipt.old_size, receipt.tree_size, root) == (old, new, root_of(LEAVES[:new]))


def test_consistency_receipt_of_another_head_log_or_key_is_refused() -> None:
    receipt, root = ConsistencyReceipt.parse(consistency()), root_of(LEAVES[:3])
    with pytest.raises(ProofInvalid, match="another old root"):
        receipt.verify(3, root_of(LEAVES[:4]), origin=DATA, key=HOST.public)
    with pytest.raises(ProofInvalid, match="another old size"):
        receipt.verify(4, root, origin=DATA, key=HOST.public)
    with pytest.raises(ProofInvalid, match="another log or key"):
        receipt.verify(3, root, origin=REGISTER, key=HOST.public)
    with pytest.raises(ProofInvalid, match="another log or key"):
        receipt.verify(3, root, origin=DATA, key=key("party").public)


def test_kinds_of_receipt_do_not_stand_for_each_other() -> None:
    with pytest.raises(ProofInvalid, match="one consistency proof"):
        ConsistencyReceipt.parse(made())
    with pytest.raises(ProofInvalid, match="one inclusion proof"):
        Receipt.parse(consistency())


def test_any_flipped_bit_of_a_consistency_receipt_is_refused() -> None:
    data, root = consistency(), root_of(LEAVES[:3])
    for at in range(len(data)):
        with pytest.raises(AttestError):
            ConsistencyReceipt.parse(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).verify(
                3, root, origin=DATA, key=HOST.public
            )


@pytest.mark.parametrize("algorithm", sorted(ADMITTED))
def test_a_receipt_of_any_admitted_algorithm_fits_the_deepest_tree(algorithm: int) -> None:
    signer = signer_from_seed(algorithm, bytes(range(32)))
    size, path = MAX_TREE_SIZE, [bytes(32)] * 48
    root = InclusionProof(size, 0, tuple(path)).root(b"entry")
    longest = f"log.example.org/{'a' * 40}/{'b' * 40}"
    data = make_receipt(
        signer, log_host="h-examplehost", origin=longest, tree_size=size, index=0, path=path, root=root
    )
    assert Receipt.parse(data).verify(b"entry", origin=longest, key=signer.public) == root


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
