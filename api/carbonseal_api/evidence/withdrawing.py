"""Withdrawals: an enterprise takes back what it stated; the statement stays, and says no longer.

Taken back are reports, grants, calibrations, declared values, downgrades, business figures and documents.
Readings are corrected instead, corrections are corrected in turn, and what others rest on is kept until they
are withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import kind_of, open_desk, origins, plain_text, refresh, standing
from carbonseal_api.evidence.correction_schemas import Withdrawal, WithdrawalEntry, WithdrawalWish
from carbonseal_api.evidence.errors import StatementUnknown, WithdrawalRefused, WithdrawnAlready
from carbonseal_api.evidence.listing import Keyed
from carbonseal_attest.instants import format_instant

Row = Mapping[str, Any]
WITHDRAWABLE: Final = (
    "emissions_report",
    "grant",
    "calibration",
    "declared_activity",
    "downgrade",
    "business_record",
    "document",
)


def withdraw(parts: Parts, party: str, wish: WithdrawalWish) -> Withdrawal:
    """Return the registered withdrawal of a statement of the party.

    Raises:
        StatementUnknown: neither log of the party holds it.
        WithdrawalRefused: its kind is not taken back, or a standing statement rests on it.
        WithdrawnAlready: it was withdrawn or replaced before.
        KeyElsewhere, StatementRefused: nobody can sign here, or the log refused it.
    """
    plain_text(wish.reason, 400, field="reason")
    plain_text(wish.role, 60, field="role")
    digest = bytes.fromhex(wish.statement_digest)
    with open_desk(parts, party) as issuer:
        row = _withdrawable(parts, party, digest)
        ended = queries.endings(parts.engine, party, [digest]).get(digest)
        if ended is not None:
            by = bytes(ended["statement_digest"]).hex()
            raise WithdrawnAlready("statement_digest", f"was taken back by {by}", "nothing is left to do")
        resting = standing(parts, party, _resting_on(parts, party, row))
        if resting:
            first = resting[0]
            raise WithdrawalRefused(
                "statement_digest",
                f"{first['kind']} {bytes(first['statement_digest']).hex()} rests on it",
                "withdraw that one first",
            )
        body = {"withdraws": digest, "role": wish.role, "reason": wish.reason}
        statement = issuer.issue(origins(parts, party)[0], "withdrawal", body)
    refresh(parts, party)
    return Withdrawal(
        withdrawal_digest=statement.digest.hex(),
        statement_digest=digest.hex(),
        kind=row["kind"],
        role=wish.role,
        reason=wish.reason,
    )


def withdrawals(parts: Parts, party: str, **page: Any) -> Keyed[WithdrawalEntry]:
    """Return an organisation's withdrawals, newest first; `page` is that of `statement_queries.newest`."""
    refresh(parts, party)
    return [
        (
            (row["entry_index"],),
            WithdrawalEntry(
                withdrawal_digest=bytes(row["statement_digest"]).hex(),
                statement_digest=row["body"]["withdraws"],
                role=row["body"]["role"],
                reason=row["body"]["reason"],
                registered_at=format_instant(row["registered_at"]),
            ),
        )
        for row in queries.newest(parts.engine, party, "withdrawal", **page)
    ]


def _withdrawable(parts: Parts, party: str, digest: bytes) -> Row:
    row = queries.statement(parts.engine, party, digest)
    if row is not None and row["kind"] in WITHDRAWABLE:
        return row
    kind = kind_of(parts, party, digest)
    if kind is None:
        raise StatementUnknown(
            "statement_digest", "no such statement in the logs of this organisation", "copy it again"
        )
    remedy = (
        "correct it: `carbonseal correct`" if kind == "readings" else f"withdraw {', '.join(WITHDRAWABLE)}"
    )
    raise WithdrawalRefused("statement_digest", f"is of kind {kind}", remedy)


def _resting_on(parts: Parts, party: str, row: Row) -> list[Row]:
    """Return the statements that would lose their ground: values on a document, a downgrade on a value."""
    body, kind = row["body"], row["kind"]
    if kind == "document":
        digest = bytes(row["statement_digest"]).hex()
        return queries.naming_documents(parts.engine, party, statements=[digest], files=[])
    if kind not in {"declared_activity", "downgrade"}:
        return []
    interval = row["interval_start"], row["interval_end"]
    found = queries.overlapping(parts.engine, party, ["downgrade"], interval)
    same = [one for one in found if one["body"]["source_stream"] == body["source_stream"]]
    if kind == "downgrade":
        # A later one leads on from where this one led.
        return [one for one in same if one["body"]["from"] == body["to"]]
    exact = [one for one in same if (one["interval_start"], one["interval_end"]) == interval]
    return [one for one in exact if one["body"]["to"] == body["data_source"]]
