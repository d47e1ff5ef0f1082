from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.anchor import (
    MAX_HEADERS,
    AnchoredHead,
    AnchoredHeads,
    AnchorEvidence,
    AnchorInvalid,
    ChainProfile,
    HeaderProfileUnknown,
    PackedHead,
    history_link,
    log_id_of,
    storage_slots,
    verify_anchor_evidence,
)
from carbonseal_attest.chain_profile import HeadKey, TrustedBlock
from carbonseal_attest.errors import CarbonsealError

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "anchor" / "evidence.json"
DOCUMENT = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]


def _profile(fields: dict[str, Any]) -> ChainProfile:
    blocks = tuple(TrustedBlock(n, bytes.fromhex(h), "vector") for n, h in fields["trusted_blocks"])
    return ChainProfile(
        chain_id=fields["chain_id"],
        header_profile=fields["header_profile"],
        contract=bytes.fromhex(fields["contract"]),
        code_hash=bytes.fromhex(fields["code_hash"]),
        log_id=bytes.fromhex(fields["log_id"]),
        slot=fields["slot"],
        head_keys=tuple(HeadKey(bytes.fromhex(a), start, end) for a, start, end in fields["head_keys"]),
        trusted_blocks=blocks,
    )


GOOD = AnchorEvidence.from_cbor(bytes.fromhex(DOCUMENT[0]["evidence"]))
PROFILE = _profile(DOCUMENT[0]["profile"])


def _check(raw: bytes, profile: ChainProfile) -> AnchoredHeads:
    return verify_anchor_evidence(AnchorEvidence.from_cbor(raw), profile=profile)


@pytest.mark.parametrize("vector", DOCUMENT, ids=[vector["desc"] for vector in DOCUMENT])
def test_vector(vector: dict[str, Any]) -> None:
    raw, profile = bytes.fromhex(vector["evidence"]), _profile(vector["profile"])
    if vector["want_error"] is None:
        assert _check(raw, profile).heads == GOOD.heads
        return
    with pytest.raises(AnchorInvalid) as refusal:
        _check(raw, profile)
    assert refusal.value.code == vector["want_error"]


def test_vectors_hold_each_kind_of_refusal() -> None:
    codes = {leaf.code for leaf in AnchorInvalid.__subclasses__()}
    assert {vector["want_error"] for vector in DOCUMENT} >= codes


def test_proves_heads_with_block_times_and_head_key() -> None:
    proven = verify_anchor_evidence(GOOD, profile=PROFILE)
    assert [head.tree_size for head in proven.heads] == [1, 2, 3, 7, 8, 20]
    days = [(head.anchored_at - 1_767_225_600_000) / 86_400_000 for head in proven.heads]
    assert days == [1, 2, 3, 4, 5, 6]
    assert proven.block_at == proven.heads[-1].anchored_at
    assert log_id_of(proven.heads[0].root_hash, proven.head_key) == PROFILE.log_id
    assert not proven.is_closed


def test_says_that_guardians_closed_the_log_and_still_proves_its_heads() -> None:
    (vector,) = (one for one in DOCUMENT if "guardians closed" in one["desc"])
    proven = _check(bytes.fromhex(vector["evidence"]), _profile(vector["profile"]))
    assert proven.is_closed
    assert [head.tree_size for head in proven.heads] == [1, 2, 3, 7, 8, 20]


def test_covering_head_is_the_first_large_enough() -> None:
    proven = verify_anchor_evidence(GOOD, profile=PROFILE)
    sizes = {size: proven.covering(size) for size in (1, 4, 7, 20, 21)}
    assert {size: head and head.tree_size for size, head in sizes.items()} == {
        1: 1,
        4: 7,
        7: 7,
        20: 20,
        21: None,
    }


def test_unknown_header_profile_is_told_apart_from_a_broken_anchor() -> None:
    with pytest.raises(HeaderProfileUnknown, match="online"):
        verify_anchor_evidence(GOOD, profile=replace(PROFILE, header_profile="fisco-bcos"))


def test_rejects_more_headers_than_the_limit() -> None:
    many = replace(GOOD, headers=GOOD.headers[:1] * (MAX_HEADERS + 1))
    with pytest.raises(AnchorInvalid, match="not between 1 and 8192"):
        verify_anchor_evidence(many, profile=PROFILE)
    with pytest.raises(AnchorInvalid, match="at most 8192"):
        AnchorEvidence.from_cbor(many.to_cbor())


def test_evidence_survives_encoding() -> None:
    assert AnchorEvidence.from_cbor(GOOD.to_cbor()) == GOOD


def test_any_flipped_bit_is_refused() -> None:
    raw = GOOD.to_cbor()
    for position in range(0, len(raw), 7):
        changed = bytearray(raw)
        changed[position] ^= 1 << (position % 8)
        with pytest.raises(AnchorInvalid):
            _check(bytes(changed), PROFILE)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_give_evidence_or_our_error(data: bytes) -> None:
    try:
        AnchorEvidence.from_cbor(data)
    except CarbonsealError as error:
        assert isinstance(error, AnchorInvalid)  # noqa: PT017 - either outcome is right, no other is


@given(
    st.integers(0, (1 << 40) - 1),
    st.integers(0, 1),
    st.integers(0, (1 << 55) - 1),
    st.binary(min_size=20, max_size=20),
)
@settings(max_examples=50)
def test_packed_head_splits_as_the_contract_packs(seconds: int, closed: int, size: int, key: bytes) -> None:
    packed = seconds << 216 | closed << 215 | size << 160 | int.from_bytes(key, "big")
    word = packed.to_bytes(32, "big")
    assert PackedHead.from_word(word) == PackedHead(seconds * 1000, size, key, closed == 1)


def test_history_starts_from_zero_and_binds_each_part() -> None:
    head = AnchoredHead(1, b"\x01" * 32, 1_767_225_600_000)
    links = {
        history_link(bytes(32), head),
        history_link(b"\x01" * 32, head),
        history_link(bytes(32), replace(head, tree_size=2)),
        history_link(bytes(32), replace(head, root_hash=bytes(32))),
        history_link(bytes(32), replace(head, anchored_at=1_767_225_601_000)),
    }
    assert len(links) == 5


def test_slots_of_a_log_are_neighbours_and_wrap() -> None:
    packed, root, history = (int.from_bytes(slot, "big") for slot in storage_slots(PROFILE.log_id, 0))
    assert (root - packed, history - root) == (1, 1)
