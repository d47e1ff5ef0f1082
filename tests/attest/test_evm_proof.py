from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.errors import CarbonsealError, ProofInvalid
from carbonseal_attest.evm_proof import (
    HeaderProfileUnknown,
    RlpItem,
    keccak256,
    parse_header,
    referenced_nodes,
    rlp_decode,
    rlp_encode,
    rlp_uint,
    trie_value,
    verify_account,
    verify_storage,
)

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "evm" / "proofs.json"
# keccak256 of these two slots agrees in its first eight nibbles, so that the branch which parts them holds
# two leaves of less than 32 bytes: nodes embedded in a node, which ordinary keys hardly ever give.
TWIN_SLOTS = (40_364, 105_566)


class Chain:
    """What a real node said about one block and one account; `tests/contracts` asks it again, live."""

    def __init__(self) -> None:
        self.block: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
        self.header = bytes.fromhex(self.block["header"])
        self.state_root = bytes.fromhex(self.block["state_root"])
        self.account_proof = _nodes(self.block["account_proof"])
        storage = {vector["slot"]: vector for vector in self.block["storage"]}
        self.words = {slot: int(vector["word"], 16) for slot, vector in storage.items()}
        self.storage_proofs = {slot: _nodes(vector["proof"]) for slot, vector in storage.items()}

    def proof(self, slot: int) -> tuple[list[bytes], list[bytes]]:
        return self.account_proof, self.storage_proofs[slot]


ACCOUNT = bytes.fromhex("c0de000000000000000000000000000000000001")


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


def _nodes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def _slot(number: int) -> bytes:
    return number.to_bytes(32, "big")


# -- RLP


def _vector_item(value: Any) -> RlpItem:
    return [_vector_item(v) for v in value] if isinstance(value, list) else bytes.fromhex(value[2:])


def test_rlp_agrees_with_public_vectors(shared_data: Path) -> None:
    vectors = json.loads(gzip.decompress((shared_data / "evm-vectors" / "rlp.json.gz").read_bytes()))
    assert len(vectors) == 61
    for vector in vectors:
        item, raw = _vector_item(vector["decoded"]), bytes.fromhex(vector["encoded"][2:])
        assert rlp_encode(item) == raw, vector["name"]
        assert rlp_decode(raw, max_items=4096) == item, vector["name"]


@given(st.recursive(st.binary(max_size=70), lambda items: st.lists(items, max_size=6), max_leaves=20))
@settings(max_examples=150)
def test_rlp_decodes_what_it_encoded(item: RlpItem) -> None:
    assert rlp_decode(rlp_encode(item)) == item


@given(st.binary(max_size=80))
@settings(max_examples=400)
def test_any_bytes_give_a_canonical_item_or_our_error(data: bytes) -> None:
    try:
        item = rlp_decode(data)
    except ProofInvalid:
        return
    assert rlp_encode(item) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "cut short"),
        ("8100", "written with a length"),
        ("817f", "written with a length"),
        ("b800", "shortest form"),
        ("b837" + "61" * 55, "shortest form"),
        ("b90001" + "61", "shortest form"),
        ("f80180", "shortest form"),
        ("8261", "cut short"),
        ("b8", "cut short"),
        ("bfffffffffffffffff", "cut short"),
        ("c28161", "written with a length"),
        ("c18080", "bytes after"),
        ("8080", "bytes after"),
        ("c3c2c1", "cut short"),
    ],
)
def test_rejects_rlp_in_any_but_its_shortest_form(data: str, reason: str) -> None:
    with pytest.raises(ProofInvalid, match=reason):
        rlp_decode(bytes.fromhex(data))


def test_rejects_rlp_beyond_its_limits() -> None:
    nested: RlpItem = b""
    for _ in range(17):
        nested = [nested]
    with pytest.raises(ProofInvalid, match="nested too deeply"):
        rlp_decode(rlp_encode(nested))
    with pytest.raises(ProofInvalid, match="too many items"):
        rlp_decode(rlp_encode([b""] * 256))
    with pytest.raises(ProofInvalid, match="at most 16384"):
        rlp_decode(bytes(16_385))


def test_rejects_number_with_leading_zero_or_too_long() -> None:
    assert rlp_uint(b"", field="n") == 0
    for item in (b"\x00", b"\x00\x01", b"\x01" * 33, []):
        with pytest.raises(ProofInvalid, match="without leading zeros"):
            rlp_uint(item, field="n")


# -- Headers


def test_header_of_a_real_chain_hashes_to_its_block_hash(chain: Chain) -> None:
    header = parse_header(chain.header, header_profile="evm-rlp")
    assert header.block_hash.hex() == chain.block["block_hash"]
    assert header.parent_hash.hex() == chain.block["parent_hash"]
    assert header.state_root == chain.state_root
    assert (header.number, header.timestamp) == (1, 1_767_225_660)


