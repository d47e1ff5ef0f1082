"""What every room's tests share: the folder of real inputs, and a last line that counts skips.

It imports no room, so that a room's tests also run where that room alone is installed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent))
from s3_stand_in import running_s3
from soft_token import SoftToken, TokenMissing, open_token

_ROOT = Path(__file__).resolve().parent.parent
_SHARED_DATA = Path(os.environ.get("CARBONSEAL_SHARED_DATA", _ROOT.parent / "shared" / "data"))

_RECURSION_LIMIT = sys.getrecursionlimit()
_MEMORY = "/dev/shm"  # the tests' databases sync at each commit
_MEMORY_BYTES = 4 << 30


def _lay_out_in_memory() -> None:
    """Let temporary folders lie in memory, or else in a place whose path is short enough for sockets.

    What a test shows about kill -9 holds there as on a disk; none of them shows anything about power.
    """
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES
    os.environ["TMPDIR"] = tempfile.tempdir = _MEMORY if has_room else "/tmp"


_lay_out_in_memory()


def pytest_runtest_setup() -> None:
    """Keeps the interpreter's limit, which a part of the EVM tool chain raises a hundredfold on import.

    Tests import such parts to look at ours from outside; no test may pass or crash because another did.
    """
    sys.setrecursionlimit(_RECURSION_LIMIT)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real meter files and public vectors, beside the repository.

    CARBONSEAL_SHARED_DATA names another place. Where it is missing the test is skipped, and the
    summary names the folder.
    """
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"REAL DATA MISSING: no folder {_SHARED_DATA}; set CARBONSEAL_SHARED_DATA")
    return _SHARED_DATA


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    """A PKCS#11 token in software; tests make keys of their own in it. Skipped loudly without one."""
    pytest.importorskip("pkcs11", reason="TOKEN NOT TESTED: python-pkcs11 is not installed here")
    try:
        made = open_token(_ROOT / ".build", tmp_path_factory.mktemp("token"))
    except TokenMissing as missing:
        pytest.skip(f"TOKEN NOT TESTED: no SoftHSM: {missing}")
    yield made
    made.session.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """A boto3 client of S3-compatible storage: moto's server over HTTP, a stand-in for the real thing."""
    with running_s3() as client:
        yield client


@pytest.fixture(scope="session")
def is_long_run() -> bool:
    """True under make test-long: drills then run their full counts."""
    return os.environ.get("CARBONSEAL_LONG") == "1"


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The repository's root folder."""
    return _ROOT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests did not run, so that a green line cannot hide them."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    deselected = len(terminalreporter.stats.get("deselected", []))
    left_out = f", {deselected} left out" if deselected else ""
    terminalreporter.write_line(
        f"not run: {skipped} skipped{left_out}; drills run a small count unless asked (make test-long)"
    )
