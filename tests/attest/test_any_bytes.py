"""Any bytes give a value or a refusal of ours: one property for every parser of the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fuzz_targets
import pytest
import write_corpus
from example_contents import DATA, content, key
from example_statements import statement
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import AttestError, CarbonsealError
from carbonseal_attest.key_file import decrypt_key_file

PARSERS: dict[str, Callable[[bytes], Any]] = {
    parse.__name__: parse for group in fuzz_targets.PARSERS.values() for parse in group
} | {
    "decrypt_key_file": lambda data: decrypt_key_file(data, "x"),
    "open_checkpoint": lambda data: open_checkpoint(
        data.decode("utf-8", "surrogateescape"), origin=DATA, key=key("log host").public
    ),
}
# One short seed of each kind; the corpus of each group is tried as it is, below.
SEEDS: list[bytes] = [min(fuzz_targets.read_seeds(group), key=len) for group in fuzz_targets.PARSERS] + [
    statement().raw,
    *(content(kind) for kind in KINDS),
]

values = st.recursive(
    st.integers(-(1 << 64), (1 << 64) - 1)
    | st.booleans()
    | st.none()
    | st.binary(max_size=33)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | st.dictionaries(st.integers(-4, 20), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Bytes at random, CBOR at random, or something real with a piece replaced."""
    kind = draw(st.sampled_from(["bytes", "cbor", "change"]))
    if kind == "bytes":
        return draw(st.binary(max_size=100))
    if kind == "cbor":
        value = draw(values)
        try:
            return draw(st.sampled_from([b"", b"\xd2"])) + cbor.encode(value)
        except AttestError:
            return b"\xf7"
    whole = draw(st.sampled_from(SEEDS))
    at = draw(st.integers(0, len(whole)))
    return whole[:at] + draw(st.binary(max_size=9)) + whole[at + draw(st.integers(0, 9)) :]


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=150)
@given(data=hostile())
@example(data=b"")
@example(data=b"\xd2")
@example(data=b"\x00" * 70)
@example(data=b"\xff" * 70)
def test_any_bytes_give_a_value_or_our_refusal(name: str, data: bytes) -> None:
    fuzz_targets.attempt(PARSERS[name], data)


@pytest.mark.parametrize("group", fuzz_targets.PARSERS)
def test_every_seed_of_the_corpus_and_every_cut_of_the_short_ones_is_withstood(group: str) -> None:
    seeds = fuzz_targets.read_seeds(group)
    assert seeds
    for seed in seeds:
        fuzz_targets.run_target(group, seed)
    for seed in sorted(seeds, key=len)[:8]:
        for end in range(0, len(seed), max(1, len(seed) // 100)):
            fuzz_targets.run_target(group, seed[:end])


@pytest.mark.parametrize("group", fuzz_targets.PARSERS)
def test_every_parser_reads_some_seed_of_its_group(group: str) -> None:
    def reads(parse: Callable[[bytes], Any], seed: bytes) -> bool:
        try:
            parse(seed)
        except CarbonsealError:
            return False
        return True

    seeds = write_corpus.seeds(group)  # made anew: a committed seed may be of a form that has passed
    deaf = [p.__name__ for p in fuzz_targets.PARSERS[group] if not any(reads(p, seed) for seed in seeds)]
    assert deaf == []
