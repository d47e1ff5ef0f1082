from __future__ import annotations

import json
import time
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.errors import EncodingError

keys = st.text(max_size=8) | st.integers(-(1 << 64), (1 << 64) - 1)
scalars = (
    st.integers(-(1 << 64), (1 << 64) - 1)
    | st.booleans()
    | st.none()
    | st.binary(max_size=20)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


def shared_values_bomb(levels: int, width: int) -> bytes:
    """Nested arrays, each of which names the one before `width` times (tags 28 and 29)."""
    data = bytes([0x80 + levels + 1]) + b"\xd8\x1c\x82\x00\x00"
    for level in range(levels):
        data += b"\xd8\x1c" + bytes([0x98, width]) + (b"\xd8\x1d" + bytes([level])) * width
    return data


def test_refuses_shared_values_before_they_unfold() -> None:
    before = time.process_time()
    with pytest.raises(EncodingError, match="not CBOR within limits"):
        cbor.decode(shared_values_bomb(12, 200))
    assert time.process_time() - before < 5  # unfolded it would hold 200^12 items


@pytest.mark.parametrize("tag", [*range(6), 24, 25, 28, 29, 30, 35, 36, 37, 256, 258, 260, 55_799, 70_000])
def test_refuses_tag(tag: int) -> None:
    head = bytes([0xC0 + tag]) if tag < 24 else b"\xda" + tag.to_bytes(4, "big")
    with pytest.raises(EncodingError):
        cbor.decode(head + b"\x80")


@pytest.mark.parametrize(
    "claimed", ["9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff", "9a10000000"]
)
def test_refuses_length_far_beyond_the_data_without_reserving_it(claimed: str) -> None:
    with pytest.raises(EncodingError):
        cbor.decode(bytes.fromhex(claimed))


@pytest.mark.parametrize("vector", read_vectors("cbor"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["cbor"])
    if vector["want_error"]:
        with pytest.raises(EncodingError) as caught:
            cbor.decode(data)
        assert caught.value.code == vector["want_error"]
    else:
        assert cbor.encode(cbor.decode(data)) == data


def appendix_a(shared_data: Path) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads((shared_data / "cbor-rfc8949" / "appendix_a.json").read_bytes())
    return read


def test_agrees_with_appendix_a_of_the_standard(shared_data: Path) -> None:
    read = 0
    for vector in appendix_a(shared_data):
        data = bytes.fromhex(vector["hex"])
        try:
            value = cbor.decode(data)
        except EncodingError:
            continue
        read += 1
        assert vector["roundtrip"], "read an encoding that is not deterministic"
        assert cbor.encode(value) == data
        if "decoded" in vector:
            assert value == vector["decoded"]
    # The other 45 each have a reason: see test_foreign_cbor.py.
    assert read == 37


def test_refuses_value_larger_than_the_limit() -> None:
    assert cbor.decode(cbor.encode(b"\0" * 100), max_size=102) == b"\0" * 100
    with pytest.raises(EncodingError, match="at most 101 are read"):
        cbor.decode(cbor.encode(b"\0" * 100), max_size=101)


def test_refuses_many_small_items_before_they_are_built() -> None:
    data = b"\x9a\x00\xff\xff\xfb" + b"\x80" * 0xFFFFFB  # 16 MiB of empty arrays would take a gigabyte
    before = time.process_time()
    with pytest.raises(EncodingError, match="more than 2000000 items"):
        cbor.decode(data, max_size=1 << 24)
    assert time.process_time() - before < 5


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_535, 65_536])
def test_large_value_with_few_items_is_read(size: int) -> None:
    value = [b"\0" * 2_100_000, b"x" * size, [1, 300, -70_000, 1 << 40], {"k": "v" * size}, None, True]
    assert cbor.decode(cbor.encode(value), max_size=1 << 24) == value


def test_refuses_one_level_of_nesting_beyond_the_limit() -> None:
    assert cbor.decode(b"\x81" * 3 + b"\x00", max_depth=3) == [[[0]]]
    with pytest.raises(EncodingError):
        cbor.decode(b"\x81" * 4 + b"\x00", max_depth=3)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        (1,),
        {True: 0},
        {1.0: 0},
        {b"k": 0},
        1 << 64,
        -(1 << 64) - 1,
        [1 << 64],
        "\ud800",
        {"\ud800": 0},
        {1 << 64: 0},
        {-(1 << 64) - 1: 0},
        object(),
        {1},
        IntEnum("E", "A").A,
    ],
    ids=repr,
)
def test_refuses_to_write_what_it_would_not_read(value: Any) -> None:
    with pytest.raises(EncodingError):
        cbor.encode(value)


def test_refuses_to_write_a_value_that_holds_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(EncodingError, match="deep"):
        cbor.encode(value)


@given(
    st.dictionaries(st.integers(-(1 << 64), (1 << 64) - 1) | st.integers(-300, 300) | st.text(), st.none())
)
def test_keys_are_sorted_by_the_bytes_of_their_encoding(mapping: dict[int | str, None]) -> None:
    data = cbor.encode(mapping)
    in_order = sorted(cbor.encode(key) for key in mapping)
    assert data == _map_head(len(mapping)) + b"".join(key + b"\xf6" for key in in_order)
    assert list(cbor.decode(data)) == [cbor.decode(key) for key in in_order]


def _map_head(count: int) -> bytes:
    return bytes([0xA0 + count]) if count < 24 else bytes([0xB8, count])


@given(st.dictionaries(st.integers(-300, 300) | st.text(max_size=3), st.none(), min_size=2))
def test_refuses_keys_in_any_other_order(mapping: dict[int | str, None]) -> None:
    pairs = [cbor.encode(key) + b"\xf6" for key in mapping]
    if pairs != sorted(pairs):
        with pytest.raises(EncodingError, match="not the deterministic encoding"):
            cbor.decode(_map_head(len(pairs)) + b"".join(pairs))


def test_writing_leaves_the_value_as_it_was() -> None:
    value = {"b": [{"y": 1, "x": 2}], "a": 1}
    cbor.encode(value)
    assert list(value) == ["b", "a"]
    assert list(value["b"][0]) == ["y", "x"]  # type: ignore[index]


@given(values)
def test_what_was_written_reads_back_as_itself(value: Any) -> None:
    data = cbor.encode(value)
    back = cbor.decode(data)
    assert back == value
    assert cbor.encode(back) == data


@given(st.dictionaries(keys, scalars, max_size=6))
def test_two_writers_of_one_map_write_the_same_bytes(mapping: dict[str, Any]) -> None:
    assert cbor.encode(mapping) == cbor.encode(dict(reversed(list(mapping.items()))))
