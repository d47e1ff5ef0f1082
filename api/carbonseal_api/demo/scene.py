"""What the stretches of the demo share: its options, the scene they play on, and what was filed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from carbonseal_api.demo.cast import Cast
from carbonseal_api.demo.narrator import Narrator
from carbonseal_api.demo.stage import Stage
from carbonseal_api.filing.service import FiledReport
from carbonseal_attest.bundle_layout import EvidenceBundle
from carbonseal_attest.instants import Clock, parse_instant
from carbonseal_collectors.simulators.plant import Fault

PLANT_START: Final = parse_instant("2025-12-31T16:00:00Z")  # 1 January 2026 in Shanghai
PLANT_DAYS: Final = 31


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for on the command line; `data` None means the simulated plant."""

    out: Path
    data: Path | None = None
    gateway: Path | None = None
    language: str = "en"
    port: int = 0
    days: int = PLANT_DAYS
    faults: tuple[Fault, ...] = ()
    is_serving: bool = False


@dataclass(slots=True)
class Filed:
    """A filed period with everything that was made of it."""

    report: FiledReport
    pdf: bytes
    bundle: EvidenceBundle
    bundle_bytes: bytes
    trust: bytes
    at: int

    @property
    def is_green(self) -> bool:
        """Whether the period's data code is green."""
        return bool(self.report.recomputed.quality_body["code"] == "green")


@dataclass(slots=True)
class Scene:
    """What all stretches share."""

    options: DemoOptions
    narrator: Narrator
    cast: Cast
    clock: Clock
    stage: Stage
    gateway_file: Path
    figures: dict[str, str] = field(default_factory=dict)
