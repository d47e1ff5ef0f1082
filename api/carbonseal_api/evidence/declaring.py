"""What an enterprise states beside its meters: declared amounts, downgrades, figures of the business.

A value stands for whole civil months of the site, in a unit of the stream's dimension, from a data source
that the monitoring plan lists, and rests on a filed document. The same thing is stated once: whoever was
wrong withdraws and states anew. Which of several values counts is decided in `carbonseal_accounting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from carbonseal_accounting.errors import UnitUnknown
from carbonseal_accounting.units import parse_unit
from carbonseal_api.assembly import Parts
from carbonseal_api.evidence import statement_queries as queries
from carbonseal_api.evidence.acts import (
    PlannedPeriod,
    open_desk,
    origins,
    plain_text,
    planned_period,
    refresh,
    require_document,
    require_one_month,
    require_over,
    site_zone,
    standing,
    stream_of,
)
from carbonseal_api.evidence.civil_periods import read_period
from carbonseal_api.evidence.errors import DowngradeIdle, SourceUnknown, StatedAlready, ValueRefused
from carbonseal_api.evidence.stated_schemas import (
    BusinessRecord,
    BusinessWish,
    DeclaredValue,
    DeclareWish,
    Downgrade,
    DowngradeWish,
)
from carbonseal_api.evidence.stated_views import business_record, declared_value, downgrade_view
from carbonseal_api.problems import NotFound
from carbonseal_api.projections.replay import json_value
from carbonseal_attest.instants import Interval, format_instant
from carbonseal_attest.quantities import parse_decimal

Row = Mapping[str, Any]
METER: Final = "meter"
DEFAULT_SOURCES: Final = (METER,)  # of a stream whose plan says nothing else
# The units that figures in money are stated in: the code, then how people write it.
MONEY: Final[Mapping[str, str]] = {
    "CNY": "CNY",
    "元": "CNY",
    "10*4.CNY": "10*4.CNY",
    "万元": "10*4.CNY",
}


def declare(parts: Parts, party: str, wish: DeclareWish) -> DeclaredValue:
    """Return the registered declared amount of a source stream.

    Raises:
        QuantityInvalid, ValueRefused: the value is no plain decimal, or below zero.
        UnitUnknown, UnitMismatch: the unit is not known, or not of the stream's dimension.
        PlanMissing, StreamUnknown, SourceUnknown: the plan does not have it.
        MonthsNotWhole: the period does not tile civil months, or has not ended.
        DocumentUnknown: the document was not filed by this party, or was withdrawn.
        StatedAlready: the stream's value from this source stands for a part of the period.
        KeyElsewhere, StatementRefused: nobody can sign here, or the log refused it.
    """
    parse_decimal(wish.value)
    unit = parse_unit(wish.unit, field="unit")
    document = bytes.fromhex(wish.document)
    with open_desk(parts, party) as issuer:
        planned = planned_period(parts, party, wish.period, stream=wish.stream, plan=wish.plan)
        stream = stream_of(planned, wish.stream)
        _require_source(stream, wish.source, field="source")
        unit.ratio_to(parse_unit(stream["unit"]), field="unit")
        # A stream that subtracts is a balance and may come out below zero.
        is_balance = any(part["sign"] < 0 for part in stream["activity"])
        _require_amount(wish.value, may_be_negative=is_balance)
        require_over(parts, planned.interval)
        require_document(parts, party, document, begins=planned.interval[0])
        body = {
            "plan_digest": planned.plan_digest,
            "source_stream": wish.stream,
            "data_source": wish.source,
            "quantity": {"value": wish.value, "unit": unit.code},
            "document_digest": document,
        }
        # Under a newer plan version it is stated anew: what names another plan does not count.
        keys = {
            "plan_digest": planned.plan_digest.hex(),
            "source_stream": wish.stream,
            "data_source": wish.source,
        }
        known = _stated_before(parts, party, "declared_activity", keys, planned.interval, body)
        if known is not None:
            return declared_value(known, planned.time_zone, is_new=False)
        statement = issuer.issue(
            origins(parts, party)[1],
            "declared_activity",
            body,
            subject=planned.installation,
            interval=planned.interval,
        )
    refresh(parts, party)
    return declared_value(_row(parts, party, statement.digest), planned.time_zone)


def downgrade(parts: Parts, party: str, wish: DowngradeWish) -> Downgrade:
    """Return the registered downgrade: in which month a later data source of the plan counts, and why.

    Raises:
        SourceUnknown: a source that the plan does not list for the stream, not a later one, or not the one
            that counts there now.
        DowngradeIdle: there is no declared value of the later source over exactly that month.
        PlanMissing, StreamUnknown, MonthsNotWhole, KeyElsewhere, StatementRefused: see `declare`.
    """
    plain_text(wish.reason, 400, field="reason")
    with open_desk(parts, party) as issuer:
        planned = planned_period(parts, party, wish.period, stream=wish.stream, plan=wish.plan)
        stream = stream_of(planned, wish.stream)
        require_one_month(parts, planned)
        known, current = _source_now(parts, party, wish, stream, planned)
        if known is not None:
            return downgrade_view(known, planned.time_zone, is_new=False)
        order = list(stream.get("data_sources", DEFAULT_SOURCES))
        _require_source(stream, wish.from_source, field="from")
        _require_source(stream, wish.to_source, field="to")
        if order.index(wish.from_source) >= order.index(wish.to_source):
            reason = f"{wish.to_source} does not come after {wish.from_source}"
            raise SourceUnknown("to", reason, f"the plan's order is {', '.join(order)}")
        if wish.from_source != current:
            raise SourceUnknown("from", f"{current} counts there now", f"downgrade from {current}")
        if wish.to_source != METER:
            _require_declared(parts, party, wish, planned)
        body = {
            "plan_digest": planned.plan_digest,
            "source_stream": wish.stream,
            "from": wish.from_source,
            "to": wish.to_source,
            "reason": wish.reason,
        }
        statement = issuer.issue(
            origins(parts, party)[1],
            "downgrade",
            body,
            subject=planned.installation,
            interval=planned.interval,
        )
    refresh(parts, party)
    return downgrade_view(_row(parts, party, statement.digest), planned.time_zone)


def record_business(parts: Parts, party: str, wish: BusinessWish) -> BusinessRecord:
    """Return the registered figure about the business.

    Raises:
        QuantityInvalid, ValueRefused: no plain decimal; output or revenue below zero.
        UnitUnknown: not a unit of money, or for output no known unit.
        PlanMissing: no plan covers the period, so that nobody knows where its months begin.
        MonthsNotWhole, DocumentUnknown, StatedAlready, KeyElsewhere, StatementRefused: see `declare`.
    """
    # Value added may be negative: a bad year is no false statement.
    _require_amount(wish.value, may_be_negative=wish.record == "value_added")
    unit = parse_unit(wish.unit).code if wish.record == "output" else _money(wish.unit)
    plain_text(wish.source, 400, field="source")
    document = None if wish.document is None else bytes.fromhex(wish.document)
    with open_desk(parts, party) as issuer:
        zone = site_zone(parts, party)
        interval = read_period(wish.period, zone)
        require_over(parts, interval)
        if document is not None:
            require_document(parts, party, document)
        body = {
            "record": wish.record,
            "quantity": {"value": wish.value, "unit": unit},
            "source": wish.source,
            "document_digest": document,
        }
        known = _stated_before(parts, party, "business_record", {"record": wish.record}, interval, body)
        if known is not None:
            return business_record(known, zone, is_new=False)
        statement = issuer.issue(origins(parts, party)[1], "business_record", body, interval=interval)
    refresh(parts, party)
    return business_record(_row(parts, party, statement.digest), zone)


def _require_amount(text: str, *, may_be_negative: bool = False) -> None:
    if parse_decimal(text) < 0 and not may_be_negative:
        raise ValueRefused("value", f"{text} is below zero", "state what was used or made, from zero up")


def _source_now(
    parts: Parts, party: str, wish: DowngradeWish, stream: Mapping[str, Any], planned: PlannedPeriod
) -> tuple[Row | None, str]:
    """Return the standing downgrade that says the very same, if any, and the source that counts now."""
    rows = queries.overlapping(parts.engine, party, ["downgrade"], planned.interval)
    current = next(iter(stream.get("data_sources", DEFAULT_SOURCES)))
    for row in standing(parts, party, rows):
        body = row["body"]
        if (body["plan_digest"], body["source_stream"]) != (planned.plan_digest.hex(), stream["id"]):
            continue
        if (body["from"], body["to"], body["reason"]) == (wish.from_source, wish.to_source, wish.reason):
            return row, current
        if body["from"] == current:
            current = body["to"]
    return None, current


def _require_declared(parts: Parts, party: str, wish: DowngradeWish, planned: PlannedPeriod) -> None:
    rows = queries.overlapping(parts.engine, party, ["declared_activity"], planned.interval)
    wanted = (planned.plan_digest.hex(), wish.stream, wish.to_source, *planned.interval)
    for row in standing(parts, party, rows):
        body, time = row["body"], (row["interval_start"], row["interval_end"])
        if (body["plan_digest"], body["source_stream"], body["data_source"], *time) == wanted:
            return
    raise DowngradeIdle(
        "to",
        f"there is no declared value of {wish.to_source} over exactly {wish.period[:40]}",
        "declare that value first: a value over more months is compared, never split",
    )


def _money(text: str) -> str:
    if text not in MONEY:
        raise UnitUnknown("unit", f"{text[:40]!r} is no unit of money here", f"write {' or '.join(MONEY)}")
    return MONEY[text]


def _require_source(stream: Mapping[str, Any], source: str, *, field: str) -> None:
    listed = list(stream.get("data_sources", DEFAULT_SOURCES))
    if source not in listed:
        raise SourceUnknown(
            field,
            f"the plan lists no {source} for {stream['id']}",
            f"use {', '.join(listed)}, or file a plan that lists it under data_sources",
        )


def _stated_before(
    parts: Parts, party: str, kind: str, keys: Mapping[str, str], interval: Interval, body: Mapping[str, Any]
) -> Row | None:
    """Return the standing statement that says the very same; refuse another one about the same."""
    rows = queries.overlapping(parts.engine, party, [kind], interval)
    about = [
        row
        for row in rows
        if (row["interval_start"], row["interval_end"]) == interval
        and all(row["body"][key] == value for key, value in keys.items())
    ]
    for row in standing(parts, party, about):
        if _comparable(row["body"]) == _comparable(json_value(body)):
            return row
        raise StatedAlready(
            "period",
            f"{_digest(row).hex()} says {_said(row['body'])} for {_shown(row)}",
            "withdraw that statement first, if it is wrong",
        )
    return None


def _comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    quantity = body["quantity"]
    return {**body, "quantity": (parse_decimal(quantity["value"]), quantity["unit"])}


def _said(body: Mapping[str, Any]) -> str:
    quantity = body.get("quantity")
    return (
        f"{body['from']} to {body['to']}" if quantity is None else f"{quantity['value']} {quantity['unit']}"
    )


def _row(parts: Parts, party: str, digest: bytes) -> Row:
    row = queries.statement(parts.engine, party, digest)
    if row is None:
        raise NotFound("statement", f"{digest.hex()} is not projected yet", "ask again in a moment")
    return row


def _digest(row: Row) -> bytes:
    return bytes(row["statement_digest"])


def _shown(row: Row) -> str:
    return f"{format_instant(row['interval_start'])}/{format_instant(row['interval_end'])}"
