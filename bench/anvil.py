"""A real EVM node (Anvil) for as long as a measurement needs it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from web3 import HTTPProvider, Web3

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children (Anvil's launcher is a parent process) by their ids."""
    family = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
    for member in family:
        member.terminate()
    process.terminate()
    process.wait(timeout=30)
    for member in psutil.wait_procs(family, timeout=10)[1]:
        member.kill()


@contextmanager
def running_anvil() -> Iterator[Web3]:
    """A fresh chain with funded accounts, ended afterwards."""
    port = free_port()
    process = subprocess.Popen(
        [ROOT / "node_modules" / ".bin" / "anvil", "--silent", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        node = Web3(HTTPProvider(f"http://127.0.0.1:{port}"))
        deadline = time.monotonic() + START_SECONDS
        while not node.is_connected():
            assert process.poll() is None, "Anvil ended at once"
            assert time.monotonic() < deadline, f"Anvil did not answer within {START_SECONDS:.0f} s"
            time.sleep(0.05)
        yield node
    finally:
        end(process)
