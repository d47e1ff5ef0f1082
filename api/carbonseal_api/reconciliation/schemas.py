"""What reconciliation found, as the API shows it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from carbonseal_attest.instants import format_instant
from carbonseal_ledger.reconciliation_book import BookStanding, KeptDisagreement, RunRecord

MAX_SHOWN = 200  # disagreements of one answer, the newest


class LookView(BaseModel):
    """That a person looked at a disagreement."""

    at: str
    person: str
    reason: str
    was_present: bool = Field(description="Whether it was still there when the person looked.")


class KeptDisagreementView(BaseModel):
    """One thing that two sources do not tell alike, or did not."""

    id: str = Field(examples=["8d1f0c5e7a2b9f34"])
    area: str = Field(description="Who compared: ledger, assets or membership.")
    code: str = Field(description="Which difference, by its stable name.", examples=["roots-differ"])
    subject: str = Field(description="The log, record or party that it is about.")
    detail: str = Field(description="What each source says.")
    first_seen_at: str
    last_seen_at: str
    is_present: bool = Field(description="Whether the newest comparison still found it.")
    blocks: bool = Field(description="Whether nobody has looked since it last appeared.")
    looks: list[LookView]


class ReconciliationRunView(BaseModel):
    """One comparison of everything."""

    began_at: str
    ended_at: str
    logs: int = Field(description="Logs compared.")
    present: int = Field(description="Disagreements that were there.")
    missing: list[str] = Field(description="Sources that could not be asked; nothing of them was compared.")


class ReconciliationView(BaseModel):
    """How reconciliation stands. While something blocks, new reports and asset movements are held."""

    is_held: bool = Field(description="Whether new reports and asset movements are held.")
    newest: ReconciliationRunView | None
    complete_at: str | None = Field(description="When the newest run ended that could ask every source.")
    disagreements: list[KeptDisagreementView] = Field(description="The newest 200, those that block first.")


def shown(standing: BookStanding, found: list[KeptDisagreement]) -> ReconciliationView:
    """Return the book as it is shown."""
    ordered = sorted(found, key=lambda one: (not one.blocks, not one.is_present, -one.last_seen_at, one.id))
    return ReconciliationView(
        is_held=standing.blocking > 0,
        newest=None if standing.newest is None else run_view(standing.newest),
        complete_at=None if standing.complete_at is None else format_instant(standing.complete_at),
        disagreements=[disagreement_view(one) for one in ordered[:MAX_SHOWN]],
    )


def run_view(run: RunRecord) -> ReconciliationRunView:
    """Return a run as it is shown."""
    return ReconciliationRunView(
        began_at=format_instant(run.began_at),
        ended_at=format_instant(run.ended_at),
        logs=run.logs,
        present=run.present,
        missing=list(run.missing),
    )


def disagreement_view(one: KeptDisagreement) -> KeptDisagreementView:
    """Return a disagreement as it is shown."""
    return KeptDisagreementView(
        id=one.id,
        area=one.area,
        code=one.code,
        subject=one.subject,
        detail=one.detail,
        first_seen_at=format_instant(one.first_seen_at),
        last_seen_at=format_instant(one.last_seen_at),
        is_present=one.is_present,
        blocks=one.blocks,
        looks=[
            LookView(
                at=format_instant(look.at),
                person=look.person,
                reason=look.reason,
                was_present=look.was_present,
            )
            for look in one.looks
        ],
    )
