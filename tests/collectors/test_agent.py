from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from gateways import QUARTER, SIGNER, START, csv_gateway, plant_gateway
from log_server import LogServer
from spool_parts import assert_chained

from carbonseal_attest.contents import check_content, parse_content
from carbonseal_attest.contents.readings import read_series
from carbonseal_attest.instants import parse_instant
from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.agent import Agent
from carbonseal_collectors.clock import SimulatedClock
from carbonseal_collectors.errors import SpoolRefused
from carbonseal_collectors.gateway_config import load_gateway_config
from carbonseal_collectors.register_map import RegisterMap
from carbonseal_collectors.simulators.modbus_server import PlantServer
from carbonseal_collectors.simulators.plant import Gap, Plant, Spike

HOUR = 3_600_000
DAY = 24 * HOUR
GAS = "m-p2nw6rk4xq7mz3bt"
MAIN = "m-4xq7mz3btp2nw6rk"


class Site:
    """The plant behind its Modbus server, its gateway, one clock for both, and a log."""

    def __init__(self, repository_root: Path, folder: Path, log: LogServer, *faults) -> None:
        self.clock = SimulatedClock(START)
        self.examples, self.folder, self.log = repository_root / "docs" / "examples", folder, log
        register_map = RegisterMap.load(self.examples / "plant" / "registers.toml")
        plant = Plant(seed=1, start=START, faults=faults)
        self.server = PlantServer(plant, register_map, self.clock).start()
        self.agent = self.start()

    def start(self) -> Agent:
        config = plant_gateway(
            self.examples,
            self.folder,
            self.server.port,
            url=self.log.url,
            log_key=self.log.key.public.raw.hex(),
        )
        return Agent(config, signer=SIGNER, clock=self.clock)

    def restart(self) -> None:
        self.agent.close()
        self.agent = self.start()

    def walk(self, hours: int, *, polls: bool = True) -> None:
        for _ in range(hours * 4):
            if polls:
                self.agent.poll_once()
                self.agent.seal_due()
            self.clock.advance(QUARTER)

    def close(self) -> None:
        self.agent.close()
        self.server.stop()


@pytest.fixture
def site(repository_root, tmp_path, log_server):
    made: list[Site] = []

    def build(*faults) -> Site:
        made.append(Site(repository_root, tmp_path, log_server, *faults))
        return made[-1]

    yield build
    for one in made:
        one.close()


def waiting(agent: Agent) -> list[tuple[SignedStatement, object]]:
    found = []
    for entry in agent.spool.waiting(limit=10**6, max_bytes=1 << 40):
        statement = SignedStatement.parse(entry.statement)
        found.append((statement, check_content(statement, entry.content)))
    return found


def gaps(agent: Agent) -> list[tuple[str, float, float, str]]:
    return [
        (c.subject, (c.interval[0] - START) / HOUR, (c.interval[1] - START) / HOUR, c.body["reason"])
        for _, c in waiting(agent)
        if c.kind == "gap"
    ]


def signed_instants(agent: Agent) -> list[tuple[str, str, int]]:
    return [
        (content.subject, series.point, item.at)
        for _, content in waiting(agent)
        if content.kind == "readings"
        for series in read_series(content.body)
        for item in series.samples()
    ]


# Polled meters


def test_a_day_of_the_plant_arrives_whole_in_order_and_receipted(site):
    one = site()
    one.walk(24)
    one.agent.poll_once()
    one.agent.seal_due(flush=True)
    report = one.agent.drain()
    statements = one.log.statements
    assert_chained(statements)
    # 7 meters, 24 hours, one flush; the main meter's first poll also gives the power factor of the slot
    # before.
    assert (len(statements), report.receipts, report.failure) == (7 * 25 + 1, 7 * 25 + 1, "")
    assert Counter(s.header.kind for s in statements) == {"readings": 7 * 25 + 1}
    # The flush at the very end speaks for no time that has not passed: only its own instant is in it.
    assert max(s.header.interval[1] for s in statements) == one.clock() + 1
    assert one.agent.status()["statements"]["logged"] == 7 * 25 + 1


def test_a_silent_meter_becomes_a_gap_and_its_neighbours_go_on(site):
    one = site(Gap("gas", START + HOUR, START + 3 * HOUR))
    one.walk(5)
    found = gaps(one.agent)
    assert {(meter, reason) for meter, _, _, reason in found} == {(GAS, "source_silent")}
    hours = {hour for _, start, end, _ in found for hour in (start, end)}
    assert (min(hours), max(hours)) == (1, 3)


def test_a_gateway_that_stood_still_says_so_once_and_continues(site):
    one = site()
    one.walk(2)
    one.restart()
    one.walk(30, polls=False)
    one.restart()
    one.walk(2)
    stopped = [row for row in gaps(one.agent) if row[3] == "stopped"]
    assert {(start, end) for meter, start, end, _ in stopped if meter == GAS} == {(2, 32)}
    assert len({meter for meter, *_ in stopped}) == 7
    assert_chained([statement for statement, _ in waiting(one.agent)])


