"""Reads data codes from their projection, with the receipt state of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.lineage.describing import mark_view
from carbonseal_api.paging import Page
from carbonseal_api.problems import NotFound
from carbonseal_api.quality import queries
from carbonseal_api.quality.schemas import DataCode
from carbonseal_attest.instants import format_instant


def codes(parts: Parts, party: str, page: Page) -> list[DataCode]:
    """Return a page of the data codes of an organisation, newest first."""
    rows = queries.results(parts.engine, party, "quality_code", limit=queries.MOST)
    return _shown(parts, page.cut(rows, lambda row: (row["entry_index"],), newest_first=True))


def newest_code(parts: Parts, party: str) -> DataCode | None:
    """Return the newest data code, or None before the first."""
    rows = queries.results(parts.engine, party, "quality_code", limit=1)
    return _shown(parts, rows)[0] if rows else None


def code_by_digest(parts: Parts, party: str, digest: bytes) -> DataCode:
    """Return one data code.

    Raises:
        NotFound: No such code of this party.
    """
    row = queries.result_by_digest(parts.engine, party, digest)
    if row is None or row["kind"] != "quality_code":
        raise NotFound("digest", "no such data code", "list the codes of the organisation")
    return _shown(parts, [row])[0]


def _shown(parts: Parts, rows: Sequence[Mapping[str, Any]]) -> list[DataCode]:
    marks = marks_on(parts, [bytes(row["statement_digest"]) for row in rows])
    return [_one_shown(parts, row, marks.get(bytes(row["statement_digest"]), ())) for row in rows]


def _one_shown(parts: Parts, row: Mapping[str, Any], marks: Sequence[Mark]) -> DataCode:
    body = row["body"]
    origin = f"{parts.settings.log_host_name}/{row['party']}/data"
    return DataCode(
        code=body["code"],
        installation=row["subject"],
        start=format_instant(row["interval_start"]),
        end=format_instant(row["interval_end"]),
        profile=body["profile"],
        findings=body["findings"],
        figures=body["figures"],
        rules=body["rules"],
        statement_digest=row["statement_digest"].hex(),
        entry_index=row["entry_index"],
        receipt_state=str(parts.host.receipt_state(origin, bytes(row["statement_digest"]))),
        registered_at=format_instant(row["registered_at"]),
        marks=[mark_view(mark) for mark in marks],
    )
