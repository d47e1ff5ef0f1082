"""Modbus TCP: polls meters by register map, in as few reads as the map allows.

Modbus Application Protocol 1.1b3 over TCP, through pymodbus. Exceptions, time-outs and lost connections
become samples of bad quality whose status says what the meter or the line said; a register that a meter
refuses never stops its neighbours. Registers and instants are dated with the gateway's clock at the poll;
interval registers with the last complete slot. RTU and writing to meters are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import ClassVar, Final, Self

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from carbonseal_collectors.adapter import BAD, GOOD, Poll, Sample
from carbonseal_collectors.gateway_config import MeterConfig, PointConfig, SourceConfig
from carbonseal_collectors.pymodbus_log import send_to_debug
from carbonseal_collectors.register_map import INPUT, MAX_BLOCK, Register, RegisterMap, plan_blocks
from carbonseal_collectors.toml_table import Table

EXCEPTIONS: Final = {
    1: "illegal_function",
    2: "illegal_data_address",
    3: "illegal_data_value",
    4: "device_failure",
    5: "acknowledge",
    6: "device_busy",
    8: "memory_parity_error",
    10: "gateway_path_unavailable",
    11: "gateway_target_failed_to_respond",
}
_ILLEGAL_ADDRESS: Final = 2
_EXACT: Final = Context(prec=120, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """One Modbus TCP connection: where it is, and how patient we are.

    Attributes:
        host, port: of the meter or its converter. Whoever answers there supplies the readings: the wire is
            not proved.
        timeout_ms: of one request.
        retries: further tries of one request before it counts as failed.
        max_block, max_gap: see `plan_blocks`.
    """

    host: str
    port: int
    timeout_ms: int
    retries: int
    max_block: int
    max_gap: int

    @classmethod
    def from_table(cls, table: Table) -> ModbusSettings:
        """Reads the connection's keys; the caller finishes the table."""
        return cls(
            host=table.text("host"),
            port=table.integer("port", 502, minimum=1, maximum=65_535),
            timeout_ms=table.duration("timeout", "3 s", minimum=10, maximum=60_000) or 0,
            retries=table.integer("retries", 0, maximum=5),
            max_block=table.integer("max_block", MAX_BLOCK, minimum=4, maximum=MAX_BLOCK),
            max_gap=table.integer("max_gap", 8, maximum=MAX_BLOCK),
        )


@dataclass(frozen=True, slots=True)
class _Figure:
    point: PointConfig
    register: Register


@dataclass(frozen=True, slots=True)
class _Unit:
    meter: MeterConfig
    unit_id: int
    figures: tuple[_Figure, ...]


class _NoAnswer(Exception):
    """No registers came back; the text is the status, `is_final` ends this device's poll."""

    def __init__(self, status: str, *, is_final: bool, is_address: bool = False) -> None:
        super().__init__(status)
        self.is_final = is_final
        self.is_address = is_address