def test_samples_that_were_polled_survive_the_end_of_the_process(site):
    one = site()
    for _ in range(3):  # an open window
        one.agent.poll_once()
        one.clock.advance(QUARTER)
    one.restart()
    one.walk(2)
    assert gaps(one.agent) == []
    instants = signed_instants(one.agent)
    assert len(instants) == len(set(instants))


def test_a_clock_that_jumps_back_never_signs_an_instant_twice(site):
    one = site()
    one.walk(3)
    one.clock.set(one.clock() - 2 * HOUR)
    notes = one.agent.poll_once().notes
    assert "the clock stands at or before the last poll" in notes[0]
    one.walk(4)
    instants = signed_instants(one.agent)
    assert len(instants) == len(set(instants))


def test_a_clock_that_jumps_forward_leaves_a_gap(site):
    one = site()
    one.walk(2)
    one.clock.advance(5 * HOUR)
    one.walk(2)
    assert [row[1:] for row in gaps(one.agent) if row[0] == GAS] == [(2, 7, "stopped")]


def test_a_spike_is_signed_as_it_came(site):
    one = site(Spike("gas", "gas_volume", START + HOUR, START + HOUR + 1, 10**6))
    one.walk(3)
    values = [
        item.value
        for _, content in waiting(one.agent)
        if content.subject == GAS and content.kind == "readings"
        for series in read_series(content.body)
        if series.point == "gas_volume"
        for item in series.samples()
    ]
    assert max(values) - min(values) > 10_000
    assert {c.kind for _, c in waiting(one.agent)} == {"readings"}


def test_a_full_spool_takes_nothing_in_and_says_so(repository_root, tmp_path, site):
    one = site()
    one.agent.spool._max_bytes = 1
    report = one.agent.poll_once()
    assert report.samples == {}
    assert "raise spool_max_bytes" in report.notes[0]


def test_polling_goes_on_while_the_ledger_is_down(site):
    one = site()
    one.log.mode = "down"
    one.walk(3)
    assert one.agent.drain().failure
    one.walk(3)
    one.log.mode = "ok"
    report = one.agent.drain()
    assert report.logged == one.agent.status()["statements"]["logged"] > 30
    assert_chained(one.log.statements)


def test_statements_name_the_newest_checkpoint_the_gateway_knew(site):
    one = site()
    one.walk(2)
    one.agent.drain()
    size = len(one.log.leaves)
    one.walk(2)
    one.agent.drain()
    named = {s.header.checkpoint[0] for s in one.log.statements if s.header.checkpoint}
    assert named == {size}


def test_runs_in_real_time_until_told_to_stop(repository_root, tmp_path, log_server):
    rows = "time,kWh\n" + "".join(f"2026-01-01 {hour:02}:00,1\n" for hour in range(24))
    (tmp_path / "a.csv").write_text(rows)
    uplink = f'ledger_url = "{log_server.url}"\nlog_key = "{log_server.key.public.raw.hex()}"'
    agent = Agent(csv_gateway(tmp_path, uplink=uplink), signer=SIGNER)
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 30
    while len(log_server.statements) < 1 and time.monotonic() < deadline:
        stop.wait(0.02)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    agent.close()
    assert [s.header.kind for s in log_server.statements] == ["readings"]


# Files


def csv_agent(folder: Path, **more: str) -> Agent:
    return Agent(csv_gateway(folder, **more), signer=SIGNER, clock=lambda: START + 100 * DAY)


def rows(*hours: int, value: str = "1") -> str:
    return "".join(f"2026-01-{1 + hour // 24:02} {hour % 24:02}:00,{value}\n" for hour in hours)


def test_a_file_is_sealed_by_day_and_not_read_again(tmp_path):
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows(*range(60)))
    agent = csv_agent(tmp_path)
    agent.poll_once()
    assert len(agent.seal_due().readings) == 3
    assert agent.poll_once().files == []
    agent.close()
    agent = csv_agent(tmp_path)
    assert agent.poll_once().files == []
    agent.close()


def test_a_second_agent_on_the_spool_is_refused_until_the_first_ends(tmp_path):
    agent = csv_agent(tmp_path)
    with pytest.raises(SpoolRefused, match="in use by another collector"):
        csv_agent(tmp_path)
    agent.close()
    csv_agent(tmp_path).close()