def test_rejects_header_profile_that_is_not_known(chain: Chain) -> None:
    with pytest.raises(HeaderProfileUnknown, match="check the anchor online"):
        parse_header(chain.header, header_profile="qbft")


@pytest.mark.parametrize("position", range(15))
def test_rejects_header_with_a_list_for_a_field(chain: Chain, position: int) -> None:
    fields = rlp_decode(chain.header)
    assert isinstance(fields, list)
    fields[position] = [b""]
    with pytest.raises(ProofInvalid, match="a field is a list"):
        parse_header(rlp_encode(fields), header_profile="evm-rlp")


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 5, 6, 8, 11, 13, 14])
def test_rejects_header_with_a_field_of_another_length(chain: Chain, position: int) -> None:
    fields = rlp_decode(chain.header)
    assert isinstance(fields, list)
    fields[position] = b"\x01" * 33
    with pytest.raises(ProofInvalid, match=r"field|number"):
        parse_header(rlp_encode(fields), header_profile="evm-rlp")


def test_rejects_header_with_too_few_or_too_many_fields(chain: Chain) -> None:
    fields = rlp_decode(chain.header)
    assert isinstance(fields, list)
    for other in (fields[:14], fields + [b""] * 20, []):
        with pytest.raises(ProofInvalid, match="15 to 32 fields"):
            parse_header(rlp_encode(other), header_profile="evm-rlp")


# -- Merkle-Patricia proofs


def test_proves_every_stored_word_of_a_real_chain(chain: Chain) -> None:
    for slot, word in chain.words.items():
        if word == 0:
            continue
        account_proof, storage_proof = chain.proof(slot)
        account = verify_account(chain.state_root, ACCOUNT, account_proof)
        assert account.code_hash == keccak256(bytes.fromhex("600160005260206000f3"))
        assert verify_storage(account.storage_root, _slot(slot), storage_proof) == _slot(word)


def test_proves_word_behind_an_embedded_node(chain: Chain) -> None:
    account_proof, storage_proof = chain.proof(TWIN_SLOTS[0])
    last = rlp_decode(storage_proof[-1])
    assert isinstance(last, list)
    assert any(isinstance(item, list) for item in last), "the vector lost its point"
    account = verify_account(chain.state_root, ACCOUNT, account_proof)
    assert verify_storage(account.storage_root, _slot(TWIN_SLOTS[0]), storage_proof) == _slot(1)


def test_drops_embedded_nodes_that_a_server_lists_a_second_time(chain: Chain) -> None:
    proof = chain.storage_proofs[TWIN_SLOTS[0]]
    last = rlp_decode(proof[-1])
    assert isinstance(last, list)
    embedded = [rlp_encode(item) for item in last if isinstance(item, list)]
    assert referenced_nodes([*proof, embedded[0]]) == proof
    assert referenced_nodes([b"\x80"]) == [b"\x80"], "a root may be short"


def test_rejects_proof_of_absence_as_a_value(chain: Chain) -> None:
    account_proof, storage_proof = chain.proof(60)
    account = verify_account(chain.state_root, ACCOUNT, account_proof)
    with pytest.raises(ProofInvalid, match="absent"):
        verify_storage(account.storage_root, _slot(60), storage_proof)
    nobody, proof = b"\x99" * 20, _nodes(chain.block["absent_account_proof"])
    with pytest.raises(ProofInvalid, match="absent"):
        verify_account(chain.state_root, nobody, proof)


def test_rejects_proof_for_another_slot(chain: Chain) -> None:
    account_proof, storage_proof = chain.proof(TWIN_SLOTS[0])
    account = verify_account(chain.state_root, ACCOUNT, account_proof)
    for slot in (TWIN_SLOTS[1] + 1, 3):
        with pytest.raises(ProofInvalid, match="storage proof"):
            verify_storage(account.storage_root, _slot(slot), storage_proof)


def test_rejects_any_flipped_bit_in_any_node(chain: Chain) -> None:
    account_proof, storage_proof = chain.proof(7)
    account = verify_account(chain.state_root, ACCOUNT, account_proof)
    for index, node in enumerate(storage_proof):
        for position in range(0, len(node), 5):
            broken = bytearray(node)
            broken[position] ^= 1 << (position % 8)
            nodes = [*storage_proof[:index], bytes(broken), *storage_proof[index + 1 :]]
            with pytest.raises(ProofInvalid, match="does not hash"):
                verify_storage(account.storage_root, _slot(7), nodes)


