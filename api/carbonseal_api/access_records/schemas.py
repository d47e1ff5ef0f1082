"""What the route about access records gives."""

from __future__ import annotations

from pydantic import BaseModel, Field


class AccessRecordView(BaseModel):
    """One query by another party."""

    recorded_at: str = Field(description="RFC 3339, UTC.")
    party: str = Field(description="Party code of who asked.")
    client: str = Field(description="Id of its key or account; no secret.")
    action: str
    resource: str = Field(description="What was asked for, as the route names it.")
    purpose: str = Field(description="The grant's purpose, or what the asking role stands for.")
    grant_digest: str | None = Field(description="Statement of the grant that was relied upon, hex.")
    outcome: str = Field(description="answered or refused")
    refusal: str | None = Field(description="Stable code of the refusal.")
