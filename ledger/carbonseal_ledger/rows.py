"""Row traffic of the sequencer: binary COPY for entries and contents, and the small reads beside it.

Written against psycopg2 cursors rather than the object mapper: this is the hot path, and COPY has no other
door. The binary format is the one of PostgreSQL's manual (COPY, "Binary Format"). Every function runs inside
the caller's transaction.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2
from psycopg2.extras import execute_values
from sqlalchemy import Engine

from carbonseal_ledger.continuity import StreamCursor
from carbonseal_ledger.database import unusable
from carbonseal_ledger.policy import Allowance

StreamKey = tuple[bytes, str]
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TAIL: Final = b"\xff\xff"
_CONTENT: Final = struct.Struct("!hi32siii")
_ENTRY: Final = struct.Struct("!hiiiqiqihiiiqiiiqiqi32si")
_ENTRY_WITHOUT_INTERVAL: Final = struct.Struct("!hiiiqiqihiiiqiiiii32si")


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One entry about to be written."""

    index: int
    registered_at: int
    kind_id: int
    stream_id: int
    sequence: int
    subject_id: int
    interval: tuple[int, int] | None
    digest: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class LockedLog:
    """A log's row, locked until the transaction ends."""

    id: int
    size: int
    root_hash: bytes
    frontier: bytes
    published_size: int
    last_tick_at: int
    ticked_size: int
    last_registered_at: int
    has_erasures: bool = False
    allowance: Allowance = field(default_factory=Allowance)
    log_key: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """What stands at a place of a stream."""

    index: int
    digest: bytes
    kind: str
    raw: bytes
    registered_at: int


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Any]:
    """A psycopg2 cursor in a transaction of its own, committed at the end and rolled back on any error.

    Raises:
        DatabaseUnusable: the server went away; whether a commit happened is then not known.
    """
    connection = None
    try:
        connection = engine.raw_connection()
        cursor: Any = connection.cursor()
        yield cursor
        cursor.close()
        connection.commit()
    except BaseException as error:
        if connection is not None:
            with contextlib.suppress(psycopg2.Error):
                connection.rollback()
        if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
            raise unusable(error) from error
        raise
    finally:
        if connection is not None:
            connection.close()