def test_rejects_missing_surplus_and_reordered_nodes(chain: Chain) -> None:
    account_proof, storage_proof = chain.proof(7)
    account = verify_account(chain.state_root, ACCOUNT, account_proof)
    assert len(storage_proof) > 1
    for nodes, reason in (
        ([], "between 1 and 65"),
        (storage_proof[:-1], "missing"),
        ([*storage_proof, storage_proof[-1]], "to spare"),
        (storage_proof[::-1], "does not hash"),
        ([storage_proof[0]] * 66, "between 1 and 65"),
    ):
        with pytest.raises(ProofInvalid, match=reason):
            verify_storage(account.storage_root, _slot(7), nodes)


def test_rejects_storage_value_that_is_zero_or_padded() -> None:
    slot = _slot(1)
    path = b"\x20" + keccak256(slot)
    for value, reason in ((b"\x00", "leading zeros"), (b"\x00\x05", "leading zeros"), (b"", "zero")):
        leaf = rlp_encode([path, rlp_encode(value)])
        with pytest.raises(ProofInvalid, match=reason):
            verify_storage(keccak256(leaf), slot, [leaf])


def _single(items: RlpItem) -> tuple[bytes, list[bytes]]:
    raw = rlp_encode(items)
    return keccak256(raw), [raw]


def test_rejects_malformed_nodes() -> None:
    digits = keccak256(b"k")
    bad: list[tuple[RlpItem, str]] = [
        (b"string", "neither 2 nor 17"),
        ([], "neither 2 nor 17"),
        ([b""] * 16, "neither 2 nor 17"),
        ([b"", b"value"], "path is malformed"),
        ([b"\x40" + digits, b"value"], "path is malformed"),
        ([b"\x21" + digits, b"value"], "path is malformed"),
        ([[b"\x20"], b"value"], "path is malformed"),
        ([b"\x20" + digits + b"\x00", b"value"], "path is malformed"),
        ([b"\x20" + digits, b""], "leaf without a value"),
        ([b"\x20" + digits, [b"value"]], "leaf without a value"),
        ([b"\x00", b"\x11" * 32], "takes no step"),
        ([b"\x00" + digits[:1], b"\x11" * 31], "not a hash"),
        ([b"\x00" + digits, b"\x11" * 32], "missing"),
        ([b"\x20" + digits[:31], b"value"], "absent"),
        ([b"\x11"] * 16 + [b"value"], "a branch where"),
        ([b"\x11" * 40] * 16 + [b""], "not a hash"),
        ([[b"\x11" * 40, b"v"]] * 16 + [b""], "should have been named by its hash"),
    ]
    for items, reason in bad:
        root, nodes = _single(items)
        with pytest.raises(ProofInvalid, match=reason):
            trie_value(root, b"k", nodes, field="proof")


def test_rejects_path_that_never_ends() -> None:
    # A chain of extensions and embedded branches can't go on for longer than the key has nibbles.
    digits = keccak256(b"k").hex()
    inner: RlpItem = [b"\x20", b"v"]
    nodes: list[bytes] = []
    for nibble in reversed(digits):
        slots: list[RlpItem] = [b""] * 17
        raw = rlp_encode(inner)
        slots[int(nibble, 16)] = inner if len(raw) < 32 else keccak256(raw)
        if len(raw) >= 32:
            nodes.insert(0, raw)
        inner = slots
    nodes.insert(0, rlp_encode(inner))
    assert trie_value(keccak256(nodes[0]), b"k", nodes, field="proof") == b"v"
    with pytest.raises(ProofInvalid, match="proof"):
        trie_value(keccak256(nodes[0]), b"other", nodes, field="proof")


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=80), max_size=4))
@settings(max_examples=200)
def test_any_nodes_give_a_value_or_our_error(root: bytes, nodes: list[bytes]) -> None:
    roots = [root, *(keccak256(node) for node in nodes[:1])]
    for each in roots:
        try:
            trie_value(each, b"k", nodes, field="proof")
        except CarbonsealError as error:
            assert isinstance(error, ProofInvalid)  # noqa: PT017 - either outcome is right, no other is


def test_rejects_address_or_slot_of_another_length(chain: Chain) -> None:
    account_proof, storage_proof = chain.proof(7)
    with pytest.raises(ProofInvalid, match="20 bytes"):
        verify_account(chain.state_root, ACCOUNT[1:], account_proof)
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_storage(chain.state_root, b"\x07", storage_proof)


def test_rejects_account_value_that_is_no_account() -> None:
    path = b"\x20" + keccak256(ACCOUNT)
    for fields in ([b"", b"", b"\x11" * 32], [b"", b"", b"\x11" * 32, b"\x11" * 31], [b"", b"", [b""], b""]):
        leaf = rlp_encode([path, rlp_encode(fields)])
        with pytest.raises(ProofInvalid, match=r"not an account|a hash is not"):
            verify_account(keccak256(leaf), ACCOUNT, [leaf])
