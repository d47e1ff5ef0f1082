"""Object stores: where a log's published files lie, by name, with compare-and-set.

A store keeps whole files under names with slashes. What it has answered for is durable; a file is never half
there; of two writers that replace the same file, the one that did not see the other's is told so. Two kinds:
`FolderStore`, a folder on a disk, and `s3_store.S3Store`, a bucket of any S3-compatible storage. What the
files mean belongs to `publishing`; how they are served, to `serving_headers`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from carbonseal_ledger.steps import at_step

FOREVER: Final = "public, max-age=31536000, immutable"
AN_HOUR: Final = "public, max-age=3600"
SHORT: Final = "public, max-age=5, must-revalidate"
LOCK_SECONDS: Final = 60.0  # as the database's lock_timeout; a publication takes milliseconds
_LOOK_SECONDS: Final = 0.005
_TEMPORARY: Final = ".writing"
_LOCK: Final = ".lock"


class StoreFailed(OSError):
    """A store could not be read or written; what was being written may or may not be there."""


class ObjectDiffers(Exception):
    """A file that never changes stands there with other bytes. `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ObjectMoved(Exception):
    """The file to be replaced is not the one that was expected: somebody else replaced it."""


class ObjectStore(Protocol):
    """Whole files by name. Names are relative paths of lower-case segments; the caller has checked them."""

    def __str__(self) -> str:
        """Return what a person calls the store: a folder, or a bucket's address."""

    def lock(self, folder: str) -> AbstractContextManager[None]:
        """Hold the right to write below a folder, as far as the store can give it.

        A folder gives it against every process of the machine, a bucket only against threads of this one:
        there `replace` alone decides.
        """

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None when there is none.

        Raises:
            OSError: the store does not answer.
        """

    def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """As `read`, of many files, in order."""

    def create(self, files: Mapping[str, bytes]) -> None:
        """Write files that never change; durable on return. One that is there with the same bytes is fine.

        Raises:
            ObjectDiffers: one is there with other bytes; which of the others were written is not said.
            OSError: one could not be written.
        """

    def replace(self, name: str, expected: bytes | None, data: bytes) -> None:
        """Write a file in place of the expected one (None: of none), atomically; durable on return.

        Raises:
            ObjectMoved: another one stands there.
            OSError: it could not be written, or it is not known whether it was.
        """

    def names(self, folder: str) -> list[str]:
        """Return the names of the files that lie directly in a folder, without the folder's, sorted."""

    def folders_with(self, name: str, skip: str) -> list[str]:
        """Return the folders that hold a file of that name, sorted; folders called `skip` are not entered."""

    def remove(self, folders: Sequence[str], names: Sequence[str] = ()) -> None:
        """Remove whole folders, and single files. What cannot be removed is left: it does no harm."""


class FolderStore:
    """A folder on a disk: temporary name, sync, rename, sync of the folder. Safe for several processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __str__(self) -> str:
        return str(self.folder)

    @contextlib.contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        """Hold the folder's lock file; waits for other threads and processes, but not for ever.

        Raises:
            StoreFailed: whoever holds it has not let go for a minute: it hangs, or was stopped.
        """
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        handle = os.open(place / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            self._acquire(handle, folder)
            yield
        finally:
            os.close(handle)

    def _acquire(self, handle: int, folder: str) -> None:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreFailed(f"{folder} is held by a process that does not let go") from None
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def read(self, name: str) -> bytes | None:
        """As `ObjectStore.read`."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """As `ObjectStore.read_many`."""
        return [self.read(name) for name in names]

    def create(self, files: Mapping[str, bytes]) -> None:
        """As `ObjectStore.create`; what is there is written again, so that it is synced for sure."""
        paths = {self.folder / name: data for name, data in files.items()}
        for (name, data), path in zip(files.items(), paths, strict=True):
            if path.exists() and path.read_bytes() != data:
                raise ObjectDiffers(name)
        write_durably(paths)

    def replace(self, name: str, expected: bytes | None, data: bytes) -> None:
        """As `ObjectStore.replace`; atomic for whoever holds the lock of the file's folder."""
        if self.read(name) != expected:
            raise ObjectMoved(name)
        write_durably({self.folder / name: data})

    def names(self, folder: str) -> list[str]:
        """As `ObjectStore.names`."""
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self.folder / folder) as found,
        ):
            return sorted(
                item.name
                for item in found
                if item.is_file() and item.name != _LOCK and not item.name.endswith(_TEMPORARY)
            )
        return []

    def folders_with(self, name: str, skip: str) -> list[str]:
        """As `ObjectStore.folders_with`."""
        found = []
        for folder, subfolders, files in os.walk(self.folder):
            if name in files:
                found.append(Path(folder).relative_to(self.folder).as_posix())
            subfolders[:] = [sub for sub in subfolders if sub != skip]
        return sorted(found)

    def remove(self, folders: Sequence[str], names: Sequence[str] = ()) -> None:
        """As `ObjectStore.remove`."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        for folder in folders:
            shutil.rmtree(self.folder / folder, ignore_errors=True)


def write_durably(files: Mapping[Path, bytes]) -> None:
    """Write files so that after a power cut each is whole: temporary name, sync, rename, sync folder."""
    folders = set()
    for path, data in files.items():
        if path.parent not in folders:
            _make_folder(path.parent)
            folders.add(path.parent)
        temporary = path.with_name(path.name + _TEMPORARY)
        handle = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        try:
            with os.fdopen(handle, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(handle)
        finally:
            os.close(handle)
        at_step("file written")
    for path in files:
        path.with_name(path.name + _TEMPORARY).replace(path)
        at_step("file named")
    for folder in folders:
        _sync_folder(folder)
    at_step("files durable")


def serving_headers(name: str) -> tuple[str, str]:
    """Return media type and `Cache-Control` with which a published file is served (C2SP tlog-tiles).

    A full tile never changes. Neither does a partial one, but nobody asks for it for long. A checkpoint is
    replaced all the time.
    """
    if name.rpartition("/")[2] == "checkpoint":
        return "text/plain; charset=utf-8", SHORT
    return "application/octet-stream", AN_HOUR if ".p/" in name else FOREVER


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
