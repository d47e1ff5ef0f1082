"""One round of a monitor: checkpoints, growth, tiles, epochs, maps, and what witnesses and others hold.

Whatever a log signed is held against everything that it signed before. A log with a finding is not followed
further: its kept head stays, and the next round finds the same again. Being out of reach is no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from carbonseal_attest import cbor
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.epoch import EpochEntry, EpochMap, MapEntry
from carbonseal_attest.errors import CarbonsealError, NoteInvalid, ProofInvalid
from carbonseal_attest.instants import Clock
from carbonseal_attest.merkle import (
    EMPTY_ROOT,
    consistency_path,
    leaf_hash,
    read_frontier,
    verify_consistency,
)
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tiles import TILE_WIDTH, ReadTile, TileNodes, split_hashes
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_witness import checkpoint_path
from carbonseal_verifier.errors import ServiceRefused
from carbonseal_verifier.monitor.growth import FollowedTree, TileWrong
from carbonseal_verifier.monitor.inconsistency import (
    EPOCH,
    EPOCH_MAP,
    NOT_GROWN,
    NOT_SIGNED,
    SPLIT_VIEW,
    TILE,
    WENT_BACK,
    Finding,
    Inconsistent,
    SeenNote,
)
from carbonseal_verifier.monitor.kept import FollowedLog, Kept
from carbonseal_verifier.monitor.log_keys import LogKeys
from carbonseal_verifier.monitor.log_reader import MAX_MAP, LogReader

LOG: Final = "log"  # the source of a note that the log itself served


@dataclass
class Round:
    """What one round did: heads by origin, maps read, witnesses' sizes, what could not be asked, findings."""

    heads: dict[str, int] = field(default_factory=dict)
    maps_read: int = 0
    map_heads: int = 0
    are_maps_readable: bool = True
    witnesses: dict[str, int | None] = field(default_factory=dict)
    cosigned_by: list[str] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