def test_a_file_that_grew_gives_only_what_is_new(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,kWh\n" + rows(*range(30)))
    agent = csv_agent(tmp_path)
    agent.poll_once()
    agent.seal_due()
    path.write_text("time,kWh\n" + rows(*range(40)))
    report = agent.poll_once()
    assert (report.samples, report.known) == ({"files": 10}, 30)
    agent.seal_due()
    instants = signed_instants(agent)
    assert len(instants) == len(set(instants)) == 40
    assert gaps(agent) == []
    agent.close()


def test_a_file_that_contradicts_what_was_signed_is_kept_out_and_shown(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,kWh\n" + rows(*range(24)))
    agent = csv_agent(tmp_path)
    agent.poll_once()
    agent.seal_due()
    path.write_text("time,kWh\n" + rows(*range(23)) + rows(23, value="0.5"))
    report = agent.poll_once()
    assert report.samples == {"files": 0}
    (row,) = report.set_aside
    assert "contradicts the reading already signed" in row.reason
    agent.close()


def test_a_broken_row_lands_in_the_rejects_file_and_in_a_signed_gap(tmp_path):
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows(0, 1) + "2026-01-01 02:00;1\n" + rows(3))
    agent = csv_agent(tmp_path)
    agent.poll_once()
    agent.seal_due()
    assert gaps(agent) == [("m-one", 2, 3, "bad_row")]
    detail = next(c for _, c in waiting(agent) if c.kind == "gap").body["detail"]
    assert detail == "a.csv line 4: has 1 cells instead of 2"
    lines = (tmp_path / "spool" / "rejects" / "a.csv.rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [4]
    agent.close()


def test_a_late_file_is_signed_as_a_backfill(tmp_path):
    agent = csv_agent(tmp_path)
    for name, hours in (("a.csv", range(5)), ("c.csv", range(10, 15)), ("b.csv", range(5, 10))):
        (tmp_path / name).write_text("time,kWh\n" + rows(*hours))
        agent.poll_once()
        agent.seal_due()
    assert gaps(agent) == [("m-one", 5, 10, "source_silent")]  # true when it was said
    assert len(set(signed_instants(agent))) == 15
    agent.close()


def test_a_source_of_files_may_be_called_silent_after_a_while(tmp_path):
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows(*range(24)))
    config = csv_gateway(tmp_path)
    path = tmp_path / "gateway.toml"
    path.write_text(
        path.read_text().replace('window = "civil_day"', 'window = "civil_day"\nsilent_after = "2 d"')
    )
    agent = Agent(load_gateway_config(path), signer=SIGNER, clock=lambda: START + 10 * DAY)
    agent.poll_once()
    agent.seal_due()
    assert config.sources[0].silent_after_ms is None
    assert gaps(agent) == [("m-one", 24, 8 * 24, "source_silent")]
    agent.close()


def test_rows_of_a_day_that_has_not_ended_wait(tmp_path):
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows(*range(30)))
    agent = Agent(csv_gateway(tmp_path), signer=SIGNER, clock=lambda: START + 30 * HOUR)
    agent.poll_once()
    agent.seal_due()
    assert len(signed_instants(agent)) == 24
    agent.seal_due(START + 2 * DAY)
    assert len(signed_instants(agent)) == 30
    agent.close()


def test_steel_works_half_year_is_signed_with_the_files_exact_sum(repository_root, shared_data, tmp_path):
    config = load_gateway_config(
        repository_root / "docs" / "examples" / "steel-daewoo" / "gateway.toml",
        overrides={
            "gateway.data_folder": str(shared_data / "steel-daewoo"),
            "gateway.spool_folder": str(tmp_path / "spool"),
        },
    )
    agent = Agent(config, signer=SIGNER)
    agent.poll_once()
    report = agent.seal_due()
    assert (len(report.readings), report.gaps) == (181, [])
    total, wrong = Decimal(0), []
    for _, content in waiting(agent):
        series = {item.point: list(item.samples()) for item in read_series(content.body)}
        assert content.interval[1] - content.interval[0] == DAY
        for energy, co2 in zip(series["active_energy"], series["co2_mass"], strict=True):
            total += energy.value
            if abs(co2.value - energy.value * Decimal("0.0004585")) > Decimal("0.005"):
                wrong.append(energy.at)
    assert total == Decimal("521199.76")
    second = parse_instant("2018-01-01T15:00:00Z")
    assert len(wrong) == 47
    assert all(second <= at < second + DAY for at in wrong)
    agent.close()


# Kills

RUNNER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from carbonseal_collectors.agent import Agent
from gateways import SIGNER, csv_gateway
agent = Agent(csv_gateway(Path({folder!r}), uplink={uplink!r}), signer=SIGNER)
print("ready", flush=True)
agent.poll_once()
agent.seal_due()
agent.drain()
print("done", flush=True)
"""


def test_a_collector_killed_at_random_moments_loses_and_doubles_nothing(tmp_path, log_server, is_long_run):
    hours = 24 * 20
    (tmp_path / "a.csv").write_text("time,kWh\n" + rows(*range(hours)))
    log_key = log_server.key.public.raw.hex()
    uplink = f'ledger_url = "{log_server.url}"\nlog_key = "{log_key}"\nbatch_statements = 2'
    script = RUNNER.format(tests=str(Path(__file__).parent), folder=str(tmp_path), uplink=uplink)
    moments = random.Random(5)
    for _ in range(100 if is_long_run else 5):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        time.sleep(moments.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["ready", "done"]
    statements = log_server.statements
    assert_chained(statements)
    assert len(statements) == 20
    agent = csv_agent(tmp_path)
    assert agent.spool.counts() | {"anchored": 0} == {
        "queued": 0, "sent": 0, "logged": 20, "anchored": 0, "voided": 0,
    }  # fmt: skip
    read = [
        item.at
        for entry in agent.spool.logged(limit=100)
        for series in read_series(parse_content(entry.content).body)
        for item in series.samples()
    ]
    assert sorted(read) == [START + n * HOUR for n in range(hours)]
    agent.close()
