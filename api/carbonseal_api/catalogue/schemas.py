"""What the routes of the catalogue give."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PublishedPackage(BaseModel):
    """A package as the registrar's newest statement about it says."""

    id: str = Field(description="ID@VERSION")
    type: str = Field(description="method, factor_set, quality_profile or grade_rule")
    package_digest: str = Field(description="SHA-256 over the sorted `sha256  path` lines of its files, hex.")
    status: str = Field(description="active, draft, legacy or withdrawn")
    effective_start: str
    effective_end: str | None = Field(description="Exclusive; null: until replaced.")
    statement_digest: str
    registered_at: str


class IndustryMean(BaseModel):
    """The mean intensity of an industry over a period."""

    industry: str = Field(description="GB/T 4754")
    start: str
    end: str = Field(description="Exclusive.")
    value: str
    unit: str = Field(description="UCUM")
    source: str
    statement_digest: str
    registered_at: str
