"""A real Modbus TCP server in front of the simulated plant, on a loopback port.

pymodbus serves; each read asks the plant what its meters show at the injected clock's time. A fault of the
plant answers with the Modbus exception it names. Writing is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from carbonseal_attest.instants import Clock
from carbonseal_collectors.errors import PlantInvalid
from carbonseal_collectors.register_map import Register, RegisterMap
from carbonseal_collectors.simulators.plant import METERS, MeterSilent, Plant, PlantMeter

_START_TIMEOUT_S: Final = 10


class PlantServer:
    """Serves a plant over Modbus TCP from a thread of its own; use as a context manager.

    Args:
        plant: what the meters show.
        register_map: where they show it; models and figures are named as in `plant.METERS`.
        clock: gives the time at which a read sees the plant.
        host, port: loopback by default, on a free port (see `port` after start).
    """

    def __init__(
        self,
        plant: Plant,
        register_map: RegisterMap,
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._plant = plant
        self._clock = clock
        self._host = host
        self._wanted_port = port
        self._models = register_map.models
        self._devices = [self._device(meter) for meter in METERS.values()]
        self._loop = asyncio.new_event_loop()
        self._server: ModbusTcpServer | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.port = 0

    def start(self) -> Self:
        """Starts serving and returns once the port listens.

        Raises:
            PlantInvalid: the port cannot be listened on.
        """
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="plant-modbus", daemon=True)
        self._thread.start()
        if not ready.wait(_START_TIMEOUT_S) or self._failure is not None:
            raise PlantInvalid("plant.port", f"cannot be listened on ({self._failure})", "use another port")
        return self

    def stop(self) -> None:
        """Stops serving and waits for the thread."""
        if self._thread is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(_START_TIMEOUT_S)
            self._thread.join(_START_TIMEOUT_S)
        self._thread = None

    def __enter__(self) -> Self:
        """Starts serving."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops serving."""
        self.stop()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(ready))
        except (OSError, RuntimeError, OverflowError) as exc:  # the last: no such port number
            self._failure = exc
            ready.set()
        finally:
            self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._server = ModbusTcpServer(self._devices, address=(self._host, self._wanted_port))
        await self._server.serve_forever(background=True)
        listener: Any = self._server.transport  # an asyncio.Server, typed as a transport
        self.port = int(listener.sockets[0].getsockname()[1])
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.serving

    async def _shut_down(self) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]

    def _device(self, meter: PlantMeter) -> SimDevice:
        registers = self._models.get(meter.model, {})
        missing = [figure for figure in meter.figures if figure not in registers]
        if missing:
            raise PlantInvalid(
                f"models.{meter.model}", f"has no register {missing[0]}", "add it to the register map"
            )
        figures: Mapping[str, Register] = {figure: registers[figure] for figure in meter.figures}
        plant, clock = self._plant, self._clock

        async def show(
            _function: int,
            start: int,
            _address: int,
            _count: int,
            words: list[int],
            new_words: list[int] | list[bool] | None,
        ) -> ExcCodes | None:
            if new_words is not None:
                return ExcCodes.ILLEGAL_FUNCTION
            now = clock()
            try:
                for name, register in figures.items():
                    at = register.address - start
                    words[at : at + register.words] = register.encode(plant.show(meter.name, name, now))
            except MeterSilent as silent:
                return ExcCodes(silent.exception)
            return None

        data = [
            SimData(
                register.address, count=register.words, values=0, datatype=DataType.REGISTERS, readonly=True
            )
            for register in sorted(figures.values(), key=lambda register: register.address)
        ]
        return SimDevice(meter.unit_id, data, action=show)
