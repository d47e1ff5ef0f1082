"""What a grant lets through, decided from the owner's log at each call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from neighbours import admit, credit_code, key_headers, readmit
from sqlalchemy import text

from carbonseal_api.authentication import Principal
from carbonseal_api.founding import seal
from carbonseal_api.grants import queries, service
from carbonseal_api.grants.refusals import GrantExpired, GrantInvalid, GrantMissing, GrantWithdrawn
from carbonseal_api.problems import NotFound
from carbonseal_attest.contents.disclosing import LEVELS
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Submission

YEAR = (1_767_196_800_000, 1_798_732_800_000)  # 2026 in Shanghai
HOUR = 3_600_000


@pytest.fixture(scope="module")
def place(open_site: Any, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_site(database_url, "grants", tmp_path_factory.mktemp("grants")) as site:
        yield site


@pytest.fixture(scope="module")
def bank(place: Any) -> Any:
    return admit(place, "bank", org=credit_code(7))


def body(place: Any, to: str, **changes: Any) -> dict[str, Any]:
    now = place.clock()
    made = {
        "to": to,
        "purpose": "loan",
        "level": "grade",
        "period": {"start": YEAR[0], "end": YEAR[1]},
        "valid": {"start": now, "end": now + HOUR},
    }
    return made | changes


def issue(place: Any, kind: str, made: dict[str, Any]) -> SignedStatement:
    with place.parts.desks.desk(place.party) as desk:
        return desk.issue(place.cast.enterprise.register_origin, kind, made)


def stands(place: Any, grantee: str, **changes: Any) -> Any:
    asked = {"level": "grade", "period": None, "at": place.clock(), "purposes": {"loan"}} | changes
    return service.standing(place.parts, grantee=grantee, owner=place.party, **asked)


@pytest.fixture
def fresh_bank(place: Any) -> Any:
    """A bank that nobody gave anything yet."""
    return admit(place, "bank")


def test_another_banks_grant_lets_nobody_else_in(place: Any, bank: Any, fresh_bank: Any) -> None:
    service.give(place.parts, place.party, body(place, bank.facts.code))
    assert stands(place, bank.facts.code).to == bank.facts.code
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code)


def test_a_grant_given_by_another_enterprise_says_nothing_about_this_one(place: Any, fresh_bank: Any) -> None:
    other = admit(place, "enterprise")
    made = body(place, fresh_bank.facts.code) | {"grant": "gr-forged"}
    other.issue(other.register_origin, "grant", made)
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code)


@pytest.mark.parametrize(
    ("grant", "asked"),
    [
        ({}, {"period": (YEAR[0] - 1, YEAR[1])}),
        ({}, {"period": (YEAR[0], YEAR[1] + 1)}),
        ({}, {"level": "report"}),
        ({"level": "report"}, {"level": "evidence"}),
        ({"purpose": "disclosure"}, {}),
    ],
    ids=["starts earlier", "ends later", "higher level", "highest level", "another purpose"],
)
def test_refuses_what_reaches_beyond_the_grant(
    place: Any, fresh_bank: Any, grant: dict[str, Any], asked: dict[str, Any]
) -> None:
    service.give(place.parts, place.party, body(place, fresh_bank.facts.code, **grant))
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code, **asked)


@pytest.mark.parametrize("asked", LEVELS)
def test_the_highest_level_includes_every_lower_one(place: Any, fresh_bank: Any, asked: str) -> None:
    service.give(place.parts, place.party, body(place, fresh_bank.facts.code, level="evidence"))
    assert stands(place, fresh_bank.facts.code, level=asked, period=YEAR).level == "evidence"


def test_expires_with_its_last_millisecond(place: Any, fresh_bank: Any) -> None:
    given = body(place, fresh_bank.facts.code)
    service.give(place.parts, place.party, given)
    assert stands(place, fresh_bank.facts.code, at=given["valid"]["end"] - 1)
    with pytest.raises(GrantExpired, match="expired on"):
        stands(place, fresh_bank.facts.code, at=given["valid"]["end"])


def test_does_not_stand_before_its_first_millisecond(place: Any, fresh_bank: Any) -> None:
    start = place.clock() + 1000
    valid = {"start": start, "end": start + HOUR}
    service.give(place.parts, place.party, body(place, fresh_bank.facts.code, valid=valid))
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code, at=start - 1)
    assert stands(place, fresh_bank.facts.code, at=start)


def test_withdrawn_between_two_calls_refuses_the_second(place: Any, fresh_bank: Any) -> None:
    digest = service.give(place.parts, place.party, body(place, fresh_bank.facts.code)).digest
    assert stands(place, fresh_bank.facts.code)
    first = service.withdraw(place.parts, place.party, digest, "the loan is repaid")
    with pytest.raises(GrantWithdrawn, match="was withdrawn on"):
        stands(place, fresh_bank.facts.code)
    again = service.withdraw(place.parts, place.party, digest, "once more")
    assert again.digest == first.digest


def test_a_newer_grant_stands_where_the_older_was_withdrawn(place: Any, fresh_bank: Any) -> None:
    digest = service.give(place.parts, place.party, body(place, fresh_bank.facts.code)).digest
    service.withdraw(place.parts, place.party, digest, "wrong level")
    newer = service.give(place.parts, place.party, body(place, fresh_bank.facts.code))
    assert stands(place, fresh_bank.facts.code).digest == newer.digest


def test_a_correction_ends_the_grant_that_it_supersedes(place: Any, fresh_bank: Any) -> None:
    digest = service.give(place.parts, place.party, body(place, fresh_bank.facts.code)).digest
    made = {"supersedes": digest, "replacement": None, "role": "operator", "reason": "wrong period"}
    issue(place, "correction", made)
    with pytest.raises(GrantWithdrawn, match="was withdrawn on"):
        stands(place, fresh_bank.facts.code)


def test_a_withdrawal_whose_content_is_gone_ends_every_grant_before_it(place: Any, fresh_bank: Any) -> None:
    service.give(place.parts, place.party, body(place, fresh_bank.facts.code))
    made = {"withdraws": b"\x07" * 32, "role": "operator", "reason": "of something else"}
    withdrawal = issue(place, "withdrawal", made)
    assert stands(place, fresh_bank.facts.code)
    place.host.contents.erase(withdrawal.payload, "a drill")
    with pytest.raises(GrantWithdrawn, match="was withdrawn on"):
        stands(place, fresh_bank.facts.code)


def test_a_grant_whose_content_is_gone_lets_nobody_in(place: Any, fresh_bank: Any) -> None:
    grant = service.give(place.parts, place.party, body(place, fresh_bank.facts.code))
    place.host.contents.erase(grant.payload, "a drill")
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code)


def test_a_forged_row_in_the_projection_grants_nothing(place: Any, bank: Any, fresh_bank: Any) -> None:
    service.give(place.parts, place.party, body(place, bank.facts.code))
    with place.parts.engine.begin() as connection:
        connection.execute(
            text("UPDATE projection_results SET body = jsonb_set(body, '{to}', to_jsonb(cast(:to AS text)))"),
            {"to": fresh_bank.facts.code},
        )
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code)
    place.parts.projections.replay()


@pytest.mark.parametrize("change", [{"status": "suspended"}, {"status": "removed"}])
def test_a_grantee_that_is_no_longer_admitted_sees_nothing(
    place: Any, fresh_bank: Any, change: dict[str, Any]
) -> None:
    service.give(place.parts, place.party, body(place, fresh_bank.facts.code))
    readmit(place, fresh_bank, **change)
    with pytest.raises(GrantMissing, match="no grant lets"):
        stands(place, fresh_bank.facts.code)


def test_refuses_to_grant_to_whom_no_grant_can_name(place: Any) -> None:
    stranger = admit(place, "enterprise")
    refusals = set()
    for to in (place.party, stranger.facts.code, "b-nobody", place.cast.verification_body.facts.code):
        with pytest.raises(GrantInvalid, match="is no admitted bank") as refused:
            service.give(place.parts, place.party, body(place, to))
        refusals.add(str(refused.value))
    assert len(refusals) == 1  # another enterprise looks like nobody


def test_a_purpose_that_there_is_not_is_named_as_such(place: Any) -> None:
    with pytest.raises(GrantInvalid, match="purpose: is none of ours"):
        service.give(place.parts, place.party, body(place, place.cast.bank.facts.code, purpose="verify"))


def test_everybody_can_be_named_for_disclosure_alone(place: Any) -> None:
    with pytest.raises(GrantInvalid, match="is not disclosure"):
        service.give(place.parts, place.party, body(place, "p-public"))
    grant = service.give(place.parts, place.party, body(place, "p-public", purpose="disclosure"))
    assert [one.digest for one in service.published(place.parts)] == [grant.digest]
    assert service.party_named(place.parts, "public") == "p-public"
    place.clock.now += HOUR
    assert service.published(place.parts) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": "everything"}, "not one of grade"),
        ({"period": {"start": YEAR[1], "end": YEAR[0]}}, "ends before it starts"),
        ({"valid": {"start": 1, "end": 2}}, "lies in the past"),
    ],
)
def test_refuses_a_grant_that_says_nothing(place: Any, bank: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(GrantInvalid, match=words):
        service.give(place.parts, place.party, body(place, bank.facts.code, **change))


def test_a_grant_uploaded_from_the_enterprises_own_desk_counts(place: Any, fresh_bank: Any) -> None:
    enterprise = place.cast.enterprise
    heads = place.host.stream_heads(enterprise.register_origin, kid=enterprise.signer.public.kid)
    head = next((h for h in heads if h.stream == "grant"), None)
    statement, content = seal(
        enterprise.signer,
        "grant",
        {"grant": "gr-own-desk", **body(place, fresh_bank.facts.code)},
        party=place.party,
        subject=place.party,
        origin=enterprise.register_origin,
        issued_at=place.clock() // 1000,
        sequence=0 if head is None else head.sequence + 1,
        previous=None if head is None else head.digest,
        is_public=False,
    )
    outcome = place.host.register(enterprise.register_origin, [Submission(statement.raw, content)])[0]
    assert outcome.problem is None
    assert stands(place, fresh_bank.facts.code).grant == "gr-own-desk"


def principal(place: Any, party: str, *roles: str) -> Principal:
    return Principal("k-test", party, frozenset(roles), frozenset({"operator", "regulator"}))


def test_access_needs_no_grant_for_the_owner_and_for_whom_all_is_open(place: Any) -> None:
    for who in (
        principal(place, place.party, "enterprise"),
        principal(place, place.cast.log_host.facts.code, "operator"),
        principal(place, "g-regulator", "regulator"),
    ):
        assert service.require_access(place.parts, who, place.party, "evidence") is None


def test_a_role_without_a_purpose_learns_nothing_of_another_organisation(place: Any) -> None:
    for role in ("enterprise", "reader", "laboratory"):
        with pytest.raises(NotFound, match="no such resource"):
            service.require_access(place.parts, principal(place, "e-other", role), place.party, "grade")


def test_a_body_needs_a_grant_for_verification_and_a_bank_one_for_a_loan(place: Any) -> None:
    body_code = place.cast.verification_body.facts.code
    verifier = principal(place, body_code, "verification_body")
    with pytest.raises(GrantMissing, match="no grant lets"):
        service.require_access(place.parts, verifier, place.party, "grade")
    given = body(place, body_code, purpose="verification", level="evidence")
    service.give(place.parts, place.party, given)
    grant = service.require_access(place.parts, verifier, place.party, "evidence", YEAR)
    assert grant is not None
    assert grant.purpose == "verification"
    with pytest.raises(GrantMissing, match="no grant lets"):
        service.require_access(place.parts, principal(place, body_code, "bank"), place.party, "grade")


# -- over HTTP --


def wish(place: Any, to: str) -> dict[str, Any]:
    return {
        "to": to,
        "purpose": "loan",
        "level": "grade",
        "period": {"start": "2025-12-31T16:00:00Z", "end": "2026-12-31T16:00:00Z"},
        "valid": {"end": "2027-12-31T16:00:00Z"},
    }


def test_gives_lists_and_withdraws_over_http(place: Any) -> None:
    bank = admit(place, "bank", org=credit_code(8))
    made = place.client.post(
        f"/organisations/{place.party}/grants", json=wish(place, credit_code(8)), headers=place.headers()
    )
    assert made.status_code == 201, made.text
    grant = made.json()
    assert (grant["to"], grant["state"]) == (bank.facts.code, "standing")
    entry = place.host.find(place.cast.enterprise.register_origin, bytes.fromhex(grant["statement_digest"]))
    SignedStatement.parse(entry.raw).verify_signature(place.cast.enterprise.signer.public)
    received = place.client.get("/grants", headers=key_headers(place, bank, "bank")).json()
    assert [one["grant"] for one in received] == [grant["grant"]]

    path = f"/organisations/{place.party}/grants/{grant['statement_digest']}"
    gone = place.client.delete(path, params={"reason": "repaid"}, headers=place.headers())
    assert gone.status_code == 200, gone.text
    assert (gone.json()["state"], gone.json()["reason"]) == ("withdrawn", "repaid")
    assert place.client.delete(path, headers=place.headers()).json() == gone.json()
    listed = place.client.get(f"/organisations/{place.party}/grants", headers=place.headers()).json()
    assert [one["state"] for one in listed if one["grant"] == grant["grant"]] == ["withdrawn"]
    assert queries.owners_granting(place.parts, bank.facts.code) == [place.party]


@pytest.mark.parametrize("role", ["bank", "verification_body", "reader", "gateway", "operator", "regulator"])
def test_nobody_but_the_enterprise_gives_its_grants(place: Any, bank: Any, role: str) -> None:
    answer = place.client.post(
        f"/organisations/{place.party}/grants", json=wish(place, bank.facts.code), headers=place.headers(role)
    )
    assert answer.status_code == 403
    assert answer.json()["code"] == "role-missing"


def test_another_enterprise_cannot_give_this_ones_grants(place: Any, bank: Any) -> None:
    path = f"/organisations/{place.party}/grants"
    headers = place.headers("stranger")
    for answer in (
        place.client.post(path, json=wish(place, bank.facts.code), headers=headers),
        place.client.get(path, headers=headers),
        place.client.delete(f"{path}/{'0' * 64}", headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "b-nobody"}, "grant-invalid"),
        ({"to": "91990000000000100X"}, "grant-invalid"),
        ({"to": "\u200b"}, "grant-invalid"),
        ({"purpose": "curiosity"}, "grant-invalid"),
        ({"valid": {"end": "tomorrow"}}, "grant-invalid"),
        ({"more": 1}, "request-invalid"),
    ],
)
def test_names_what_is_wrong_with_a_wish(place: Any, bank: Any, change: dict[str, Any], code: str) -> None:
    answer = place.client.post(
        f"/organisations/{place.party}/grants",
        json=wish(place, bank.facts.code) | change,
        headers=place.headers(),
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_withdrawing_an_unknown_grant_finds_nothing(place: Any) -> None:
    path = f"/organisations/{place.party}/grants/{'0' * 64}"
    assert place.client.delete(path, headers=place.headers()).json()["code"] == "not-found"
