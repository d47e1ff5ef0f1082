"""Publication: bring a log's published copy up to a committed head, in order and without ever going back.

A head is committed in the database first and published second; a crash between the two leaves a copy that is
behind, and whoever comes next (another batch, another process, the start-up comparison) completes it from
the stored entries. Before the first write in a process the copy's right edge is re-hashed against its
checkpoint, so that new tiles never grow out of damaged ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.merkle import EMPTY_ROOT, Frontier, leaf_hash
from carbonseal_attest.tiles import TILE_WIDTH, Tile, grown_tiles
from carbonseal_ledger.errors import CopyUnreachable, LogDamaged, PublishedMeanwhile, RollbackDetected
from carbonseal_ledger.heads import CommittedHead
from carbonseal_ledger.publishing import PublishedCopy, read_head
from carbonseal_ledger.steps import at_step
from carbonseal_ledger.tree_reader import TreeReader

RawReader = Callable[[str, int, int], list[bytes]]
"""Reads the stored leaves [start, end) of an origin from the database."""

_RACES: Final = (
    64  # times that another process may publish first, where the store's lock is this process's own
)
_PAGE: Final = 65_536  # leaves read at a time where the copy is far behind; a whole number of tiles
_EDGES: Final = 4_096  # logs whose right edge is kept in memory, at most a few 8 KiB tiles each


@dataclass(frozen=True, slots=True)
class _Edge:
    """The right edge of a published tree: its partial tiles by level, known to give `root_hash`."""

    size: int
    root_hash: bytes
    partials: Mapping[int, bytes]

    def read_tile(self, level: int, _index: int, _width: int) -> bytes:
        """The partial tile of a level, as `grown_tiles` asks for it."""
        return self.partials[level]

    def grown(self, size: int, root: bytes, tiles: Mapping[Tile, bytes]) -> _Edge:
        """The edge after the tree has grown to `size` by `tiles`."""
        partials, level, count = {}, 0, size
        while count:
            index, width = divmod(count, TILE_WIDTH)
            if width:
                partials[level] = tiles.get((level, index, width)) or self.partials[level]
            level, count = level + 1, index
        return _Edge(size, root, partials)


class Publisher:
    """Writes committed heads to the published copy. One for each process."""

    def __init__(self, published: PublishedCopy, reader: TreeReader, read_raws: RawReader) -> None:
        self._published = published
        self._reader = reader
        self._read_raws = read_raws
        self._edges: dict[str, _Edge] = {}
        self._lock = threading.Lock()

    def publish(self, head: CommittedHead) -> int:
        """Make the published copy show at least `head`; returns the size that it shows.

        Raises:
            RollbackDetected: the copy holds another history.
            LogDamaged: the copy's tiles do not give its checkpoint.
            PublicationFailed: it could not be written.
        """
        for _ in range(_RACES):
            try:
                return self._publish(head)
            except PublishedMeanwhile:
                continue  # what stands there now is read, and this head follows it or is covered by it
        return self._publish(head)

    def _publish(self, head: CommittedHead) -> int:
        origin = head.origin
        with self._published.lock(origin):
            at_step("copy locked")
            note = self._published.checkpoint(origin)
            size, root = 0, EMPTY_ROOT
            if note is not None:
                current = read_head(note, origin)
                size, root = current.tree_size, current.root_hash
            self._check_floor(head, size)
            if size >= head.size:
                # Another process was faster, and then this head is one that the copy's tree went through; in
                # a database that was put back while this process ran, it is not.
                standing = root if size == head.size else self._reader.root(origin, head.size)
                if standing != head.root_hash:
                    raise _contradiction(origin, head.size)
                return size
            if size == head.old_size:
                if root != head.old_root:
                    raise _contradiction(origin, size)
                raws, leaves = head.raws, head.leaf_hashes
                edge = self._edge(origin, size, root)
            else:
                edge = self._catch_up(head, self._edge(origin, size, root))
                size = edge.size
                raws = self._read_raws(origin, size, head.size)
                leaves = [leaf_hash(raw) for raw in raws]
            tiles = grown_tiles(size, leaves, edge.read_tile)
            at_step("tiles made")
            bundles = self._bundles(origin, size, raws) if self._published.with_entry_bundles else {}
            self._published.replace(
                origin, expected=note, checkpoint=head.checkpoint, tiles=tiles, bundles=bundles
            )
            at_step("copy replaced")
            self._remember(origin, head, edge, tiles)
            return head.size

    def _check_floor(self, head: CommittedHead, size: int) -> None:
        """A copy that lost what was published is not filled up again in passing: two persons decide that."""
        with self._lock:
            edge = self._edges.get(head.origin)
        known = head.floor if edge is None else max(edge.size, head.floor)
        if size < known:
            raise RollbackDetected(
                "published copy",
                f"of {head.origin} shows {size} entries where {known} were published",
                "stop every writer, and see `carbonseal recover status`",
            )

    def _edge(self, origin: str, size: int, root: bytes) -> _Edge:
        with self._lock:
            edge = self._edges.get(origin)
        if edge is not None and (edge.size, edge.root_hash) == (size, root):
            return edge
        if size and self._reader.root(origin, size) != root:
            raise LogDamaged(
                "published copy",
                f"tiles of {origin} do not give its checkpoint",
                "rebuild it from the database",
            )
        partials, level, count = {}, 0, size
        while count:
            index, width = divmod(count, TILE_WIDTH)
            if width:
                partials[level] = self._published.read_tile(origin, level, index, width)
            level, count = level + 1, index
        return _Edge(size, root, partials)

    def _catch_up(self, head: CommittedHead, edge: _Edge) -> _Edge:
        """Prove that the stored entries lead from the copy to `head`, and write all full tiles but the last.

        Nothing is written before the proof. The tiles stand there unsigned until the checkpoint is replaced;
        whoever is interrupted writes the same ones again.
        """
        origin, size = head.origin, edge.size
        frontier = self._reader.frontier(origin, size) if size else Frontier()
        for raws in self._pages(origin, size, head.size):
            frontier = frontier.extend(leaf_hash(raw) for raw in raws)
        if frontier.root() != head.root_hash:
            raise _contradiction(origin, size)
        for raws in self._pages(origin, size, head.size - _PAGE):
            leaves = [leaf_hash(raw) for raw in raws]
            tiles = grown_tiles(edge.size, leaves, edge.read_tile)
            bundles = self._bundles(origin, edge.size, raws) if self._published.with_entry_bundles else {}
            self._published.add_full(origin, tiles=tiles, bundles=bundles)
            edge = edge.grown(edge.size + len(raws), b"", tiles)
        return edge

    def _pages(self, origin: str, start: int, end: int) -> Iterator[list[bytes]]:
        """The leaves [start, end) in pages of which each but the last ends at a multiple of `_PAGE`."""
        while start < end:
            until = min(end, start - start % _PAGE + _PAGE)
            yield self._read_raws(origin, start, until)
            start = until

    def _remember(self, origin: str, head: CommittedHead, edge: _Edge, tiles: Mapping[Tile, bytes]) -> None:
        with self._lock:
            if len(self._edges) > _EDGES:
                self._edges.clear()
            self._edges[origin] = edge.grown(head.size, head.root_hash, tiles)

    def _bundles(self, origin: str, size: int, raws: list[bytes]) -> dict[tuple[int, int], list[bytes]]:
        start = size - size % TILE_WIDTH
        entries = (self._read_raws(origin, start, size) if start < size else []) + raws
        return {
            (start // TILE_WIDTH + at // TILE_WIDTH, len(chunk)): chunk
            for at in range(0, len(entries), TILE_WIDTH)
            if (chunk := entries[at : at + TILE_WIDTH])
        }

    def forget(self, origin: str) -> None:
        """Drop what is remembered of a log whose published copy was rebuilt."""
        with self._lock:
            self._edges.pop(origin, None)
        self._reader.forget(origin)


class Backlog:
    """Committed heads of one log that wait; one publication takes all that have come together."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[CommittedHead] = []
        self.size = 0

    def add(self, head: CommittedHead) -> None:
        """Put a head into the queue; heads come in the order of their commits."""
        with self._lock:
            self._waiting.append(head)

    def publish_through(self, size: int) -> int:
        """Return once the published copy shows at least `size` leaves; publishes if nobody else does.

        Raises:
            RollbackDetected, LogDamaged, PublicationFailed: as `Publisher.publish`; what waits stays waiting.
        """
        with self._turn:
            if self.size < size:
                with self._lock:
                    heads = list(self._waiting)
                self.size = self._publisher.publish(_merged(heads))
                with self._lock:
                    self._waiting = [head for head in self._waiting if head.size > self.size]
            return self.size


