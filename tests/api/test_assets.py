"""Carbon-asset records through the service: who may do what, what is refused, what a kill leaves behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from asset_house import MONTH_MS, START_MS, House, credit_code, open_house, sha
from neighbours import key_headers
from pydantic import TypeAdapter
from sqlalchemy import text

from carbonseal_api.assets import agreement, queries, refusals, service
from carbonseal_api.assets.chain import AssetChain, check_chain
from carbonseal_api.assets.mirroring import mirror_statements
from carbonseal_api.assets.service import Actor
from carbonseal_api.assets.wishes import AnyWish
from carbonseal_api.cli import main
from carbonseal_api.grants.service import give, withdraw
from carbonseal_api.problems import PartMissing
from carbonseal_api.reconciliation.holding import ReconciliationOpen
from carbonseal_attest.contents import parse_content
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.asset_acts import text_id
from carbonseal_ledger.carbon_assets_calls import AssetState

WISH: TypeAdapter[Any] = TypeAdapter(AnyWish)


@pytest.fixture(scope="module")
def house(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(database_url, "assets", tmp_path_factory.mktemp("assets")) as made:
        yield made


@pytest.fixture(scope="module")
def opinions(house: House) -> dict[str, SignedStatement]:
    """Opinions of all sorts, all anchored; a test that spoils one has one of its own."""
    both = house.enterprise("both", "enterprise", "verification_body")
    firm = house.enterprise("firm", org=credit_code(7))
    sister = house.enterprise("its own body", "verification_body", org=credit_code(7))
    reports = {name: house.report() for name in ("good", "withdrawn", "report withdrawn")}
    names = ("marked", "frozen", "stopped", "late", "beside")
    made = {name: house.opinion(report) for name, report in reports.items()}
    made |= {name: house.opinion(reports["good"]) for name in names}
    made |= {
        kind: house.opinion(reports["good"], opinion=kind) for kind in ("modified", "adverse", "disclaimer")
    }
    made["own"] = house.opinion(house.report(both), body=both, operator=both.facts.code)
    made["sister's"] = house.opinion(house.report(firm), body=sister, operator=firm.facts.code)
    made["miscounted"] = house.opinion(reports["good"], steps={"signatures": "failed"})
    away = house.enterprise("away")
    made["away"] = house.opinion(house.report(away), operator=away.facts.code)
    enterprise, other_month = house.cast.enterprise, START_MS - MONTH_MS
    gone = house.data_code(enterprise, "green")
    codes = {"code red": {"code": "red"}, "code pending": {"code": "pending"}}
    codes |= {"code taken back": {"code_digest": gone.digest}, "code unknown": {"code_digest": sha("none")}}
    codes["code of another month"] = {"code_digest": house.data_code(enterprise, "green", other_month).digest}
    codes["code is the report"] = {"code_digest": reports["good"].digest}
    made |= {name: house.opinion(house.report(**about)) for name, about in codes.items()}
    house.withdraw(enterprise, gone.digest)
    made["no opinion"] = reports["good"]
    made["of a withdrawn report"] = made["report withdrawn"]
    house.withdraw(house.cast.enterprise, reports["report withdrawn"].digest)
    house.anchor()
    return made


@pytest.fixture(scope="module")
def opinion(opinions: dict[str, SignedStatement]) -> SignedStatement:
    """An unmodified opinion, anchored."""
    return opinions["good"]


@pytest.fixture(scope="module")
def headers(house: House) -> dict[str, dict[str, str]]:
    return {role: house.headers(role) for role in ("enterprise", "registrar", "operator", "reader")}


def propose(house: House, wish: dict[str, Any], actor: Actor | None = None) -> str:
    return service.propose(house.parts, actor or house.person(), WISH.validate_python(wish)).act_id


def perform(house: House, wish: dict[str, Any], actor: Actor | None = None) -> bytes:
    """Both persons do their part; returns the record's id."""
    act_id = propose(house, wish, actor)
    return bytes(service.confirm(house.parts, house.registrar, act_id).record)


def refused(house: House, wish: dict[str, Any], code: str, actor: Actor | None = None) -> None:
    before = len(queries.acts(house.parts.engine))
    with pytest.raises(refusals.AssetRefused) as refusal:
        propose(house, wish, actor)
    assert refusal.value.code == code
    assert len(queries.acts(house.parts.engine)) == before


