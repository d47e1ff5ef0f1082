"""`carbonseal-verifier grade` and `grades`: hostile inputs, exit codes, and the same bytes every time."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_verifier.cli import main
from carbonseal_verifier.grade_package import find_grade_rule, load_grade_rules

RULE = "CARBON-EFFICIENCY@1.0.0"
DOCUMENT = find_grade_rule(RULE).examples["examples/mid_green.json"]["input"]
ABSENT = object()
# The inputs that may name the statement they come from.
SUPPORTED = {"emissions", "value_added", "industry_mean", "data_code", "verification"}


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    *parents, last = path.split(".")
    place = document
    for key in parents:
        place = place[key]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return document


def grade(tmp_path, document, *arguments):
    path = tmp_path / "input.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return main(["grade", str(path), "--rule", RULE, *arguments])


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("surprise", "1", "input.surprise"),
        ("emissions.surprise", "1", "emissions.surprise"),
        ("verification.colour", "green", "verification.colour"),
        ("schema", "carbonseal-grade-input/2", "schema"),
        ("party", ABSENT, "input.party"),
        ("party", "../../register", "party"),
        ("party", "\ud800", "party"),
        ("as_of", "2027-03-01", "as_of"),
        ("as_of", 1_800_000_000_000, "as_of"),
        ("period", None, "period"),
        ("period.end", "2025-01-01T00:00:00Z", "period"),
        ("period.end", "2026-02-30T00:00:00Z", "period.end"),
        ("emissions.value", 521199.76, "bare number"),
        ("emissions.value", 521199, "emissions.value"),
        ("emissions.value", "5.2e5", "emissions.value"),
        ("emissions.value", "NaN", "emissions.value"),
        ("emissions.value", "521,199.76", "emissions.value"),
        ("emissions.value", "\uff15\uff12", "emissions.value"),
        ("emissions.value", "1" * 61, "emissions.value"),
        ("emissions.value", "-1", "emissions.value"),
        ("emissions.value", None, "emissions.value"),
        ("emissions.unit", "kg{CO2e}", "emissions.unit"),
        ("emissions.unit", ABSENT, "emissions.unit"),
        ("emissions.data_source", "estimated", "emissions.data_source"),
        ("value_added.unit", "CNY", "value_added.unit"),
        ("value_added.source", "", "value_added.source"),
        ("industry_mean.value", "0", "industry_mean.value"),
        ("industry_mean.value", "-2.5", "industry_mean.value"),
        ("industry_mean.source", ABSENT, "industry_mean.source"),
        ("industry_mean.source", "  ", "industry_mean.source"),
        ("industry_mean.source", "statistics\u202e2026", "industry_mean.source"),
        ("industry_mean.source", "x" * 401, "industry_mean.source"),
        ("emissions.statement", "AB" * 32, "emissions.statement"),
        ("verification.statement", 7, "verification.statement"),
        ("emissions.doubts", "1a" * 32, "emissions.doubts"),
        ("emissions.doubts", ["1A" * 32], "emissions.doubts[0]"),
        ("emissions.doubts", ["1a" * 32] * 2, "emissions.doubts"),
        ("emissions.left_out", ["Second Works"], "emissions.left_out[0]"),
        ("emissions.left_out", [f"i-works{n}" for n in range(501)], "emissions.left_out"),
        ("value_added.doubts", ["1a" * 32], "value_added.doubts"),
        ("verification.is_independent", None, "verification.is_independent"),
        ("verification.is_independent", 1, "verification.is_independent"),
        ("data_code.code", "GREEN", "data_code.code"),
        ("data_code", "green", "data_code"),
        ("open_findings", {}, "open_findings"),
        ("open_findings", [{"finding": "stuck@1", "severity": "fatal"}], "open_findings[0].severity"),
        ("open_findings", [{"finding": "a", "severity": "minor"}] * 2001, "open_findings"),
        ("verification.state", "approved", "verification.state"),
        ("verification.state", "none", "verification.opinion"),
        ("verification.opinion", None, "verification.opinion"),
        ("verification.body", None, "verification.body"),
        ("verification.level_of_assurance", "absolute", "verification.level_of_assurance"),
    ],
)
def test_refuses_a_malformed_input_with_one_line_that_names_the_field(tmp_path, capsys, path, value, field):
    assert grade(tmp_path, changed(path, value), "--json", "-") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert field in printed.err
    assert printed.err.count("\n") == 1
    assert "; " in printed.err


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"schema": 1, "schema": 2}',
        b'{"party": NaN}',
        b"[" * 100_000,
        b" " * 300_000,
        b"1" * 10_000,
        json.dumps({"k" * 200_000: "\x1b[2J\n"}).encode(),
    ],
)
def test_refuses_bytes_that_are_no_input_with_one_short_line(tmp_path, capsys, data):
    assert grade(tmp_path, data) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "\x1b" not in error
    assert len(error) < 600


@pytest.mark.parametrize(
    "rule", ["", "CARBON-EFFICIENCY", "CARBON-EFFICIENCY@9.9.9", "../../etc/passwd@1.0.0"]
)
def test_refuses_a_rule_that_is_not_published_and_names_those_that_are(tmp_path, capsys, rule):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(DOCUMENT))
    assert main(["grade", str(path), "--rule", rule]) == 2
    assert main(["grades", "show", rule]) == 2
    assert capsys.readouterr().err.count(RULE) == 2


def test_refuses_paths_that_cannot_be_read_or_written_rather_than_exit_1(tmp_path, capsys):
    assert main(["grade", str(tmp_path / "none.json"), "--rule", RULE]) == 2
    assert main(["grade", "a\0b", "--rule", RULE]) == 2
    assert grade(tmp_path, DOCUMENT, "--json", str(tmp_path)) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_exits_2_when_standard_output_is_full(tmp_path):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(DOCUMENT))
    with open("/dev/full", "wb") as full:  # noqa: PTH123  # a device, not a file of ours
        done = subprocess.run(
            [sys.executable, "-m", "carbonseal_verifier.cli", "grade", str(path), "--rule", RULE],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(DOCUMENT)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
))  # fmt: skip
def test_any_value_in_any_place_gives_an_exit_code_never_a_traceback(tmp_path, key, value):
    assert grade(tmp_path, {**DOCUMENT, key: value}, "--json", str(tmp_path / "out.json")) in {0, 1, 2}


def test_not_gradable_exits_1_and_says_so_with_reason_and_cure(tmp_path, capsys):
    assert grade(tmp_path, changed("data_code.code", "red"), "--lang", "zh") == 1
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == "低碳等级：不可评定"
    assert "数据红绿码为红色" in printed
    assert "→" in printed
    assert "非绿" not in printed
    assert "K =" not in printed


def test_graded_exits_0_even_when_the_grade_is_none(tmp_path, capsys):
    assert grade(tmp_path, changed("emissions.value", "9000000")) == 0
    assert capsys.readouterr().out.startswith("low-carbon grade: not green\n")


def test_json_has_sorted_keys_and_the_keys_that_were_promised(tmp_path, capsys):
    assert grade(tmp_path, DOCUMENT, "--json", "-") == 0
    text = capsys.readouterr().out
    made = json.loads(text)
    assert list(made) == sorted(made)
    promised = {"rule", "rule_digest", "grade", "gradable", "intensity", "ratio", "pcaf_score", "reasons"}
    assert promised | {"inputs_digest"} <= set(made)
    assert all({"code", "zh", "en"} == set(reason) for reason in made["reasons"])
    assert text == json.dumps(made, ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def test_output_is_the_same_bytes_in_file_and_stream_whatever_the_spelling_of_the_input(
    tmp_path, monkeypatch
):
    out = tmp_path / "out.json"
    backwards = dict(reversed(DOCUMENT.items()))
    grade(tmp_path, DOCUMENT, "--json", str(out))
    first = out.read_bytes()
    grade(tmp_path, json.dumps(backwards, indent=7).encode(), "--json", str(out))
    assert out.read_bytes() == first
    stream = io.TextIOWrapper(io.BytesIO(json.dumps(backwards).encode()))
    monkeypatch.setattr("sys.stdin", stream)
    assert main(["grade", "-", "--rule", RULE, "--json", str(out)]) == 0
    assert out.read_bytes() == first


def test_output_is_the_same_bytes_under_another_locale_and_hash_seed(tmp_path):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(DOCUMENT))
    command = [
        sys.executable,
        "-m",
        "carbonseal_verifier.cli",
        "grade",
        str(path),
        "--rule",
        RULE,
        "--json",
        "-",
    ]
    outputs = {
        subprocess.run(command, capture_output=True, check=True, env={**os.environ, **extra}).stdout
        for extra in (
            {"PYTHONHASHSEED": "1"},
            {
                "PYTHONHASHSEED": "2",
                "LC_ALL": "C",
                "PYTHONUTF8": "0",
                "PYTHONIOENCODING": "ascii",
                "TZ": "Asia/Tokyo",
            },
        )
    }
    assert len(outputs) == 1


def test_inputs_digest_is_sha256_of_the_input_in_its_one_spelling(tmp_path, capsys):
    figures = {name: {"statement": None, **part} for name, part in DOCUMENT.items() if name in SUPPORTED}
    figures["emissions"] |= {"doubts": [], "left_out": []}
    figures["value_added"] |= {"replaced": []}
    figures["verification"] |= {"is_independent": True}
    spelled = json.dumps({**DOCUMENT, **figures}, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    for document in (DOCUMENT, spelled.encode()):
        grade(tmp_path, document, "--json", "-")
        made = json.loads(capsys.readouterr().out)
        assert made["inputs_digest"] == hashlib.sha256(spelled.encode()).hexdigest()


def test_inputs_digest_covers_the_statement_that_a_figure_names(tmp_path, capsys):
    digests = set()
    for statement in (None, "0" * 64, "1" * 64):
        grade(tmp_path, changed("emissions.statement", statement), "--json", "-")
        digests.add(json.loads(capsys.readouterr().out)["inputs_digest"])
    assert len(digests) == 3


def test_grades_list_is_one_line_a_rule_with_name_and_digest_first(capsys):
    assert main(["grades", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        [rule.name, rule.digest.hex()] for rule in load_grade_rules().values()
    ]


def test_grades_show_gives_limits_reasons_and_cures_in_both_languages(capsys):
    assert main(["grades", "show", RULE]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["ratio_at_most"] for row in shown["grades"]] == ["0.6", "0.8", "1.2", None]
    assert set(shown["not_gradable"]["reasons"]["data-code-red"]["cure"]) == {"zh", "en"}


def test_example_of_the_docs_prints_what_the_docs_show(tmp_path, capsys):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "grade-offline.md").read_text("utf-8")
    (document,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    shown = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0]
    assert grade(tmp_path, document.encode()) == 0
    assert capsys.readouterr().out == shown
