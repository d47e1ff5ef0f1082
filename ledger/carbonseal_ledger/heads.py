"""Heads of logs: how a log begins, and how its root and checkpoint move with new leaves.

Shared by the sequencer (statements) and the epochs (entries of the log of logs). Everything happens in the
transaction that holds the log's row; a head is signed here and nowhere else, so a log never signs two that
contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg2
from sqlalchemy import Engine

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import KINDS
from carbonseal_attest.instants import Clock
from carbonseal_attest.merkle import Frontier, leaf_hash
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger import rows
from carbonseal_ledger.continuity import StreamCursor
from carbonseal_ledger.database import unusable
from carbonseal_ledger.log_keys import line_of, retired
from carbonseal_ledger.outcomes import StoredHead
from carbonseal_ledger.registration import LogTerms
from carbonseal_ledger.rows import LockedLog, NewEntry, StreamKey
from carbonseal_ledger.steps import at_step
from carbonseal_ledger.tree_reader import frontier_from_bytes

KNOWN_KINDS: Final = frozenset({*KINDS, "epoch"})  # whatever an entry can be


@dataclass(frozen=True, slots=True)
class CommittedHead:
    """A head that a transaction committed, with what publishing it needs."""

    origin: str
    old_size: int
    old_root: bytes
    size: int
    root_hash: bytes
    checkpoint: str
    leaf_hashes: list[bytes]
    raws: list[bytes]
    floor: int = 0  # a size that the published copy is known to have reached, and may not be below

    @classmethod
    def of_stored(cls, head: StoredHead, *, floor: int | None = None) -> CommittedHead:
        """A head that stands in the database already; publishing it reads the entries and proves the growth.

        `old_size` is deliberately no size, so that it equals that of no copy.
        """
        lowest = head.published_size if floor is None else floor
        return cls(head.origin, -1, b"", head.size, head.root_hash, head.checkpoint, [], [], lowest)


class HeadWriter:
    """Opens logs and advances their heads. One for each process."""

    def __init__(
        self, engine: Engine, log_signer: Signer, clock: Clock, retiring: Signer | None = None
    ) -> None:
        self._engine = engine
        self._retiring = retiring
        self._signer = log_signer
        self._clock = clock
        self._kinds: dict[str, int] = {}

    def advance(
        self,
        cursor: Any,
        origin: str,
        log: LockedLog,
        raws: list[bytes],
        now: int,
        published_size: int,
        *,
        ticks: bool,
    ) -> CommittedHead:
        """Write a locked log's new head after its entries; the caller commits.

        Args:
            cursor: of the transaction that holds the row.
            origin: of the log.
            log: the locked row.
            raws: the new leaves.
            now: registration time in milliseconds.
            published_size: a size that the published copy is known to have reached.
            ticks: whether the last leaf is a tick.

        Raises:
            LogKeyRetired: the log has another key than this process; nothing may be written.
        """
        signers = self._signers(origin, log)
        leaf_hashes = [leaf_hash(raw) for raw in raws]
        frontier: Frontier = frontier_from_bytes(log.size, log.frontier).extend(leaf_hashes)
        root = frontier.root()
        checkpoint = sign_checkpoint(Checkpoint(origin, frontier.size, root), *signers)
        cursor.execute(
            "UPDATE ledger_logs SET size = %s, root_hash = %s, frontier = %s, checkpoint = %s,"
            " last_registered_at = %s,"
            " published_size = greatest(published_size, %s), last_tick_at = %s, ticked_size = %s,"
            " rate_owed = %s, rate_owed_at = %s, spent_day = %s, spent_bytes = %s,"
            " log_keys = log_keys || %s WHERE id = %s",
            (
                frontier.size,
                root,
                b"".join(frontier.hashes),
                checkpoint,
                now,
                published_size,
                now if ticks else log.last_tick_at,
                frontier.size if ticks else log.ticked_size,
                log.allowance.owed,
                log.allowance.owed_at,
                log.allowance.day,
                log.allowance.day_bytes,
                [line_of(frontier.size, self._signer.public)] if len(signers) > 1 else [],
                log.id,
            ),
        )
        at_step("head written")
        return CommittedHead(
            origin,
            log.size,
            log.root_hash,
            frontier.size,
            root,
            checkpoint,
            leaf_hashes,
            raws,
            max(log.published_size, published_size),
        )

    def open(self, terms: LogTerms, statement: SignedStatement, content: bytes) -> CommittedHead:
        """Create a log's row with its genesis as entry 0; the caller has checked everything.

        Raises:
            DatabaseUnusable: it could not be written, also when somebody else opened the log at the same
                moment.
        """
        now = self._clock()
        header = statement.header
        key: StreamKey = (header.kid, header.stream)
        own = self._signer.public
        head = StreamCursor(None, 0, statement.digest)
        try:
            with rows.transaction(self._engine) as cursor:
                cursor.execute(
                    "INSERT INTO ledger_logs (origin, party, log, size, root_hash, frontier, checkpoint,"
                    " published_size, last_tick_at, ticked_size, last_registered_at, genesis_digest,"
                    " opened_at, rate_owed, rate_owed_at, spent_day, spent_bytes, log_keys)"
                    " VALUES (%s, %s, %s, 0, '', '', '', 0, 0, 0, %s, %s, %s, 0, 0, 0, 0, %s) RETURNING id",
                    (terms.origin, terms.party, terms.log, now, statement.digest, now, [line_of(0, own)]),
                )
                log_id = cursor.fetchone()[0]
                at_step("log row written")
                rows.create_streams(cursor, log_id, {key: head})
                kind_id = self.kind_ids(cursor, {"genesis"})["genesis"]
                subject = rows.name_ids(cursor, "ledger_subjects", {header.subject}, log_id)[header.subject]
                raw, digest = statement.raw, statement.digest
                entry = NewEntry(0, now, kind_id, head.stream_id or 0, 0, subject, None, digest, raw)
                rows.copy_entries(cursor, log_id, [entry])
                rows.insert_contents(cursor, log_id, {statement.payload: content})
                at_step("genesis written")
                log = LockedLog(log_id, 0, Frontier().root(), b"", 0, 0, 0, now, log_key=own.text())
                head_written = self.advance(cursor, terms.origin, log, [raw], now, 0, ticks=False)
        except psycopg2.Error as error:
            raise unusable(error) from error
        at_step("log opened")
        return head_written

    def _signers(self, origin: str, log: LockedLog) -> tuple[Signer, ...]:
        """Who signs the next head: the log's key; where it changes, the new one and then the old one."""
        if log.log_key == self._signer.public.text():
            return (self._signer,)
        if self._retiring is not None and log.log_key == self._retiring.public.text():
            return self._signer, self._retiring
        raise retired(origin)

    def kind_ids(self, cursor: Any, kinds: set[str]) -> dict[str, int]:
        """The ids of some kinds, which are added where they are new."""
        if kinds <= self._kinds.keys():
            return self._kinds
        # Ids added in a transaction that is rolled back must not be remembered: they are read again until
        # committed.
        return self._kinds | rows.name_ids(cursor, "ledger_kinds", kinds)

    def remember_kinds(self) -> None:
        """Have a row for every kind of this version, and remember the ids.

        No batch then adds a kind in its own transaction, where every other log's batch with the same new kind
        would wait until that one has ended.
        """
        with rows.transaction(self._engine) as cursor:
            self._kinds = rows.name_ids(cursor, "ledger_kinds", KNOWN_KINDS)
