"""A sample that neither side can steer: every input is fixed before the draw, and an omission can be hit."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from body_world import BLOCKS_AFTER, BODY, FIRST_BLOCK, NONCE, BodyWorld, LongChain, verified
from bundle_factory import GATEWAY, MAIN, OPERATOR, START, STEP, data, load, signer
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.commitment import Engagement
from carbonseal_verifier.drawing import make_transcript, redraw
from carbonseal_verifier.errors import OpinionRefused, SamplingRefused, TranscriptInvalid
from carbonseal_verifier.sample_block import find_block
from carbonseal_verifier.sample_grid import strata_of
from carbonseal_verifier.sampling import Stratum, draw, draw_stratum, sample_size, seed_of, stratum_seed
from carbonseal_verifier.transcript import encode, parse_transcript

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "verifier"
sys.path.insert(0, str(VECTORS))

import sampling_reference  # noqa: E402 - the folder has to be on the path first
import write_sampling_vectors  # noqa: E402 - same


def stored() -> list[dict]:
    return json.loads((VECTORS / "sampling.json").read_text(encoding="utf-8"))["vectors"]


def strata_in(vector: dict) -> list[Stratum]:
    return [Stratum(row["id"], row["expected"], row["sample_size"]) for row in vector["strata"]]


# -- sizes and draws: the published algorithm ------------------------------------------------------


def test_stored_vectors_are_those_that_the_reference_writes() -> None:
    written = write_sampling_vectors.files()["sampling.json"]
    assert (VECTORS / "sampling.json").read_text(encoding="utf-8") == written


@pytest.mark.parametrize("vector", stored(), ids=lambda vector: vector["desc"])
def test_vector(vector: dict) -> None:
    if vector["want_error"]:
        with pytest.raises(SamplingRefused, match=r"cannot be drawn|stands twice"):
            draw(bytes(32), strata_in(vector))
    elif "confidence" in vector:
        assert (
            sample_size(vector["confidence"], vector["tolerable"], vector["population"])
            == vector["sample_size"]
        )
    else:
        parts = (bytes.fromhex(vector[key]) for key in ("nonce", "block_hash", "commitment_digest"))
        seed = seed_of(*parts)
        assert seed.hex() == vector["seed"]
        slots = draw(seed, strata_in(vector))
        for row, stratum in zip(vector["strata"], strata_in(vector), strict=True):
            own = stratum_seed(seed, stratum)
            assert own.hex() == row["seed"]
            assert draw_stratum(own, stratum) == row["order"]
            assert slots[stratum.id] == row["slots"]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 400), st.data())
def test_draws_what_the_plain_reference_draws_without_a_slot_twice(seed, expected, given_data) -> None:
    size = given_data.draw(st.integers(1, expected))
    drawn = draw_stratum(seed, Stratum("main", expected, size))
    assert drawn == sampling_reference.order(seed, expected, size)
    assert len(set(drawn)) == size
    assert all(0 <= slot < expected for slot in drawn)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 999), st.integers(1, 999), st.integers(1, 5000))
def test_size_is_the_least_that_meets_the_confidence(confidence, tolerable, population) -> None:
    texts = [f"{number // 10}.{number % 10}" for number in (confidence, tolerable)]
    assert sample_size(*texts, population) == sampling_reference.sample_size(*texts, population)


@pytest.mark.parametrize(
    ("confidence", "tolerable"),
    [("100", "5"), ("0", "5"), ("95", "0"), ("95", "-1"), ("95", "0.00001"), ("95", "1e-3")],
)
def test_refuses_a_percentage_that_means_nothing(confidence: str, tolerable: str) -> None:
    with pytest.raises(CarbonsealError, match=r"percent|per cent|plain decimal"):
        sample_size(confidence, tolerable, 1000)


def test_refuses_a_rate_for_which_more_would_be_drawn_than_a_commitment_holds() -> None:
    with pytest.raises(SamplingRefused, match="more than 100000"):
        sample_size("95", "0.001", 10**9)


def test_every_slot_is_drawn_about_as_often_as_any_other() -> None:
    counts = Counter(
        slot
        for number in range(3000)
        for slot in draw_stratum(number.to_bytes(32, "big"), Stratum("main", 10, 3))
    )
    # 900 expected, standard deviation 25: six of them either way.
    assert all(750 < counts[slot] < 1050 for slot in range(10))


@pytest.mark.parametrize("part", range(3))
def test_one_bit_of_any_input_gives_another_draw(part: int) -> None:
    inputs = [bytes([number]) * 32 for number in (1, 2, 3)]
    before = draw(seed_of(*inputs), [Stratum("main", 10_000, 50)])
    inputs[part] = bytes([inputs[part][0] ^ 1]) + inputs[part][1:]
    assert draw(seed_of(*inputs), [Stratum("main", 10_000, 50)]) != before


def test_a_short_nonce_is_refused_since_it_could_be_guessed() -> None:
    with pytest.raises(SamplingRefused, match="31 bytes"):
        seed_of(bytes(31), bytes(32), bytes(32))


# -- a whole engagement on a bundle -----------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> BodyWorld:
    """A world whose body has committed to a sample that is anchored by now."""
    made = verified()
    made.commitment = made.commit(sizes={"main": 40, "line": 20})
    made.anchor()
    return made


@pytest.fixture(scope="module")
def examined(world: BodyWorld):
    return world.examined()


@pytest.fixture(scope="module")
def transcript(world: BodyWorld, examined):
    return world.drawn(world.commitment, examined=examined)


def test_transcript_is_drawn_again_to_the_same_bytes(world, examined, transcript) -> None:
    again = parse_transcript(transcript.data)
    block = redraw(examined.case, again, bundle_digest=examined.bundle_digest)
    assert (block.number, block.hash_from, block.anchor_block_from) == (
        FIRST_BLOCK + BLOCKS_AFTER, "evidence", "evidence",
    )  # fmt: skip
    assert (transcript.drawn, transcript.answered, transcript.is_proved_in_time) == (60, 60, True)


def test_transcript_shows_values_and_the_statements_that_hold_them(world, transcript) -> None:
    main = transcript.value["strata"][0]["samples"]
    digests = {statement.hex() for statement in _digests(world)}
    for sample in main:
        assert sample["value"] == f"{load(sample['slot']).normalize():f}"
        assert (sample["state"], sample["quality"]) == ("measured", "good")
        assert sample["statement_digest"] in digests


def test_another_nonce_after_the_commitment_is_refused(world, examined) -> None:
    other = bytes([NONCE[0] ^ 1]) + NONCE[1:]
    with pytest.raises(SamplingRefused, match="not the one that was committed to"):
        world.drawn(world.commitment, examined=examined, nonce=other)


def test_an_enterprise_cannot_commit_for_its_own_report() -> None:
    made = verified()  # a world of its own: once such a commitment is logged, the check fails
    examined = made.examined()
    file = made.commit(by=OPERATOR)
    with pytest.raises(OpinionRefused, match="not admitted as verification_body"):
        made.drawn(file, logged=None, examined=examined)


@pytest.mark.parametrize(
    "strata",
    [
        [{"id": "main", "expected": 192, "sample_size": 1}],
        [
            {"id": "main", "expected": 191, "sample_size": 1},
            {"id": "line", "expected": 192, "sample_size": 1},
        ],
        [
            {"id": "line", "expected": 192, "sample_size": 1},
            {"id": "other", "expected": 192, "sample_size": 1},
        ],
        [{"id": name, "expected": 192, "sample_size": 1} for name in ("main", "line", "line")],
    ],
    ids=["one measurement left out", "a slot left out", "a measurement of no plan", "one twice"],
)
def test_strata_other_than_the_plans_grid_are_refused(world, strata) -> None:
    file = world.commit(strata=strata, epoch=world.commitment.content.body["epoch"])
    with pytest.raises(SamplingRefused, match="not the plan's measurements"):
        world.drawn(file, logged=None)


def test_a_commitment_about_another_report_is_refused(world) -> None:
    file = world.commit(report_digest=bytes(32), epoch=world.commitment.content.body["epoch"])
    with pytest.raises(SamplingRefused, match="another report"):
        world.drawn(file, logged=None)


def test_a_commitment_logged_after_the_anchor_has_no_proof() -> None:
    made = verified()
    early = made.commit()
    made.anchor()
    # Whoever commits after the block is known names the epoch that has just been anchored.
    late = made.commit(epoch=early.content.body["epoch"])
    made.anchor()
    stolen = made.proof(early)
    stated = {"anchor_block": FIRST_BLOCK - 1}  # the evidence begins with a later anchor's block
    with pytest.raises(SamplingRefused, match="does not hold this commitment"):
        made.drawn(late, logged=stolen, **stated)
    later = made.proof(late, epoch=late.content.body["epoch"] + 1)
    with pytest.raises(SamplingRefused, match="proof"):
        made.drawn(late, logged=later, **stated)
    assert not made.drawn(late, logged=None, **stated).is_proved_in_time


def test_an_epoch_that_the_bundle_does_not_anchor_is_refused() -> None:
    made = verified()
    file = made.commit()
    with pytest.raises(SamplingRefused, match="not anchored in it"):
        made.drawn(file, logged=None)


def test_an_omission_can_be_drawn_and_counts_as_no_answer() -> None:
    made = BodyWorld().found()
    made.measure(change=lambda meter, slot, value: None if (meter, slot % 4) == (MAIN, 1) else value)
    made.file()
    file = made.commit(sizes={"main": 192, "line": 1})
    made.anchor()
    transcript = made.drawn(file)
    assert transcript.drawn - transcript.answered == 48
    assert transcript.unanswered()[:2] == ["main/1", "main/5"]
    states = Counter(sample["state"] for sample in transcript.value["strata"][0]["samples"])
    assert states == {"measured": 144, "missing": 48}


def test_a_signed_gap_is_shown_with_its_statement_and_answers_nothing() -> None:
    made = BodyWorld().found()
    made.measure(change=lambda meter, slot, value: None if (meter, slot) == (MAIN, 7) else value)
    body = {"points": ["energy"], "reason": "source_silent", "detail": "no answer"}
    gap = made.add(data(OPERATOR), GATEWAY, "gap", body, subject=MAIN, issuer=GATEWAY,
                   interval=(START + 7 * STEP, START + 8 * STEP))  # fmt: skip
    made.file()
    file = made.commit(sizes={"main": 192, "line": 1})
    made.anchor()
    transcript = made.drawn(file)
    sample = transcript.value["strata"][0]["samples"][7]
    assert (sample["state"], sample["statement_digest"], sample["value"]) == ("gap", gap.digest.hex(), None)
    assert transcript.unanswered() == ["main/7"]


def test_late_readings_are_answers_and_shown_as_late() -> None:
    made = BodyWorld().found()
    made.measure(delay=40 * 3_600_000).file()
    file = made.commit(sizes={"main": 30, "line": 1})
    made.anchor()
    transcript = made.drawn(file)
    assert {sample["state"] for sample in transcript.value["strata"][0]["samples"]} == {"late"}
    assert transcript.unanswered() == []


# -- the block -------------------------------------------------------------------------------------


def test_without_the_anchors_header_its_number_is_stated_and_said_to_be(world) -> None:
    hidden = _hidden(world, first_shown=1)
    with pytest.raises(SamplingRefused, match="does not hold the header of the anchor's block"):
        world.drawn(world.commitment, examined=hidden)
    transcript = world.drawn(world.commitment, examined=hidden, anchor_block=FIRST_BLOCK)
    block = transcript.value["block"]
    assert (block["anchor_block_from"], block["hash_from"]) == ("stated", "evidence")
    redraw(hidden.case, parse_transcript(transcript.data), bundle_digest=hidden.bundle_digest)


@pytest.mark.parametrize("number", [FIRST_BLOCK + 1, FIRST_BLOCK + 3])
def test_a_stated_anchor_block_must_fit_the_times_of_the_headers(world, number: int) -> None:
    hidden = _hidden(world, first_shown=1)
    with pytest.raises(SamplingRefused, match="can't be"):
        world.drawn(world.commitment, examined=hidden, anchor_block=number)


def test_a_stated_number_or_hash_against_the_evidence_is_refused(world, examined) -> None:
    with pytest.raises(SamplingRefused, match="the evidence proves block 10"):
        world.drawn(world.commitment, examined=examined, anchor_block=FIRST_BLOCK + 1)
    with pytest.raises(SamplingRefused, match="differs from block 13"):
        world.drawn(world.commitment, examined=examined, block_hash=bytes(32))


def test_a_hash_beyond_the_evidence_is_stated_and_said_to_be(world) -> None:
    near = _hidden(world, blocks=2)
    with pytest.raises(SamplingRefused, match="does not hold the header of block 13"):
        world.drawn(world.commitment, examined=near)
    transcript = world.drawn(world.commitment, examined=near, block_hash=bytes(32))
    assert transcript.value["block"]["hash_from"] == "stated"


def test_without_any_anchor_everything_about_the_block_is_stated() -> None:
    made = verified(with_anchor=False)
    file = made.commit()
    made.anchor()
    examined = made.examined()
    block = find_block(
        examined.case, epoch=file.content.body["epoch"], blocks_after=3, anchor_block=7, block_hash=bytes(32)
    )
    assert (block.number, block.anchored_at, block.hash_from, block.anchor_block_from) == (
        10,
        None,
        "stated",
        "stated",
    )


# -- transcripts of others ----------------------------------------------------------------------------


def _changes() -> dict[str, dict]:
    return {
        "a drawn slot": {"strata": lambda rows: _slot(rows, 0)},
        "a value": {"strata": lambda rows: _value(rows, "1")},
        "the number of answers": {"answered": lambda number: number - 1},
        "the seed": {"seed": lambda text: "00" + text[2:]},
        "the engagement": {"engagement": lambda _: "en-other"},
        "the plan": {"plan_digest": lambda _: "00" * 32},
    }


def _slot(rows: list, number: int) -> list:
    samples = rows[0]["samples"]
    samples[number] = samples[number] | {"slot": samples[number]["slot"] + 1}
    return rows


def _value(rows: list, value: str) -> list:
    rows[0]["samples"][0]["value"] = value
    return rows


@pytest.mark.parametrize("what", sorted(_changes()))
def test_a_changed_transcript_is_not_what_drawing_again_gives(world, examined, transcript, what: str) -> None:
    value = json.loads(transcript.data)
    for key, change in _changes()[what].items():
        value[key] = change(value[key])
    changed = parse_transcript(encode(value))
    with pytest.raises(TranscriptInvalid, match="drawing again gives another"):
        redraw(examined.case, changed, bundle_digest=examined.bundle_digest)


def test_a_transcript_of_another_bundle_is_refused(world, examined, transcript) -> None:
    with pytest.raises(TranscriptInvalid, match="another bundle"):
        redraw(examined.case, transcript, bundle_digest=bytes(32))


def test_a_transcript_with_a_stripped_proof_is_not_the_same(world, examined, transcript) -> None:
    value = json.loads(transcript.data)
    value["commitment"]["logged"]["path"] = value["commitment"]["logged"]["path"][:-1]
    with pytest.raises(SamplingRefused, match="proof"):
        redraw(examined.case, parse_transcript(encode(value)), bundle_digest=examined.bundle_digest)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"\xff", b'{"format": 1, "format": 2}', b'{"format": 1.5}', b"[" * 5000],
)
def test_refuses_what_is_no_transcript(data: bytes) -> None:
    with pytest.raises(TranscriptInvalid, match=r"transcript|file"):
        parse_transcript(data)


def test_refuses_a_transcript_in_another_spelling(transcript) -> None:
    with pytest.raises(TranscriptInvalid, match="one way"):
        parse_transcript(json.dumps(json.loads(transcript.data)).encode())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_change_of_bytes_is_refused_by_our_errors(given_data) -> None:
    examined, transcript = _kept()
    raw = bytearray(transcript.data)
    at = given_data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= given_data.draw(st.integers(1, 255))
    with pytest.raises(CarbonsealError):
        redraw(examined.case, parse_transcript(bytes(raw)), bundle_digest=examined.bundle_digest)


def test_another_bodys_commitment_is_its_own(world, examined) -> None:
    made = verified(body_key="another body")
    assert made.keys[BODY].public.kid != signer(BODY).public.kid
    foreign = made.commit(report_digest=world.report.digest, epoch=world.commitment.content.body["epoch"])
    with pytest.raises(OpinionRefused, match="no party with key"):
        make_transcript(examined.case, Engagement(foreign, NONCE, None), bundle_digest=examined.bundle_digest)


def test_sizes_for_measurements_that_the_plan_lacks_are_refused(examined) -> None:
    with pytest.raises(SamplingRefused, match="no measurement furnace"):
        strata_of(examined.case.prepared, confidence="95", tolerable="5", sizes={"furnace": 3})


# -- within ------------------------------------------------------------------------------------------


def _digests(world: BodyWorld) -> set[bytes]:
    return {SignedStatement.parse(raw).digest for raw in world.logs[data(OPERATOR)].entries}


def _hidden(world: BodyWorld, **shown: int):
    """Check a bundle whose evidence holds fewer headers than the chain has."""
    chain = world.chain
    assert isinstance(chain, LongChain)
    before = {name: getattr(chain, name) for name in shown}
    for name, number in shown.items():
        setattr(chain, name, number)
    try:
        return world.examined()
    finally:
        for name, number in before.items():
            setattr(chain, name, number)


_KEPT: list = []


def _kept() -> tuple:
    if not _KEPT:
        world = verified()
        file = world.commit(sizes={"main": 2, "line": 2})
        world.anchor()
        examined = world.examined()
        _KEPT.append((examined, world.drawn(file, examined=examined)))
    return _KEPT[0]
