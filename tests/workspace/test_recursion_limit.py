"""No import raises the interpreter's recursion limit.

A part of the EVM tool chain sets it to 100,000 for the whole process, where hostile JSON of 100 kB, nested as
deeply as it is long, overflows the C stack and ends the process instead of being refused.
"""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "carbonseal_ledger.chain_client",
        "carbonseal_ledger.anchoring",
        "carbonseal_api.app",
        "carbonseal_api.worker_app",
        "carbonseal_api.demo.cli",
    ],
)
def test_import_leaves_the_recursion_limit(module: str) -> None:
    program = f"import sys; a = sys.getrecursionlimit(); import {module}; print(a, sys.getrecursionlimit())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after <= before
