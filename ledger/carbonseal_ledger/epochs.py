"""Epochs: the sorted map of all heads, its entry in the log of logs, and the evidence that bundles carry.

A head goes into the map only after its consistency with the same origin's head in the epoch before was
proved and the proof verified (`docs/spec/epochs-and-anchor.md`, Epoch map), so that a fork of an
organisation's log cannot be carried forward by mistake. The log of logs is a log like any other in this
database, with raw epoch entries instead of statements. It leaves out the chain (`anchoring`) and witnesses.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from psycopg2.extras import execute_values
from sqlalchemy import Engine, text

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.epoch import EpochMap, MapEntry
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_attest.merkle import consistency_path, verify_consistency
from carbonseal_ledger import rows
from carbonseal_ledger.errors import EpochRefused, LogUnknown, RangeInvalid
from carbonseal_ledger.heads import CommittedHead, HeadWriter
from carbonseal_ledger.outcomes import AnchorPlan, EpochEvidence, EpochRecord, Head, OriginHead
from carbonseal_ledger.steps import at_step
from carbonseal_ledger.tree_reader import TreeReader

_RECORDS = text(
    "SELECT epoch, entry_index, map_root, origins, built_at, checkpoint FROM ledger_epochs"
    " WHERE epoch >= :start AND epoch < :end ORDER BY epoch"
)
_SIZE_IN_EPOCH = text(
    "SELECT h.tree_size FROM ledger_epoch_heads h WHERE h.log_id = :log_id AND h.epoch ="
    " (SELECT max(epoch) FROM ledger_epochs WHERE entry_index < :size)"
)
_COVERING = text(
    "SELECT e.epoch, e.entry_index, e.map_root, e.origins, e.built_at, e.checkpoint"
    " FROM ledger_epoch_heads h JOIN ledger_epochs e ON e.epoch = h.epoch"
    " WHERE h.log_id = :log_id AND h.tree_size >= :size ORDER BY h.epoch LIMIT 1"
)
_MAP: Final = text(
    "SELECT l.origin, h.tree_size, h.root_hash FROM ledger_epoch_heads h"
    " JOIN ledger_logs l ON l.id = h.log_id WHERE h.epoch = :epoch"
)
_HELD_MAPS: Final = 4  # epochs whose map is kept with its inner nodes; about 4 MB each at 10,000 origins


class EpochLedger:
    """The epochs of one log host."""

    def __init__(
        self, engine: Engine, heads: HeadWriter, reader: TreeReader, clock: Clock, log_of_logs: str
    ) -> None:
        self._engine = engine
        self._heads = heads
        self._reader = reader
        self._clock = clock
        self._origin = log_of_logs
        self._maps: dict[int, EpochMap] = {}
        self._lock = threading.Lock()

    def build(
        self, published_heads: Callable[[], Sequence[tuple[int, Head]]], published_size: int
    ) -> tuple[EpochRecord, CommittedHead]:
        """Commit the next epoch over published heads (log id, head); the caller publishes the new head.

        The heads are asked for under the lock of the log of logs: of two epochs built at once, the later one
        then has the newer heads.

        Raises:
            EpochRefused: no log to map, or a head that does not extend its origin's earlier one.
            LogUnknown: the log of logs is not open.
        """
        with rows.transaction(self._engine) as cursor:
            log = rows.lock_log(cursor, self._origin)
            if log is None:
                raise LogUnknown(
                    "log of logs", f"{self._origin} is not open", "open it with the host's genesis"
                )
            at_step("epoch locked")
            cursor.execute("SELECT coalesce(max(epoch), 0) FROM ledger_epochs")
            epoch = cursor.fetchone()[0] + 1
            heads = published_heads()
            self._check_heads(cursor, epoch, heads)
            if not heads:
                raise EpochRefused("epoch", "no log is open", "open a log first")
            at_step("epoch mapped")
            built_at = max(self._clock(), log.last_registered_at)
            entries = [MapEntry(head.origin, head.tree_size, head.root_hash) for _, head in heads]
            entry = EpochMap(entries).close(epoch, built_at)
            raw = entry.encode()
            kind_id = rows.name_ids(cursor, "ledger_kinds", {"epoch"})["epoch"]
            cursor.execute(
                "INSERT INTO ledger_entries (log_id, index, registered_at, kind_id, digest, raw)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (log.id, log.size, built_at, kind_id, hashlib.sha256(raw).digest(), raw),
            )
            at_step("epoch entry written")
            committed = self._heads.advance(
                cursor, self._origin, log, [raw], built_at, published_size, ticks=False
            )
            cursor.execute(
                "INSERT INTO ledger_epochs (epoch, entry_index, origins, map_root, built_at, checkpoint)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (epoch, log.size, entry.origins, entry.map_root, built_at, committed.checkpoint),
            )
            execute_values(
                cursor,
                "INSERT INTO ledger_epoch_heads (epoch, log_id, tree_size, root_hash) VALUES %s",
                [(epoch, log_id, head.tree_size, head.root_hash) for log_id, head in heads],
                page_size=2_000,
            )
            at_step("epoch map written")
        at_step("epoch committed")
        record = EpochRecord(
            epoch,
            log.size,
            entry.map_root,
            entry.origins,
            built_at,
            committed.size,
            committed.root_hash,
            committed.checkpoint,
        )
        return record, committed

    def _check_heads(self, cursor: Any, epoch: int, heads: Sequence[tuple[int, Head]]) -> None:
        cursor.execute(
            "SELECT log_id, tree_size, root_hash FROM ledger_epoch_heads WHERE epoch = %s", (epoch - 1,)
        )
        earlier = {row[0]: (row[1], bytes(row[2])) for row in cursor.fetchall()}
        for log_id, head in heads:
            if log_id not in earlier:
                continue
            size, root = earlier.pop(log_id)
            if (size, root) == (head.tree_size, head.root_hash):
                continue
            try:
                path = consistency_path(size, head.tree_size, self._reader.nodes(head.origin, head.tree_size))
                verify_consistency(size, head.tree_size, root, head.root_hash, path)
            except CarbonsealError as error:
                raise EpochRefused(
                    head.origin,
                    f"its head at size {head.tree_size} does not extend that at {size} in epoch {epoch - 1}",
                    "stop the log, run fsck and tell the registrar: this is a second history or a damaged"
                    " copy",
                ) from error
        if earlier:
            raise EpochRefused(
                "epoch", f"{len(earlier)} logs of the epoch before are missing", "restore their rows"
            )

    def records(self, start: int, end: int | None) -> list[EpochRecord]:
        """The epochs with numbers in [start, end)."""
        with self._engine.connect() as connection:
            found = connection.execute(_RECORDS, {"start": start, "end": end if end is not None else 1 << 30})
            return [_record(row) for row in found]

    def size_in_epoch(self, log_id: int, anchored_size: int) -> int:
        """The tree size of a log in the newest epoch that `anchored_size` covers; 0 when there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(_SIZE_IN_EPOCH, {"log_id": log_id, "size": anchored_size}).first()
            return 0 if row is None else int(row.tree_size)

    def covering(self, log_id: int, tree_size: int) -> EpochRecord | None:
        """The first epoch whose map holds a head of a log with at least `tree_size` leaves."""
        with self._engine.connect() as connection:
            row = connection.execute(_COVERING, {"log_id": log_id, "size": tree_size}).first()
            return None if row is None else _record(row)

    def map_of(self, epoch: int) -> EpochMap:
        """The map of an epoch, as its rows say; the last few are kept, since many proofs are asked of one.

        Raises:
            RangeInvalid: the epoch is not built.
        """
        with self._lock:
            if epoch in self._maps:
                return self._maps[epoch]
        with self._engine.connect() as connection:
            found = connection.execute(_MAP, {"epoch": epoch})
            entries = [MapEntry(row.origin, row.tree_size, bytes(row.root_hash)) for row in found]
        if not entries:
            raise _not_built(epoch)
        made = EpochMap(entries)
        with self._lock:
            self._maps[epoch] = made
            while len(self._maps) > _HELD_MAPS:
                del self._maps[next(iter(self._maps))]
        return made

    def evidence(
        self, origins: Sequence[str], epochs: Sequence[int], head: Head, raws: list[bytes]
    ) -> EpochEvidence:
        """The evidence about some origins in some epochs; `head` and `raws` are the log of logs', whole.

        Raises:
            RangeInvalid: an epoch does not exist, or lies beyond the published log of logs.
        """
        heads: list[OriginHead] = []
        before: dict[str, tuple[int, bytes]] = {}
        for epoch in sorted(set(epochs)):
            if epoch >= head.tree_size:
                raise _not_built(epoch)
            epoch_map = self.map_of(epoch)
            known = {entry.origin: entry for entry in epoch_map.entries}
            for origin in origins:
                if origin not in known:
                    continue
                entry, previous = known[origin], before.get(origin)
                path: list[bytes] = []
                if previous is not None and previous[0] < entry.tree_size:
                    nodes = self._reader.nodes(origin, entry.tree_size)
                    path = consistency_path(previous[0], entry.tree_size, nodes)
                before[origin] = (entry.tree_size, entry.root_hash)
                heads.append(
                    OriginHead(
                        epoch,
                        origin,
                        entry.tree_size,
                        entry.root_hash,
                        epoch_map.prove(origin),
                        tuple(path),
                    )
                )
        return EpochEvidence(
            self._origin, head.tree_size, head.root_hash, head.checkpoint, tuple(raws), tuple(heads)
        )

    def plans(self, anchored_size: int, published_size: int) -> list[AnchorPlan]:
        """One anchor plan for each published epoch beyond `anchored_size`, in order."""
        plans, at = [], anchored_size
        for record in self.records(1, None):
            if not at < record.tree_size <= published_size:
                continue
            path = consistency_path(at, record.tree_size, self._reader.nodes(self._origin, record.tree_size))
            plans.append(AnchorPlan(record.epoch, at, record.tree_size, record.root_hash, tuple(path)))
            at = record.tree_size
        return plans


def _record(row: Any) -> EpochRecord:
    head = Checkpoint.of_note(row.checkpoint)
    return EpochRecord(
        row.epoch,
        row.entry_index,
        bytes(row.map_root),
        row.origins,
        row.built_at,
        head.tree_size,
        head.root_hash,
        row.checkpoint,
    )


def _not_built(epoch: int) -> RangeInvalid:
    return RangeInvalid("epoch", f"{epoch} is not built or not published", "ask for a built epoch")
