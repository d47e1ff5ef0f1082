"""Every query by another party is recorded before it is answered, and shown to the owner alone."""

from __future__ import annotations

from typing import Any

import pytest
from neighbours import (
    YEAR,
    admit,
    credit_code,
    issue_grant,
    issue_report,
    key_headers,
    take_back,
)
from sqlalchemy import text

from carbonseal_api.access_records import service as access_records
from carbonseal_api.authentication import Principal
from carbonseal_api.grades import service as grades
from carbonseal_api.grants import service as grants
from carbonseal_api.grants.refusals import GrantMissing
from carbonseal_api.paging import write_cursor
from carbonseal_api.web import sessions
from carbonseal_attest.instants import format_instant

CODE = credit_code(1)
STRANGE: tuple[Any, ...] = (("x",), (1, 2), (0,), (-1,), (2**64,))  # cursors that no page gave out


@pytest.fixture(scope="module")
def place(market: Any) -> Any:
    return market


@pytest.fixture(scope="module")
def owner(place: Any) -> Any:
    member = admit(place, "enterprise", org=CODE)
    issue_report(member)
    assert grades.regrade(place.parts, member.facts.code, at=place.clock())
    return member


@pytest.fixture
def bank(place: Any) -> tuple[Any, dict[str, str]]:
    member = admit(place, "bank")
    return member, key_headers(place, member, "bank")


def seen(place: Any, owner: Any, **params: Any) -> Any:
    url = f"/organisations/{owner.facts.code}/access-records"
    return place.client.get(url, params=params, headers=key_headers(place, owner, "enterprise"))


def of(place: Any, owner: Any, party: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = seen(place, owner, limit=200).json()
    return [row for row in rows if row["party"] == party]


def rows_with(place: Any, column: str, value: str) -> list[Any]:
    with place.parts.engine.connect() as connection:
        query = text(f"SELECT * FROM api_access_records WHERE {column} = :value ORDER BY record_id")
        return list(connection.execute(query, {"value": value}).mappings())


def test_answered_and_refused_queries_stand_beside_each_other_with_grant_and_client(
    place: Any, owner: Any, bank: Any
) -> None:
    member, headers = bank
    url = f"/grades/{CODE}"
    assert place.client.get(url, headers=headers).status_code == 403
    grant = issue_grant(place, owner, member.facts.code)
    assert place.client.get(url, params={"as_of": "2027-03-01"}, headers=headers).status_code == 200
    assert place.client.get(f"{url}/input.json", headers=headers).status_code == 200
    take_back(owner, grant)
    assert place.client.get(url, headers=headers).status_code == 403

    rows = of(place, owner, member.facts.code)[::-1]
    assert [(row["outcome"], row["refusal"]) for row in rows] == [
        ("refused", "grant-missing"),
        ("answered", None),
        ("answered", None),
        ("refused", "grant-withdrawn"),
    ]
    assert [row["grant_digest"] for row in rows] == [None, grant.hex(), grant.hex(), None]
    assert {row["purpose"] for row in rows} == {"loan"}
    client = place.parts.keys.authenticate(headers["Authorization"]).key_id
    assert {row["client"] for row in rows} == {client}
    at = format_instant(place.clock())
    assert rows[2]["resource"] == f"/grades/{CODE}/input.json?as_of={at}&rule={grades.DEFAULT_RULE}"
    assert rows[0]["recorded_at"] == at
    secret = headers["Authorization"].rsplit("_", 1)[1]
    assert secret not in seen(place, owner, limit=200).text


def test_regulator_and_operator_are_recorded_and_the_owner_itself_is_not(place: Any, owner: Any) -> None:
    before = len(rows_with(place, "owner", owner.facts.code))
    url = f"/grades/{CODE}"
    place.client.get(url, headers=key_headers(place, owner, "enterprise"))
    assert len(rows_with(place, "owner", owner.facts.code)) == before
    for role, purpose in (("regulator", "supervision"), ("operator", "operation")):
        assert place.client.get(url, headers=place.headers(role)).status_code == 200
        row = rows_with(place, "owner", owner.facts.code)[-1]
        assert (row["purpose"], row["outcome"], row["party"]) == (purpose, "answered", place.party_of(role))


@pytest.mark.parametrize("what", ["devices", "meters", "plans", "inventories", "codes"])
@pytest.mark.parametrize("role", ["regulator", "operator"])
def test_a_look_by_supervision_at_what_was_measured_is_recorded(
    place: Any, owner: Any, role: str, what: str
) -> None:
    path = f"/organisations/{owner.facts.code}/{what}"
    assert place.client.get(path, headers=place.headers(role)).status_code == 200
    (row, *_) = of(place, owner, place.party_of(role))
    assert (row["resource"], row["outcome"]) == (path, "answered")
    before = len(seen(place, owner, limit=200).json())
    assert place.client.get(path, headers=key_headers(place, owner, "enterprise")).status_code == 200
    assert len(seen(place, owner, limit=200).json()) == before


def test_a_page_that_supervision_looks_at_is_recorded_once(place: Any, owner: Any) -> None:
    regulator, code = place.headers("regulator"), owner.facts.code
    principal = place.parts.keys.authenticate(regulator["Authorization"])
    before = len(of(place, owner, principal.party))
    place.client.cookies.set(sessions.COOKIE, sessions.open_session(place.parts, principal))
    answer = place.client.get(f"/pages/{code}")
    place.client.cookies.clear()
    assert answer.status_code == 200
    (row, *_) = rows = of(place, owner, principal.party)
    assert (row["resource"], row["purpose"]) == (f"/pages/{code}", "supervision")
    assert len(rows) == before + 1


def test_what_names_nobody_is_recorded_without_an_owner(place: Any, bank: Any) -> None:
    member, headers = bank
    place.client.get(f"/grades/{credit_code(2)}", headers=headers)
    rows = rows_with(place, "party", member.facts.code)
    assert [(row["owner"], row["refusal"]) for row in rows] == [(None, "grant-missing")]


@pytest.mark.parametrize("as_granted", [True, False])
def test_what_cannot_be_recorded_is_not_answered(place: Any, owner: Any, bank: Any, as_granted: Any) -> None:
    member, headers = bank
    if as_granted:
        issue_grant(place, owner, member.facts.code)
    with place.parts.engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_access_records RENAME TO set_aside"))
    try:
        answer = place.client.get(f"/grades/{CODE}", headers=headers)
    finally:
        with place.parts.engine.begin() as connection:
            connection.execute(text("ALTER TABLE set_aside RENAME TO api_access_records"))
    assert answer.status_code >= 500
    assert "grade" not in answer.json()
    assert of(place, owner, member.facts.code) == []


def test_other_domains_record_with_the_decision_itself(place: Any, owner: Any, bank: Any) -> None:
    member, _ = bank
    party = owner.facts.code
    who = Principal("k-client", member.facts.code, frozenset({"bank"}), frozenset({"regulator"}))
    asked = {"action": "lineage", "resource": "/lineage/abc"}
    with pytest.raises(GrantMissing, match="no grant lets"):
        grants.require_access(place.parts, who, party, "evidence", YEAR, **asked)
    issue_grant(place, owner, member.facts.code, level="evidence")
    assert grants.require_access(place.parts, who, party, "evidence", YEAR, **asked)
    assert grants.require_access(place.parts, who, party, "grade")  # unrecorded: no resource was named
    rows = of(place, owner, member.facts.code)
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("lineage", "answered"),
        ("lineage", "refused"),
    ]


