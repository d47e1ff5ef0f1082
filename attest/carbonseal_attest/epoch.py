"""Epochs: the sorted map of all logs' heads, and the log of logs whose entries are the maps' roots.

Each epoch the log host writes one RFC 9162 tree over [origin, size, root] entries sorted by origin, so that
one entry an origin can exist, inclusion shows it and neighbours show absence. Whoever reads the map whole
(`EpochMap.parse`) refuses one that isn't sorted or names an origin twice; absence by neighbours rests on
such readers. The log of logs has the host's genesis as entry 0 and then one entry an epoch; only its head
goes to the chain.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from carbonseal_attest import cbor
from carbonseal_attest.errors import EncodingError, ProofInvalid
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.instants import MAX_INSTANT
from carbonseal_attest.merkle import (
    MAX_PATH,
    MAX_TREE_SIZE,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    verify_inclusion,
)


@dataclass(frozen=True, slots=True, order=True)
class MapEntry:
    """The head of one log at the end of an epoch."""

    origin: str
    tree_size: int
    root_hash: bytes

    def encode(self) -> bytes:
        """Return the leaf's bytes: CBOR [origin, size, root]."""
        return cbor.encode([self.origin, self.tree_size, self.root_hash])

    @classmethod
    def decode(cls, data: bytes) -> MapEntry:
        """Return the entry of a leaf.

        Raises:
            ProofInvalid: not deterministic CBOR of the three parts within their limits.
            IdentifierInvalid: the first is not a log origin.
        """
        match _decode(data, "map entry"):
            case [origin, int(size), bytes(root)] if _is_whole(size, 1, MAX_TREE_SIZE) and len(root) == 32:
                return cls(check_origin(origin), size, root)
            case _:
                raise _refusal("map entry", "malformed")


@dataclass(frozen=True, slots=True)
class EpochEntry:
    """An entry of the log of logs: number of the epoch (from 1), root of its map, number of origins in it."""

    epoch: int
    map_root: bytes
    origins: int
    closed_at: int

    def encode(self) -> bytes:
        """Return the entry's bytes: CBOR [epoch, map root, origins, closed_at in milliseconds]."""
        return cbor.encode([self.epoch, self.map_root, self.origins, self.closed_at])

    @classmethod
    def decode(cls, data: bytes) -> EpochEntry:
        """Return the entry that `data` encodes.

        Raises:
            ProofInvalid: not deterministic CBOR of the four parts within their limits.
        """
        match _decode(data, "epoch entry"):
            case [int(epoch), bytes(root), int(origins), int(closed_at)] if (
                _is_whole(epoch, 1, MAX_TREE_SIZE)
                and len(root) == 32
                and _is_whole(origins, 1, MAX_TREE_SIZE)
                and _is_whole(closed_at, 0, MAX_INSTANT)
            ):
                return cls(epoch, root, origins, closed_at)
            case _:
                raise _refusal("epoch entry", "malformed")


@dataclass(frozen=True, slots=True)
class MapProof:
    """Proof that an origin's head stands in an epoch's map."""

    entry: MapEntry
    index: int
    path: tuple[bytes, ...]

    def verify(self, epoch: EpochEntry) -> None:
        """Check that the entry stands in the map of `epoch`."""
        verify_inclusion(self.index, epoch.origins, leaf_hash(self.entry.encode()), self.path, epoch.map_root)

    def to_value(self) -> list[Any]:
        """Return the proof as a CBOR value: [size, root, index, path]; the origin stands beside it."""
        return [self.entry.tree_size, self.entry.root_hash, self.index, list(self.path)]

    @classmethod
    def from_value(cls, origin: str, value: object) -> MapProof:
        """Return the proof that `value` writes for `origin`.

        Raises:
            ProofInvalid: `value` is not size, root, index and path within their limits.
            IdentifierInvalid: `origin` is not a log origin.
        """
        match value:
            case [int(size), bytes(root), int(index), list(path)] if (
                _is_whole(size, 1, MAX_TREE_SIZE)
                and len(root) == 32
                and _is_whole(index, 0, MAX_TREE_SIZE)
                and len(path) <= MAX_PATH
                and all(isinstance(h, bytes) and len(h) == 32 for h in path)
            ):
                return cls(MapEntry(check_origin(origin), size, root), index, tuple(path))
            case _:
                raise _refusal("map proof", "malformed")


