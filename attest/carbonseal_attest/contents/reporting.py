"""Kinds about results: method, report, quality code, document, business record, correction, withdrawal."""

from __future__ import annotations

from carbonseal_attest.contents import schema as s

_count = s.integer(0, 1 << 53)
package = s.record({"id": s.text(80), "digest": s.digest})

method = s.record(
    {
        "id": s.text(80),
        "type": s.one_of("method", "factor_set", "quality_profile", "grade_rule"),
        "package_digest": s.digest,
        "status": s.one_of("active", "draft", "legacy", "withdrawn"),
        "effective": s.effective,
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
        "severity": s.one_of("critical", "major", "minor", "informational"),
        "subject": s.text(120),
        "start": s.nullable(s.instant),
        "end": s.nullable(s.instant),
        "count": _count,
        "runs": s.array(s.row({"first": _count, "step": _count, "count": _count}), 200),
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
