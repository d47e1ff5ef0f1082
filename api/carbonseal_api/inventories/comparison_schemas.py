"""What the routes about comparisons give. Decimals are texts, digests hex, units common names."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

_A_DIGEST: Final = "6b" * 32  # of the examples; no statement has it
_EXAMPLE: Final[dict[str, Any]] = {
    "stream": "grid",
    "name": {"zh": "外购电力", "en": "Purchased electricity"},
    "month": "2026-01",
    "start": "2025-12-31T16:00:00Z",
    "end": "2026-01-31T16:00:00Z",
    "unit": "kWh",
    "tolerance_percent": "5",
    "counts": "bill",
    "why": {
        "zh": "已由 meter 降级为 bill：meter replaced on 12 January",
        "en": "downgraded from meter to bill: meter replaced on 12 January",
    },
    "amount": "200500",
    "values": [
        {
            "data_source": "meter",
            "value": "142000.5",
            "difference": None,
            "difference_percent": None,
            "is_within_tolerance": None,
            "statement_digest": None,
            "document_digest": None,
        },
        {
            "data_source": "bill",
            "value": "200500",
            "difference": "58499.5",
            "difference_percent": "41.2",
            "is_within_tolerance": False,
            "statement_digest": _A_DIGEST,
            "document_digest": _A_DIGEST,
        },
    ],
    "downgrades": [
        {
            "from": "meter",
            "to": "bill",
            "reason": "meter replaced on 12 January",
            "statement_digest": _A_DIGEST,
        }
    ],
}

_COMPARISON: Final[dict[str, Any]] = {
    "period": "2026-01",
    "start": "2025-12-31T16:00:00Z",
    "end": "2026-01-31T16:00:00Z",
    "plan_digest": _A_DIGEST,
    "data_size": 4713,
    "register_size": 23,
    "months": [_EXAMPLE],
    "declared": [
        {
            "stream": "grid",
            "data_source": "bill",
            "start": "2025-12-31T16:00:00Z",
            "end": "2026-01-31T16:00:00Z",
            "declared": {"value": "200.5", "unit": "MWh"},
            "metered": {"value": "142000.5", "unit": "kWh"},
            "difference_percent": "41.2",
            "problem": None,
            "statement_digest": _A_DIGEST,
            "document_digest": _A_DIGEST,
        }
    ],
}


class SourceValue(BaseModel):
    """What one data source gives for a month; null where it gives nothing."""

    data_source: str
    value: str | None
    difference: str | None = Field(description="Value minus the metered one, in the month's unit.")
    difference_percent: str | None = Field(description="Of the metered value.")
    is_within_tolerance: bool | None = Field(description="Null where nothing is compared.")
    statement_digest: str | None
    document_digest: str | None = Field(description="Digest of the `document` statement.")


class AppliedDowngrade(BaseModel):
    """A downgrade that moved the month to another data source."""

    model_config = ConfigDict(populate_by_name=True)

    from_source: str = Field(alias="from")
    to_source: str = Field(alias="to")
    reason: str
    statement_digest: str


class MonthComparison(BaseModel):
    """A source stream in one civil month: every data source of the plan, and the one that counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    stream: str
    name: dict[str, str]
    month: str
    start: str
    end: str
    unit: str
    tolerance_percent: str
    counts: str = Field(description="The data source whose value enters the inventory.")
    why: dict[str, str] = Field(description="zh and en")
    amount: str = Field(description="What enters the inventory.")
    values: list[SourceValue] = Field(description="In the plan's order.")
    downgrades: list[AppliedDowngrade]


class DeclaredComparison(BaseModel):
    """A declared value with the metered amount over its months, however many they are."""

    stream: str
    data_source: str
    start: str
    end: str
    declared: dict[str, str] = Field(description="value and unit, as declared")
    metered: dict[str, str] | None
    difference_percent: str | None
    problem: str | None = Field(description="Why it cannot be compared; null where it can.")
    statement_digest: str
    document_digest: str


class Comparison(BaseModel):
    """Declared beside metered, in the months of a period."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COMPARISON]})

    period: str
    start: str
    end: str
    plan_digest: str
    data_size: int = Field(description="Size of the data log that it was drawn from.")
    register_size: int = Field(description="Size of the register log.")
    months: list[MonthComparison]
    declared: list[DeclaredComparison]
