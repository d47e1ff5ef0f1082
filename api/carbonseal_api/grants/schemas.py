"""What the routes about grants take and give."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.grants.standing import Grant
from carbonseal_attest.contents.disclosing import LEVELS, PURPOSES
from carbonseal_attest.instants import format_instant


class Span(BaseModel):
    """A half-open interval, RFC 3339 in UTC."""

    model_config = ConfigDict(extra="forbid")

    start: str = Field(max_length=40, examples=["2025-12-31T16:00:00Z"])
    end: str = Field(max_length=40, examples=["2026-12-31T16:00:00Z"])


class Validity(BaseModel):
    """When a grant stands; half-open, from now on where `start` is left out."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(default=None, max_length=40)
    end: str = Field(max_length=40, examples=["2027-12-31T16:00:00Z"])


class GrantWish(BaseModel):
    """A new grant."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "to": "b-aaaabbbbccccdddd",
                    "purpose": "loan",
                    "level": "grade",
                    "period": {"start": "2025-12-31T16:00:00Z", "end": "2026-12-31T16:00:00Z"},
                    "valid": {"end": "2027-12-31T16:00:00Z"},
                },
                {
                    "to": "public",
                    "purpose": "disclosure",
                    "level": "grade",
                    "period": {"start": "2025-12-31T16:00:00Z", "end": "2026-12-31T16:00:00Z"},
                    "valid": {"start": "2027-03-01T00:00:00Z", "end": "2027-12-31T16:00:00Z"},
                },
            ]
        },
    )

    to: str = Field(max_length=60, description="Party code of the grantee, its credit code, or public.")
    # Told as choices; another one is refused by its own reason.
    purpose: str = Field(max_length=40, json_schema_extra={"enum": list(PURPOSES)})
    level: str = Field(
        max_length=40,
        description="Each includes the ones before.",
        json_schema_extra={"enum": list(LEVELS)},
    )
    period: Span = Field(description="The reporting periods that may be seen lie in it.")
    valid: Validity


class GrantView(BaseModel):
    """A grant as its statement says, and what became of it."""

    grant: str
    owner: str
    to: str
    purpose: str
    level: str
    period: Span
    valid: Span
    state: str = Field(description="standing, withdrawn, expired, or not yet valid")
    statement_digest: str
    registered_at: str
    withdrawn_at: str | None
    withdrawn_by: str | None = Field(description="Statement that ended it early, hex.")
    reason: str | None

    @classmethod
    def of(cls, grant: Grant, at: int) -> GrantView:
        """Return what is shown of a grant at an instant."""
        ending = grant.ending
        return cls(
            grant=grant.grant,
            owner=grant.owner,
            to=grant.to,
            purpose=grant.purpose,
            level=grant.level,
            period=_span(grant.period),
            valid=_span(grant.valid),
            state=grant.state(at),
            statement_digest=grant.digest.hex(),
            registered_at=format_instant(grant.registered_at),
            withdrawn_at=None if ending is None else format_instant(ending.at),
            withdrawn_by=None if ending is None else ending.digest.hex(),
            reason=None if ending is None else ending.reason,
        )


class Published(BaseModel):
    """Something that an enterprise shows to everybody."""

    credit_code: str | None
    name: dict[str, str] = Field(description="zh and en")
    level: str
    period: Span
    until: str = Field(description="When it ends to be shown; exclusive.")
    statement_digest: str
    grade: str | None = Field(description="Address of the grade.")


def _span(interval: tuple[int, int]) -> Span:
    return Span(start=format_instant(interval[0]), end=format_instant(interval[1]))
