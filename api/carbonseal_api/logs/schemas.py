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
    lateness: str | None = Field(
        description="of a measured value: timely, late or imported late, by the log's policy; else null"
    )


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


class KindRule(BaseModel):
    """What a policy demands of a kind."""

    signer: str = Field(description="party, device, log_host or registrar: the registry's signer of the kind")
    content_first: bool = Field(description="whether the content must be stored before the receipt")


class RegistrationPolicyView(BaseModel):
    """A registration policy as it was signed (docs/spec/log.md)."""

    kinds: dict[str, KindRule] = Field(description="the kinds admitted; empty: all of the registry")
    max_statement_bytes: int
    max_content_bytes: int
    max_batch_statements: int = Field(description="of one call, and how many at once after a quiet time")
    statements_per_second: int = Field(description="on the average")
    bytes_per_day: int = Field(description="of statements and contents, by the UTC day")
    conflicts_per_key: int = Field(description="equivocations that the log registers of one key")
    clock_tolerance_ms: int
    late_after_ms: int = Field(description="beyond it a measured value is marked as late")
    epoch_ms: int


class PolicyInForce(BaseModel):
    """A policy, and the statement in the party's register log that states it."""

    statement_digest: str = Field(description="of the genesis or policy statement, hex")
    entry_index: int = Field(description="of that statement in the register log")
    reason: str = Field(description="why it was amended; empty for the genesis")
    policy: RegistrationPolicyView


class PolicyView(BaseModel):
    """The policies of a log, which are those of its party's two logs."""

    origin: str
    register_origin: str
    in_force: PolicyInForce
    policies: list[PolicyInForce] = Field(description="oldest first, the one in force last")
