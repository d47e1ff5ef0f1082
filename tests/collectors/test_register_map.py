# ruff: noqa: E501 - tables of cases, one case a line
from __future__ import annotations

import struct
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_collectors.errors import RegisterMapInvalid
from carbonseal_collectors.register_map import WORDS, Register, RegisterMap, decimal_of_float32, plan_blocks

INTEGERS = [name for name in WORDS if name != "float32"]
ORDERS = st.sampled_from(["big", "little"])


def register(
    kind: str = "uint16",
    *,
    address: int = 0,
    words: str = "big",
    bytes_: str = "big",
    scale: str = "1",
    **more,
) -> Register:
    options = {
        "function": 3,
        "unit": "kW.h",
        "form": "register",
        "interval_ms": 0,
        "not_available": None,
    } | more
    return Register("r", address, options.pop("function"), kind, words, bytes_, Decimal(scale), **options)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('type = "uint32"', 'type = "uint24"', "'uint24' is not known"),
        ("address = 7", "address = 65535", r"address: 65535 is not an integer from 0 to 65534"),
        ("address = 7", "address = -1", "-1 is not an integer"),
        ('scale = "0.1"', "scale = 0.1", "0.1 is not a plain decimal in quotes"),
        ('scale = "0.1"', 'scale = "0"', "scale: is zero"),
        ('form = "register"', 'form = "interval"', "must stand exactly where the form is interval"),
        ('form = "register"', 'form = "register"\ninterval = "15 min"', "must stand exactly where the form is interval"),
        ("address = 7", "address = 7\nword_oder = 1", "word_oder: is not a known key; .*word_order"),
        ("address = 7", "address = 7\nfunction = 6", "6 is not an integer from 3 to 4"),
    ],
)  # fmt: skip
def test_refuses_a_bad_map_naming_place_and_remedy(tmp_path, old, new, said):
    text = '[[models.m.registers]]\nname = "r"\naddress = 7\ntype = "uint32"\nscale = "0.1"\nunit = "V"\nform = "register"\n'
    path = tmp_path / "registers.toml"
    path.write_text(text)
    assert RegisterMap.load(path).models["m"]["r"].address == 7
    path.write_text(text.replace(old, new))
    with pytest.raises(RegisterMapInvalid, match=said):
        RegisterMap.load(path)


def test_refuses_a_register_named_twice(tmp_path):
    text = '[[models.m.registers]]\nname = "r"\naddress = 7\ntype = "int16"\nunit = "V"\nform = "instant"\n'
    path = tmp_path / "registers.toml"
    path.write_text(text + text)
    with pytest.raises(RegisterMapInvalid, match="r is used twice"):
        RegisterMap.load(path)


@settings(max_examples=200)
@given(st.data(), st.sampled_from(INTEGERS), ORDERS, ORDERS)
def test_what_a_meter_encodes_is_what_we_decode(data, kind, words, bytes_):
    bits = 16 * WORDS[kind]
    low, high = (0, 2**bits - 1) if kind.startswith("uint") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    raw = data.draw(st.integers(low, high))
    item = register(kind, words=words, bytes_=bytes_, scale="0.001")
    assert item.decode(item.encode(raw)) == Decimal(raw).scaleb(-3)


@pytest.mark.parametrize(
    ("kind", "words", "bytes_", "registers", "value"),
    [
        ("uint32", "big", "big", [0x0001, 0x0002], 0x00010002),
        ("uint32", "little", "big", [0x0002, 0x0001], 0x00010002),
        ("uint32", "big", "little", [0x0100, 0x0200], 0x00010002),
        ("int16", "big", "big", [0xFFFF], -1),
        ("int64", "little", "little", [0xFEFF, 0xFFFF, 0xFFFF, 0xFFFF], -2),
        ("float32", "big", "big", [0x4247, 0x999A], Decimal("49.9")),
        ("float32", "little", "big", [0x999A, 0x4247], Decimal("49.9")),
    ],
)
def test_decodes_the_orders_that_makers_use(kind, words, bytes_, registers, value):
    assert register(kind, words=words, bytes_=bytes_).decode(registers) == value


@given(st.binary(min_size=4, max_size=4))
def test_a_float_is_the_shortest_decimal_that_reads_back_as_itself(data):
    found = decimal_of_float32(data)
    number = struct.unpack(">f", data)[0]
    if found is None:
        assert number != number or abs(number) == float("inf")  # noqa: PLR0124 - not a number
    else:
        assert struct.pack(">f", float(found)) == data
        assert len(found.as_tuple().digits) <= 9


def test_what_a_meter_marks_as_missing_is_no_value():
    assert register("uint16", not_available=0xFFFF).decode([0xFFFF]) is None
    assert register("int16", not_available=-32768).decode([0x8000]) is None
    assert register("float32").decode([0x7FC0, 0]) is None


def test_refuses_too_few_words():
    with pytest.raises(ValueError, match="takes 2 registers, not 1"):
        register("uint32").decode([1])


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(list(WORDS)), st.sampled_from([3, 4])), max_size=40
    ),
    st.integers(4, 125),
    st.integers(0, 20),
)
def test_blocks_cover_every_register_once_within_the_limit(items, max_words, max_gap):
    registers = [register(kind, address=address, function=function) for address, kind, function in items]
    blocks = plan_blocks(registers, max_words=max_words, max_gap=max_gap)
    assert sorted(map(id, registers)) == sorted(id(item) for block in blocks for item in block)
    for block in blocks:
        start = block[0].address
        assert {item.function for item in block} == {block[0].function}
        assert max(item.address + item.words for item in block) - start <= max_words
        end = start
        for item in block:
            assert item.address - end <= max_gap
            end = max(end, item.address + item.words)