def test_pages_through_the_records_newest_first(place: Any, owner: Any, bank: Any) -> None:
    for _ in range(5):
        place.client.get(f"/grades/{CODE}", headers=bank[1])
    whole = seen(place, owner, limit=200).json()
    found: list[Any] = []
    answer = seen(place, owner, limit=2)
    while True:
        found += answer.json()
        assert len(answer.json()) <= 2
        if "Link" not in answer.headers:
            break
        path = answer.headers["Link"].removeprefix("<").split(">")[0]
        answer = place.client.get(path, headers=key_headers(place, owner, "enterprise"))
    assert found == whole
    assert len(found) >= 5


def test_lists_what_was_recorded_within_a_half_open_time(place: Any, owner: Any, bank: Any) -> None:
    place.clock.now += 10
    start = place.clock()
    for _ in range(3):
        place.client.get(f"/grades/{CODE}", headers=bank[1])
        place.clock.now += 1
    found = access_records.list_for(place.parts, owner.facts.code, since=start, until=start + 2)
    assert [row["recorded_at"] for row in found] == [start + 1, start]
    older = access_records.list_for(place.parts, owner.facts.code, since=start, after=found[0]["record_id"])
    assert [row["recorded_at"] for row in older] == [start]


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 201}, {"cursor": "x"}, *({"cursor": write_cursor(key)} for key in STRANGE)],
)
def test_refuses_a_page_that_there_is_not(place: Any, owner: Any, params: dict[str, Any]) -> None:
    answer = seen(place, owner, **params)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_nobody_but_the_owner_and_supervision_sees_them(place: Any, owner: Any, bank: Any) -> None:
    url = f"/organisations/{owner.facts.code}/access-records"
    assert place.client.get(url, headers=bank[1]).json()["code"] == "role-missing"
    assert place.client.get(url, headers=place.headers("stranger")).json()["code"] == "not-found"
    assert place.client.get(url, headers=place.headers("regulator")).status_code == 200


def test_a_long_path_is_kept_short(place: Any, owner: Any, bank: Any) -> None:
    who = Principal("k-client", bank[0].facts.code, frozenset({"bank"}))
    access_records.record(
        place.parts, who, owner=owner.facts.code, action="read", resource="/" + "x" * 5000, purpose="loan"
    )
    assert len(of(place, owner, bank[0].facts.code)[0]["resource"]) == 300
