"""Audits the published copy of one log: its checkpoint, every hash of every kept tile, and its entry bundles.

Compared with the leaves that the audit took from rows and tiles (`audit_entries`), and above level 0 with the
hashes recomputed from them. A tile that reaches beyond the published checkpoint is compared as far as the
database reaches; what lies further was left by a crash and is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.tiles import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, entries_path, split_hashes, tile_path
from carbonseal_ledger.audit_entries import Walk
from carbonseal_ledger.audit_report import Damage
from carbonseal_ledger.publishing import PublishedCopy

_REBUILD = "rebuild the published copy"


def published_leaves(
    published: PublishedCopy, origin: str, start: int, end: int, size: int
) -> list[bytes | None]:
    """The published leaf hashes of the entries [start, end); None where no tile can be read.

    `start` begins a tile.
    """
    leaves: list[bytes | None] = []
    for at in range(start, end, TILE_WIDTH):
        width = max(0, min(TILE_WIDTH, end - at, size - at))
        try:
            held = split_hashes(published.read_tile(origin, 0, at // TILE_WIDTH, width)) if width else []
        except CarbonsealError:
            held = []  # said by `audit_tiles`
        leaves += [*held, *[None] * (min(TILE_WIDTH, end - at) - len(held))]
    return leaves


def audit_leaf_tiles(
    published: PublishedCopy, origin: str, start: int, taken: list[bytes], size: int
) -> Iterator[Damage | None]:
    """Compare every kept tile of level 0 with the leaves of a page; a None stands for each tile compared."""
    for at in range(0, len(taken), TILE_WIDTH):
        width = min(TILE_WIDTH, len(taken) - at, size - start - at)
        if width > 0:
            index = (start + at) // TILE_WIDTH
            made = taken[at : at + TILE_WIDTH]
            yield from _audit_tile(published, origin, (0, index, width), made)


def audit_upper_tiles(published: PublishedCopy, walk: Walk, size: int) -> Iterator[Damage | None]:
    """Compare every kept tile above level 0 with what the leaves give."""
    for above, nodes in enumerate(walk.upper):
        level = above + 1
        count = min(len(nodes), size >> (TILE_HEIGHT * level))
        for index in range(-(-count // TILE_WIDTH)):
            made = nodes[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
            width = min(TILE_WIDTH, count - index * TILE_WIDTH)
            yield from _audit_tile(published, walk.origin, (level, index, width), made)


def audit_bundles(
    published: PublishedCopy, origin: str, start: int, raws: list[bytes | None], size: int
) -> Iterator[Damage | None]:
    """Compare the kept entry bundles with the rows of a page."""
    if not published.with_entry_bundles:
        return
    for at in range(0, len(raws), TILE_WIDTH):
        chunk = raws[at : at + max(0, min(TILE_WIDTH, size - start - at))]
        if not chunk:
            return
        path = entries_path((start + at) // TILE_WIDTH, len(chunk))
        try:
            held = published.read_entries(origin, (start + at) // TILE_WIDTH, len(chunk))
        except CarbonsealError as error:
            yield Damage(f"{origin} {path}", f"cannot be read: {error}", _REBUILD)
            continue
        yield None
        for offset, (row, entry) in enumerate(zip(chunk, held, strict=True)):
            if row is not None and row != entry:
                what = f"entry {start + at + offset} differs from the stored one"
                yield Damage(f"{origin} {path}", what, _REBUILD)


def _audit_tile(
    published: PublishedCopy, origin: str, tile: tuple[int, int, int], made: list[bytes]
) -> Iterator[Damage | None]:
    level, index, width = tile
    for held_width in sorted({width, *published.partial_widths(origin, level, index)}):
        path = tile_path(level, index, held_width)
        try:
            held = published.read_tile(origin, level, index, held_width)
        except CarbonsealError as error:
            yield Damage(f"{origin} {path}", error.reason, _REBUILD)
            continue
        yield None
        for at, node in enumerate(split_hashes(held[: len(made) * HASH_SIZE])):
            if node != made[at]:
                first = (index * TILE_WIDTH + at) << (TILE_HEIGHT * level)
                what = f"hash {at}, over entries from {first} on, is not that of the stored entries"
                yield Damage(f"{origin} {path}", what, "restore the one that is wrong")
