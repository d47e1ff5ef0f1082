"""The command without a server: lists, templates, results, and one line for whatever is wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from carbonseal_accounting.cli import main
from carbonseal_accounting.method import load_methods

GBT = "GBT32150-2015@1.0.0"


def run(capfdbinary, *arguments):
    code = main(list(arguments))
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def filled(method=GBT):
    """A template filled as a user would: every open text replaced by kind of place."""

    def fill(value, name=""):
        if isinstance(value, dict):
            return {key: fill(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, str) and value.startswith("FILL IN"):
            return {
                "start": "2026-01-01",
                "end": "2026-02-01",
                "region": "CN-SH",
                "year": 2025,
                "source": "lab",
            }.get(name, "100")
        return value

    from carbonseal_accounting.stated import make_template

    return fill(make_template(load_methods()[method]))


def written(tmp_path, document):
    path = tmp_path / "input.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return str(path)


def refusal(capfdbinary, tmp_path, document, method=GBT):
    code, out, err = run(capfdbinary, "compute", method, written(tmp_path, document))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "; " in err
    return err


def changed(path, value):
    document = filled()
    at = document
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


def test_list_has_one_line_a_method_and_no_header(capfdbinary):
    code, out, _ = run(capfdbinary, "methods", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [GBT, "GHGP-CORP-S12@1.0.0"]


@pytest.mark.parametrize("method", sorted(load_methods()))
def test_template_is_refused_until_filled_and_then_computes(capfdbinary, tmp_path, method):
    target = tmp_path / "t.json"
    assert run(capfdbinary, "template", method, "-o", str(target))[0] == 0
    template = json.loads(target.read_text(encoding="utf-8"))
    assert refusal(capfdbinary, tmp_path, template, method).startswith("period.start: not filled in; ")
    code, out, _ = run(capfdbinary, "compute", method, written(tmp_path, filled(method)), "--json")
    result = json.loads(out)
    assert code == 0
    assert out.count("\n") == 1
    assert set(result["total"]) >= {"value", "unit"}
    assert set(result["by_stream"]) == {row["id"] for row in template["streams"]}
    assert result["trace"]["figures"]


@pytest.mark.parametrize(
    ("path", "value", "begins"),
    [
        (["streams", 3, "activity", "value"], "FILL IN: amount", "streams[3].activity.value: not filled in"),
        (["streams", 3, "activity", "value"], "-5", None),
        (["streams", 0, "activity", "value"], "-5", "streams[0].activity.value: negative"),
        (
            ["streams", 0, "activity", "value"],
            "12,5",
            "streams[0].activity.value: '12,5' is not a plain decimal",
        ),
        (["streams", 0, "activity", "value"], None, "streams[0].activity.value: missing"),
        (
            ["streams", 0, "activity", "unit"],
            "tonn",
            "streams[0].activity.unit: unknown unit 'tonn'; the nearest known is t",
        ),
        (["streams", 0, "activity", "unit"], "MWh", "streams[0].activity.unit: MWh cannot be read as t"),
        (
            ["streams", 0, "type"],
            "magic",
            "streams[0].type: GBT32150-2015@1.0.0 has no source stream type 'magic'",
        ),
        (
            ["streams", 0, "factors", "ncv", "key"],
            "x",
            "streams[0].factors.ncv.key: CN-FUELS@1.0.0 has no factor 'x'",
        ),
        (
            ["streams", 0, "factors", "ncv", "key"],
            "NDRC-2015.diesel.oxidation",
            "streams[0].factors.ncv: CN-FUELS@1.0.0 NDRC-2015.diesel.oxidation is of kind oxidation_factor",
        ),
        (
            ["streams", 3, "factors", "grid_factor", "key"],
            "CN.life_cycle.grid.2023",
            "streams[3].factors.grid_factor: CN-GRID@1.0.0 CN.life_cycle.grid.2023 is of kind life_cycle",
        ),
        (
            ["streams", 3, "factors", "grid_factor", "key"],
            "CN.location_average.2021",
            "streams[3].factors.grid_factor: CN-GRID@1.0.0 CN.location_average.2021 is of 2021",
        ),
        (["streams", 3, "factors", "grid_factor"], None, "streams[3].factors.grid_factor: the plan gives no"),
        (["streams", 1, "id"], "fuel-combustion", "streams[1].id: 'fuel-combustion' stands twice"),
        (["streams"], [], "streams: not a list of 1 to 1000"),
        (["period", "end"], "2025-01-01", "period.end: not after the start"),
        (["period", "time_zone"], "Mars/Olympus", "time_zone: unknown time zone"),
        (["period"], None, "input.period: missing"),
        (["extra"], 1, "input.extra: unknown key"),
        (["method"], "GHGP-CORP-S12@1.0.0", "method: the input is for GHGP-CORP-S12@1.0.0"),
    ],
)
def test_bad_input_gets_one_line_with_field_reason_and_remedy(capfdbinary, tmp_path, path, value, begins):
    if begins is None:  # net purchases may be negative: more sold than bought
        assert run(capfdbinary, "compute", GBT, written(tmp_path, changed(path, value)))[0] == 0
        return
    assert refusal(capfdbinary, tmp_path, changed(path, value)).startswith(begins)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "input line 1 column 2: not JSON"),
        ("[]", "input: not an object"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": 1, "a": 2}', "a: stands twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"method": "\\u0000\\n"}', "method: the input is for"),
        (" " * (4 << 20) + "{}", "over 4194304 bytes"),
    ],
)
def test_malformed_json_is_refused_in_one_line(capfdbinary, tmp_path, text, reason):
    assert reason in refusal(capfdbinary, tmp_path, text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["compute", GBT, "no-such.json"],
        ["compute", "X@1.0.0", "x"],
        ["template", "X"],
        ["methods", "show", "GBT"],
    ],
)
def test_unknown_file_or_method_is_refused(capfdbinary, arguments):
    code, out, err = run(capfdbinary, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_template_never_overwrites(capfdbinary, tmp_path):
    path = tmp_path / "input.json"
    path.write_text("mine", encoding="utf-8")
    assert run(capfdbinary, "template", GBT, "-o", str(path))[0] == 2
    assert path.read_text(encoding="utf-8") == "mine"


def test_json_numbers_keep_their_digits(capfdbinary, tmp_path):
    document = json.dumps(filled()).replace(
        '"value": "100", "unit": "MWh"', '"value": 0.1000000000000000055511151231257827, "unit": "MWh"'
    )
    _, out, _ = run(capfdbinary, "compute", GBT, written(tmp_path, document))
    amounts = [row["activity"]["value"] for row in json.loads(out)["by_stream"].values()]
    assert "0.1000000000000000055511151231257827" in amounts


def test_reads_standard_input(capfdbinary, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(filled()).encode())))
    assert run(capfdbinary, "compute", GBT, "-")[0] == 0


def test_show_prints_equations_in_both_forms(capfdbinary):
    _, text, _ = run(capfdbinary, "methods", "show", GBT)
    assert "heat * carbon_content * oxidation * molar_co2 / molar_c" in text
    _, shown, _ = run(capfdbinary, "methods", "show", GBT, "--json")
    assert (
        json.loads(shown)["stream_types"]["purchased_electricity"]["parameters"]["grid_factor"]["unit"]
        == "tCO2/MWh"
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["compute", "--help"], ["template", "--help"], ["methods", "show", "--help"]]
)
def test_help_shows_an_example(capfdbinary, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "example" in capfdbinary.readouterr()[0].decode()


def test_factors_are_listed_with_value_unit_and_certainty(capfdbinary):
    _, sets, _ = run(capfdbinary, "factors")
    assert "CN-GRID@1.0.0" in [line.split()[0] for line in sets.splitlines()]
    _, lines, _ = run(capfdbinary, "factors", "CN-GRID@1.0.0", "--kind", "residual")
    assert "CN.residual.2023  0.6096 tCO2/MWh  residual  verified" in lines
    _, shown, _ = run(capfdbinary, "factors", "CN-HEAT@1.0.0", "--json")
    assert json.loads(shown)[0]["value"] == "0.11"
    assert run(capfdbinary, "factors", "CN-GRID@1.0.0", "--kind", "magic")[0] == 2
    assert run(capfdbinary, "factors", "X@1.0.0")[0] == 2


def test_bad_usage_exits_2():
    with pytest.raises(SystemExit) as stopped:
        main(["compute"])
    assert stopped.value.code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_says_in_one_line_that_the_output_cannot_be_written():
    command = [sys.executable, "-m", "carbonseal_accounting.cli", "methods", "list"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
