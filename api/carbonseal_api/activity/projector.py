"""Draws, for "who did what", one row a statement from its header, and whom else a statement is about."""

from __future__ import annotations

from collections.abc import Iterator

from carbonseal_api.projections.rows import Projected, Rows
from carbonseal_api.projections.tables import MENTIONS, STATEMENTS
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import LoggedEntry


def statement_row(rows: Rows, party: str, entry: LoggedEntry, statement: SignedStatement) -> None:
    """Add the row of a statement; nothing of its content is needed."""
    header = statement.header
    start, end = header.interval or (None, None)
    rows.add(
        STATEMENTS,
        {
            "party": party,
            "log": entry.origin.rsplit("/", 1)[1],
            "entry_index": entry.index,
            "kind": entry.kind,
            "issuer": header.issuer,
            "subject": header.subject,
            "kid": header.kid,
            "stream": header.stream,
            "sequence": header.sequence,
            "interval_start": start,
            "interval_end": end,
            "statement_digest": entry.digest,
            "registered_at": entry.registered_at,
        },
    )


def mentions_of(rows: Rows, one: Projected) -> None:
    """Add a row for each other party that a statement is about."""
    for party in set(_named(one)) - {one.party}:
        rows.add(
            MENTIONS,
            {
                "party": party,
                "log_party": one.party,
                "log": one.entry.origin.rsplit("/", 1)[1],
                "entry_index": one.entry.index,
                "registered_at": one.entry.registered_at,
            },
        )


def _named(one: Projected) -> Iterator[str]:
    body = one.content.body
    match one.entry.kind:
        case "party" | "grade":
            yield body["party"]
        case "grant":
            yield body["to"]
        case "verification_report":
            yield body["operator"]
        case "asset_act":
            yield body["holder"]
            if body["to"] is not None:
                yield body["to"]
        case "impact":
            yield from (affected["party"] for affected in body["affected"])
