"""Whatever is thrown at the borders gives a value or our refusal, never another exception."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_readings import JANUARY, plan

from carbonseal_accounting.activity import derive_activity
from carbonseal_accounting.errors import AccountingError
from carbonseal_accounting.factors import FactorSet, find_factor_set
from carbonseal_accounting.inventory import compute_request
from carbonseal_accounting.method import Method, find_method
from carbonseal_accounting.trace import reperform

GBT = find_method("GBT32150-2015@1.0.0")
EXAMPLE = GBT.examples["examples/diesel_and_heat.json"]["input"]
TRACE = json.loads(json.dumps(compute_request(EXAMPLE).to_json()["trace"]))

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**30), st.floats(), st.text(max_size=12),
    st.sampled_from(["0", "1.5", "GJ", "t", "2026-01", "NDRC-2015.diesel.ncv", "CN-FUELS@1.0.0", "FILL IN"]),
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def paths(value, path=()):
    """Every place in nested lists and dicts."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def replaced(document, path, value):
    if not path:
        return value
    made = copy.deepcopy(document)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return made


def refused_or_done(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except AccountingError as refusal:
        return refusal
    return None


@given(st.sampled_from(list(paths(EXAMPLE))), anything)
@settings(max_examples=120, deadline=None)
def test_input_with_any_part_replaced_computes_or_is_refused(path, value):
    refused_or_done(compute_request, replaced(EXAMPLE, path, value))


@given(st.sampled_from(list(paths(TRACE))), anything)
@settings(max_examples=120, deadline=None)
def test_trace_with_any_part_replaced_is_performed_or_refused(path, value):
    refused_or_done(reperform, replaced(TRACE, path, value))


@given(st.sampled_from([path for path in paths(plan()) if path]), anything)
@settings(max_examples=120, deadline=None)
def test_plan_with_any_part_replaced_is_followed_or_refused(path, value):
    body = replaced(plan(), path, value)
    refused_or_done(derive_activity, body, [], start_ms=JANUARY[0], end_ms=JANUARY[0] + 3_600_000)


@given(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
@settings(max_examples=120, deadline=None)
def test_damaged_method_file_is_read_or_refused(at, length, junk):
    data = GBT.files["method.toml"]
    at %= len(data)
    files = dict(GBT.files) | {"method.toml": data[:at] + junk + data[at + length :]}
    refused_or_done(Method.from_files, files)


@given(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
@settings(max_examples=100, deadline=None)
def test_damaged_factor_file_is_read_or_refused(at, length, junk):
    shipped = find_factor_set("CN-HEAT@1.0.0")
    for path, data in shipped.files.items():
        files = dict(shipped.files) | {path: data[: at % len(data)] + junk + data[at % len(data) + length :]}
        refused_or_done(FactorSet.from_files, files)


@pytest.mark.parametrize(
    "swap",
    [
        ('kinds = ["net_calorific_value"]', "kinds = 5"),
        ("[[totals]]", "[totals.x]"),
        ("title = {", "title = 5\nx = {"),
        ('start = "2016-06-01"', 'start = "soon"'),
        ("factor_sets = [", "factor_sets = 5 #"),
    ],
)
def test_misshapen_method_is_refused(swap):
    files = dict(GBT.files)
    files["method.toml"] = files["method.toml"].replace(swap[0].encode(), swap[1].encode(), 1)
    assert refused_or_done(Method.from_files, files)


def test_deeply_nested_input_is_refused():
    nested = []
    for _ in range(900):
        nested = [nested]
    assert "nested deeper" in str(refused_or_done(compute_request, {**EXAMPLE, "extra": nested}))


@pytest.mark.parametrize("text", ["\ud800", "a\x1b[2J", "\x00", "a\u202eb"])
@pytest.mark.parametrize("path", [("streams", 0, "id"), ("site",), ("region",)])
def test_rejects_a_text_that_nobody_could_see_or_write_down(path, text):
    document = replaced(EXAMPLE | {"site": "", "region": ""}, path, text)
    refusal = refused_or_done(compute_request, document)
    assert refusal is not None
    assert "cannot be seen" in str(refusal)
    assert str(refusal).isprintable()


def test_rejects_a_key_that_cannot_be_printed():
    refusal = refused_or_done(compute_request, EXAMPLE | {"\ud800": 1})
    assert refusal is not None
    assert str(refusal).isprintable()
