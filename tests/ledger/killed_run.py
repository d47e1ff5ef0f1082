"""What the drill of `test_steps` runs and kills: batches, an opening and an epoch, in its own process."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger import steps
from carbonseal_ledger.database import open_database
from carbonseal_ledger.decisions_in_force import Operators
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.recovery import Recovery


@dataclass(frozen=True)
class Errand:
    """What is to be done, on which ledger; can be sent to another process."""

    url: str
    published: str
    log_seed: bytes
    registrar_seed: bytes
    now: int
    batches: tuple[tuple[str, tuple[tuple[bytes, bytes | None], ...]], ...]
    genesis: tuple[bytes, bytes]
    epochs: int
    diary: str
    operator_seeds: tuple[bytes, bytes] = (bytes(32), bytes([1]) * 32)
    decision: dict[str, Any] | None = None


def started(errand: Errand, engine: Engine) -> LogHost:
    """The log host of the errand; its clock stands."""
    return LogHost(
        engine, PublishedCopy(Path(errand.published)), Ed25519Signer.from_seed(errand.log_seed),
        lambda: errand.now, name="log.carbonseal.example", party="h-host", registrar="r-registrar",
        registrar_keys=[Ed25519Signer.from_seed(errand.registrar_seed).public], verify_threads=1,
    )  # fmt: skip


def recovery(errand: Errand, engine: Engine) -> Recovery:
    """What two operators recover the errand's ledger with."""
    keys = [Ed25519Signer.from_seed(seed).public for seed in errand.operator_seeds]
    return Recovery(
        engine, PublishedCopy(Path(errand.published)), Ed25519Signer.from_seed(errand.log_seed),
        lambda: errand.now, operators=Operators("log.carbonseal.example", "h-host", keys),
    )  # fmt: skip


def perform(host: LogHost, errand: Errand, tell: Callable[[Any], None]) -> None:
    """Do what is not done yet, in order, and tell every answer; all but the epoch may be sent twice."""
    for origin, items in errand.batches:
        for outcome in host.register(origin, [Submission(*item) for item in items]):
            if outcome.index is not None and outcome.digest is not None:
                tell([origin, outcome.index, outcome.digest.hex()])
    host.open_log(*errand.genesis)
    if len(host.epochs()) == errand.epochs:
        host.build_epoch()


class Diary:
    """Every checkpoint that anybody could have seen, and every answer, kept outside of the process."""

    def __init__(self, errand: Errand, engine: Engine) -> None:
        self._path = Path(errand.diary)
        self._engine = engine
        self._published = PublishedCopy(Path(errand.published))
        self._noted: set[str] = set()

    def note(self) -> None:
        """Write down the checkpoints that database and published copy show now."""
        seen = {note for o in self._published.origins() if (note := self._published.checkpoint(o))}
        with self._engine.connect() as connection:
            seen |= set(connection.execute(text("SELECT checkpoint FROM ledger_logs")).scalars())
        for note in sorted(seen - self._noted):
            self.write({"checkpoint": note})
        self._noted |= seen

    def write(self, line: dict[str, Any]) -> None:
        """Add one line, in one write."""
        handle = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        os.write(handle, (json.dumps(line) + "\n").encode())
        os.close(handle)

    def lines(self, name: str) -> list[Any]:
        """What was written under a name, in order."""
        if not self._path.exists():
            return []
        lines = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [line[name] for line in lines if name in line]


def run_until(errand: Errand, step: str, occurrence: int) -> None:
    """Start, do the errand or what was decided, and die when a step is passed for the given time (from 1)."""
    engine = open_database(errand.url, Path("/unused"), pool_size=2)
    diary = Diary(errand, engine)
    left = occurrence

    def watcher(name: str) -> None:
        nonlocal left
        diary.note()
        if name == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    steps.watch(watcher)
    if errand.decision is not None:
        recovery(errand, engine).carry_out(errand.decision)
        return
    perform(started(errand, engine), errand, lambda answer: diary.write({"answer": answer}))
    diary.note()
