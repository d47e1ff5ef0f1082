"""Clears what a PostgreSQL killed while it was starting leaves behind: a half-written `postmaster.pid`.

The embedded server's wheel cannot read such a file and would never start the server again. A complete file is
left to PostgreSQL itself, which checks by it whether old sessions still hold shared memory.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import psutil

_COMPLETE_LINES: Final = 8  # the last one is the status, written when start-up has got that far


def clear_half_written_pid(folder: Path) -> bool:
    """Remove the half-written pid file of a postmaster that is gone; returns whether there was one."""
    pid_file = folder / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = pid_file.read_text().splitlines()
        if len(lines) < _COMPLETE_LINES and not psutil.pid_exists(int(lines[0])):
            pid_file.unlink()
            return True
    return False
