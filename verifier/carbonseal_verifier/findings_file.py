"""The findings of a verification engagement, as people write them: TOML or JSON, read strictly.

    [[finding]]
    finding = "nc-1"
    type = "misstatement"          # misstatement, non_conformity, non_compliance, observation
    severity = "minor"             # critical, major, minor, informational
    state = "open"                 # open, closed
    zh = "…"
    en = "…"
    digests = ["…"]                # statements that it is about, left out: none
    samples = ["main/17"]          # drawn slots without an answer that it accounts for, left out: none
    figure = {operator = "100", verification_body = "98", unit = "t{CO2e}"}     # left out: no amount

A figure is what the operator reported and what the body holds to be right; its difference counts against
materiality while the finding is open.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Context, Inexact
from typing import Any, Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.judging import SEVERITIES
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.quantities import format_decimal, parse_decimal
from carbonseal_verifier.errors import FindingsInvalid
from carbonseal_verifier.strict_json import parse_object

MAX_FILE: Final = 1 << 20  # bytes
MAX_FINDINGS: Final = 500
TYPES: Final = ("misstatement", "non_conformity", "non_compliance", "observation")
STATES: Final = ("open", "closed")
EXACT: Final = Context(prec=200, traps=[Inexact])  # decimals of the format have at most 60 digits
_MAX_LINE: Final = 2000  # bytes; the TOML reader takes quadratic time over a long dotted key

_finding = s.record(
    {
        "finding": s.name,
        "type": s.one_of(*TYPES),
        "severity": s.one_of(*SEVERITIES),
        "state": s.one_of(*STATES),
        "zh": s.text(400),
        "en": s.text(400),
    },
    {
        "digests": s.array(s.text(64), 15),
        "samples": s.array(s.text(120), 10_000),
        "figure": s.record({"operator": s.decimal, "verification_body": s.decimal, "unit": s.text(40)}),
    },
)
_file = s.record({"finding": s.array(_finding, MAX_FINDINGS)})


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of people; `digests` are statement digests, `samples` name drawn slots."""

    finding: str
    type: str
    severity: str
    state: str
    zh: str
    en: str
    digests: tuple[bytes, ...]
    samples: frozenset[str]
    figure: dict[str, dict[str, str]] | None

    def to_body(self, transcript_digest: bytes | None) -> dict[str, Any]:
        """Return the finding as the content has it; one that accounts for slots names the transcript."""
        digests = list(self.digests)
        if self.samples and transcript_digest is not None:
            digests.append(transcript_digest)
        return {
            "finding": self.finding,
            "type": self.type,
            "severity": self.severity,
            "state": self.state,
            "text": {"zh": self.zh, "en": self.en},
            "digests": digests,
        }


def parse_findings(data: bytes, *, is_toml: bool) -> list[Finding]:
    """Return the findings that a file writes.

    Raises:
        FindingsInvalid: not TOML or JSON, an unknown key, a missing text, or one name that stands twice.
    """
    value = _toml(data) if is_toml else parse_object(data, limit=MAX_FILE, refuse=_refusal)
    try:
        _file(value, "findings")
        findings = [_read(row) for row in value["finding"]]
    except CarbonsealError as error:
        raise _refusal(error.field, error.reason) from error
    names = [finding.finding for finding in findings]
    if len(set(names)) != len(names):
        raise _refusal("finding", "one name stands twice")
    return findings


def quantity_difference(operator: str, body: str, unit: str) -> dict[str, dict[str, str]]:
    """Return {operator, verification_body, difference}: what was reported minus what is held to be right."""
    difference = EXACT.subtract(parse_decimal(operator), parse_decimal(body))
    return {
        "operator": {"value": operator, "unit": unit},
        "verification_body": {"value": body, "unit": unit},
        "difference": {"value": format_decimal(difference), "unit": unit},
    }


def _read(row: dict[str, Any]) -> Finding:
    try:
        digests = tuple(bytes.fromhex(text) for text in row.get("digests", ()))
    except ValueError as error:
        raise _refusal(f"{row['finding']}.digests", "not hexadecimal") from error
    if any(len(digest) != 32 for digest in digests):
        raise _refusal(f"{row['finding']}.digests", "not statement digests of 64 hexadecimal digits")
    figure = row.get("figure")
    return Finding(
        row["finding"],
        row["type"],
        row["severity"],
        row["state"],
        row["zh"],
        row["en"],
        digests,
        frozenset(row.get("samples", ())),
        None
        if figure is None
        else quantity_difference(figure["operator"], figure["verification_body"], figure["unit"]),
    )


def _toml(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FILE or any(len(line) > _MAX_LINE for line in data.split(b"\n")):
        raise _refusal("file", "too large, or a line is too long")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _refusal("file", f"not TOML ({error!s:.120})") from error


def _refusal(field: str, reason: str) -> FindingsInvalid:
    return FindingsInvalid(field, reason, "write the findings as docs/how-to/verify-a-report.md has them")
