"""kill -9 of service, PostgreSQL and collector at random moments: nothing accepted is lost or doubled.

A deployment as `carbonseal up` runs it, a collector as `carbonseal-collector run` runs it, files dropping in.
After the kills the collector must drain by itself, the log must pass its audit, and every reading of every
file must stand in the log exactly once. The moments are drawn with a printed seed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from carbonseal_api.deployment import admit_enterprise, desk_of, key_folder, open_deployment
from carbonseal_api.settings import load_settings
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_attest.key_file import decrypt_key_file
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.database import embedded_pid
from carbonseal_ledger.log_audit import LogAudit

BIN = Path(sys.executable).parent
METERS = ("m-kill-a", "m-kill-b")
GATEWAY = "g-kill"
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
PASSPHRASE = "a pass phrase of the test"
PASSPHRASE_FROM = ("--passphrase-env", "KILL_PASSPHRASE")
PATIENCE_S = 120  # for one part to come back on a busy machine

GATEWAY_FILE = """
[gateway]
id = "{gateway}"
party = "{party}"
key_file = "gateway.key"
passphrase_env = "KILL_PASSPHRASE"
spool_folder = "spool"
data_folder = "drop"
log_origin = "{origin}"
time_zone = "UTC"

[uplink]
ledger_url = "{address}"
api_key_env = "KILL_API_KEY"
log_key = "{log_key}"
batch_statements = 8
timeout = "5 s"
backoff_first = "100 ms"
backoff_max = "500 ms"

[[sources]]
id = "files"
adapter = "csv_drop"
window = "1 h"
poll_every = "1 s"

[sources.csv_drop]
files = ["*.csv"]
encoding = "utf-8"
separator = ","
order = "oldest_first"

[sources.csv_drop.time]
column = "at"
format = "%Y-%m-%d %H:%M"
stamp = "interval_start"
interval = "15 min"
ambiguous = "reject"
nonexistent = "reject"
"""
METER_TABLE = """
[[sources.meters]]
code = "{code}"
name = "{code}"
points = [
  {{ point = "active_energy", from = "{code}", quantity = "active_energy", form = "interval", unit = "kW.h", \
step = "15 min" }},
]
"""


@dataclass
class Running:
    """A deployment and a collector, both as processes of their own."""

    data: Path
    site: Path
    origin: str
    environment: dict[str, str]
    collector: subprocess.Popen[bytes]

    def start_collector(self) -> None:
        with (self.site / "collector.log").open("ab") as log:
            self.collector = subprocess.Popen(
                [str(BIN / "carbonseal-collector"), "run", str(self.site / "gateway.toml")],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def kill(self, victim: str) -> None:
        if victim == "collector":
            self.collector.kill()
            self.collector.wait()
            self.start_collector()
        elif victim == "postgres":
            pid = wait_for(lambda: embedded_pid(self.data / "pg"), "PostgreSQL")
            os.kill(pid, signal.SIGKILL)
        else:
            pids = json.loads((self.data / "running.json").read_text())["pids"]
            with_pid = int(pids["service"])
            try:
                os.kill(with_pid, signal.SIGKILL)
            except ProcessLookupError:
                return  # it had just been brought back under another number
            # Its number in running.json changes once it was brought back.
            wait_for(
                lambda: json.loads((self.data / "running.json").read_text())["pids"]["service"] != with_pid,
                "the service",
            )

    def spool(self) -> dict[str, Any]:
        ended = subprocess.run(
            [str(BIN / "carbonseal-collector"), "spool", "status", str(self.site / "gateway.toml"), "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        value: dict[str, Any] = json.loads(ended.stdout) if ended.stdout else {"stderr": ended.stderr}
        return value


def wait_for(look: Any, what: str, seconds: float = PATIENCE_S) -> Any:
    """Look until there is something; a bound on patience, not a measurement."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds} s")


def tell(exit_code: int | None, *logs: Path) -> None:
    """Print what the programs said last; pytest shows it when the test failed."""
    print(f"carbonseal up: {'runs' if exit_code is None else f'ended with {exit_code}'}")
    for log in logs:
        if log.exists():
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-25:], sep="\n")


def values_of_day(day: int, meter: str) -> list[Decimal]:
    drawn = random.Random(f"{day}/{meter}")
    return [Decimal(drawn.randrange(1, 100_000)).scaleb(-2) for _ in range(96)]


