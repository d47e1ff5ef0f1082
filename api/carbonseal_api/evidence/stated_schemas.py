"""What is taken and given about stated values: declared amounts, downgrades, figures of the business.

Decimals are texts; periods are whole civil months of the site (`2026-01`, `2026`, `2026-01..2026-03`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.evidence.request_types import A_DIGEST, DecimalText, Digest, Line, ShortLine, Wish

DeclaredSource = Literal["bill", "ledger", "laboratory"]
DataSource = Literal["meter", "bill", "ledger", "laboratory"]
BusinessFigure = Literal["value_added", "output", "revenue"]


class StatedQuantity(BaseModel):
    """A value with its unit, as it was signed: the unit as a UCUM code."""

    value: DecimalText
    unit: str


class _StatedOfStream(BaseModel):
    """What is signed about one source stream and a period `[start, end)` of whole civil months."""

    statement_digest: str
    plan_digest: str
    stream: str
    period: str
    start: str
    end: str


class DeclareWish(Wish):
    """An amount of a source stream that a document states."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "period": "2026-01",
                    "stream": "grid",
                    "source": "bill",
                    "value": "200.5",
                    "unit": "MW.h",
                    "document": A_DIGEST,
                }
            ]
        },
    )

    period: ShortLine = Field(description="Whole civil months of the site: 2026-01, 2026, 2026-01..2026-03.")
    stream: str = Field(max_length=80, description="Id of the source stream in the monitoring plan.")
    source: DeclaredSource = Field(description="One of the plan's data sources for that stream.")
    value: DecimalText = Field(description="A decimal as text.")
    unit: str = Field(max_length=40, description="A unit of the stream's dimension: MW.h, kW.h, t, …")
    document: Digest = Field(description="Digest of the `document` statement that shows the value.")
    plan: str | None = Field(
        default=None, max_length=60, description="Code of the plan, where several stand."
    )


class DeclaredValue(_StatedOfStream):
    """A registered declared value."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "statement_digest": A_DIGEST,
                    "plan_digest": A_DIGEST,
                    "stream": "grid",
                    "period": "2026-01",
                    "start": "2025-12-31T16:00:00Z",
                    "end": "2026-01-31T16:00:00Z",
                    "source": "bill",
                    "quantity": {"value": "200.5", "unit": "MW.h"},
                    "document_digest": A_DIGEST,
                    "is_new": True,
                    "withdrawn_by": None,
                }
            ]
        }
    )

    source: str
    quantity: StatedQuantity
    document_digest: str = Field(description="Digest of the `document` statement.")
    is_new: bool = Field(default=True, description="False: the very same was declared before.")
    withdrawn_by: str | None = None


class DowngradeWish(Wish):
    """In one month a stream's amount is to be taken from a later data source of the plan's order."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "period": "2026-01",
                    "stream": "grid",
                    "from": "meter",
                    "to": "bill",
                    "reason": "meter replaced on 12 January",
                }
            ]
        },
    )

    period: ShortLine
    stream: str = Field(max_length=80)
    from_source: DataSource = Field(alias="from", description="The source that is left.")
    to_source: DataSource = Field(alias="to", description="A later one in the plan's order.")
    reason: Line
    plan: str | None = Field(default=None, max_length=60)


class Downgrade(_StatedOfStream):
    """A registered downgrade of a data source."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "statement_digest": A_DIGEST,
                    "plan_digest": A_DIGEST,
                    "stream": "grid",
                    "period": "2026-01",
                    "start": "2025-12-31T16:00:00Z",
                    "end": "2026-01-31T16:00:00Z",
                    "from": "meter",
                    "to": "bill",
                    "reason": "meter replaced on 12 January",
                    "is_new": True,
                    "withdrawn_by": None,
                }
            ]
        },
    )

    from_source: str = Field(serialization_alias="from", validation_alias="from")
    to_source: str = Field(serialization_alias="to", validation_alias="to")
    reason: str
    is_new: bool = True
    withdrawn_by: str | None = None


class BusinessWish(Wish):
    """A figure about the business."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "record": "value_added",
                    "period": "2026",
                    "value": "30000",
                    "unit": "10*4.CNY",
                    "source": "annual accounts 2026, income method",
                }
            ]
        },
    )

    record: BusinessFigure
    period: ShortLine
    value: DecimalText
    unit: str = Field(max_length=40, description="CNY or 10*4.CNY for money; any known unit for output.")
    source: Line = Field(description="Where the figure comes from: annual accounts 2026, income method.")
    document: Digest | None = None


class BusinessRecord(BaseModel):
    """A registered figure about the business."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "statement_digest": A_DIGEST,
                    "record": "value_added",
                    "period": "2026",
                    "start": "2025-12-31T16:00:00Z",
                    "end": "2026-12-31T16:00:00Z",
                    "quantity": {"value": "30000", "unit": "10*4.CNY"},
                    "source": "annual accounts 2026, income method",
                    "document_digest": None,
                    "is_new": True,
                    "withdrawn_by": None,
                }
            ]
        }
    )

    statement_digest: str
    record: str
    period: str
    start: str
    end: str
    quantity: StatedQuantity
    source: str
    document_digest: str | None
    is_new: bool = True
    withdrawn_by: str | None = None
