"""A pilot as the manual tells it: run the service, admit an enterprise, connect a meter, file a report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

_BIN = Path(sys.executable).parent
_EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "steel-daewoo"
_HEADER = (
    "date,Usage_kWh,Lagging_Current_Reactive_Power_kVarh,Leading_Current_Reactive_Power_kVarh,CO2(tCO2),"
    "Lagging_Current_Power_Factor,Leading_Current_Power_Factor,NSM,WeekStatus,Day_of_week,Load_Type"
)


class Pilot:
    """A running deployment and the folder that everything lies in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "CARBONSEAL_GATEWAY_PASSPHRASE": "correct horse",
            "CARBONSEAL_PASSPHRASE": "battery staple",
        }
        self.process = subprocess.Popen(
            [_BIN / "carbonseal", "up", "--data", folder / "d", "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        line = "" if self.process.stdout is None else self.process.stdout.readline()
        self.address: str = json.loads(line)["address"]

    def run(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command beside the service."""
        command = [str(_BIN / name), *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=240, check=False, env=self.environment
        )

    def carbonseal(self, command: str, *arguments: object) -> dict[str, Any]:
        """Run a `carbonseal` command on the data folder and return the JSON that it printed."""
        done = self.run("carbonseal", command, "--data", self.folder / "d", *arguments)
        assert done.returncode == 0, done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def stop(self) -> None:
        """End the service as a service manager would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def pilot(tmp_path: Path) -> Iterator[Pilot]:
    started = Pilot(tmp_path)
    try:
        yield started
    finally:
        started.stop()


def _write_site(pilot: Pilot, party: dict[str, Any], log_key: str) -> Path:
    text = (_EXAMPLE / "gateway.toml").read_text(encoding="utf-8")
    text = text.replace("e-7k2mq5xw3ztbn4pr", party["party"])
    text = text.replace('ledger_url = "http://127.0.0.1:8440"', f'ledger_url = "{pilot.address}"')
    text = text.replace("[uplink]\n", f'[uplink]\nlog_key = "{log_key}"\n')
    gateway = pilot.folder / "gateway.toml"
    gateway.write_text(text, encoding="utf-8")
    (pilot.folder / "plan.toml").write_text(
        (_EXAMPLE / "plan.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    rows = [_HEADER]
    for quarter in range(1, 97):
        stamp = f"{quarter // 4 % 24:02d}:{quarter % 4 * 15:02d}"
        rows.append(
            f"05/03/2018 {stamp},3.00,4.00,0,0,60,100,{quarter * 900 % 86400},Weekday,Monday,Light_Load"
        )
    (pilot.folder / "day.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return gateway


def _assert_refused(pilot: Pilot, party: str, asked: tuple[str, str], reason: str) -> None:
    day, out = asked
    options = ["--first", day, "--last", day, "--out", pilot.folder / out]
    done = pilot.run("carbonseal", "report", "--data", pilot.folder / "d", "--party", party, *options)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert reason in done.stderr


def _assert_bundle_can_be_drawn_for_a_trusted_block(
    pilot: Pilot, party: dict[str, Any], report: str, command: Callable[..., Any]
) -> None:
    """A third party's trust file names its block before it asks for the bundle."""
    trust = pilot.folder / "out/trust.toml"
    (block,) = tomllib.loads(trust.read_text(encoding="utf-8"))["chain"][0]["trusted_block"]
    address = f"{pilot.address}/organisations/{party['party']}/reports/{report}/evidence.bundle"
    own = {"Authorization": f"Bearer {party['api_key']}"}
    drawn = httpx.get(address, params={"trusted_block": block["number"]}, headers=own, timeout=60)
    assert drawn.status_code == 200, drawn.text
    (pilot.folder / "drawn.bundle").write_bytes(drawn.content)
    checked = command("carbonseal-verifier", "check", pilot.folder / "drawn.bundle", "--trust", trust)
    assert checked.exit_code == 0, checked.stdout
    for number, status in ((1, 409), (10**12, 409), ("x", 422)):
        refused = httpx.get(address, params={"trusted_block": number}, headers=own, timeout=60)
        assert refused.status_code == status, refused.text


def test_pilot_from_admission_to_a_bundle_that_checks(
    pilot: Pilot, command: Callable[..., Any], tmp_path: Path
) -> None:
    party = pilot.carbonseal("admit", "--name-zh", "示范厂", "--name-en", "Example Works")
    pilot.environment["CARBONSEAL_API_KEY"] = party["api_key"]
    made = pilot.run(
        "carbonseal-collector",
        "key",
        "new",
        tmp_path / "gateway.key",
        "--passphrase-env",
        "CARBONSEAL_GATEWAY_PASSPHRASE",
    )
    assert made.returncode == 0, made.stderr
    gateway = _write_site(pilot, party, "00" * 32)
    enrolled = pilot.carbonseal("enrol", "--party", party["party"], gateway)
    gateway = _write_site(pilot, party, enrolled["log_key"])
    again = pilot.run("carbonseal", "enrol", "--data", tmp_path / "d", "--party", party["party"], gateway)
    assert again.returncode == 2
    assert enrolled["log_key"] in again.stderr
    pilot.carbonseal("plan", "--party", party["party"], tmp_path / "plan.toml")
    collected = pilot.run("carbonseal-collector", "run", gateway, "--once", "--json")
    assert collected.returncode == 0, collected.stdout + collected.stderr
    report = pilot.carbonseal(
        "report",
        "--party",
        party["party"],
        "--first",
        "2018-03-05",
        "--last",
        "2018-03-05",
        "--out",
        tmp_path / "out",
    )
    assert report["total"]["value"] == "0.132048"  # 288 kWh at the declared 0.4585 kg/kWh
    for reason in report["reasons"]:
        assert set(reason) == {"rule", "subject", "severity", "count", "observed"}
        assert reason["subject"]
        assert set(reason["observed"]) == {"zh", "en"}
    assert bool(report["reasons"]) == (report["data_code"] != "green")
    _assert_refused(pilot, party["party"], ("2018-03-05", "again"), report["report"])
    _assert_refused(pilot, party["party"], ("2018-03-07", "empty"), "nothing to report")
    _assert_refused(pilot, party["party"], ("2099-03-05", "later"), "not over yet")
    _assert_refused(pilot, "e-nobody", ("2018-03-05", "nobody"), "no such party here")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    _assert_refused(pilot, party["party"], ("2018-03-05", "mine"), "notes.txt")
    checked = command(
        "carbonseal-verifier",
        "check",
        tmp_path / "out/evidence.bundle",
        "--trust",
        tmp_path / "out/trust.toml",
    )
    assert checked.exit_code == 0, checked.stdout
    assert "made by the log host itself" in checked.stdout
    _assert_bundle_can_be_drawn_for_a_trusted_block(pilot, party, report["report"], command)


def test_enrolment_of_a_gateway_of_another_party_is_refused_naming_the_right_one(
    pilot: Pilot, tmp_path: Path
) -> None:
    party = pilot.carbonseal("admit", "--name-zh", "示范厂", "--name-en", "Example Works")
    pilot.run(
        "carbonseal-collector",
        "key",
        "new",
        tmp_path / "gateway.key",
        "--passphrase-env",
        "CARBONSEAL_GATEWAY_PASSPHRASE",
    )
    done = pilot.run(
        "carbonseal",
        "enrol",
        "--data",
        tmp_path / "d",
        "--party",
        party["party"],
        _write_site(pilot, {**party, "party": "e-somebodyelse"}, "00" * 32),
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert party["party"] in done.stderr
