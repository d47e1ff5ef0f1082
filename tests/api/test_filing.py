"""What is refused before a period is filed: nothing may be signed by a call that cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carbonseal_api.filing.period_checks import AlreadyFiled, NothingToReport, PeriodNotOver
from carbonseal_api.filing.service import FilingRequest, file_report

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
    assert "corrections" in text


def test_files_a_period_again_once_its_report_was_withdrawn(
    database_url: str, tmp_path: Path, open_site: Callable[..., Any], file_january: Callable[[Any], Any]
) -> None:
    with open_site(database_url, "refiled", tmp_path) as site:
        filed = file_january(site)
        refused(filed, filed.request, AlreadyFiled)
        body = {"withdraws": filed.report.report.digest, "role": "operator", "reason": "filed by mistake"}
        site.cast.enterprise.issue(site.cast.enterprise.register_origin, "withdrawal", body)
        again = file_report(site.host, site.cast.enterprise.desk, filed.request, clock=site.clock)
        assert again.report.digest != filed.report.report.digest
        assert (
            again.recomputed.inventory.to_json()["total"]
            == (filed.report.recomputed.inventory.to_json()["total"])
        )
