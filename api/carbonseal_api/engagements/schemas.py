"""What the routes about engagements give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from carbonseal_api.lineage.schemas import MarkView


class OpinionView(BaseModel):
    """An opinion as its signed verification report says, with its standing."""

    statement_digest: str
    body: str = Field(description="Party code of the verification body.")
    operator: str
    report_digest: str
    engagement: str
    opinion: str = Field(description="unmodified, modified, adverse or disclaimer")
    opinion_text: dict[str, str]
    level_of_assurance: str = Field(description="reasonable or limited")
    materiality_percent: str
    criteria: str
    standing: str = Field(description="in_force or withdrawn")
    withdrawn_by: str | None = Field(description="Statement digest of what took it back.")
    withdrawn_reason: str | None
    open_findings: int
    findings: list[dict[str, Any]]
    figures: dict[str, Any]
    sampling: dict[str, Any] | None
    registered_at: str
    entry_index: int = Field(description="In the body's data log.")
    receipt_state: str
    marks: list[MarkView] = Field(description="What under it no longer stands, open and cured.")


class RefusedView(BaseModel):
    """A logged verification report that does not count as an opinion."""

    statement_digest: str
    body: str
    registered_at: str
    field: str
    reason: str


class OpinionsView(BaseModel):
    """What was opined on one emissions report."""

    opinions: list[OpinionView]
    refused: list[RefusedView] = Field(description="Logged, and no opinion: the reason says why.")


class CommitmentView(BaseModel):
    """A commitment to a sample of a report."""

    statement_digest: str
    engagement: str
    epoch: int = Field(description="The draw follows this epoch's anchor.")
    registered_at: str


class EngagementView(BaseModel):
    """An emissions report that a grant lets the caller verify."""

    owner: str
    grant: str = Field(description="Statement digest of the grant.")
    level: str = Field(description="report or evidence")
    valid_until: str
    report: str
    report_digest: str
    start: str
    end: str
    is_withdrawn: bool
    bundle: str | None = Field(description="Where its evidence bundle is, if the grant's level is evidence.")
    commitments: list[CommitmentView] = Field(description="The caller's own.")
    opinions: list[OpinionView] = Field(description="The caller's own.")


class MapProofView(BaseModel):
    """Proof that a log's head stands in an epoch's map (docs/spec/epochs-and-anchor.md)."""

    origin: str
    epoch: int
    tree_size: int
    root_hash: str
    index: int = Field(description="In the map.")
    path: list[str]
