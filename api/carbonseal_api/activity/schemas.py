"""What the routes about activity give."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Deed(BaseModel):
    """One thing that somebody did: a statement, a look at data, or an act on an account."""

    at: str = Field(description="RFC 3339, UTC: when it was registered or recorded.")
    source: str = Field(description="statement, access or account")
    kind: str = Field(description="Kind of statement; what was done to data or account.")
    by: str = Field(description="Party code of who did it.")
    issuer: str | None = Field(description="Who signed; None where nothing was signed.")
    signer_class: str | None = Field(description="meter, gateway, person, party or log_host")
    subject: str | None = Field(description="What it is about: code, path of the service, or account.")
    statement_digest: str | None
    entry: str | None = Field(description="Origin and index, as ORIGIN#INDEX.")
    start: str | None = Field(description="Interval that the statement covers, half-open.")
    end: str | None
    receipt_state: str | None = Field(description="logged, witnessed, anchored or final")
    detail: str = Field(description="Purpose and outcome of an access, roles of an account.")


class Activity(BaseModel):
    """One page of what was done, newest first."""

    party: str
    deeds: list[Deed]
    left_out: list[str] = Field(
        description="Kinds that are not listed: the log's own time marks (tick), which nobody does."
    )
    next: str | None = Field(description="Cursor of the next page.")
