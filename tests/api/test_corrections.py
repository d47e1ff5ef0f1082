"""Corrections of readings: what cannot be corrected, rows that do not fit, acts cut off, how it is shown."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from evidence_makers import START_MS, data_size, file_bill, get, measure, post, register_size

from carbonseal_api.evidence.corrected_rows import corrected_body, read_rows
from carbonseal_api.evidence.correction_schemas import CorrectedReading
from carbonseal_api.evidence.errors import CorrectionUnfit
from carbonseal_attest.contents.readings import Sample, Series, read_series, readings_body
from carbonseal_attest.instants import format_instant

QUARTER = 900_000
INTERVAL = (START_MS, START_MS + 96 * QUARTER)


@pytest.fixture
def day(stated_site: Any) -> str:
    """A fresh day of readings, so that each test corrects its own."""
    stated_site.next_day = getattr(stated_site, "next_day", 4) + 1
    digest = measure(stated_site, "m-electricity1", stated_site.next_day)
    stated_site.parts.projections.refresh()
    return digest.hex()


def at(site: Any, quarter: int) -> str:
    return format_instant(START_MS + site.next_day * 96 * QUARTER + quarter * QUARTER)


def wish(
    digest: str, *readings: dict[str, Any], reason: str = "phase wired the wrong way round"
) -> dict[str, Any]:
    return {"readings_digest": digest, "reason": reason, "readings": list(readings)}


def reading(site: Any, quarter: int, value: str | None, **more: Any) -> dict[str, Any]:
    return {"point": "active", "at": at(site, quarter), "value": value} | more


def refused(site: Any, asked: dict[str, Any]) -> dict[str, Any]:
    sizes = data_size(site), register_size(site)
    answer = post(site, "corrections", asked)
    assert 400 <= answer.status_code < 500, answer.text
    assert (data_size(site), register_size(site)) == sizes, "something was signed"
    problem: dict[str, Any] = answer.json()
    assert problem["remedy"]
    return problem


def test_refuses_readings_of_somebody_else_like_readings_that_are_not(stated_site: Any, day: str) -> None:
    foreign = stated_site.host.entries(stated_site.admit("stranger").data_origin, 0, 1)[0].digest.hex()
    problems = [refused(stated_site, wish(one, reading(stated_site, 0, "1"))) for one in (foreign, "00" * 32)]
    assert {one["code"] for one in problems} == {"statement-unknown"}
    assert problems[0]["reason"] == problems[1]["reason"]


def test_refuses_a_statement_of_another_kind(stated_site: Any, day: str) -> None:
    bill = file_bill(stated_site, "not readings").json()["statement_digest"]
    problem = refused(stated_site, wish(bill, reading(stated_site, 0, "1")))
    assert (problem["code"], problem["reason"]) == ("correction-unfit", "is of kind document")


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"point": "reactive"}, "readings[0].point", "is not in the statement"),
        ({"unit": "MW.h"}, "readings[0].unit", "is not the unit or form"),
        ({"form": "register"}, "readings[0].unit", "is not the unit or form"),
        ({"at": "2026-01-03 08:15"}, "readings[0].at", "is not RFC 3339"),
        ({"at": "2026-01-03T08:15:00"}, "readings[0].at", "is not RFC 3339"),
        ({"at": "2020-01-01T00:00:00Z"}, "readings[0].at", "is not within"),
        ({"value": "1e3"}, "readings[0].value", "not a plain decimal"),
        ({"value": None, "quality": "good"}, "readings[0].quality", "there is no value"),
        ({"value": "10"}, "readings", "say what the statement says already"),
    ],
)
def test_refuses_rows_that_do_not_fit_the_statement(
    stated_site: Any, day: str, change: dict[str, Any], field: str, says: str
) -> None:
    problem = refused(stated_site, wish(day, reading(stated_site, 3, "12") | change))
    assert (problem["code"], problem["field"]) == ("correction-unfit", field)
    assert says in problem["reason"]


def test_refuses_the_same_reading_twice_and_one_that_leaves_the_interval(stated_site: Any, day: str) -> None:
    one = reading(stated_site, 3, "12")
    assert "stands twice" in refused(stated_site, wish(day, one, one | {"value": "13"}))["reason"]
    assert "is not within" in refused(stated_site, wish(day, reading(stated_site, 96, "12")))["reason"]


def test_correction_is_two_statements_and_the_readings_stay(stated_site: Any, day: str) -> None:
    sizes = data_size(stated_site), register_size(stated_site)
    answer = post(
        stated_site,
        "corrections",
        wish(day, reading(stated_site, 3, "12.25"), reading(stated_site, 4, None)),
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["meter"], made["changed"], made["role"]) == ("m-electricity1", 2, "operator")
    assert (data_size(stated_site), register_size(stated_site)) == (sizes[0] + 1, sizes[1] + 1)
    view = get(stated_site, f"statements/{made['corrected_digest']}").json()
    assert view["content"]["body"]["supersedes"] == day
    assert view["content"]["body"]["reason"] == "phase wired the wrong way round"
    (series,) = view["content"]["series"]
    shown = {sample["at"]: (sample["value"], sample["quality"]) for sample in series["samples"]}
    assert len(shown) == 96
    assert shown[at(stated_site, 3)] == ("12.25", "good")
    assert shown[at(stated_site, 4)] == (None, "bad")
    assert shown[at(stated_site, 5)] == ("10", "good")
    before = get(stated_site, f"statements/{day}").json()
    assert {sample["value"] for sample in before["content"]["series"][0]["samples"]} == {"10"}
    links = {(link["relation"], link["statement_digest"]) for link in before["links"]}
    assert links == {("replaced_by", made["corrected_digest"]), ("superseded_by", made["correction_digest"])}
    entry = stated_site.host.find(stated_site.origin, bytes.fromhex(made["corrected_digest"]))
    source = stated_site.host.find(stated_site.origin, bytes.fromhex(day))
    assert (entry.subject, entry.interval) == (source.subject, source.interval)
    (listed, *_) = get(stated_site, "corrections").json()
    assert (listed["supersedes"], listed["replacement"]) == (day, made["corrected_digest"])


def test_page_of_corrected_readings_shows_reason_values_and_what_they_replace(
    stated_site: Any, day: str
) -> None:
    asked = wish(day, reading(stated_site, 3, "12.125"), reason="<b>wrong</b> ratio")
    made = post(stated_site, "corrections", asked).json()
    client = stated_site.client
    assert client.post("/sign-in", data={"key": stated_site.keys["reader"]}).status_code == 303
    try:
        address = f"/pages/{stated_site.party}/statements"
        page = client.get(f"{address}/{made['corrected_digest']}?lang=en").text
        assert "corrected readings" in page
        assert "&lt;b&gt;wrong&lt;/b&gt; ratio" in page
        assert "12.125" in page
        assert f"{address}/{day}" in page
        assert f"{address}/{made['correction_digest']}" in page
        assert "replaced by" in client.get(f"{address}/{day}?lang=en").text
    finally:
        client.post("/sign-out")
        client.cookies.clear()


def test_refuses_a_second_correction_and_points_to_the_one_that_stands(stated_site: Any, day: str) -> None:
    first = post(stated_site, "corrections", wish(day, reading(stated_site, 3, "12"))).json()
    problem = refused(stated_site, wish(day, reading(stated_site, 3, "13")))
    assert problem["code"] == "corrected-already"
    assert first["correction_digest"] in problem["reason"]
    assert first["corrected_digest"] in problem["remedy"]
    second = post(stated_site, "corrections", wish(first["corrected_digest"], reading(stated_site, 3, "13")))
    assert second.status_code == 201, second.text
    view = get(stated_site, f"statements/{second.json()['corrected_digest']}").json()
    assert view["content"]["body"]["supersedes"] == first["corrected_digest"]
    again = refused(stated_site, wish(first["corrected_digest"], reading(stated_site, 3, "14")))
    assert again["code"] == "corrected-already"


def test_two_corrections_at_the_same_moment_leave_one(stated_site: Any, day: str) -> None:
    answers: list[Any] = []
    start = threading.Barrier(4)

    def one(value: int) -> None:
        start.wait()
        answers.append(post(stated_site, "corrections", wish(day, reading(stated_site, 3, str(value)))))

    threads = [threading.Thread(target=one, args=(value,)) for value in range(20, 24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def leave_dangling(site: Any, digest: str, value: str) -> str:
    """What a command leaves that ended between its two statements."""
    asked = CorrectedReading(point="active", at=at(site, 3), value=value)
    content = site.host.find(site.origin, bytes.fromhex(digest))
    samples = [Sample(content.interval[0] + i * QUARTER, Decimal(10)) for i in range(96)]
    before = readings_body([Series.of("active", "interval", "kW.h", samples, width_ms=QUARTER)])
    readings, _ = corrected_body(before, [asked], content.interval)
    body = {
        "supersedes": bytes.fromhex(digest),
        "reason": "phase wired the wrong way round",
        "readings": readings,
    }
    with site.parts.desks.desk(site.party) as desk:
        made = desk.issue(
            site.origin, "corrected_readings", body, subject="m-electricity1", interval=content.interval
        )
    return str(made.digest.hex())


def test_act_that_was_cut_off_is_finished_by_the_same_rows(stated_site: Any, day: str) -> None:
    dangling = leave_dangling(stated_site, day, "12")
    size = data_size(stated_site)
    made = post(stated_site, "corrections", wish(day, reading(stated_site, 3, "12"))).json()
    assert made["corrected_digest"] == dangling
    assert data_size(stated_site) == size


def test_act_that_was_cut_off_is_taken_out_by_other_rows(stated_site: Any, day: str) -> None:
    dangling = leave_dangling(stated_site, day, "12")
    problem = refused(stated_site, wish(dangling, reading(stated_site, 3, "13")))
    assert "no correction has put in force" in problem["reason"]
    made = post(stated_site, "corrections", wish(day, reading(stated_site, 3, "13"))).json()
    assert made["corrected_digest"] != dangling
    listed = {row["supersedes"]: row["replacement"] for row in get(stated_site, "corrections").json()}
    assert listed[day] == made["corrected_digest"]
    assert listed[dangling] is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "--file"),
        ("point,at,value\n", "--file"),
        ("point,at\nactive,2026-01-01T00:00:00Z\n", "line 1"),
        ("point,at,value,colour\nactive,2026-01-01T00:00:00Z,1,red\n", "line 1"),
        ("point,at,value,value\nactive,2026-01-01T00:00:00Z,1,2\n", "line 1"),
        ("point,at,value\nactive,2026-01-01T00:00:00Z\n", "line 2"),
        ("point,at,value\nactive,2026-01-01T00:00:00Z,1\n\nactive,2026-01-01T00:15:00Z,1,good\n", "line 4"),
        ('point,at,value\n"active,2026-01-01T00:00:00Z,1\n', "line"),
        ("point,at,value,quality\nactive,2026-01-01T00:00:00Z,1,perfect\n", "line 2.quality"),
    ],
)
def test_refuses_csv_by_its_line(text: str, place: str) -> None:
    with pytest.raises(CorrectionUnfit) as caught:
        read_rows(text.encode(), is_json=False)
    assert caught.value.field.startswith(place)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[1]",
        '{"readings": [], "more": 1}',
        '[{"point": "active", "at": "2026-01-01T00:00:00Z", "value": 1.5}]',
        '[{"point": "active", "at": "2026-01-01T00:00:00Z"}]',
        "[" * 5000,
    ],
)
def test_refuses_json_that_is_no_list_of_readings_with_decimals_as_text(text: str) -> None:
    with pytest.raises(CorrectionUnfit):
        read_rows(text.encode(), is_json=True)


def test_reads_csv_with_a_byte_order_mark_and_times_with_an_offset() -> None:
    rows_of = "active,2026-01-01T00:15:00+08:00,12.5,\nactive,2025-12-31T16:30:00Z,,\n"
    text = f"\ufeffpoint,at,value,quality\n{rows_of}"
    rows = read_rows(text.encode(), is_json=False)
    samples = [Sample(START_MS + i * QUARTER, Decimal(10)) for i in range(4)]
    body = readings_body([Series.of("active", "interval", "kW.h", samples, width_ms=QUARTER)])
    made, changed = corrected_body(body, rows, (START_MS, START_MS + 4 * QUARTER))
    (series,) = read_series(made)
    assert changed == 2
    assert [(sample.value, sample.quality) for sample in series.samples()][1:3] == [
        (12.5, "good"),
        (None, "bad"),
    ]


def test_missing_reading_is_added_in_its_place_and_of_two_at_one_time_one_is_left() -> None:
    times = [0, 1, 1, 3]
    samples = [Sample(START_MS + i * QUARTER, Decimal(n)) for n, i in enumerate(times)]
    body = readings_body([Series.of("active", "instant", "kW", samples)])
    rows = [
        CorrectedReading(point="active", at=format_instant(START_MS + i * QUARTER), value="7")
        for i in (1, 2, 5)
    ]
    made, changed = corrected_body(body, rows, INTERVAL)
    (series,) = read_series(made)
    assert [(s.at - START_MS) // QUARTER for s in series.samples()] == [0, 1, 2, 3, 5]
    assert [s.value for s in series.samples()] == [0, 7, 7, 3, 7]
    assert changed == 4


def test_point_with_two_series_needs_form_and_unit() -> None:
    samples = [Sample(START_MS, Decimal(1))]
    body = readings_body(
        [Series.of("active", "instant", "kW", samples), Series.of("active", "register", "kW.h", samples)]
    )
    row = CorrectedReading(point="active", at=format_instant(START_MS), value="2")
    with pytest.raises(CorrectionUnfit, match="has 2 series; name form and unit"):
        corrected_body(body, [row], INTERVAL)
    made, _ = corrected_body(body, [row.model_copy(update={"unit": "kW.h"})], INTERVAL)
    assert [next(series.samples()).value for series in read_series(made)] == [1, 2]
