"""Paths given on the command line: what cannot be opened is refused in words, before any work is done.

A result's path is looked at first, so that a check of many minutes does not end in a refusal. Left out: what
changes on the disk meanwhile; writing says so itself.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from carbonseal_attest.trust import MAX_TRUST_FILE, TrustFile
from carbonseal_verifier.errors import UsageInvalid

_WORDS: Final = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory"),
    (NotADirectoryError, "a part of the path is no directory"),
    (PermissionError, "permission is denied"),
)


def in_words(error: OSError) -> str:
    """Return why a file could not be opened, without numbers and without the path."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return error.strerror or type(error).__name__


def open_input(path: Path, field: str, remedy: str) -> BinaryIO:
    """Return an input file, opened for reading.

    A pipe or a device is refused: it may never answer, never end, or not be read twice.

    Raises:
        UsageInvalid: it cannot be opened, or is no regular file.
    """
    try:
        stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - only this one takes an opener
    except (OSError, ValueError) as error:
        reason = in_words(error) if isinstance(error, OSError) else "not a path"
        raise UsageInvalid(field, f"{str(path)!r:.120} can't be opened: {reason}", remedy) from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UsageInvalid(field, f"{str(path)!r:.120} is no regular file", remedy)
    return stream


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for anybody at the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_trust(path: Path, field: str = "--trust") -> TrustFile:
    """Return the trust file at a path.

    Raises:
        UsageInvalid: it cannot be opened.
        TrustInvalid: it is none.
    """
    with open_input(path, field, "give the path of a trust file") as stream:
        return TrustFile.parse(stream.read(MAX_TRUST_FILE + 1))


def check_output(path: Path | None, field: str = "--json") -> None:
    """Refuse a result's path that cannot be written; None and `-` always can.

    Raises:
        UsageInvalid: no such directory, a directory itself, or no permission.
    """
    if path is None or str(path) == "-":
        return
    reason = None
    if path.is_dir():
        reason = "it is a directory"
    elif not path.parent.is_dir():
        reason = "there is no such directory"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = "permission is denied"
    if reason is not None:
        raise _unwritable(field, path, reason)


def write_output(path: Path, text: str, field: str = "--json") -> None:
    """Write a result's JSON where the user wants it.

    Raises:
        UsageInvalid: the file cannot be written; exit code 1 would say that something did not pass.
    """
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise _unwritable(field, path, in_words(error)) from error


def _unwritable(field: str, path: Path, reason: str) -> UsageInvalid:
    return UsageInvalid(field, f"{str(path)!r:.120} can't be written: {reason}", "give another path, or -")
