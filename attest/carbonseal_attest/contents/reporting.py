"""Kinds about results and what they rest on: from method and rule profile to correction and withdrawal."""

from __future__ import annotations

from typing import Final

from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.judging import SEVERITIES

PACKAGE_STATUSES: Final = ("active", "draft", "legacy", "withdrawn")

package = s.record({"id": s.text(80), "digest": s.digest})

method = s.record(
    {
        "id": s.text(80),
        "type": s.one_of("method", "factor_set", "quality_profile", "grade_rule"),
        "package_digest": s.digest,
        "status": s.one_of(*PACKAGE_STATUSES),
        "effective": s.effective,
    }
)

# The limits under which readings are judged, and how severe each rule is. Its package is `profile.toml`.
rule_profile = s.record(
    {
        "id": s.text(80),
        "package_digest": s.digest,
        "status": s.one_of(*PACKAGE_STATUSES),
        "effective": s.effective,
        "rules": s.table(s.shared("severity", s.one_of(*SEVERITIES)), 500),
        "measured": s.nullable(
            s.record(
                {
                    "corpus_digest": s.digest,
                    "by_rule": s.table(
                        s.record(
                            {
                                "true_positives": s.count,
                                "false_positives": s.count,
                                "false_negatives": s.count,
                            }
                        ),
                        500,
                    ),
                }
            )
        ),
        "replaces": s.nullable(s.digest),
    }
)

emissions_report = s.record(
    {
        "report": s.code,
        "plan_digest": s.digest,
        "method": s.text(80),
        "packages": s.array(package, 100, least=1),
        "period": s.period,
        "cut_off": s.array(s.head, 2, least=2),
        "totals": s.table(s.quantity, 20),
        "by_stream": s.table(s.record({"activity": s.quantity, "emissions": s.quantity}), 500),
        "quality_code_digest": s.digest,
        "report_json_digest": s.digest,
    }
)

finding = s.record(
    {
        "rule": s.text(80),
        "severity": s.one_of(*SEVERITIES),
        "subject": s.text(120),
        "start": s.nullable(s.instant),
        "end": s.nullable(s.instant),
        "count": s.count,
        "runs": s.array(s.reading_run, 200),
        "digests": s.array(s.digest, 16),
        "expected": s.sentence,
        "observed": s.sentence,
        "cure": s.sentence,
    }
)

_rule_outcome = s.shared("rule-outcome", s.one_of("passed", "failed", "not_applicable"))

quality_code = s.record(
    {
        "code": s.one_of("green", "red", "pending"),
        "profile": s.text(80),
        "plan_digest": s.digest,
        "period": s.period,
        "cut_off": s.array(s.head, 2, least=2),
        "findings": s.array(finding, 2000),
        "rules": s.table(_rule_outcome, 500),
        "figures": s.table(s.text(80), 200),
    }
)

document = s.record(
    {
        "title": s.text(200),
        "media_type": s.text(100),
        "document_digest": s.digest,
        "size": s.integer(0, 1 << 40),
        "relates_to": s.array(s.digest, 100),
    }
)

business_record = s.record(
    {
        "record": s.one_of("value_added", "output", "revenue"),
        "quantity": s.quantity,
        "source": s.text(400),
        "document_digest": s.nullable(s.digest),
    }
)

correction = s.record(
    {
        "supersedes": s.digest,
        "replacement": s.nullable(s.digest),
        "role": s.text(60),
        "reason": s.text(400),
    }
)

withdrawal = s.record({"withdraws": s.digest, "role": s.text(60), "reason": s.text(400)})
