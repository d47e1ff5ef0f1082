from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from gateways import csv_gateway
from log_server import LogServer

from carbonseal_collectors.cli import main


@pytest.fixture
def gateway(tmp_path, monkeypatch, capsys) -> Path:
    """A gateway file with a key and two days of data."""
    monkeypatch.setenv("TEST_PASSPHRASE", "correct horse")
    csv_gateway(tmp_path)
    rows = "".join(f"2026-01-{1 + n // 24:02} {n % 24:02}:00,1\n" for n in range(48))
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows)
    assert main(["key", "new", str(tmp_path / "gateway.key"), "--passphrase-env", "TEST_PASSPHRASE"]) == 0
    capsys.readouterr()
    return tmp_path / "gateway.toml"


def one_line(capsys) -> str:
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err


def test_an_unknown_key_exits_2_with_one_line_naming_place_and_remedy(gateway, capsys):
    gateway.write_text(gateway.read_text().replace("[uplink]", "[uplink]\nledger_uri = 1"))
    for command in (
        ["check", str(gateway)],
        ["run", str(gateway), "--once"],
        ["spool", "status", str(gateway)],
    ):
        assert main(command) == 2
        assert re.search(
            r"gateway\.toml: uplink\.ledger_uri: is not a known key; .*ledger_url", one_line(capsys)
        )


def test_a_missing_file_and_a_wrong_passphrase_exit_2(gateway, capsys, monkeypatch):
    assert main(["check", str(gateway.with_name("none.toml"))]) == 2
    assert "cannot be read" in one_line(capsys)
    monkeypatch.setenv("TEST_PASSPHRASE", "wrong")
    assert main(["run", str(gateway), "--once"]) == 2
    assert "does not open the key file" in one_line(capsys)


def test_bad_usage_exits_2(capsys):
    for command in ([], ["fly"], ["run"], ["key", "new"]):
        with pytest.raises(SystemExit, match="2"):
            main(command)
    capsys.readouterr()


def test_a_value_set_without_an_equals_sign_exits_2(gateway, capsys):
    assert main(["check", str(gateway), "--set", "gateway.party"]) == 2
    assert "write KEY=VALUE" in capsys.readouterr().err


def test_help_shows_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "carbonseal-collector run gateway.toml --once --json" in shown
    assert "exit codes: 0 done" in shown


def test_a_refused_data_file_exits_2_while_the_rest_is_sealed(gateway, capsys):
    gateway.with_name("b.csv").write_text("1,2,3\n4,5,6\n")
    assert main(["run", str(gateway), "--once", "--offline", "--json"]) == 2
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert "b.csv: line 1: no column is called 'time'" in shown.err
    assert (result["readings"], result["statements"]["queued"]) == (2, 2)


def test_one_round_offline_then_online_then_nothing_new(gateway, capsys, log_server: LogServer):
    assert main(["run", str(gateway), "--once", "--offline"]) == 0
    assert "sealed 2 readings and 0 gaps" in capsys.readouterr().out
    uplink = f'[uplink]\nledger_url = "{log_server.url}"\nlog_key = "{log_server.key.public.raw.hex()}"'
    gateway.write_text(gateway.read_text().replace("[uplink]", uplink))
    assert main(["run", str(gateway), "--once", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["samples"], result["logged"], result["receipts"]) == ({"files": 0}, 2, 2)
    assert main(["spool", "status", str(gateway), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["statements"]["logged"] == 2
    assert main(["spool", "status", str(gateway)]) == 0
    assert "m-one sealed until 2026-01-02T16:00:00Z" in capsys.readouterr().out


def test_a_ledger_that_is_not_there_exits_1_and_keeps_everything(gateway, capsys):
    uplink = f'[uplink]\nledger_url = "http://127.0.0.1:1"\nlog_key = "{"0a" * 32}"'
    gateway.write_text(gateway.read_text().replace("[uplink]", uplink))
    assert main(["run", str(gateway), "--once"]) == 1
    assert "uplink: POST" in one_line(capsys)


def test_an_uplink_without_log_key_exits_2(gateway, capsys):
    assert main(["run", str(gateway), "--once"]) == 2
    assert "uplink.ledger_url: is not set" in one_line(capsys)


def test_values_may_be_set_from_outside(gateway, capsys, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.csv").write_text("time,kWh\n2026-01-01 00:00,1\n")
    command = ["run", str(gateway), "--once", "--offline", "--json", "--set", "gateway.data_folder=other"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [{"name": "x.csv", "rows": 1}]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("plant", "1 sources, 7 meters, 20 points"),
        ("steel-daewoo", "1 sources, 1 meters, 6 points"),
        ("gas-electricity-amsterdam", "1 sources, 2 meters, 2 points"),
        ("datacentre-servers", "1 sources, 1 meters, 3 points"),
    ],
)
def test_every_example_passes_check(repository_root, capsys, name, said):
    path = repository_root / "docs" / "examples" / name / "gateway.toml"
    assert main(["check", str(path)]) == 0
    assert said in capsys.readouterr().out
