"""What the routes about contents, documents and statements give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class StoredContent(BaseModel):
    """A content that was stored."""

    digest: str
    size: int
    is_new: bool


class StatementLink(BaseModel):
    """Another statement that this one names, or that names it."""

    relation: str = Field(
        description="What the other is to this one: document, plan, relates_to, supports, replaces, "
        "replaced_by, supersedes, superseded_by, puts_in_force, put_in_force_by, withdraws, withdrawn_by."
    )
    kind: str | None = Field(description="Of the other statement, where it names this one.")
    statement_digest: str


class StatementHead(BaseModel):
    """A head of a log that covers a statement."""

    origin: str
    tree_size: int
    root_hash: str


class EpochView(BaseModel):
    """The first epoch whose map covers a statement."""

    epoch: int
    map_root: str
    origins: int
    built_at: str
    log_of_logs_size: int
    log_of_logs_root: str


class AnchorView(BaseModel):
    """The anchor of that epoch on the chain."""

    chain_id: int
    contract: str
    state: str
    transaction: str | None
    block_number: int | None
    block_hash: str | None
    anchored_at: str | None


class StatementView(BaseModel):
    """One signed statement, taken apart: header, content, receipt, checkpoint, epoch, anchor."""

    statement_digest: str
    origin: str
    entry_index: int
    registered_at: str
    receipt_state: str
    header: dict[str, Any]
    content_digest: str
    content: dict[str, Any] | None = Field(description="None when withheld or erased.")
    signature: str
    receipt_size: int | None = Field(description="Tree size of the receipt made just now.")
    checkpoint: StatementHead
    epoch: EpochView | None
    anchor: AnchorView | None
    links: list[StatementLink] = Field(
        default_factory=list, description="Statements of the organisation that it names, or that name it."
    )
