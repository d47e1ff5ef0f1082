"""Builds the input of a grade from statements alone; every figure names the one that it comes from.

- emissions: the newest emissions report of exactly the period that its party has not taken back. Its figure
  is *reported*: the enterprise states it, under a published method. That its streams are metered does not
  make it "from metered energy", a figure that somebody else derives; the data code says what was metered.
- value added: the enterprise's newest standing business record of exactly the period. Nobody verified it.
- industry mean: the registrar's, of the industry that the registrar's statement about the party names.
- data code: the worst of the report's own and any later one of the same installation and period, so that no
  new code whitens an old one, and no withdrawal. Open findings: those of that code, and of standing
  verification reports.
- verification: what counts as an opinion is decided by `engagements`, when the grade is made; which one of
  several is taken, by `opinions`.

What is not there is null, and bars the grade by name; nothing is guessed. Projections must be fresh.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context
from typing import Any, Final

from carbonseal_accounting.arithmetic import plain
from carbonseal_accounting.units import parse_unit
from carbonseal_api.assembly import Parts
from carbonseal_api.catalogue.industry_means import mean_for
from carbonseal_api.engagements.opinions import OpinionBook
from carbonseal_api.grades import queries
from carbonseal_api.grades.opinions import Opinion, open_findings, verification
from carbonseal_api.impacts.marks import OPEN, marks_on
from carbonseal_api.taken_back import TakenBack, taken_back
from carbonseal_attest.contents.judging import SEVERITIES
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Interval, format_instant
from carbonseal_attest.quantities import parse_decimal
from carbonseal_verifier.errors import OpinionRefused
from carbonseal_verifier.grade_input import MAX_LISTED, MAX_OPEN_FINDINGS, SCHEMA, one_spelling
from carbonseal_verifier.grade_rule import GradeRule

_MULTIPLE: Final = re.compile(r"(?:10\*([0-9]{1,2})\.)?(.+)")  # UCUM: 10*4.CNY is ten thousand yuan
_EXACT: Final = Context(prec=200)
_WORST_CODE: Final = ("red", "pending", "green")
Row = Mapping[str, Any]


class Evidence:
    """The statements about one party from which inputs are built, read once for several periods."""

    def __init__(self, parts: Parts, party: str) -> None:
        self._parts, self._party = parts, party
        self._gone: dict[str, TakenBack] = {}
        self._admission = self._admission_of(party)
        self._reports = queries.results_about(parts.engine, "emissions_report", party=party)

    @property
    def periods(self) -> list[Interval]:
        """The periods of which the party ever filed a report, the latest end last."""
        found = {(row["interval_start"], row["interval_end"]) for row in self._reports}
        return sorted(found, key=lambda one: (one[1], -one[0]))

    def has_mean(self, period: Interval) -> bool:
        """Whether the registrar published the industry's mean of exactly this period."""
        return self._mean(period) is not None

    def input(self, rule: GradeRule, period: Interval, as_of: int) -> bytes:
        """Return the bytes of the input about a period, as known now, for a grade given at `as_of` (ms)."""
        report = self.report(period)
        code, findings = self._data_code(report)
        opinions, started_by = self._opinions(report)
        verified, counted = verification(opinions, started_by)
        rows = [*findings, *open_findings(counted)]
        rows.sort(key=lambda row: SEVERITIES.index(row["severity"]))
        return one_spelling(
            {
                "schema": SCHEMA,
                "party": self._party,
                "as_of": format_instant(as_of),
                "period": _period(period),
                "emissions": None if report is None else self._emissions(report, rule, period),
                "value_added": self._value_added(rule, period),
                "industry_mean": self._industry_mean(rule, period),
                "data_code": code,
                "open_findings": None if code is None else rows[:MAX_OPEN_FINDINGS],
                "verification": None if report is None else verified,
            }
        )

    def report(self, period: Interval) -> Row | None:
        """Return the newest emissions report of exactly a period that was not taken back."""
        found = [row for row in self._reports if (row["interval_start"], row["interval_end"]) == period]
        return next((row for row in found if self._stands(row)), None)

    def _stands(self, row: Row) -> bool:
        gone = self._gone_of(row["party"])
        return gone.ending(bytes(row["statement_digest"]), row["registered_at"]) is None

    def _end_of(self, row: Row) -> int | None:
        ending = self._gone_of(row["party"]).ending(bytes(row["statement_digest"]), row["registered_at"])
        return None if ending is None else ending.at

    def _gone_of(self, party: str) -> TakenBack:
        if party not in self._gone:
            name = self._parts.settings.log_host_name
            self._gone[party] = taken_back(self._parts.host, name, party)
        return self._gone[party]

    def _emissions(self, report: Row, rule: GradeRule, period: Interval) -> dict[str, Any] | None:
        value = in_unit(report["body"]["totals"].get("total"), rule.inputs["emissions"].unit)
        if value is None or value.startswith("-"):
            return None  # the rule takes gross emissions; a total below zero is none
        marked = [bytes(report["statement_digest"]), bytes.fromhex(report["body"]["quality_code_digest"])]
        marks = marks_on(self._parts, marked).values()
        doubts = {mark.impact.hex() for found in marks for mark in found if mark.state == OPEN}
        doubts |= self._contradicting(report, period)
        return {
            "value": value,
            "unit": rule.inputs["emissions"].unit,
            "data_source": "reported",
            "statement": report["statement_digest"].hex(),
            "doubts": sorted(doubts)[:MAX_LISTED],
            "left_out": self._left_out(report, period)[:MAX_LISTED],
        }

    def _contradicting(self, report: Row, period: Interval) -> set[str]:
        """Return other standing reports of the installation that cover a part of the period.

        The desk files no second one; a party that uploads its own statements could, and pick the better.
        """
        return {
            row["statement_digest"].hex()
            for row in self._reports
            if row["subject"] == report["subject"]
            and row["statement_digest"] != report["statement_digest"]
            and row["interval_start"] < period[1]
            and period[0] < row["interval_end"]
            and self._stands(row)
        }

    def _left_out(self, report: Row, period: Interval) -> list[str]:
        plans = queries.results_about(
            self._parts.engine, "monitoring_plan", party=self._party, log="register"
        )
        # A plan that was withdrawn held until then: taking it back makes no installation vanish.
        planned = {
            row["subject"] for row in plans if _overlaps(row["body"]["effective"], period, self._end_of(row))
        }
        filed = {
            row["subject"]
            for row in self._reports
            if self._stands(row) and row["interval_start"] < period[1] and period[0] < row["interval_end"]
        }
        return sorted((planned | filed) - {report["subject"]})

    def _value_added(self, rule: GradeRule, period: Interval) -> dict[str, Any] | None:
        unit = rule.inputs["value_added"].unit
        stated = [
            row
            for row in queries.results_about(self._parts.engine, "business_record", party=self._party)
            if (row["interval_start"], row["interval_end"]) == period
            and row["body"]["record"] == "value_added"
        ]
        row = next((one for one in stated if self._stands(one)), None)
        value = None if row is None else in_unit(row["body"]["quantity"], unit)
        if row is None or value is None:
            return None
        return {
            "value": value,
            "unit": unit,
            "source": _stated(row["body"]["source"]),
            "statement": row["statement_digest"].hex(),
            # Whoever states a figure several times is seen to: the others stay in the log.
            "replaced": [one["statement_digest"].hex() for one in stated if one is not row][:MAX_LISTED],
        }

    def _mean(self, period: Interval) -> Row | None:
        industry = None if self._admission is None else self._admission["body"].get("industry")
        return mean_for(self._parts, industry, period) if industry else None

    def _industry_mean(self, rule: GradeRule, period: Interval) -> dict[str, Any] | None:
        row, unit = self._mean(period), rule.inputs["industry_mean"].unit
        if row is None or row["body"]["quantity"]["unit"] != unit:
            return None
        if parse_decimal(row["body"]["quantity"]["value"]) <= 0:
            return None  # nothing can be compared with it
        return {
            "value": row["body"]["quantity"]["value"],
            "unit": unit,
            "industry": row["body"]["industry"],
            "period": _period(period),
            "source": _stated(row["body"]["source"]),
            "statement": row["statement_digest"].hex(),
        }

    def _data_code(self, report: Row | None) -> tuple[dict[str, Any] | None, list[dict[str, str]]]:
        if report is None:
            return None, []
        rows = queries.results_about(
            self._parts.engine, "quality_code", party=self._party, subject=report["subject"]
        )
        named = bytes.fromhex(report["body"]["quality_code_digest"])
        span = (report["interval_start"], report["interval_end"])
        of_period = [row for row in rows if (row["interval_start"], row["interval_end"]) == span]
        own = next((row for row in of_period if bytes(row["statement_digest"]) == named), None)
        if own is None or not self._stands(own):
            return None, []
        # Taken back or not: what was found once is cured by a new report, whose code is later still.
        later = [row for row in of_period if row["entry_index"] > own["entry_index"]]
        worst = min([own, *later], key=lambda row: _WORST_CODE.index(row["body"]["code"]))
        findings = [
            {"finding": _stated(f"{found['rule']} {found['subject']}"), "severity": found["severity"]}
            for found in worst["body"]["findings"]
        ]
        return {
            "code": worst["body"]["code"],
            "profile": _stated(worst["body"]["profile"]),
            "statement": worst["statement_digest"].hex(),
        }, findings

    def _opinions(self, report: Row | None) -> tuple[list[Opinion], str | None]:
        if report is None:
            return [], None
        engine, digest = self._parts.engine, report["statement_digest"].hex()
        logged = queries.results_naming(engine, "verification_report", "report_digest", digest)[::-1]
        counted = self._counted(bytes(report["statement_digest"])) if logged else set()
        made = [
            self._opinion(row, is_independent=bytes(row["statement_digest"]) in counted)
            for row in logged
            # What does not count is dropped, unless it lacks independence: then it bars the grade by name.
            if bytes(row["statement_digest"]) in counted
            or (row["body"]["operator"] == self._party and not self._is_apart(row["party"]))
        ]
        commitments = queries.results_naming(engine, "sampling_commitment", "report_digest", digest)
        started = [row["party"] for row in commitments if self._is_apart(row["party"])]
        return made, started[0] if started else None

    def _counted(self, report: bytes) -> set[bytes]:
        """Return the verification reports that count as opinions, as everybody here decides it."""
        try:
            return {one.digest for one in OpinionBook(self._parts).on(report)[0]}
        except OpinionRefused:  # who is admitted can no longer be read
            return set()

    def _opinion(self, row: Row, *, is_independent: bool) -> Opinion:
        digest, body = bytes(row["statement_digest"]), row["body"]
        ending = self._gone_of(row["party"]).ending(digest, row["registered_at"])
        return Opinion(
            digest=digest,
            body=row["party"],
            opinion=body["opinion"],
            level_of_assurance=body["level_of_assurance"],
            registered_at=row["registered_at"],
            withdrawn_at=None if ending is None else ending.at,
            is_independent=is_independent,
            open_findings=tuple(
                (found["finding"], found["severity"])
                for found in body["findings"]
                if found["state"] == "open"
            ),
        )

    def _is_apart(self, code: str) -> bool:
        """Whether a body shares neither party, nor credit code, nor key with the enterprise."""
        own, body = self._admission, self._admission_of(code)
        if code == self._party or own is None or body is None or own["body"]["key"] == body["body"]["key"]:
            return False
        return own["body"]["org"] is None or own["body"]["org"] != body["body"]["org"]

    def _admission_of(self, party: str) -> Row | None:
        engine, registrar = self._parts.engine, self._parts.registrar
        rows = queries.results_about(engine, "party", party=registrar, subject=party, log="register")
        return rows[0] if rows else None


