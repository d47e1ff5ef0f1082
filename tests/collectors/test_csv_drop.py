from __future__ import annotations

import gzip
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from gateways import TIME, csv_gateway
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest.instants import parse_instant
from carbonseal_collectors.adapter import Poll, open_adapters
from carbonseal_collectors.gateway_config import load_gateway_config

HOUR = 3_600_000


def poll(folder: Path, data: bytes | str, *, name: str = "a.csv", **more: str) -> Poll:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    (adapter,) = open_adapters(csv_gateway(folder, **more)).values()
    return adapter.poll(0)


def values(found: Poll) -> list[str | None]:
    return [None if item.value is None else str(item.value) for item in found.samples]


def refusal(found: Poll) -> str:
    assert not found.samples
    (only,) = found.refused
    return str(only)


# Files that are refused whole


def test_refuses_a_file_without_header_or_times(tmp_path):
    said = refusal(poll(tmp_path, "4.5878,1018.7,83.675\n4.2932,1018.3,84.235\n"))
    assert "line 1" in said
    assert "no column is called 'time'" in said
    assert "a file without header or times cannot be taken" in said


def test_refuses_the_turbine_files_that_have_neither_times_nor_header(shared_data, tmp_path):
    source = shared_data / "gas-turbine-turkey" / "gt_2011.csv.gz"
    assert "no column is called 'time'" in refusal(poll(tmp_path, source.read_bytes(), name="gt.csv.gz"))


def test_refuses_a_column_that_is_named_twice(tmp_path):
    assert "more than one column is called 'kWh'" in refusal(
        poll(tmp_path, "time,kWh,kWh\n2026-01-01 00:00,1,2\n")
    )


def test_refuses_a_file_with_a_byte_order_mark_unless_configured(tmp_path):
    data = "\ufefftime,kWh\n2026-01-01 00:00,1\n"
    assert 'set encoding = "utf-8-sig"' in refusal(poll(tmp_path, data))
    assert values(poll(tmp_path, data, csv='encoding = "utf-8-sig"')) == ["1"]


def test_refuses_a_gzip_file_that_was_cut_off(tmp_path):
    data = gzip.compress(b"time,kWh\n" + b"2026-01-01 00:00,1\n" * 5_000)
    assert "compression is broken or cut off" in refusal(poll(tmp_path, data[:-20], name="a.csv.gz"))


def test_refuses_a_decompression_bomb(tmp_path):
    data = gzip.compress(b"time,kWh\n" + b"x" * (4 << 20))
    said = refusal(poll(tmp_path, data, name="a.csv.gz", csv="max_plain_bytes = 1000000"))
    assert "holds more than 1000000 bytes once decompressed" in said


def test_refuses_too_large_a_file_and_too_many_rows(tmp_path):
    rows = "time,kWh\n" + "".join(f"2026-01-{day:02} 00:00,1\n" for day in range(1, 20))
    assert "is larger than 100 bytes" in refusal(poll(tmp_path, rows, csv="max_file_bytes = 100"))
    assert "has more than 5 rows" in refusal(poll(tmp_path, rows, csv="max_rows = 5"))


def test_refuses_a_file_of_empty_lines_packed_small(tmp_path):
    data = gzip.compress(b"time,kWh\n2026-01-01 00:00,1\n" + b"\n" * 1_000)
    assert "more than 500 lines" in refusal(poll(tmp_path, data, name="a.csv.gz", csv="max_rows = 50"))


def test_refuses_a_file_whose_rows_mostly_do_not_fit(tmp_path):
    rows = "time,kWh\n" + "yesterday,1\n" * 30
    assert "more than 20 rows cannot be read" in refusal(poll(tmp_path, rows, csv="max_set_aside = 20"))
    assert "no row of it fits the configuration; line 2 time 'yesterday'" in refusal(poll(tmp_path, rows))


def test_says_that_the_folder_is_not_there_rather_than_that_nothing_came(tmp_path):
    config = csv_gateway(tmp_path)
    gone = replace(config.sources[0], data_folder=tmp_path / "unmounted")
    (adapter,) = open_adapters(replace(config, sources=(gone,))).values()
    assert "is no folder" in refusal(adapter.poll(0))


