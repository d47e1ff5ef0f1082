"""Who did what, when: everything of and about an organisation, filtered, paged, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from history import METERS, History
from neighbours import admit, key_headers

from carbonseal_api.activity.csv_export import safe_cell
from carbonseal_api.impacts.service import travel

START_MS = 1_767_196_800_000


@pytest.fixture(scope="module")
def lived(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two days measured, reported, opined on, graded and recorded; then a reading is corrected."""
    with open_site(database_url, "activity", tmp_path_factory.mktemp("activity")) as site:
        history = History(site, START_MS)
        history.measure(0, 2)
        filed = history.file(0, 2)
        opinion = history.opine(filed)
        history.grade(filed, opinion)
        history.asset(opinion)
        _, correction = history.correct(history.readings[0, METERS[0]])
        travel(site.parts, site.clock())
        site.host.build_epoch()
        regulator = key_headers(site, admit(site, "regulator"), "regulator")
        stranger = admit(site, "enterprise")
        yield SimpleNamespace(
            site=site,
            party=site.party,
            filed=filed,
            correction=correction,
            regulator=regulator,
            strange=key_headers(site, stranger, "enterprise"),
            body=site.cast.verification_body.facts.code,
            host=site.cast.log_host.facts.code,
        )


def get(lived: Any, headers: dict[str, str] | None = None, **query: Any) -> Any:
    path = f"/organisations/{lived.party}/activity"
    return lived.site.client.get(path, headers=headers or lived.site.headers(), params=query)


def test_a_stranger_cannot_see_what_an_organisation_did(lived: Any) -> None:
    foreign = get(lived, lived.strange)
    missing = lived.site.client.get("/organisations/e-nobody/activity", headers=lived.strange)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json()["detail"] == missing.json()["detail"]


def test_lists_statements_by_the_organisation_and_about_it_newest_first(lived: Any) -> None:
    answer = get(lived, limit=1000).json()
    deeds = answer["deeds"]
    by_kind = {deed["kind"]: deed for deed in deeds}
    assert {
        "asset_act",
        "calibration",
        "correction",
        "corrected_readings",
        "device",
        "emissions_report",
        "genesis",
        "grade",
        "impact",
        "monitoring_plan",
        "party",
        "quality_code",
        "readings",
        "verification_report",
    } <= by_kind.keys()
    assert [deed["at"] for deed in deeds] == sorted((deed["at"] for deed in deeds), reverse=True)
    assert by_kind["readings"]["signer_class"] == "gateway"
    assert by_kind["readings"]["issuer"] == lived.party
    assert by_kind["emissions_report"]["signer_class"] == "party"
    assert by_kind["verification_report"]["by"] == lived.body
    assert by_kind["impact"]["by"] == lived.host
    assert by_kind["emissions_report"]["receipt_state"] == "logged"
    assert "tick" not in by_kind
    assert answer["left_out"] == ["tick"]
    statements = [deed for deed in deeds if deed["source"] == "statement"]
    own = [
        entry
        for log in (lived.site.origin, lived.site.cast.enterprise.register_origin)
        for entry in lived.site.host.select(log)
        if entry.kind != "tick"
    ]
    mine = {deed["statement_digest"] for deed in statements if deed["by"] == lived.party}
    assert mine == {entry.digest.hex() for entry in own}


def test_the_looks_of_others_and_the_accounts_stand_among_the_deeds(lived: Any) -> None:
    assert get(lived, lived.regulator).status_code == 200
    deeds = get(lived, kind="access").json()["deeds"]
    assert deeds[0]["source"] == "access"
    assert deeds[0]["subject"] == f"/organisations/{lived.party}/activity"
    assert "supervision" in deeds[0]["detail"]
    accounts = get(lived, kind="key_given").json()["deeds"]
    assert {deed["source"] for deed in accounts} == {"account"}
    assert all(key.split("_", 2)[2] not in str(accounts) for key in lived.site.keys.values())


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ({"kind": ["readings", "gap"]}, {"readings"}),
        ({"kind": "emissions_report"}, {"emissions_report"}),
        ({"subject": METERS[0], "kind": "readings"}, {"readings"}),
    ],
)
def test_filters_by_kind_and_subject(lived: Any, query: dict[str, Any], kinds: set[str]) -> None:
    deeds = get(lived, **query).json()["deeds"]
    assert {deed["kind"] for deed in deeds} == kinds
    if "subject" in query:
        assert {deed["subject"] for deed in deeds} == {METERS[0]}


def test_filters_by_party_and_by_a_half_open_time(lived: Any) -> None:
    others = get(lived, party=lived.body).json()["deeds"]
    assert {deed["kind"] for deed in others} == {"verification_report"}
    at = others[0]["at"]
    inside = get(lived, **{"kind": "verification_report", "from": at}).json()["deeds"]
    assert len(inside) == 1
    assert get(lived, kind="verification_report", until=at).json()["deeds"] == []


