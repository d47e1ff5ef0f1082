"""Any bytes give a value or a refusal of ours: one property for every parser of the room."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from example_contents import DATA, content, key
from example_statements import statement
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor, foreign_cbor
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint
from carbonseal_attest.contents import KINDS, parse_content
from carbonseal_attest.epoch import EpochEntry, MapProof
from carbonseal_attest.errors import AttestError, CarbonsealError
from carbonseal_attest.json_view import read_json_view
from carbonseal_attest.key_file import decrypt_key_file
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.note import SignedNote
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.tiles import decode_entries
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.trust import TrustFile
from carbonseal_attest.vkey import Vkey

PARSERS: dict[str, Callable[[bytes], Any]] = {
    "cbor.decode": cbor.decode,
    "foreign_cbor.read": foreign_cbor.read,
    "read_json_view": lambda data: read_json_view(data.decode("utf-8", "surrogateescape")),
    "SignedStatement.parse": SignedStatement.parse,
    "Receipt.parse": Receipt.parse,
    "EpochEntry.decode": EpochEntry.decode,
    "TrustFile.parse": TrustFile.parse,
    "decrypt_key_file": lambda data: decrypt_key_file(data, "x"),
    "decode_entries": decode_entries,
    "parse_content": parse_content,
    "read_bundle": lambda data: read_bundle(io.BytesIO(data)),
    "SignedNote.parse": SignedNote.parse,
    "Vkey.parse": lambda data: Vkey.parse(data.decode("utf-8", "surrogateescape")),
    "TlogPolicy.from_bytes": TlogPolicy.from_bytes,
    "Checkpoint.parse": lambda data: Checkpoint.parse(data.decode("utf-8", "surrogateescape")),
    "open_checkpoint": lambda data: open_checkpoint(
        data.decode("utf-8", "surrogateescape"), origin=DATA, key=key("log host").public
    ),
    "MapProof.from_value": lambda data: MapProof.from_value(DATA, cbor.decode(data)),
    "PublicKey.from_cose_key": lambda data: PublicKey.from_cose_key(cbor.decode(data)),
}
SEEDS: list[bytes] = [
    statement().raw,
    *(
        bytes.fromhex(read_vectors(family, name)[0][field])
        for family, name, field in (
            ("receipt", "receipt.json", "receipt"),
            ("epoch-map", "epoch.json", "epoch_entry"),
            ("epoch-map", "epoch.json", "map_proof"),
            ("bundle", "bundle.json", "bundle"),
        )
    ),
    read_vectors("checkpoint")[0]["note"].encode(),
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
    try:
        PARSERS[name](data)
    except AttestError:
        return


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("seed", range(5))
def test_every_cut_of_something_real_gives_a_value_or_our_refusal(name: str, seed: int) -> None:
    whole = SEEDS[seed]
    for end in range(0, len(whole), max(1, len(whole) // 150)):
        try:
            PARSERS[name](whole[:end])
        except CarbonsealError:
            continue
