"""What the routes of logs give as JSON; everything else there is COSE, CBOR, notes and tiles."""

from __future__ import annotations

from pydantic import BaseModel, Field


class OpenedLog(BaseModel):
    """A log that was opened, or is open already with the same genesis."""

    origin: str
    statement_digest: str = Field(description="of the genesis, hex")
    entry_index: int
    status: str = Field(description="accepted or duplicate")


class ReceiptState(BaseModel):
    """How far a statement has come."""

    origin: str
    statement_digest: str
    state: str = Field(description="logged, witnessed, anchored or final")


class StreamHeadView(BaseModel):
    """The last statement of a stream: the next one continues from it."""

    kid: str = Field(description="Thumbprint of the signing key, hex.")
    stream: str
    sequence: int
    digest: str = Field(description="of the last statement, hex")


class InclusionProofView(BaseModel):
    """Proof that an entry is in a tree (RFC 9162 §2.1.3); hashes in hex."""

    origin: str
    entry_index: int
    tree_size: int
    root_hash: str
    path: list[str]


class ConsistencyProofView(BaseModel):
    """Proof that a tree is the beginning of a larger one (RFC 9162 §2.1.4); hashes in hex."""

    origin: str
    old_size: int
    old_root_hash: str
    new_size: int
    new_root_hash: str
    path: list[str]
