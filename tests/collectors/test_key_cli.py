"""Requests that a gateway makes: the line its party takes, and a rotation that leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from gateways import csv_gateway
from log_server import LogServer

from carbonseal_attest.identity.device_requests import read_requests
from carbonseal_attest.identity.devices import DeviceKeys
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.cli import main
from carbonseal_collectors.gateway_config import load_gateway_config
from carbonseal_collectors.sealing import load_signer
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.spool_lock import SpoolLock

PASSPHRASE = "TEST_PASSPHRASE"


@pytest.fixture
def gateway(tmp_path, monkeypatch, log_server: LogServer) -> Path:
    """A gateway file with a key, another key beside it, and a day of data."""
    monkeypatch.setenv(PASSPHRASE, "correct horse")
    uplink = f'ledger_url = "{log_server.url}"\nlog_key = "{log_server.key.public.text()}"'
    csv_gateway(tmp_path, uplink=uplink)
    rows = "".join(f"2026-01-01 {hour:02}:00,1\n" for hour in range(24))
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows)
    for name in ("gateway.key", "next.key"):
        assert main(["key", "new", str(tmp_path / name), "--passphrase-env", PASSPHRASE]) == 0
    return tmp_path / "gateway.toml"


def request(capsys, *arguments: str) -> dict:
    capsys.readouterr()
    assert main(["key", *arguments]) == 0
    (found,) = read_requests(capsys.readouterr().out.splitlines(keepends=True))
    assert found.problem is None
    return found.body


def refused(capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert main(["key", *arguments]) == 2
    return capsys.readouterr().err


def test_refuses_a_rotation_while_statements_of_the_old_key_wait(gateway, capsys):
    assert main(["run", str(gateway), "--once", "--offline"]) == 0
    said = refused(capsys, "rotate", str(gateway), "--new", str(gateway.with_name("next.key")))
    assert "1 statement signed with the old key not delivered yet" in said


def test_refuses_a_rotation_while_the_gateway_runs_and_one_to_the_same_key(gateway, capsys):
    next_key = ["--new", str(gateway.with_name("next.key"))]
    assert main(["run", str(gateway), "--once"]) == 0
    lock = SpoolLock(gateway.parent / "spool")
    assert "in use by another collector" in refused(capsys, "rotate", str(gateway), *next_key)
    lock.close()
    same = refused(capsys, "rotate", str(gateway), "--new", str(gateway.with_name("gateway.key")))
    assert "holds the key that is in use" in same


def test_refuses_a_reason_that_the_party_could_not_sign(gateway, capsys):
    assert "request.reason" in refused(capsys, "request", str(gateway), "--reason", "a\u202eb")
    assert "--expires" in refused(capsys, "request", str(gateway), "--expires", "tomorrow")


def test_a_gateway_is_enrolled_and_rotated_by_its_own_lines(gateway, capsys, log_server: LogServer):
    keys = DeviceKeys("e-party")
    asked = request(capsys, "request", str(gateway), "--name-zh", "网关", "--expires", "2027-01-01T00:00:00Z")
    keys.check("d-gateway", asked)
    keys.apply(1, asked)
    assert main(["run", str(gateway), "--once"]) == 0
    asked = request(capsys, "rotate", str(gateway), "--new", str(gateway.with_name("next.key")))
    keys.check("d-gateway", asked)
    keys.apply(2, asked)
    old = next(key for key in keys.keys.values() if key.status == "rotated")
    spool = Spool(gateway.parent / "spool", gateway="d-gateway", origin="log.test.example/e-party/data")
    digest = spool.receipted()[-1][1]
    spool.close()
    assert old.withdrawal is not None
    assert old.withdrawal.last == {"readings/m-one": (0, digest)}

    # With the new key its streams begin anew, and nothing is signed twice.
    gateway.write_text(gateway.read_text().replace("gateway.key", "next.key"))
    rows = "".join(f"2026-01-02 {hour:02}:00,1\n" for hour in range(24))
    (gateway.parent / "b.csv").write_text("time,kWh\n" + rows)
    assert main(["run", str(gateway), "--once"]) == 0
    headers = [statement.header for statement in log_server.statements]
    signed = [(h.kid, h.sequence) for h in headers if h.kind == "readings"]
    assert signed == [(old.key.kid, 0), (keys.current["d-gateway"], 0)]


def test_lines_of_many_devices_go_into_one_file(gateway, capsys):
    capsys.readouterr()
    assert main(["key", "request", str(gateway)]) == 0
    assert main(["key", "request", str(gateway), "--no-header", "--reason", "again"]) == 0
    found = list(read_requests(capsys.readouterr().out.splitlines(keepends=True)))
    assert [one.body["reason"] for one in found] == ["", "again"]


def resumes(gateway: Path, *places: tuple[str, str, int]) -> str:
    file = gateway.with_name("resumes.jsonl")
    rows = [{"kid": k, "stream": s, "next_sequence": n, "previous": "07" * 32} for k, s, n in places]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def test_a_gateway_with_a_lost_spool_goes_on_where_its_party_says(gateway, monkeypatch, capsys):
    kid = load_signer(load_gateway_config(gateway), os.environ).public.kid
    for bad in ((kid.hex(), "readings/m-one", 0), ("00" * 32, "readings/m-one", 9), ("zz", "x", 9)):
        assert main(["spool", "resume", str(gateway), resumes(gateway, bad)]) == 2
    file = resumes(gateway, (kid.hex(), "readings/m-one", 1008))
    assert main(["spool", "resume", str(gateway), file]) == 0
    assert main(["spool", "resume", str(gateway), file]) == 2
    assert "is known to this spool" in capsys.readouterr().err
    assert main(["run", str(gateway), "--once", "--offline"]) == 0
    spool = Spool(gateway.parent / "spool", gateway="d-gateway", origin="log.test.example/e-party/data")
    (entry,) = spool.waiting(limit=9, max_bytes=1 << 20)
    spool.close()
    header = SignedStatement.parse(entry.statement).header
    assert (header.sequence, header.previous) == (1008, b"\7" * 32)
