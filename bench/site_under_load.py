"""Starts the service process for a measurement, waits until it answers, and ends it with its database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anvil import free_port
from fleet import Gateway
from uploads import Site

START_SECONDS = 120.0
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunningSite:
    """A service under load: where to send, its database, and where its files are."""

    site: Site
    database: str
    folder: Path

    @property
    def published(self) -> Path:
        """The published copy: tiles and checkpoints."""
        return self.folder / "published"


@contextmanager
def running_site(folder: Path, gateways: Sequence[Gateway]) -> Iterator[RunningSite]:
    """A founded service with these gateways enrolled; its folder must have a short path."""
    enrolled = [
        {"code": g.code, "seed": g.signer.seed.hex(), "meters": [meter.code for meter in g.meters]}
        for g in gateways
    ]
    (folder / "gateways.json").write_text(json.dumps(enrolled), encoding="utf-8")
    port = free_port()
    script = Path(__file__).with_name("service_process.py")
    process = subprocess.Popen(
        [sys.executable, script, folder, str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the service ended before it was founded; its reason stands above"
        facts = json.loads(line)
        _wait_until_it_answers(port, process)
        yield RunningSite(
            Site(port, facts["party"], facts["origin"], facts["api_key"]), facts["database"], folder
        )
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_until_it_answers(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended at once"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    message = f"the service did not answer within {START_SECONDS:.0f} s"
    raise TimeoutError(message)
