from __future__ import annotations

import time
from typing import Any

import pytest
from example_contents import DATA, digest
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.epoch import AbsenceProof, EpochEntry, EpochMap, MapEntry, MapProof
from carbonseal_attest.errors import AttestError, ProofInvalid
from carbonseal_attest.merkle import leaf_hash, root_of


def heads(count: int) -> list[MapEntry]:
    return [MapEntry(f"log.example.org/e-{n:06d}/data", n + 1, digest(str(n))) for n in range(count)]


@pytest.mark.parametrize("vector", read_vectors("epoch-map", "epoch.json"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    def check() -> None:
        epoch = EpochEntry.decode(bytes.fromhex(vector["epoch_entry"]))
        if "map_entries" in vector:
            EpochMap.parse(map(bytes.fromhex, vector["map_entries"]), epoch)
            return
        kind = "map_proof" if "map_proof" in vector else "absence_proof"
        proof = {"map_proof": MapProof, "absence_proof": AbsenceProof}[kind]
        proof.from_value(vector["origin"], cbor.decode(bytes.fromhex(vector[kind]))).verify(epoch)

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
    else:
        check()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9])
def test_every_head_is_proved_and_nothing_else_is(count: int) -> None:
    tree = EpochMap(list(reversed(heads(count))))
    epoch = tree.close(1, 0)
    for entry in heads(count):
        proof = tree.prove(entry.origin)
        proof.verify(epoch)
        assert MapProof.from_value(entry.origin, proof.to_value()) == proof
        for other in heads(count):
            if other != entry:
                with pytest.raises(ProofInvalid):
                    MapProof(other, proof.index, proof.path).verify(epoch)
        with pytest.raises(ProofInvalid):
            MapProof(
                MapEntry(entry.origin, entry.tree_size + 1, entry.root_hash), proof.index, proof.path
            ).verify(epoch)
    with pytest.raises(ProofInvalid, match="not in the map"):
        tree.prove("log.example.org/e-absent/data")


def test_map_does_not_depend_on_the_order_of_its_entries() -> None:
    assert EpochMap(heads(9)).close(3, 4).encode() == EpochMap(heads(9)[::-1]).close(3, 4).encode()


def test_two_heads_for_one_origin_or_none_at_all_are_refused() -> None:
    with pytest.raises(ProofInvalid, match="two heads"):
        EpochMap([MapEntry(DATA, 1, bytes(32)), MapEntry(DATA, 2, bytes(32))])
    with pytest.raises(ProofInvalid, match="empty"):
        EpochMap([])


@pytest.mark.parametrize(
    "value",
    [
        [True, bytes(32), 5, 0],
        [1, bytes(32), True, 0],
        [1, bytes(32), 5, False],
        [0, bytes(32), 5, 0],
        [1, bytes(31), 5, 0],
        [1, bytes(32), 0, 0],
        [1, bytes(32), 5, -1],
        [1, bytes(32), 5, 1 << 60],
        [1, bytes(32), 5],
        [1, bytes(32), 5, 0, 0],
        {},
        None,
    ],
    ids=repr,
)
def test_refuses_malformed_epoch_entry(value: Any) -> None:
    with pytest.raises(ProofInvalid, match="epoch entry"):
        EpochEntry.decode(cbor.encode(value))


@pytest.mark.parametrize(
    "value",
    [
        [True, bytes(32), 0, []],
        [1, bytes(32), False, []],
        [0, bytes(32), 0, []],
        [(1 << 48) + 1, bytes(32), 0, []],
        [1, bytes(31), 0, []],
        [1, bytes(32), -1, []],
        [1, bytes(32), 0, [bytes(31)]],
        [1, bytes(32), 0, [0]],
        [1, bytes(32), 0, [bytes(32)] * 64],
        [1, bytes(32), 0],
        "",
    ],
    ids=repr,
)
def test_refuses_malformed_map_proof(value: Any) -> None:
    with pytest.raises(ProofInvalid, match="map proof"):
        MapProof.from_value(DATA, value)


def test_refuses_map_proof_for_what_is_no_origin() -> None:
    with pytest.raises(AttestError, match="not a log origin"):
        MapProof.from_value("../x", [1, bytes(32), 0, []])


def test_proving_every_origin_of_a_large_map_is_not_quadratic() -> None:
    before = time.process_time()
    tree = EpochMap(heads(3000))
    for entry in tree.entries:
        tree.prove(entry.origin)
    assert time.process_time() - before < 10  # hashing the map for each origin would take far longer


def test_any_flipped_bit_of_an_epoch_entry_breaks_it_or_its_proofs() -> None:
    tree = EpochMap(heads(5))
    data, proof = tree.close(7, 1234).encode(), tree.prove(heads(5)[2].origin)
    for at in range(2, 36):  # the map root; epoch number and instant are bound by the log of logs
        with pytest.raises(ProofInvalid):
            proof.verify(EpochEntry.decode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]))


@given(st.binary(max_size=80))
def test_any_bytes_give_an_entry_or_our_refusal(data: bytes) -> None:
    try:
        entry = EpochEntry.decode(data)
    except ProofInvalid:
        return
    assert entry.encode() == data


