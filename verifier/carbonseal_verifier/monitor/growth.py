"""A tree that a monitor follows: every new tile re-hashed from its leaves, and only the right edge kept.

The frontier and the partial tiles of the right edge are all that is kept of a tree of any size: new leaf
hashes are appended to them, so that the new root proves growth, and each tile at each level must be what they
give. Leaves are fetched 64 tiles at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from carbonseal_attest.merkle import Frontier
from carbonseal_attest.tiles import (
    HASH_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    ReadTile,
    grown_tiles,
    split_hashes,
    tile_path,
)

_TILES_AT_ONCE: Final = 64
Progress = Callable[[int, int], None]


class TileWrong(Exception):
    """A tile is not what the kept tree and the leaves give; `served` is what was answered."""

    def __init__(self, path: str, served: bytes, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path
        self.served = served


@dataclass(frozen=True, slots=True)
class FollowedTree:
    """A tree at a size: its frontier, and its partial tiles by level."""

    frontier: Frontier = Frontier()  # noqa: RUF009 - the empty one, frozen
    edges: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self.frontier.size

    def grow(self, size: int, read: ReadTile, progress: Progress | None = None) -> FollowedTree:
        """Return the tree at a larger size, its leaves read from the log's tiles, each tile above compared.

        The caller compares the root with a signed one: here nothing is known to be the log's word.

        Raises:
            TileWrong: a tile changed what it held, or differs from what the leaves give.
            ProofInvalid: a tile has another length than its name says.
        """
        tree = self
        while tree.size < size:
            first = tree.size // TILE_WIDTH
            end = min(size, (first + _TILES_AT_ONCE) * TILE_WIDTH)
            leaves: list[bytes] = []
            for index in range(first, -(-end // TILE_WIDTH)):
                width = min(TILE_WIDTH, end - index * TILE_WIDTH)
                data, held = _exact(read, 0, index, width), b""
                if index == first:
                    held = tree.edges.get(0, b"")
                    if data[: len(held)] != held:
                        raise TileWrong(tile_path(0, index, width), data, "no longer begins as it did")
                leaves += split_hashes(data[len(held) :])
            tree = tree._appended(leaves, read)
            if progress is not None:
                progress(tree.size, size)
        for level, held in tree.edges.items():
            index, width = tree.size >> (TILE_HEIGHT * (level + 1)), len(held) // HASH_SIZE
            _compare(read, level, index, width, held)
        return tree

    def _appended(self, leaves: list[bytes], read: ReadTile) -> FollowedTree:
        made = grown_tiles(self.size, leaves, lambda level, _index, _width: self.edges[level])
        edges = {
            level: tile
            for level, tile in self.edges.items()
            if not any(level == made_at for made_at, *_ in made)
        }
        for (level, index, width), tile in made.items():
            if width < TILE_WIDTH:
                edges[level] = tile
            elif level:
                _compare(read, level, index, width, tile)
        return FollowedTree(self.frontier.extend(leaves), edges)

    def tile(self, read: ReadTile) -> ReadTile:
        """Return a reader that takes partial tiles of the right edge from here and others from `read`."""

        def held(level: int, index: int, width: int) -> bytes:
            edge = self.edges.get(level, b"")
            is_edge = index == self.size >> (TILE_HEIGHT * (level + 1))
            return (
                edge[: width * HASH_SIZE]
                if is_edge and len(edge) >= width * HASH_SIZE
                else read(level, index, width)
            )

        return held


def _compare(read: ReadTile, level: int, index: int, width: int, tile: bytes) -> None:
    served = _exact(read, level, index, width)
    if served != tile:
        raise TileWrong(tile_path(level, index, width), served, "is not what its leaves give")


def _exact(read: ReadTile, level: int, index: int, width: int) -> bytes:
    data = read(level, index, width)
    if len(data) != width * HASH_SIZE:
        raise TileWrong(tile_path(level, index, width), data, f"has {len(data)} bytes")
    return data


def edges_to_value(edges: Mapping[int, bytes]) -> list[list[object]]:
    """Return the partial tiles as a CBOR value."""
    return [[level, edges[level]] for level in sorted(edges)]


def edges_of_value(value: object) -> Iterator[tuple[int, bytes]]:
    """Yield the partial tiles of a CBOR value of ours.

    Raises:
        ValueError: it is none.
    """
    for item in value if isinstance(value, list) else [None]:
        match item:
            case [int(level), bytes(tile)]:
                yield level, tile
            case _:
                raise ValueError("not the partial tiles of a tree")