@dataclass(frozen=True, slots=True)
class AbsenceProof:
    """Proof that an epoch's map has no head of `origin`: the entries before and after its place.

    `before` is None when every origin of the map comes after `origin`, `after` when every one comes before.
    """

    origin: str
    before: MapProof | None
    after: MapProof | None

    def verify(self, epoch: EpochEntry) -> None:
        """Check that `origin` has no place in the map of `epoch`.

        Raises:
            ProofInvalid: the neighbours do not stand in the map, are not next to each other or to its ends,
                or `origin` does not come between them.
        """
        place = 0
        if self.before is not None:
            if not self.before.entry.origin < self.origin:
                raise _refusal("absence proof", "the entry before does not sort before the origin")
            self.before.verify(epoch)
            place = self.before.index + 1
        if self.after is not None:
            if not self.origin < self.after.entry.origin:
                raise _refusal("absence proof", "the entry after does not sort after the origin")
            self.after.verify(epoch)
        if (epoch.origins if self.after is None else self.after.index) != place:
            raise _refusal("absence proof", "its entries are not next to each other, or to the map's ends")

    def to_value(self) -> list[Any]:
        """Return [before, after] as a CBOR value, each null or [origin, size, root, index, path]."""
        sides = (self.before, self.after)
        return [None if side is None else [side.entry.origin, *side.to_value()] for side in sides]

    @classmethod
    def from_value(cls, origin: str, value: object) -> AbsenceProof:
        """Return the proof that `value` writes for `origin`.

        Raises:
            ProofInvalid: `value` is not two neighbours, or neither is there.
            IdentifierInvalid: an origin is not one.
        """
        match value:
            case [before, after] if before is not None or after is not None:
                return cls(check_origin(origin), _neighbour(before), _neighbour(after))
            case _:
                raise _refusal("absence proof", "malformed")


class EpochMap:
    """The sorted map of one epoch: at most one head an origin."""

    def __init__(self, entries: Sequence[MapEntry]) -> None:
        self.entries = sorted(entries)
        self._origins = [e.origin for e in self.entries]
        if len(set(self._origins)) != len(self._origins) or not entries:
            raise _refusal("map", "empty, or two heads for one origin")
        self._leaves = [leaf_hash(e.encode()) for e in self.entries]
        self._nodes: dict[tuple[int, int], bytes] = {}  # kept, so that proving every origin hashes each once
        self.root = root_of(self._leaves)

    @classmethod
    def parse(cls, leaves: Iterable[bytes], epoch: EpochEntry) -> EpochMap:
        """Return the map whose leaves stand in this order; a monitor reads every epoch's so.

        Raises:
            ProofInvalid: a leaf is malformed or too many, they are not sorted, an origin stands twice, or
                they are not the map of `epoch`.
            IdentifierInvalid: a leaf names what is no log origin.
        """
        entries: list[MapEntry] = []
        for leaf in leaves:
            entry = MapEntry.decode(leaf)
            if len(entries) == epoch.origins or (entries and not entries[-1].origin < entry.origin):
                raise _refusal("map", "too many leaves, not sorted, or two heads for one origin")
            entries.append(entry)
        found = cls(entries)
        if (found.root, len(entries)) != (epoch.map_root, epoch.origins):
            raise _refusal("map", "its leaves are not those of the epoch")
        return found

    def close(self, epoch: int, closed_at: int) -> EpochEntry:
        """Return the entry for the log of logs; `closed_at` in milliseconds is the host's claim."""
        return EpochEntry(epoch, self.root, len(self.entries), closed_at)

    def prove(self, origin: str) -> MapProof:
        """Return the proof of `origin`'s head.

        Raises:
            ProofInvalid: the origin has no head in this epoch.
        """
        index = bisect_left(self._origins, origin)
        if index == len(self._origins) or self._origins[index] != origin:
            raise _refusal("map proof", f"{origin} is not in the map")
        return self._prove(index)

    def prove_absent(self, origin: str) -> AbsenceProof:
        """Return the proof that `origin` has no head in this epoch.

        Raises:
            ProofInvalid: it has one.
            IdentifierInvalid: it is not a log origin.
        """
        index = bisect_left(self._origins, check_origin(origin))
        if index < len(self._origins) and self._origins[index] == origin:
            raise _refusal("absence proof", f"{origin} is in the map")
        before = self._prove(index - 1) if index else None
        return AbsenceProof(origin, before, self._prove(index) if index < len(self._origins) else None)

    def _prove(self, index: int) -> MapProof:
        path = inclusion_path(index, len(self._leaves), self._node)
        return MapProof(self.entries[index], index, tuple(path))

    def _node(self, level: int, at: int) -> bytes:
        if level == 0:
            return self._leaves[at]
        if (level, at) not in self._nodes:
            children = self._node(level - 1, 2 * at), self._node(level - 1, 2 * at + 1)
            self._nodes[level, at] = node_hash(*children)
        return self._nodes[level, at]


def _neighbour(value: object) -> MapProof | None:
    match value:
        case None:
            return None
        case [str(origin), size, root, index, path]:
            return MapProof.from_value(origin, [size, root, index, path])
        case _:
            raise _refusal("absence proof", "malformed")


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _decode(data: bytes, field: str) -> object:
    try:
        return cbor.decode(data, max_size=4096)
    except EncodingError as error:
        raise _refusal(field, error.reason) from error


def _refusal(field: str, reason: str) -> ProofInvalid:
    return ProofInvalid(field, reason, "ask the log host for the epoch again")