def test_one_refused_file_does_not_stop_the_others(tmp_path):
    (tmp_path / "b.csv").write_text("time,kWh\n2026-01-01 00:00,7\n")
    found = poll(tmp_path, "nonsense")
    assert values(found) == ["7"]
    assert len(found.refused) == 1


# Rows that are set aside


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2026-01-01 01:00", "has 1 cells instead of 2"),
        (b"2026-01-01 01:00,2,3", "has 3 cells instead of 2"),
        (b"01/01/2026,2", "time '01/01/2026' is not %Y-%m-%d %H:%M"),
        (b"1969-12-31 01:00,2", "is outside 1970 to 9999"),
        (b"2026-01-01 01:00,\xff\xfe", "is not utf-8 at byte 18"),
        (b'2026-01-01 01:00,"2', "is quoted wrongly"),
        (b"2026-01-01 01:00," + b"9" * 5_000, "is longer than 4096 bytes"),
    ],
)
def test_sets_a_broken_row_aside_with_its_line_and_goes_on(tmp_path, row, reason):
    found = poll(tmp_path, b"time,kWh\n2026-01-01 00:00,1\n" + row + b"\n2026-01-01 02:00,3\n")
    assert values(found) == ["1", "3"]
    (aside,) = found.set_aside
    assert aside.line == 3
    assert reason in aside.reason
    first, last = (item.at for item in found.samples)
    assert (aside.after, aside.before) == (first, last)


@pytest.mark.parametrize("cell", ["abc", "1,5", "0x10", "1e999", "NaN", "inf", "--1", "1 2", "٣"])
def test_sets_a_cell_that_is_no_number_aside_and_keeps_the_others(tmp_path, cell):
    found = poll(tmp_path, f'time,kWh\n2026-01-01 00:00,"{cell}"\n2026-01-01 01:00,2\n')
    assert values(found) == ["2"]
    (aside,) = found.set_aside
    assert (aside.line, aside.points) == (2, ("energy",))


def test_sets_a_last_line_without_line_end_aside_because_it_may_be_cut_off(tmp_path):
    data = "time,kWh\n2026-01-01 00:00,1\n2026-01-01 01:00,12"
    found = poll(tmp_path, data)
    assert values(found) == ["1"]
    assert "may be cut off" in found.set_aside[0].reason
    assert values(poll(tmp_path, data, csv='last_line = "any"')) == ["1", "12"]


def test_an_empty_cell_is_a_bad_sample_without_value(tmp_path):
    (only,) = poll(tmp_path, "time,kWh\n2026-01-01 00:00,\n").samples
    assert (only.value, only.quality, only.source_status) == (None, "bad", "empty")


def test_a_row_out_of_order_is_kept_in_its_place_and_marked_uncertain(tmp_path):
    found = poll(tmp_path, "time,kWh\n2026-01-01 02:00,1\n2026-01-01 01:00,2\n2026-01-01 03:00,3\n")
    assert values(found) == ["1", "2", "3"]
    assert [item.quality for item in found.samples] == ["good", "uncertain", "good"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.text(alphabet="time,kWh\n20-1 :\"';\r\ufeff5.", max_size=200)))
def test_any_bytes_give_samples_set_aside_rows_or_a_refusal(tmp_path, data):
    found = poll(tmp_path, data)
    assert found.refused or found.samples or found.set_aside or found.files


# Conventions


def test_end_stamps_with_the_same_date_at_midnight_land_on_the_right_day(tmp_path):
    time = TIME.replace("interval_start", "interval_end") + 'day_end = "same_date"\n'
    found = poll(
        tmp_path, "time,kWh\n2026-01-01 23:00,1\n2026-01-01 00:00,2\n2026-01-02 01:00,3\n", time=time
    )
    assert [item.at for item in found.samples] == [
        parse_instant(text)
        for text in ("2026-01-01T14:00:00Z", "2026-01-01T15:00:00Z", "2026-01-01T16:00:00Z")
    ]
    assert {item.quality for item in found.samples} == {"good"}


