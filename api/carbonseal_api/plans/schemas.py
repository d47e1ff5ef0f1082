"""What the routes about monitoring plans give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Plan(BaseModel):
    """One version of a monitoring plan."""

    plan: str
    plan_version: int
    statement_digest: str
    effective_start: str
    effective_end: str | None
    body: dict[str, Any] = Field(description="The plan as filed.")