def chain(house: House) -> AssetChain:
    return service.chain_of(house.parts)


def state_of(house: House, record: bytes) -> AssetState:
    return chain(house).book.record_of(record).state


def mirrors(house: House, record: bytes) -> list[str]:
    return [one.body["act"] for one in mirror_statements(house.parts) if one.body["record"] == record]


def looked(house: House) -> None:
    """A person looks at everything that disagrees or did."""
    book = house.parts.holding.book
    for one in book.blocking():
        book.acknowledge(one.id, person="Li Na", reason="looked at it in a test")


# -- what is refused before anything is sent


def test_records_units_once_and_never_again(house: House, opinion: SignedStatement) -> None:
    wish = house.wish(opinion)
    record = perform(house, wish)
    assert state_of(house, record) is AssetState.LIVE
    refused(house, wish, "units-recorded")
    assert mirrors(house, record) == ["record"]


@pytest.mark.parametrize(("first", "last"), [(1000, 1000), (1, 1), (500, 1500), (400, 600), (1, 5000)])
def test_refuses_a_range_that_overlaps(house: House, opinion: SignedStatement, first: int, last: int) -> None:
    batch = "OVERLAP"
    if not queries.overlapping(house.parts.engine, house.parts.registrar, "CCER", batch, 1, 5000):
        perform(house, house.wish(opinion, batch=batch))
    refused(house, house.wish(opinion, batch=batch, first=first, last=last), "units-recorded")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"registry": "ccer"}, "official-name-invalid"),
        ({"registry": "CCER "}, "official-name-invalid"),
        ({"registry": "CCE\u0052\u200b"}, "official-name-invalid"),
        ({"batch": "\u4e2d"}, "official-name-invalid"),
        ({"first": 7, "last": 6}, "serials-invalid"),
    ],
)
def test_refuses_units_that_no_registry_names_so(
    house: House, opinion: SignedStatement, changes: dict[str, Any], code: str
) -> None:
    refused(house, house.wish(opinion) | changes, code)


def test_refuses_a_report_that_nobody_verified(house: House, opinions: dict[str, SignedStatement]) -> None:
    wish = house.wish(opinions["no opinion"])
    refused(house, wish, "opinion-unknown")
    refused(house, wish | {"verification_report": sha("nothing").hex()}, "opinion-unknown")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("modified", "opinion-not-unmodified"),
        ("adverse", "opinion-not-unmodified"),
        ("disclaimer", "opinion-not-unmodified"),
        ("of a withdrawn report", "report-withdrawn"),
        ("miscounted", "opinion-not-counted"),
        ("code red", "data-code-not-green"),
        ("code pending", "data-code-not-green"),
        ("code taken back", "data-code-not-green"),
        ("code unknown", "data-code-not-green"),
        ("code of another month", "data-code-not-green"),
        ("code is the report", "data-code-not-green"),
    ],
)
def test_refuses_an_opinion_that_bears_no_record(
    house: House, opinions: dict[str, SignedStatement], name: str, code: str
) -> None:
    refused(house, house.wish(opinions[name]), code)


