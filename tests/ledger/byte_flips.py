"""Draws stored bytes at random and flips one bit in each: columns by the coverage file, and published files.

What is flipped is not told to the database: triggers and foreign keys are off meanwhile, as for a disk that
fails, and where the log covers a column its row's checksum is made anew, as somebody would who knows how.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from carbonseal_ledger.coverage import Cover, Coverage
from carbonseal_ledger.row_checksums import SETTING, checksummed, row_name

COLUMNS = text(
    "SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,"
    " coalesce(a.attnum = ANY(i.indkey), false) AS is_key FROM pg_attribute a"
    " LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
    " WHERE a.attrelid = CAST(:table AS regclass) AND a.attnum > 0 AND NOT a.attisdropped"
)
WIDTHS = {"bigint": 8, "integer": 4, "smallint": 1, "boolean": 1}


@dataclass(frozen=True)
class Place:
    """One byte of one column of one row, or of one published file (`table` is then empty)."""

    table: str
    column: str
    key: Mapping[str, Any]
    type: str
    byte: int
    cover: Cover
    is_key: bool = False
    file: Path | None = None
    bit: int = 0

    @property
    def identity(self) -> tuple[Any, ...]:
        return self.table, self.column, tuple(map(str, self.key.values())), self.byte, self.file

    def __str__(self) -> str:
        if self.file is not None:
            return f"byte {self.byte} of {self.file}"
        return f"byte {self.byte} of {self.column} in {row_name(self.table, self.key)} ({self.cover})"


class Stock:
    """Every byte that there is to flip, by column, with how many there are."""

    def __init__(self, connection: Connection, coverage: Sequence[Coverage], published: Path | None) -> None:
        self.columns: list[tuple[str, str, str, Cover, bool, tuple[str, ...]]] = []
        self.weights: list[int] = []
        self.connection = connection
        for table, rows in ((t, r) for part in coverage for t, r in part.tables.items()):
            is_there = connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}) is not None
            if not is_there or table.endswith("_alembic_version"):
                continue
            found = connection.execute(COLUMNS, {"table": table}).all()
            key = tuple(sorted(c.name for c in found if c.is_key))
            for column in found:
                cover = rows[column.name].cover if column.name in rows else Cover.EXEMPT
                weight = self._bytes(table, column.name, column.type)
                if cover is not Cover.EXEMPT and weight:
                    self.columns.append((table, column.name, column.type, cover, column.is_key, key))
                    self.weights.append(weight)
        files = [] if published is None else [p for p in sorted(published.rglob("*")) if p.is_file()]
        self.files = [p for p in files if p.name != ".lock" and p.stat().st_size]
        self.file_bytes = sum(p.stat().st_size for p in self.files)

    def draw(self, rng: random.Random, count: int, *, by_column: bool) -> list[Place]:
        """Distinct places: each byte as likely as any other, or each column as likely as any other."""
        places: dict[tuple[Any, ...], Place] = {}
        while len(places) < count:
            file_weight = min(3, self.file_bytes) if by_column else self.file_bytes
            weights = [1] * len(self.columns) if by_column else self.weights
            if rng.randrange(sum(weights) + file_weight) < file_weight:
                file = rng.choices(self.files, [p.stat().st_size for p in self.files])[0]
                byte = rng.randrange(file.stat().st_size)
                place = Place("", "", {}, "file", byte, Cover.LOG, file=file, bit=rng.randrange(8))
            else:
                (column,) = rng.choices(self.columns, weights)
                place = self.of_column(column, rng)
            places.setdefault(place.identity, place)
        return list(places.values())

    def of_column(
        self, column: tuple[str, str, str, Cover, bool, tuple[str, ...]], rng: random.Random
    ) -> Place:
        table, name, kind, cover, is_key, key = column
        shown = ", ".join(f'"{k}"' for k in key)
        where = f'"{name}" IS NOT NULL AND {_length(name, kind)} > 0'
        total = self.connection.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {where}").scalar() or 0
        row = self.connection.exec_driver_sql(
            f"SELECT {shown}, {_length(name, kind)} AS bytes FROM {table} WHERE {where} ORDER BY {shown}"
            f" OFFSET {rng.randrange(total)} LIMIT 1"
        ).one()
        values = {k: bytes(v) if isinstance(v, memoryview) else v for k, v in zip(key, row, strict=False)}
        bit = 0 if kind in {"text", "text[]", "jsonb", "json"} else rng.randrange(7)
        return Place(table, name, values, kind, rng.randrange(row.bytes), cover, is_key, bit=bit)

    def _bytes(self, table: str, name: str, kind: str) -> int:
        query = f'SELECT coalesce(sum({_length(name, kind)}), 0) FROM {table} WHERE "{name}" IS NOT NULL'
        return int(self.connection.exec_driver_sql(query).scalar() or 0)


def flip(connection: Connection, place: Place) -> bool:
    """Flip a place; false where PostgreSQL cannot hold the result. The caller's transaction goes on."""
    if place.file is not None:
        data = bytearray(place.file.read_bytes())
        data[place.byte] ^= 1 << place.bit
        place.file.write_bytes(bytes(data))
        return True
    where, values = _where(place.key)
    try:
        with connection.begin_nested():
            changed = connection.execute(
                text(f'UPDATE {place.table} SET "{place.column}" = {_flipped(place)} WHERE {where}'), values
            )
            if changed.rowcount != 1:
                return False
    except DBAPIError:
        return False
    return True


