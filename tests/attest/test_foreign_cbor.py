from __future__ import annotations

import json
import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest import cbor, foreign_cbor
from carbonseal_attest.errors import EncodingError
from carbonseal_attest.foreign_cbor import Pairs, Simple, Tag

values = st.recursive(
    st.integers(-(1 << 64), (1 << 64) - 1)
    | st.booleans()
    | st.none()
    | st.binary(max_size=9)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=5)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "cut off"),
        ("18", "cut off"),
        ("8201", "cut off"),
        ("a101", "cut off"),
        ("c1", "cut off"),
        ("9bffffffffffffffff", "cut off"),
        ("bbffffffffffffffff", "cut off"),
        ("5bffffffffffffffff", "cut off"),
        ("9f", "cut off"),
        ("7f6161", "cut off"),
        ("0000", "bytes after the value"),
        ("1c", "reserved additional information"),
        ("fe", "reserved additional information"),
        ("1f", "reserved additional information"),
        ("df", "reserved additional information"),
        ("ff", "a break without"),
        ("81ff", "a break without"),
        ("bf00ff", "a break without"),
        ("5f6161ff", "a chunk of another type"),
        ("5f5f4100ffff", "a chunk of another type"),
        ("5f00ff", "a chunk of another type"),
        ("f818", "a simple value below 32 in two bytes"),
        ("f814", "a simple value below 32 in two bytes"),
        ("61ff", "not UTF-8"),
        ("7f61c361bcff", "not UTF-8"),  # each chunk is text of its own
        ("a201000100", "a map key twice"),
        ("a20100180100", "a map key twice"),
        ("81" * 17 + "00", "nested too deeply"),
        ("c1" * 17 + "00", "nested too deeply"),
    ],
)
def test_refuses_what_is_not_well_formed_or_not_valid(data: str, reason: str) -> None:
    with pytest.raises(EncodingError, match=reason):
        foreign_cbor.read(bytes.fromhex(data))


def test_refuses_more_bytes_than_the_limit() -> None:
    with pytest.raises(EncodingError, match="at most 2 are read"):
        foreign_cbor.read(b"\x41\x00\x00", max_size=2)


@pytest.mark.parametrize("item", [b"\x80", b"\xa1\x00\x80", b"\x9f\xff", b"\x5f\x40\xff", b"\xc1\x00"])
def test_a_megabyte_of_small_items_takes_linear_time(item: bytes) -> None:
    before = time.process_time()
    with pytest.raises(EncodingError, match="cut off"):
        foreign_cbor.read(b"\x9a\x00\xff\xff\xff" + item * (1_000_000 // len(item)))
    assert time.process_time() - before < 10


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("c100", Tag(1, 0)),
        ("d81c80", Tag(28, [])),
        ("c249010000000000000000", Tag(2, b"\x01" + bytes(8))),
        ("f7", Simple(23)),
        ("f0", Simple(16)),
        ("f8ff", Simple(255)),
        ("f93c00", 1.0),
        ("5f42010243030405ff", b"\1\2\3\4\5"),
        ("7f657374726561646d696e67ff", "streaming"),
        ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}),
        ("a2416b0001f5", {b"k": 0, 1: True}),
        ("a20100f93c0001", Pairs(((1, 0), (1.0, 1)))),
        ("a18001", Pairs((([], 1),))),
    ],
)
def test_reads_what_our_profile_leaves_out(data: str, value: Any) -> None:
    assert foreign_cbor.read(bytes.fromhex(data)).value == value


@pytest.mark.parametrize(
    ("data", "departure"),
    [
        ("1800", "an argument not in its shortest form"),
        ("190018", "an argument not in its shortest form"),
        ("1a0000ffff", "an argument not in its shortest form"),
        ("3b00000000ffffffff", "an argument not in its shortest form"),
        ("580100", "an argument not in its shortest form"),
        ("9800", "an argument not in its shortest form"),
        ("d80100", "an argument not in its shortest form"),
        ("9fff", "an indefinite length"),
        ("5fff", "an indefinite length"),
        ("a2200018ff00", "map keys not in bytewise order"),
        ("a26161000100", "map keys not in bytewise order"),
        ("fa3f800000", "a float not in its shortest form"),
        ("fa7fc00000", "a float not in its shortest form"),
        ("fb3ff8000000000000", "a float not in its shortest form"),
        ("c24101", "a bignum not in its preferred form"),
        ("c24a00010000000000000000", "a bignum not in its preferred form"),
    ],
)
def test_names_how_the_bytes_depart_from_the_deterministic_encoding(data: str, departure: str) -> None:
    item = foreign_cbor.read(bytes.fromhex(data))
    assert item.departures == {departure}
    assert not item.is_deterministic


def judged(vector: dict[str, Any]) -> str:
    """How one vector of the appendix comes out, in one word."""
    data = bytes.fromhex(vector["hex"])
    try:
        item = foreign_cbor.read(data)
    except EncodingError as error:
        return error.reason
    try:
        value = cbor.decode(data)
    except EncodingError:
        if not item.is_deterministic:
            return "not deterministic"
        assert item.outside, "refused without a reason"
        return ", ".join(sorted(item.outside))
    assert item.is_deterministic
    assert not item.outside
    assert cbor.encode(value) == data
    return "ours"


def test_each_vector_of_appendix_a_is_ours_or_has_a_named_reason(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "cbor-rfc8949" / "appendix_a.json").read_bytes())
    outcomes = [(vector["roundtrip"], judged(vector)) for vector in vectors]
    assert Counter(outcomes) == {
        (True, "ours"): 37,
        (False, "not deterministic"): 17,
        (True, "a float"): 16,
        (True, "a tag"): 5,
        (True, "a float, a tag"): 1,
        (True, "a bignum"): 2,
        (True, "a simple value"): 2,
        (True, "undefined"): 1,
        # f818 was allowed by RFC 7049, after which the vectors are named; RFC 8949 §3.3 forbids it.
        (True, "not well-formed: a simple value below 32 in two bytes"): 1,
    }


def test_values_of_appendix_a_are_those_of_the_vectors(shared_data: Path) -> None:
    for vector in json.loads((shared_data / "cbor-rfc8949" / "appendix_a.json").read_bytes()):
        if "decoded" not in vector or vector["hex"][:2] in ("c2", "c3"):
            continue
        assert foreign_cbor.read(bytes.fromhex(vector["hex"])).value == vector["decoded"], vector["hex"]


@given(values)
def test_our_own_encoding_is_deterministic_and_nothing_of_it_is_outside(value: Any) -> None:
    try:
        data = cbor.encode(value)
    except EncodingError:
        return
    item = foreign_cbor.read(data)
    assert item.value == value
    assert item.is_deterministic
    assert not item.outside


@given(st.binary(max_size=40))
def test_two_readers_agree_on_what_is_ours(data: bytes) -> None:
    # One is written here from the standard; the other is a library with a comparison around it.
    try:
        item = foreign_cbor.read(data)
        is_ours = item.is_deterministic and not item.outside
    except EncodingError:
        is_ours = False
    try:
        assert cbor.decode(data) == item.value
    except EncodingError:
        assert not is_ours
    else:
        assert is_ours


@given(st.floats())
def test_shortest_float_of_another_writer_is_deterministic(value: float) -> None:
    item = foreign_cbor.read(cbor2.dumps(value, canonical=True))
    assert item.is_deterministic
    assert item.value == value or (math.isnan(item.value) and math.isnan(value))
    assert foreign_cbor.read(b"\xfb" + bytes(8)).departures
