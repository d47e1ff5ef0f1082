"""Row checksums: a keyed digest in each row over its key and whatever nothing else covers.

PostgreSQL computes them in a trigger, so that no writing code can forget them: 8 bytes of SHA-256 over the
host's key and the covered columns, in the column `row_checksum`. The key comes with the session
(`carbonseal.row_key`) and is not stored in the database; a session without it leaves the checksum as it was.

A wrong checksum shows that a row was changed by something else than this host's programs: a failing disk, a
repair gone wrong, somebody at the database's own console. A right one does not show that nobody who holds the
key wrote it, nor that a row was not removed or put back as it once was; and whoever may replace the trigger
can learn the key. For what must be proved to others there is the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from carbonseal_ledger.coverage import Coverage

COLUMN: Final = "row_checksum"
SETTING: Final = "carbonseal.row_key"
UNKEYED: Final = bytes(32)  # where no host is: tests, and servers that are only started
_BYTES: Final = 8  # one changed row in 2^64 goes unseen
_PREFIX: Final = "row_checksum_of_"
_COLUMNS: Final = text(
    "SELECT c.relname AS name, a.attname AS column, format_type(a.atttypid, NULL) AS type,"
    " coalesce(a.attnum = ANY(i.indkey), false) AS is_key FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
    " WHERE c.relkind = 'r' AND c.relname = ANY(:names) ORDER BY c.relname, a.attname"
)
_INSTALLED: Final = text(
    "SELECT t.tgrelid::regclass::text AS name, p.prosrc AS source FROM pg_trigger t"
    " JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgname = 'row_checksum' AND t.tgenabled <> 'D'"
)


@dataclass(frozen=True, slots=True)
class Checksummed:
    """A table with row checksums: its key, and the columns that they cover, with their types."""

    table: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]

    def expression(self, row: str) -> str:
        """SQL of the checksum of `row` (an alias, or NEW)."""
        parts = "||".join(_written(row, name, kind) for name, kind in self.columns)
        digest = f"sha256(convert_to(current_setting('{SETTING}')||'{self.table}'||{parts},'UTF8'))"
        return f"substr({digest},1,{_BYTES})"

    def mend(self, where: str) -> str:
        """SQL that makes the checksums of some rows anew, whoever asks."""
        return f"UPDATE {self.table} SET {COLUMN} = {self.expression(self.table)} WHERE {where}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row whose checksum is not that of what stands in it; `key` maps its key's columns to their values."""

    table: str
    key: Mapping[str, Any]
    columns: tuple[str, ...]
    is_missing: bool

    @property
    def where(self) -> str:
        """The row as an audit names it."""
        return row_name(self.table, self.key)


def row_name(table: str, key: Mapping[str, Any]) -> str:
    """A row as an audit names it: the table, and its key's columns with their values."""
    shown = (f"{name}={_shown(value)}" for name, value in key.items())
    return f"{table} {' '.join(shown)}"


def checksummed(connection: Connection, coverage: Coverage) -> list[Checksummed]:
    """The tables of `coverage` that are in the database and have columns under row checksums."""
    tables: dict[str, list[Any]] = {}
    for row in connection.execute(_COLUMNS, {"names": list(coverage.tables)}):
        tables.setdefault(row.name, []).append(row)
    found = []
    for name, rows in tables.items():
        covered = set(coverage.checksummed(name))
        if covered:
            key = tuple(row.column for row in rows if row.is_key)
            columns = [(row.column, row.type) for row in rows if row.column in covered or row.is_key]
            found.append(Checksummed(name, key, tuple(columns)))
    return found


def install(connection: Connection, coverage: Coverage) -> None:
    """Give each table of `coverage` that needs it the column and the trigger; the same again changes nothing.

    Where what is covered has changed, the checksums of all rows of that table are made anew: a migration is
    trusted with what it finds.
    """
    standing = {row.name: row.source for row in connection.execute(_INSTALLED)}
    for table in checksummed(connection, coverage):
        source = _source(table)
        if standing.get(table.table) == source:
            continue
        function = f"{_PREFIX}{table.table}"
        name, head = table.table, f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
        trigger = f"CREATE OR REPLACE TRIGGER row_checksum BEFORE INSERT OR UPDATE ON {name} FOR EACH ROW"
        for statement in (
            f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {COLUMN} bytea",
            f"{head} AS $body${source}$body$",
            f"{trigger} EXECUTE FUNCTION {function}()",
            f"UPDATE {name} SET {COLUMN} = NULL",  # noqa: S608 - a name of ours
        ):
            connection.exec_driver_sql(statement)


def wrong_rows(connection: Connection, table: Checksummed) -> Iterator[WrongRow]:
    """The rows of a table whose checksum is missing or wrong; the session must carry the key."""
    key = ", ".join(f't."{name}"' for name in table.key)
    query = (
        f"SELECT {key}, t.{COLUMN} IS NULL AS is_missing FROM {table.table} t"  # noqa: S608 - names of ours
        f" WHERE t.{COLUMN} IS DISTINCT FROM {table.expression('t')} ORDER BY {key}"
    )
    columns = tuple(name for name, _ in table.columns)
    for row in connection.exec_driver_sql(query):
        values = dict(zip(table.key, row, strict=False))
        yield WrongRow(table.table, values, columns, bool(row.is_missing))


def has_trigger(connection: Connection, tables: Sequence[Checksummed]) -> dict[str, bool]:
    """Whether each table's trigger stands as this version writes it."""
    standing = {row.name: row.source for row in connection.execute(_INSTALLED)}
    return {table.table: standing.get(table.table) == _source(table) for table in tables}


def _source(table: Checksummed) -> str:
    # An empty setting is none: a transaction that sets it locally leaves it empty afterwards.
    return (
        f" BEGIN IF coalesce(current_setting('{SETTING}', true), '') <> ''"
        f" THEN NEW.{COLUMN} := {table.expression('NEW')}; END IF; RETURN NEW; END "
    )


def _written(row: str, name: str, kind: str) -> str:
    column = f'{row}."{name}"'
    if kind == "bytea":
        return f"coalesce(';{name}='||encode({column},'hex'),'')"
    if kind in {"bigint", "integer", "smallint", "boolean"}:
        return f"coalesce(';{name}='||{column}::text,'')"
    # With its length, so that no text can pass for the columns after it.
    return f"coalesce(';{name}:'||length({column}::text)||'='||{column}::text,'')"


def _shown(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)
