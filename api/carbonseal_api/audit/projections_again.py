"""Draws the projections a second time, in a schema of their own, and compares them with those that stand.

The logs are the source: a row that differs, is missing or is too much is wrong where it stands. Nothing of
the service is changed; the second drawing is removed at the end, also after a crash of an earlier run.
Tables that no replay draws (`tables.KEPT_BESIDE`) are not compared: they differ wherever the service runs.
A place to go on from that lies beyond what was read would hide causes, and is named.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, Table, create_engine, select, text

from carbonseal_api.assembly import Parts
from carbonseal_api.problems import ServiceUnavailable
from carbonseal_api.projections import tables
from carbonseal_api.projections.store import ProjectionStore
from carbonseal_ledger.audit_report import Progress
from carbonseal_ledger.row_checksums import row_name

_SCHEMA = "carbonseal_fsck"
_TRIES = 5  # refreshes until both drawings have read the same entries
_SHOWN = 1_000  # wrong rows named of one table


def differences(parts: Parts, progress: Progress) -> Iterator[tuple[str, int, list[str]]]:
    """Yield each projection table with its number of rows, and the names of the rows that are wrong.

    Raises:
        ServiceUnavailable: Entries arrived faster than they could be read.
    """
    again = create_engine(parts.engine.url, connect_args={"options": f"-c search_path={_SCHEMA}"})
    try:
        _drop(parts.engine)
        with parts.engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {_SCHEMA}"))
        progress("projections: drawn again", 0, 1)
        store = ProjectionStore(again, parts.host, registrar=parts.registrar)
        store.ensure()
        with parts.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            _read_alike(parts, store, connection)
            for name, table in tables.METADATA.tables.items():
                progress(f"projections: {name}", 0, 1)
                if name not in tables.KEPT_BESIDE:
                    yield name, *_compare(connection, table)
            yield tables.SETTLED.name, *_beyond(connection)
    finally:
        again.dispose()
        _drop(parts.engine)


def _read_alike(parts: Parts, store: ProjectionStore, connection: Connection) -> None:
    """Bring both drawings to the same entries, and begin the snapshot of `connection` there."""
    for _ in range(_TRIES):
        parts.projections.refresh()
        store.refresh()
        here = connection.execute(select(tables.PROGRESS).order_by(tables.PROGRESS.c.origin)).all()
        there = connection.exec_driver_sql(
            f"SELECT * FROM {_SCHEMA}.projection_progress ORDER BY origin"  # noqa: S608 - a name of ours
        ).all()
        if list(map(tuple, here)) == list(map(tuple, there)):
            return
        connection.rollback()
    raise ServiceUnavailable(
        "projections", "entries arrive faster than they can be read again", "audit when less is uploaded"
    )


def _compare(connection: Connection, table: Table) -> tuple[int, list[str]]:
    key = [column.name for column in table.primary_key.columns]
    shown = ", ".join(f'"{name}"' for name in key)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    here, there = f"SELECT {columns} FROM {table.name}", f"SELECT {columns} FROM {_SCHEMA}.{table.name}"  # noqa: S608
    query = (
        f"SELECT DISTINCT {shown} FROM (({here} EXCEPT ALL {there}) UNION ALL ({there} EXCEPT ALL {here})) d"  # noqa: S608
        f" ORDER BY {shown} LIMIT {_SHOWN}"
    )
    count = connection.exec_driver_sql(f"SELECT count(*) FROM {table.name}").scalar() or 0  # noqa: S608
    wrong = [
        row_name(table.name, dict(zip(key, row, strict=True))) for row in connection.exec_driver_sql(query)
    ]
    return count, wrong


def _beyond(connection: Connection) -> tuple[int, list[str]]:
    read = {
        tuple(row.origin.rsplit("/", 2)[1:]): row.next_index
        for row in connection.execute(select(tables.PROGRESS))
    }
    rows = connection.execute(select(tables.SETTLED)).all()
    wrong = [
        row_name(tables.SETTLED.name, {"party": row.party, "log": row.log})
        for row in rows
        if not 0 <= row.next_index <= read.get((row.party, row.log), 0)
    ]
    return len(rows), wrong[:_SHOWN]


def _drop(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"))
