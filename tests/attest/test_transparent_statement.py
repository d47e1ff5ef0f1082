from __future__ import annotations

from typing import Any

import pytest
from example_contents import DATA, REGISTER, key
from example_statements import statements
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.cose import Sign1, join_sign1, sign1
from carbonseal_attest.errors import AttestError, ProofInvalid, SignatureInvalid, StatementInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import inclusion_path, leaf_hash, root_of
from carbonseal_attest.receipt import make_receipt
from carbonseal_attest.transparent_statement import MAX_RECEIPTS, TransparentStatement

HOST, DEVICE = key("log host"), key("device").public
MADE = statements(7)
LEAVES = [leaf_hash(made.raw) for made in MADE]
FOREIGN = bytes.fromhex(read_vectors("receipt", "foreign.json")[0]["cose_receipt"])


def receipt(index: int = 3, size: int = 5, *, signer: Any = HOST, origin: str = DATA) -> bytes:
    def node(level: int, at: int) -> bytes:
        return root_of(LEAVES[at << level : (at + 1) << level])

    path, root = inclusion_path(index, size, node), root_of(LEAVES[:size])
    return make_receipt(
        signer, log_host="h-examplehost", origin=origin, tree_size=size, index=index, path=path, root=root
    )


def known(origin: str, tree_size: int) -> PublicKey | None:
    return HOST.public if origin == DATA else None


def transparent(*receipts: bytes, index: int = 3) -> TransparentStatement:
    made = TransparentStatement.of(MADE[index], receipts)
    assert TransparentStatement.parse(made.encode()) == made
    return made


def verify(made: TransparentStatement) -> int:
    return made.verify(key=DEVICE, log_key=known)[0].tree_size


@pytest.mark.parametrize("vector", read_vectors("statement", "transparent.json"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    def log_key(origin: str, tree_size: int) -> PublicKey | None:
        return PublicKey.from_text(vector["log_public"]) if origin == vector["origin"] else None

    def check() -> tuple[TransparentStatement, Any]:
        read = TransparentStatement.parse(bytes.fromhex(vector["transparent_statement"]))
        return read, read.verify(key=PublicKey.from_text(vector["public"]), log_key=log_key)

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
        return
    read, (counted, root) = check()
    assert read.statement.raw.hex() == vector["statement"]
    assert (counted.index, counted.tree_size, root.hex()) == (
        vector["index"],
        vector["tree_size"],
        vector["root_hash"],
    )


def test_taking_the_receipts_away_gives_back_the_leaf() -> None:
    data = transparent(receipt(), receipt(3, 6)).encode()
    assert TransparentStatement.parse(data).statement.raw == MADE[3].raw
    assert Sign1.parse(data).unprotected == {394: [receipt(), receipt(3, 6)]}
    assert leaf_hash(TransparentStatement.parse(data).statement.raw) == LEAVES[3]


def test_first_receipt_of_a_known_log_counts() -> None:
    assert verify(transparent(receipt(3, 5), receipt(3, 6))) == 5
    assert verify(transparent(receipt(3, 6), receipt(3, 5))) == 6


def test_receipts_of_unknown_logs_and_keys_are_left_aside() -> None:
    other = receipt(signer=key("party"))  # our log's name under a key that nobody named
    elsewhere = receipt(origin=REGISTER)
    ccf = bytes.fromhex(read_vectors("receipt", "foreign.json")[4]["cose_receipt"])
    assert verify(transparent(FOREIGN, other, elsewhere, ccf, receipt(3, 6))) == 6
    with pytest.raises(ProofInvalid, match="none is of a known log"):
        verify(transparent(FOREIGN, other, elsewhere, ccf))


def test_a_bad_receipt_in_a_known_logs_name_refuses_the_whole_wherever_it_stands() -> None:
    flipped = receipt()[:-1] + bytes([receipt()[-1] ^ 1])
    for receipts in ((flipped, receipt()), (receipt(), flipped), (flipped,)):
        with pytest.raises(SignatureInvalid):
            verify(transparent(*receipts))
    with pytest.raises(SignatureInvalid):
        verify(transparent(receipt(), receipt(2)))  # of another entry
    protected, unprotected, _, signature = cbor.decode(receipt()[1:])
    outside = join_sign1(protected, {**unprotected, 4: b""}, None, signature)  # not our profile
    with pytest.raises(AttestError):
        verify(transparent(receipt(), join_sign1(protected, {**unprotected, 5: b""}, None, signature)))
    with pytest.raises(ProofInvalid):
        transparent(receipt(), outside)  # a label in both headers


def test_statement_by_another_key_is_refused_whatever_its_receipts_say() -> None:
    with pytest.raises(SignatureInvalid, match="another key"):
        transparent(receipt()).verify(key=HOST.public, log_key=known)
    broken = join_sign1(MADE[3].protected, {394: [receipt()]}, MADE[3].payload, bytes(64))
    with pytest.raises(SignatureInvalid):
        TransparentStatement.parse(broken).verify(key=DEVICE, log_key=known)


@pytest.mark.parametrize(
    "unprotected",
    [
        {},
        {394: []},
        {394: None},
        {394: b""},
        {394: ["x"]},
        {394: [receipt()], 4: b"k"},
        {395: [receipt()]},
        {"394": [receipt()]},
        {394: [receipt()] * (MAX_RECEIPTS + 1)},
    ],
    ids=lambda u: repr(u)[:40],
)
def test_refuses_unprotected_header_other_than_receipts(unprotected: dict[int | str, Any]) -> None:
    with pytest.raises(StatementInvalid, match="unprotected header"):
        TransparentStatement.parse(
            join_sign1(MADE[3].protected, unprotected, MADE[3].payload, MADE[3].signature)
        )


@pytest.mark.parametrize("data", [b"", b"\xd2", MADE[3].raw, sign1(HOST, {1: -19}, b"x")], ids=len)
def test_refuses_what_is_no_receipt_at_all(data: bytes) -> None:
    with pytest.raises(ProofInvalid):
        TransparentStatement.of(MADE[3], [receipt(), data])
    with pytest.raises(ProofInvalid):
        TransparentStatement.parse(
            join_sign1(MADE[3].protected, {394: [data]}, MADE[3].payload, MADE[3].signature)
        )


def test_refuses_to_build_without_a_receipt_or_with_too_many() -> None:
    for count in (0, MAX_RECEIPTS + 1):
        with pytest.raises(StatementInvalid):
            TransparentStatement.of(MADE[3], [receipt()] * count)


def test_refuses_statement_outside_the_profile_under_its_receipts() -> None:
    data = sign1(key("device"), {1: -19}, bytes(32), unprotected={394: [receipt()]})
    with pytest.raises(StatementInvalid, match="required label"):
        TransparentStatement.parse(data)


def test_any_flipped_bit_is_refused() -> None:
    data = transparent(receipt()).encode()
    for at in range(len(data)):
        with pytest.raises(AttestError):
            verify(TransparentStatement.parse(data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :]))


@given(st.lists(st.sampled_from([receipt(3, 4), receipt(3, 5), FOREIGN]), min_size=1, max_size=MAX_RECEIPTS))
def test_what_was_built_reads_back(receipts: list[bytes]) -> None:
    made = TransparentStatement.of(MADE[3], receipts)
    assert TransparentStatement.parse(made.encode()) == made
