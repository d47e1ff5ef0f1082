from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from gateways import METER, meter, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_attest.contents import build_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.instants import parse_instant
from carbonseal_collectors.adapter import SetAside
from carbonseal_collectors.batching import CONTRADICTS, Cut, cut_meter
from carbonseal_collectors.windows import Window, civil_day, grid, slot_of

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = parse_instant("2025-12-31T16:00:00Z")  # midnight in Shanghai
WINDOW = Window(0, "Asia/Shanghai")


def cut(samples, **more) -> Cut:
    options = {"window": WINDOW, "resume_from": None, "until": T0 + 10 * DAY, "is_silence_open": True} | more
    found = cut_meter(
        more.pop("meter", meter()), samples, **{k: v for k, v in options.items() if k != "meter"}
    )
    for batch in found.batches:  # whatever comes out must be a content
        build_content(
            batch.kind, subject=METER, stream="s", interval=batch.interval, body=batch.body, salt=b"\0" * 16
        )
    return found


def gaps(found: Cut) -> list[tuple[int, int, str]]:
    return [
        ((b.interval[0] - T0) // HOUR, (b.interval[1] - T0) // HOUR, b.body["reason"])
        for b in found.batches
        if b.kind == "gap"
    ]


def read(found: Cut) -> list[tuple[int, str | None, str, str]]:
    return [
        (
            (item.at - T0) // HOUR,
            None if item.value is None else str(item.value),
            item.quality,
            item.source_status,
        )
        for batch in found.batches
        if batch.kind == "readings"
        for series in read_series(batch.body)
        for item in series.samples()
    ]


def test_a_silent_slot_becomes_a_gap_and_its_neighbours_go_on():
    found = cut([sample(T0, "1"), sample(T0 + 2 * HOUR, "3")])
    assert gaps(found) == [(1, 2, "source_silent")]
    assert [row[:2] for row in read(found)] == [(0, "1"), (2, "3")]


def test_silence_after_the_last_row_of_a_file_is_no_gap_yet():
    found = cut([sample(T0 + hour * HOUR, "1") for hour in range(5)])
    assert gaps(found) == []
    assert found.resume_from == T0 + 5 * HOUR
    (batch,) = found.batches
    assert batch.interval == (T0, T0 + 5 * HOUR)


def test_the_next_file_continues_where_the_last_one_ended():
    found = cut([sample(T0 + 7 * HOUR, "1")], resume_from=T0 + 5 * HOUR)
    assert gaps(found) == [(5, 7, "source_silent")]


def test_days_of_silence_become_one_gap():
    found = cut([sample(T0, "1"), sample(T0 + 5 * DAY, "2")])
    assert gaps(found) == [(1, 5 * 24, "source_silent")]


def test_a_stray_row_of_1970_makes_one_gap_not_half_a_million():
    found = cut([sample(0, "1"), sample(T0, "2")])
    assert len(found.batches) == 3


def test_a_polled_source_that_was_not_polled_is_a_gap_of_its_own_reason():
    found = cut([], resume_from=T0, until=T0 + DAY, is_silence_open=False, silence="stopped")
    assert gaps(found) == [(0, 24, "stopped")]


def test_a_source_that_answers_nothing_leaves_its_status_and_a_gap():
    lost = sample(T0 + HOUR, None, quality="bad", source_status="timeout")
    found = cut([sample(T0, "1"), lost, sample(T0 + 2 * HOUR, "2")])
    assert gaps(found) == [(1, 2, "source_silent")]
    assert read(found)[1] == (1, None, "bad", "timeout")


def test_a_row_set_aside_explains_the_slot_between_its_neighbours():
    row = SetAside("a.csv", 7, "has 1 cells instead of 2", "", METER, (), T0, T0 + 2 * HOUR)
    found = cut([sample(T0, "1"), sample(T0 + 2 * HOUR, "2"), sample(T0 + 4 * HOUR, "3")], set_aside=[row])
    assert gaps(found) == [(1, 2, "bad_row"), (3, 4, "source_silent")]
    assert next(b for b in found.batches if b.kind == "gap").body["detail"].startswith("a.csv line 7: has 1")


def test_a_bad_cell_explains_its_own_slot_and_point_only():
    row = SetAside("a.csv", 7, "column 'b': 'x' is not a number", "", METER, ("b",), T0, T0 + HOUR)
    two = meter("a", "b")
    found = cut([sample(T0, "1", point="a")], meter=two, set_aside=[row])
    (gap,) = [b for b in found.batches if b.kind == "gap"]
    assert (gap.body["points"], gap.body["reason"]) == (["b"], "bad_value")


def test_a_plain_repetition_is_not_signed_twice():
    found = cut([sample(T0, "1"), sample(T0, "1.0")])
    assert read(found) == [(0, "1", "good", "")]
    assert len(found.repeated) == 1


def test_two_rows_that_contradict_each_other_are_both_kept_and_both_bad():
    found = cut([sample(T0, "1"), sample(T0, "2"), sample(T0 + HOUR, "3")])
    assert read(found) == [
        (0, "1", "bad", CONTRADICTS),
        (0, "2", "bad", CONTRADICTS),
        (1, "3", "good", ""),
    ]
    assert gaps(found) == [(0, 1, "bad_value")]


def test_late_rows_come_in_a_statement_of_their_own_without_gaps():
    found = cut([sample(T0 + 3 * HOUR, "9"), sample(T0 + DAY, "1")], resume_from=T0 + DAY)
    assert [b.interval for b in found.batches] == [
        (T0 + 3 * HOUR, T0 + 4 * HOUR),
        (T0 + DAY, T0 + DAY + HOUR),
    ]
    assert gaps(found) == []


def test_rows_of_open_windows_stay_for_later():
    found = cut([sample(T0, "1"), sample(T0 + DAY, "2")], until=T0 + DAY)
    assert [item.at for item in found.left] == [T0 + DAY]
    assert read(found) == [(0, "1", "good", "")]


def test_a_figure_beyond_64_bits_keeps_its_text_and_never_blocks_the_others():
    found = cut([sample(T0, "1e29"), sample(T0 + HOUR, "0.000001")])
    (first, second) = read(found)
    assert first[1:] == (None, "bad", "unrepresentable 1E+29")
    assert second[1:3] == ("0.000001", "good")


def test_status_that_the_schema_would_refuse_is_made_printable_and_short():
    found = cut([sample(T0, None, quality="bad", source_status="a\nb" + "x" * 200)])
    assert read(found)[0][3] == ("a?b" + "x" * 200)[:80]


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-08T12:00:00Z", 23), ("2026-11-01T12:00:00Z", 25), ("2026-06-01T12:00:00Z", 24)],
)
def test_a_civil_day_has_the_hours_of_its_zone(day, hours):
    start, end = civil_day("America/New_York", parse_instant(day))
    assert (end - start) // HOUR == hours
    assert len(list(grid(HOUR, "America/New_York", start, end))) == hours


