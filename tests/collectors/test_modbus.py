# ruff: noqa: E501 - tables of cases, one case a line
from __future__ import annotations

import socket
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from gateways import QUARTER, START, plant_gateway
from pymodbus.client import ModbusTcpClient

from carbonseal_collectors.adapter import open_adapters
from carbonseal_collectors.clock import SimulatedClock
from carbonseal_collectors.errors import ConfigInvalid, PlantInvalid
from carbonseal_collectors.gateway_config import load_gateway_config
from carbonseal_collectors.register_map import RegisterMap
from carbonseal_collectors.simulators.modbus_server import PlantServer
from carbonseal_collectors.simulators.plant import Gap, Plant


@pytest.fixture
def examples(repository_root: Path) -> Path:
    return repository_root / "docs" / "examples"


def adapter_for(examples: Path, folder: Path, port: int, **more: object):
    (adapter,) = open_adapters(plant_gateway(examples, folder, port, **more)).values()
    return adapter


def serve(examples: Path, clock: SimulatedClock, *faults: Gap) -> PlantServer:
    register_map = RegisterMap.load(examples / "plant" / "registers.toml")
    return PlantServer(Plant(seed=1, start=START, faults=faults), register_map, clock)


def test_a_meter_that_answers_with_an_exception_never_stops_the_others(examples, tmp_path):
    clock = SimulatedClock(START + QUARTER)
    with serve(examples, clock, Gap("gas", START, START + QUARTER * 2, exception=6)) as server:
        adapter = adapter_for(examples, tmp_path, server.port)
        found = adapter.poll(clock()).samples
        adapter.close()
    bad = [item for item in found if item.quality == "bad"]
    assert {(item.point, item.value, item.source_status) for item in bad} == {
        ("gas_volume", None, "exception_6_device_busy"),
        ("clock", None, "exception_6_device_busy"),
    }
    assert len(found) == 20
    assert all(item.value is not None for item in found if item not in bad)