def test_refuses_an_opinion_that_was_withdrawn_and_confirms_nothing_on_it(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    made = opinions["withdrawn"]
    act_id = propose(house, house.wish(made))
    house.withdraw(house.cast.verification_body, made.digest)
    refused(house, house.wish(made), "opinion-withdrawn")
    with pytest.raises(refusals.OpinionWithdrawn):
        service.confirm(house.parts, house.registrar, act_id)


def test_refuses_an_opinion_that_an_open_impact_marks(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    made = opinions["marked"]
    marked = house.impact(made.digest, sha("a device"))
    refused(house, house.wish(made), "report-impacted")
    house.impact(made.digest, sha("a device"), cures=marked.digest)
    assert propose(house, house.wish(made))


@pytest.mark.parametrize(("name", "who"), [("own", "both"), ("sister's", "firm")])
def test_refuses_the_enterprise_s_own_opinion_under_one_code_or_two(
    house: House, opinions: dict[str, SignedStatement], name: str, who: str
) -> None:
    actor = house.person(house.enterprise(who).facts.code)
    refused(house, house.wish(opinions[name]), "opinion-not-independent", actor)


def test_refuses_an_opinion_that_no_anchor_covers(house: House) -> None:
    refused(house, house.wish(house.opinion()), "opinion-not-anchored")


def test_refuses_a_holder_whose_report_it_is_not(house: House, opinion: SignedStatement) -> None:
    other = house.enterprise("other").facts.code
    refused(house, house.wish(opinion), "holder-not-operator", house.person(other))


def test_nobody_proposes_for_a_holder_whose_keys_are_elsewhere(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    away = house.members.pop("away")
    with pytest.raises(PartMissing, match="is not here; propose where"):
        propose(house, house.wish(opinions["away"]), house.person(away.facts.code))


def test_refuses_a_chain_that_is_not_in_the_list() -> None:
    with pytest.raises(refusals.ChainNotAllowed, match="none of those"):
        check_chain(1, (31_337,))


# -- two persons


@pytest.mark.parametrize("who", ["the proposer", "the holder's other person", "somebody"])
def test_only_the_registrar_confirms_and_never_who_proposed(
    house: House, opinion: SignedStatement, who: str
) -> None:
    act_id = propose(house, house.wish(opinion))
    actor = {
        "the proposer": house.person(),
        "the holder's other person": Actor(house.holder, "another credential"),
        "somebody": Actor(house.enterprise("other").facts.code, "somebody"),
    }[who]
    with pytest.raises(refusals.AssetRefused) as refusal:
        service.confirm(house.parts, actor, act_id)
    assert refusal.value.code in {"same-person", "not-registrar"}
    record = queries.act(house.parts.engine, act_id)
    assert record is not None
    assert state_of(house, record.record) is AssetState.NONE


def test_one_credential_never_stands_on_both_sides(house: House, opinion: SignedStatement) -> None:
    act_id = propose(house, house.wish(opinion), Actor(house.holder, "one and the same"))
    with pytest.raises(refusals.SamePerson):
        service.confirm(house.parts, Actor(house.parts.registrar, "one and the same"), act_id)


def test_the_registrar_cannot_propose(
    house: House, opinion: SignedStatement, headers: dict[str, dict[str, str]]
) -> None:
    refused(house, house.wish(opinion), "holder-not-operator", house.registrar)
    answer = house.client.post("/assets/acts", json=house.wish(opinion), headers=headers["registrar"])
    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


def test_an_act_that_nobody_confirms_is_never_performed(house: House, opinion: SignedStatement) -> None:
    act_id = propose(house, house.wish(opinion))
    for _ in range(3):
        service.step(house.parts)
    row = queries.act(house.parts.engine, act_id)
    assert row is not None
    assert state_of(house, row.record) is AssetState.NONE
    assert mirrors(house, row.record) == []


# -- what becomes of a record


def test_a_record_is_split_moved_and_retired_each_act_with_its_statement(
    house: House, opinion: SignedStatement
) -> None:
    parts, receiver = house.parts, house.enterprise("other").facts.code
    record = perform(house, house.wish(opinion))
    perform(house, {"act": "split", "record": record.hex(), "last_of_left": 400})
    left, right = (
        bytes(row["record"])
        for row in queries.records_of_report(parts.engine, parts.registrar, opinion.digest)
        if queries.parent(parts.engine, parts.registrar, bytes(row["record"])) == record
    )
    move = {"act": "move", "record": left.hex(), "to": receiver}
    refused(house, move, "reference-missing")
    refused(
        house,
        move | {"reference": "TX-1", "to": house.cast.verification_body.facts.code},
        "receiver-not-admitted",
    )
    refused(house, move | {"reference": "TX-1", "to": house.holder}, "receiver-not-admitted")
    perform(house, move | {"reference": "TX-1"})
    refused(house, move | {"record": right.hex(), "reference": "TX-1"}, "transfer-used")
    retire = {"act": "retire", "record": left.hex(), "reference": "RT-1"}
    perform(house, retire, house.person(receiver))
    refused(
        house, move | {"to": house.holder, "reference": "TX-2"}, "record-not-live", house.person(receiver)
    )
    assert (state_of(house, left), state_of(house, right)) == (AssetState.RETIRED, AssetState.LIVE)
    assert mirrors(house, record) == ["record", "split"]
    assert mirrors(house, left) == ["move", "retire"]
    assert agreement.compare(parts, chain(house)).is_agreed


@pytest.mark.parametrize(
    ("act", "state"),
    [("surrender", AssetState.SURRENDERED), ("cancel", AssetState.CANCELLED)],
)
def test_what_has_ended_stays_as_it_is(
    house: House, opinion: SignedStatement, act: str, state: AssetState
) -> None:
    record = perform(house, house.wish(opinion)).hex()
    perform(house, {"act": act, "record": record, "reference": f"{act.upper()}-1"})
    assert state_of(house, bytes.fromhex(record)) is state
    refused(house, {"act": "split", "record": record, "last_of_left": 400}, "record-not-live")


def test_a_freeze_stops_a_record_until_two_persons_release_it(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    parts, made = house.parts, opinions["frozen"]
    record = perform(house, house.wish(made))
    retire = {"act": "retire", "record": record.hex(), "reference": "RT-9"}
    cause = house.impact(made.digest, sha("withdrawal"))
    # Before the freeze has reached the chain, the impact itself stops it.
    refused(house, retire, "record-frozen")
    assert service.freeze_for(parts, made.digest, cause.digest) == [record]
    assert service.freeze_for(parts, made.digest, cause.digest) == [record]
    assert mirrors(house, record) == ["record", "freeze"]
    refused(house, retire, "record-frozen")
    release = {"act": "release", "record": record.hex(), "cause": cause.digest.hex(), "cure": sha("no").hex()}
    refused(house, release, "cause-open")
    cure = house.impact(made.digest, sha("withdrawal"), cures=cause.digest)
    for other in (sha("no"), cause.digest):
        refused(house, release | {"cure": other.hex()}, "cause-open")
    waiting = service.release_for(parts, made.digest, cure.digest)
    assert service.release_for(parts, made.digest, cure.digest) == waiting
    refused(house, retire, "record-frozen")
    for act_id in waiting:
        service.confirm(parts, house.registrar, act_id)
    assert mirrors(house, record) == ["record", "freeze", "release"]
    perform(house, retire)
    assert agreement.compare(parts, chain(house)).is_agreed


def test_a_withdrawn_opinion_stops_a_record_before_any_impact_says_so(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    made = opinions["stopped"]
    record = perform(house, house.wish(made))
    house.withdraw(house.cast.verification_body, made.digest)
    refused(house, {"act": "split", "record": record.hex(), "last_of_left": 9}, "record-frozen")


def test_what_an_impact_stops_before_it_is_signed_is_not_performed_although_it_was_confirmed(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    parts, made = house.parts, opinions["late"]
    record = perform(house, house.wish(made))
    act_id = propose(house, {"act": "retire", "record": record.hex(), "reference": "RT-LATE"})
    # The registrar's person has confirmed it, and then the process was killed, or the node was away.
    queries.confirmed_by(parts.engine, act_id, *vars_of(house.registrar), parts.clock())
    chain(house).confirm(act_id)
    cause = house.impact(made.digest, sha("too late"))
    assert service.freeze_for(parts, made.digest, cause.digest) == [record]
    service.step(parts)
    assert state_of(house, record) is AssetState.LIVE
    assert mirrors(house, record) == ["record", "freeze"]
    with pytest.raises(refusals.RecordFrozen):
        service.confirm(parts, house.registrar, act_id)
    cure = house.impact(made.digest, sha("too late"), cures=cause.digest)
    for released in service.release_for(parts, made.digest, cure.digest):
        service.confirm(parts, house.registrar, released)
    # It goes on only when it is confirmed anew.
    service.step(parts)
    assert state_of(house, record) is AssetState.LIVE
    service.confirm(parts, house.registrar, act_id)
    assert mirrors(house, record) == ["record", "freeze", "release", "retire"]


def test_a_row_that_the_chain_contradicts_keeps_no_other_record_from_being_frozen(
    house: House, opinions: dict[str, SignedStatement]
) -> None:
    parts, made = house.parts, opinions["beside"]
    record = perform(house, house.wish(made, first=500, last=600))
    cause = house.impact(made.digest, sha("beside"))
    made_up = text(
        "INSERT INTO projection_asset_records SELECT * FROM jsonb_populate_record("
        "NULL::projection_asset_records, (SELECT to_jsonb(one) FROM projection_asset_records one"
        " WHERE record = :record) || jsonb_build_object('record', :other, 'first', 1, 'last', 2))"
    )
    with parts.engine.begin() as connection:
        connection.execute(made_up, {"record": record, "other": "\\x" + sha("made up").hex()})
    try:
        assert service.freeze_for(parts, made.digest, cause.digest) == [record]
    finally:
        with parts.engine.begin() as connection:
            gone = "DELETE FROM projection_asset_records WHERE record = :record"
            connection.execute(text(gone), {"record": sha("made up")})
    assert chain(house).book.record_of(record).freezes == 1


def test_a_holder_that_was_suspended_moves_nothing(house: House) -> None:
    holder = house.enterprise("to be suspended")
    code, register = holder.facts.code, house.cast.registrar.register_origin
    made = house.opinion(house.report(holder), operator=code)
    house.anchor()
    record = perform(house, house.wish(made), house.person(code))
    move = {"act": "move", "record": record.hex(), "to": house.holder, "reference": "TX-SUSPENDED"}
    act_id = propose(house, move, house.person(code))
    entry = house.host.select(register, kinds={"party"}, subject=code)[-1]
    said = parse_content(house.host.contents.get(SignedStatement.parse(entry.raw).payload)).body
    house.cast.registrar.issue(register, "party", dict(said) | {"status": "suspended"}, subject=code)
    house.parts.projections.refresh()
    with pytest.raises(refusals.HolderNotAdmitted):
        service.confirm(house.parts, house.registrar, act_id)
    for act in ({"act": "split", "last_of_left": 9}, {"act": "retire", "reference": "RT-SUSPENDED"}):
        refused(house, act | {"record": record.hex()}, "holder-not-admitted", house.person(code))
    assert chain(house).book.record_of(record).holder == text_id(code)


# -- over HTTP


def test_holder_and_registrar_make_a_record_over_http_and_others_see_what_they_may(
    house: House, opinion: SignedStatement, headers: dict[str, dict[str, str]]
) -> None:
    client = house.client
    proposed = client.post("/assets/acts", json=house.wish(opinion), headers=headers["enterprise"])
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed")
    act_id = proposed.json()["id"]
    own = client.post(f"/assets/acts/{act_id}/confirm", headers=headers["enterprise"])
    assert (own.status_code, own.json()["code"]) == (403, "role-missing")
    confirmed = client.post(f"/assets/acts/{act_id}/confirm", headers=headers["registrar"])
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "mirrored"), confirmed.text
    again = client.post(f"/assets/acts/{act_id}/confirm", headers=headers["registrar"])
    assert again.json() == confirmed.json()
    record = proposed.json()["record"]
    shown = client.get(f"/assets/{record}", headers=headers["enterprise"]).json()
    assert shown["history"][0]["chain"]["transaction"] == confirmed.json()["transaction"].removeprefix("0x")
    assert [one["kind"] for one in shown["rests_on"]] == ["verification_report", "emissions_report"]
    assert shown["history"][0]["receipt_state"] == "logged"
    for role in ("enterprise", "reader", "registrar", "operator"):
        listed = client.get("/assets", headers=headers[role]).json()
        assert record in {one["record"] for one in listed}, role
    stranger = key_headers(house, house.enterprise("other"), "enterprise")
    foreign = client.get(f"/assets/{record}", headers=stranger)
    missing = client.get(f"/assets/{sha('none').hex()}", headers=stranger)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() | {"instance": ""} == missing.json() | {"instance": ""}
    split = {"act": "split", "record": record, "last_of_left": 4}
    assert client.post("/assets/acts", json=split, headers=stranger).status_code == 404


def test_a_bank_sees_a_holder_s_records_only_while_its_grant_stands(
    house: House, opinion: SignedStatement
) -> None:
    parts, bank = house.parts, house.enterprise("bank", "bank")
    record = perform(house, house.wish(opinion)).hex()
    asker = key_headers(house, bank, "bank")

    def ask(path: str) -> tuple[int, str | None]:
        answer = house.client.get(path, headers=asker)
        return answer.status_code, answer.json().get("code") if answer.status_code != 200 else None

    listed, one = f"/assets?holder={house.holder}", f"/assets/{record}"
    assert ask(listed) == (403, "grant-missing")
    assert ask(one) == ask(f"/assets/{sha('none').hex()}") == (404, "not-found")
    now = parts.clock()
    spans = {"period": {"start": 0, "end": now}, "valid": {"start": now, "end": now + 1000}}
    grant = give(parts, house.holder, {"to": bank.facts.code, "purpose": "loan", "level": "report"} | spans)
    assert (ask(listed), ask(one)) == ((200, None), (200, None))
    withdraw(parts, house.holder, grant.digest, "paid back")
    assert ask(listed) == ask(one) == (403, "grant-withdrawn")


def test_a_wish_of_another_shape_is_refused_as_a_problem(
    house: House, headers: dict[str, dict[str, str]]
) -> None:
    for wish in ({}, {"act": "mint"}, {"act": "record", "price": 1}, {"act": "split", "record": "x"}):
        answer = house.client.post("/assets/acts", json=wish, headers=headers["enterprise"])
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["record", "--first", "0", "--last", "5"], "--first: "),
        (["record", "--first", "1", "--last", str(1 << 53)], "--last: "),
    ],
)
def test_a_command_names_the_argument_that_is_wrong(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    units = ["--registry", "CCER", "--batch", "B", "--verification-report", "00" * 32, "--party", "e-x"]
    assert main(["asset", *arguments, *units]) == 2
    assert capsys.readouterr().err.startswith(said)


# -- contract, database and log


def test_movements_stop_while_a_row_says_something_else(
    house: House, opinion: SignedStatement, headers: dict[str, dict[str, str]]
) -> None:
    record = perform(house, house.wish(opinion))
    with house.parts.engine.begin() as connection:
        connection.execute(
            text("UPDATE projection_asset_records SET holder = :thief WHERE record = :record"),
            {"thief": house.enterprise("other").facts.code, "record": record},
        )
    thief = house.person(house.enterprise("other").facts.code)
    wish = {"act": "retire", "record": record.hex(), "reference": "RT-77"}
    with pytest.raises(refusals.RecordsDisagree) as refusal:
        propose(house, wish, thief)
    assert refusal.value.differences == []  # the log says that it is another's
    answer = house.client.post("/assets/acts", json=house.wish(opinion), headers=headers["enterprise"])
    assert (answer.status_code, answer.json()["code"]) == (409, "records-disagree")
    assert [(one["place"], one["field"]) for one in answer.json()["differences"]] == [("database", "holder")]
    assert not agreement.check_and_keep(house.parts, chain(house)).is_agreed
    shown = house.client.get("/assets/agreement", headers=headers["registrar"]).json()
    assert [one["record"] for one in shown["differences"]] == [record.hex()]
    house.parts.projections.replay()
    assert agreement.check_and_keep(house.parts, chain(house)).is_agreed
    with pytest.raises(ReconciliationOpen):
        perform(house, wish)
    looked(house)
    assert perform(house, wish) == record


def test_a_row_that_is_gone_and_one_that_is_made_up_are_found(house: House, opinion: SignedStatement) -> None:
    record = perform(house, house.wish(opinion))
    with house.parts.engine.begin() as connection:
        connection.execute(
            text("UPDATE projection_asset_records SET record = :other WHERE record = :record"),
            {"other": sha("made up"), "record": record},
        )
    found = agreement.compare(house.parts, chain(house))
    assert {one.record for one in found.differences} == {record.hex(), sha("made up").hex()}
    house.parts.projections.replay()
    assert agreement.compare(house.parts, chain(house)).is_agreed


def test_a_missing_mirror_statement_is_written_at_the_next_step(
    house: House, opinion: SignedStatement
) -> None:
    parts = house.parts
    act_id = propose(house, house.wish(opinion))
    row = queries.confirmed_by(parts.engine, act_id, *vars_of(house.registrar), parts.clock())
    chain(house).confirm(act_id)
    assert chain(house).advance(act_id, service.DONE).transaction_hash is not None
    assert mirrors(house, row.record) == []
    service.step(parts)
    service.step(parts)
    assert mirrors(house, row.record) == ["record"]
    assert agreement.compare(parts, chain(house)).is_agreed


def test_a_reorganisation_after_the_statement_makes_neither_a_second_one_nor_a_disagreement(
    house: House, opinion: SignedStatement
) -> None:
    record = perform(house, house.wish(opinion))
    house.desk._node.rpc("anvil_reorg", 2, [])
    assert state_of(house, record) is AssetState.NONE
    assert not agreement.compare(house.parts, chain(house)).is_agreed
    for _ in range(4):
        service.step(house.parts)
        house.desk.mine()
    service.step(house.parts)
    assert (state_of(house, record), mirrors(house, record)) == (AssetState.LIVE, ["record"])
    assert agreement.compare(house.parts, chain(house)).is_agreed


def vars_of(actor: Actor) -> tuple[str, str]:
    return actor.party, actor.credential


# -- kill -9

CONFIRM = """
import json, os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from pydantic import SecretStr
from carbonseal_api.assembly import assemble
from carbonseal_api.assets import service
from carbonseal_api.assets.chain import AssetChain
from carbonseal_api.key_files import KeyFolder
from carbonseal_api.settings import Settings
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.carbon_assets import CarbonAssetsClient
from carbonseal_ledger.database import open_database
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.publishing import PublishedCopy

job = json.loads(sys.argv[1])
engine = open_database(job["url"], Path("/unused"))
folder, now = Path(job["folder"]), lambda: job["now"]
log_key = Ed25519Signer.from_seed(bytes.fromhex(job["log_key"]))
registrar = Ed25519Signer.from_seed(bytes.fromhex(job["registrar_key"]))
settings = Settings(data_folder=folder, passphrase=SecretStr("unused"))
names = {"host_party": job["host_party"], "registrar": job["registrar"]}
published = PublishedCopy(folder / "published")
host = LogHost(engine, published, log_key, now, name=settings.log_host_name, party=job["host_party"],
               registrar=job["registrar"], registrar_keys=[registrar.public],
               anchors=SimpleNamespace(anchored_size=lambda: job["size"], final_size=lambda: job["size"]))

def killed():
    # The confirmation has been sent: here a power cut comes before any receipt.
    os.kill(os.getpid(), signal.SIGKILL)

bound = (bytes.fromhex(job["bound"][0]), bytes.fromhex(job["bound"][1]))
chain = AssetChain(engine, now, client=CarbonAssetsClient(job["node"]), host=host, registrar=job["registrar"],
                   secrets=KeyFolder(folder / "keys", settings.passphrase), allowed=(31337,),
                   bound_to=lambda: bound, is_open=lambda: True, wait=killed)
parts = assemble(settings, engine, host, published=published, log_key=log_key.public, clock=now,
                 signer_of=lambda party: registrar, assets=chain, **names)
service.confirm(parts, service.Actor(job["registrar"], "person-registrar"), job["act_id"])
print("confirmed")
"""


def test_a_kill_between_send_and_receipt_makes_one_record_and_one_statement(
    house: House, opinion: SignedStatement
) -> None:
    parts = house.parts
    act_id = propose(house, house.wish(opinion))
    row = queries.act(parts.engine, act_id)
    assert row is not None
    job = {
        "url": house.url,
        "folder": str(house.folder),
        "node": house.desk.url,
        "now": parts.clock(),
        "log_key": house.cast.log_key.seed.hex(),
        "registrar_key": house.cast.registrar.signer.seed.hex(),
        "host_party": parts.host_party,
        "registrar": parts.registrar,
        "size": house.desk.anchored_size(),
        "bound": [one.hex() for one in house.desk.bound_to()],
        "act_id": act_id,
    }
    process = subprocess.run(
        [sys.executable, "-c", CONFIRM, json.dumps(job)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert "confirmed" not in process.stdout
    assert (state_of(house, row.record), mirrors(house, row.record)) == (AssetState.NONE, [])
    for _ in range(4):
        service.step(parts)
        house.desk.mine()
    assert mirrors(house, row.record) == ["record"]
    events = [one for one in chain(house).book.events() if one.record == row.record]
    assert len(events) == 1
    assert service.confirm(parts, house.registrar, act_id).statement_digest is not None
    assert mirrors(house, row.record) == ["record"]
    assert agreement.compare(parts, chain(house)).is_agreed


# -- last, because what it writes into the registrar's log stays there


def test_a_statement_without_an_act_stops_every_movement(house: House, opinion: SignedStatement) -> None:
    parts, record = house.parts, perform(house, house.wish(opinion))
    (told,) = [one for one in mirror_statements(parts) if one.body["record"] == record]
    made_up = told.body | {"act": "retire", "reference": "RT-0"}
    with parts.desks.desk(parts.registrar) as desk:
        desk.issue(told.entry.origin, "asset_act", made_up, subject=told.content.subject)
        desk.issue(told.entry.origin, "asset_act", told.body, subject=told.content.subject)
    found = agreement.compare(parts, chain(house))
    assert {one.field for one in found.differences if one.record == record.hex()} >= {
        "mirror-without-act",
        "act-mirrored-twice",
    }
    refused(house, house.wish(opinion), "records-disagree")