def lock_log(cursor: Any, origin: str) -> LockedLog | None:
    """Lock a log's row and return it; None when there is no such log."""
    cursor.execute(
        "SELECT id, size, root_hash, frontier, published_size, last_tick_at, ticked_size, last_registered_at,"
        " EXISTS (SELECT 1 FROM ledger_erasures), rate_owed, rate_owed_at, spent_day, spent_bytes,"
        " log_keys[array_length(log_keys, 1)] FROM ledger_logs WHERE origin = %s FOR UPDATE",
        (origin,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    id_, size, root_hash, frontier, *numbers, has_erasures, owed, owed_at, day, day_bytes, log_key = row
    allowance = Allowance(owed, owed_at, day, day_bytes)
    published, ticked_at, ticked_size, registered_at = numbers
    return LockedLog(
        id_,
        size,
        bytes(root_hash),
        bytes(frontier),
        published,
        ticked_at,
        ticked_size,
        registered_at,
        has_erasures,
        allowance,
        log_key.partition(" ")[2],
    )


def copy_entries(cursor: Any, log_id: int, entries: Iterable[NewEntry]) -> None:
    """Write entries by COPY."""
    parts = [_COPY_HEAD]
    for e in entries:
        head = (
            11, 4, log_id, 8, e.index, 8, e.registered_at, 2, e.kind_id, 4, e.stream_id, 8, e.sequence,
            4, e.subject_id,
        )  # fmt: skip
        if e.interval is None:
            parts.append(_ENTRY_WITHOUT_INTERVAL.pack(*head, -1, -1, 32, e.digest, len(e.raw)))
        else:
            parts.append(_ENTRY.pack(*head, 8, e.interval[0], 8, e.interval[1], 32, e.digest, len(e.raw)))
        parts.append(e.raw)
    parts.append(_COPY_TAIL)
    cursor.copy_expert(
        "COPY ledger_entries (log_id, index, registered_at, kind_id, stream_id, sequence, subject_id,"
        " interval_start, interval_end, digest, raw) FROM STDIN WITH (FORMAT binary)",
        io.BytesIO(b"".join(parts)),
    )


def copy_contents(cursor: Any, log_id: int, contents: Mapping[bytes, bytes]) -> None:
    """Write new contents by COPY; a known digest is a unique violation and ends the transaction."""
    parts = [_COPY_HEAD]
    for digest, data in contents.items():
        parts += (_CONTENT.pack(3, 32, digest, 4, log_id, len(data)), data)
    parts.append(_COPY_TAIL)
    cursor.copy_expert(
        "COPY ledger_contents (digest, log_id, data) FROM STDIN WITH (FORMAT binary)",
        io.BytesIO(b"".join(parts)),
    )


def insert_contents(cursor: Any, log_id: int, contents: Mapping[bytes, bytes]) -> None:
    """Write contents of which some may be stored already."""
    rows = [(digest, log_id, data) for digest, data in contents.items()]
    execute_values(
        cursor, "INSERT INTO ledger_contents (digest, log_id, data) VALUES %s ON CONFLICT DO NOTHING", rows
    )


def erase_contents(cursor: Any, party: str, erasures: Mapping[bytes, str], now: int) -> None:
    """Remove those of some contents, by digest with the reason, that came through a log of the party."""
    cursor.execute(
        "DELETE FROM ledger_contents c USING ledger_logs l WHERE c.digest = ANY(%s) AND l.id = c.log_id"
        " AND l.party = %s RETURNING c.digest",
        (list(erasures), party),
    )
    if gone := [(digest, now, erasures[bytes(digest)]) for (digest,) in cursor.fetchall()]:
        execute_values(
            cursor,
            "INSERT INTO ledger_erasures (digest, erased_at, reason) VALUES %s ON CONFLICT DO NOTHING",
            gone,
        )


def read_cursors(cursor: Any, log_id: int, keys: Sequence[StreamKey]) -> dict[StreamKey, StreamCursor]:
    """The heads of some streams of a locked log; streams without a row are left out."""
    found: dict[StreamKey, StreamCursor] = {}
    if not keys:
        return found
    rows = execute_values(
        cursor,
        "SELECT s.kid, s.stream, s.id, s.last_sequence, s.last_digest, s.void_digest FROM ledger_streams s"
        " JOIN (VALUES %s) AS k (log_id, kid, stream)"
        " ON s.log_id = k.log_id AND s.kid = k.kid AND s.stream = k.stream",
        [(log_id, *key) for key in keys],
        page_size=len(keys),
        fetch=True,
    )
    for kid, stream, stream_id, sequence, digest, void_digest in rows:
        void = None if void_digest is None else bytes(void_digest)
        found[bytes(kid), stream] = StreamCursor(stream_id, sequence, bytes(digest), void)
    return found


def create_streams(cursor: Any, log_id: int, cursors: Mapping[StreamKey, StreamCursor]) -> None:
    """Insert rows for new streams with their heads, and note their ids in the cursors."""
    rows = [
        (log_id, kid, stream, c.sequence, c.digest, c.void_digest) for (kid, stream), c in cursors.items()
    ]
    made = execute_values(
        cursor,
        "INSERT INTO ledger_streams (log_id, kid, stream, last_sequence, last_digest, void_digest) VALUES %s"
        " RETURNING kid, stream, id",
        rows,
        page_size=len(rows),
        fetch=True,
    )
    for kid, stream, stream_id in made:
        cursors[bytes(kid), stream].stream_id = stream_id


def update_streams(cursor: Any, cursors: Iterable[StreamCursor]) -> None:
    """Write the heads of streams that have rows."""
    rows = [(c.stream_id, c.sequence, c.digest, c.void_digest) for c in cursors]
    execute_values(
        cursor,
        "UPDATE ledger_streams s SET last_sequence = v.sequence, last_digest = v.digest, void_digest = v.void"
        " FROM (VALUES %s) AS v (id, sequence, digest, void) WHERE s.id = v.id",
        rows,
        template="(%s, %s, %s, %s::bytea)",
        page_size=len(rows),
    )


def read_registered(cursor: Any, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Registered]:
    """What stands at some places (stream id, sequence)."""
    if not places:
        return {}
    rows = execute_values(
        cursor,
        "SELECT e.stream_id, e.sequence, e.index, e.digest, n.name, e.raw, e.registered_at"
        " FROM ledger_entries e"
        " JOIN (VALUES %s) AS p (stream_id, sequence) ON e.stream_id = p.stream_id AND e.sequence ="
        " p.sequence"
        " JOIN ledger_kinds n ON n.id = e.kind_id",
        places,
        page_size=len(places),
        fetch=True,
    )
    return {
        (row[0], row[1]): Registered(row[2], bytes(row[3]), row[4], bytes(row[5]), row[6]) for row in rows
    }


def read_contents(cursor: Any, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    """The stored ones of some contents; their bytes are checked by whoever uses them."""
    if not digests:
        return {}
    cursor.execute("SELECT digest, data FROM ledger_contents WHERE digest = ANY(%s)", (list(digests),))
    return {bytes(row[0]): bytes(row[1]) for row in cursor.fetchall()}


def read_erased(cursor: Any, digests: Sequence[bytes]) -> set[bytes]:
    """Those of some digests that were erased."""
    if not digests:
        return set()
    cursor.execute("SELECT digest FROM ledger_erasures WHERE digest = ANY(%s)", (list(digests),))
    return {bytes(row[0]) for row in cursor.fetchall()}


def name_ids(cursor: Any, table: str, names: Iterable[str], log_id: int | None = None) -> dict[str, int]:
    """The ids of names in `ledger_kinds` or, with a log, in `ledger_subjects`; missing names are added.

    Only the sequencer that holds the log's row adds subjects; kinds may be added by any log at once. Read
    first: an insert uses up a number of the id's sequence even where the name is known, and there are 32,767
    for kinds.
    """
    wanted = set(names)
    found = _read_names(cursor, table, wanted, log_id)
    if not wanted <= found.keys():
        missing = sorted(wanted - found.keys())
        if table == "ledger_kinds":
            execute_values(
                cursor,
                "INSERT INTO ledger_kinds (name) VALUES %s ON CONFLICT (name) DO NOTHING",
                [(name,) for name in missing],
            )
        else:
            execute_values(
                cursor,
                "INSERT INTO ledger_subjects (log_id, name) VALUES %s ON CONFLICT (log_id, name) DO NOTHING",
                [(log_id, name) for name in missing],
            )
        found = _read_names(cursor, table, wanted, log_id)
    return found


def _read_names(cursor: Any, table: str, names: set[str], log_id: int | None) -> dict[str, int]:
    if table == "ledger_kinds":
        cursor.execute("SELECT name, id FROM ledger_kinds WHERE name = ANY(%s)", (list(names),))
    else:
        cursor.execute(
            "SELECT name, id FROM ledger_subjects WHERE log_id = %s AND name = ANY(%s)", (log_id, list(names))
        )
    return dict(cursor.fetchall())
