"""Puts this folder on the path (for `log_server`, `gateways`) and builds gateways for the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from log_server import LogServer


@pytest.fixture
def log_server() -> Iterator[LogServer]:
    """A real log behind real HTTP on a loopback port."""
    with LogServer() as server:
        yield server
