"""Reads logs, entries and stream heads; no such queries stand elsewhere but in the sequencer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Engine, text

from carbonseal_attest.keys import PublicKey
from carbonseal_ledger.errors import EntryUnknown, LogUnknown
from carbonseal_ledger.log_keys import LogKeys
from carbonseal_ledger.outcomes import Head, LogDescription, LoggedEntry, StoredHead, StreamHead
from carbonseal_ledger.registration import LogTerms

_ENTRY: Final = (
    "SELECT e.index, e.digest, e.raw, k.name AS kind, s.name AS subject, t.stream, e.sequence,"
    " e.interval_start,"
    " e.interval_end, e.registered_at FROM ledger_entries e JOIN ledger_kinds k ON k.id = e.kind_id"
    " LEFT JOIN ledger_subjects s ON s.id = e.subject_id LEFT JOIN ledger_streams t ON t.id = e.stream_id"
)
_STORED: Final = (
    # An epoch maps published heads, so the newest one is a second mark of what was published.
    "SELECT l.origin, l.size, l.root_hash, l.checkpoint, l.last_registered_at,"
    " greatest(l.published_size, h.tree_size) AS published_size FROM ledger_logs l"
    " LEFT JOIN ledger_epoch_heads h ON h.log_id = l.id"
    " AND h.epoch = (SELECT max(epoch) FROM ledger_epochs)"
)


class EntryReader:
    """Read access to the stored logs. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        # Single statements need no transaction around them: autocommit saves two round trips each.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._terms: dict[str, LogTerms] = {}

    def keys(self, present: PublicKey, retiring: PublicKey | None = None) -> LogKeys:
        """The log keys by tree size, beside the one that this process signs with."""
        return LogKeys(self._engine, present, retiring)

    def terms(self, origin: str) -> LogTerms:
        """What registration needs to know of a log.

        Raises:
            LogUnknown: no such log.
        """
        if origin in self._terms:
            return self._terms[origin]
        query = text("SELECT id, party, log FROM ledger_logs WHERE origin = :origin")
        row = self._one(query, origin=origin)
        if row is None:
            raise LogUnknown("origin", f"no log {origin} is open here", "open it with its genesis")
        # What never changes while a log lives may be remembered; logs are not removed.
        self._terms[origin] = LogTerms(row.id, origin, row.party, row.log)
        return self._terms[origin]

    def descriptions(self) -> list[LogDescription]:
        """All logs, ordered by origin."""
        query = text(
            "SELECT origin, party, log, size, root_hash, last_registered_at, opened_at FROM ledger_logs"
            " ORDER BY origin"
        )
        return [
            LogDescription(
                row.origin,
                row.party,
                row.log,
                row.size,
                bytes(row.root_hash),
                row.last_registered_at,
                row.opened_at,
            )
            for row in self._all(query)
        ]

    def stored_heads(self) -> list[StoredHead]:
        """The heads of all logs, for the start-up comparison."""
        return [_stored_head(row) for row in self._all(text(f"{_STORED} ORDER BY l.id"))]

    def stored_head(self, origin: str) -> StoredHead:
        """The head of one log as its row has it now.

        Raises:
            LogUnknown: no such log.
        """
        row = self._one(text(f"{_STORED} WHERE l.origin = :origin"), origin=origin)
        if row is None:
            raise LogUnknown("origin", f"no log {origin} is open here", "open it with its genesis")
        return _stored_head(row)

    def shrunk_since_epoch(self) -> list[tuple[str, int, int, int]]:
        """Logs that are smaller than the newest epoch's map has them: origin, size, epoch, mapped size."""
        query = text(
            "SELECT l.origin, l.size, h.epoch, h.tree_size FROM ledger_epoch_heads h"
            " JOIN ledger_logs l ON l.id = h.log_id"
            " WHERE h.epoch = (SELECT max(epoch) FROM ledger_epochs) AND h.tree_size > l.size ORDER BY 1"
        )
        return [(row.origin, row.size, row.epoch, row.tree_size) for row in self._all(query)]

    def head(self, origin: str) -> Head:
        """The committed head of a log, which may not be published yet."""
        query = text("SELECT size, root_hash, checkpoint FROM ledger_logs WHERE origin = :origin")
        row = self._one(query, origin=origin)
        if row is None:
            raise LogUnknown("origin", f"no log {origin} is open here", "open it with its genesis")
        return Head(origin, row.size, bytes(row.root_hash), row.checkpoint)

    def genesis_digest(self, origin: str) -> bytes | None:
        """The statement digest of entry 0; None when the log is not open."""
        row = self._one(text("SELECT genesis_digest FROM ledger_logs WHERE origin = :origin"), origin=origin)
        return None if row is None else bytes(row.genesis_digest)

    def unticked(self) -> list[str]:
        """The registers and data logs whose newest entry is no tick."""
        query = text(
            "SELECT origin FROM ledger_logs WHERE ticked_size < size AND log <> 'epochs' ORDER BY origin"
        )
        return [row.origin for row in self._all(query)]

    def mapped_logs(self) -> list[tuple[int, str]]:
        """Id and origin of every log that epochs map: all but the log of logs."""
        query = text("SELECT id, origin FROM ledger_logs WHERE log <> 'epochs' ORDER BY origin")
        return [(row.id, row.origin) for row in self._all(query)]

    def raws(self, origin: str, start: int, end: int) -> list[bytes]:
        """The leaves [start, end).

        Raises:
            EntryUnknown: the database does not hold them all.
        """
        query = text(
            "SELECT raw FROM ledger_entries WHERE log_id = (SELECT id FROM ledger_logs WHERE origin ="
            " :origin)"
            " AND index >= :start AND index < :end ORDER BY index"
        )
        found = [bytes(row.raw) for row in self._all(query, origin=origin, start=start, end=end)]
        if len(found) != end - start:
            raise EntryUnknown(
                "entries", f"{origin} lacks entries between {start} and {end}", "restore the database"
            )
        return found

    def select(
        self,
        terms: LogTerms,
        *,
        start: int,
        end: int,
        kinds: Collection[str] | None = None,
        subject: str | None = None,
        overlapping: tuple[int, int] | None = None,
    ) -> list[LoggedEntry]:
        """Entries [start, end), narrowed by kind, subject, or an interval that theirs must overlap."""
        where = ["e.log_id = :log_id", "e.index >= :start", "e.index < :end"]
        parameters: dict[str, Any] = {"log_id": terms.id, "start": start, "end": end}
        if kinds is not None:
            where.append("k.name = ANY(:kinds)")
            parameters["kinds"] = sorted(kinds)
        if subject is not None:
            where.append("s.name = :subject")
            parameters["subject"] = subject
        if overlapping is not None:
            where.append("e.interval_start < :until AND e.interval_end > :since")
            parameters |= {"since": overlapping[0], "until": overlapping[1]}
        query = text(f"{_ENTRY} WHERE {' AND '.join(where)} ORDER BY e.index")
        return [_entry(terms.origin, row) for row in self._all(query, **parameters)]

    def find(self, terms: LogTerms, digest: bytes) -> LoggedEntry:
        """The entry of a statement digest.

        Raises:
            EntryUnknown: the log holds no such statement.
        """
        query = text(f"{_ENTRY} WHERE e.digest = :digest AND e.log_id = :log_id")
        row = self._one(query, digest=digest, log_id=terms.id)
        if row is None:
            raise EntryUnknown(
                "digest", f"{terms.origin} holds no {digest.hex()}", "register the statement first"
            )
        return _entry(terms.origin, row)

    def leaves(self, terms: LogTerms, digests: Collection[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """Index and bytes of the entries of some statement digests; those that the log lacks are left out."""
        query = text(
            "SELECT digest, index, raw FROM ledger_entries WHERE log_id = :log_id AND digest = ANY(:digests)"
        )
        found = self._all(query, log_id=terms.id, digests=list(digests))
        return {bytes(row.digest): (row.index, bytes(row.raw)) for row in found}

    def stream_heads(self, terms: LogTerms, kid: bytes | None) -> list[StreamHead]:
        """The heads of the streams of a log, of one key or of all, ordered by stream."""
        query = text(
            "SELECT kid, stream, last_sequence, last_digest FROM ledger_streams WHERE log_id = :log_id"
            " AND (cast(:kid AS bytea) IS NULL OR kid = :kid) ORDER BY stream, kid"
        )
        return [
            StreamHead(bytes(row.kid), row.stream, row.last_sequence, bytes(row.last_digest))
            for row in self._all(query, log_id=terms.id, kid=kid)
        ]

    def _all(self, query: Any, **parameters: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(query, parameters))

    def _one(self, query: Any, **parameters: Any) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(query, parameters).first()


def _entry(origin: str, row: Any) -> LoggedEntry:
    interval = None if row.interval_start is None else (row.interval_start, row.interval_end)
    return LoggedEntry(
        origin,
        row.index,
        bytes(row.digest),
        bytes(row.raw),
        row.kind,
        row.subject,
        row.stream,
        row.sequence,
        interval,
        row.registered_at,
    )


def _stored_head(row: Any) -> StoredHead:
    return StoredHead(
        row.origin, row.size, bytes(row.root_hash), row.checkpoint, row.published_size, row.last_registered_at
    )
