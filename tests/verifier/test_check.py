"""The check on untouched bundles: it passes whatever the data code's colour, and says what it checked."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from bundle_factory import (
    DAY,
    GATEWAY,
    HOUR,
    LINE,
    MAIN,
    OPERATOR,
    START,
    World,
    data,
    honest,
    reason,
    register,
    to_bytes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.bundle_layout import LogSection
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.merkle import Frontier, leaf_hash
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.check import STEPS, run_check


@pytest.fixture(scope="module")
def world():
    return honest()


def failures(result):
    return [(s.name, s.outcome, s.reason) for s in result.steps if s.outcome != "passed"]


def test_passes_an_untouched_bundle(world):
    result = world.check()
    assert failures(result) == []
    assert result.has_passed
    assert world.code == "green"


def test_names_publisher_and_label_of_the_trust_file_and_every_step_in_order(world):
    result = world.check().to_json()
    assert (result["passed"], result["publisher"], result["label"]) == (True, "the demo", "made by the demo")
    assert [step["name"] for step in result["steps"]] == [step.name for step in STEPS]
    assert all(
        set(step) - {"report"} == {"name", "required", "outcome", "reason"} for step in result["steps"]
    )


def test_two_bundles_of_the_same_facts_are_the_same_bytes(world):
    assert to_bytes(world.bundle()) == to_bytes(honest().bundle())


def test_passes_a_red_code_because_red_is_a_result():
    def half(meter, slot, value):
        return value / 2 if meter == MAIN and slot >= 96 else value

    world = World().found().measure(change=half).file()
    assert world.code == "red"
    assert failures(world.check()) == []
    assert "two-sources" not in reason(world.check(), "rules")
    assert "red as signed" in reason(world.check(), "rules")


def test_passes_readings_that_came_late_and_counts_them_so():
    world = World().found().measure(delay=30 * HOUR).file()
    result = world.check()
    assert failures(result) == []
    assert world.code == "red"
    assert "0 measured, 192 late" in reason(result, "completeness") or " late" in reason(
        result, "completeness"
    )


def test_passes_a_declared_gap_and_a_missing_value():
    world = World().found()
    world.measure(windows=7)
    world.now = START + 2 * DAY + HOUR
    body = {"points": ["energy"], "reason": "source_silent", "detail": "no answer"}
    interval = (START + 42 * HOUR, START + 48 * HOUR)
    for meter in (MAIN, LINE):
        world.add(data(OPERATOR), GATEWAY, "gap", body, subject=meter, stream=f"readings/{meter}",
                  interval=interval, issuer=GATEWAY)  # fmt: skip
    world.tick(data(OPERATOR))
    world.file()
    result = world.check()
    assert failures(result) == []
    assert "gap" in reason(result, "completeness")


def test_passes_without_an_anchor_only_where_the_trust_file_does_not_require_one():
    world = honest(with_anchor=False)
    result = world.check()
    assert result.has_passed
    assert "log host's word" in reason(result, "anchor")
    assert not next(s for s in result.steps if s.name == "anchor").required


def test_passes_and_counts_a_revocation_after_the_period():
    world = World().found().measure()
    world.revoke()
    world.file()
    result = world.check()
    assert failures(result) == []
    assert "1 statement revoked" in reason(result, "freshness")


def test_passes_a_revocation_within_the_period_and_turns_later_readings_red():
    world = World().found().measure(windows=4)
    world.revoke()
    for window in range(4, 8):  # the stolen gateway goes on until the end of the epoch
        world.now = START + window * 6 * HOUR + 6 * HOUR + 60_000
        world.seal_window(START + window * 6 * HOUR, 24)
    world.seal_window(START + 2 * DAY, 1, meters=(LINE,))
    world.now += HOUR
    world.tick(data(OPERATOR))
    world.file()
    assert world.code == "red"
    assert any(f["rule"] == "withdrawn-key@1" for f in world.recomputed.quality_body["findings"])
    assert failures(world.check()) == []


def test_passes_a_void_and_a_resume_and_shows_them():
    world = World().found().measure(windows=4)
    log, stream = world.logs[data(OPERATOR)], f"readings/{MAIN}"
    kid = world.keys[GATEWAY].public.kid
    refused = b"\7" * 32
    body = {
        "sequence": log.streams[kid, stream][0] + 1,
        "digest": refused,
        "interval": None,
        "problem": "too large",
    }
    world.add(data(OPERATOR), GATEWAY, "void", body, subject=MAIN, stream=stream, issuer=GATEWAY)
    # What was sealed before the refusal was known still names the refused statement.
    log.streams[kid, stream] = (log.streams[kid, stream][0], refused)
    for window in range(4, 8):
        world.now = START + window * 6 * HOUR + 6 * HOUR + 60_000
        world.seal_window(START + window * 6 * HOUR, 24)
    resume = {"device": GATEWAY, "kid": kid, "stream": f"readings/{LINE}", "next_sequence": 50,
              "previous": None, "reason": "the spool was lost"}  # fmt: skip
    statement = world.add(register(OPERATOR), OPERATOR, "resume", resume, subject=GATEWAY)
    log.streams[kid, f"readings/{LINE}"] = (49, statement.digest)
    world.seal_window(START + 2 * DAY, 1, meters=(LINE,))
    world.now += HOUR
    world.tick(data(OPERATOR))
    world.file()
    result = world.check()
    assert failures(result) == []
    assert "1 void, 1 resume" in reason(result, "continuity")


def test_passes_a_bundle_whose_data_log_begins_at_the_period(world):
    bundle = world.bundle()
    section = bundle.logs[data(OPERATOR)]
    first = bundle.maps[data(OPERATOR)][1].entry.tree_size
    prefix = Frontier().extend(leaf_hash(raw) for raw in section.entries[:first])
    bundle.logs[data(OPERATOR)] = LogSection(
        section.origin, first, section.end, prefix, section.checkpoint, section.entries[first:]
    )
    # Ticks of one instant are one content in all logs: drop only what no other statement signs.
    kept = [raw for log in bundle.logs.values() for raw in log.entries]
    signed = {SignedStatement.parse(raw).payload for raw in [*kept, bundle.log_of_logs_entries[0]]}
    bundle.contents = {digest: c for digest, c in bundle.contents.items() if digest in signed}
    assert len(bundle.contents) < len(world.bundle().contents)
    assert failures(world.check(bundle)) == []


def test_passes_with_contents_outside_the_period_withheld():
    world = World().found()
    series = Series.of("energy", "interval", "kW.h", [Sample(START - DAY, Decimal(1))], width_ms=900_000)
    interval = (START - DAY, START - DAY + 900_000)
    before = world.add(data(OPERATOR), GATEWAY, "readings", readings_body([series]), subject=MAIN,
                       stream="readings/before", interval=interval, issuer=GATEWAY)  # fmt: skip
    world.measure().file()
    bundle = world.bundle()
    del bundle.contents[before.payload]
    result = world.check(bundle)
    assert failures(result) == []
    assert "1 withheld" in reason(result, "contents")


def test_tells_progress_on_long_steps(world, monkeypatch):
    monkeypatch.setattr("carbonseal_verifier.signatures.PROGRESS_EVERY", 10)
    notes: list[str] = []
    world.check(progress=notes.append)
    assert any("signatures" in note for note in notes)


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400), st.binary(max_size=200).map(lambda b: b"\x82\x71carbonseal-bundle\x01" + b)
    )
)
def test_any_bytes_give_a_failed_step_never_a_traceback(world, raw):
    result = run_check(io.BytesIO(raw), trust=world.trust(), at=world.now)
    assert not result.has_passed
    assert [s.name for s in result.steps if s.outcome == "failed"] == ["container"]
    assert "can't be checked" not in reason(result, "container")
