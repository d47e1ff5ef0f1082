"""One agent a spool: an advisory lock on the spool's folder, let go by the system when the process ends.

Two agents would read the same file before either has signed it, and sign its readings twice. Looking at a
spool needs no lock.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from carbonseal_collectors.errors import SpoolRefused

_NAME: Final = "agent.lock"


class SpoolLock:
    """Held from the beginning until `close`, or until the process ends in whatever way.

    Args:
        folder: of the spool, which exists.

    Raises:
        SpoolRefused: another agent holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise SpoolRefused(
                str(folder), f"cannot be locked ({exc.strerror})", "check its permissions"
            ) from exc
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._file)
            raise SpoolRefused(
                str(folder), "is in use by another collector", "stop that one, or give each its own spool"
            ) from exc

    def close(self) -> None:
        """Lets another agent begin."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
