"""What covers each stored column and file of a deployment, as fsck works and docs/spec/coverage.md shows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from carbonseal_api.database import API
from carbonseal_api.projections.tables import KEPT_BESIDE, METADATA
from carbonseal_ledger.coverage import LEDGER, Cover, Covered

_MARK: Final = "<!-- made by `python -m carbonseal_api.audit.covers` -->\n"
PAGE: Final = Path(__file__).resolve().parents[3] / "docs/spec/coverage.md"


def all_covers() -> list[Covered]:
    """The covers of the ledger's tables and files, of the service's tables, and of the projections."""
    drawn = [
        Covered(name, column.name, Cover.EXEMPT, KEPT_BESIDE[name])
        if name in KEPT_BESIDE
        else Covered(name, column.name, Cover.RECOMPUTATION)
        for name, table in sorted(METADATA.tables.items())
        for column in table.columns
    ]
    return [*LEDGER, *API, *drawn]


def page(text: str) -> str:
    """The text of docs/spec/coverage.md with the table as it must be."""
    lines = ["| table | column | cover |", "|---|---|---|"]
    before = ""
    for one in all_covers():
        table = "" if one.table == before else f"`{one.table}`"
        lines.append(f"| {table} | `{one.column}` | {one} |")
        before = one.table
    return text.partition(_MARK)[0] + _MARK + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
