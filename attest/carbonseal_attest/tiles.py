"""Tiles of a log as C2SP tlog-tiles lays them out: paths, contents, and how a tree grows tile by tile.

A hash tile at level L holds up to 256 hashes of perfect subtrees of 256^L leaves. An entry bundle holds up to
256 entries, each after its length in two bytes. Pure layout: reading and writing belong to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import root_of

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HASH_SIZE: Final = 32
MAX_ENTRY: Final = 0xFFFF  # bytes; the length prefix has two
MAX_LEVEL: Final = 63

Tile = tuple[int, int, int]  # level, index, width
ReadTile = Callable[[int, int, int], bytes]


_PATH: Final = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class TileName:
    """What a path of a tiled log names: a hash tile at `level`, or with None an entry bundle."""

    level: int | None
    index: int
    width: int

    @classmethod
    def parse(cls, path: str) -> TileName:
        """Return what `path` names; `str()` gives `path` back.

        Raises:
            ProofInvalid: not the one path of a hash tile or an entry bundle.
        """
        match = _PATH.fullmatch(path)
        if match:
            level = None if match[1] == "entries" else int(match[1])
            index = int(match[2].replace("x", "").replace("/", ""))
            name = cls(level, index, int(match[3] or TILE_WIDTH))
            if (level or 0) <= MAX_LEVEL and name.width <= TILE_WIDTH and str(name) == path:
                return name
        raise ProofInvalid("tile", "not a path of a tiled log", "ask as C2SP tlog-tiles names tiles")

    def __str__(self) -> str:
        """Return the path below the log's prefix."""
        if self.level is None:
            return entries_path(self.index, self.width)
        return tile_path(self.level, self.index, self.width)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a hash tile, e.g. `tile/0/x001/067` or `tile/1/000.p/8`."""
    return f"tile/{level}/{_index_path(index)}{_partial(width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of an entry bundle, e.g. `tile/entries/000.p/17`."""
    return f"tile/entries/{_index_path(index)}{_partial(width)}"


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return the entry bundle of at most 256 entries."""
    if not 0 < len(entries) <= TILE_WIDTH or any(len(e) > MAX_ENTRY for e in entries):
        raise ProofInvalid(
            "entry bundle", "too many or too long entries", "write at most 256 of at most 64 KiB"
        )
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)


def decode_entries(data: bytes) -> list[bytes]:
    """Return the entries of an entry bundle.

    Raises:
        ProofInvalid: cut off, empty, or more than 256 entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data) or len(entries) == TILE_WIDTH:
            raise ProofInvalid("entry bundle", "cut off or too long", "fetch the bundle again")
        entries.append(data[at + 2 : end])
        at = end
    if not entries:
        raise ProofInvalid("entry bundle", "empty", "fetch the bundle again")
    return entries


def grown_tiles(old_size: int, leaf_hashes: Sequence[bytes], read_tile: ReadTile) -> dict[Tile, bytes]:
    """Return the hash tiles, full and partial, that appending `leaf_hashes` to a tree of `old_size` makes.

    `read_tile` returns the partial tiles on the old right edge; it is called at most once a level.

    Raises:
        ProofInvalid: a tile that was read has another width than was asked for.
    """
    made: dict[Tile, bytes] = {}
    level, count, fresh = 0, old_size, list(leaf_hashes)
    while fresh:
        index, width = divmod(count, TILE_WIDTH)
        held_tile = read_tile(level, index, width) if width else b""
        if len(held_tile) != width * HASH_SIZE:
            raise ProofInvalid("tile", "has another width than its path", "restore the tile from the entries")
        pending = held_tile + b"".join(fresh)
        fresh = []
        for at in range(0, len(pending), TILE_WIDTH * HASH_SIZE):
            tile = pending[at : at + TILE_WIDTH * HASH_SIZE]
            held = len(tile) // HASH_SIZE
            made[level, index, held] = tile
            index += 1
            if held == TILE_WIDTH:
                fresh.append(root_of(split_hashes(tile)))
        level, count = level + 1, count // TILE_WIDTH
    return made


class TileNodes:
    """Nodes of a tree of `size` leaves read out of its tiles; `get_node` serves the proofs of `merkle`.

    Each proof reads at most one tile a level, whatever the size of the tree.
    """

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self._size = size
        self._read_tile = read_tile
        self._held: dict[tuple[int, int], list[bytes]] = {}

    def get_node(self, level: int, index: int) -> bytes:
        """Return the hash of the perfect subtree over leaves [index·2^level, (index+1)·2^level)."""
        if (index + 1) << level > self._size:
            raise ProofInvalid("node", "outside the tree", "ask within the tree's size")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index << height, TILE_WIDTH)
        if (tile_level, tile_index) not in self._held:
            total = self._size >> (TILE_HEIGHT * tile_level)
            width = min(TILE_WIDTH, total - tile_index * TILE_WIDTH)
            hashes = split_hashes(self._read_tile(tile_level, tile_index, width))
            if len(hashes) != width:
                raise ProofInvalid(
                    "tile", "has another width than its path", "restore the tile from the entries"
                )
            self._held[tile_level, tile_index] = hashes
        return root_of(self._held[tile_level, tile_index][offset : offset + (1 << height)])


def split_hashes(tile: bytes) -> list[bytes]:
    """Return the 32-byte hashes that a hash tile holds."""
    if len(tile) % HASH_SIZE:
        raise ProofInvalid("tile", "not a whole number of hashes", "restore the tile from the entries")
    return [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]


def _index_path(index: int) -> str:
    if index < 0:
        raise ProofInvalid("tile", f"index {index}", "ask for an index from 0")
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def _partial(width: int) -> str:
    if not 0 < width <= TILE_WIDTH:
        raise ProofInvalid("tile", f"width {width}", "ask for a width between 1 and 256")
    return "" if width == TILE_WIDTH else f".p/{width}"
