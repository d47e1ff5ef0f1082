"""What the routes about data codes give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from carbonseal_api.lineage.schemas import MarkView


class DataCode(BaseModel):
    """A data code, which is itself a signed statement."""

    code: str = Field(description="green, red or pending; never without the noun 数据红绿码 (data code)")
    installation: str
    start: str
    end: str
    profile: str
    findings: list[dict[str, Any]] = Field(description="Reasons with what would cure them.")
    figures: dict[str, str]
    rules: dict[str, str]
    statement_digest: str
    entry_index: int
    receipt_state: str
    registered_at: str
    marks: list[MarkView] = Field(description="What under it no longer stands, open and cured.")
