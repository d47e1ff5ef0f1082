"""What the routes about grades give. `proof` is what `carbonseal-verifier grade --statement` reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field

from carbonseal_api.assembly import Parts
from carbonseal_api.grades.queries import Row
from carbonseal_api.grades.service import GradeAnswer, LoggedProof
from carbonseal_api.impacts.marks import Mark, marks_on
from carbonseal_api.lineage.describing import mark_view
from carbonseal_api.lineage.schemas import MarkView
from carbonseal_attest.instants import format_instant


class Explained(BaseModel):
    """A reason or a cure, with its stable code."""

    code: str
    zh: str
    en: str


class Words(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class GradeSpan(BaseModel):
    """A reporting period; half-open."""

    start: str
    end: str


class ProvedStatement(BaseModel):
    """A statement, its content and its receipt, each in base64."""

    statement: str = Field(description="COSE_Sign1")
    content: str = Field(description="CBOR; its SHA-256 is what the statement signs.")
    receipt: str = Field(description="RFC 9942, made for this answer.")


class GradeProof(ProvedStatement):
    """The grade statement, and the registrar's about the log host that signed it and the party graded."""

    log_host: ProvedStatement
    party: ProvedStatement


class StatementPlace(BaseModel):
    """Where the grade statement stands."""

    digest: str
    origin: str
    entry_index: int
    issuer: str = Field(description="Party code of the log host.")
    registered_at: str


class GradeView(BaseModel):
    """The grade in force at `as_of`. All but `as_of`, `receipt_state` and `marks` is proved by `proof`."""

    credit_code: str
    party: str
    as_of: str
    in_force_since: str = Field(description="When the statement was registered.")
    rule: str
    rule_digest: str
    period: GradeSpan
    grade: str = Field(description="deep, mid, light, none, or not_gradable")
    gradable: bool
    label: Words
    intensity: str | None
    intensity_unit: str
    ratio: str | None
    ratio_fraction: str | None
    pcaf_score: int | None = Field(description="1 (best) to 5")
    reasons: list[Explained]
    cures: list[Explained]
    value_added: dict[str, Any] | None = Field(
        description="value, unit, source, statement; stated by the organisation, verified by nobody. "
        "`replaced`: its other statements of the same figure"
    )
    data_code: dict[str, Any] | None = Field(description="code, profile, statement")
    verification: dict[str, Any] | None = Field(
        description="state, opinion, level_of_assurance, body, statement"
    )
    statement: StatementPlace
    receipt_state: str = Field(description="logged, witnessed, anchored or final")
    proof: GradeProof
    marks: list[MarkView] = Field(description="What has come to stand against this grade since; not proved.")
    input: str = Field(description="Address of the very input bytes that the statement carries.")
    result: str = Field(description="Address of the very result bytes.")

    @classmethod
    def of(cls, answer: GradeAnswer, credit_code: str, base: str | None = None) -> GradeView:
        """Return what is shown of an answer; its bytes are found under the address `base`."""
        base = base or f"/grades/{credit_code}"
        result, given = json.loads(answer.result), json.loads(answer.input)
        header, registered = answer.proof.statement.header, format_instant(answer.registered_at)
        asked = f"as_of={format_instant(answer.as_of)}&rule={answer.rule}"
        names = ("rule", "rule_digest", "period", "grade", "gradable", "label", "intensity", "intensity_unit")
        more = ("ratio", "ratio_fraction", "pcaf_score", "reasons", "cures")
        return cls(
            credit_code=credit_code,
            party=answer.party,
            as_of=format_instant(answer.as_of),
            in_force_since=registered,
            **{name: result[name] for name in (*names, *more)},
            value_added=given["value_added"],
            data_code=given["data_code"],
            verification=given["verification"],
            statement=StatementPlace(
                digest=answer.proof.statement.digest.hex(),
                origin=header.origin,
                entry_index=answer.proof.entry_index,
                issuer=header.issuer,
                registered_at=registered,
            ),
            receipt_state=answer.proof.state,
            proof=GradeProof(
                **_proved(answer.proof),
                log_host=ProvedStatement(**_proved(answer.log_host)),
                party=ProvedStatement(**_proved(answer.admission)),
            ),
            marks=[mark_view(mark) for mark in answer.marks],
            input=f"{base}/input.json?{asked}",
            result=f"{base}/result.json?{asked}",
        )


class GradeRow(BaseModel):
    """One grade of an organisation's history."""

    rule: str
    grade: str
    period: GradeSpan
    as_of: str
    registered_at: str
    statement_digest: str
    entry_index: int
    marks: list[MarkView] = Field(description="What has come to stand against it since.")

    @classmethod
    def of(cls, row: Row, marks: Iterable[Mark] = ()) -> GradeRow:
        """Return what is shown of a row."""
        return cls(
            rule=row["rule"],
            grade=row["grade"],
            period=GradeSpan(
                start=format_instant(row["period"]["start"]), end=format_instant(row["period"]["end"])
            ),
            as_of=format_instant(row["as_of"]),
            registered_at=format_instant(row["registered_at"]),
            statement_digest=row["statement_digest"].hex(),
            entry_index=row["entry_index"],
            marks=[mark_view(mark) for mark in marks],
        )


def shown_rows(parts: Parts, rows: Iterable[Row]) -> list[GradeRow]:
    """Return what is shown of rows, with their marks."""
    listed = list(rows)
    marks = marks_on(parts, [bytes(row["statement_digest"]) for row in listed])
    return [GradeRow.of(row, marks.get(bytes(row["statement_digest"]), ())) for row in listed]


class GradingAsked(BaseModel):
    """What grading now came to."""

    is_new: bool = Field(description="Whether something had changed, so that a new statement was made.")
    grades: list[GradeRow] = Field(description="Newest first.")


def _proved(proof: LoggedProof) -> dict[str, str]:
    parts = {
        "statement": proof.statement.raw,
        "content": proof.content_bytes,
        "receipt": proof.receipt,
    }
    return {name: base64.b64encode(data).decode() for name, data in parts.items()}
