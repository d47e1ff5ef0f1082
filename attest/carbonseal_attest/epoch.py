"""Epochs: the sorted map of all logs' heads, and the log of logs whose entries are the maps' roots.

Each epoch the log host writes one RFC 9162 tree over [origin, size, root] entries sorted by origin, so that
one entry an origin can exist, inclusion shows it and neighbours show absence. The log of logs has the host's
genesis as entry 0 and then one entry an epoch; only its head goes to the chain.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
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
        path = inclusion_path(index, len(self._leaves), self._node)
        return MapProof(self.entries[index], index, tuple(path))

    def _node(self, level: int, at: int) -> bytes:
        if level == 0:
            return self._leaves[at]
        if (level, at) not in self._nodes:
            children = self._node(level - 1, 2 * at), self._node(level - 1, 2 * at + 1)
            self._nodes[level, at] = node_hash(*children)
        return self._nodes[level, at]


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _decode(data: bytes, field: str) -> object:
    try:
        return cbor.decode(data, max_size=4096)
    except EncodingError as error:
        raise _refusal(field, error.reason) from error


def _refusal(field: str, reason: str) -> ProofInvalid:
    return ProofInvalid(field, reason, "ask the log host for the epoch again")
