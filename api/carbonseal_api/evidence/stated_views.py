"""Stated values as they are shown: declared amounts, downgrades and business figures, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import ending_of, refresh, site_zone
from carbonseal_api.evidence.civil_periods import period_label
from carbonseal_api.evidence.listing import Keyed
from carbonseal_api.evidence.stated_schemas import (
    BusinessRecord,
    DeclaredValue,
    Downgrade,
    StatedQuantity,
)
from carbonseal_attest.instants import format_instant

Row = Mapping[str, Any]


def declared_values(parts: Parts, party: str, **page: Any) -> Keyed[DeclaredValue]:
    """Return an organisation's declared amounts, newest first; withdrawn ones say by what.

    `page` is that of `statement_queries.newest`.
    """
    rows, ended, zone = _listed(parts, party, "declared_activity", **page)
    return [
        ((row["entry_index"],), declared_value(row, zone, withdrawn_by=ending_of(ended, _digest(row))))
        for row in rows
    ]


def downgrades(parts: Parts, party: str, **page: Any) -> Keyed[Downgrade]:
    """Return an organisation's downgrades, newest first; withdrawn ones say by what.

    `page` is that of `statement_queries.newest`.
    """
    rows, ended, zone = _listed(parts, party, "downgrade", **page)
    return [
        ((row["entry_index"],), downgrade_view(row, zone, withdrawn_by=ending_of(ended, _digest(row))))
        for row in rows
    ]


def business_records(parts: Parts, party: str, **page: Any) -> Keyed[BusinessRecord]:
    """Return an organisation's business figures, newest first; withdrawn ones say by what.

    `page` is that of `statement_queries.newest`.
    """
    rows, ended, zone = _listed(parts, party, "business_record", **page)
    return [
        ((row["entry_index"],), business_record(row, zone, withdrawn_by=ending_of(ended, _digest(row))))
        for row in rows
    ]


def declared_value(
    row: Row, zone: str, *, is_new: bool = True, withdrawn_by: str | None = None
) -> DeclaredValue:
    """Return a row of kind `declared_activity` as it is shown."""
    body = row["body"]
    return DeclaredValue(
        statement_digest=_digest(row).hex(),
        plan_digest=body["plan_digest"],
        stream=body["source_stream"],
        source=body["data_source"],
        quantity=StatedQuantity(**body["quantity"]),
        document_digest=body["document_digest"],
        is_new=is_new,
        withdrawn_by=withdrawn_by,
        **_span(row, zone),
    )


def downgrade_view(row: Row, zone: str, *, is_new: bool = True, withdrawn_by: str | None = None) -> Downgrade:
    """Return a row of kind `downgrade` as it is shown."""
    body = row["body"]
    return Downgrade(
        statement_digest=_digest(row).hex(),
        plan_digest=body["plan_digest"],
        stream=body["source_stream"],
        from_source=body["from"],
        to_source=body["to"],
        reason=body["reason"],
        is_new=is_new,
        withdrawn_by=withdrawn_by,
        **_span(row, zone),
    )


def business_record(
    row: Row, zone: str, *, is_new: bool = True, withdrawn_by: str | None = None
) -> BusinessRecord:
    """Return a row of kind `business_record` as it is shown."""
    body = row["body"]
    return BusinessRecord(
        statement_digest=_digest(row).hex(),
        record=body["record"],
        quantity=StatedQuantity(**body["quantity"]),
        source=body["source"],
        document_digest=body["document_digest"],
        is_new=is_new,
        withdrawn_by=withdrawn_by,
        **_span(row, zone),
    )


def _listed(parts: Parts, party: str, kind: str, **page: Any) -> tuple[list[Row], dict[bytes, Row], str]:
    refresh(parts, party)
    rows = queries.newest(parts.engine, party, kind, **page)
    ended = queries.endings(parts.engine, party, [_digest(row) for row in rows])
    return rows, ended, site_zone(parts, party) if rows else "UTC"


def _span(row: Row, zone: str) -> dict[str, Any]:
    start, end = row["interval_start"], row["interval_end"]
    return {
        "period": period_label((start, end), zone),
        "start": format_instant(start),
        "end": format_instant(end),
    }


def _digest(row: Row) -> bytes:
    return bytes(row["statement_digest"])