def drop_day(folder: Path, day: int) -> None:
    start = FIRST_DAY + timedelta(days=day)
    columns = [values_of_day(day, meter) for meter in METERS]
    lines = ["at," + ",".join(METERS)]
    for slot, row in enumerate(zip(*columns, strict=True)):
        at = start + timedelta(minutes=15 * slot)
        lines.append(f"{at:%Y-%m-%d %H:%M}," + ",".join(map(str, row)))
    temporary = folder / f"{start:%Y-%m-%d}.part"
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.rename(folder / f"{start:%Y-%m-%d}.csv")


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    site = tmp_path_factory.mktemp("kill")
    # PostgreSQL's socket needs a short path.
    data = Path(tempfile.gettempdir(), f"cs-kill-{os.getpid()}")
    with (site / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [str(BIN / "carbonseal"), "up", "--no-chain", "--data", str(data), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    made: Running | None = None
    try:
        assert up.stdout is not None
        line = up.stdout.readline()
        assert line, (site / "up.log").read_text()
        made = found_site(data, site, json.loads(line)["address"])
        made.start_collector()
        yield made
    finally:
        tell(
            up.poll(),
            site / "up.log",
            site / "collector.log",
            data / "logs" / "service.log",
            data / "pg" / "log",
        )
        if made is not None:
            made.collector.kill()
            made.collector.wait()
        up.terminate()
        try:
            up.wait(60)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()
        subprocess.run(["rm", "-rf", str(data)], check=False)


def found_site(data: Path, site: Path, address: str) -> Running:
    settings = load_settings({}, data_folder=data)
    (site / "drop").mkdir()
    environment = os.environ | {"KILL_PASSPHRASE": PASSPHRASE}
    subprocess.run(
        [
            BIN / "carbonseal-collector",
            "key",
            "new",
            site / "gateway.key",
            "--passphrase-env",
            "KILL_PASSPHRASE",
        ],
        env=environment,
        check=True,
        capture_output=True,
    )
    gateway = decrypt_key_file((site / "gateway.key").read_bytes(), PASSPHRASE)
    parts = open_deployment(settings)
    try:
        admitted = admit_enterprise(parts, {"zh": "被杀的厂", "en": "Works under fire"})
        desk = desk_of(parts, admitted.party, key_folder(settings).signer(admitted.party))
        name = {"zh": "网关", "en": "gateway"}
        body = enrolment(admitted.party, GATEWAY, gateway, name=name, subjects=list(METERS))
        desk.issue(admitted.register_origin, "device", body, subject=GATEWAY)
        log_key = parts.log_key.raw.hex()
    finally:
        parts.close()
    text = GATEWAY_FILE.format(
        gateway=GATEWAY, party=admitted.party, origin=admitted.data_origin, address=address, log_key=log_key
    )
    text += "".join(METER_TABLE.format(code=meter) for meter in METERS)
    (site / "gateway.toml").write_text(text, encoding="utf-8")
    environment["KILL_API_KEY"] = admitted.api_key
    return Running(data, site, admitted.data_origin, environment, None)  # type: ignore[arg-type]


@pytest.mark.timeout(7000)
def test_kills_lose_nothing_double_nothing_and_leave_a_sound_log(running: Running, is_long_run: Any) -> None:
    kills = 100 if is_long_run else 5
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    drawn = random.Random(seed)
    victims = ["service", "postgres", "collector"]
    for number in range(kills):
        drop_day(running.site / "drop", number)
        time.sleep(drawn.uniform(0.0, 1.5))  # the random moment
        running.kill(victims[number] if number < len(victims) else drawn.choice(victims))
    drop_day(running.site / "drop", kills)
    expected = len(METERS) * 24 * (kills + 1)

    def drained() -> bool:
        assert running.collector.poll() is None, (running.site / "collector.log").read_text()[-2000:]
        counts = running.spool().get("statements", {})
        return sum(counts.values()) >= expected and sum(counts.values()) == counts.get("logged", 0)

    wait_for(drained, f"the drained spool {running.spool()}", PATIENCE_S + 5 * kills)
    check_log(running, kills + 1, expected)


def check_log(running: Running, days: int, expected: int) -> None:
    parts = open_deployment(load_settings({}, data_folder=running.data))
    try:
        size = parts.host.head(running.origin).tree_size
        entries = parts.host.entries(running.origin, 0, size)
        report = LogAudit(parts.engine, parts.published, parts.log_key).run()
        assert report.is_sound, report.first
        kinds = {"readings", "gap"}
        statements = [SignedStatement.parse(entry.raw) for entry in entries if entry.kind in kinds]
        assert Counter(one.header.kind for one in statements) == {"readings": expected}
        places = Counter((one.header.stream, one.header.sequence) for one in statements)
        assert max(places.values()) == 1, "a place of a stream is taken twice"
        contents = parts.host.contents.get_many({one.payload for one in statements})
        found: Counter[tuple[str, int]] = Counter()
        sums: dict[str, Decimal] = dict.fromkeys(METERS, Decimal(0))
        for one in statements:
            for series in read_series(parse_content(contents[one.payload]).body):
                for sample in series.samples():
                    found[one.header.subject, sample.at] += 1
                    assert sample.value is not None
                    sums[one.header.subject] += sample.value
        assert len(found) == len(METERS) * 96 * days
        assert set(found.values()) == {1}, "a reading stands in the log more than once"
        for meter in METERS:
            assert sums[meter] == sum((sum(values_of_day(day, meter)) for day in range(days)), Decimal(0))
    finally:
        parts.close()
