"""Files that only their owner may read, written durably, whole or not at all.

Keys, nonces, and what was signed before it is sent: half a file of these would be worse than none.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from carbonseal_verifier.errors import UsageInvalid
from carbonseal_verifier.paths import in_words


def write_new(path: Path, data: bytes, *, field: str) -> None:
    """Write a file that does not exist yet.

    Raises:
        UsageInvalid: it exists, or cannot be written; nothing that was there is touched.
    """
    temporary = _beside(path)
    try:
        _write(temporary, data)
        os.link(temporary, path)  # unlike a rename it refuses to take another file's place
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise UsageInvalid(
            field, f"{str(path)!r:.120} exists already", "name a file that does not"
        ) from error
    except OSError as error:
        raise _unwritable(path, field, error) from error
    finally:
        _drop(temporary)


def replace(path: Path, data: bytes, *, field: str) -> None:
    """Write a file whole, or leave the old one as it was.

    Raises:
        UsageInvalid: it cannot be written.
    """
    temporary = _beside(path)
    try:
        _write(temporary, data)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        _drop(temporary)
        raise _unwritable(path, field, error) from error


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _drop(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, field: str, error: OSError) -> UsageInvalid:
    return UsageInvalid(
        field, f"{str(path)!r:.120} can't be written: {in_words(error)}", "give a path that can be written"
    )