def test_refuses_an_unknown_kind_a_bad_time_and_a_bad_cursor(lived: Any) -> None:
    for query in (
        {"kind": "nothing"},
        {"from": "yesterday"},
        {"cursor": "x"},
        {"cursor": "1.x"},
        {"limit": 0},
        {"party": "\x00"},
        {"subject": "x"},
    ):
        answer = get(lived, **query)
        assert answer.status_code in {400, 422}, query
        assert answer.json()["remedy"]


@pytest.mark.parametrize("size", [1, 7])
def test_pages_fit_together_even_where_many_deeds_share_an_instant(lived: Any, size: int) -> None:
    whole = [deed for deed in get(lived, limit=1000).json()["deeds"] if deed["source"] == "statement"]
    wanted = ["readings", "genesis", "party", "calibration", "device", "document", "grade", "impact"]
    expected = [deed["statement_digest"] for deed in whole if deed["kind"] in wanted]
    found: list[str] = []
    cursor = None
    while True:
        query = {"kind": wanted, "limit": size} | ({} if cursor is None else {"cursor": cursor})
        answer = get(lived, **query)
        page = answer.json()
        assert len(page["deeds"]) <= size
        found += [deed["statement_digest"] for deed in page["deeds"]]
        cursor = page["next"]
        assert ("link" in answer.headers) == (cursor is not None)
        if cursor is None:
            break
    assert found == expected


def test_csv_is_what_a_spreadsheet_reads_and_evaluates_nothing(lived: Any) -> None:
    parts = lived.site.parts
    key = parts.keys.issue(lived.party, ["reader"], '=HYPERLINK("http://x")')
    answer = get(lived, {**lived.site.headers(), "Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content.startswith(b"\xef\xbb\xbfat,source,kind,")
    assert answer.content.count(b"\r\n") >= 2
    assert b"\n" not in answer.content.replace(b"\r\n", b"")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    listed = get(lived, limit=1000).json()["deeds"]
    assert [row["statement_digest"] for row in rows][: len(listed)] == [
        deed["statement_digest"] or "" for deed in listed
    ]
    assert any("HYPERLINK" in row["detail"] for row in rows)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    assert key.split("_", 2)[2] not in answer.text


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        (" =1", "' =1"),
        ("plain", "plain"),
        (None, ""),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_cell_that_would_be_a_formula_is_written_as_text(cell: str | None, written: str) -> None:
    assert safe_cell(cell) == written


def test_the_page_filters_and_exports_under_a_strict_policy(lived: Any) -> None:
    client = lived.site.client
    client.cookies.clear()
    assert client.post("/sign-in", data={"key": lived.site.keys["reader"]}).status_code == 303
    path = f"/pages/{lived.party}/activity"
    english = client.get(path, params={"lang": "en", "kind": "correction"})
    assert english.status_code == 200, english.text[:1000]
    assert lived.correction.digest.hex() in english.text
    assert "emissions report" in english.text
    assert "<script" not in english.text
    assert " style=" not in english.text
    assert "谁在何时做了什么" in client.get(path, params={"lang": "zh"}).text
    exported = client.get(path, params={"format": "csv", "kind": "correction"})
    assert exported.headers["content-disposition"].startswith("attachment")
    assert exported.text.count("\r\n") == 2
    assert client.get(path, params={"since": "x"}).status_code == 422
    assert client.get("/pages/e-nobody/activity").status_code == 404
    client.cookies.clear()


def test_the_impacts_of_an_organisation_are_listed_with_reason_and_cure(lived: Any) -> None:
    path = f"/organisations/{lived.party}/impacts"
    answer = lived.site.client.get(path, headers=lived.site.headers())
    assert answer.status_code == 200
    (one,) = answer.json()
    assert (one["cause"], one["is_open"]) == ("readings_corrected", True)
    assert one["cause_digest"] == lived.correction.digest.hex()
    assert {row["kind"] for row in one["affected"]} >= {"emissions_report", "grade", "asset"}
    assert all(one[key][lang] for key in ("reason", "cure") for lang in ("zh", "en"))
    assert lived.site.client.get(path, headers=lived.strange).status_code == 404
    client = lived.site.client
    client.cookies.clear()
    assert client.post("/sign-in", data={"key": lived.site.keys["reader"]}).status_code == 303
    for lang, said in (("en", "What cures it"), ("zh", "如何消除")):
        shown = client.get(f"/pages/{lived.party}/impacts", params={"lang": lang})
        assert shown.status_code == 200, shown.text[:1000]
        assert said in shown.text
        assert one["impact"] in shown.text
    client.cookies.clear()