def in_unit(quantity: Mapping[str, str] | None, unit: str) -> str | None:
    """Return a quantity's value in a unit that differs from its own by a power of ten at most, else None."""
    have, want = (_MULTIPLE.fullmatch(_code(text)) for text in ((quantity or {}).get("unit", ""), unit))
    if quantity is None or have is None or want is None or have[2] != want[2]:
        return None
    places = int(have[1] or 0) - int(want[1] or 0)
    text = plain(parse_decimal(quantity["value"]).scaleb(places, _EXACT))
    try:
        parse_decimal(text)
    except CarbonsealError:  # longer than an input may be
        return None
    return text


def _code(unit: str) -> str:
    """Return the UCUM code of a unit that stands under a common name, as totals of reports do."""
    try:
        return parse_unit(unit).code
    except CarbonsealError:  # units of money are not in that table
        return unit


def _stated(text: str) -> str:
    return text.strip() or "not stated"


def _period(period: Interval) -> dict[str, str]:
    return {"start": format_instant(period[0]), "end": format_instant(period[1])}


def _overlaps(effective: Mapping[str, Any], period: Interval, ended: int | None) -> bool:
    ends = [end for end in (effective["end"], ended) if end is not None]
    return bool(effective["start"] < period[1] and all(period[0] < end for end in ends))
