"""Bytes that a reading costs on disk, all in: database with its indexes, contents, and the published copy.

The write-ahead log is left out, because it is recycled. Beside it stands the plain way: one table row a
reading (meter, time, value, quality) with the index that any query needs, in the same PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path

import psycopg2

PEER_ROWS = 200_000


def database_bytes(url: str) -> int:
    """Size of the whole database after dead rows were cleared and pages written."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("CHECKPOINT")
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def folder_bytes(folder: Path) -> int:
    """Blocks that the files of a folder occupy, in bytes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def row_bytes_per_reading(url: str) -> float:
    """Bytes of one reading kept as one indexed table row; the table is dropped again."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE bench_reading (meter integer NOT NULL, at timestamptz NOT NULL,"
                " value numeric NOT NULL, quality smallint NOT NULL, PRIMARY KEY (meter, at))"
            )
            cursor.execute(
                "INSERT INTO bench_reading SELECT n %% 64, to_timestamp(1767225600 + (n / 64) * 60),"
                " 100000 + n * 0.13, 0 FROM generate_series(0, %s - 1) AS n",
                (PEER_ROWS,),
            )
            cursor.execute("VACUUM bench_reading")
            cursor.execute("SELECT pg_total_relation_size('bench_reading')")
            size = int(cursor.fetchone()[0])
            cursor.execute("DROP TABLE bench_reading")
    finally:
        connection.close()
    return size / PEER_ROWS
