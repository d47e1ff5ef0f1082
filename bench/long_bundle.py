"""Makes an evidence bundle of any number of readings, for measuring `check`: a plant, many meters, a year.

The cast is that of the check's own tests (`tests/verifier/bundle_factory`): real keys, real logs in memory, a
real chain state, an epoch a day. Nothing in it is drawn: two runs make the same bytes.

    bench/long_bundle.py FOLDER [--readings N] [--a-statement N]     writes evidence.bundle and trust.toml
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "verifier"))

from bundle_factory import (  # noqa: E402 - needs the path above
    DAY,
    GATEWAY,
    HOUR,
    MINUTE,
    OPERATOR,
    START,
    STEP,
    MemoryLog,
    World,
    data,
    plan_body,
    register,
    to_bytes,
)

from carbonseal_attest.contents.readings import Sample, Series, readings_body  # noqa: E402
from carbonseal_attest.instants import format_instant  # noqa: E402
from carbonseal_attest.merkle import Frontier, leaf_hash  # noqa: E402
from carbonseal_attest.trust import format_trust_file  # noqa: E402

METERS: Final = 30  # the first measures what the others do together
A_DAY: Final = DAY // STEP  # readings of one meter
READINGS: Final = 1_000_000
A_STATEMENT: Final = 60


@dataclass
class GrowingLog(MemoryLog):
    """A log that keeps the frontier of what it has hashed, so that each head costs only what is new."""

    frontier: Frontier = field(default_factory=Frontier)

    def root(self, size: int | None = None) -> bytes:
        """The root at a size, by default the present one."""
        if size is not None:
            return super().root(size)
        self.frontier = self.frontier.extend(map(leaf_hash, self.entries[self.frontier.size :]))
        return self.frontier.root()


class LongWorld(World):
    """The cast over a longer time and with more meters."""

    def __init__(self, days: int, a_statement: int) -> None:
        self.meters = [f"m-meter{number:02d}" for number in range(METERS)]
        first, *parts = [self._measurement(meter) for meter in self.meters]
        check = {"id": "parts-in-whole", "check": "sum", "whole": first["id"],
                 "parts": [part["id"] for part in parts], "tolerance_percent": "1"}  # fmt: skip
        stream = plan_body()["source_streams"][0] | {"activity": [{"measurement": first["id"], "sign": 1}]}
        first["capacity_per_hour"] = "100000"
        super().__init__(measurements=[first, *parts], source_streams=[stream], cross_checks=[check])
        self.end, self.a_statement = START + days * DAY, a_statement

    @staticmethod
    def _measurement(meter: str) -> dict[str, Any]:
        main, _ = plan_body()["measurements"]
        return main | {"id": meter.replace("m-", ""), "device": meter, "name": {"zh": meter, "en": meter}}

    def add(self, origin: str, *given: Any, **named: Any) -> Any:
        """Sign a statement and append it."""
        self.logs.setdefault(origin, GrowingLog(origin))
        return super().add(origin, *given, **named)

    def enrol(self, device: str, by: str, subjects: list[str], *given: Any, **named: Any) -> None:
        """Enrol a device; the gateway for every meter."""
        super().enrol(device, by, self.meters if device == GATEWAY else subjects, *given, **named)

    def measure_all(self) -> LongWorld:
        """Seal and register every reading; all meters together, an epoch a day."""
        calibration = {"certificate": "c-1", "laboratory": "a laboratory", "accuracy_class": "0.5",
                       "calibrated_at": START - DAY, "valid_until": self.end + 300 * DAY,
                       "document_digest": None}  # fmt: skip
        for meter in self.meters:
            self.add(register(OPERATOR), OPERATOR, "calibration", {"device": meter, **calibration})
        slots = (self.end - START) // STEP
        closed_at = START
        for first in range(0, slots, self.a_statement):
            count = min(self.a_statement, slots - first)
            start, end = START + first * STEP, START + (first + count) * STEP
            self.now = max(self.now, end + MINUTE)
            for number, meter in enumerate(self.meters):
                samples = [
                    Sample(start + at * STEP, energy(number, first + at, len(self.meters)))
                    for at in range(count)
                ]
                body = readings_body([Series.of("energy", "interval", "kW.h", samples, width_ms=STEP)])
                self.add(data(OPERATOR), GATEWAY, "readings", body, subject=meter,
                         stream=f"readings/{meter}", interval=(start, end), issuer=GATEWAY)  # fmt: skip
            self.tick(data(OPERATOR))
            if end - closed_at >= DAY:
                self.now += MINUTE
                self.close_epoch()
                closed_at = end
        return self


def energy(meter: int, slot: int, meters: int) -> Decimal:
    """What a meter reads in a slot, in kWh: the first one the sum of all others."""
    if meter == 0:
        return sum((energy(other, slot, meters) for other in range(1, meters)), Decimal())
    return Decimal(10_000 + (slot * 7919 + meter * 613) % 997 + 300 * (slot % 96)) / 100


def make(folder: Path, readings: int = READINGS, a_statement: int = A_STATEMENT) -> tuple[Path, Path, str]:
    """Write a bundle of at least `readings` readings and its trust file; return both paths and an instant."""
    days = -(-readings // (METERS * A_DAY))
    world = LongWorld(days, a_statement).found()
    world.measure_all()
    world.file(period=(START, world.end))
    bundle, trust = folder / "evidence.bundle", folder / "trust.toml"
    bundle.write_bytes(to_bytes(world.bundle()))
    trust.write_text(format_trust_file(world.trust()), encoding="utf-8")
    return bundle, trust, format_instant(world.now + HOUR)


def main() -> int:
    """Read the arguments, write the files, say what was made."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("folder", type=Path)
    reader.add_argument("--readings", type=int, default=READINGS)
    reader.add_argument("--a-statement", type=int, default=A_STATEMENT)
    arguments = reader.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    bundle, trust, at = make(arguments.folder, arguments.readings, arguments.a_statement)
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    print(f"{bundle} ({bundle.stat().st_size:,} bytes, SHA-256 {digest})")
    print(f"carbonseal-verifier check {bundle} --trust {trust} --at {at}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
