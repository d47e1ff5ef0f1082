"""A pid file that a killed start left half written is cleared; every other one is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carbonseal_ledger.postgres_remains import clear_half_written_pid

GONE = 4_194_000  # above what this machine hands out


@pytest.mark.parametrize(
    ("text", "is_cleared"),
    [
        (f"{GONE}\n/pg\n1\n5432\n", True),
        (f"{GONE}\n", True),
        (f"{GONE}\n/pg\n1\n5432\n/pg\n\n 1 2\nready\n", False),
        (f"{os.getpid()}\n/pg\n", False),
        ("", False),
        ("not a number\n", False),
    ],
)
def test_clears_only_what_a_dead_start_left_half_written(
    text: str, is_cleared: object, tmp_path: Path
) -> None:
    (tmp_path / "postmaster.pid").write_text(text)
    assert clear_half_written_pid(tmp_path) is is_cleared
    assert (tmp_path / "postmaster.pid").exists() is not is_cleared


def test_nothing_happens_without_a_pid_file(tmp_path: Path) -> None:
    assert clear_half_written_pid(tmp_path) is False