def test_end_stamps_of_the_next_date_need_no_convention(tmp_path):
    time = TIME.replace("interval_start", "interval_end")
    found = poll(tmp_path, "time,kWh\n2026-01-02 00:00,2\n", time=time)
    assert found.samples[0].at == parse_instant("2026-01-01T15:00:00Z")


def test_decimal_comma_separator_and_thousands(tmp_path):
    csv = 'separator = ";"\ndecimal_separator = ","\ngroup_separator = "."'
    found = poll(tmp_path, "time;kWh\n2026-01-01 00:00;1.234,50\n", csv=csv)
    assert values(found) == ["1234.50"]


def test_a_dot_where_the_comma_is_the_separator_is_no_number(tmp_path):
    csv = 'separator = ";"\ndecimal_separator = ","'
    found = poll(tmp_path, "time;kWh\n2026-01-01 00:00;1.5\n2026-01-01 01:00;1,5\n", csv=csv)
    assert values(found) == ["1.5"]
    assert "has a dot" in found.set_aside[0].reason


def test_numbers_keep_every_digit_and_the_scale_is_exact(tmp_path):
    config = csv_gateway(tmp_path)
    path = tmp_path / "gateway.toml"
    path.write_text(path.read_text().replace('step = "1 h"', 'step = "1 h"\nscale = "0.001"'))
    (tmp_path / "a.csv").write_text("time,kWh\n2026-01-01 00:00,129.58920000000091\n")
    (adapter,) = open_adapters(load_gateway_config(path)).values()
    assert adapter.poll(0).samples[0].value == Decimal("0.12958920000000091")
    assert config.sources[0].meters[0].points[0].scale == 1


def test_newest_first_files_come_out_oldest_first(tmp_path):
    rows = "time,kWh\n2026-01-01 02:00,3\n2026-01-01 01:00,2\n2026-01-01 00:00,1\n"
    found = poll(tmp_path, rows, csv='order = "newest_first"')
    assert values(found) == ["1", "2", "3"]
    assert {item.quality for item in found.samples} == {"good"}


def test_files_come_in_the_order_of_their_times_not_of_their_names(tmp_path):
    (tmp_path / "z.csv").write_text("time,kWh\n2026-01-01 00:00,1\n")
    assert values(poll(tmp_path, "time,kWh\n2026-01-02 00:00,2\n")) == ["1", "2"]


def test_a_known_file_is_passed_over(tmp_path):
    found = poll(tmp_path, "time,kWh\n2026-01-01 00:00,1\n")
    (adapter,) = open_adapters(csv_gateway(tmp_path)).values()
    assert adapter.poll(0, known=[found.files[0].digest]).samples == []


def test_rows_of_other_meters_are_set_aside_or_ignored_by_configuration(tmp_path):
    rows = "name,time,kWh\nm-one,2026-01-01 00:00,1\nother,2026-01-01 00:00,9\n"
    found = poll(tmp_path, rows, csv='identity_column = "name"')
    assert (values(found), found.set_aside[0].line) == (["1"], 3)
    found = poll(tmp_path, rows, csv='identity_column = "name"\nother_meters = "ignore"')
    assert (values(found), found.set_aside) == (["1"], [])


# Daylight saving


SPRING = "time,kWh\n2026-03-08 01:00,1\n2026-03-08 02:00,2\n2026-03-08 03:00,3\n"
AUTUMN = "time,kWh\n2026-11-01 00:00,0\n2026-11-01 01:00,1\n2026-11-01 01:00,2\n2026-11-01 02:00,3\n"


def test_a_time_that_never_comes_is_set_aside_or_counted_on(tmp_path):
    found = poll(tmp_path, SPRING, zone="America/New_York")
    assert values(found) == ["1", "3"]
    assert "does not exist in America/New_York" in found.set_aside[0].reason
    found = poll(tmp_path, SPRING, zone="America/New_York", time=TIME + 'nonexistent = "shift_forward"\n')
    assert [item.at - found.samples[0].at for item in found.samples] == [0, HOUR, HOUR]


