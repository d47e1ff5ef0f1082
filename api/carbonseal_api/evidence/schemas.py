"""What the routes about contents, documents and statements give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.evidence.request_types import A_DIGEST

_DATA = "log.carbonseal.example/e-k3v9aaaabbbbcccc/data"
_STATEMENT: dict[str, Any] = {
    "statement_digest": A_DIGEST,
    "origin": _DATA,
    "entry_index": 17,
    "registered_at": "2026-02-03T01:00:00Z",
    "receipt_state": "logged",
    "header": {
        "kind": "declared_activity/v1",
        "algorithm": -19,
        "kid": A_DIGEST,
        "issuer": "e-k3v9aaaabbbbcccc",
        "subject": "i-works1",
        "issued_at": "2026-02-03T00:59:58Z",
        "stream": "declared_activity",
        "sequence": 0,
        "previous": None,
        "interval": ["2025-12-31T16:00:00Z", "2026-01-31T16:00:00Z"],
        "checkpoint": {"tree_size": 17, "root_hash": A_DIGEST},
    },
    "content_digest": A_DIGEST,
    "content": {
        "body": {
            "plan_digest": A_DIGEST,
            "source_stream": "grid",
            "data_source": "bill",
            "quantity": {"value": "200.5", "unit": "MW.h"},
            "document_digest": A_DIGEST,
        }
    },
    "signature": A_DIGEST * 2,
    "receipt_size": 18,
    "checkpoint": {"origin": _DATA, "tree_size": 18, "root_hash": A_DIGEST},
    "epoch": None,
    "anchor": None,
    "links": [{"relation": "document", "kind": None, "statement_digest": A_DIGEST}],
}


class StoredContent(BaseModel):
    """A content that was stored."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"digest": A_DIGEST, "size": 412, "is_new": True}]}
    )

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

    model_config = ConfigDict(json_schema_extra={"examples": [_STATEMENT]})

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
