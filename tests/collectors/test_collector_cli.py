from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from gateways import csv_gateway
from log_server import LogServer

from carbonseal_collectors.cli import main
from carbonseal_collectors.gateway_config import load_gateway_config


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
    assert main(["run", str(gateway), "--once"]) == 0
    assert "nothing new (files)\n" in capsys.readouterr().out
    assert main(["spool", "status", str(gateway), "--metrics"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert 'carbonseal_spool_statements{gateway="d-gateway",state="logged"} 2' in shown
    assert 'carbonseal_spool_waiting_age_seconds{gateway="d-gateway"} 0.000' in shown
    assert 'carbonseal_spool_problems{gateway="d-gateway"} 0' in shown
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
        ("plant", "1 source, 7 meters, 20 points"),
        ("steel-daewoo", "1 source, 1 meter, 6 points"),
        ("gas-electricity-amsterdam", "1 source, 2 meters, 2 points"),
        ("datacentre-servers", "1 source, 1 meter, 3 points"),
        ("production", "1 source, 1 meter, 1 point"),
    ],
)
def test_every_example_passes_check(repository_root, capsys, name, said):
    path = repository_root / "docs" / "examples" / name / "gateway.toml"
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f": {said}\n" in shown
    assert "not yet: uplink.log_key: is not set; carbonseal enrol prints it" in shown


def test_a_whole_file_and_environment_lack_nothing(gateway, capsys):
    uplink = f'[uplink]\nledger_url = "http://127.0.0.1:1"\nlog_key = "{"0a" * 32}"'
    gateway.write_text(gateway.read_text().replace("[uplink]", uplink))
    assert main(["check", str(gateway)]) == 0
    assert "not yet" not in capsys.readouterr().out


def test_offline_without_once_is_refused(gateway, capsys):
    assert main(["run", str(gateway), "--offline"]) == 2
    assert "--offline: is for one round only" in one_line(capsys)


def test_a_passphrase_variable_that_is_not_set_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("NO_SUCH_PASSPHRASE", raising=False)
    command = ["key", "new", str(tmp_path / "gateway.key"), "--passphrase-env", "NO_SUCH_PASSPHRASE"]
    assert main(command) == 2
    assert "the environment has no NO_SUCH_PASSPHRASE" in one_line(capsys)
    assert not (tmp_path / "gateway.key").exists()


def test_a_ledger_that_is_not_there_is_named_with_its_address_and_without_its_password(gateway, capsys):
    uplink = f'[uplink]\nledger_url = "http://user:secret@127.0.0.1:1"\nlog_key = "{"0a" * 32}"'
    gateway.write_text(gateway.read_text().replace("[uplink]", uplink))
    assert main(["run", str(gateway), "--once"]) == 1
    said = one_line(capsys)
    assert "ConnectError at http://127.0.0.1:1" in said
    assert "secret" not in said


def test_good_and_bad_samples_are_counted_for_each_source(gateway, capsys):
    assert main(["run", str(gateway), "--once", "--offline"]) == 0
    assert "samples 48 good, 0 bad (files)\n" in capsys.readouterr().out


def test_a_file_of_broken_rows_alone_exits_1(gateway, capsys):
    gateway.with_name("a.csv").write_text("time,kWh\n2026-01-01 00:00,x\n2026-01-01 01:00,y\n")
    assert main(["run", str(gateway), "--once", "--offline"]) == 1
    assert "set aside 2" in capsys.readouterr().out


@pytest.fixture
def plant(repository_root, tmp_path, monkeypatch, capsys) -> list[str]:
    """The start of a command line on the plant's gateway file, at a port where nothing listens."""
    monkeypatch.setenv("CARBONSEAL_GATEWAY_PASSPHRASE", "correct horse")
    key = tmp_path / "gateway.key"
    assert main(["key", "new", str(key), "--passphrase-env", "CARBONSEAL_GATEWAY_PASSPHRASE"]) == 0
    capsys.readouterr()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    values = {
        "gateway.key_file": key,
        "gateway.spool_folder": tmp_path / "spool",
        "sources.plant.modbus.port": port,
    }
    file = repository_root / "docs" / "examples" / "plant" / "gateway.toml"
    return ["run", str(file), *(word for k, v in values.items() for word in ("--set", f"{k}={v}"))]


def test_a_dead_meter_is_said_with_its_address_and_exits_1(plant, capsys):
    port = plant[-1].partition("=")[2]
    assert main([*plant, "--once", "--offline"]) == 1
    shown = capsys.readouterr()
    assert f"samples 0 good, 20 bad (plant: 127.0.0.1:{port} does not answer)\n" in shown.out
    assert shown.err == ""


def test_pymodbus_itself_says_nothing_unless_somebody_debugs(plant):
    command = [sys.executable, "-m", "carbonseal_collectors.cli", *plant, "--once", "--offline"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_running_gateway_says_each_round_how_its_source_is(plant):
    uplink = ["--set", f"uplink.log_key={'0a' * 32}", "--set", "uplink.ledger_url=http://127.0.0.1:1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "carbonseal_collectors.cli", *plant, *uplink],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = [process.stdout.readline()]
        while "samples" not in said[-1]:
            assert said[-1], said
            said.append(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert re.match(r"\d{4}-\S+Z samples 0 good, 20 bad \(plant: \S+ does not answer\)", said[-1])
    assert process.returncode == 0


def test_the_simulated_plant_answers_a_gateway_until_it_is_stopped(repository_root, plant, capsys):
    registers = repository_root / "docs" / "examples" / "plant" / "registers.toml"
    process = subprocess.Popen(
        [sys.executable, "-m", "carbonseal_collectors.cli", "simulate", "--port", "0", "--map", registers],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[1]
        assert main([*plant[:-1], f"sources.plant.modbus.port={port}", "--once", "--offline"]) == 0
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert "samples 20 good, 0 bad (plant)" in capsys.readouterr().out
    assert process.returncode == 0


def test_a_port_that_cannot_be_listened_on_is_refused_in_one_line(repository_root, capsys):
    registers = repository_root / "docs" / "examples" / "plant" / "registers.toml"
    assert main(["simulate", "--port", "99999", "--map", str(registers)]) == 2
    assert "plant.port: cannot be listened on" in one_line(capsys)


def test_the_sample_day_is_read_whole_by_its_example(repository_root, tmp_path, plant, capsys):
    example = repository_root / "docs" / "examples" / "steel-daewoo"
    for name in ("gateway.toml", "plan.toml", "sample.csv"):
        (tmp_path / name).write_bytes((example / name).read_bytes())
    assert main(["run", str(tmp_path / "gateway.toml"), "--once", "--offline"]) == 0
    shown = capsys.readouterr().out
    assert (
        "samples 576 good, 0 bad (meter-export)\nknown 0, set aside 0\nsealed 1 reading and 0 gaps" in shown
    )


def test_the_unit_and_the_production_example_name_the_same_places(repository_root):
    unit = (repository_root / "infra/systemd/carbonseal-collector@.service").read_text("utf-8")
    file = repository_root / "docs/examples/production/gateway.toml"
    config = load_gateway_config(file)
    settings = re.findall(r"^(\w+)=(.*)$", unit.replace("%i", "site-a"), re.MULTILINE)
    assert ("StateDirectory", "carbonseal-collector/site-a") in settings
    assert str(config.spool_folder) == "/var/lib/carbonseal-collector/site-a"
    credential = dict(settings)["LoadCredentialEncrypted"].partition(":")[0]
    unit_name = "carbonseal-collector@site-a.service"
    assert str(config.passphrase_file) == f"/run/credentials/{unit_name}/{credential}"
