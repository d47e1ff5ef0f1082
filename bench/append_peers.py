"""What others append a second: a Merkle library on SQLite, and hashing alone with nothing kept.

Neither verifies a signature, refuses a duplicate or publishes anything: they stand beside registration to
show what all that costs. The library runs in an environment of its own (`bench/peers/requirements.lock`),
since its licence is not ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from anvil import ROOT
from carbonseal_attest.merkle import Frontier, leaf_hash
from figures import Measure
from machine_limits import best_rate

ENTRIES: Final = 50_000
BATCH: Final = 250
ENTRY_BYTES: Final = 423  # a statement of 15 readings
SECONDS: Final = 300
_LOCK: Final = Path(__file__).parent / "peers" / "requirements.lock"
_PROGRAM: Final = Path(__file__).parent / "peers" / "pymerkle_appends.py"


def pymerkle_measures(folder: Path) -> list[Measure]:
    """Appends and inclusion proofs a second of pymerkle on SQLite, after `ENTRIES` entries."""
    python = _environment()
    told = subprocess.run(
        [python, _PROGRAM, folder / "peer.sqlite3", str(ENTRIES), str(BATCH), str(ENTRY_BYTES)],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    answer = json.loads(told.stdout)
    return [
        Measure("pymerkle_sqlite_appends_per_second", answer["appends_per_second"], "1/s"),
        Measure("pymerkle_sqlite_proofs_per_second", answer["proofs_per_second"], "1/s"),
    ]


def hash_only_measure() -> Measure:
    """Entries a second that are hashed into a tree, batch by batch, with nothing kept but the head."""
    batch = [os.urandom(ENTRY_BYTES) for _ in range(BATCH)]
    frontier = Frontier()

    def once() -> None:
        nonlocal frontier
        frontier = frontier.extend([leaf_hash(raw) for raw in batch])
        frontier.root()

    return Measure("hash_only_appends_per_second", best_rate(once, batch=1) * BATCH, "1/s")


def _environment() -> Path:
    venv = ROOT / ".venv-bench"
    python, made = venv / "bin" / "python", venv / ".made-from"
    pins = _LOCK.read_text(encoding="utf-8")
    if not made.is_file() or made.read_text(encoding="utf-8") != pins:
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", venv], check=True)
        subprocess.run(
            [ROOT / ".venv" / "bin" / "uv", "pip", "sync", "--quiet", "--require-hashes", _LOCK],
            env=os.environ | {"VIRTUAL_ENV": str(venv)},
            check=True,
        )
        made.write_text(pins, encoding="utf-8")
    return python
