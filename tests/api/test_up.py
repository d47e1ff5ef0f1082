"""`carbonseal up` as a person runs it: real processes, a queued job, an anchor that becomes final."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import admit_enterprise, key_folder
from carbonseal_api.founding import seal
from carbonseal_api.running import opened
from carbonseal_attest import cbor
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_audit import LogAudit

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
    data = Path(tempfile.gettempdir(), f"cs-up-{os.getpid()}")
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
        *("asset-admin.key", f"asset-{registrar}.key", "row-checksums.key"),
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


def works(parts: Parts, number: int, rounds: int) -> list[tuple[str, list[bytes]]]:
    """A new enterprise's uploads to its two logs, devices and readings, a CBOR item each."""
    admitted = admit_enterprise(parts, {"zh": "示范厂", "en": f"Works {number}"})
    signer, gateway = key_folder(parts.settings).signer(admitted.party), Ed25519Signer.generate()
    made: dict[str, list[bytes]] = {admitted.register_origin: [], admitted.data_origin: []}
    name, meter = {"zh": "网关", "en": "gateway"}, f"m-of{number}"
    now = parts.clock()

    def add(key: Any, kind: str, body: dict[str, Any], **header: Any) -> SignedStatement:
        statement, content = seal(key, kind, body, issued_at=now // 1000, is_public=False, **header)
        made[header["origin"]].append(cbor.encode([statement.raw, content]))
        return statement

    device, reading = None, None
    for turn in range(rounds):
        key = gateway if turn == 0 else Ed25519Signer.generate()
        code = "g-first" if turn == 0 else f"g-next{turn}"
        body = enrolment(admitted.party, code, key, name=name, subjects=[meter])
        device = add(
            signer, "device", body, party=admitted.party, subject=code, origin=admitted.register_origin,
            stream="devices", sequence=turn, previous=None if device is None else device.digest,
        )  # fmt: skip
        start = now - (rounds - turn + 1) * 900_000
        series = Series.of("active", "interval", "kW.h", [Sample(start, Decimal(turn))], width_ms=900_000)
        reading = add(
            gateway, "readings", readings_body([series]), party="g-first", subject=meter,
            origin=admitted.data_origin, stream=f"readings/{meter}", sequence=turn,
            interval=(start, start + 900_000), previous=None if reading is None else reading.digest,
        )  # fmt: skip
    return list(made.items())


def upload(address: str, origin: str, item: bytes, key: str, answered: list[str]) -> None:
    """Send one item until it is answered for, as a gateway does."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cbor-seq"}

    def sent() -> bool:
        try:
            answer = httpx.post(
                f"{address}/logs/{origin}/entries:batch", content=item, headers=headers, timeout=30
            )
        except httpx.HTTPError:
            return False  # its replica was killed; whether it was registered is not known
        if answer.status_code != 200:
            return False
        (outcome,) = cbor.decode(answer.content)
        assert outcome["status"] in {"accepted", "duplicate"}, outcome
        answered.append(outcome["status"])
        return True

    wait_for(sent, f"an answer for {origin}")


def test_twenty_logs_lose_nothing_while_a_replica_and_a_worker_are_killed(up: Up, is_long_run: Any) -> None:
    """Two replicas and two workers: four processes over one database, of which two are killed."""
    rounds = 20 if is_long_run else 3
    operator = (up.data / "operator.key").read_text()

    def pids() -> dict[str, int]:
        found: dict[str, int] = json.loads((up.data / "running.json").read_text())["pids"]
        return found

    with opened(up.data) as parts:
        uploads = [log for number in range(10) for log in works(parts, number, rounds)]
        assert len({origin for origin, _ in uploads}) == 20
        # Devices first: who is not enrolled cannot sign readings.
        turns = [[(origin, items[turn]) for origin, items in uploads] for turn in range(rounds)]
        registers = [one for one in turns[0] if one[0].endswith("/register")]
        todo = [one for turn in turns for one in turn if one not in registers]
        answered: list[str] = []
        for origin, item in registers:
            upload(up.address, origin, item, operator, answered)
        killed = {name: pids()[name] for name in ("service", "worker-2")}
        with ThreadPoolExecutor(4) as pool:
            # A stream's statements build on each other: one thread keeps a log's order.
            chains = [[one for one in todo if one[0] == origin] for origin, _ in uploads]

            def run(chain: list[tuple[str, bytes]]) -> None:
                for origin, item in chain:
                    upload(up.address, origin, item, operator, answered)

            ends = [pool.submit(run, chain) for chain in chains]
            wait_for(lambda: len(answered) >= len(registers) + 5, "the first answers")
            for pid in killed.values():
                os.kill(pid, signal.SIGKILL)
            for end in ends:
                end.result(PATIENCE_S)
        assert len(answered) == 20 * rounds
        for origin, _ in uploads:
            kind = "device" if origin.endswith("/register") else "readings"
            assert len(parts.host.select(origin, kinds={kind})) == rounds
        wait_for(lambda: all(pids()[name] != pid for name, pid in killed.items()), "the killed ones")
        epochs = len(parts.host.epochs())
        headers = {"Authorization": f"Bearer {operator}"}
        assert httpx.post(f"{up.address}/jobs/build_epoch", headers=headers, timeout=30).status_code == 202
        wait_for(lambda: len(parts.host.epochs()) > epochs, "an epoch over all of them")
        assert parts.host.epochs()[-1].origins >= 20
        report = LogAudit(parts.engine, parts.published, parts.log_key).run()
        assert report.is_sound, report.first


def test_stop_leaves_no_process_behind(up: Up) -> None:
    pids = {name: pid for name, pid in up.running["pids"].items() if pid}
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.process.terminate()
    assert up.process.wait(60) == 0
    assert [child.pid for child in children if runs(child.pid)] == []
    assert [name for name, pid in pids.items() if runs(pid)] == []
    assert not (up.data / "running.json").exists()
