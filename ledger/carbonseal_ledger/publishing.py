"""The published copy: each log's tiles and checkpoint in an object store, laid out as C2SP tlog-tiles.

It is the second failure domain: a database restored from an old backup agrees perfectly with itself, so
every head is also written here, in production on another disk or in a bucket, before a receipt leaves. Tiles
never change; a checkpoint is replaced only by whoever knows the one that it replaces (compare-and-set). Hash
tiles and checkpoints are public, and any web server may serve the store as it stands. Entry bundles need a
grant: they are kept, if at all, in a store of their own. It leaves out HTTP and who may read.

Layout: `<origin>/checkpoint`, `<origin>/tile/<level>/…`; in the other store `<origin>/tile/entries/…`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.tiles import (
    HASH_SIZE,
    TILE_WIDTH,
    Tile,
    decode_entries,
    encode_entries,
    entries_path,
    tile_path,
)
from carbonseal_ledger.errors import (
    CopyUnreachable,
    LogDamaged,
    PublicationFailed,
    PublishedMeanwhile,
    RollbackDetected,
)
from carbonseal_ledger.object_store import FolderStore, ObjectDiffers, ObjectMoved, ObjectStore

_CHECKPOINT: Final = "checkpoint"
_RESTORE: Final = "rebuild the published copy of this log from the database"


class PublishedCopy:
    """The published copies of all logs of one host, in one store; a path stands for a folder.

    Safe for several processes. On one machine whoever writes a log's copy holds `lock(origin)`; where the
    store is a bucket, the loser of a race is told `PublishedMeanwhile` and reads again.
    """

    def __init__(self, place: Path | ObjectStore, *, entries: Path | ObjectStore | None = None) -> None:
        self.store: ObjectStore = FolderStore(place) if isinstance(place, Path) else place
        self._entries = FolderStore(entries) if isinstance(entries, Path) else entries

    @property
    def with_entry_bundles(self) -> bool:
        """Whether entry bundles are kept too."""
        return self._entries is not None

    @contextlib.contextmanager
    def lock(self, origin: str) -> Iterator[None]:
        """Hold the right to replace a log's checkpoint; waits for threads, in a folder for processes too.

        Raises:
            PublicationFailed: somebody has held it for a minute.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.store.lock(check_origin(origin)))
            except OSError as error:
                raise PublicationFailed(
                    "published copy",
                    f"{origin} cannot be written: {error}",
                    "end the process that hangs; sending the same bytes again is safe",
                ) from error
            yield

    def origins(self) -> list[str]:
        """The origins that have a checkpoint here, sorted."""
        try:
            return self.store.folders_with(_CHECKPOINT, skip="tile")
        except OSError as error:
            raise CopyUnreachable(
                "published copy", f"cannot be listed: {error}", "bring its storage back"
            ) from error

    def checkpoint(self, origin: str) -> str | None:
        """The published checkpoint's note text, None when the log has never been published."""
        try:
            data = self.store.read(_name(origin, _CHECKPOINT))
            return None if data is None else data.decode()
        except OSError as error:
            raise CopyUnreachable(
                "published copy",
                f"of {origin} cannot be read: {error}",
                "bring its storage back; if it is lost, name a new place and rebuild there",
            ) from error
        except UnicodeDecodeError as error:
            raise LogDamaged(
                "published checkpoint", f"of {origin} cannot be read: {error}", _RESTORE
            ) from error

    def checkpoints(self, origins: Sequence[str]) -> list[str | None]:
        """The published checkpoints of many logs, in order; as `checkpoint`, but side by side in a bucket."""
        try:
            found = self.store.read_many([_name(origin, _CHECKPOINT) for origin in origins])
            return [None if data is None else data.decode() for data in found]
        except (OSError, UnicodeDecodeError) as error:
            raise LogDamaged("published checkpoint", f"cannot be read: {error}", _RESTORE) from error

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
            CopyUnreachable: the storage does not answer, which says nothing about the tile.
        """
        for held in (width, TILE_WIDTH):
            data = self._read(origin, tile_path(level, index, held), held * HASH_SIZE)
            if data is not None:
                return data[: width * HASH_SIZE]
        # A size between two publications was never written by itself: a wider partial tile holds it.
        if wider := [w for w in self.partial_widths(origin, level, index) if w > width]:
            data = self._read(origin, tile_path(level, index, wider[0]), wider[0] * HASH_SIZE)
            if data is not None:
                return data[: width * HASH_SIZE]
        raise LogDamaged("tile", f"{origin} {tile_path(level, index, width)} is missing", _RESTORE)

    def partial_widths(self, origin: str, level: int, index: int) -> list[int]:
        """The widths at which a partial hash tile is kept, ascending; none once the full one stands."""
        names = self.store.names(_name(origin, tile_path(level, index)) + ".p")
        return sorted(int(name) for name in names if name.isdecimal())

    def read_entries(self, origin: str, index: int, width: int) -> list[bytes]:
        """The entries of the kept bundle of a width; of the full one, its first ones.

        Raises:
            LogDamaged: no such bundle, cut off, or with fewer entries.
        """
        if self._entries is None:
            raise LogDamaged("entry bundle", f"none of {origin} is kept", "read the entries themselves")
        for held in (width, TILE_WIDTH):
            path = entries_path(index, held)
            try:
                data = self._entries.read(_name(origin, path))
                entries = None if data is None else decode_entries(data)
            except (OSError, CarbonsealError) as error:
                raise LogDamaged(
                    "entry bundle", f"{origin} {path} cannot be read: {error}", _RESTORE
                ) from error
            if entries is not None:
                if len(entries) != held:
                    raise LogDamaged("entry bundle", f"{origin} {path} has {len(entries)} entries", _RESTORE)
                return entries[:width]
        raise LogDamaged("entry bundle", f"{origin} {entries_path(index, width)} is missing", _RESTORE)

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
            PublishedMeanwhile: another checkpoint stands there.
            RollbackDetected: a tile stands there with other hashes.
            PublicationFailed: a file could not be written or synced. The state of the store is then unknown:
                stop.
        """
        before = None if expected is None else expected.encode()
        if self.checkpoint(origin) != expected:
            raise _moved(origin)
        self._create(origin, tiles, bundles)
        try:
            self.store.replace(_name(origin, _CHECKPOINT), before, checkpoint.encode())
        except ObjectMoved as error:
            raise _moved(origin) from error
        except OSError as error:
            raise _unwritten(origin, error) from error
        self._drop_partials(origin, tiles, bundles)

    def add_full(
        self,
        origin: str,
        *,
        tiles: Mapping[Tile, bytes],
        bundles: Mapping[tuple[int, int], Sequence[bytes]],
    ) -> None:
        """Write the full ones of some tiles and bundles before the checkpoint that covers them, as `replace`.

        For a copy that is far behind, which is then brought forward in parts.
        """
        whole = {tile: data for tile, data in tiles.items() if tile[2] == TILE_WIDTH}
        kept = {bundle: entries for bundle, entries in bundles.items() if bundle[1] == TILE_WIDTH}
        self._create(origin, whole, kept)
        self._drop_partials(origin, whole, kept)

    def _create(
        self,
        origin: str,
        tiles: Mapping[Tile, bytes],
        bundles: Mapping[tuple[int, int], Sequence[bytes]],
    ) -> None:
        try:
            if self._entries is not None:
                self._entries.create(
                    {_name(origin, entries_path(*bundle)): encode_entries(e) for bundle, e in bundles.items()}
                )
            self.store.create({_name(origin, tile_path(*tile)): data for tile, data in tiles.items()})
        except ObjectDiffers as error:
            raise RollbackDetected("tile", f"{error.name} would change", "run fsck") from error
        except OSError as error:
            raise _unwritten(origin, error) from error

    def _drop_partials(self, origin: str, tiles: Iterable[Tile], bundles: Iterable[tuple[int, int]]) -> None:
        # Partial tiles may go once the full one stands (C2SP tlog-tiles); read_tile cuts them out of it.
        full = [_name(origin, tile_path(level, index)) for level, index, w in tiles if w == TILE_WIDTH]
        self.store.remove([name + ".p" for name in full])
        if self._entries is not None:
            full = [_name(origin, entries_path(index)) for index, w in bundles if w == TILE_WIDTH]
            self._entries.remove([name + ".p" for name in full])

    def discard(self, origin: str) -> None:
        """Remove a log's copy, to be rebuilt from the database. Only for a copy that was found damaged."""
        with self.lock(origin):
            self.store.remove([], [_name(origin, _CHECKPOINT)])
            self.store.remove([_name(origin, "tile")])
            if self._entries is not None:
                self._entries.remove([_name(origin, "tile")])

    def _read(self, origin: str, path: str, length: int) -> bytes | None:
        try:
            data = self.store.read(_name(origin, path))
        except OSError as error:
            raise CopyUnreachable(
                "published copy", f"{origin} {path} cannot be read: {error}", "bring its storage back"
            ) from error
        if data is not None and len(data) != length:
            raise LogDamaged("tile", f"{origin} {path} has {len(data)} bytes", _RESTORE)
        return data


def _name(origin: str, path: str) -> str:
    # Origins are lower-case path segments that begin with a letter or digit, so none can leave the store.
    return f"{check_origin(origin)}/{path}"


def _unwritten(origin: str, error: OSError) -> PublicationFailed:
    return PublicationFailed(
        "published copy",
        f"{origin} could not be written: {error}",
        "free or reach its storage, then restart the ledger",
    )


def _moved(origin: str) -> PublishedMeanwhile:
    return PublishedMeanwhile(
        "published checkpoint",
        f"of {origin} is not the one it should follow",
        "read it again; if it goes on, stop every writer and run fsck",
    )


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
