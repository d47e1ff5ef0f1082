"""Small gateway files and samples for the tests."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from log_server import ORIGIN

from carbonseal_attest.signing import Ed25519Signer
from carbonseal_collectors.adapter import Sample
from carbonseal_collectors.gateway_config import GatewayConfig, MeterConfig, PointConfig, load_gateway_config

METER = "m-one"
SIGNER = Ed25519Signer.from_seed(b"\x05" * 32)
QUARTER = 900_000
DAY = 86_400_000
START = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00

CSV_GATEWAY = """
[gateway]
id = "d-gateway"
party = "e-party"
key_file = "gateway.key"
passphrase_env = "TEST_PASSPHRASE"
log_origin = "{origin}"
time_zone = "{zone}"

[uplink]
{uplink}

[[sources]]
id = "files"
adapter = "csv_drop"
window = "civil_day"

[sources.csv_drop]
files = ["*.csv*"]
{csv}

[sources.csv_drop.time]
{time}

[[sources.meters]]
code = "m-one"
name = "One"

[[sources.meters.points]]
point = "energy"
from = "kWh"
quantity = "active_energy"
form = "interval"
unit = "kW.h"
step = "1 h"
"""

TIME = """
column = "time"
format = "%Y-%m-%d %H:%M"
stamp = "interval_start"
interval = "1 h"
"""


def csv_gateway(
    folder: Path, *, csv: str = "", time: str = TIME, zone: str = "Asia/Shanghai", uplink: str = ""
) -> GatewayConfig:
    """A gateway file with one CSV source, one meter, one hourly point; data beside it."""
    path = folder / "gateway.toml"
    path.write_text(CSV_GATEWAY.format(origin=ORIGIN, zone=zone, csv=csv, time=time, uplink=uplink), "utf-8")
    return load_gateway_config(path)


def plant_gateway(
    examples: Path, folder: Path, port: int, *, url: str = "", log_key: str = "", **more: object
) -> GatewayConfig:
    """The shipped plant gateway, pointed at a simulator and a test log."""
    overrides: dict[str, object] = {
        "gateway.id": "d-gateway",
        "gateway.party": "e-party",
        "gateway.log_origin": ORIGIN,
        "gateway.spool_folder": str(folder / "spool"),
        "sources.plant.modbus.port": port,
    }
    if url:
        overrides |= {"uplink.ledger_url": url, "uplink.log_key": log_key}
    return load_gateway_config(examples / "plant" / "gateway.toml", overrides=overrides | more)


def sample(
    at: int, value: str | None, *, point: str = "energy", width: int = 3_600_000, **more: object
) -> Sample:
    """A good hourly interval sample of the test meter."""
    number = None if value is None else Decimal(value)
    form = "interval" if width else "register"
    return Sample(METER, point, at, width, number, "kW.h", form)._replace(**more)


def point(name: str, form: str = "interval") -> PointConfig:
    return PointConfig(name, "active_energy", form, "kW.h", Decimal(1), 3_600_000, name)


def meter(*names: str) -> MeterConfig:
    return MeterConfig(METER, "One", tuple(point(name) for name in names or ("energy",)), {}, "")
