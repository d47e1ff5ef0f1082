"""What the routes about carbon-asset records give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from carbonseal_api.lineage.schemas import MarkView

_HEX = "0a" * 32


class Person(BaseModel):
    """One of the two persons of an act: a party, and the account of it on the chain."""

    party: str = Field(examples=["e-aaaabbbbccccdddd"])
    account: str | None = Field(description="Address on the chain; null before it is signed.")


class ActView(BaseModel):
    """An act on a carbon-asset record, and how far it has come."""

    id: str = Field(description="To confirm it by.", examples=["7"])
    act: str = Field(description="record, split, move, retire, surrender, cancel, freeze or release")
    record: str = Field(description="Id of the record on the chain.", examples=[_HEX])
    registry: str
    batch: str
    first: int
    last: int = Field(description="Included.")
    holder: str = Field(description="Who holds the units before the act.")
    verification_report: str = Field(description="Statement digest.")
    reference: str | None = Field(
        description="Official act that it mirrors; of a freeze or release the cause."
    )
    to: str | None
    last_of_left: int | None
    cure: str | None
    state: str = Field(
        description="proposing, proposed (waits for the registrar), confirming, confirmed (mined), mirrored "
        "(its statement is in the log) or failed"
    )
    proposed_at: str
    confirmed_at: str | None
    proposer: Person
    confirmer: Person | None
    transaction: str | None
    block_number: int | None
    statement_digest: str | None = Field(description="The mirror statement in the registrar's data log.")
    problem: str | None = Field(description="What the chain last said against it.")


class RecordView(BaseModel):
    """Who holds which serials of which official registry. A record is not a token."""

    record: str = Field(examples=[_HEX])
    registry: str = Field(examples=["CCER"])
    batch: str = Field(examples=["2026-0007"])
    first: int = Field(examples=[1])
    last: int = Field(description="Included.", examples=[1000])
    holder: str = Field(examples=["e-aaaabbbbccccdddd"])
    state: str = Field(description="live, split, retired, surrendered or cancelled", examples=["live"])
    is_frozen: bool
    causes: list[str] = Field(description="Impacts for which it is frozen, statement digests.")
    verification_report: str = Field(description="Statement digest of the report that it rests on.")
    statement_digest: str = Field(description="The newest act's mirror statement.")
    marks: list[MarkView] = Field(description="What speaks or spoke against what it rests on, with the cure.")


class MirrorView(BaseModel):
    """One act as the registrar's data log tells it, with its transaction and receipt state."""

    act: str
    record: str
    statement_digest: str
    receipt_state: str
    registered_at: str
    holder: str
    to: str | None
    reference: str | None
    parts: list[str]
    proposed_by: str
    confirmed_by: str
    chain: dict[str, Any] = Field(description="chain_id, contract, transaction, block, block_hash, log_index")


class RestsOn(BaseModel):
    """A statement that the record rests on."""

    kind: str
    party: str
    statement_digest: str
    receipt_state: str
    says: str = Field(description="The opinion, or the report's total.")


class RecordLineage(RecordView):
    """A record with its way: where it came from, what was done with it, what it rests on."""

    ancestors: list[str] = Field(description="Records from which it was split, the nearest first.")
    history: list[MirrorView] = Field(description="Acts on it and its ancestors, oldest first.")
    rests_on: list[RestsOn]


class DifferenceView(BaseModel):
    """One place where contract, database and log do not agree."""

    place: str = Field(description="What tells another story: contract, database, log or journal.")
    record: str
    field: str
    contract: str | None
    database: str | None
    log: str | None
    detail: str | None = Field(description="In words, where it is about an act.")
    holder: str | None = Field(description="Whose record it is, as the log says.")


class AgreementView(BaseModel):
    """Whether contract, database and log agree. Movements stop while they do not."""

    is_agreed: bool
    checked_at: str
    records: int = Field(description="Records compared.")
    acts: int = Field(description="Acts on the chain compared with their mirror statements.")
    pending: list[str] = Field(description="Confirmed acts whose mirror statement is still to be written.")
    differences: list[DifferenceView]