def test_a_zone_half_an_hour_off_has_its_grid_on_its_own_hours():
    start = parse_instant("2026-01-01T00:00:00Z")
    assert next(iter(grid(HOUR, "Asia/Kolkata", start, start + DAY))) == start + HOUR // 2
    assert slot_of(start, HOUR, "Asia/Kolkata") == start - HOUR // 2


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 80), st.sampled_from(["1", "2", None]), st.booleans()), max_size=60),
    st.booleans(),
    st.integers(1, 4),
)
def test_every_slot_is_either_read_or_in_exactly_one_gap(rows, is_open, days):
    names = ("a", "b")
    samples = [
        sample(T0 + hour * HOUR, value, point="a" if is_a else "b", quality="good" if value else "bad")
        for hour, value, is_a in rows
    ]
    until = T0 + days * DAY
    found = cut(samples, meter=meter(*names), resume_from=T0, until=until, is_silence_open=is_open)
    end = found.resume_from or T0
    assert len(found.left) == sum(item.at >= until for item in samples)
    usable = {
        (series.point, item.at)
        for batch in found.batches
        if batch.kind == "readings"
        for series in read_series(batch.body)
        for item in series.samples()
        if item.value is not None and item.quality != "bad"
    }
    missing = [
        (name, at)
        for batch in found.batches
        if batch.kind == "gap"
        for name in batch.body["points"]
        for at in range(batch.interval[0], batch.interval[1], HOUR)
    ]
    assert len(missing) == len(set(missing))
    expected = {(name, at) for name in names for at in range(T0, end, HOUR)}
    assert usable | set(missing) == expected
    assert not usable & set(missing)
    assert [b.interval[0] for b in found.batches] == sorted(b.interval[0] for b in found.batches)


def test_no_statement_of_a_real_export_overlaps_another(repository_root: Path, shared_data: Path):
    from carbonseal_collectors.adapter import open_adapters
    from carbonseal_collectors.gateway_config import load_gateway_config

    config = load_gateway_config(
        repository_root / "docs" / "examples" / "datacentre-servers" / "gateway.toml",
        overrides={"gateway.data_folder": str(shared_data / "datacentre-servers")},
    )
    (adapter,) = open_adapters(config).values()
    source = config.sources[0]
    found = cut_meter(
        source.meters[0],
        adapter.poll(0).samples,
        window=source.window,
        resume_from=None,
        until=parse_instant("2026-01-01T00:00:00Z"),
        is_silence_open=True,
    )
    readings = [batch.interval for batch in found.batches if batch.kind == "readings"]
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(readings))
    silent = [batch.interval for batch in found.batches if batch.kind == "gap"]
    # 28 gaps by local stamps; one more is the second 01:00 of 3 November 2024, which the file has only
    # once.
    assert len(silent) == 29
    assert max(end - start for start, end in silent) == 13 * HOUR
