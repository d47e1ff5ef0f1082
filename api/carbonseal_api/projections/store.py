"""Runs the replay: reads each log from where it was left, writes the rows, remembers the place; starts anew.

One refresh at a time over all processes (an advisory lock); rows and progress are one transaction, so a
kill leaves no half of a batch. Instants are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, select, text
from sqlalchemy.dialects.postgresql import insert

from carbonseal_api.projections import tables
from carbonseal_api.projections.replay import project, wanted_contents
from carbonseal_api.projections.rows import Rows
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import LogUnknown
from carbonseal_ledger.log_host import LogHost

CHUNK: Final = 500  # entries a transaction
_REFRESH_LOCK: Final = 0x_CA4B_5EA3  # advisory lock: one process refreshes at a time
_ROWS_PER_INSERT: Final = 1000


class ProjectionStore:
    """The projections of one database."""

    def __init__(self, engine: Engine, host: LogHost, *, registrar: str) -> None:
        self._engine, self._host, self._registrar = engine, host, registrar

    def ensure(self) -> None:
        """Create the tables when they are missing; drop them first when they are of another version."""
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REFRESH_LOCK})
            if self._version(connection) not in {None, tables.VERSION}:
                tables.METADATA.drop_all(connection)
            tables.METADATA.create_all(connection)
            connection.execute(insert(tables.STATE).values(version=tables.VERSION).on_conflict_do_nothing())

    def drop(self) -> None:
        """Drop every projection table."""
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REFRESH_LOCK})
            tables.METADATA.drop_all(connection)

    def replay(self) -> int:
        """Drop all projections and draw them again; returns the number of entries read."""
        self.drop()
        self.ensure()
        return self.refresh()

    def refresh(self) -> int:
        """Read what each log has gained since the last time; returns the number of entries read.

        The registrar's register log comes first, then the others by origin.
        """
        logs = [log for log in self._host.logs() if log.log != "epochs"]
        logs.sort(key=lambda log: (log.party != self._registrar, log.origin))
        with self._engine.connect() as connection:
            known = {row.origin: row.next_index for row in connection.execute(select(tables.PROGRESS))}
        return sum(
            self._refresh_log(log.origin, log.party, log.tree_size)
            for log in logs
            if known.get(log.origin, 0) < log.tree_size
        )

    def refresh_log(self, origin: str) -> int:
        """Read what one log has gained; for a decision that must not rest on what was true a moment ago.

        Raises:
            LogUnknown: no such log.
        """
        size = self._host.head(origin).tree_size
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if self._next_index(connection, origin) >= size:
                return 0
        return self._refresh_log(origin, origin.split("/")[1], size)

    def _refresh_log(self, origin: str, party: str, tree_size: int) -> int:
        read = 0
        try:
            # What is committed and not published yet may not be read: it comes with the next refresh.
            size = min(tree_size, self._host.head(origin).tree_size)
        except LogUnknown:
            return 0
        while True:
            with self._engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REFRESH_LOCK})
                start = self._next_index(connection, origin)
                end = min(start + CHUNK, size)
                if start >= end:
                    return read
                entries = self._host.entries(origin, start, end)
                contents = self._host.contents.get_many(set(wanted_contents(entries).values()))
                _write(connection, project(party, entries, contents))
                progress = insert(tables.PROGRESS).values(origin=origin, next_index=end)
                connection.execute(
                    progress.on_conflict_do_update(index_elements=["origin"], set_={"next_index": end})
                )
                read += end - start

    def take_late(self, origin: str, party: str, kinds: Collection[str], digest: bytes) -> int:
        """Draw the rows of registered statements whose content, by its digest, has come only now.

        A row follows from entry and content alone, so the rows are those of a replay. Returns how many
        statements it was.
        """
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REFRESH_LOCK})
            drawn = self._next_index(connection, origin)
            late = [
                entry
                for entry in self._host.select(origin, kinds=kinds, end=drawn)
                if SignedStatement.parse(entry.raw).payload == digest
            ]
            if late:
                _write(connection, project(party, late, self._host.contents.get_many([digest])))
        return len(late)

    @staticmethod
    def _next_index(connection: Connection, origin: str) -> int:
        query = select(tables.PROGRESS.c.next_index).where(tables.PROGRESS.c.origin == origin)
        return connection.execute(query).scalar() or 0

    @staticmethod
    def _version(connection: Connection) -> int | None:
        known = connection.execute(text("SELECT to_regclass('projection_state')")).scalar()
        if known is None:
            return None
        return connection.execute(select(tables.STATE.c.version)).scalar()


def _write(connection: Connection, rows: Rows) -> None:
    _upsert(connection, tables.PARTIES, list(rows.parties.values()))
    _upsert(connection, tables.DEVICES, list(rows.devices.values()))
    _upsert(connection, tables.PLANS, list(rows.plans.values()))
    _upsert(connection, tables.SERIES, rows.series)
    _upsert(connection, tables.RESULTS, rows.results)
    for table, added in rows.more.items():
        _upsert(connection, table, list(added.values()))
    _upsert(
        connection,
        tables.LAST_READINGS,
        list(rows.last_readings.values()),
        # A late backfill must not make the last reading older.
        only_if_newer="measured_at",
    )


def _upsert(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, only_if_newer: str | None = None
) -> None:
    keys = [column.name for column in table.primary_key.columns]
    for start in range(0, len(rows), _ROWS_PER_INSERT):
        statement = insert(table)
        changed = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys
        }
        where = None
        if only_if_newer is not None:
            where = table.c[only_if_newer] <= statement.excluded[only_if_newer]
        connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=changed, where=where),
            list(rows[start : start + _ROWS_PER_INSERT]),
        )
