"""The gateway file: one TOML file that says who signs, where statements go, and which meters are read.

Parsed once into frozen dataclasses; unknown keys are refused with file, key path and remedy. What an
adapter needs beyond the common keys stands in a table named like the adapter (`[sources.csv_drop]`, or
`csv_drop = {...}` in a meter), which the adapter itself reads as strictly. Paths are relative to the file.
Secrets never stand in the file: it names an environment variable or a file that holds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import check_code, check_origin
from carbonseal_collectors.errors import ConfigInvalid
from carbonseal_collectors.toml_table import Table, read_toml
from carbonseal_collectors.windows import CIVIL_DAY, Window

FORMS: Final = ("register", "interval", "instant")
MAX_METERS: Final = 2_000  # per file; a box that reads more should be two boxes
MAX_POINTS: Final = 64  # per meter; a readings content holds no more series
MAX_POINT_VALUES: Final = 18_000  # of one point in one window; a readings content takes 20,000
MAX_WINDOW_VALUES: Final = 100_000  # of one meter in one window; a content takes 1 MiB
_POINT_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
_DAY_MS: Final = 86_400_000
_KEY: Final = r"[0-9a-f]{64}|[a-z0-9-]+:[0-9a-f]{128,2640}"


@dataclass(frozen=True, slots=True)
class PointConfig:
    """One figure of one meter.

    Attributes:
        point: our name, unique within the meter.
        quantity: what it measures, as the monitoring plan names it (`active_energy`, `gas_volume`, ...).
        form: `register` (a counter's state), `interval` (an amount or mean over a slot) or `instant`.
        unit: UCUM, after scaling.
        scale: factor from the source's figure to `unit`, exact.
        step_ms: the expected grid: one reading is due in every slot of this length.
        source_name: the source's own name for it: a column, a register.
    """

    point: str
    quantity: str
    form: str
    unit: str
    scale: Decimal
    step_ms: int
    source_name: str


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """One meter: its opaque code (the subject of its statements), a name for people, and its points."""

    code: str
    name: str
    points: tuple[PointConfig, ...]
    settings: Mapping[str, object] = field(repr=False)
    path: str

    def point(self, name: str) -> PointConfig:
        """The point called `name`; KeyError when the meter has none."""
        for point in self.points:
            if point.point == name:
                return point
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One source of readings and the meters behind it.

    Attributes:
        window: how its time is cut into statements.
        poll_every_ms: how often `run` asks it, aligned to the clock.
        settle_ms: how long after a window's end it is still open for stragglers. Whoever raises it delays
            the commitment of readings, and the commit delay shows it.
        silent_after_ms: how long after a window's end a source without anything to say counts as silent;
            None: only silence between two readings is a gap (files that arrive whenever they arrive).
    """

    id: str
    adapter: str
    window: Window
    poll_every_ms: int
    settle_ms: int
    silent_after_ms: int | None
    meters: tuple[MeterConfig, ...]
    settings: Mapping[str, object] = field(repr=False)
    file: str
    folder: Path
    data_folder: Path
    path: str

    def settings_table(self) -> Table:
        """The adapter's own table of this source, to be read strictly."""
        return Table(deepcopy(dict(self.settings)), file=self.file, path=f"{self.path}.{self.adapter}")

    def meter_table(self, meter: MeterConfig) -> Table:
        """The adapter's own table of one meter."""
        return Table(deepcopy(dict(meter.settings)), file=self.file, path=f"{meter.path}.{self.adapter}")

    def place(self, key: str = "") -> str:
        """Where this source (or one of its keys) stands, for messages."""
        return f"{self.file}: {self.path}" + (f".{key}" if key else "")


@dataclass(frozen=True, slots=True)
class UplinkConfig:
    """Where statements go.

    Attributes:
        ledger_url: base address of the service; empty means that statements only gather in the spool.
        api_key_env: name of the environment variable that holds the service's key for this party. Whoever
            has it may upload, but cannot sign.
        log_key: the log's public key: 64 hex digits (Ed25519), or its algorithm's name, a colon and hex
            digits. Whoever changes it makes the gateway believe another log's receipts, and delete statements
            that the right log never took.
        batch_statements, batch_bytes: most of one request.
        timeout_ms: of one request; a time-out is never a loss.
        backoff_first_ms, backoff_max_ms: wait after a failure, doubling up to the cap.
        next_log_key: the key that the log host says will take `log_key`'s place; both are believed. Empty
            when none is announced.
    """

    ledger_url: str
    api_key_env: str
    log_key: str
    batch_statements: int
    batch_bytes: int
    timeout_ms: int
    backoff_first_ms: int
    backoff_max_ms: int
    next_log_key: str = ""


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """A key in a PKCS#11 token.

    Attributes:
        module: the vendor's library.
        token: the token's label.
        label, key_id: the key's label and id; at least one is set.
    """

    module: Path
    token: str
    label: str | None
    key_id: bytes | None


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """A whole gateway file.

    Attributes:
        id: opaque code of the gateway, the device that signs.
        party: opaque code of the enterprise, the issuer of its statements.
        key: the encrypted key file, with whose passphrase anybody can sign as this gateway, or the token
            that holds the key.
        passphrase_env, passphrase_file: where the passphrase, or the token's PIN, is found; exactly one is
            set.
        spool_folder: the durable queue. Whoever deletes it forges nothing, but loses what was not yet
            uploaded.
        data_folder: where file sources look.
        plan_file: monitoring plan that goes with the gateway, or None.
        log_origin: the party's data log.
        time_zone: IANA name of the site's zone.
        spool_max_bytes: when the spool is larger, nothing new is taken in, and that is said.
    """

    file: str
    folder: Path
    id: str
    party: str
    key: Path | TokenConfig
    passphrase_env: str
    passphrase_file: Path | None
    spool_folder: Path
    data_folder: Path
    plan_file: Path | None
    log_origin: str
    time_zone: str
    spool_max_bytes: int
    uplink: UplinkConfig
    sources: tuple[SourceConfig, ...]

    @property
    def key_storage(self) -> str:
        """Where the key lies, in the words of a device statement."""
        return "pkcs11" if isinstance(self.key, TokenConfig) else "file"

    def meters(self) -> dict[str, MeterConfig]:
        """Every meter by its code."""
        return {meter.code: meter for source in self.sources for meter in source.meters}


def load_gateway_config(path: Path, *, overrides: Mapping[str, object] | None = None) -> GatewayConfig:
    """The configuration in the file `path`.

    Args:
        path: the TOML file.
        overrides: values set before the file is checked, by key path; a source is named by its id:
            `{"gateway.party": "e-...", "sources.plant.modbus.port": 15020}`. A relative path given here is
            relative to the file like any other.

    Raises:
        ConfigInvalid: naming file, key path and remedy.
    """
    values = read_toml(path)
    for key, value in (overrides or {}).items():
        _override(values, path.name, key, value)
    return parse_gateway_config(values, file=path.name, folder=path.resolve().parent)


def parse_gateway_config(values: Mapping[str, object], *, file: str, folder: Path) -> GatewayConfig:
    """The configuration in already read TOML tables; see `load_gateway_config`."""
    top = Table(values, file=file)
    gateway = top.table("gateway")
    time_zone = _zone(gateway, "time_zone")
    passphrase_env = gateway.text("passphrase_env", "", pattern=r"[A-Za-z_][A-Za-z0-9_]*")
    passphrase_file = gateway.text("passphrase_file", "")
    if bool(passphrase_env) == bool(passphrase_file):
        gateway.refuse(
            "passphrase_env",
            "exactly one of passphrase_env and passphrase_file is needed",
            "name the environment variable, or the file, that holds the key's passphrase",
        )
    key_file = gateway.text("key_file", "")
    token = _token(gateway.table("pkcs11"), folder) if "pkcs11" in gateway else None
    if bool(key_file) == (token is not None):
        gateway.refuse(
            "key_file",
            "exactly one of key_file and the table pkcs11 is needed",
            "name the encrypted key file, or the token that holds the key",
        )
    plan_file = gateway.text("plan_file", "")
    data_folder = folder / gateway.text("data_folder", ".")
    identity, party = _code(gateway, "id"), _code(gateway, "party")
    log_origin = _checked(gateway, "log_origin", gateway.text("log_origin"))
    config = GatewayConfig(
        file=file,
        folder=folder,
        id=identity,
        party=party,
        key=token or folder / key_file,
        passphrase_env=passphrase_env,
        passphrase_file=folder / passphrase_file if passphrase_file else None,
        spool_folder=folder / gateway.text("spool_folder", "spool"),
        data_folder=data_folder,
        plan_file=folder / plan_file if plan_file else None,
        log_origin=log_origin,
        time_zone=time_zone,
        spool_max_bytes=gateway.integer("spool_max_bytes", 1 << 30, minimum=1 << 20),
        uplink=_uplink(top.table("uplink", optional=True)),
        sources=tuple(
            _source(table, folder=folder, data_folder=data_folder, time_zone=time_zone)
            for table in top.tables("sources", maximum=200)
        ),
    )
    gateway.finish()
    top.finish()
    _check_unique(config)
    return config


def _token(table: Table, folder: Path) -> TokenConfig:
    label, key_id = table.text("key", ""), table.text("key_id", "", pattern=r"([0-9a-f]{2}){1,64}")
    if not label and not key_id:
        table.refuse("key", "names no key", "give the key's label as key, its id as key_id, or both")
    config = TokenConfig(
        module=folder / table.text("module"),
        token=table.text("token"),
        label=label or None,
        key_id=bytes.fromhex(key_id) or None,
    )
    table.finish()
    return config


def _uplink(table: Table) -> UplinkConfig:
    config = UplinkConfig(
        ledger_url=table.text("ledger_url", "", pattern=r"https?://[^\s]+").rstrip("/"),
        api_key_env=table.text("api_key_env", "", pattern=r"[A-Za-z_][A-Za-z0-9_]*"),
        log_key=table.text("log_key", "", pattern=_KEY),
        next_log_key=table.text("next_log_key", "", pattern=_KEY),
        batch_statements=table.integer("batch_statements", 200, minimum=1, maximum=10_000),
        batch_bytes=table.integer("batch_bytes", 4 << 20, minimum=1 << 16, maximum=64 << 20),
        timeout_ms=table.duration("timeout", "30 s", maximum=3_600_000) or 0,
        backoff_first_ms=table.duration("backoff_first", "1 s", maximum=3_600_000) or 0,
        backoff_max_ms=table.duration("backoff_max", "5 min", maximum=_DAY_MS) or 0,
    )
    table.finish()
    return config


def _source(table: Table, *, folder: Path, data_folder: Path, time_zone: str) -> SourceConfig:
    identity = table.text("id", pattern=r"[a-z][a-z0-9_-]{0,40}")
    adapter = table.text("adapter", pattern=r"[a-z][a-z0-9_]{0,40}")
    zone = _zone(table, "time_zone", time_zone)
    settings = table.table(adapter, optional=True)
    meters = tuple(_meter(entry, adapter) for entry in table.tables("meters", maximum=MAX_METERS))
    if not meters:
        table.refuse("meters", "is empty", "describe at least one meter with [[sources.meters]]")
    config = SourceConfig(
        id=identity,
        adapter=adapter,
        window=_window(table, zone),
        poll_every_ms=table.duration("poll_every", "1 min") or 0,
        settle_ms=table.duration("settle", 0, minimum=0) or 0,
        silent_after_ms=table.duration("silent_after", None, minimum=0),
        meters=meters,
        settings={key: settings.raw(key) for key in settings},
        file=table.file,
        folder=folder,
        data_folder=data_folder,
        path=table.path,
    )
    table.finish()
    for meter in meters:
        values = [(config.window.length_ms or _DAY_MS) // point.step_ms for point in meter.points]
        if max(values) > MAX_POINT_VALUES or sum(values) > MAX_WINDOW_VALUES:
            table.refuse(
                "window",
                f"holds more readings of meter {meter.code} than one statement takes",
                "shorten the window, or read its points less often",
            )
    return config


def _meter(table: Table, adapter: str) -> MeterConfig:
    settings = table.table(adapter, optional=True)
    points = tuple(_point(entry) for entry in table.tables("points", maximum=MAX_POINTS))
    meter = MeterConfig(
        code=_code(table, "code"),
        name=table.text("name"),
        points=points,
        settings={key: settings.raw(key) for key in settings},
        path=table.path,
    )
    if len({point.point for point in points}) != len(points) or not points:
        table.refuse(
            "points", "are none, or one is named twice", "give every meter points with different names"
        )
    table.finish()
    return meter


def _point(table: Table) -> PointConfig:
    name = table.text("point", pattern=_POINT_NAME)
    scale = table.decimal("scale", "1")
    if scale == 0:
        table.refuse("scale", "is zero", "give the factor from the source's figure to the unit")
    point = PointConfig(
        point=name,
        quantity=table.text("quantity", pattern=_POINT_NAME),
        form=table.text("form", choices=FORMS),
        unit=table.text("unit", pattern=r"[!-~]{1,40}"),
        scale=scale,
        step_ms=table.duration("step", minimum=1_000, maximum=_DAY_MS) or 0,
        source_name=table.text("from", name),
    )
    table.finish()
    return point


def _window(table: Table, zone: str) -> Window:
    if table.raw("window") == CIVIL_DAY:
        return Window(0, zone)
    length = table.duration("window", minimum=1_000, maximum=_DAY_MS)
    if length is None or _DAY_MS % length:
        table.refuse(
            "window", "does not divide a day", 'write "civil_day" or a length such as "15 min" or "1 h"'
        )
    return Window(length, zone)


def _zone(table: Table, key: str, default: str | None = None) -> str:
    name = table.text(key) if default is None else table.text(key, default)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.refuse(key, f"{name!r} is not a time zone", 'write an IANA name such as "Asia/Shanghai"')
    return name


def _code(table: Table, key: str) -> str:
    value = table.text(key)
    try:
        return check_code(value, field=table.place(key))
    except CarbonsealError as exc:
        raise ConfigInvalid(exc.field, exc.reason, exc.remedy) from exc


def _checked(table: Table, key: str, value: str) -> str:
    try:
        return check_origin(value, field=table.place(key))
    except CarbonsealError as exc:
        raise ConfigInvalid(exc.field, exc.reason, exc.remedy) from exc


def _check_unique(config: GatewayConfig) -> None:
    seen: set[str] = set()
    for source in config.sources:
        for name, place in ((source.id, source.path), *((meter.code, meter.path) for meter in source.meters)):
            if name in seen:
                raise ConfigInvalid(
                    f"{config.file}: {place}",
                    f"{name} is used twice",
                    "give every source and meter its own code",
                )
            seen.add(name)


def _override(values: dict[str, object], file: str, key: str, value: object) -> None:
    place: object = values
    parts = key.split(".")
    for part in parts[:-1]:
        if isinstance(place, list):
            place = next((item for item in place if isinstance(item, dict) and item.get("id") == part), None)
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
    if not isinstance(place, dict) or not re.fullmatch(r"[a-z0-9_-]+", parts[-1]):
        raise ConfigInvalid(
            f"{file}: {key}", "cannot be set from outside", "name a key, or sources.<id>.<key>"
        )
    place[parts[-1]] = value
