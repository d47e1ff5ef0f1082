"""What the routes about impacts give."""

from __future__ import annotations

from pydantic import BaseModel, Field


class AffectedView(BaseModel):
    """One thing that an impact names."""

    kind: str
    party: str = Field(description="Whose it is.")
    digest: str = Field(description="Statement digest, or the id of the asset record, hex.")
    state: str = Field(description="open or cured")
    cured_by: str | None = Field(description="Statement digest of the impact that says it is cured.")


class Impact(BaseModel):
    """What no longer stands because of one cause, why, and what would cure it."""

    impact: str = Field(description="Statement digest.")
    cause: str
    cause_digest: str = Field(description="Statement digest of what caused it.")
    registered_at: str
    receipt_state: str
    is_open: bool = Field(description="Whether anything that it names is not cured.")
    reason: dict[str, str]
    cure: dict[str, str]
    affected: list[AffectedView] = Field(description="What of it is the organisation's.")
