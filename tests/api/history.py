"""Builds what happens to a period after it was measured: report, opinion, grade, asset act, corrections.

Every statement is signed by the party that signs it in the field and registered by the log host. Grades and
asset acts are written as their domains write them, without asking those domains: lineage and impacts read
logs, whoever filled them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from plans import METHOD, STEP_MS

from carbonseal_api.catalogue.service import files_for_plan, publish_packages, shipped_packages
from carbonseal_api.evidence.service import put_document
from carbonseal_api.filing.service import FiledReport, FilingRequest, file_report
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Submission

DAY_MS = 86_400_000
INSTALLATION = "i-works1"
RULE = "CARBON-EFFICIENCY@1.0.0"  # a real one, by which the service grades anew
NO_RULE = "EXAMPLE@1.0.0"
METERS = ("m-electricity1", "m-electricity2")


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def sentence(text: str) -> dict[str, str]:
    return {"zh": f"中文:{text}", "en": text}


@dataclass
class History:
    """Days of a site's enterprise, told one after the other."""

    site: Any
    start: int
    published: bool = False
    readings: dict[tuple[int, str], SignedStatement] = field(default_factory=dict)

    def day(self, number: int) -> int:
        """Start of a day, in ms."""
        return self.start + number * DAY_MS

    def measure(self, first: int, days: int = 1, meters: Sequence[str] = METERS) -> None:
        """Have the gateway seal whole days of readings, a statement a meter and day."""
        site = self.site
        for number in range(first, first + days):
            site.clock.now = max(site.clock.now, self.day(number + 1) + 60_000)
            for at, meter in enumerate(meters, 1):
                values = [
                    f"{20 * at + step % 40 + number % 7}.{number % 10}{step % 10}" for step in range(96)
                ]
                statement, content = site.seal_readings(values, start_ms=self.day(number), meter=meter)
                (outcome,) = site.host.register(site.origin, [Submission(statement.raw, content)])
                assert outcome.problem is None, outcome
                self.readings[number, meter] = statement

    def file(
        self, first: int, days: int = 1, *, plan: bytes | None = None, installation: str = INSTALLATION
    ) -> FiledReport:
        """File a report over some days."""
        site, cast = self.site, self.site.cast
        if not self.published:
            packages = shipped_packages()
            publish_packages(site.host, cast.registrar.desk, cast.registrar.register_origin, packages)
            self.published = True
        request = FilingRequest(
            operator=site.party,
            installation=installation,
            register_origin=cast.enterprise.register_origin,
            data_origin=site.origin,
            plan_digest=plan or site.plan,
            period=(self.day(first), self.day(first + days)),
            packages=files_for_plan({"method": METHOD, "quality_profile": "default@1"}),
            parties={
                "operator": {"party": site.party, "name": dict(cast.enterprise.facts.name), "org": None}
            },
        )
        filed = file_report(site.host, cast.enterprise.desk, request, clock=site.clock)
        digest = hashlib.sha256(filed.report_json).digest()
        put_document(site.parts, site.party, digest, filed.report_json, "report.json", "application/json")
        site.parts.projections.refresh()
        return filed

    def opine(self, filed: FiledReport, *, body: Any = None, **changes: Any) -> SignedStatement:
        """Have the verification body sign its opinion on a report."""
        member = body or self.site.cast.verification_body
        told = parse_content(self.site.host.contents.get(filed.report.payload)).body["totals"]["total"]
        total, none = dict(told), told | {"value": "0"}
        interval = filed.report.header.interval
        assert interval is not None
        content = {
            "engagement": "en-works1",
            "operator": self.site.party,
            "report_digest": filed.report.digest,
            "bundle_digest": sha("bundle"),
            "trust_digest": sha("trust file"),
            "period": {"start": interval[0], "end": interval[1]},
            "opinion": "unmodified",
            "opinion_text": sentence("fair in all material respects"),
            "level_of_assurance": "reasonable",
            "materiality_percent": "5",
            "criteria": METHOD,
            "figures": {"total": {"operator": total, "verification_body": total, "difference": none}},
            "findings": [],
            "sampling": None,
            "steps": {"signatures": "passed"},
        }
        return self._issued(member, member.data_origin, "verification_report", content | changes)

    def grade(
        self,
        filed: FiledReport,
        opinion: SignedStatement | None,
        grade: str = "mid",
        *,
        rule: str = NO_RULE,
        **changes: Any,
    ) -> SignedStatement:
        """Have the log host's party state a grade that rests on a report, its code and an opinion."""
        member, interval = self.site.cast.log_host, filed.report.header.interval
        assert interval is not None
        given = {
            "emissions": {"value": "1", "statement": filed.report.digest.hex()},
            "data_code": {"code": "green", "statement": filed.quality.digest.hex()},
            "verification": None if opinion is None else {"statement": opinion.digest.hex()},
        }
        content = {
            "party": self.site.party,
            "rule": rule,
            "package_digest": sha("grade rule"),
            "period": {"start": interval[0], "end": interval[1]},
            "as_of": self.site.clock(),
            "grade": grade,
            "input": json.dumps(given).encode(),
            "result": b"{}\n",
            "replaces": None,
            "cause": None,
        }
        return self._issued(member, member.data_origin, "grade", content | changes, subject=self.site.party)

    def asset(
        self, opinion: SignedStatement, act: str = "record", *, record: bytes | None = None, **changes: Any
    ) -> SignedStatement:
        """Have the registrar mirror an act of the contract about a record that rests on an opinion."""
        member = self.site.cast.registrar
        content = {
            "act": act,
            "record": record or sha(f"record of {opinion.digest.hex()}"),
            "registry": "example-registry",
            "batch": opinion.digest.hex()[:16],
            "first": 1,
            "last": 100,
            "last_of_left": None,
            "holder": self.site.party,
            "verification_report": opinion.digest,
            "reference": None,
            "to": None,
            "parts": [],
            "proposed_by": bytes(20),
            "confirmed_by": bytes(19) + b"\x01",
            "chain": {
                "chain_id": 31337,
                "contract": bytes(20),
                "transaction": sha(f"{act} {opinion.digest.hex()}"),
                "block": 1,
                "block_hash": sha("block"),
                "log_index": 0,
            },
        }
        return self._issued(member, member.data_origin, "asset_act", content | changes)

    def correct(
        self, statement: SignedStatement, *, member: Any = None, is_removed: bool = False
    ) -> tuple[SignedStatement | None, SignedStatement]:
        """Have the enterprise correct a readings statement; `is_removed` puts nothing in its place."""
        who = member or self.site.cast.enterprise
        replacement = None
        start, end = statement.header.interval or (0, 0)
        if not is_removed:
            samples = [Sample(at, Decimal("11.1")) for at in range(start, end, STEP_MS)]
            series = Series.of("active", "interval", "kW.h", samples, width_ms=STEP_MS)
            body = {
                "supersedes": statement.digest,
                "reason": "the transformer ratio was entered wrongly",
                "readings": readings_body([series]),
            }
            replacement = self._issued(
                who,
                who.data_origin,
                "corrected_readings",
                body,
                subject=statement.header.subject,
                interval=(start, end),
            )
        act = {
            "supersedes": statement.digest,
            "replacement": None if replacement is None else replacement.digest,
            "role": "operator",
            "reason": "the transformer ratio was entered wrongly",
        }
        return replacement, self._issued(who, who.register_origin, "correction", act)

    def withdraw(self, statement: SignedStatement, *, member: Any = None) -> SignedStatement:
        """Have a party take a statement back."""
        who = member or self.site.cast.enterprise
        body = {"withdraws": statement.digest, "role": "operator", "reason": "it was wrong"}
        return self._issued(who, who.register_origin, "withdrawal", body)

    def _issued(
        self, member: Any, origin: str, kind: str, body: dict[str, Any], **about: Any
    ) -> SignedStatement:
        if member is self.site.cast.log_host:
            # The service signs grades and impacts with this key too: the stream goes on from where the log
            # is.
            with self.site.parts.desks.desk(member.facts.code) as desk:
                statement: SignedStatement = desk.issue(origin, kind, body, **about)
        else:
            statement = member.issue(origin, kind, body, **about)
        self.site.parts.projections.refresh()
        return statement
