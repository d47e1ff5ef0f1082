"""What is refused before a period is filed: nothing may be signed by a call that cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from carbonseal_api.filing.period_checks import AlreadyFiled, NothingToReport, PeriodNotOver
from carbonseal_api.filing.service import FiledReport, FilingRequest, file_report
from carbonseal_api.reports.report_json import encode_report, parse_report
from carbonseal_attest.contents import parse_content
from carbonseal_attest.contents.readings import Sample, Series, read_series, readings_body
from carbonseal_attest.statement import SignedStatement
from carbonseal_verifier.report_contents import expected_report

DAY_MS = 86_400_000


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


def test_files_a_period_again_once_its_report_was_taken_back(
    database_url: str, tmp_path: Path, open_site: Callable[..., Any], file_january: Callable[[Any], Any]
) -> None:
    with open_site(database_url, "refiled", tmp_path) as site:
        filed = file_january(site)
        enterprise, first = site.cast.enterprise, filed.report

        def file_again() -> FiledReport:
            return file_report(site.host, enterprise.desk, filed.request, clock=site.clock)

        old, made = correct_a_day(site)
        assert first.report.digest.hex() in refused(filed, filed.request, AlreadyFiled)

        # Withdrawn: what was corrected since counts now, under a report code of its own.
        body = {"withdraws": first.report.digest, "role": "operator", "reason": "readings were corrected"}
        enterprise.issue(enterprise.register_origin, "withdrawal", body)
        second = file_again()
        report = parse_report(second.report_json)
        assert report["report"] != parse_report(first.report_json)["report"]
        (row,) = report["data_quality"]["corrections"]
        assert (row["supersedes"], row["replacement"]) == (old.hex(), made.hex())
        assert report["data_quality"]["shares"]["corrected_percent"] == "1.6129"  # 96 of 5952 places
        totals = [
            Decimal(parse_report(one.report_json)["emissions"]["total"]["value"]) for one in (first, second)
        ]
        assert totals[0] < totals[1]
        # The checker composes the same bytes from what was signed.
        signed = parse_content(site.host.contents.get(second.report.payload)).body
        parties = {"operator": {"party": site.party, "name": dict(enterprise.facts.name)}}
        composed = expected_report(second.recomputed, signed, parties, filed.request.period)
        composed["parties"] = report["parties"]
        assert second.report_json == encode_report(composed)

        # Superseded by a correction: likewise.
        refused(filed, filed.request, AlreadyFiled)
        body = {
            "supersedes": second.report.digest,
            "replacement": None,
            "role": "operator",
            "reason": "again",
        }
        enterprise.issue(enterprise.register_origin, "correction", body)
        third = file_again()
        codes = {parse_report(one.report_json)["report"] for one in (first, second, third)}
        assert len(codes) == 3
        assert third.recomputed.inventory.total == second.recomputed.inventory.total


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
