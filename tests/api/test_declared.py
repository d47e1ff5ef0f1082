"""Declared amounts, downgrades, business figures and withdrawals: what is refused, and what stands then."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from evidence_makers import (
    FEBRUARY_MS,
    MARCH_MS,
    START_MS,
    data_size,
    file_bill,
    get,
    post,
    register_size,
)
from neighbours import admit, key_headers

from carbonseal_api.evidence.acts import require_document
from carbonseal_api.evidence.civil_periods import period_label, read_period
from carbonseal_api.evidence.errors import DocumentUnknown, MonthsNotWhole


@pytest.fixture(scope="module")
def bill(stated_site: Any) -> str:
    return str(file_bill(stated_site, "bill for declaring").json()["statement_digest"])


def wish(bill: str, **changes: Any) -> dict[str, Any]:
    made = {
        "period": "2026-01",
        "stream": "grid",
        "source": "bill",
        "value": "200.5",
        "unit": "MW.h",
        "document": bill,
    }
    return made | changes


def withdraw(site: Any, digest: str, reason: str = "wrong") -> Any:
    return post(site, "withdrawals", {"statement_digest": digest, "role": "operator", "reason": reason})


@pytest.mark.parametrize(
    ("changes", "code", "field", "says"),
    [
        ({"unit": "t"}, "unit-mismatch", "unit", "cannot be read as"),
        ({"unit": "kilowatts"}, "unit-unknown", "unit", "unknown unit"),
        ({"stream": "gas"}, "stream-unknown", "stream", "'gas' is not in plan p-works1"),
        ({"source": "laboratory"}, "source-unknown", "source", "lists no laboratory"),
        ({"value": "2e5"}, "quantity-invalid", "value", "not a plain decimal"),
        ({"value": "200,5"}, "quantity-invalid", "value", "not a plain decimal"),
        ({"value": "NaN"}, "quantity-invalid", "value", "not a plain decimal"),
        ({"value": "-1"}, "value-refused", "value", "below zero"),
        ({"document": "00" * 32}, "document-unknown", "document", "no document statement"),
        ({"period": "2026-13"}, "months-not-whole", "period", "no period of months"),
        ({"period": "January"}, "months-not-whole", "period", "no period of months"),
        ({"period": "2026-03"}, "months-not-whole", "period", "and it is"),
        ({"period": "2026-02..2026-01"}, "months-not-whole", "period", "no period of months"),
        (
            {"period": "2026-01-01T00:00:00Z/2026-02-01T00:00:00Z"},  # months of UTC, not of the plan's zone
            "months-not-whole",
            "period",
            "does not tile civil months in Asia/Shanghai",
        ),
        (
            {"period": "2026-01-14T16:00:00Z/2026-02-14T16:00:00Z"},
            "months-not-whole",
            "period",
            "does not tile civil months",
        ),
        ({"period": "2025-12"}, "plan-missing", "period", "no plan is in force"),
        ({"plan": "p-other"}, "plan-missing", "plan", "no plan 'p-other'"),
    ],
)
def test_refuses_declared_value_by_name_and_signs_nothing(
    stated_site: Any, bill: str, changes: dict[str, Any], code: str, field: str, says: str
) -> None:
    before = data_size(stated_site)
    answer = post(stated_site, "declared-activity", wish(bill, **changes))
    problem = answer.json()
    assert 400 <= answer.status_code < 500
    assert (problem["code"], problem["field"]) == (code, field)
    assert says in problem["reason"]
    assert problem["remedy"]
    assert data_size(stated_site) == before


@pytest.mark.parametrize("value", [200.5, 200, None, True, ""])
def test_takes_decimals_as_text_alone(stated_site: Any, bill: str, value: Any) -> None:
    answer = post(stated_site, "declared-activity", wish(bill, value=value))
    assert (answer.status_code, answer.json()["field"]) == (422, "body.value")


def test_refuses_a_statement_of_another_kind_as_document(stated_site: Any) -> None:
    readings = stated_site.readings["m-electricity1", 0].hex()
    answer = post(stated_site, "declared-activity", wish(readings))
    assert answer.json()["code"] == "document-unknown"


def test_refuses_document_of_somebody_else_like_one_that_nobody_filed(stated_site: Any) -> None:
    stranger = stated_site.admit("stranger")
    body = {
        "title": "foreign bill",
        "media_type": "application/pdf",
        "document_digest": b"\x07" * 32,
        "size": 9,
        "relates_to": [],
    }
    foreign = stranger.issue(stranger.data_origin, "document", body).digest.hex()
    stated_site.parts.projections.refresh()
    answers = [post(stated_site, "declared-activity", wish(one)).json() for one in (foreign, "01" * 32)]
    assert {one["code"] for one in answers} == {"document-unknown"}
    assert answers[0]["reason"].replace(foreign, "") == answers[1]["reason"].replace("01" * 32, "")


def test_refuses_document_that_was_registered_before_the_period_until_it_is_filed_again(
    stated_site: Any,
) -> None:
    parts, party = stated_site.parts, stated_site.party
    early = file_bill(stated_site, "contract for the year").json()["statement_digest"]
    begins = stated_site.clock.now + 1
    with pytest.raises(DocumentUnknown, match=r"before the period began.*relating it to that statement"):
        require_document(parts, party, bytes.fromhex(early), begins=begins)
    stated_site.clock.now = begins
    again = file_bill(stated_site, "contract for the year", relates_to=early).json()
    assert again["is_new"]
    require_document(parts, party, bytes.fromhex(again["statement_digest"]), begins=begins)


def test_declared_value_is_stated_once_and_anew_after_its_withdrawal(stated_site: Any, bill: str) -> None:
    asked = wish(bill, period="2026-01..2026-02", source="ledger", value="410.0")
    first = post(stated_site, "declared-activity", asked)
    assert first.status_code == 201, first.text
    made = first.json()
    assert (made["start"], made["end"]) == ("2025-12-31T16:00:00Z", "2026-02-28T16:00:00Z")
    assert made["quantity"] == {"value": "410.0", "unit": "MW.h"}
    assert made["plan_digest"] == stated_site.plan_two.hex()
    again = post(stated_site, "declared-activity", asked | {"value": "410"})
    assert (again.status_code, again.json()["statement_digest"]) == (200, made["statement_digest"])
    other = post(stated_site, "declared-activity", asked | {"value": "411"})
    assert (other.status_code, other.json()["code"]) == (409, "stated-already")
    assert made["statement_digest"] in other.json()["reason"]
    gone = withdraw(stated_site, made["statement_digest"])
    assert (gone.status_code, gone.json()["kind"]) == (201, "declared_activity")
    twice = withdraw(stated_site, made["statement_digest"])
    assert (twice.status_code, twice.json()["code"]) == (409, "withdrawn-already")
    assert gone.json()["withdrawal_digest"] in twice.json()["reason"]
    anew = post(stated_site, "declared-activity", asked | {"value": "411"})
    assert anew.status_code == 201
    listed = {row["statement_digest"]: row for row in get(stated_site, "declared-activity").json()}
    assert listed[made["statement_digest"]]["withdrawn_by"] == gone.json()["withdrawal_digest"]
    assert listed[anew.json()["statement_digest"]]["withdrawn_by"] is None
    assert listed[anew.json()["statement_digest"]]["period"] == "2026-01..2026-02"
    assert gone.json()["withdrawal_digest"] in {
        row["withdrawal_digest"] for row in get(stated_site, "withdrawals").json()
    }


def test_list_of_stated_values_comes_in_pages_newest_first(stated_site: Any) -> None:
    for year in ("2019", "2020", "2021"):
        asked = {"record": "revenue", "period": year, "value": "1", "unit": "CNY", "source": "accounts"}
        assert post(stated_site, "business-records", asked).status_code == 201
    first = get(stated_site, "business-records", limit=2)
    assert [row["period"] for row in first.json()] == ["2021", "2020"]
    following = first.headers["link"].partition("<")[2].partition(">")[0]
    second = stated_site.client.get(following, headers=stated_site.headers())
    assert second.json()[0]["period"] == "2019"


def test_declared_value_is_about_the_installation_over_its_months(stated_site: Any, bill: str) -> None:
    made = post(stated_site, "declared-activity", wish(bill)).json()
    entry = stated_site.host.find(stated_site.origin, bytes.fromhex(made["statement_digest"]))
    assert (entry.subject, entry.interval) == ("i-works1", (START_MS, FEBRUARY_MS))


def test_two_different_values_at_the_same_moment_leave_one(stated_site: Any, bill: str) -> None:
    answers: list[Any] = []
    start = threading.Barrier(4)

    def one(value: int) -> None:
        start.wait()
        asked = wish(bill, period="2026-01..2026-02", value=str(value))
        answers.append(post(stated_site, "declared-activity", asked))

    threads = [threading.Thread(target=one, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def downgrade_wish(**changes: Any) -> dict[str, Any]:
    made = {"period": "2026-01", "stream": "grid", "from": "meter", "to": "bill", "reason": "meter replaced"}
    return made | changes


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"to": "laboratory"}, "source-unknown", "to"),
        ({"from": "laboratory"}, "source-unknown", "from"),
        ({"from": "bill", "to": "meter"}, "source-unknown", "to"),
        ({"from": "meter", "to": "meter"}, "source-unknown", "to"),
        ({"from": "bill", "to": "ledger"}, "source-unknown", "from"),
        ({"stream": "gas"}, "stream-unknown", "stream"),
        ({"period": "2026-01..2026-02"}, "months-not-whole", "period"),
        ({"period": "2026"}, "months-not-whole", "period"),
        ({"period": "2026-04"}, "months-not-whole", "period"),
        ({"period": "2026-03"}, "downgrade-idle", "to"),
        ({"reason": " "}, "request-invalid", "reason"),
        ({"reason": "a\u202eb"}, "request-invalid", "reason"),
    ],
)
def test_refuses_downgrade_that_would_not_count_and_signs_nothing(
    stated_site: Any, changes: dict[str, Any], code: str, field: str
) -> None:
    before = data_size(stated_site)
    answer = post(stated_site, "downgrades", downgrade_wish(**changes))
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, code, field)
    assert problem["remedy"]
    assert data_size(stated_site) == before


def test_downgrade_leads_on_from_source_to_source_and_is_taken_back_from_its_end(
    stated_site: Any, bill: str
) -> None:
    billed = post(stated_site, "declared-activity", wish(bill)).json()
    ledger = post(stated_site, "declared-activity", wish(bill, source="ledger", value="7.4"))
    first = post(stated_site, "downgrades", downgrade_wish())
    assert first.status_code == 201, first.text
    assert (first.json()["from"], first.json()["to"], first.json()["period"]) == ("meter", "bill", "2026-01")
    again = post(stated_site, "downgrades", downgrade_wish())
    assert (again.status_code, again.json()["statement_digest"]) == (200, first.json()["statement_digest"])
    second = post(stated_site, "downgrades", downgrade_wish(**{"from": "bill", "to": "ledger"}))
    if ledger.status_code != 201:  # another test may have stated the ledger's January before
        assert ledger.json()["code"] == "stated-already"
    assert second.status_code == 201, second.text
    for resting in (billed["statement_digest"], first.json()["statement_digest"]):
        refused = withdraw(stated_site, resting)
        assert (refused.status_code, refused.json()["code"]) == (422, "withdrawal-refused")
        assert "rests on it" in refused.json()["reason"]
    for done in (second, first):
        assert withdraw(stated_site, done.json()["statement_digest"]).status_code == 201
    listed = get(stated_site, "downgrades").json()
    assert all(row["withdrawn_by"] for row in listed)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unit": "USD"}, "unit-unknown"),
        ({"unit": "MW.h"}, "unit-unknown"),
        ({"record": "output", "unit": "CNY"}, "unit-unknown"),
        ({"record": "revenue", "value": "-1"}, "value-refused"),
        ({"record": "profit"}, "request-invalid"),
        ({"period": "2026-01-15"}, "months-not-whole"),
        ({"period": "2026"}, "months-not-whole"),
        ({"document": "00" * 32}, "document-unknown"),
        ({"source": "\u200b"}, "request-invalid"),
    ],
)
def test_refuses_business_figure_by_name(stated_site: Any, changes: dict[str, Any], code: str) -> None:
    made = {"record": "value_added", "period": "2025", "value": "3", "unit": "10*4.CNY", "source": "accounts"}
    answer = post(stated_site, "business-records", made | changes)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code


def test_business_figure_may_be_negative_and_is_older_than_any_plan(stated_site: Any) -> None:
    asked = {
        "record": "value_added",
        "period": "2024",
        "value": "-12.5",
        "unit": "万元",
        "source": "accounts",
    }
    made = post(stated_site, "business-records", asked)
    assert made.status_code == 201, made.text
    assert made.json()["quantity"] == {"value": "-12.5", "unit": "10*4.CNY"}
    assert (made.json()["period"], made.json()["start"]) == ("2024", "2023-12-31T16:00:00Z")
    other = post(stated_site, "business-records", asked | {"value": "13"})
    assert (other.status_code, other.json()["code"]) == (409, "stated-already")
    output = asked | {"record": "output", "value": "500", "unit": "t"}
    assert post(stated_site, "business-records", output).status_code == 201
    assert {row["record"] for row in get(stated_site, "business-records").json()} >= {"value_added", "output"}


@pytest.mark.parametrize(
    ("what", "code"),
    [("readings", "withdrawal-refused"), ("plan", "withdrawal-refused"), ("nobody's", "statement-unknown")],
)
def test_refuses_to_take_back_what_is_not_taken_back(stated_site: Any, what: str, code: str) -> None:
    digest = {
        "readings": stated_site.readings["m-electricity1", 0].hex(),
        "plan": stated_site.plan_two.hex(),
        "nobody's": "00" * 32,
    }[what]
    before = register_size(stated_site)
    answer = withdraw(stated_site, digest)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert register_size(stated_site) == before


def test_refuses_to_take_back_somebody_else_s_statement_without_telling_that_it_exists(
    stated_site: Any,
) -> None:
    foreign = stated_site.host.entries(stated_site.admit("stranger").data_origin, 0, 1)[0].digest.hex()
    known, unknown = (withdraw(stated_site, one).json() for one in (foreign, "00" * 32))
    assert (known["code"], known["reason"]) == (unknown["code"], unknown["reason"])


def test_calibration_is_taken_back_and_says_by_what(stated_site: Any) -> None:
    (entry, *_) = stated_site.host.select(stated_site.cast.enterprise.register_origin, kinds={"calibration"})
    gone = withdraw(stated_site, entry.digest.hex(), "certificate was of another meter")
    assert (gone.status_code, gone.json()["kind"]) == (201, "calibration")
    links = get(stated_site, f"statements/{entry.digest.hex()}").json()["links"]
    assert {
        "relation": "withdrawn_by",
        "kind": "withdrawal",
        "statement_digest": gone.json()["withdrawal_digest"],
    } in links


def test_grant_is_taken_back_like_any_statement_and_lets_nobody_in_any_more(stated_site: Any) -> None:
    body = admit(stated_site, "verification_body")
    headers = key_headers(stated_site, body, "verification_body")
    span = {"start": START_MS, "end": MARCH_MS}
    grant = {"grant": "gr-taken-back", "to": body.facts.code, "purpose": "verification", "level": "evidence"}
    with stated_site.parts.desks.desk(stated_site.party) as desk:
        register = stated_site.cast.enterprise.register_origin
        valid = {"start": START_MS, "end": 2 * MARCH_MS}
        given = desk.issue(register, "grant", grant | {"period": span, "valid": valid})
    address = f"/organisations/{stated_site.party}/corrections"
    assert stated_site.client.get(address, headers=headers).status_code == 200
    assert withdraw(stated_site, given.digest.hex()).json()["kind"] == "grant"
    refused = stated_site.client.get(address, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "grant-withdrawn")


@pytest.mark.parametrize("text", ["2026-01", "2026", "2026-01..2026-03", "2025-11..2026-02"])
def test_period_reads_back_as_it_is_shown(text: str) -> None:
    assert period_label(read_period(text, "Asia/Shanghai"), "Asia/Shanghai") == text


@pytest.mark.parametrize(
    "text",
    ["", "..", "2026-00", "2026-1", "0000", "9999-12", "2026-01..", "2026-01-01", "2026-01/2026-02", "T/T"],
)
def test_what_is_no_period_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(MonthsNotWhole, match="write 2026-01"):
        read_period(text, "Asia/Shanghai")


def test_month_of_a_clock_change_is_whole() -> None:
    start, end = read_period("2026-03", "Europe/Amsterdam")
    assert (end - start) % 86_400_000 == 23 * 3_600_000
    assert (start, end) != (FEBRUARY_MS, MARCH_MS)
