"""What covers each stored column: the table that `fsck` works by, read from a TOML file beside the models.

Every column of every table has one line, so that a new one without an answer fails a test and not an audit.
Six answers: *log* (leaves, tiles, checkpoints and epochs repeat it), *content digest*, *chain* (state proofs
of an anchor), *recomputation* (it follows from something covered), *row checksum* (`row_checksums`, where
nothing else repeats it), and *exempt* with its reason. It leaves out how each is checked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_EXEMPT: Final = "exempt: "


class Cover(StrEnum):
    """By what a changed byte is found."""

    LOG = "log"
    CONTENT_DIGEST = "content digest"
    CHAIN = "chain"
    RECOMPUTATION = "recomputation"
    ROW_CHECKSUM = "row checksum"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Covered:
    """One column, or one kind of file of the published copy, and what covers it."""

    table: str
    column: str
    cover: Cover
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.cover}: {self.reason}" if self.reason else str(self.cover)


class Coverage:
    """The covers of all columns of some tables."""

    def __init__(self, columns: Iterable[Covered]) -> None:
        self._tables: dict[str, dict[str, Covered]] = {}
        for column in columns:
            self._tables.setdefault(column.table, {})[column.column] = column

    @classmethod
    def read(cls, path: Path) -> Coverage:
        """Return the coverage of a file: one TOML table a database table, one line a column.

        Raises:
            ValueError: a cover that is none, or an exemption without a reason.
        """
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            _covered(table, name, said) for table, rows in tables.items() for name, said in rows.items()
        )

    def __iter__(self) -> Iterator[Covered]:
        return iter([column for rows in self._tables.values() for column in rows.values()])

    @property
    def tables(self) -> Mapping[str, Mapping[str, Covered]]:
        """Table name to column name to cover."""
        return self._tables

    def checksummed(self, table: str) -> list[str]:
        """The columns of a table that its row checksum covers besides the key, sorted."""
        rows = self._tables.get(table, {})
        return sorted(name for name, column in rows.items() if column.cover is Cover.ROW_CHECKSUM)

    def differences(self, models: Mapping[str, Iterable[str]]) -> list[str]:
        """What the file lacks, or names too much, against the tables and columns of the models, in words."""
        found = []
        for table, columns in models.items():
            known = self._tables.get(table, {})
            found += [f"{table}.{name} has no line" for name in columns if name not in known]
            found += [f"{table}.{name} is no column" for name in known if name not in set(columns)]
        return found


def _covered(table: str, name: str, said: str) -> Covered:
    if said.startswith(_EXEMPT) and said.removeprefix(_EXEMPT).strip():
        return Covered(table, name, Cover.EXEMPT, said.removeprefix(_EXEMPT).strip())
    if said == Cover.EXEMPT:
        raise ValueError(f"{table}.{name}: an exemption needs its reason, `exempt: …`")
    return Covered(table, name, Cover(said))


LEDGER: Final = Coverage.read(Path(__file__).with_name("coverage.toml"))
