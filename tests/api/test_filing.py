"""What is refused before a period is filed: nothing may be signed by a call that cannot be right."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from carbonseal_api.filing.period_checks import AlreadyFiled, NothingToReport, PeriodNotOver
from carbonseal_api.filing.service import FiledReport, FilingRequest, file_report, render_and_register
from carbonseal_api.impacts.closing import close_epoch
from carbonseal_api.quality.service import code_by_digest
from carbonseal_api.reports.bundle_files import bundle_file
from carbonseal_api.reports.report_json import encode_report, parse_report
from carbonseal_api.reports.service import report as report_of
from carbonseal_api.trust_files import own_trust_file
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import Sample, Series, read_series, readings_body
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedRegistrar, TrustFile
from carbonseal_verifier.check import run_check
from carbonseal_verifier.report_contents import expected_report

DAY_MS = 86_400_000
CORRECTED = {"readings_corrected"}


@pytest.fixture
def request_of(filed: Any) -> Callable[..., FilingRequest]:
    """What was filed for January 2026, over another period."""
    body = filed.report.recomputed.quality_body["period"]
    start, end = body["start"], body["end"]

    def make(*, start_days: int = 0, end_days: int = 0) -> FilingRequest:
        return replace(filed.request, period=(start + start_days * DAY_MS, end + end_days * DAY_MS))

    return make


def refused(filed: Any, request: FilingRequest, error: type[Exception]) -> str:
    site = filed.site
    before = site.host.head(site.origin).tree_size
    with pytest.raises(error) as caught:
        file_report(site.host, site.cast.enterprise.desk, request, clock=site.clock)
    assert site.host.head(site.origin).tree_size == before, "something was signed"
    return str(caught.value)


def test_refuses_period_that_is_not_over_and_signs_nothing(
    filed: Any, request_of: Callable[..., FilingRequest]
) -> None:
    text = refused(filed, request_of(start_days=31, end_days=28), PeriodNotOver)
    assert text.startswith("period: ")
    assert "is not over yet" in text
    assert "; file it once" in text


def test_refuses_period_without_a_reading_and_signs_nothing(
    filed: Any, request_of: Callable[..., FilingRequest]
) -> None:
    text = refused(filed, request_of(start_days=-60, end_days=-40), NothingToReport)
    assert "there is nothing to report" in text


@pytest.mark.parametrize(("start_days", "end_days"), [(0, 0), (3, -3), (-5, 0), (0, -20)])
def test_refuses_period_that_overlaps_a_filed_report_and_names_it(
    filed: Any, request_of: Callable[..., FilingRequest], start_days: int, end_days: int
) -> None:
    text = refused(filed, request_of(start_days=start_days, end_days=end_days), AlreadyFiled)
    assert filed.report.report.digest.hex() in text
    assert "register its withdrawal, or a correction that supersedes it" in text


@pytest.fixture(scope="module")
def january(
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    open_site: Callable[..., Any],
    file_january: Callable[[Any], Any],
) -> Iterator[Any]:
    """A site of its own whose January was filed; its parties as the desk writes them."""
    with open_site(database_url, "refiled", tmp_path_factory.mktemp("refiled")) as site:
        filed = file_january(site)
        names = {"operator": {"party": site.party, "name": dict(site.cast.enterprise.facts.name)}}
        yield replace(filed, request=replace(filed.request, parties=names))


def file_again(filed: Any, **changes: Any) -> FiledReport:
    site = filed.site
    request = replace(filed.request, **changes)
    return file_report(site.host, site.cast.enterprise.desk, request, clock=site.clock)


def take_back(filed: Any, report: FiledReport, kind: str) -> None:
    named = "withdraws" if kind == "withdrawal" else "supersedes"
    body = {named: report.report.digest, "role": "operator", "reason": "readings were corrected"}
    if kind == "correction":
        body["replacement"] = None
    enterprise = filed.site.cast.enterprise
    enterprise.issue(enterprise.register_origin, kind, body)


def total(report: FiledReport) -> Decimal:
    return Decimal(parse_report(report.report_json)["emissions"]["total"]["value"])


def checked(filed: Any, report: FiledReport, *others: FiledReport) -> Any:
    """The check of the reports' bundle as the service makes it, under the deployment's own trust file."""
    site, cast = filed.site, filed.site.cast
    site.clock.now += 60_000
    site.host.build_epoch()
    site.parts.projections.refresh()
    trust = own_trust_file(
        publisher="the test",
        label="made by the test",
        registrar=TrustedRegistrar(
            cast.registrar.facts.code, cast.registrar.register_origin, cast.registrar.signer.public
        ),
        log_host=cast.log_host.facts.code,
        log_host_name=site.parts.settings.log_host_name,
        log_key=site.parts.log_key,
        chain=None,
        at=site.clock(),
        profile="default@1",
        signer=cast.registrar.signer,
    )
    with bundle_file(site.parts, site.party, [one.report.digest for one in (report, *others)]) as bundle:
        data = bundle.read()
    return run_check(io.BytesIO(data), trust=TrustFile.parse(trust), at=site.clock() + 1000)


def test_a_corrected_period_is_filed_anew_and_its_bundle_passes_the_check(january: Any) -> None:
    site, first = january.site, january.report
    old, made = correct_a_day(site)
    assert first.report.digest.hex() in refused(january, january.request, AlreadyFiled)
    close_epoch(site.parts)  # which marks what no longer stands
    site.parts.projections.refresh()
    assert {m.cause for m in report_of(site.parts, site.party, first.report.digest).marks} == CORRECTED
    assert {m.cause for m in code_by_digest(site.parts, site.party, first.quality.digest).marks} == CORRECTED

    # What was corrected counts now, under a report code of its own.
    assert report_of(site.parts, site.party, first.report.digest).taken_back_by is None
    take_back(january, first, "withdrawal")
    site.parts.projections.refresh()
    assert report_of(site.parts, site.party, first.report.digest).taken_back_by is not None
    second = file_again(january)
    site.parts.projections.refresh()
    assert report_of(site.parts, site.party, second.report.digest).taken_back_by is None
    report = parse_report(second.report_json)
    assert report["report"] != parse_report(first.report_json)["report"]
    (row,) = report["data_quality"]["corrections"]
    assert (row["supersedes"], row["replacement"]) == (old.hex(), made.hex())
    assert report["data_quality"]["shares"]["corrected_percent"] == "1.6129"  # 96 of 5952 places
    assert total(first) < total(second)
    # The checker composes the same bytes from what was signed.
    signed = parse_content(site.host.contents.get(second.report.payload)).body
    composed = expected_report(second.recomputed, signed, january.request.parties, january.request.period)
    assert second.report_json == encode_report(composed)

    render_and_register(site.parts, site.cast.enterprise.desk, second, language="en")
    amended = site.amend_policy(late_after_ms=3_600_000)
    result = checked(january, second)
    assert [(s.name, s.reason) for s in result.steps if s.outcome != "passed"] == []
    reasons = {step.name: step.reason for step in result.steps}
    assert "1 statement corrected by the party" in reasons["completeness"]
    at = site.host.find(site.cast.enterprise.register_origin, amended.digest).index
    assert f"{site.party} under 2 policies (amended at {at})" in reasons["policies"]

    # Superseded by a correction: likewise, and the older bundle falls at its last step.
    refused(january, january.request, AlreadyFiled)
    take_back(january, second, "correction")
    third = file_again(january)
    assert len({parse_report(one.report_json)["report"] for one in (first, second, third)}) == 3
    assert total(third) == total(second)
    failed = [s.name for s in checked(january, second).steps if s.outcome != "passed"]
    assert failed == ["report"]

    # Both in one bundle: the older falls in the same way, the newer stands beside it.
    render_and_register(site.parts, site.cast.enterprise.desk, third, language="en")
    both = checked(january, second, third)
    assert [(s.name, s.report) for s in both.steps if s.outcome != "passed"] == [
        ("report", second.report.digest)
    ]
    assert both.on(third.report.digest).has_passed
    take_back(january, third, "withdrawal")


def test_a_downgraded_period_is_filed_and_its_bundle_passes_the_check(january: Any) -> None:
    site, enterprise = january.site, january.site.cast.enterprise
    digest = plan_with_bill(january)
    start, end = january.request.period
    about = {"subject": "i-works1", "interval": (start, end)}
    bill = enterprise.issue(
        site.origin,
        "document",
        {"title": "bill 2026-01", "media_type": "application/pdf", "document_digest": b"\1" * 32,
         "size": 9, "relates_to": []},
    )  # fmt: skip
    stream = {"plan_digest": digest, "source_stream": "grid"}
    declared = stream | {"data_source": "bill", "quantity": {"value": "999999", "unit": "kW.h"}}
    declared["document_digest"] = bill.digest
    value = enterprise.issue(site.origin, "declared_activity", declared, **about)
    step = stream | {"from": "meter", "to": "bill", "reason": "meters in repair"}
    enterprise.issue(site.origin, "downgrade", step, **about)

    filed = file_again(january, plan_digest=digest)
    report = parse_report(filed.report_json)
    assert report["activity_data"]["grid"]["value"] == "999999"
    assert report["data_quality"]["shares"]["declared_percent"] == "100.0000"
    (row,) = report["data_quality"]["downgrades"]
    assert (row["declared_activity"], row["lowers"]) == ([value.digest.hex()], False)
    render_and_register(site.parts, enterprise.desk, filed, language="zh")
    result = checked(january, filed)
    assert [(s.name, s.reason) for s in result.steps if s.outcome != "passed"] == []


def plan_with_bill(filed: Any) -> bytes:
    """File the next version of the plan, with a bill as the second data source."""
    enterprise = filed.site.cast.enterprise
    body = dict(filed.report.recomputed.plan)
    streams = [one | {"data_sources": ["meter", "bill"]} for one in body["source_streams"]]
    body |= {"plan_version": body["plan_version"] + 1, "source_streams": streams}
    return enterprise.issue(enterprise.register_origin, "monitoring_plan", body, subject="i-works1").digest


def correct_a_day(site: Any) -> tuple[bytes, bytes]:
    """Double the first day of the first meter; returns the digests of the readings and of the replacement."""
    entry = site.host.select(site.origin, kinds={"readings"})[0]
    statement = SignedStatement.parse(entry.raw)
    body = parse_content(site.host.contents.get(statement.payload)).body
    (series,) = read_series(body)
    samples = [Sample(one.at, one.value * 2) for one in series.samples() if one.value is not None]
    doubled = Series.of(series.point, series.form, series.unit, samples, width_ms=series.width_ms)
    enterprise = site.cast.enterprise
    made = enterprise.issue(
        site.origin,
        "corrected_readings",
        {"supersedes": statement.digest, "reason": "wrong ratio", "readings": readings_body([doubled])},
        subject=statement.header.subject,
        interval=statement.header.interval,
    )
    body = {"supersedes": statement.digest, "replacement": made.digest, "role": "operator", "reason": "ratio"}
    enterprise.issue(enterprise.register_origin, "correction", body)
    return statement.digest, made.digest