@given(
    st.integers(1, 1 << 40),
    st.binary(min_size=32, max_size=32),
    st.integers(1, 1 << 40),
    st.integers(0, 1 << 40),
)
def test_entry_that_was_written_reads_back(epoch: int, root: bytes, origins: int, closed_at: int) -> None:
    entry = EpochEntry(epoch, root, origins, closed_at)
    assert EpochEntry.decode(entry.encode()) == entry


ABSENT = [f"log.example.org/e-{n:06d}/{log}" for n in range(9) for log in ("aaa", "data-2")]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9])
def test_every_absent_origin_is_proved_absent_and_no_present_one_is(count: int) -> None:
    tree = EpochMap(heads(count))
    epoch = tree.close(1, 0)
    for origin in ("a.example/log", *ABSENT, "z.example/log"):
        proof = tree.prove_absent(origin)
        proof.verify(epoch)
        assert AbsenceProof.from_value(origin, cbor.decode(cbor.encode(proof.to_value()))) == proof
        for entry in heads(count):
            with pytest.raises(ProofInvalid):
                AbsenceProof(entry.origin, proof.before, proof.after).verify(epoch)
    for entry in heads(count):
        with pytest.raises(ProofInvalid, match="is in the map"):
            tree.prove_absent(entry.origin)


def test_absence_is_refused_when_the_neighbours_are_not_next_to_each_other() -> None:
    tree = EpochMap(heads(9))
    epoch = tree.close(1, 0)
    proofs = [tree.prove(entry.origin) for entry in heads(9)]
    missing = heads(9)[4].origin  # it is there: nobody may prove that it is not
    for before in (None, *proofs):
        for after in (None, *proofs):
            with pytest.raises(ProofInvalid):
                AbsenceProof(missing, before, after).verify(epoch)
    gap = "log.example.org/e-000004/data-2"
    AbsenceProof(gap, proofs[4], proofs[5]).verify(epoch)
    for before, after in ((None, 5), (4, None), (3, 5), (4, 6), (5, 4), (None, None), (None, 0), (8, None)):
        sides = [None if at is None else proofs[at] for at in (before, after)]
        with pytest.raises(ProofInvalid):
            AbsenceProof(gap, *sides).verify(epoch)


def test_absence_is_refused_when_a_neighbour_does_not_stand_in_the_map() -> None:
    tree, other = EpochMap(heads(9)), EpochMap(heads(8))
    gap = "log.example.org/e-000004/data-2"
    proof = tree.prove_absent(gap)
    with pytest.raises(ProofInvalid):
        proof.verify(other.close(1, 0))
    with pytest.raises(ProofInvalid):
        AbsenceProof(gap, proof.before, other.prove_absent(gap).after).verify(tree.close(1, 0))


@pytest.mark.parametrize(
    "value",
    [
        [],
        [None],
        [None, None],
        [None, None, None],
        [[], None],
        [None, 5],
        [[DATA, 1, bytes(32), 0], None],
        {},
        0,
    ],
    ids=repr,
)
def test_refuses_malformed_absence_proof(value: Any) -> None:
    with pytest.raises(ProofInvalid, match="absence proof"):
        AbsenceProof.from_value(DATA, value)


def test_map_that_is_read_whole_is_refused_when_unsorted_doubled_or_another_epochs() -> None:
    tree = EpochMap(heads(5))
    epoch, leaves = tree.close(1, 0), [entry.encode() for entry in heads(5)]
    assert EpochMap.parse(iter(leaves), epoch).entries == tree.entries

    def closed(entries: list[MapEntry]) -> EpochEntry:
        """The epoch of a host that took the entries as they came."""
        return EpochEntry(1, root_of([leaf_hash(e.encode()) for e in entries]), len(entries), 0)

    doubled = [*heads(2), MapEntry(heads(2)[1].origin, 9, bytes(32))]
    for entries in (heads(5)[::-1], doubled, [heads(2)[1], heads(2)[0]], [heads(1)[0]] * 2):
        with pytest.raises(ProofInvalid, match="not sorted"):
            EpochMap.parse([e.encode() for e in entries], closed(entries))
    for wrong in (leaves[:-1], [*leaves, heads(6)[5].encode()], [], [*leaves[:-1], heads(6)[5].encode()]):
        with pytest.raises(ProofInvalid):
            EpochMap.parse(wrong, epoch)
    for malformed in (b"", cbor.encode([DATA, 0, bytes(32)]), cbor.encode([DATA, True, bytes(32)])):
        with pytest.raises(ProofInvalid, match="map entry"):
            EpochMap.parse([malformed], epoch)
    with pytest.raises(AttestError, match="not a log origin"):
        EpochMap.parse([cbor.encode(["../x", 1, bytes(32)])], epoch)


@given(st.sets(st.sampled_from(ABSENT), min_size=1), st.sampled_from(ABSENT))
def test_every_origin_is_proved_either_there_or_absent(origins: set[str], asked: str) -> None:
    tree = EpochMap([MapEntry(origin, 1, digest(origin)) for origin in origins])
    epoch = tree.close(1, 0)
    if asked in origins:
        tree.prove(asked).verify(epoch)
    else:
        tree.prove_absent(asked).verify(epoch)
