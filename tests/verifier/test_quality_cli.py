"""`carbonseal-verifier rules` and `quality`: exit codes, JSON, and what bad input gets."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_verifier.cli import main


def write(path, values, step_minutes=15, extra=None, header="time,value"):
    lines = [header]
    for i, value in enumerate(values):
        minutes = i * step_minutes
        stamp = f"2026-01-{1 + minutes // 1440:02d}T{minutes % 1440 // 60:02d}:{minutes % 60:02d}:00"
        lines.append(f"{stamp},{value}" + (f",{extra[i]}" if extra else ""))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


WAVE = [f"{10 + i % 7}.{i % 10}" for i in range(192)]


def test_rules_list_is_one_line_a_rule_with_id_and_version_first(capsys):
    assert main(["rules", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 20
    assert all("@" in line.split()[0] for line in lines)


def test_rules_show_and_explain_name_parameters_with_reasons(capsys):
    assert main(["rules", "show", "stuck"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["min_run"]["default"] == 16
    assert main(["rules", "explain", "stuck", "--lang", "zh"]) == 0
    assert "读数停滞" in capsys.readouterr().out


def test_rules_show_refuses_an_unknown_rule_with_one_line(capsys):
    assert main(["rules", "show", "nonsense"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_quality_is_green_for_an_ordinary_series(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["quality", write(tmp_path / "a.csv", WAVE), "--json", str(out)]) == 0
    assert json.loads(out.read_text())["code"] == "green"


def test_quality_is_red_for_a_constant_fill_and_says_where(tmp_path, capsys):
    values = [*WAVE[:40], *["13.7"] * 20, *WAVE[60:]]
    out = tmp_path / "out.json"
    assert main(["quality", write(tmp_path / "a.csv", values), "--json", str(out)]) == 1
    (found,) = json.loads(out.read_text())["findings"]
    assert set(found) >= {"rule", "severity", "start", "end", "expected", "observed"}
    assert (found["start"], found["end"]) == ("2026-01-01T10:00:00Z", "2026-01-01T15:00:00Z")


def test_quality_reads_stamps_without_offset_in_the_zone_given(tmp_path, capsys):
    values = [*WAVE[:40], *["13.7"] * 20, *WAVE[60:]]
    main(["quality", write(tmp_path / "a.csv", values), "--time-zone", "Asia/Shanghai", "--json", "-"])
    assert json.loads(capsys.readouterr().out)["findings"][0]["start"] == "2026-01-01T02:00:00Z"


def test_quality_tells_a_register_and_finds_it_turned_back(tmp_path, capsys):
    values = [1000 + 5 * i for i in range(100)] + [1200 + 5 * i for i in range(92)]
    assert main(["quality", write(tmp_path / "a.csv", values), "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["rule"] == "negative-step@1"


def test_quality_compares_a_reference_column(tmp_path, capsys):
    reference = [*WAVE[:100], "99.0", *WAVE[101:]]
    path = write(tmp_path / "a.csv", WAVE, extra=reference, header="time,value,reference")
    assert main(["quality", path, "--json", "-"]) == 1
    rules = {f["rule"] for f in json.loads(capsys.readouterr().out)["findings"]}
    assert "two-sources-disagree@1" in rules


BARE = {"calibration-missing@1", "calibration-expired@1", "withdrawn-key@1", "over-capacity@1",
        "negative-step@1", "unlike-plan@1", "declared-gap@1", "sequence-break@1", "commit-delay@1",
        "late-share@1", "substituted-share@1", "clock-offset@1", "two-sources-disagree@1",
        "two-sources-total@1",
        "sub-meter-sum@1", "power-factor@1", "negative-amount@1",
        "corrected-readings@1", "corrected-share@1", "second-successor@1", "declared-vs-metered@1",
        "declared-not-comparable@1", "document-missing@1", "downgraded@1"}  # fmt: skip


def test_quality_calls_no_rule_passed_that_did_not_run(tmp_path, capsys):
    main(["quality", write(tmp_path / "a.csv", WAVE), "--json", "-"])
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert {name for name, outcome in rules.items() if outcome == "not_applicable"} == BARE
    assert {outcome for name, outcome in rules.items() if name not in BARE} == {"passed"}


def test_quality_lists_which_rules_ran_and_why_the_others_did_not(tmp_path, capsys):
    main(["quality", write(tmp_path / "a.csv", WAVE[:40])])
    lines = capsys.readouterr().out.splitlines()
    (ran,) = [line for line in lines if line.startswith("rules that ran (")]
    assert "stuck@1" in ran
    assert "spike@1" not in ran
    (spike,) = [line.split(None, 1) for line in lines if line.startswith("  spike@1")]
    assert spike[1] == "usable readings: 40, at least 48 are needed"
    main(["quality", write(tmp_path / "a.csv", WAVE[:40]), "--lang", "zh"])
    assert "可用读数 40 个，至少需要 48 个" in capsys.readouterr().out


@pytest.mark.parametrize("unit", ["kW.h", "kWh", "GJ", "t", "m3", "Nm3", "t{CO2}"])
def test_quality_finds_one_negative_amount_in_a_unit_of_energy_mass_or_volume(tmp_path, capsys, unit):
    values = [*WAVE[:100], "-300", *WAVE[101:]]
    path = write(tmp_path / "a.csv", values, extra=[unit] * 192, header="time,value,unit")
    assert main(["quality", path, "--json", "-"]) == 1
    found = {f["rule"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert "-300" in found["negative-amount@1"]["observed"]


@pytest.mark.parametrize("unit", ["kW", "Cel", "kvarh", "1", "apples"])
def test_quality_leaves_signs_alone_where_a_quantity_may_have_one(tmp_path, capsys, unit):
    values = [f"{-1 if i % 3 else 1}{i % 10}" for i in range(192)]
    path = write(tmp_path / "a.csv", values, extra=[unit] * 192, header="time,value,unit")
    main(["quality", path, "--json", "-"])
    assert json.loads(capsys.readouterr().out)["rules"]["negative-amount@1"] == "not_applicable"


def test_quality_counts_rows_of_bad_status_as_missing(tmp_path, capsys):
    status = ["bad"] * 30 + ["good"] * 162
    path = write(tmp_path / "a.csv", WAVE, extra=status, header="time,value,status")
    assert main(["quality", path, "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["figures"]["missing"] == "30"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "header"),
        ("when,what\n", "header"),
        ("time,value,price\n", "header"),
        ("time,value\n2026-01-01T00:00:00Z,1\n", "fewer than two"),
        ("time,value\n2026-01-01T00:00:00Z,1\nyesterday,2\n", "line 3"),
        ("time,value\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,many\n", "line 3"),
        ("time,value\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,1e999999999\n", "line 3"),
        ("time,value\n2026-01-01T00:00:00Z,1,2\n", "line 2"),
        ("time,value,unit\n2026-01-01T00:00:00Z,1,kWh\n2026-01-01T01:00:00Z,1,MWh\n", "line 3"),
        ("time,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:00Z,1\n", "rising time"),
    ],
)
def test_quality_refuses_bad_input_with_one_line_that_names_the_place(tmp_path, capsys, text, place):
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert main(["quality", str(path)]) == 2
    error = capsys.readouterr().err
    assert place in error
    assert error.count("\n") == 1


def test_quality_refuses_a_missing_file_an_unknown_zone_and_a_broken_profile(tmp_path, capsys):
    good = write(tmp_path / "a.csv", WAVE)
    bad = tmp_path / "p.toml"
    bad.write_text("surprise = 1")
    assert main(["quality", str(tmp_path / "none.csv")]) == 2
    assert main(["quality", good, "--time-zone", "Mars/Olympus"]) == 2
    assert main(["quality", good, "--time-zone", "../../etc/passwd"]) == 2
    assert main(["quality", good, "--profile", str(bad)]) == 2
    assert main(["quality", good, "--profile", str(tmp_path / "none.toml")]) == 2


def test_quality_says_in_words_that_a_file_is_not_there_or_no_text(tmp_path, capsys):
    picture = tmp_path / "meter.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    cases = ((tmp_path / "nowhere.csv", "there is no such file"), (tmp_path, "it is a directory"),
             (picture, "is not text in UTF-8"))  # fmt: skip
    for path, words in cases:
        assert main(["quality", str(path)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("carbonseal-verifier: series: ")
        assert words in error
        assert "; " in error
        assert "Errno" not in error
        assert error.count("\n") == 1


def test_quality_refuses_a_result_path_before_it_reads_the_series(tmp_path, capsys):
    assert (
        main(["quality", str(tmp_path / "nowhere.csv"), "--json", str(tmp_path / "none" / "out.json")]) == 2
    )
    assert "--json" in capsys.readouterr().err


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_after_the_header_give_an_exit_code_never_a_traceback(tmp_path, data):
    path = tmp_path / "a.csv"
    path.write_bytes(b"time,value\n2026-01-01T00:00:00Z,1\n" + data)
    assert main(["quality", str(path)]) in {0, 1, 2}


def test_quality_refuses_a_line_without_end_before_it_fills_the_memory(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(b"time,value\n" + bytes(2_000_000))
    assert main(["quality", str(path)]) == 2
    assert "line 2: longer than" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["1_000", "\u0661\u0662", "\uff11"])
def test_quality_takes_no_digits_that_only_a_programming_language_reads(tmp_path, capsys, value):
    assert main(["quality", write(tmp_path / "a.csv", [*WAVE, value])]) == 2
    assert "is not a number" in capsys.readouterr().err


def test_quality_exits_2_when_its_result_cannot_be_written(tmp_path, capsys):
    series = write(tmp_path / "a.csv", WAVE)
    assert main(["quality", series, "--json", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
