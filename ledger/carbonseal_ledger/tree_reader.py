"""Proofs out of published tiles, at a cost that does not grow with the log.

A proof reads at most one hash tile a level (C2SP tlog-tiles). Of each tile that was read, all inner nodes
are kept in a bounded cache, so that receipts for recent entries cost a few look-ups. Tiles are read from
disk and therefore not
trusted: whoever signs something over a proof checks it against the root first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from carbonseal_attest.merkle import Frontier, node_hash, read_frontier
from carbonseal_attest.tiles import TILE_HEIGHT, TILE_WIDTH, split_hashes
from carbonseal_ledger.errors import RangeInvalid
from carbonseal_ledger.publishing import PublishedCopy

GetNode = Callable[[int, int], bytes]
_CACHED_TILES: Final = 512  # tiles with their inner nodes, about 35 kB each


class TreeReader:
    """Reads nodes, roots and frontiers of any log at any published size. Safe to use from many threads."""

    def __init__(self, published: PublishedCopy) -> None:
        self._published = published
        self._held: dict[tuple[str, int, int], tuple[int, list[list[bytes]]]] = {}
        self._lock = threading.Lock()

    def nodes(self, origin: str, size: int) -> GetNode:
        """A `get_node(level, index)` for the tree of `size` leaves, as `attest.merkle` asks for it."""

        def get_node(level: int, index: int) -> bytes:
            if (index + 1) << level > size:
                raise RangeInvalid("node", "it lies outside the tree", "ask within the tree's size")
            tile_level, height = divmod(level, TILE_HEIGHT)
            tile_index, offset = divmod(index << height, TILE_WIDTH)
            width = min(TILE_WIDTH, (size >> (TILE_HEIGHT * tile_level)) - tile_index * TILE_WIDTH)
            return self._pyramid(origin, tile_level, tile_index, width)[height][offset >> height]

        return get_node

    def frontier(self, origin: str, size: int) -> Frontier:
        """The frontier of the tree of `size` leaves."""
        return read_frontier(size, self.nodes(origin, size))

    def root(self, origin: str, size: int) -> bytes:
        """The root hash of the tree of `size` leaves."""
        return self.frontier(origin, size).root()

    def _pyramid(self, origin: str, level: int, index: int, width: int) -> list[list[bytes]]:
        """All inner nodes of a tile, lowest level first; a wider one that is held serves a smaller width."""
        key = (origin, level, index)
        held = self._held.get(key)
        if held is not None and held[0] >= width:
            return held[1]
        rows = [split_hashes(self._published.read_tile(origin, level, index, width))]
        while len(rows[-1]) > 1:
            below = rows[-1]
            rows.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
        with self._lock:
            # Oldest first out: what is asked for again is read again, at the price of one file.
            self._held.pop(key, None)
            self._held[key] = (width, rows)
            while len(self._held) > _CACHED_TILES:
                del self._held[next(iter(self._held))]
        return rows

    def forget(self, origin: str) -> None:
        """Drop what is held of a log whose published copy was rebuilt."""
        with self._lock:
            for key in [k for k in self._held if k[0] == origin]:
                del self._held[key]


def frontier_from_bytes(size: int, data: bytes) -> Frontier:
    """The frontier stored with a log: `size` and its concatenated 32-byte hashes."""
    return Frontier(size, tuple(split_hashes(data)))