@pytest.mark.parametrize(
    ("rule", "hours"), [("by_order", [0, 1, 2, 3]), ("earlier", [0, 1, 1, 3]), ("later", [0, 2, 2, 3])]
)
def test_a_time_that_comes_twice_goes_by_the_named_rule(tmp_path, rule, hours):
    found = poll(tmp_path, AUTUMN, zone="America/New_York", time=TIME + f'ambiguous = "{rule}"\n')
    assert [(item.at - found.samples[0].at) // HOUR for item in found.samples] == hours


def test_a_time_that_comes_twice_is_set_aside_unless_a_rule_is_named(tmp_path):
    found = poll(tmp_path, AUTUMN, zone="America/New_York")
    assert values(found) == ["0", "3"]
    assert ["comes twice" in row.reason for row in found.set_aside] == [True, True]


@pytest.mark.parametrize("stamp", ["0001-01-01 00:00", "9999-12-31 00:00", "9999-12-31 23:00"])
@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
def test_a_stamp_at_the_end_of_the_calendar_is_set_aside_and_the_rest_goes_on(tmp_path, stamp, zone):
    time = TIME.replace('"interval_start"', '"interval_end"') + 'day_end = "same_date"\n'
    data = f"time,kWh\n2026-01-01 01:00,1\n{stamp},9\n2026-01-01 02:00,2\n"
    found = poll(tmp_path, data, zone=zone, time=time)
    assert "1" in values(found)
    assert "2" in values(found)


def test_a_name_that_is_no_text_is_shown_with_question_marks(tmp_path):
    name = b"\xff\x1b[2J.csv".decode("utf-8", "surrogateescape")
    found = poll(tmp_path, "time,kWh\n2026-01-01 00:00,1\n2026-01-01 01:00,x\n", name=name)
    assert [file.name for file in found.files] == ["??[2J.csv"]
    assert found.set_aside[0].file == "??[2J.csv"


def test_by_order_reads_a_newest_first_file_backwards(tmp_path):
    header, *rows = AUTUMN.strip().split("\n")
    data = "\n".join([header, *reversed(rows)]) + "\n"
    time = TIME + 'ambiguous = "by_order"\n'
    found = poll(tmp_path, data, zone="America/New_York", time=time, csv='order = "newest_first"')
    assert [(item.at - found.samples[0].at) // HOUR for item in found.samples] == [0, 1, 2, 3]
    assert values(found) == ["0", "1", "2", "3"]


# Real files


def example(repository_root: Path, shared_data: Path, name: str) -> Poll:
    config = load_gateway_config(
        repository_root / "docs" / "examples" / name / "gateway.toml",
        overrides={"gateway.data_folder": str(shared_data / name)},
    )
    (adapter,) = open_adapters(config).values()
    return adapter.poll(0)


def total(found: Poll, point: str) -> Decimal:
    return sum((item.value or Decimal(0) for item in found.samples if item.point == point), Decimal(0))


def test_steel_works_sum_to_the_last_digit_and_run_forward(repository_root, shared_data):
    found = example(repository_root, shared_data, "steel-daewoo")
    energy = [item for item in found.samples if item.point == "active_energy"]
    assert (len(energy), total(found, "active_energy"), total(found, "co2_mass")) == (
        17_376,
        Decimal("521199.76"),
        Decimal("220.83"),
    )
    assert (found.set_aside, found.refused) == ([], [])
    assert {item.quality for item in found.samples} == {"good"}
    first = parse_instant("2017-12-31T15:00:00Z")  # midnight in Seoul
    assert [item.at for item in energy] == [first + n * 900_000 for n in range(17_376)]


def test_building_has_two_meters_in_one_file(repository_root, shared_data):
    found = example(repository_root, shared_data, "gas-electricity-amsterdam")
    assert total(found, "gas_volume") == 76_254
    assert round(total(found, "active_energy"), 2) == Decimal("262643.68")
    assert len(found.samples) == 2 * 1_079


def test_server_export_gives_its_energy_and_sets_the_query_tools_lines_aside(repository_root, shared_data):
    found = example(repository_root, shared_data, "datacentre-servers")
    power = [item.at for item in found.samples if item.point == "mean_power"]
    assert len(power) == 15_277
    assert power == sorted(set(power))
    assert round(total(found, "mean_power") / 1000, 1) == Decimal("2257.4")
    assert [row.line for row in found.set_aside] == [15_280, 15_283]
    assert found.set_aside[0].text == "(15277 rows affected)"