class ModbusAdapter:
    """Polls the meters behind one Modbus TCP address."""

    is_replayable: ClassVar[bool] = False

    def __init__(self, settings: ModbusSettings, units: Sequence[_Unit]) -> None:
        self._settings = settings
        self._units = units
        self._client: ModbusTcpClient | None = None
        self._strict: set[int] = set()  # units that refuse addresses between their registers
        self._told: dict[tuple[str, str], int] = {}  # interval registers: the last slot handed over

    @classmethod
    def from_config(cls, source: SourceConfig) -> Self:
        """An adapter for `source`; reads the register map, opens no connection. Raises CollectorError."""
        table = source.settings_table()
        send_to_debug()
        settings = ModbusSettings.from_table(table)
        register_map = RegisterMap.load(source.folder / table.text("register_map"))
        table.finish()
        return cls(settings, [_unit(source, meter, register_map) for meter in source.meters])

    def poll(self, now: int, *, known: Sequence[bytes] = ()) -> Poll:
        """Reads every meter once. What could not be read is there too, with quality bad and its status."""
        poll = Poll()
        lost = ""
        for unit in self._units:
            answers: dict[str, Decimal | str | None] = {}
            wanted = [figure for figure in unit.figures if self._is_due(unit, figure, now)]
            if not lost:
                lost = self._read_unit(unit, wanted, answers)
            for figure in wanted:
                answer = answers.get(figure.register.name, lost or "no_answer")
                poll.samples.append(self._sample(unit, figure, now, answer))
        if lost and all(sample.quality == BAD for sample in poll.samples):
            poll.unreachable = f"{self._settings.host}:{self._settings.port}"
        return poll

    def close(self) -> None:
        """Closes the connection; the next poll opens it again."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    def _is_due(self, unit: _Unit, figure: _Figure, now: int) -> bool:
        if not figure.register.interval_ms:
            return True
        slot = _dated(figure.register, now)
        return slot >= 0 and self._told.get((unit.meter.code, figure.point.point)) != slot

    def _read_unit(
        self, unit: _Unit, figures: Sequence[_Figure], answers: dict[str, Decimal | str | None]
    ) -> str:
        """Fills `answers`; returns a status when the whole connection is gone, else an empty text."""
        registers = list({figure.register.name: figure.register for figure in figures}.values())
        try:
            client = self._connected()
            max_gap = 0 if unit.unit_id in self._strict else self._settings.max_gap
            for block in plan_blocks(registers, max_words=self._settings.max_block, max_gap=max_gap):
                self._read_block(client, unit.unit_id, block, answers)
        except _NoAnswer as exc:
            for register in registers:
                answers.setdefault(register.name, str(exc))
            if exc.is_final:
                self.close()  # a late answer must not be taken for the next one
                return str(exc) if str(exc) == "no_connection" else ""
        return ""

    def _connected(self) -> ModbusTcpClient:
        if self._client is None:
            self._client = ModbusTcpClient(
                self._settings.host,
                port=self._settings.port,
                timeout=self._settings.timeout_ms / 1000,
                retries=self._settings.retries,
            )
        if not self._client.connected and not self._client.connect():  # type: ignore[no-untyped-call]
            raise _NoAnswer("no_connection", is_final=True)
        return self._client

    def _read_block(
        self,
        client: ModbusTcpClient,
        unit_id: int,
        block: Sequence[Register],
        answers: dict[str, Decimal | str | None],
    ) -> None:
        start = block[0].address
        count = max(register.address + register.words for register in block) - start
        try:
            words = _read(client, unit_id, block[0].function, start, count)
        except _NoAnswer as exc:
            if not exc.is_address or len(block) == 1:
                if exc.is_final:
                    raise
                answers.update({register.name: str(exc) for register in block})
                return
            # One refused address must not cost its neighbours. It may be a hole between two registers: from
            # now on this unit is asked for no address that the map does not name.
            self._strict.add(unit_id)
            for register in block:
                self._read_block(client, unit_id, [register], answers)
            return
        for register in block:
            at = register.address - start
            answers[register.name] = register.decode(words[at : at + register.words])

    def _sample(self, unit: _Unit, figure: _Figure, now: int, answer: Decimal | str | None) -> Sample:
        point, register = figure.point, figure.register
        at = _dated(register, now)
        value: Decimal | None = None
        quality, status = BAD, "not_available"
        if isinstance(answer, str):
            status = answer
        elif answer is not None:
            value = answer if point.scale == 1 else _EXACT.multiply(answer, point.scale)
            quality, status = GOOD, ""
            if register.interval_ms:
                self._told[unit.meter.code, point.point] = at
        return Sample(
            unit.meter.code,
            point.point,
            at,
            register.interval_ms,
            value,
            point.unit,
            point.form,
            quality,
            status,
        )


def _dated(register: Register, now: int) -> int:
    width = register.interval_ms
    return now // width * width - width if width else now


def _read(client: ModbusTcpClient, unit_id: int, function: int, start: int, count: int) -> list[int]:
    read = client.read_input_registers if function == INPUT else client.read_holding_registers
    try:
        response = read(start, count=count, device_id=unit_id)
    except ModbusException as exc:
        is_timeout = "no response" in str(exc).lower()
        raise _NoAnswer("timeout" if is_timeout else "no_connection", is_final=True) from exc
    except OSError as exc:
        raise _NoAnswer("no_connection", is_final=True) from exc
    if response.isError():
        code = getattr(response, "exception_code", 0)
        name = EXCEPTIONS.get(code, "unknown")
        raise _NoAnswer(f"exception_{code}_{name}", is_final=False, is_address=code == _ILLEGAL_ADDRESS)
    if response.function_code != function:
        raise _NoAnswer("wrong_function", is_final=True)
    words = list(response.registers)
    if len(words) != count or not all(0 <= word <= 0xFFFF for word in words):
        raise _NoAnswer("short_answer", is_final=True)
    return words


def _unit(source: SourceConfig, meter: MeterConfig, register_map: RegisterMap) -> _Unit:
    table = source.meter_table(meter)
    unit_id = table.integer("unit_id", minimum=0, maximum=255)
    model = table.text("model", choices=tuple(register_map.models))
    table.finish()
    figures = []
    for point in meter.points:
        register = register_map.models[model].get(point.source_name)
        if register is None:
            table.refuse(
                "model", f"{model} has no register {point.source_name!r}", f"add it to {register_map.file}"
            )
        scaled = point.unit == register.unit or point.scale != 1
        if point.form != register.form or not scaled:
            table.refuse(
                "model",
                f"point {point.point} is {point.form} in {point.unit}, "
                f"but register {register.name} is {register.form} in {register.unit}",
                f"write form and unit as {register_map.file} has them, or give a scale to another unit",
            )
        if register.interval_ms and register.interval_ms != point.step_ms:
            table.refuse(
                "model", f"step of point {point.point} is not the interval of its register", "set step to it"
            )
        figures.append(_Figure(point, register))
    return _Unit(meter, unit_id, tuple(figures))
