"""What the routes about emissions reports give."""

from __future__ import annotations

from pydantic import BaseModel, Field

from carbonseal_api.lineage.schemas import MarkView


class Quantity(BaseModel):
    """A figure with its unit; the value is a plain decimal string."""

    value: str
    unit: str


class FiledReport(BaseModel):
    """An emissions report as its signed statement says."""

    report: str
    method: str
    start: str
    end: str
    total: Quantity
    by_stream: dict[str, dict[str, Quantity]]
    report_json_digest: str
    quality_code_digest: str
    plan_digest: str
    statement_digest: str
    entry_index: int
    registered_at: str
    receipt_state: str
    is_report_json_here: bool = Field(description="Whether the owner keeps report.json here.")
    taken_back_by: str | None = Field(
        description="Statement of the owner that withdrew or superseded it, hex; null while it stands."
    )
    marks: list[MarkView] = Field(description="What under it no longer stands, open and cured.")


class QueuedJob(BaseModel):
    """A background job."""

    job: str
    state: str
