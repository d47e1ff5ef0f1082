"""What is taken and given about corrections of readings and about withdrawals."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from carbonseal_api.evidence.request_types import A_DIGEST, DecimalText, Digest, Line, ShortLine, Wish

MAX_ROWS: Final = 20_000  # corrected readings in one request


class CorrectedReading(Wish):
    """One reading as it should have been. `form` and `unit` are needed where a point has several series."""

    point: str = Field(max_length=80)
    at: str = Field(max_length=40, description="RFC 3339 with a zone: 2026-01-03T00:15:00Z")
    value: DecimalText | None = Field(description="A decimal as text; null: there is none.")
    quality: Literal["good", "uncertain", "bad"] | None = Field(
        default=None, description="Left out: good; bad where there is no value."
    )
    form: Literal["register", "interval", "instant"] | None = None
    unit: str | None = Field(
        default=None, max_length=40, description="As in the readings; nothing is converted."
    )


class CorrectionWish(Wish):
    """The readings of one statement that should have been others; all others of it stay as they are."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "readings_digest": A_DIGEST,
                    "reason": "phase wired the wrong way round until 3 January",
                    "readings": [{"point": "active", "at": "2026-01-03T00:15:00Z", "value": "20.4"}],
                }
            ]
        },
    )

    readings_digest: Digest = Field(description="Digest of the `readings` statement.")
    reason: Line
    role: ShortLine = Field(default="operator", description="By what right: data-quality officer, …")
    readings: list[CorrectedReading] = Field(min_length=1, max_length=MAX_ROWS)


class Correction(BaseModel):
    """A registered correction: two statements, of which the second makes the first count."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "correction_digest": A_DIGEST,
                    "corrected_digest": A_DIGEST,
                    "readings_digest": A_DIGEST,
                    "meter": "m-electricity1",
                    "start": "2026-01-02T16:00:00Z",
                    "end": "2026-01-03T16:00:00Z",
                    "changed": 1,
                    "reason": "phase wired the wrong way round until 3 January",
                    "role": "operator",
                }
            ]
        }
    )

    correction_digest: str = Field(description="The `correction` in the register log.")
    corrected_digest: str = Field(description="The `corrected_readings` in the data log.")
    readings_digest: str
    meter: str
    start: str
    end: str
    changed: int = Field(description="Readings that differ from the meter's own.")
    reason: str
    role: str


class CorrectionEntry(BaseModel):
    """A correction as the register log has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "correction_digest": A_DIGEST,
                    "supersedes": A_DIGEST,
                    "replacement": A_DIGEST,
                    "role": "operator",
                    "reason": "phase wired the wrong way round",
                    "registered_at": "2026-02-03T01:00:00Z",
                }
            ]
        }
    )

    correction_digest: str
    supersedes: str
    replacement: str | None = Field(description="Null: nothing stands in its place.")
    role: str
    reason: str
    registered_at: str


class WithdrawalWish(Wish):
    """A statement to be taken back; it stays visible."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"statement_digest": A_DIGEST, "role": "operator", "reason": "bill belongs to another site"}
            ]
        },
    )

    statement_digest: Digest
    role: ShortLine
    reason: Line


class Withdrawal(BaseModel):
    """A registered withdrawal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "withdrawal_digest": A_DIGEST,
                    "statement_digest": A_DIGEST,
                    "kind": "declared_activity",
                    "role": "operator",
                    "reason": "bill belongs to another site",
                }
            ]
        }
    )

    withdrawal_digest: str
    statement_digest: str
    kind: str
    role: str
    reason: str


class WithdrawalEntry(BaseModel):
    """A withdrawal as the register log has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "withdrawal_digest": A_DIGEST,
                    "statement_digest": A_DIGEST,
                    "role": "operator",
                    "reason": "bill belongs to another site",
                    "registered_at": "2026-02-03T01:00:00Z",
                }
            ]
        }
    )

    withdrawal_digest: str
    statement_digest: str
    role: str
    reason: str
    registered_at: str
