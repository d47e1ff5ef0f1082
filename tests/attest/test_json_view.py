from __future__ import annotations

import json
from typing import Any

import pytest
from example_contents import content
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import EncodingError
from carbonseal_attest.json_view import from_json_view, read_json_view, to_json_view, write_json_view

integers = st.integers(-(1 << 64), (1 << 64) - 1) | st.integers(-(1 << 53) - 2, -(1 << 53) + 2)
keys = st.text(max_size=4) | st.sampled_from(["$", "$map", "$bytes", "$integer"]) | integers
values = st.recursive(
    integers | st.booleans() | st.none() | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["$map", "$bytes", "$integer"]), inner)
        | st.fixed_dictionaries({"$map": st.lists(st.tuples(inner, inner).map(list), max_size=3)})
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("vector", read_vectors("cbor", "json-view.json"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    if vector["want_error"]:
        with pytest.raises(EncodingError) as caught:
            read_json_view(vector["json"])
        assert caught.value.code == vector["want_error"]
    else:
        assert cbor.encode(read_json_view(vector["json"])).hex() == vector["cbor"]


@pytest.mark.parametrize(
    "vector", [v for v in read_vectors("cbor") if not v["want_error"]], ids=lambda v: v["desc"]
)
def test_view_of_each_vector_is_the_one_written_beside_it(vector: dict[str, Any]) -> None:
    value = cbor.decode(bytes.fromhex(vector["cbor"]))
    assert to_json_view(value) == vector["json_view"]
    assert from_json_view(vector["json_view"]) == value


@pytest.mark.parametrize("value", [1.0, [1.0], {1, 2}, (1,), 1 << 64, {b"k": 0}, "\ud800"], ids=repr)
def test_refuses_to_view_what_is_no_value_of_ours(value: Any) -> None:
    with pytest.raises(EncodingError):
        to_json_view(value)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '{"a":' * 2000 + "1" + "}" * 2000], ids=len)
def test_refuses_deep_nesting_and_long_numbers(text: str) -> None:
    with pytest.raises(EncodingError):
        read_json_view(text)


def test_refuses_text_beyond_the_limit() -> None:
    with pytest.raises(EncodingError, match="at most"):
        read_json_view(" " * ((8 << 20) + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_view_of_each_example_content_leads_back_to_its_bytes(kind: str) -> None:
    data = content(kind)
    text = write_json_view(cbor.decode(data))
    assert cbor.encode(read_json_view(text)) == data


@given(values)
def test_view_leads_back_to_the_value_through_text(value: Any) -> None:
    text = write_json_view(value)
    assert cbor.encode(read_json_view(text)) == cbor.encode(value)
    assert write_json_view(read_json_view(text)) == text


@given(values)
def test_every_number_of_a_view_survives_a_reader_that_counts_in_doubles(value: Any) -> None:
    text = write_json_view(value)
    assert json.loads(text, parse_int=lambda digits: int(float(digits))) == json.loads(text)


@given(json_values)
def test_any_json_is_the_one_view_of_a_value_or_is_refused(view: Any) -> None:
    try:
        value = from_json_view(view)
    except EncodingError:
        return
    assert to_json_view(value) == view


@given(st.text(max_size=40))
def test_any_text_gives_a_value_or_our_refusal(text: str) -> None:
    try:
        read_json_view(text)
    except EncodingError:
        return