def flipping(engine: Engine) -> Iterator[Connection]:
    """A connection whose writes no trigger sees; commits at the end."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection


Moved = dict[tuple[Any, ...], dict[str, Any]]


def flip_all(
    engine: Engine, coverage: Sequence[Coverage], places: Sequence[Place]
) -> tuple[list[Place], Moved]:
    """Flip all places, keys first; returns those flipped, and the keys that rows have now by those they had.

    Where the log covers a key its row's checksum is mended; what the checksum alone covers is flipped later.
    """
    flipped: list[Place] = []
    moved: Moved = {}
    for connection in flipping(engine):
        tables = {t.table: t for part in coverage for t in checksummed(connection, part)}
        for place in sorted(places, key=lambda one: not one.is_key):
            row = (place.table, *place.key.values())
            now = replace(place, key=moved.get(row, place.key))
            value = None if not place.is_key or place.file else _flipped_value(connection, now)
            if not flip(connection, now):
                continue
            flipped.append(place)
            if value is not None:
                moved[row] = {**now.key, place.column: value}
                table = tables.get(place.table)
                if table is not None and place.cover is not Cover.ROW_CHECKSUM:
                    where, values = _where(moved[row])
                    connection.execute(text(table.mend(where)), values)
    return flipped, moved


def fill(engine: Engine, coverage: Sequence[Coverage], rows: int = 3) -> None:
    """Put made-up rows into empty tables that row checksums alone cover, with right checksums."""
    for connection in flipping(engine):
        for part in coverage:
            for table in checksummed(connection, part):
                covers = {c.cover for c in part.tables[table.table].values()}
                if covers != {Cover.ROW_CHECKSUM} or connection.scalar(text(f"SELECT 1 FROM {table.table}")):
                    continue
                columns = [
                    c for c in connection.execute(COLUMNS, {"table": table.table}) if c.name != "row_checksum"
                ]
                names = ", ".join(f'"{c.name}"' for c in columns)
                for number in range(1, rows + 1):
                    made = ", ".join(_made(c.type, number) for c in columns)
                    connection.exec_driver_sql(
                        f"INSERT INTO {table.table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({made})"
                    )
                connection.execute(
                    text(f"SELECT set_config('{SETTING}', current_setting('{SETTING}'), true)")
                )
                connection.exec_driver_sql(table.mend("true"))


def _made(kind: str, number: int) -> str:
    return {
        "bytea": f"decode('{number:02x}{'ab' * 19}', 'hex')",
        "text": f"'made up {number}'",
        "text[]": f"ARRAY['made', 'up {number}']",
        "boolean": "true",
        "jsonb": f'\'{{"made": "up {number}"}}\'',
    }.get(kind, str(1000 + number))


def _length(name: str, kind: str) -> str:
    if kind in {"bytea", "text"}:
        return f'octet_length("{name}")'
    if kind in {"text[]", "jsonb", "json"}:
        return f'octet_length("{name}"::text)'
    return str(WIDTHS[kind])


def _flipped(place: Place) -> str:
    column, byte, bit = f'"{place.column}"', place.byte, place.bit
    if place.type == "bytea":
        return f"set_byte({column}, {byte}, get_byte({column}, {byte}) # {1 << bit})"
    if place.type == "boolean":
        return f"NOT {column}"
    if place.type == "bigint":
        return f"{column} # (1::bigint << {8 * byte + bit})"
    if place.type in {"integer", "smallint"}:
        return f"({column}::integer # (1 << {8 * byte + bit}))::{place.type}"
    turned = f"overlay({column}::text placing chr(ascii(substr({column}::text, {byte + 1}, 1)) # 1)"
    return f"({turned} from {byte + 1} for 1))::{place.type}"


def _where(key: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    where = " AND ".join(f'"{name}" = :key_{name}' for name in key)
    return where, {f"key_{name}": value for name, value in key.items()}


def _flipped_value(connection: Connection, place: Place) -> Any:
    """A key's value after its flip."""
    value = place.key[place.column]
    if isinstance(value, bytes):
        data = bytearray(value)
        data[place.byte] ^= 1 << place.bit
        return bytes(data)
    if isinstance(value, int):
        kind = "integer" if place.type == "smallint" else place.type
        shift = 8 * place.byte + place.bit
        return connection.exec_driver_sql(f"SELECT ({value})::{kind} # (1::{kind} << {shift})").scalar()
    return value[: place.byte] + chr(ord(value[place.byte]) ^ 1) + value[place.byte + 1 :]
