"""The data code (数据红绿码): green, red or pending, with reasons and cures: a quality_code body.

Green only when no critical or major finding is open, no rule lacked an input, and completeness, late and
substituted shares are within the profile's limits. Pending when all that stands against it is absent
evidence that may still be filed; never counted as green. Otherwise red. Same inputs, same bytes: `check`
re-runs this and compares. Left out: acceptance with an explanation by a named person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from carbonseal_attest.commit_delay import commit_delay
from carbonseal_attest.instants import format_instant
from carbonseal_verifier.quality.engine import RuleResults, run_rules
from carbonseal_verifier.quality.findings import SEVERITIES, Finding, Text
from carbonseal_verifier.quality.grid import percent
from carbonseal_verifier.quality.scope import Scope

GREEN, RED, PENDING = "green", "red", "pending"
_DAY: Final = 86_400_000
MAX_FINDINGS: Final = 2000  # of one code; the schema's limit
MAX_MEASUREMENTS_SHOWN: Final = 100
MAX_RUNS: Final = 200  # of one finding that are written out; its count covers all
MAX_DIGESTS: Final = 16
MAX_TEXT: Final = 400  # characters


@dataclass(frozen=True, slots=True)
class DataCode:
    """A judged code: the colour, the findings behind it, the figures beside it, why rules did not run."""

    code: str
    findings: tuple[Finding, ...]
    outcomes: Mapping[str, str]
    figures: Mapping[str, str]
    not_run: Mapping[str, Text]

    def to_body(
        self, scope: Scope, *, plan_digest: bytes, cut_off: Sequence[tuple[str, int, bytes]]
    ) -> dict[str, Any]:
        """Return the quality_code body.

        Args:
            scope: what was judged.
            plan_digest: digest of the monitoring plan's statement.
            cut_off: (origin, tree size, root hash) of the data and the register log, in this order.
        """
        return {
            "code": self.code,
            "profile": scope.profile.reference,
            "plan_digest": plan_digest,
            "period": {"start": scope.start, "end": scope.end, "time_zone": scope.plan["time_zone"]},
            "cut_off": [{"origin": o, "tree_size": n, "root_hash": r} for o, n, r in cut_off],
            "findings": [_finding_body(finding) for finding in self.findings[:MAX_FINDINGS]],
            "rules": dict(self.outcomes),
            "figures": dict(self.figures),
        }


def judge(scope: Scope) -> DataCode:
    """Return the data code of a scope."""
    results = run_rules(scope)
    return DataCode(
        code=_colour(scope, results),
        findings=results.findings,
        outcomes=results.outcomes,
        figures=_figures(scope, results),
        not_run=results.not_run,
    )


def _colour(scope: Scope, results: RuleResults) -> str:
    blocking = [finding for finding in results.findings if finding.is_blocking]
    if not blocking and not results.is_lacking:
        return GREEN
    may_still_be_filed = scope.as_of < scope.end + scope.profile.filing_days * _DAY
    return PENDING if may_still_be_filed and all(f.is_absence for f in blocking) else RED


def _figures(scope: Scope, results: RuleResults) -> dict[str, str]:
    measurements = scope.measurements
    counts = {m["id"]: scope.counts(m) for m in measurements}
    names = ("expected", "measured", "late", "gap", "missing", "substituted", "corrected")
    totals = {name: sum(getattr(count, name) for count in counts.values()) for name in names}
    figures = {name: str(value) for name, value in totals.items()}
    present = totals["measured"] + totals["late"]
    shares = {"completeness": present} | {k: totals[k] for k in ("late", "substituted", "corrected")}
    for name, part in shares.items():
        share = percent(part, totals["expected"]) if totals["expected"] else Decimal("0.0000")
        figures[f"{name}_percent"] = str(share)
    figures["declared_percent"] = str(scope.declared_percent.quantize(Decimal("0.0001")))
    origins = [origin for m in measurements for origin in scope.provenances(m)]
    delays = [commit_delay(o.interval, o.registered_by) for o in origins]
    figures["greatest_commit_delay_ms"] = str(max((d for d in delays if d is not None), default=0))
    figures["statements_without_upper_bound"] = str(
        len({o.digest for o in origins if o.registered_by is None})
    )
    figures["imported_late_statements"] = str(len({o.digest for o in origins if o.is_imported}))
    figures["as_of"] = format_instant(scope.as_of)
    figures["profile_digest"] = scope.profile.digest.hex()
    for severity in SEVERITIES:
        figures[f"findings_{severity}"] = str(sum(f.severity == severity for f in results.findings))
    for measurement in measurements[:MAX_MEASUREMENTS_SHOWN]:
        count = counts[measurement["id"]]
        share = percent(count.measured + count.late, count.expected)
        figures[f"completeness_percent/{measurement['id']}"] = str(share)
    return figures


def _finding_body(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "subject": finding.target[:120],
        "start": finding.runs[0].start if finding.runs else None,
        "end": max(run.end for run in finding.runs) if finding.runs else None,
        "count": finding.count,
        "runs": [[run.start, run.end, run.count] for run in finding.runs[:MAX_RUNS]],
        "digests": list(finding.digests[:MAX_DIGESTS]),
        "expected": _sentence(finding.expected),
        "observed": _sentence(finding.observed),
        "cure": _sentence(finding.cure),
    }


def _sentence(text: Text) -> dict[str, str]:
    """Return a text within the schema's length; whatever a plan's names smuggle in stays printable."""
    clean = {
        k: "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in v) for k, v in text.items()
    }
    return {k: v if len(v) <= MAX_TEXT else v[: MAX_TEXT - 1] + "…" for k, v in clean.items()}
