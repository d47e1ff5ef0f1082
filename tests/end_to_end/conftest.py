"""Runs of the real commands, each once a session, since every one brings up a database and a chain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_BIN = Path(sys.executable).parent
_LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Run:
    """A finished command: its folder of results, exit code and what it printed."""

    out: Path
    exit_code: int
    stdout: str
    stderr: str

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the results."""
        value: dict[str, Any] = json.loads((self.out / name).read_text(encoding="utf-8"))
        return value


def run_command(name: str, arguments: Sequence[object], out: Path = Path()) -> Run:
    """Run an installed command to its end."""
    finished = subprocess.run(
        [str(_BIN / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    return Run(out, finished.returncode, finished.stdout, finished.stderr)


@pytest.fixture(scope="session")
def command() -> Callable[..., Run]:
    """Runs an installed command: command(name, *arguments)."""
    return lambda name, *arguments: run_command(name, arguments)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Runs `carbonseal demo` into a new folder: demo(*options)."""

    def run(*options: object) -> Run:
        out = tmp_path_factory.mktemp("demo")
        return run_command("carbonseal", ["demo", "--out", out, *options], out)

    return run


@pytest.fixture(scope="session")
def plant(demo: Callable[..., Run]) -> Run:
    """A demo of three simulated days at the plant."""
    return demo("--days", 3, "--json")


@pytest.fixture(scope="session")
def faulty(demo: Callable[..., Run]) -> Run:
    """Three days with every fault that the plant can be told."""
    faults = [word for name in ("gap", "stuck", "spike", "reset", "clock-jump") for word in ("--fault", name)]
    return demo("--days", 3, *faults)


@pytest.fixture(scope="session")
def steel(demo: Callable[..., Run], shared_data: Path) -> Run:
    """The steel works' half year through the CSV drop."""
    return demo("--data", shared_data / "steel-daewoo", "--lang", "zh")
