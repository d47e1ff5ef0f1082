"""Grades from statements: what bars them, what is in force when, and who gets to see them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neighbours import (
    YEAR,
    admit,
    credit_code,
    finding,
    issue_code,
    issue_grant,
    issue_opinion,
    issue_report,
    issue_value_added,
    key_headers,
    readmit,
    take_back,
)

from carbonseal_api.catalogue.industry_means import publish_mean
from carbonseal_api.demo.cast import HOST_NAME, Member
from carbonseal_api.grades import service
from carbonseal_api.grades.inputs import Evidence, in_unit
from carbonseal_api.grades.refusals import (
    GradeRuleMissing,
    GradeRuleUnpublished,
    GradeUnknown,
    NothingToGrade,
)
from carbonseal_api.impacts.service import travel
from carbonseal_api.issuing import StatementRefused
from carbonseal_api.problems import RequestInvalid
from carbonseal_api.trust_files import own_trust_file
from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import TrustedRegistrar
from carbonseal_verifier.cli import main as verifier

RULE = service.DEFAULT_RULE
NUMBERS = count(100)
SECOND = 1000


@pytest.fixture(scope="module")
def place(market: Any) -> Any:
    return market


@dataclass
class Graded:
    """An enterprise of its own with a verified year, and a bank."""

    place: Any
    enterprise: Member
    code: str
    report: bytes
    opinion: bytes
    bank: Member
    bank_headers: dict[str, str]

    @property
    def party(self) -> str:
        return self.enterprise.facts.code

    @property
    def body(self) -> Member:
        return self.place.cast.verification_body

    def regrade(self, **more: Any) -> SignedStatement | None:
        self.place.clock.now += SECOND
        return service.regrade(self.place.parts, self.party, at=self.place.clock(), **more)

    def result(self, as_of: int | None = None) -> dict[str, Any]:
        at = self.place.clock() if as_of is None else as_of
        return json.loads(service.grade_as_of(self.place.parts, self.party, RULE, at).result)

    def regraded(self) -> tuple[str, list[str]]:
        """The grade and the codes of its reasons, after grading anew."""
        self.regrade()
        made = self.result()
        return made["grade"], [reason["code"] for reason in made["reasons"]]

    def grant(self, **changes: Any) -> bytes:
        return issue_grant(self.place, self.enterprise, self.bank.facts.code, **changes)

    def ask(self, headers: dict[str, str] | None = None, path: str = "", **asked: str) -> Any:
        url = f"/grades/{self.code}{path}"
        return self.place.client.get(url, params=asked, headers=headers or self.bank_headers)


@pytest.fixture(scope="module")
def bank(place: Any) -> tuple[Member, dict[str, str]]:
    member = admit(place, "bank")
    return member, key_headers(place, member, "bank")


@pytest.fixture(scope="module")
def found(place: Any, bank: tuple[Member, dict[str, str]]) -> Callable[..., Graded]:
    def make(*, industry: str | None = "C31", total: str = "521199.76", **report: Any) -> Graded:
        code = credit_code(next(NUMBERS))
        more = {} if industry is None else {"industry": industry}
        enterprise = admit(place, "enterprise", org=code, **more)
        digest = issue_report(enterprise, total, **report)
        issue_value_added(enterprise)
        opinion = issue_opinion(place.cast.verification_body, enterprise, digest)
        return Graded(place, enterprise, code, digest, opinion, *bank)

    return make


@pytest.fixture
def graded(found: Callable[..., Graded]) -> Graded:
    return found()


# -- what bars a grade --


def test_a_verified_year_is_graded_from_statements_each_named_in_the_input(graded: Graded) -> None:
    statement = graded.regrade()
    assert statement is not None
    assert statement.header.issuer == graded.place.cast.log_host.facts.code
    answer = service.grade_as_of(graded.place.parts, graded.party, RULE, graded.place.clock())
    assert json.loads(answer.result)["grade"] == "mid"
    assert json.loads(answer.result)["pcaf_score"] == 1
    given_input = json.loads(answer.input)
    named = [
        given_input[name]["statement"]
        for name in ("emissions", "value_added", "industry_mean", "data_code", "verification")
    ]
    assert named[0] == graded.report.hex()
    assert named[4] == graded.opinion.hex()
    assert all(len(digest) == 64 for digest in named)
    assert given_input["emissions"]["data_source"] == "reported"


def test_value_added_that_was_stated_anew_is_seen_with_the_statements_it_replaced(graded: Graded) -> None:
    assert graded.regraded()[0] == "mid"
    newer = issue_value_added(graded.enterprise, "3000000")
    assert graded.regraded()[0] == "deep"
    answer = service.grade_as_of(graded.place.parts, graded.party, RULE, graded.place.clock())
    stated = json.loads(answer.input)["value_added"]
    assert stated["statement"] == newer.hex()
    assert len(stated["replaced"]) == 1


def test_two_standing_reports_of_one_installation_and_time_are_not_gradable(graded: Graded) -> None:
    second = issue_report(graded.enterprise, "1")
    issue_opinion(graded.body, graded.enterprise, second)
    assert graded.regraded() == ("not_gradable", ["report-in-doubt"])
    take_back(graded.enterprise, graded.report)
    assert "report-in-doubt" not in graded.regraded()[1]


@pytest.mark.parametrize("code", ["red", "pending"])
def test_a_code_that_is_not_green_is_not_gradable_and_never_none(
    found: Callable[..., Graded], place: Any, code: str
) -> None:
    graded = found(total="90000000")
    assert graded.regraded()[0] == "none"
    take_back(graded.enterprise, graded.report)
    worse = issue_code(graded.enterprise, code, findings=[finding("stuck@1", "critical")])
    report = issue_report(graded.enterprise, "90000000", code=worse)
    issue_opinion(graded.body, graded.enterprise, report)
    grade, reasons = graded.regraded()
    assert (grade, reasons) == ("not_gradable", [f"data-code-{code}", "critical-finding-open"])
    assert graded.result()["ratio"] is None


def test_a_later_green_code_does_not_whiten_the_reports_own(found: Callable[..., Graded]) -> None:
    graded = found()
    red = issue_code(graded.enterprise, "red")
    assert graded.regraded() == ("not_gradable", ["data-code-red"])  # a later worse one counts
    issue_code(graded.enterprise, "green")
    assert graded.regraded() == ("not_gradable", ["data-code-red"])
    take_back(graded.enterprise, red)  # nor does taking it back
    assert graded.regraded() == ("not_gradable", ["data-code-red"])
    # A report filed anew has a code of its own, later than the red one.
    take_back(graded.enterprise, graded.report)
    issue_opinion(graded.body, graded.enterprise, issue_report(graded.enterprise))
    assert graded.regraded() == ("mid", ["ratio-mid"])


def test_a_code_of_another_time_than_the_reports_is_none(found: Callable[..., Graded]) -> None:
    graded = found()
    take_back(graded.enterprise, graded.report)
    second = issue_code(graded.enterprise, period=(YEAR[0], YEAR[0] + SECOND))
    issue_opinion(graded.body, graded.enterprise, issue_report(graded.enterprise, code=second))
    grade, reasons = graded.regraded()
    assert (grade, set(reasons)) == ("not_gradable", {"missing-input"})


def test_a_withdrawn_opinion_is_not_gradable_and_the_grade_before_it_stays(graded: Graded) -> None:
    assert graded.regraded()[0] == "mid"
    before = graded.place.clock()
    take_back(graded.body, graded.opinion)
    assert graded.regraded() == ("not_gradable", ["verification-withdrawn"])
    assert graded.result(before)["grade"] == "mid"


def test_an_opinion_given_before_another_was_withdrawn_does_not_outlive_it(
    place: Any, graded: Graded
) -> None:
    second = admit(place, "verification_body")
    issue_opinion(second, graded.enterprise, graded.report)
    place.clock.now += SECOND
    take_back(graded.body, graded.opinion)
    assert graded.regraded() == ("not_gradable", ["verification-withdrawn"])
    place.clock.now += SECOND
    issue_opinion(second, graded.enterprise, graded.report)  # knowing of the withdrawal
    assert graded.regraded() == ("mid", ["ratio-mid"])


@pytest.mark.parametrize("opinion", ["adverse", "disclaimer", "modified"])
def test_of_two_bodies_the_worse_opinion_counts(place: Any, graded: Graded, opinion: str) -> None:
    issue_opinion(admit(place, "verification_body"), graded.enterprise, graded.report, opinion)
    assert graded.regraded() == ("not_gradable", ["opinion-not-accepted"])


@pytest.mark.parametrize("what", ["an objection", "a red code", "no more value added", "no more a body"])
def test_a_grade_falls_within_one_epoch_although_nobody_asks_for_it(
    place: Any, found: Callable[..., Graded], what: str
) -> None:
    graded, body = found(), admit(place, "verification_body")
    take_back(graded.body, graded.opinion)
    place.clock.now += SECOND
    issue_opinion(body, graded.enterprise, graded.report)
    assert graded.regraded() == ("mid", ["ratio-mid"])
    travel(place.parts, place.clock())
    assert graded.result()["grade"] == "mid"
    if what == "an objection":
        issue_opinion(admit(place, "verification_body"), graded.enterprise, graded.report, "adverse")
    elif what == "a red code":
        issue_code(graded.enterprise, "red")
    elif what == "no more value added":
        issue_value_added(graded.enterprise, "1")
    else:
        readmit(place, body, status="suspended", reason="inquiry")
    place.clock.now += SECOND
    travel(place.parts, place.clock())
    assert graded.result()["grade"] in {"not_gradable", "none"}


def test_a_new_industry_mean_counts_within_one_epoch(place: Any, found: Callable[..., Graded]) -> None:
    def publish(value: str) -> None:
        unit = "t{CO2e}/(10*4.CNY)"
        publish_mean(place.parts, industry="C29", period=YEAR, value=value, unit=unit, source="statistics")

    publish("2.5")
    graded = found(industry="C29")
    assert graded.regraded() == ("mid", ["ratio-mid"])
    publish("0.1")
    place.clock.now += SECOND
    travel(place.parts, place.clock())
    assert graded.result()["grade"] == "none"


def test_an_open_critical_finding_of_the_body_bars_the_grade(graded: Graded) -> None:
    rows = [("f1", "critical", "open"), ("f2", "critical", "closed")]
    issue_opinion(graded.body, graded.enterprise, graded.report, "modified", findings=rows)
    assert graded.regraded() == ("not_gradable", ["critical-finding-open", "opinion-not-accepted"])
    assert graded.result()["reasons"][0]["en"].endswith(": 1")


def test_an_unmodified_opinion_that_its_own_findings_forbid_does_not_count(graded: Graded) -> None:
    take_back(graded.enterprise, graded.report)
    report = issue_report(graded.enterprise)
    rows = [("f1", "critical", "open")]
    issue_opinion(graded.body, graded.enterprise, report, findings=rows)
    assert graded.regraded() == ("not_gradable", ["not-verified"])


def test_an_opinion_on_another_report_of_the_party_does_not_count(graded: Graded) -> None:
    take_back(graded.enterprise, graded.report)
    issue_report(graded.enterprise)
    assert graded.regraded() == ("not_gradable", ["not-verified"])
    assert graded.result()["pcaf_score"] == 2


def test_the_enterprise_cannot_write_an_opinion_in_its_own_log(graded: Graded) -> None:
    with pytest.raises(StatementRefused, match="only a party admitted as verification_body") as refused:
        issue_opinion(graded.enterprise, graded.enterprise, graded.report)
    assert refused.value.refused_code == "role-missing"


def test_an_opinion_of_the_enterprise_itself_is_not_independent_whatever_its_roles(graded: Graded) -> None:
    take_back(graded.body, graded.opinion)
    place, enterprise = graded.place, graded.enterprise
    more = {"org": graded.code, "industry": "C31"}
    readmit(place, enterprise, roles=["enterprise", "verification_body"], **more)
    place.clock.now += SECOND
    issue_opinion(enterprise, enterprise, graded.report)
    # The other body's withdrawn opinion is the independent one, and says why.
    assert graded.regraded() == ("not_gradable", ["verification-withdrawn"])


@pytest.mark.parametrize("shared", ["party", "credit code"])
def test_an_opinion_from_the_same_organisation_bars_by_name(place: Any, graded: Graded, shared: str) -> None:
    take_back(graded.enterprise, graded.report)
    report = issue_report(graded.enterprise)
    if shared == "party":
        more = {"org": graded.code, "industry": "C31"}
        readmit(place, graded.enterprise, roles=["enterprise", "verification_body"], **more)
        issue_opinion(graded.enterprise, graded.enterprise, report)
    else:
        issue_opinion(admit(place, "verification_body", org=graded.code), graded.enterprise, report)
    assert graded.regraded() == ("not_gradable", ["verification-not-independent"])
    issue_opinion(graded.body, graded.enterprise, report)
    assert graded.regraded() == ("mid", ["ratio-mid"])


def test_an_opinion_of_a_body_that_is_no_longer_admitted_does_not_count(place: Any, graded: Graded) -> None:
    take_back(graded.enterprise, graded.report)
    report, body = issue_report(graded.enterprise), admit(place, "verification_body")
    issue_opinion(body, graded.enterprise, report)
    assert graded.regraded()[0] == "mid"
    readmit(place, body, status="suspended")
    assert graded.regraded() == ("not_gradable", ["not-verified"])


def test_a_report_that_was_taken_back_leaves_nothing_to_grade(graded: Graded) -> None:
    assert graded.regraded()[0] == "mid"
    body = {"supersedes": graded.report, "replacement": None, "role": "operator", "reason": "wrong"}
    graded.enterprise.issue(graded.enterprise.register_origin, "correction", body)
    grade, reasons = graded.regraded()
    assert (grade, set(reasons)) == ("not_gradable", {"missing-input"})
    assert graded.result()["pcaf_score"] is None


def test_the_newest_standing_report_counts(graded: Graded) -> None:
    take_back(graded.enterprise, graded.report)
    report = issue_report(graded.enterprise, "300000")
    issue_opinion(graded.body, graded.enterprise, report)
    assert graded.regraded() == ("deep", ["ratio-deep"])


def impact(graded: Graded, *, by: Member | None = None, **changes: Any) -> bytes:
    host = by or graded.place.cast.log_host
    marked = {"kind": "emissions_report", "party": graded.party, "digest": graded.report}
    body = {
        "state": "open",
        "cause": "readings_corrected",
        "cause_digest": b"\x09" * 32,
        "cures": None,
        "affected": [marked],
        "reason": {"zh": "示例", "en": "example"},
        "cure": {"zh": "示例", "en": "example"},
    }
    if by is not None:
        return by.issue(by.data_origin, "impact", body | changes).digest
    with graded.place.parts.desks.desk(host.facts.code) as desk:
        return desk.issue(host.data_origin, "impact", body | changes).digest


def test_an_open_impact_on_the_report_bars_the_grade_until_it_is_cured(graded: Graded) -> None:
    assert graded.regraded()[0] == "mid"
    cause = impact(graded)
    made = graded.regrade(cause=cause)
    assert made is not None
    answer = service.grade_as_of(graded.place.parts, graded.party, RULE, graded.place.clock())
    assert json.loads(answer.input)["emissions"]["doubts"] == [cause.hex()]
    assert answer.proof.content.body["cause"] == cause
    assert answer.proof.content.body["replaces"] is not None
    assert graded.result()["reasons"][0]["code"] == "report-in-doubt"
    impact(graded, state="cured", cures=cause)
    assert graded.regraded() == ("mid", ["ratio-mid"])


def test_another_log_hosts_impact_bars_nothing(place: Any, graded: Graded) -> None:
    other = admit(place, "laboratory", "log_host")
    impact(graded, by=other)
    assert graded.regraded() == ("mid", ["ratio-mid"])


def test_a_mark_on_the_grade_itself_is_shown_with_it_and_in_the_history(place: Any, graded: Graded) -> None:
    made = graded.regrade()
    assert made is not None
    cause = impact(graded, affected=[{"kind": "grade", "party": graded.party, "digest": made.digest}])
    graded.grant()
    (mark,) = graded.ask().json()["marks"]
    assert (mark["impact"], mark["state"]) == (cause.hex(), "open")
    url = f"/organisations/{graded.party}/grades"
    (row,) = place.client.get(url, headers=place.headers("regulator")).json()
    assert [one["impact"] for one in row["marks"]] == [cause.hex()]


def test_a_report_of_one_of_two_works_is_not_graded(place: Any, graded: Graded) -> None:
    report = issue_report(graded.enterprise, "1", installation="i-works2")
    issue_opinion(graded.body, graded.enterprise, report)
    assert graded.regraded() == ("not_gradable", ["report-incomplete"])
    take_back(graded.enterprise, report)
    assert graded.regraded() == ("mid", ["ratio-mid"])


def test_withdrawing_the_plan_of_the_other_works_does_not_make_it_vanish(place: Any, graded: Graded) -> None:
    (entry,) = place.host.select(place.cast.enterprise.register_origin, kinds={"monitoring_plan"})
    content = place.host.contents.get(SignedStatement.parse(entry.raw).payload)
    member, plan = graded.enterprise, dict(parse_content(content).body)

    def file(effective: dict[str, Any]) -> bytes:
        body = plan | {"effective": effective}
        return member.issue(member.register_origin, "monitoring_plan", body, subject="i-works2").digest

    assert graded.regraded() == ("mid", ["ratio-mid"])
    file({"start": YEAR[1], "end": None})  # built after the year
    assert graded.regraded() == ("mid", ["ratio-mid"])
    take_back(member, file({"start": YEAR[0], "end": None}))
    assert graded.regraded() == ("not_gradable", ["report-incomplete"])


def test_the_industry_is_the_registrars_word(place: Any, found: Callable[..., Graded]) -> None:
    graded = found(industry=None)
    assert graded.regraded() == ("not_gradable", ["missing-input"])
    readmit(place, graded.enterprise, org=graded.code, industry="C33")
    assert graded.regraded()[0] == "none"
    assert (
        json.loads(service.grade_as_of(place.parts, graded.party, RULE, place.clock()).input)[
            "industry_mean"
        ]["industry"]
        == "C33"
    )


def test_an_industry_mean_that_was_taken_back_is_missing(place: Any, found: Callable[..., Graded]) -> None:
    mean = publish_mean(
        place.parts, industry="C17", period=YEAR, value="2.5", unit="t{CO2e}/(10*4.CNY)", source="x"
    )
    graded = found(industry="C17")
    assert graded.regraded()[0] == "mid"
    with place.parts.desks.desk(place.parts.registrar) as desk:
        body = {"withdraws": mean.digest, "role": "registrar", "reason": "recomputed"}
        desk.issue(place.cast.registrar.register_origin, "withdrawal", body)
    assert graded.regraded() == ("not_gradable", ["missing-input"])


def test_statements_with_blanks_or_a_mean_of_nothing_never_stop_a_grading(
    place: Any, found: Callable[..., Graded]
) -> None:
    with place.parts.desks.desk(place.parts.registrar) as desk:
        quantity = {"value": "0", "unit": "t{CO2e}/(10*4.CNY)"}
        period = {"start": YEAR[0], "end": YEAR[1]}
        body = {"industry": "C35", "period": period, "quantity": quantity, "source": ""}
        desk.issue(place.cast.registrar.register_origin, "industry_mean", body)
    graded = found(industry="C35")
    assert graded.regraded() == ("not_gradable", ["missing-input"])
    take_back(graded.enterprise, graded.report)
    code = issue_code(graded.enterprise, findings=[finding("", "minor") | {"subject": ""}], profile=" ")
    issue_report(graded.enterprise, "-5", code=code)
    value = {"value": "1" * 60, "unit": "10*9.CNY"}
    record = {"record": "value_added", "quantity": value, "source": " ", "document_digest": None}
    graded.enterprise.issue(graded.enterprise.data_origin, "business_record", record, interval=YEAR)
    grade, reasons = graded.regraded()
    assert (grade, set(reasons)) == ("not_gradable", {"missing-input", "not-verified"})


def test_value_added_is_read_in_yuan_and_refused_in_another_currency(graded: Graded) -> None:
    issue_value_added(graded.enterprise, "3000000000", "CNY")
    graded.regrade()
    assert graded.result()["grade"] == "mid"
    issue_value_added(graded.enterprise, "300000", "10*4.USD")
    assert graded.regraded() == ("not_gradable", ["missing-input"])


@given(st.decimals(0, 10**12, places=4), st.integers(0, 12), st.integers(0, 12))
def test_powers_of_ten_are_converted_there_and_back(value: Any, have: int, want: int) -> None:
    text = format(value, "f")
    there = in_unit({"value": text, "unit": f"10*{have}.CNY"}, f"10*{want}.CNY")
    assert there is not None
    back = in_unit({"value": there, "unit": f"10*{want}.CNY"}, f"10*{have}.CNY")
    assert back is not None
    assert type(value)(back) == value
    assert in_unit({"value": text, "unit": "10*4.CNY"}, "10*4.USD") is None


# -- the statement, and what is in force when --


def test_a_grade_forged_by_the_enterprise_is_refused_by_the_log(graded: Graded) -> None:
    graded.regrade()
    answer = service.grade_as_of(graded.place.parts, graded.party, RULE, graded.place.clock())
    forged = answer.proof.content.body | {"grade": "deep"}
    with pytest.raises(StatementRefused, match="only a party admitted as log_host") as refused:
        graded.enterprise.issue(graded.enterprise.data_origin, "grade", forged, subject=graded.party)
    assert refused.value.refused_code == "role-missing"


def test_a_grade_in_another_log_hosts_log_is_never_read(place: Any, graded: Graded) -> None:
    graded.regrade()
    answer = service.grade_as_of(place.parts, graded.party, RULE, place.clock())
    other = admit(place, "laboratory", "log_host")
    other.issue(
        other.data_origin, "grade", answer.proof.content.body | {"grade": "deep"}, subject=graded.party
    )
    place.parts.projections.refresh()
    assert graded.result()["grade"] == "mid"
    assert len(service.history(place.parts, graded.party)) == 1


def test_grading_the_same_facts_again_makes_no_statement(graded: Graded) -> None:
    assert graded.regrade() is not None
    size = graded.place.host.head(service.host_origin(graded.place.parts)).tree_size
    assert graded.regrade() is None
    assert graded.place.host.head(service.host_origin(graded.place.parts)).tree_size == size


def test_two_gradings_at_once_make_one_statement(graded: Graded) -> None:
    graded.place.clock.now += SECOND
    made: list[Any] = []
    ready = threading.Barrier(4)

    def work() -> None:
        ready.wait()
        made.append(service.regrade(graded.place.parts, graded.party, at=graded.place.clock()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 4
    assert len([one for one in made if one is not None]) == 1
    assert len(service.history(graded.place.parts, graded.party)) == 1


def test_a_grade_is_in_force_from_its_own_millisecond(graded: Graded) -> None:
    graded.regrade()
    first = service.history(graded.place.parts, graded.party)[0]["registered_at"]
    assert graded.result(first)["grade"] == "mid"
    with pytest.raises(GradeUnknown, match="no grade was in force then"):
        graded.result(first - 1)
    take_back(graded.body, graded.opinion)
    graded.regrade()
    second = service.history(graded.place.parts, graded.party)[0]["registered_at"]
    assert graded.result(second - 1)["grade"] == "mid"
    assert graded.result(second)["grade"] == "not_gradable"


def test_the_period_that_ends_last_is_in_force_and_an_older_one_is_graded_again_beside_it(
    place: Any, graded: Graded
) -> None:
    month = (YEAR[1], YEAR[1] + 31 * 86_400_000)
    publish_mean(
        place.parts, industry="C31", period=month, value="2.5", unit="t{CO2e}/(10*4.CNY)", source="x"
    )
    graded.regrade()
    issue_report(graded.enterprise, "9", period=month)
    assert graded.regraded()[0] == "not_gradable"  # January of 2027 is not verified
    take_back(graded.body, graded.opinion)
    graded.regrade()
    periods = [row["period"]["end"] for row in service.history(place.parts, graded.party)]
    assert periods == [YEAR[1], month[1], YEAR[1]]
    assert graded.result()["period"]["end"] == "2027-01-31T16:00:00Z"


def test_a_month_without_an_industry_mean_does_not_replace_the_years_grade(graded: Graded) -> None:
    graded.regrade()
    february = (YEAR[1] + 31 * 86_400_000, YEAR[1] + 59 * 86_400_000)
    issue_report(graded.enterprise, "9", period=february)
    assert graded.regrade() is None
    assert graded.result()["grade"] == "mid"


def test_refuses_a_rule_that_the_registrar_has_not_published(site: Any) -> None:
    with pytest.raises(GradeRuleUnpublished, match="have the registrar publish it"):
        service.regrade(site.parts, site.party, at=site.clock())


def test_refuses_to_grade_ahead_of_time_and_by_unknown_rules(graded: Graded) -> None:
    parts, party = graded.place.parts, graded.party
    with pytest.raises(RequestInvalid, match="lies ahead"):
        service.regrade(parts, party, at=graded.place.clock() + 1)
    with pytest.raises(GradeRuleMissing, match="no grade rule"):
        service.regrade(parts, party, at=graded.place.clock(), rule="MILD@1.0.0")


def test_an_enterprise_without_a_report_has_nothing_to_grade(place: Any) -> None:
    party = admit(place, "enterprise").facts.code
    assert service.regrade(place.parts, party, at=place.clock()) is None
    with pytest.raises(NothingToGrade, match="no emissions report"):
        service.require_graded(place.parts, party, at=place.clock())


def test_replaying_the_projections_gives_the_same_grade(graded: Graded) -> None:
    graded.regrade()
    before = service.grade_as_of(graded.place.parts, graded.party, RULE, graded.place.clock())
    graded.place.parts.projections.replay()
    after = service.grade_as_of(graded.place.parts, graded.party, RULE, graded.place.clock())
    assert (before.result, before.proof.statement) == (after.result, after.proof.statement)


def test_a_report_that_was_really_filed_is_read_with_its_unit_and_code(filed: Any) -> None:
    site, period = filed.site, filed.request.period
    evidence = Evidence(site.parts, site.party)
    made = json.loads(evidence.input(service.find_rule(RULE), period, site.clock()))
    total = filed.report.recomputed.inventory.to_json()["total"]
    assert made["emissions"]["unit"] == "t{CO2e}"
    assert made["emissions"]["value"] == total["value"]
    assert made["emissions"]["statement"] == filed.report.report.digest.hex()
    assert made["data_code"]["code"] == filed.report.recomputed.quality_body["code"]
    assert made["verification"]["state"] == "none"
    assert evidence.periods == [period]


# -- who may see it --


def test_a_bank_checks_grade_receipt_and_statement_offline(
    graded: Graded, tmp_path: Path, capsysbinary: Any
) -> None:
    graded.regrade()
    graded.grant()
    answer = graded.ask()
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["grade"], told["pcaf_score"], told["receipt_state"]) == ("mid", 1, "logged")
    assert told["data_code"]["code"] == "green"
    assert told["verification"]["statement"] == graded.opinion.hex()
    assert {"code", "zh", "en"} == told["reasons"][0].keys()

    cast = graded.place.cast
    statement = SignedStatement.parse(base64.b64decode(told["proof"]["statement"]))
    statement.verify_signature(cast.log_host.signer.public)
    receipt = Receipt.parse(base64.b64decode(told["proof"]["receipt"]))
    receipt.verify(statement.raw, origin=cast.log_host.data_origin, key=cast.log_key.public)

    trust = own_trust_file(
        publisher="Province",
        label="of a test",
        registrar=TrustedRegistrar(
            cast.registrar.facts.code, cast.registrar.register_origin, cast.registrar.signer.public
        ),
        log_host=cast.log_host.facts.code,
        log_host_name=HOST_NAME,
        log_key=cast.log_key.public,
        chain=None,
        at=graded.place.clock(),
        profile="default@1",
        signer=cast.publisher,
    )
    files = {
        "answer.json": answer.content,
        "input.json": graded.ask(path="/input.json").content,
        "trust.toml": trust,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    arguments = ["grade", str(tmp_path / "input.json"), "--rule", told["rule"], "--json", "-"]
    proved = ["--statement", str(tmp_path / "answer.json"), "--trust", str(tmp_path / "trust.toml")]
    assert verifier([*arguments, *proved]) == 0
    assert capsysbinary.readouterr().out == graded.ask(path="/result.json").content


def test_withdrawn_between_two_calls_answers_403_at_the_second(graded: Graded) -> None:
    graded.regrade()
    grant = graded.grant()
    assert graded.ask().status_code == 200
    take_back(graded.enterprise, grant)
    refused = graded.ask()
    assert (refused.status_code, refused.json()["code"]) == (403, "grant-withdrawn")


def test_expired_by_one_millisecond_answers_403(graded: Graded) -> None:
    graded.regrade()
    graded.grant()
    start = graded.place.clock()
    graded.place.clock.now = start + 3_600_000 - 1
    assert graded.ask().status_code == 200
    graded.place.clock.now += 1
    refused = graded.ask()
    assert (refused.status_code, refused.json()["code"]) == (403, "grant-expired")


@pytest.mark.parametrize(
    "changes",
    [
        {"period": {"start": YEAR[0], "end": YEAR[1] - 1}},
        {"period": {"start": YEAR[1], "end": YEAR[1] + 1}},
        {"purpose": "research"},
        {"to": "b-another-bank"},
    ],
    ids=["period too short", "another period", "another purpose", "another bank"],
)
def test_a_grant_that_does_not_reach_the_grade_answers_grant_missing(
    graded: Graded, changes: dict[str, Any]
) -> None:
    graded.regrade()
    graded.grant(**changes)
    refused = graded.ask()
    assert (refused.status_code, refused.json()["code"]) == (403, "grant-missing")


def test_an_ungranted_credit_code_cannot_be_told_from_one_that_nobody_has(
    graded: Graded, found: Callable[..., Graded]
) -> None:
    graded.regrade()
    never_graded = found()
    unknown = credit_code(next(NUMBERS))
    for path in ("", "/input.json", "/result.json"):
        shapes = set()
        for code in (graded.code, never_graded.code, unknown):
            answer = graded.place.client.get(f"/grades/{code}{path}", headers=graded.bank_headers)
            # The time and the number of the request say nothing about whom it asked for.
            told = answer.headers.items()
            headers = {name: value for name, value in told if name not in {"date", "x-request-id"}}
            shapes.add(
                json.dumps([answer.status_code, headers, answer.text.replace(code, "CODE")], sort_keys=True)
            )
        assert len(shapes) == 1
        assert "grant-missing" in shapes.pop()


@pytest.mark.parametrize("role", ["stranger", "enterprise"])
def test_another_enterprise_finds_nothing_whether_it_exists_or_not(graded: Graded, role: str) -> None:
    graded.regrade()
    shapes = set()
    for code in (graded.code, credit_code(next(NUMBERS))):
        answer = graded.place.client.get(f"/grades/{code}", headers=graded.place.headers(role))
        shapes.add((answer.status_code, answer.text.replace(code, "CODE")))
    assert [status for status, _ in shapes] == [404]


def test_owner_regulator_and_operator_need_no_grant(graded: Graded) -> None:
    graded.regrade()
    own = key_headers(graded.place, graded.enterprise, "enterprise")
    for headers in (own, graded.place.headers("regulator"), graded.place.headers("operator")):
        assert graded.ask(headers).json()["grade"] == "mid"
    missing = graded.place.client.get(
        f"/grades/{credit_code(next(NUMBERS))}", headers=graded.place.headers("regulator")
    )
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("role", ["gateway", "verification_body", "laboratory", "registrar"])
def test_other_roles_may_not_ask(graded: Graded, role: str) -> None:
    refused = graded.ask(graded.place.headers(role))
    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")


@pytest.mark.parametrize(
    ("code", "params", "status", "problem"),
    [
        ("91990000000000100X", {}, 422, "credit-code-invalid"),
        ("9199", {}, 422, "credit-code-invalid"),
        (None, {"as_of": "2026-01-01"}, 404, "grade-unknown"),
        (None, {"as_of": "2027-03-05"}, 422, "as-of-in-future"),
        (None, {"as_of": "2999-01-01T00:00:00Z"}, 422, "as-of-in-future"),
        (None, {"as_of": "yesterday"}, 422, "request-invalid"),
        (None, {"as_of": "2026-02-30"}, 422, "request-invalid"),
        (None, {"as_of": "２０２６-01-01"}, 422, "request-invalid"),
        (None, {"as_of": "\x00"}, 422, "request-invalid"),
        (None, {"as_of": "2026-02-30T00:00:00Z"}, 422, "request-invalid"),
        (None, {"rule": "MILD@1.0.0"}, 404, "grade-rule-unknown"),
    ],
)
def test_names_what_cannot_be_asked(
    graded: Graded, code: str | None, params: dict[str, str], status: int, problem: str
) -> None:
    graded.regrade()
    graded.grant()
    url = f"/grades/{code or graded.code}"
    answer = graded.place.client.get(url, params=params, headers=graded.bank_headers)
    assert (answer.status_code, answer.json()["code"]) == (status, problem)


def test_a_day_stands_for_its_end_and_today_for_now(graded: Graded) -> None:
    graded.regrade()
    graded.grant()
    today = graded.ask(as_of="2027-03-01")
    assert today.json()["as_of"] == graded.ask().json()["as_of"]
    assert graded.ask(as_of="2027-02-28").json()["code"] == "grade-unknown"


def test_what_is_granted_to_everybody_is_shown_without_a_key_and_only_that(
    graded: Graded, found: Callable[..., Graded]
) -> None:
    graded.regrade()
    client, shown = graded.place.client, f"/published/{graded.code}/grade"
    silent = found()
    for code in (graded.code, silent.code, credit_code(next(NUMBERS))):
        answer = client.get(f"/published/{code}/grade")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert answer.json()["reason"] == "nothing of it is published"
    graded.grant(to="p-public", purpose="loan")  # a loan is nobody's business
    assert client.get(shown).status_code == 404
    grant = graded.grant(to="p-public", purpose="disclosure")
    told = client.get(shown).json()
    assert told["grade"] == "mid"
    for name in ("input", "result"):
        assert client.get(told[name]).content == client.get(f"{shown}/{name}.json").content
    assert client.get(f"{shown}/key.json").status_code == 422
    graded.place.parts.projections.refresh()  # a list may lag behind by seconds; what it shows may not
    listed = [row for row in client.get("/published").json() if row["credit_code"] == graded.code]
    assert [(row["level"], row["grade"]) for row in listed] == [("grade", shown)]
    assert graded.ask().json()["code"] == "grant-missing"  # a bank still needs its own
    take_back(graded.enterprise, grant)
    assert client.get(shown).status_code == 404
    assert graded.code not in client.get("/published").text


def test_grades_now_for_the_enterprise_and_the_operator_alone(graded: Graded) -> None:
    url = f"/organisations/{graded.party}/grades"
    client, own = graded.place.client, key_headers(graded.place, graded.enterprise, "enterprise")
    first = client.post(url, headers=own)
    assert first.status_code == 200, first.text
    assert first.json()["is_new"] is True
    again = client.post(url, headers=graded.place.headers("operator")).json()
    assert again["is_new"] is False
    assert again["grades"] == client.get(url, headers=graded.place.headers("regulator")).json()
    assert [row["grade"] for row in again["grades"]] == ["mid"]
    for headers, code in (
        (graded.bank_headers, "role-missing"),
        (graded.place.headers("regulator"), "role-missing"),
        (graded.place.headers("stranger"), "not-found"),
    ):
        assert client.post(url, headers=headers).json()["code"] == code
    assert client.get(url, headers=graded.bank_headers).json()["code"] == "role-missing"


def test_the_catalogue_shows_rule_and_mean_to_everybody(place: Any) -> None:
    packages = place.client.get("/catalogue/packages").json()
    rules = [row for row in packages if row["type"] == "grade_rule"]
    assert [row["id"] for row in rules] == [RULE]
    assert rules[0]["package_digest"] == service.find_rule(RULE).digest.hex()
    means = place.client.get("/catalogue/industry-means", params={"industry": "C33"}).json()
    assert [(row["value"], row["start"]) for row in means] == [("0.1", "2025-12-31T16:00:00Z")]
    refused = place.client.get("/catalogue/industry-means", params={"industry": "c33"})
    assert (refused.status_code, refused.json()["code"]) == (422, "request-invalid")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"industry": "31"}, "no industry"),
        ({"value": "0"}, "not above zero"),
        ({"value": "-1"}, "not above zero"),
        ({"value": "2,5"}, "plain decimal"),
        ({"source": " "}, "without unit or source"),
    ],
)
def test_refuses_an_industry_mean_that_cannot_be_compared_with(
    place: Any, change: dict[str, str], match: str
) -> None:
    made = {"industry": "C31", "value": "2.5", "unit": "t{CO2e}/(10*4.CNY)", "source": "statistics"}
    with pytest.raises(CarbonsealError, match=match):
        publish_mean(place.parts, period=YEAR, **(made | change))
