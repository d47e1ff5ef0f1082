"""`carbonseal up` as a person runs it: real processes, a queued job, an anchor that becomes final."""

from __future__ import annotations

import json
import os
import shutil
import signal
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
from prometheus_client.parser import text_string_to_metric_families

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
        [
            *(str(CARBONSEAL), "up", "--data", str(data), "--port", "0", "--json"),
            *("--replicas", "2", "--workers", "2"),
        ],
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


def counted(up: Up, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"{up.address}/metrics", timeout=30).text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_killed_replica_is_missed_by_nobody_and_what_it_counted_stays(up: Up) -> None:
    def pids() -> dict[str, int]:
        found: dict[str, int] = json.loads((up.data / "running.json").read_text())["pids"]
        return found

    health = {"route": "/health", "status": "200"}
    for _ in range(40):  # a connection each, so that both replicas get some
        assert httpx.get(f"{up.address}/health", timeout=30).status_code == 200
    before, killed = counted(up, "carbonseal_requests_total", **health), pids()["service-2"]
    assert before >= 40  # of both together, whichever is asked
    os.kill(killed, signal.SIGKILL)
    for _ in range(20):
        assert httpx.get(f"{up.address}/health", timeout=30).status_code == 200
    wait_for(lambda: pids()["service-2"] != killed, "the replica")
    wait_for(lambda: httpx.get(f"{up.address}/ready", timeout=30).is_success, "readiness")
    assert counted(up, "carbonseal_requests_total", **health) >= before + 20
    assert counted(up, "carbonseal_registrations_waiting") == 0


def test_two_clocks_run_each_job_once_and_components_say_that_they_do_well(up: Up) -> None:
    def states() -> dict[str, str]:
        components = httpx.get(f"{up.address}/status", timeout=30).json()["components"]
        return {one["name"]: one["state"] for one in components}

    needed = dict.fromkeys(("database", "published_copy", "clock", "queue", "jobs"), "ok")
    wait_for(lambda: needed.items() <= states().items(), "all well")
    runs = counted(up, "carbonseal_job_runs_total", job="refresh_projections", outcome="succeeded")
    assert runs >= 1
    started = psutil.Process(up.process.pid).create_time()
    # Two clocks send it every five seconds; with the book it ran once a period, not twice.
    assert runs <= (time.time() - started) / 5 + 2
    assert counted(up, "carbonseal_job_runs_total", outcome="failed") == 0


def test_stop_leaves_no_process_behind(up: Up) -> None:
    pids = {name: pid for name, pid in up.running["pids"].items() if pid}
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.process.terminate()
    assert up.process.wait(60) == 0
    assert [child.pid for child in children if runs(child.pid)] == []
    assert [name for name, pid in pids.items() if runs(pid)] == []
    assert not (up.data / "running.json").exists()