def test_nobody_at_the_address_gives_bad_samples_of_every_point(examples, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    adapter = adapter_for(examples, tmp_path, port)
    found = adapter.poll(START + QUARTER).samples
    adapter.close()
    assert len(found) == 20
    assert {(item.value, item.quality, item.source_status) for item in found} == {
        (None, "bad", "no_connection")
    }


def test_a_meter_that_never_answers_times_out_and_does_not_hang(examples, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held: list[socket.socket] = []
        stop = threading.Event()
        silent.settimeout(0.1)

        def accept() -> None:
            while not stop.is_set():
                try:
                    held.append(silent.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        adapter = adapter_for(
            examples, tmp_path, silent.getsockname()[1], **{"sources.plant.modbus.timeout": "50 ms"}
        )
        found = adapter.poll(START + QUARTER).samples
        adapter.close()
        stop.set()
        thread.join()
        for connection in held:
            connection.close()
    assert len(found) == 20
    assert {item.source_status for item in found} == {"timeout"}


def test_an_answer_to_another_function_is_no_reading(examples, tmp_path):
    """Holding registers were asked for; input registers, of the right number, come back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    while len(asked := connection.recv(12)) == 12:
                        count = int.from_bytes(asked[10:12], "big")
                        body = bytes([asked[6], asked[7] ^ 7, 2 * count]) + b"\0\1" * count
                        connection.sendall(asked[:4] + len(body).to_bytes(2, "big") + body)

        threading.Thread(target=answer, daemon=True).start()
        adapter = adapter_for(
            examples,
            tmp_path,
            server.getsockname()[1],
            **{"sources.plant.modbus.timeout": "200 ms"},
        )
        found = adapter.poll(START + QUARTER).samples
        adapter.close()
    assert {(item.value, item.source_status) for item in found} == {(None, "wrong_function")}


def test_garbage_on_the_wire_gives_bad_samples(examples, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(7):
                connection, _ = server.accept()
                with connection:
                    connection.recv(64)
                    connection.sendall(b"\xff" * 40)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        adapter = adapter_for(
            examples, tmp_path, server.getsockname()[1], **{"sources.plant.modbus.timeout": "100 ms"}
        )
        found = adapter.poll(START + QUARTER).samples
        adapter.close()
    assert {(item.value, item.quality) for item in found} == {(None, "bad")}


def test_reads_what_the_plant_shows_to_the_last_digit(examples, tmp_path):
    clock = SimulatedClock(START + QUARTER)
    plant = Plant(seed=1, start=START)
    with serve(examples, clock) as server:
        adapter = adapter_for(examples, tmp_path, server.port)
        found = adapter.poll(clock()).samples
        adapter.close()
    shown = {(item.meter, item.point): item for item in found}
    main, gas = "m-4xq7mz3btp2nw6rk", "m-p2nw6rk4xq7mz3bt"
    now = clock()
    assert shown[main, "active_energy"].value == Decimal(plant.show("main", "active_energy", now)) / 1000
    assert shown[gas, "gas_volume"].value == Decimal(plant.show("gas", "gas_volume", now)) / 100
    assert shown[main, "power_factor"].at == START
    assert shown[main, "power_factor"].width_ms == QUARTER
    assert shown[main, "active_energy"].at == now
    assert {item.quality for item in found} == {"good"}


def test_the_value_of_a_past_interval_is_handed_over_once(examples, tmp_path):
    clock = SimulatedClock(START + QUARTER)
    with serve(examples, clock) as server:
        adapter = adapter_for(examples, tmp_path, server.port)
        times = []
        for _ in range(4):
            times += [item.at for item in adapter.poll(clock()).samples if item.point == "power_factor"]
            clock.advance(QUARTER // 3)
        adapter.close()
    assert times == [START, START + QUARTER]


def test_a_hole_between_registers_costs_one_refused_read_and_no_reading(examples, tmp_path):
    folder = tmp_path / "plant"
    folder.mkdir()
    for name in ("gateway.toml", "registers.toml"):
        text = (examples / "plant" / name).read_text()
        if name == "registers.toml":
            text = text.replace("address = 11\n", "address = 15\n")
        (folder / name).write_text(text)
    clock = SimulatedClock(START + QUARTER)
    plant, register_map = Plant(seed=1, start=START), RegisterMap.load(folder / "registers.toml")
    with PlantServer(plant, register_map, clock) as server:
        config = load_gateway_config(
            folder / "gateway.toml", overrides={"sources.plant.modbus.port": server.port}
        )
        (adapter,) = open_adapters(config).values()
        first = adapter.poll(clock()).samples
        clock.advance(QUARTER)
        second = adapter.poll(clock()).samples
        adapter.close()
    assert {item.quality for item in first + second} == {"good"}


def test_the_adapter_recovers_when_the_meters_come_back(examples, tmp_path):
    clock = SimulatedClock(START + QUARTER)
    server = serve(examples, clock).start()
    adapter = adapter_for(examples, tmp_path, server.port, **{"sources.plant.modbus.timeout": "200 ms"})
    assert {item.quality for item in adapter.poll(clock()).samples} == {"good"}
    server.stop()
    clock.advance(QUARTER)
    assert {item.quality for item in adapter.poll(clock()).samples} == {"bad"}
    register_map = RegisterMap.load(examples / "plant" / "registers.toml")
    again = PlantServer(Plant(seed=1, start=START), register_map, clock, port=server.port)
    with again:
        clock.advance(QUARTER)
        assert {item.quality for item in adapter.poll(clock()).samples} == {"good"}
        adapter.close()


def test_the_simulator_refuses_writes_and_a_port_in_use(examples):
    clock = SimulatedClock(START)
    with serve(examples, clock) as server:
        client = ModbusTcpClient("127.0.0.1", port=server.port, timeout=2)
        assert client.connect()
        assert client.write_register(0, 7, device_id=1).isError()
        client.close()
        register_map = RegisterMap.load(examples / "plant" / "registers.toml")
        with pytest.raises(PlantInvalid, match="cannot be listened on"):
            PlantServer(Plant(seed=1, start=START), register_map, clock, port=server.port).start()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('model = "feeder"', 'model = "feder"', "'feder' is not known; use one of incoming"),
        ("unit_id = 2", "unit_id = 256", "256 is not an integer from 0 to 255"),
        ('form = "register", unit = "GJ"', 'form = "instant", unit = "GJ"', "point heat is instant in GJ, but register heat"),
        ('form = "register", unit = "GJ"', 'form = "register", unit = "MJ"', "but register heat is register in GJ"),
        ('point = "heat"', 'point = "warmth"', "heat_meter has no register 'warmth'"),
        ('timeout = "3 s"', 'timeout = "3 s"\nbaud = 9600', r"modbus\.baud: is not a known key"),
    ],
)  # fmt: skip
def test_refuses_a_source_that_contradicts_its_register_map(examples, tmp_path, old, new, said):
    text = (examples / "plant" / "gateway.toml").read_text()
    assert old in text
    (tmp_path / "gateway.toml").write_text(text.replace(old, new, 1))
    (tmp_path / "registers.toml").write_text((examples / "plant" / "registers.toml").read_text())
    with pytest.raises(ConfigInvalid, match=said):
        open_adapters(load_gateway_config(tmp_path / "gateway.toml"))
