"""Kinds by which others judge a report: sampling, verification report, industry mean, grade, impact.

The verification body signs the first two in its own data log, the registrar publishes industry means, and the
log host's party signs grades and impacts: both can be re-performed by anybody, so that it is not believed.
"""

from __future__ import annotations

from typing import Final

from carbonseal_attest.contents import schema as s

OPINIONS: Final = ("unmodified", "modified", "adverse", "disclaimer")
LEVELS_OF_ASSURANCE: Final = ("reasonable", "limited")
GRADES: Final = ("deep", "mid", "light", "none", "not_gradable")
FINDING_TYPES: Final = ("misstatement", "non_conformity", "non_compliance", "observation")
SEVERITIES: Final = ("critical", "major", "minor", "informational")
CAUSES: Final = (
    "device_revoked",
    "calibration_expired",
    "readings_corrected",
    "report_withdrawn",
    "opinion_withdrawn",
    "calibration_withdrawn",
)
AFFECTED_KINDS: Final = (
    "inventory",
    "quality_code",
    "emissions_report",
    "verification_report",
    "grade",
    "asset",
)

sampling_commitment = s.record(
    {
        "engagement": s.code,
        "report_digest": s.digest,
        "nonce_digest": s.digest,
        "strata": s.array(
            s.record({"id": s.name, "expected": s.integer(1, 1 << 53), "sample_size": s.integer(1, 100_000)}),
            500,
            least=1,
        ),
        "epoch": s.integer(1, 1 << 48),
        "blocks_after": s.integer(1, 10_000),
    }
)

verification_report = s.record(
    {
        "engagement": s.code,
        "operator": s.code,
        "report_digest": s.digest,
        "bundle_digest": s.digest,
        "trust_digest": s.digest,
        "period": s.span,
        "opinion": s.one_of(*OPINIONS),
        "opinion_text": s.sentence,
        "level_of_assurance": s.one_of(*LEVELS_OF_ASSURANCE),
        "materiality_percent": s.decimal,
        "criteria": s.text(200),
        "figures": s.table(s.difference, 501),
        "findings": s.array(
            s.record(
                {
                    "finding": s.name,
                    "type": s.one_of(*FINDING_TYPES),
                    "severity": s.one_of(*SEVERITIES),
                    "state": s.one_of("open", "closed"),
                    "text": s.sentence,
                    "digests": s.array(s.digest, 16),
                }
            ),
            500,
        ),
        "sampling": s.nullable(
            s.record(
                {
                    "commitment_digest": s.digest,
                    "transcript_digest": s.digest,
                    "drawn": s.integer(1, 1 << 53),
                    "answered": s.integer(0, 1 << 53),
                }
            )
        ),
        "steps": s.table(s.shared("step-outcome", s.one_of("passed", "failed", "not run")), 64),
    }
)

industry_mean = s.record(
    {"industry": s.text(40), "period": s.span, "quantity": s.quantity, "source": s.text(400)}
)

grade = s.record(
    {
        "party": s.code,
        "rule": s.text(80),
        "package_digest": s.digest,
        "period": s.span,
        "as_of": s.instant,
        "grade": s.one_of(*GRADES),
        "input": s.octets(1, 1 << 18),
        "result": s.octets(1, 1 << 18),
        "replaces": s.nullable(s.digest),
        "cause": s.nullable(s.digest),
    }
)

impact = s.record(
    {
        "state": s.one_of("open", "cured"),
        "cause": s.one_of(*CAUSES),
        "cause_digest": s.digest,
        "cures": s.nullable(s.digest),
        "affected": s.array(
            s.record({"kind": s.one_of(*AFFECTED_KINDS), "party": s.code, "digest": s.digest}),
            10_000,
            least=1,
        ),
        "reason": s.sentence,
        "cure": s.sentence,
    }
)
