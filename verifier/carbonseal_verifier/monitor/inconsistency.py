"""What a monitor finds, and the file in which it keeps the evidence.

Two notes of one size with different roots, each with the log's signature, convict the log before anybody;
everything else shows what was served and when, on the monitor's word.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from carbonseal_attest.instants import format_instant
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.private_files import replace

FORMAT: Final = "carbonseal-monitor-evidence/v1"
SPLIT_VIEW: Final = "split-view"  # two signed heads that no history holds both of
WENT_BACK: Final = "went-back"  # the log shows fewer entries than it has shown
NOT_GROWN: Final = "not-grown"  # the new head does not extend the one before, or its tiles don't lead to it
TILE: Final = "tile"  # a tile changed, or is not what its entries give
NOT_SIGNED: Final = "not-signed"  # a checkpoint that the log's key did not sign
EPOCH: Final = "epoch"  # the log of logs' entries are out of order or no epochs
EPOCH_MAP: Final = "epoch-map"  # a map is not its epoch's, drops an origin or holds a head that did not grow


@dataclass(frozen=True, slots=True)
class SeenNote:
    """A signed note and where it was seen."""

    source: str
    note: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One inconsistency. `is_proof`: the notes alone convict the log; `served` are bytes by path."""

    kind: str
    origin: str
    reason: str
    notes: tuple[SeenNote, ...] = ()
    is_proof: bool = False
    served: Mapping[str, bytes] = field(default_factory=dict)

    def to_json(self, keys: Sequence[Vkey], at: int) -> dict[str, Any]:
        """Return the evidence as it is written; `at` is when it was found, in milliseconds."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "origin": self.origin,
            "reason": self.reason,
            "is_proof": self.is_proof,
            "found_at": format_instant(at),
            "log_keys": [str(key) for key in keys],
            "notes": [{"source": one.source, "note": one.note} for one in self.notes],
            "served": {path: base64.b64encode(data).decode() for path, data in self.served.items()},
        }

    def write(self, folder: Path, keys: Sequence[Vkey], at: int) -> Path:
        """Write the evidence once, and return where it lies.

        Raises:
            UsageInvalid: the folder cannot be written.
        """
        value = self.to_json(keys, at)
        same = json.dumps({**value, "found_at": None}, sort_keys=True).encode()
        path = folder / f"evidence-{self.kind}-{hashlib.sha256(same).hexdigest()[:16]}.json"
        if not path.exists():
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
            replace(path, text.encode(), field="--state")
        return path


class Inconsistent(Exception):
    """Carries a finding out of whatever was being looked at; never leaves the monitor."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding
