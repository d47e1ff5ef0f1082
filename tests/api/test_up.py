"""`carbonseal up` as a person runs it: real processes, a queued job, an anchor that becomes final."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

CARBONSEAL = Path(sys.executable).parent / "carbonseal"
PATIENCE_S = 120  # for one step on a busy machine


@dataclass
class Up:
    data: Path
    running: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def address(self) -> str:
        return str(self.running["address"])


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    # PostgreSQL's socket needs a short path.
    data = Path(f"/tmp/cs-up-{os.getpid()}")
    process = subprocess.Popen(
        [str(CARBONSEAL), "up", "--data", str(data), "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield Up(data, json.loads(line), process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        shutil.rmtree(data, ignore_errors=True)


def wait_for(look: Callable[[], Any], what: str) -> Any:
    """Look until there is something; a bound on patience, not a measurement."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come within {PATIENCE_S} s")


def runs(pid: int) -> bool:
    """Whether a process runs; one that ended and only waits to be counted by its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_second_start_on_the_same_folder_is_refused(up: Up) -> None:
    ended = subprocess.run(
        [str(CARBONSEAL), "up", "--data", str(up.data), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("data_folder: another `carbonseal up` runs on it;")


def test_keys_are_encrypted_files_of_their_owner(up: Up) -> None:
    names = {path.name for path in (up.data / "keys").iterdir()}
    registrar = json.loads((up.data / "identity.json").read_text())["registrar"]
    assert names == {
        *("registrar.key", "log-host.key", "log.key", "head.key", "gas.key", "passphrase"),
        *("asset-admin.key", f"asset-{registrar}.key"),
    }
    assert all((up.data / "keys" / name).stat().st_mode & 0o077 == 0 for name in names)


def test_admitted_enterprise_is_epoched_and_anchored_to_the_end(up: Up) -> None:
    admitted = subprocess.run(
        [str(CARBONSEAL), "admit", "--data", str(up.data), "--name-zh", "示范厂", "--name-en", "Works"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    party = json.loads(admitted.stdout)
    own = {"Authorization": f"Bearer {party['api_key']}"}
    operator = {"Authorization": f"Bearer {(up.data / 'operator.key').read_text()}"}
    with httpx.Client(base_url=up.address, timeout=30) as client:
        shown = client.get(f"/organisations/{party['party']}", headers=own).json()
        assert shown["name"] == {"zh": "示范厂", "en": "Works"}
        assert client.post("/jobs/build_epoch", headers=operator).status_code == 202
        epochs = wait_for(lambda: client.get("/epochs").json(), "an epoch")
        assert epochs[0]["origins"] == 6
        wait_for(
            lambda: (client.get("/epochs").json()[0]["anchor"] or {}).get("state") == "final",
            "a final anchor",
        )
        digest = shown["statement_digest"]
        registrar = next(
            row["register_origin"]
            for row in client.get("/organisations", headers=operator).json()
            if "registrar" in row["roles"]
        )
        answer = client.get(f"/logs/{registrar}/receipts/{digest}/state", headers=operator)
        assert answer.json()["state"] == "final"
        # Its account on the chain was made with it, and the contract was founded meanwhile.
        assert (up.data / "keys" / f"asset-{party['party']}.key").exists()
        agreement = client.get("/assets/agreement", headers=operator)
        assert (agreement.status_code, agreement.json()["is_agreed"]) == (200, True), agreement.text


def test_stop_leaves_no_process_behind(up: Up) -> None:
    pids = {name: pid for name, pid in up.running["pids"].items() if pid}
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.process.terminate()
    assert up.process.wait(60) == 0
    assert [child.pid for child in children if runs(child.pid)] == []
    assert [name for name, pid in pids.items() if runs(pid)] == []
    assert not (up.data / "running.json").exists()
