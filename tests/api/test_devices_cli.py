"""`carbonseal devices`: files with bad lines, a run killed in the middle, rotation, and the end of a key."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from carbonseal_api import desks
from carbonseal_api.cli import main
from carbonseal_api.deployment import admit_enterprise, found_deployment
from carbonseal_api.founding import seal
from carbonseal_api.running import opened
from carbonseal_api.settings import load_settings
from carbonseal_attest.identity.device_requests import write_request
from carbonseal_attest.identity.device_statements import enrolment, rotation
from carbonseal_attest.identity.devices import DeviceKeys
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.outcomes import Submission

FEW, MANY = 1_200, 10_000


@dataclass(frozen=True)
class Deployment:
    """A founded deployment with one enterprise."""

    data: Path
    party: str
    database: str

    def arguments(self, act: str, *more: str) -> list[str]:
        return ["devices", act, *more, "--data", str(self.data), "--party", self.party]

    def run(self, act: str, *more: str) -> int:
        return main(self.arguments(act, *more))

    def keys(self) -> DeviceKeys:
        with opened(self.data) as parts:
            return parts.host.device_keys(self.party)


@pytest.fixture(scope="module")
def deployment(database_url: str) -> Iterator[Deployment]:
    data = Path(tempfile.mkdtemp(prefix="cs-devices-"))
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE devices_cli"))
    server.dispose()
    url = make_url(database_url).set(database="devices_cli", drivername="postgresql")
    written = url.render_as_string(hide_password=False)
    (data / "carbonseal.toml").write_text(f'database_url = "{written}"\n')
    parts = found_deployment(load_settings({}, data_folder=data))
    admitted = admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
    parts.close()
    yield Deployment(data, admitted.party, written)
    shutil.rmtree(data, ignore_errors=True)


def fleet(party: str, prefix: str, count: int) -> list[dict[str, Any]]:
    name = {"zh": "电表", "en": "meter"}
    signers = (Ed25519Signer.generate() for _ in range(count))
    return [
        enrolment(party, f"m-{prefix}{n}", signer, name=name, subjects=[], device_class="meter")
        for n, signer in enumerate(signers)
    ]


def written(path: Path, bodies: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(write_request(b, with_header=not n) for n, b in enumerate(bodies)), "utf-8")
    return path


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_refuses_each_bad_line_by_number_and_takes_the_others(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    party, other = deployment.party, Ed25519Signer.generate()
    good = fleet(party, "good", 3)
    stolen = {**fleet(party, "stolen", 1)[0], "key": other.public.cose_key()}
    foreign = fleet("e-someoneelse", "foreign", 1)[0]
    twice = enrolment(party, "m-good0", other, name={"zh": "二", "en": "second"}, subjects=[])
    file = written(tmp_path / "fleet.csv", [good[0], stolen, good[1], foreign, twice, good[2]])
    file.write_text(file.read_text("utf-8") + "too,few\n", "utf-8")
    assert deployment.run("enrol", str(file), "--json") == 1
    lines = said(capsys)
    assert lines[-1] == {"read": 7, "taken": 3, "known": 0, "refused": 4}
    refused = {one["refused"]["line"]: one["refused"] for one in lines[:-1] if "refused" in one}
    assert {number: one["field"] for number, one in refused.items()} == {
        3: "content.body.endorsements", 5: "content.body.party", 6: "content.body.action", 8: "line",
    }  # fmt: skip
    assert all(one["reason"] and one["remedy"] for one in refused.values())
    assert deployment.run("enrol", str(file)) == 1
    out = capsys.readouterr().out
    assert "read 7, taken 0, known 3, refused 4" in out
    assert "line 6, m-good0: content.body.action: the device has a key already; rotate or revoke" in out


def test_refuses_a_file_that_cannot_be_used_and_a_party_that_is_not_here(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.csv"
    for data, words in ((b"device;key\n", "has no column 'party'"), (b"\xff\xfe", "is not UTF-8")):
        file.write_bytes(data)
        assert deployment.run("enrol", str(file)) == 2
        assert words in capsys.readouterr().err
    assert deployment.run("enrol", str(tmp_path / "none.csv")) == 2
    file.write_text("party,device,public_key,proof\n", "utf-8")
    for act in (["enrol", str(file)], ["list"]):
        assert main(["devices", *act, "--data", str(deployment.data), "--party", "E-nobody"]) == 2
        assert "--party: no such party here: 'E-nobody'" in capsys.readouterr().err


def enrolled_with_a_kill(deployment: Deployment, file: Path, count: int) -> float:
    """Enrol, killed at the first sign of progress, then again to the end; returns the seconds of both."""
    command = [
        sys.executable,
        "-m",
        "carbonseal_api.cli",
        *deployment.arguments("enrol", str(file), "--json"),
    ]
    begun = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert run.stdout is not None
    assert json.loads(run.stdout.readline())["read"] >= 500
    run.send_signal(signal.SIGKILL)
    run.wait()
    again = subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - begun
    tally = json.loads(again.stdout.splitlines()[-1])
    assert tally["read"] == tally["taken"] + tally["known"] == count
    assert tally["known"] >= 500
    return seconds


def test_a_run_that_is_killed_goes_on_where_it_stopped(deployment: Deployment, tmp_path: Path) -> None:
    file = written(tmp_path / "fleet.csv", fleet(deployment.party, "few", FEW))
    enrolled_with_a_kill(deployment, file, FEW)
    keys = deployment.keys()
    assert sum(device.startswith("m-few") for device in keys.current) == FEW
    with opened(deployment.data) as parts:
        origin = f"{parts.settings.log_host_name}/{deployment.party}/register"
        entries = parts.host.select(origin, kinds={"device"})
    subjects = [key.device for key in keys.keys.values() if key.device.startswith("m-few")]
    assert len(subjects) == len(set(subjects)) == FEW, "a device was enrolled twice"
    assert len(entries) >= FEW


@pytest.mark.long
def test_ten_thousand_devices_are_enrolled_in_minutes(deployment: Deployment, tmp_path: Path) -> None:
    file = written(tmp_path / "fleet.csv", fleet(deployment.party, "many", MANY))
    seconds = enrolled_with_a_kill(deployment, file, MANY)
    print(f"{MANY} devices enrolled, with one kill, in {seconds:.0f} s")
    assert seconds < 300


def test_a_key_is_rotated_suspended_lifted_and_revoked_by_command(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, name = Ed25519Signer.generate(), Ed25519Signer.generate(), {"zh": "网关", "en": "gateway"}
    first = enrolment(deployment.party, "g-turning", old, name=name, subjects=["m-main"])
    turned = rotation(deployment.party, "g-turning", old, new, name=name, subjects=["m-main"], last=[])
    forged = rotation(deployment.party, "g-turning", new, new, name=name, subjects=["m-main"], last=[])
    file = written(tmp_path / "gateway.csv", [first])
    assert deployment.run("enrol", str(file)) == 0
    assert deployment.run("rotate", str(file)) == 1
    assert "take it with `carbonseal devices enrol`" in capsys.readouterr().out
    assert deployment.run("rotate", str(written(tmp_path / "forged.csv", [forged]))) == 1
    assert "the old key does not vouch" in capsys.readouterr().out
    file = written(tmp_path / "turned.csv", [turned])
    assert deployment.run("rotate", str(file)) == 0
    assert deployment.run("rotate", str(file)) == 0
    assert "taken 0, known 1, refused 0" in capsys.readouterr().out
    for act, status in (("suspend", "suspended"), ("lift", "active"), ("revoke", "revoked")):
        assert deployment.run(act, "g-turning", "--reason", "drill") == 0
        assert deployment.keys().keys[new.public.kid].status == status
    assert deployment.run("lift", "g-turning", "--reason", "again") == 2
    capsys.readouterr()
    assert deployment.run("list") == 0
    shown = [line for line in said(capsys) if line["device"] == "g-turning"]
    assert [(line["status"], line["vouched_for_by"]) for line in shown] == [
        ("rotated", None), ("revoked", old.public.kid.hex()),
    ]  # fmt: skip


def test_resumes_a_stream_and_refuses_a_rotation_that_would_disown_what_the_log_holds(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, name = Ed25519Signer.generate(), Ed25519Signer.generate(), {"zh": "网关", "en": "gateway"}
    first = enrolment(deployment.party, "g-spoolless", old, name=name, subjects=["m-main"])
    assert deployment.run("enrol", str(written(tmp_path / "gateway.csv", [first]))) == 0
    with opened(deployment.data) as parts:
        origin = f"{parts.settings.log_host_name}/{deployment.party}/data"
        start = parts.clock() - 3_600_000
        gap = {"points": ["energy"], "reason": "source_silent", "detail": ""}
        statement, content = seal(
            old, "gap", gap, party=deployment.party, subject="m-main", origin=origin, is_public=False,
            issued_at=parts.clock() // 1000, interval=(start, start + 60_000), stream="readings/m-main",
        )  # fmt: skip
        (outcome,) = parts.host.register(origin, [Submission(statement.raw, content)])
        assert outcome.problem is None
    assert deployment.run("resume", "g-spoolless", "--reason", "the disk was lost", "--leap", "7") == 0
    place = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (place["kid"], place["stream"], place["next_sequence"]) == (
        old.public.kid.hex(), "readings/m-main", 8,
    )  # fmt: skip
    with opened(deployment.data) as parts:
        statement, content = seal(
            old, "gap", gap, party=deployment.party, subject="m-main", origin=origin, is_public=False,
            issued_at=parts.clock() // 1000, interval=(start, start + 60_000), stream="readings/m-main",
            sequence=8, previous=bytes.fromhex(place["previous"]),
        )  # fmt: skip
        (outcome,) = parts.host.register(origin, [Submission(statement.raw, content)])
        assert outcome.problem is None
    another, right = (("readings/m-main", 8, digest) for digest in (bytes(32), statement.digest))
    for last, code in (([], 1), ([another], 1), ([right], 0)):
        line = rotation(deployment.party, "g-spoolless", old, new, name=name, subjects=["m-main"], last=last)
        assert deployment.run("rotate", str(written(tmp_path / "turn.csv", [line]))) == code
    said = capsys.readouterr().out
    assert "the log holds number 8 of readings/m-main by the old key, and the line leaves it out" in said
    assert "the log holds another number 8 of readings/m-main by the old key than the line names" in said


@pytest.mark.parametrize("output", ["a reader that has gone", "a full disk"])
def test_says_that_a_file_is_not_done_where_its_output_cannot_be_written(
    deployment: Deployment, tmp_path: Path, output: str
) -> None:
    prefix = "gone" if output.startswith("a reader") else "full"
    file = written(tmp_path / "fleet.csv", fleet(deployment.party, prefix, 3))
    file.write_text(file.read_text("utf-8") + "too,few\n", "utf-8")
    arguments = deployment.arguments("enrol", str(file), "--json")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") if prefix == "gone" else Path("/dev/full").open("wb") as out:
        command = [sys.executable, "-m", "carbonseal_api.cli", *arguments]
        run = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2, run.stderr
    assert "run it again" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_refuses_a_line_that_asks_another_thing_for_a_key_that_is_enrolled(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signer, name = Ed25519Signer.generate(), {"zh": "网关", "en": "gateway"}
    few, more = (
        enrolment(deployment.party, "g-growing", signer, name=name, subjects=subjects)
        for subjects in (["m-main"], ["m-main", "m-gas"])
    )
    file = written(tmp_path / "fleet.csv", [few, few, more])
    for taken, known in ((1, 1), (0, 2)):
        assert deployment.run("enrol", str(file)) == 1
        out = capsys.readouterr().out
        assert f"read 3, taken {taken}, known {known}, refused 1" in out
        assert "line 4, g-growing: line: the device has this key with another class, other subjects" in out


def test_numbers_lines_as_an_editor_does_whatever_stands_in_their_cells(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "fleet.csv", fleet(deployment.party, "lines", 2))
    header, first, second = file.read_text("utf-8").splitlines()
    odd = first.replace("电表", "电\u2028\x85\x0c表")
    file.write_text("\r\n".join(("\ufeff" + header, odd, second, "too,few")), "utf-8", newline="")
    assert deployment.run("enrol", str(file), "--json") == 1
    lines = said(capsys)
    refused = [
        (one["refused"]["line"], one["refused"]["field"])
        for one in lines
        if "refused" in one and "read" not in one
    ]
    assert refused == [(2, "device.name.zh"), (4, "line")]
    assert lines[-1] == {"read": 3, "taken": 1, "known": 0, "refused": 2}


def test_says_that_another_act_of_the_party_takes_too_long(
    deployment: Deployment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = written(tmp_path / "fleet.csv", fleet(deployment.party, "waiting", 1))
    with opened(deployment.data) as parts, parts.desks.desk(deployment.party):
        monkeypatch.setattr(desks, "_PATIENCE", "50ms")
        assert deployment.run("enrol", str(file)) == 2
    assert "party: other acts of it have taken more than 50ms; try again" in capsys.readouterr().err
    assert deployment.run("enrol", str(file)) == 0
