"""The published copy: each log's tiles and checkpoint in a folder, laid out as C2SP tlog-tiles.

It is the second failure domain: a database restored from an old backup agrees perfectly with itself, so
every head is also written here, in production on another disk, before a receipt leaves. Files are written
to a temporary name, synced, renamed, and their folder synced; a checkpoint is replaced only by whoever
knows the one that it replaces (compare-and-set under a file lock). Hash tiles and checkpoints are public;
entry bundles are written on request only and need a grant to be served. It leaves out HTTP and object
stores.

Layout: `<folder>/<origin>/checkpoint`, `<folder>/<origin>/tile/<level>/…`,
    `<folder>/<origin>/tile/entries/…`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.tiles import HASH_SIZE, TILE_WIDTH, Tile, encode_entries, entries_path, tile_path
from carbonseal_ledger.errors import LogDamaged, PublicationFailed, RollbackDetected

_CHECKPOINT: Final = "checkpoint"
_TEMPORARY: Final = ".writing"
_RESTORE: Final = "rebuild the published copy of this log from the database"


class PublishedCopy:
    """The published copies of all logs of one host, under one folder.

    Safe for several processes on one machine: whoever writes a log's copy holds `lock(origin)`.
    """

    def __init__(self, folder: Path, *, with_entry_bundles: bool = False) -> None:
        self.folder = folder
        self.with_entry_bundles = with_entry_bundles
        folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def lock(self, origin: str) -> Iterator[None]:
        """Hold the right to replace a log's checkpoint; waits for other threads and processes."""
        folder = self._log_folder(origin)
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def origins(self) -> list[str]:
        """The origins that have a checkpoint here, sorted."""
        found = []
        for folder, subfolders, files in os.walk(self.folder):
            if _CHECKPOINT in files:
                found.append(Path(folder).relative_to(self.folder).as_posix())
            subfolders[:] = [name for name in subfolders if name != "tile"]
        return sorted(found)

    def checkpoint(self, origin: str) -> str | None:
        """The published checkpoint's note text, None when the log has never been published."""
        try:
            return (self._log_folder(origin) / _CHECKPOINT).read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise LogDamaged(
                "published checkpoint", f"of {origin} cannot be read: {error}", _RESTORE
            ) from error

    def tree_size(self, origin: str) -> int:
        """The published size; 0 when the log has never been published. Checks the form, not the signature.

        Raises:
            LogDamaged: the checkpoint is no checkpoint of this origin.
        """
        note = self.checkpoint(origin)
        return 0 if note is None else read_head(note, origin).tree_size

    def read_tile(self, origin: str, level: int, index: int, width: int) -> bytes:
        """The hash tile of a width, cut out of the full tile or a wider partial one if need be.

        Raises:
            LogDamaged: no such tile, or it has another length than its name says.
        """
        full = self._log_folder(origin) / tile_path(level, index)
        partials = full.with_name(full.name + ".p")
        for path, held in ((partials / str(width), width), (full, TILE_WIDTH)):
            if width < TILE_WIDTH or held == TILE_WIDTH:
                with contextlib.suppress(FileNotFoundError):
                    return self._cut(origin, path, held, width)
        # A size between two publications was never written by itself: a wider partial tile holds it.
        if wider := [w for w in self.partial_widths(origin, level, index) if w > width]:
            return self._cut(origin, partials / str(wider[0]), wider[0], width)
        raise LogDamaged("tile", f"{origin} {tile_path(level, index, width)} is missing", _RESTORE)

    def partial_widths(self, origin: str, level: int, index: int) -> list[int]:
        """The widths at which a partial hash tile is kept, ascending; none once the full one stands."""
        full = self._log_folder(origin) / tile_path(level, index)
        return sorted(int(p.name) for p in full.with_name(full.name + ".p").glob("*") if p.name.isdecimal())

    def _cut(self, origin: str, path: Path, held: int, width: int) -> bytes:
        data = path.read_bytes()
        if len(data) != held * HASH_SIZE:
            place = path.relative_to(self._log_folder(origin)).as_posix()
            raise LogDamaged("tile", f"{origin} {place} has {len(data)} bytes", _RESTORE)
        return data[: width * HASH_SIZE]

    def replace(
        self,
        origin: str,
        *,
        expected: str | None,
        checkpoint: str,
        tiles: Mapping[Tile, bytes],
        bundles: Mapping[tuple[int, int], Sequence[bytes]],
    ) -> None:
        """Write new tiles, then replace the checkpoint that is expected; the caller holds `lock(origin)`.

        Args:
            origin: the log.
            expected: the note text that stands there now; None for a log never published.
            checkpoint: the note text to stand there, whose tree the tiles complete.
            tiles: hash tiles by (level, index, width).
            bundles: entries by (bundle index, width); ignored unless entry bundles are kept.

        Raises:
            RollbackDetected: another checkpoint stands there, or a full tile with other hashes.
            PublicationFailed: a file could not be written or synced. The state of the disk is then unknown:
                stop.
        """
        if self.checkpoint(origin) != expected:
            raise RollbackDetected(
                "published checkpoint",
                f"of {origin} is not the one it should follow",
                "stop every writer, then run fsck",
            )
        folder = self._log_folder(origin)
        files: dict[Path, bytes] = {}
        for (level, index, width), data in tiles.items():
            path = folder / tile_path(level, index, width)
            if path.exists() and path.read_bytes() != data:
                raise RollbackDetected(
                    "tile", f"{origin} {tile_path(level, index, width)} would change", "run fsck"
                )
            files[path] = data
        if self.with_entry_bundles:
            files |= {folder / entries_path(i, width): encode_entries(e) for (i, width), e in bundles.items()}
        try:
            write_durably(files)
            write_durably({folder / _CHECKPOINT: checkpoint.encode()})
        except OSError as error:
            raise PublicationFailed(
                "published copy",
                f"{origin} could not be written: {error}",
                "free the disk, then restart the ledger",
            ) from error
        self._drop_partials(
            [folder / tile_path(level, index) for level, index, width in tiles if width == TILE_WIDTH]
        )
        if self.with_entry_bundles:
            self._drop_partials(
                [folder / entries_path(index) for index, width in bundles if width == TILE_WIDTH]
            )

    def discard(self, origin: str) -> None:
        """Remove a log's copy, to be rebuilt from the database. Only for a copy that was found damaged."""
        with self.lock(origin):
            folder = self._log_folder(origin)
            (folder / _CHECKPOINT).unlink(missing_ok=True)
            shutil.rmtree(folder / "tile", ignore_errors=True)

    def _drop_partials(self, full_paths: Sequence[Path]) -> None:
        # Partial tiles may go once the full one stands (C2SP tlog-tiles); read_tile cuts them out of it.
        for path in full_paths:
            partial = path.with_name(path.name + ".p")
            if partial.exists():
                shutil.rmtree(partial, ignore_errors=True)

    def _log_folder(self, origin: str) -> Path:
        # Origins are lower-case path segments that begin with a letter or digit, so none can leave the
        # folder.
        return self.folder / check_origin(origin)


def read_head(note: str, origin: str) -> Checkpoint:
    """The head that a published note's text claims for an origin; the signature is the caller's to check.

    Raises:
        LogDamaged: no checkpoint, or one of another log.
    """
    try:
        head = Checkpoint.of_note(note)
    except CarbonsealError as error:
        raise LogDamaged("published checkpoint", f"of {origin}: {error.reason}", _RESTORE) from error
    if head.origin != origin:
        raise LogDamaged("published checkpoint", f"of {origin} names {head.origin}", _RESTORE)
    return head


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
    for path in files:
        path.with_name(path.name + _TEMPORARY).replace(path)
    for folder in folders:
        _sync_folder(folder)


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
