"""How a meter's text files are written: everything that differs between exports is configuration here.

Separated columns, one row a line (RFC 4180 without line breaks inside cells). Fixed-width, JSON and
spreadsheet files are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final

from carbonseal_collectors.local_time import TimeFormat
from carbonseal_collectors.toml_table import Table

ENCODINGS: Final = ("utf-8", "utf-8-sig", "ascii", "gb18030", "cp1252", "latin-1")
ORDERS: Final = ("oldest_first", "newest_first", "any")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")


class CellUnreadable(ValueError):
    """A cell that holds no number; the text says why."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How numbers are written: decimal separator, thousands separator, and texts that mean "no value"."""

    decimal_separator: str
    group_separator: str
    missing: frozenset[str]

    def read(self, text: str) -> Decimal | None:
        """The number in a cell, exact, or None where the cell says that there is none.

        Raises:
            CellUnreadable: anything else.
        """
        if text in self.missing:
            return None
        plain = text.replace(self.group_separator, "") if self.group_separator else text
        if self.decimal_separator != ".":
            if "." in plain:
                raise CellUnreadable(
                    f"{text[:40]!r} has a dot where {self.decimal_separator!r} is the separator"
                )
            plain = plain.replace(self.decimal_separator, ".")
        if not _NUMBER.fullmatch(plain):
            raise CellUnreadable(f"{text[:40]!r} is not a number")
        return Decimal(plain)


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """Everything about a source's files; see `docs/examples` for files in use.

    Attributes:
        files: glob patterns relative to the data folder.
        encoding: one of ENCODINGS; `utf-8-sig` takes a byte order mark.
        separator, quote: one character each; an empty quote means that cells are never quoted.
        has_header: the first line names the columns; otherwise columns are numbers from 1.
        order: which way the file runs in time; a row out of it is marked uncertain, never moved.
        identity_column: column that tells the meter, or empty when the source has one meter.
        other_meters: what becomes of rows of meters that are not configured: `set_aside` or `ignore`.
        last_line: `complete` sets aside a last line without a line end (it may be cut off), `any` takes it.
        max_*: limits; a file beyond one is refused whole (a long line only loses itself).
    """

    files: tuple[str, ...]
    encoding: str
    separator: str
    quote: str
    has_header: bool
    order: str
    identity_column: str
    other_meters: str
    last_line: str
    time: TimeFormat
    numbers: NumberFormat
    max_line_bytes: int
    max_rows: int
    max_file_bytes: int
    max_plain_bytes: int
    max_set_aside: int

    @classmethod
    def from_table(cls, table: Table) -> CsvFormat:
        """Reads a `csv_drop` table strictly. Raises ConfigInvalid."""
        files = table.texts("files")
        if not files or any(not _is_inside(pattern) for pattern in files):
            table.refuse("files", "are not patterns inside the data folder", 'write files = ["*.csv*"]')
        separator = table.text("separator", ",")
        quote = table.text("quote", '"', allow_empty=True)
        if len(separator) != 1 or len(quote) > 1 or separator == quote:
            table.refuse(
                "separator", "separator and quote are not single characters", 'write separator = "\\t"'
            )
        decimal_separator = table.text("decimal_separator", ".", choices=(".", ","))
        group_separator = table.text("group_separator", "", choices=("", ",", ".", " ", "'"))
        if decimal_separator in {group_separator, separator if not quote else ""}:
            table.refuse("decimal_separator", "is also another separator", "correct the separators")
        made = cls(
            files=files,
            encoding=table.text("encoding", "utf-8", choices=ENCODINGS),
            separator=separator,
            quote=quote,
            has_header=table.boolean("header", default=True),
            order=table.text("order", "oldest_first", choices=ORDERS),
            identity_column=table.text("identity_column", ""),
            other_meters=table.text("other_meters", "set_aside", choices=("set_aside", "ignore")),
            last_line=table.text("last_line", "complete", choices=("complete", "any")),
            time=TimeFormat.from_table(table.table("time", optional=True)),
            numbers=NumberFormat(decimal_separator, group_separator, frozenset(table.texts("missing", [""]))),
            max_line_bytes=table.integer("max_line_bytes", 4_096, minimum=64, maximum=1 << 20),
            max_rows=table.integer("max_rows", 400_000, minimum=1, maximum=10_000_000),
            max_file_bytes=table.integer("max_file_bytes", 64 << 20, minimum=1, maximum=1 << 30),
            max_plain_bytes=table.integer("max_plain_bytes", 256 << 20, minimum=1, maximum=4 << 30),
            max_set_aside=table.integer("max_set_aside", 1_000, minimum=0, maximum=1_000_000),
        )
        table.finish()
        return made


def _is_inside(pattern: str) -> bool:
    path = PurePosixPath(pattern)
    return bool(pattern) and not path.is_absolute() and ".." not in path.parts
