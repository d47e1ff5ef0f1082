"""Contract, journal and statements are made to differ in every way, and each difference is found by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carbonseal_ledger.asset_acts import ActKind, record_id_of, text_id
from carbonseal_ledger.asset_agreement import (
    Difference,
    JournalRow,
    MirrorRow,
    PartRow,
    disagreements,
)
from carbonseal_ledger.asset_events import AssetEvent, ClaimIds
from carbonseal_ledger.carbon_assets_calls import AssetState

REGISTRY, BATCH, LEAF = "National registry", "2025/0001", b"\x1e" * 32
WHOLE = record_id_of(REGISTRY, BATCH, 1, 10)
LEFT, RIGHT = record_id_of(REGISTRY, BATCH, 1, 4), record_id_of(REGISTRY, BATCH, 5, 10)
ALICES, BOBS, OFFICIAL = text_id("e-alices"), text_id("e-bobs"), text_id("official")


def event(number: int, act: ActKind, record: bytes, **told) -> AssetEvent:
    places = {"transaction_hash": bytes([number]) * 32, "log_index": 1, "block_number": number}
    who = {"proposer": b"\x0a" * 20, "confirmer": b"\x0b" * 20, "act_hash": bytes([number]) * 32}
    return AssetEvent(act=act, record=record, block_hash=bytes(32), **places, **who, **told)


def part(record: bytes, first: int, last: int, holder: bytes, state: AssetState, freezes: int = 0) -> PartRow:
    ids = (text_id(REGISTRY), text_id(BATCH))
    return PartRow(record, *ids, first, last, holder, LEAF, state, freezes)


# Recorded, split; the left part moved and retired, the right one frozen twice and released once.
EVENTS = [
    event(1, ActKind.RECORD, WHOLE, claim=ClaimIds(
        text_id(REGISTRY), text_id(BATCH), 1, 10, ALICES, "log.example/v-a/data", LEAF)),
    event(2, ActKind.SPLIT, WHOLE, parts=(LEFT, RIGHT)),
    event(3, ActKind.MOVE, LEFT, from_party=ALICES, to_party=BOBS, reference=OFFICIAL),
    event(4, ActKind.RETIRE, LEFT, reference=OFFICIAL),
    event(5, ActKind.FREEZE, RIGHT, cause=b"\x01" * 32),
    event(6, ActKind.FREEZE, RIGHT, cause=b"\x02" * 32),
    event(7, ActKind.RELEASE, RIGHT, cause=b"\x01" * 32, cure=b"\x03" * 32),
]  # fmt: skip
PARTS = [
    part(WHOLE, 1, 10, ALICES, AssetState.SPLIT),
    part(LEFT, 1, 4, BOBS, AssetState.RETIRED),
    part(RIGHT, 5, 10, ALICES, AssetState.LIVE, 1),
]
JOURNAL = [JournalRow(one.act, one.record, one.transaction_hash) for one in EVENTS]
MIRRORS = [
    MirrorRow("record", WHOLE, bytes([1]) * 32, 1, 10, ALICES),
    MirrorRow("split", WHOLE, bytes([2]) * 32, 1, 10, ALICES, parts=(LEFT, RIGHT)),
    MirrorRow("move", LEFT, bytes([3]) * 32, 1, 4, ALICES, to=BOBS, reference=OFFICIAL),
    MirrorRow("retire", LEFT, bytes([4]) * 32, 1, 4, BOBS, reference=OFFICIAL),
    MirrorRow("freeze", RIGHT, bytes([5]) * 32, 5, 10, ALICES),
    MirrorRow("freeze", RIGHT, bytes([6]) * 32, 5, 10, ALICES),
    MirrorRow("release", RIGHT, bytes([7]) * 32, 5, 10, ALICES),
]


def found(**changed) -> list[tuple[Difference, bytes]]:
    given = {"parts": PARTS, "events": EVENTS, "journal": JOURNAL, "mirrors": MIRRORS} | changed
    return [(one.difference, one.record) for one in disagreements(**given)]


def test_four_tellings_of_one_story_agree():
    assert found() == []


def test_nothing_at_all_agrees_with_nothing():
    assert found(parts=[], events=[], journal=[], mirrors=[]) == []


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (0, {"state": AssetState.LIVE}),
        (1, {"holder": ALICES}),
        (1, {"state": AssetState.LIVE}),
        (2, {"freezes": 0}),
        (2, {"freezes": 2}),
        (2, {"first": 6}),
        (2, {"report_leaf": b"\x02" * 32}),
    ],
    ids=str,
)
def test_storage_that_its_events_do_not_explain_is_found(at, change):
    parts = [replace(one, **change) if number == at else one for number, one in enumerate(PARTS)]
    assert found(parts=parts) == [(Difference.STORAGE, PARTS[at].record)]


def test_cut_that_the_parts_ids_do_not_commit_to_is_found():
    """Were the left part's serials altered, the right one's would follow: but ids are hashes of serials."""
    parts = [PARTS[0], replace(PARTS[1], last=6), replace(PARTS[2], first=7)]
    assert found(parts=parts) == [(Difference.STORAGE, record) for record in sorted((LEFT, RIGHT))]


def test_record_that_no_event_explains_is_found():
    foreign = part(b"\x77" * 32, 1, 2, ALICES, AssetState.LIVE)
    assert found(parts=[*PARTS, foreign]) == [(Difference.STORAGE, foreign.record)]


@pytest.mark.parametrize("at", range(len(EVENTS)))
def test_act_that_no_statement_mirrors_is_found(at):
    mirrors = MIRRORS[:at] + MIRRORS[at + 1 :]
    assert found(mirrors=mirrors) == [(Difference.NOT_MIRRORED, EVENTS[at].record)]


@pytest.mark.parametrize("at", range(len(EVENTS)))
def test_act_that_the_journal_does_not_know_is_found(at):
    journal = JOURNAL[:at] + JOURNAL[at + 1 :]
    assert found(journal=journal) == [(Difference.NOT_IN_JOURNAL, EVENTS[at].record)]


def test_statement_about_an_act_that_never_was_is_found():
    invented = MirrorRow("cancel", RIGHT, b"\x99" * 32, 5, 10, ALICES, reference=OFFICIAL)
    assert found(mirrors=[*MIRRORS, invented]) == [(Difference.MIRRORED_NOTHING, RIGHT)]


def test_statement_that_names_another_act_of_the_transaction_is_found():
    mirrors = [*MIRRORS[:3], replace(MIRRORS[3], kind="surrender"), *MIRRORS[4:]]
    assert sorted(found(mirrors=mirrors)) == [
        (Difference.NOT_MIRRORED, LEFT),
        (Difference.MIRRORED_NOTHING, LEFT),
    ]


def test_act_mirrored_twice_is_found():
    assert found(mirrors=[*MIRRORS, MIRRORS[2]]) == [(Difference.MIRRORED_TWICE, LEFT)]


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (0, {"last": 11}),
        (1, {"parts": (RIGHT, LEFT)}),
        (2, {"to": ALICES}),
        (2, {"holder": BOBS}),
        (3, {"reference": text_id("another official act")}),
        (3, {"holder": ALICES}),
        (6, {"first": 1}),
    ],
    ids=str,
)
def test_statement_that_says_otherwise_is_found(at, change):
    mirrors = [replace(one, **change) if number == at else one for number, one in enumerate(MIRRORS)]
    assert found(mirrors=mirrors) == [(Difference.MIRRORED_OTHERWISE, EVENTS[at].record)]


def test_journal_that_believes_an_act_that_the_chain_lost_is_found():
    assert found(
        events=EVENTS[:6], mirrors=MIRRORS[:6], parts=[*PARTS[:2], replace(PARTS[2], freezes=2)]
    ) == [(Difference.JOURNAL_AHEAD, RIGHT)]


def test_difference_says_what_each_side_tells():
    (one,) = disagreements(
        parts=[*PARTS[:2], replace(PARTS[2], freezes=0)], events=EVENTS, journal=JOURNAL, mirrors=MIRRORS
    )
    assert one.detail == (
        f"storage: 5 to 10 of 0x{ALICES.hex()}, live; events: 5 to 10 of 0x{ALICES.hex()}, live, frozen for 1"
    )