def _merged(heads: list[CommittedHead]) -> CommittedHead:
    """One head for several in a row; where they leave a hole, the publisher reads from the database."""
    if len(heads) == 1:
        return heads[0]
    last = heads[-1]
    if any(earlier.size != later.old_size for earlier, later in pairwise(heads)):
        return CommittedHead(
            last.origin, -1, b"", last.size, last.root_hash, last.checkpoint, [], [], last.floor
        )
    return CommittedHead(
        last.origin,
        heads[0].old_size,
        heads[0].old_root,
        last.size,
        last.root_hash,
        last.checkpoint,
        [leaf for head in heads for leaf in head.leaf_hashes],
        [raw for head in heads for raw in head.raws],
        last.floor,
    )


def published_root_matches(reader: TreeReader, origin: str, size: int, root: bytes) -> bool:
    """True when the published tiles give `root` at `size`; false as well when they are damaged.

    Raises:
        CopyUnreachable: their storage does not answer, so that nothing is known.
    """
    try:
        return reader.root(origin, size) == root
    except CopyUnreachable:
        raise
    except CarbonsealError:
        return False


def _contradiction(origin: str, size: int) -> RollbackDetected:
    return RollbackDetected(
        "published copy",
        f"of {origin} shows another history at size {size} than the database",
        "stop every writer; compare both with the anchor, and restore the one that is wrong",
    )
