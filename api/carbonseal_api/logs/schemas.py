"""What the routes of logs give as JSON; everything else there is COSE, CBOR, notes and tiles."""

from __future__ import annotations

from pydantic import BaseModel, Field


class OpenedLog(BaseModel):
    """A log that was opened, or is open already with the same genesis."""

    origin: str
    statement_digest: str = Field(description="of the genesis, hex")
    entry_index: int
    status: str = Field(description="accepted or duplicate")