class Monitor:
    """Follows one log host."""

    def __init__(
        self,
        reader: LogReader,
        keys: LogKeys,
        kept: Kept,
        clock: Clock,
        *,
        log_of_logs: str,
        origins: Sequence[str] = (),
        policy: TlogPolicy | None = None,
        notes: Mapping[str, str] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Bind the parts.

        Args:
            reader: of the log host.
            keys: whose signatures count.
            kept: what was seen before.
            clock: in milliseconds.
            log_of_logs: its origin, always followed.
            origins: more logs whose every tile is re-hashed.
            policy: witnesses whose views are asked for, where they have an address.
            notes: checkpoints that others hold, by where they come from.
            progress: told in words how far a long round is.
        """
        self._reader = reader
        self._keys = keys
        self._kept = kept
        self._clock = clock
        self._log_of_logs = log_of_logs
        self._origins = tuple(dict.fromkeys((log_of_logs, *origins)))
        self._policy = policy
        self._notes = dict(notes or {})
        self._progress = progress or (lambda _words: None)

    def look(self) -> Round:
        """Go through everything once.

        Raises:
            ServiceUnreachable, ServiceRefused: the log of logs cannot be read at all.
            MonitorStateRefused: what was seen cannot be kept.
        """
        done = Round()
        for origin in self._origins:
            try:
                done.heads[origin] = self._follow(origin, done)
            except Inconsistent as found:
                done.findings.append(found.finding)
            except ServiceRefused as error:
                if origin == self._log_of_logs:
                    raise
                done.unreachable[origin] = error.reason
        if self._log_of_logs in done.heads:
            self._maps(done)
            self._others(done)
        return done

    # -- a log and its tiles

    def _follow(self, origin: str, done: Round) -> int:
        note = self._reader.checkpoint(origin)
        head = self._opened(origin, note, LOG)
        now = self._clock()
        self._against_seen(origin, head, note, LOG)
        held = self._kept.followed(origin)
        if held is not None and head.tree_size < held.tree.size:
            raise Inconsistent(
                Finding(
                    WENT_BACK,
                    origin,
                    f"shows {head.tree_size} entries where it had shown {held.tree.size}",
                    (SeenNote(LOG, held.note), SeenNote(LOG, note)),
                )
            )
        before = FollowedTree() if held is None else held.tree
        tree = self._grown(origin, head, before, note, None if held is None else held.note)
        entries = self._epoch_entries(before.size, tree) if origin == self._log_of_logs else []
        with self._kept.transaction():
            self._kept.keep_note(origin, head.tree_size, head.root_hash, LOG, note, now)
            self._kept.add_epochs(entries)
            if held is None or head.tree_size > held.tree.size:
                self._kept.follow(origin, FollowedLog(tree, note, now))
        if origin == self._log_of_logs and self._policy is not None:
            done.cosigned_by = self._cosigners(note)
        return head.tree_size

    def _grown(
        self, origin: str, head: Checkpoint, before: FollowedTree, note: str, earlier: str | None
    ) -> FollowedTree:
        notes = tuple(SeenNote(LOG, one) for one in (earlier, note) if one is not None)

        def progress(done: int, size: int) -> None:
            self._progress(f"{origin}: {done} of {size} leaves re-hashed")

        try:
            tree = before.grow(head.tree_size, self._reader.tiles_of(origin), progress)
        except TileWrong as wrong:
            served = {wrong.path: wrong.served}
            raise Inconsistent(Finding(TILE, origin, str(wrong), notes, served=served)) from wrong
        if tree.frontier.root() != head.root_hash:
            reason = f"its tiles at {head.tree_size} lead to another root than it signed"
            if before.size:
                reason = f"its head at {head.tree_size} does not extend that at {before.size}"
            raise Inconsistent(
                Finding(NOT_GROWN, origin, reason, notes, is_proof=head.tree_size == before.size)
            )
        return tree

    def _opened(self, origin: str, note: str, source: str) -> Checkpoint:
        try:
            return self._keys.open(note, origin)
        except NoteInvalid as error:
            reason = f"{source} shows a checkpoint that {error.reason}"
            raise Inconsistent(Finding(NOT_SIGNED, origin, reason, (SeenNote(source, note),))) from error

    def _against_seen(self, origin: str, head: Checkpoint, note: str, source: str) -> None:
        """Hold a signed head against every note of its size that was ever seen."""
        other = self._kept.other_root(origin, head.tree_size, head.root_hash)
        if other is not None:
            with self._kept.transaction():
                self._kept.keep_note(origin, head.tree_size, head.root_hash, source, note, self._clock())
            raise Inconsistent(
                Finding(
                    SPLIT_VIEW,
                    origin,
                    f"signed two heads of {head.tree_size} entries with different roots",
                    (SeenNote(*other), SeenNote(source, note)),
                    is_proof=True,
                )
            )

    # -- epochs and their maps

    def _epoch_entries(self, start: int, tree: FollowedTree) -> list[EpochEntry]:
        """Read and check the new entries of the log of logs; entry 0 is its genesis, entry n epoch n."""
        newest, read = self._kept.newest_epoch(), self._reader.tiles_of(self._log_of_logs)
        closed_at = 0 if newest is None else newest.closed_at
        found: list[EpochEntry] = []
        for index in range(start // TILE_WIDTH, -(-tree.size // TILE_WIDTH)):
            first, width = index * TILE_WIDTH, min(TILE_WIDTH, tree.size - index * TILE_WIDTH)
            if first + width <= start:
                continue
            raws = self._reader.entries(self._log_of_logs, index, width)
            # The tile was re-hashed just now; a log that serves another one this time leads nowhere.
            hashes = split_hashes(tree.tile(read)(0, index, width))
            for at, (raw, leaf) in enumerate(zip(raws, hashes, strict=False), first):
                if at < start:
                    continue
                if leaf_hash(raw) != leaf:
                    raise self._no_epoch(
                        f"entry {at} is not the one whose hash its tiles hold", {str(at): raw}
                    )
                if at == 0:
                    continue
                try:
                    entry = EpochEntry.decode(raw)
                except CarbonsealError as error:
                    raise self._no_epoch(f"entry {at} is no epoch", {str(at): raw}) from error
                if entry.epoch != at or entry.closed_at < closed_at:
                    raise self._no_epoch(
                        f"entry {at} says epoch {entry.epoch}, closed at {entry.closed_at}", {str(at): raw}
                    )
                closed_at = entry.closed_at
                found.append(entry)
            if len(raws) < width:
                raise self._no_epoch(f"bundle {index} has {len(raws)} of {width} entries", {})
        return found

    def _no_epoch(self, reason: str, served: Mapping[str, bytes]) -> Inconsistent:
        return Inconsistent(Finding(EPOCH, self._log_of_logs, reason, served=served))

    def _maps(self, done: Round) -> None:
        for epoch in self._kept.unread_maps():
            try:
                data = self._reader.epoch_map(epoch.epoch)
            except ServiceRefused as error:
                done.unreachable[f"map of epoch {epoch.epoch}"] = error.reason
                return
            if data is None:
                done.are_maps_readable = False
                return
            try:
                done.map_heads += self._read_map(epoch, data)
            except Inconsistent as found:
                done.findings.append(found.finding)
                return
            except ServiceRefused as error:
                done.unreachable[f"heads of epoch {epoch.epoch}"] = error.reason
                return
            done.maps_read += 1
            self._progress(f"map of epoch {epoch.epoch}: {epoch.origins} heads")

    def _read_map(self, epoch: EpochEntry, data: bytes) -> int:
        """Check one map against its epoch and every head against the origin's head in the map before."""
        served = {f"map of epoch {epoch.epoch}": data}
        try:
            entries = EpochMap.parse(_leaves(data), epoch).entries
        except CarbonsealError as error:
            reason = f"epoch {epoch.epoch}: {error.reason}"
            raise Inconsistent(Finding(EPOCH_MAP, self._log_of_logs, reason, served=served)) from error
        before = self._kept.heads()
        if gone := before.keys() - {entry.origin for entry in entries}:
            reason = f"epoch {epoch.epoch} no longer holds {min(gone)}"
            raise Inconsistent(Finding(EPOCH_MAP, self._log_of_logs, reason, served=served))
        for entry in entries:
            earlier = before.get(entry.origin)
            if earlier is not None and earlier != entry:
                self._check_heads(epoch.epoch, earlier, entry)
        with self._kept.transaction():
            self._kept.store_map(epoch.epoch, entries)
        return len(entries)

    def _check_heads(self, epoch: int, earlier: MapEntry, entry: MapEntry) -> None:
        try:
            nodes = TileNodes(entry.tree_size, self._reader.tiles_of(entry.origin))
            if entry.tree_size < earlier.tree_size:
                path: list[bytes] = []
            else:
                path = consistency_path(earlier.tree_size, entry.tree_size, nodes.get_node)
            verify_consistency(earlier.tree_size, entry.tree_size, earlier.root_hash, entry.root_hash, path)
        except ServiceRefused:
            raise
        except CarbonsealError as error:
            reason = (
                f"its head of {entry.tree_size} entries in epoch {epoch} does not extend that of "
                f"{earlier.tree_size} before ({error.reason})"
            )
            leaves = {"before": earlier.encode(), "now": entry.encode()}
            raise Inconsistent(Finding(EPOCH_MAP, entry.origin, reason, served=leaves)) from error

    # -- what others hold

    def _others(self, done: Round) -> None:
        """Hold the log against its witnesses' checkpoints, and those that somebody brought."""
        for name, url in self._witness_urls():
            try:
                note = self._reader.note_at(url)
            except ServiceRefused as error:
                done.unreachable[f"witness {name}"] = error.reason
                continue
            done.witnesses[name] = None
            if note is not None:
                done.witnesses[name] = self._hold_against(f"witness {name}", note, done)
        for source, note in self._notes.items():
            self._hold_against(source, note, done)

    def _witness_urls(self) -> list[tuple[str, str]]:
        if self._policy is None:
            return []
        urls = {name: self._policy.urls.get(str(vkey)) for name, vkey in self._policy.witnesses.items()}
        return [
            (name, url.rstrip("/") + checkpoint_path(self._log_of_logs)) for name, url in urls.items() if url
        ]

    def _hold_against(self, source: str, note: str, done: Round) -> int | None:
        """Compare a head from elsewhere with the log's; return its size, None if the log did not sign it."""
        origin = self._log_of_logs
        try:
            origin = Checkpoint.of_note(note).origin
            head = self._keys.open(note, origin)
        except CarbonsealError as error:
            # It is no word of the log's: whoever shows it can be asked, the log cannot be blamed.
            done.unreachable[source] = f"shows a checkpoint that {error.reason}"
            return None
        try:
            self._against_seen(origin, head, note, source)
            held = self._kept.followed(origin)
            if held is None or head.tree_size > held.tree.size:
                self._follow(origin, done)  # it may have grown meanwhile
                held = self._kept.followed(origin)
            if held is None:
                return head.tree_size
            self._inside(origin, head, note, source, held)
        except Inconsistent as found:
            done.findings.append(found.finding)
        except ServiceRefused as error:
            done.unreachable[origin] = error.reason
        else:
            with self._kept.transaction():
                self._kept.keep_note(origin, head.tree_size, head.root_hash, source, note, self._clock())
        return head.tree_size

    def _inside(self, origin: str, head: Checkpoint, note: str, source: str, held: FollowedLog) -> None:
        """Check that the log's own tree, which was re-hashed, once had this head."""
        notes = (SeenNote(source, note), SeenNote(LOG, held.note))
        if head.tree_size > held.tree.size:
            reason = f"shows {held.tree.size} entries where {source} holds {head.tree_size}"
            raise Inconsistent(Finding(WENT_BACK, origin, reason, notes))
        read: ReadTile = held.tree.tile(self._reader.tiles_of(origin))
        root = EMPTY_ROOT
        try:
            nodes = TileNodes(held.tree.size, read).get_node
            if head.tree_size:
                root = read_frontier(head.tree_size, nodes).root()
                path = consistency_path(head.tree_size, held.tree.size, nodes)
                # The tiles of just now must still be those that were re-hashed: they lead to the kept root.
                verify_consistency(head.tree_size, held.tree.size, root, held.tree.frontier.root(), path)
        except ServiceRefused:
            raise
        except CarbonsealError as error:
            raise Inconsistent(
                Finding(TILE, origin, f"tiles changed since they were re-hashed ({error.reason})", notes)
            ) from error
        if root != head.root_hash:
            reason = f"signed for {source} a head of {head.tree_size} entries that is not in its tree"
            raise Inconsistent(
                Finding(SPLIT_VIEW, origin, reason, notes, is_proof=head.tree_size == held.tree.size)
            )

    def _cosigners(self, note: str) -> list[str]:
        if self._policy is None:
            return []
        signed = SignedNote.parse(note.encode())
        names = []
        for name, vkey in self._policy.witnesses.items():
            try:
                if verify_signatures(signed, [vkey]):
                    names.append(name)
            except NoteInvalid:
                continue
        return names


def _leaves(data: bytes) -> list[bytes]:
    """Return the leaves of an epoch's map as a service sends them: one CBOR array of byte strings."""
    value = cbor.decode(data, max_size=MAX_MAP)
    if not isinstance(value, list) or not all(isinstance(leaf, bytes) for leaf in value):
        raise ProofInvalid("map", "is no array of byte strings", "ask the log host")
    return value
