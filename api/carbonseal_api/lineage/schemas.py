"""What the routes about lineage give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class SealView(BaseModel):
    """How far a statement's proof has come; for a series that of its last: the others have come as far."""

    receipt_state: str = Field(description="logged, witnessed, anchored or final")
    epoch: int | None = Field(description="First epoch whose map covers it.")
    chain_id: int | None = Field(description="Chain of the epoch's anchor.")
    transaction: str | None = Field(description="Transaction of the epoch's anchor, hex.")


class MarkView(BaseModel):
    """A mark: something under this no longer stands."""

    impact: str = Field(description="Statement digest of the impact.")
    cause: str
    cause_digest: str
    state: str = Field(description="open or cured")
    reason: dict[str, str]
    cure: dict[str, str]
    cured_by: str | None = Field(description="Statement digest of the impact that says it is cured.")


class LineageNode(BaseModel):
    """One thing in a lineage."""

    id: str
    kind: str = Field(
        description="Kind of statement, or asset, equipment, factor, figure, file, head, organisation, "
        "package, series, unknown (no log here holds the digest), undisclosed (not for this caller)."
    )
    party: str | None = Field(description="Party whose log or thing it is.")
    level: int = Field(description="Links away from what was asked for.")
    subject: str | None = None
    start: str | None = Field(default=None, description="RFC 3339, UTC; interval or period, half-open.")
    end: str | None = None
    registered_at: str | None = None
    entry: str | None = Field(default=None, description="Origin and index, as ORIGIN#INDEX.")
    facts: dict[str, Any] = Field(default_factory=dict, description="What tells it apart, by kind.")
    seal: SealView | None = None
    marks: list[MarkView] = Field(default_factory=list)


class LineageLink(BaseModel):
    """`source` rests on `target`; `relation` says how."""

    source: str
    relation: str
    target: str


class Readings(BaseModel):
    """The readings under an answer, over all its series, each counted once a series."""

    statements: int
    gaps: int
    samples: int
    start: str | None
    end: str | None
    receipt_state: str | None = Field(description="Of the last statement; the others have come as far.")
    epochs: list[int] = Field(description="First and last epoch that cover them; empty before the first.")


class Lineage(BaseModel):
    """A lineage: summary over all of it, and one page of its nodes with their links."""

    id: str
    direction: str = Field(description="down: what it rests on; up: what rests on it.")
    depth: int
    counts: dict[str, int] = Field(description="Nodes of the whole answer by kind, not only of this page.")
    readings: Readings | None
    nodes: list[LineageNode]
    links: list[LineageLink] = Field(description="Each once, on the page of its later node.")
    truncated: bool = Field(description="Whether there is more than this page shows.")
    left_out: list[str] = Field(description="Why: page, depth, nodes. Empty: everything is here.")
    next: str | None = Field(description="Cursor of the next page.")
