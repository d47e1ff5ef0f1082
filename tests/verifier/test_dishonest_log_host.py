"""A log host that rewrites an organisation's log after an epoch held it: the bundle's check names the step.

The host has every key it should have, so each history is signed as it must be. What it cannot do is to have
had two heads of one log in one epoch, or two logs of logs under one anchor.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundle_factory import EPOCHS, GATEWAY, HOUR, OPERATOR, World, caught, data, honest, reason, register
from chain_evidence import TestChain

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.statement import SignedStatement

DATA, REGISTER = data(OPERATOR), register(OPERATOR)


@pytest.fixture(scope="module")
def first() -> World:
    """The history that was mapped epoch by epoch and anchored."""
    return honest()


@pytest.fixture(scope="module")
def second() -> World:
    """What the organisation would rather have measured: the same keys, a tenth less on the first day."""
    world = World().found()
    world.measure(change=lambda _meter, slot, value: value * 9 / 10 if slot < 96 else value)
    return world.file()


def maps_over(world: World, others: World, since: int) -> list[tuple]:
    """The epochs of `others`, with the heads of `world` from epoch `since` on."""
    made = []
    for (entry, old), (_, new) in zip(others.epochs, world.epochs, strict=True):
        heads = new if entry.epoch >= since else old
        made.append((heads.close(entry.epoch, entry.closed_at), heads))
    return made


def handed_over(second: World, first: World, since: int):
    """A bundle of the second history, mapped from epoch `since` on and the first before; and its anchors.

    The host anchored just these maps: nothing but the entries contradicts them.
    """
    bundle = second.bundle()
    epochs = maps_over(second, first, since)
    entries = [first.log_of_logs[0], *(entry.encode() for entry, _ in epochs)]
    leaves = [leaf_hash(raw) for raw in entries]
    chain = TestChain(leaves[0], first.chain.heads[0].anchored_at)
    for size, head in enumerate(first.chain.heads[1:], 2):
        chain.advance(size, root_of(leaves[:size]), head.anchored_at)
    top = Checkpoint(EPOCHS, len(entries), root_of(leaves))
    maps = {origin: {entry.epoch: heads.prove(origin) for entry, heads in epochs} for origin in second.logs}
    made = replace(
        bundle,
        maps=maps,
        log_of_logs_entries=entries,
        log_of_logs_checkpoint=sign_checkpoint(top, second.keys["log"]),
        anchor=chain.evidence().to_cbor(),
    )
    return made, first.trust(chains=(chain.profile(),))


def test_both_histories_pass_on_their_own(first, second):
    """Nothing inside one of them is wrong: only what both were mapped under tells."""
    assert first.check().has_passed
    assert second.check().has_passed
    assert first.logs[DATA].root() != second.logs[DATA].root()


def test_catches_at_epochs_a_second_history_where_an_epoch_had_mapped_the_first(first, second):
    """Epochs 1 and 2 had the first history; the host maps, and anchors, the second from epoch 3 on."""
    bundle, trust = handed_over(second, first, since=3)
    result = second.check(bundle, trust=trust)
    assert caught(result) == "epochs"
    assert "of another history than the entries" in reason(result, "epochs")


def test_catches_at_anchor_a_second_log_of_logs_that_maps_the_second_history_throughout(first, second):
    """The chain holds the first log of logs; the host shows another one, whole and rightly signed."""
    bundle, _ = handed_over(second, first, since=1)
    bundle = replace(bundle, anchor=first.bundle().anchor)
    result = second.check(bundle, trust=first.trust())
    assert caught(result) == "anchor"
    assert "another log of logs" in reason(result, "anchor")


def test_catches_at_epochs_a_map_proof_of_another_epoch_in_place_of_the_one_that_tells(first, second):
    bundle, trust = handed_over(second, first, since=3)
    maps = {**bundle.maps, DATA: {**bundle.maps[DATA], 2: bundle.maps[DATA][3]}}
    assert caught(second.check(replace(bundle, maps=maps), trust=trust)) == "epochs"


def test_catches_at_epochs_a_bundle_that_leaves_out_the_epoch_that_tells(first, second):
    bundle, trust = handed_over(second, first, since=3)
    maps = {**bundle.maps, DATA: {n: p for n, p in bundle.maps[DATA].items() if n != 2}}
    result = second.check(replace(bundle, maps=maps), trust=trust)
    assert caught(result) == "epochs"
    assert "no map proof for epoch 2" in reason(result, "epochs")


def test_two_heads_for_one_origin_cannot_stand_in_one_map(first, second):
    heads = [
        *first.epochs[1][1].entries,
        MapEntry(DATA, len(second.logs[DATA].entries), second.logs[DATA].root()),
    ]
    with pytest.raises(Exception, match="two heads for one origin"):
        EpochMap(heads)


def test_says_that_only_the_host_vouches_where_nobody_anchored_or_cosigned(first, second):
    """Without chain and witnesses a host may show each reader another history; the words promise no more."""
    bundle = replace(handed_over(second, first, since=1)[0], anchor=None)
    result = second.check(bundle, trust=first.trust(is_anchor_required=False), at=first.now + HOUR)
    assert result.has_passed
    assert "times are the log host's word" in reason(result, "anchor")
    assert "nobody but the log host" in reason(result, "witnesses")


def test_statements_of_both_histories_are_the_evidence_against_whoever_signed_them(first, second):
    """The device signed two statements for one place: the two bundles side by side show it."""
    ours = {key(raw): raw for raw in first.logs[DATA].entries}
    theirs = {key(raw): raw for raw in second.logs[DATA].entries}
    twice = [place for place in ours if place in theirs and ours[place] != theirs[place]]
    kid = first.keys[GATEWAY].public.kid
    assert any(place[0] == kid for place in twice)


def key(raw: bytes) -> tuple[bytes, str, int]:
    header = SignedStatement.parse(raw).header
    return header.kid, header.stream, header.sequence
