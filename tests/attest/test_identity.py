"""Attacks on who may sign what: keys slipped in, taken over, replayed, revived."""

from __future__ import annotations

from typing import Any

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.algorithms import ESP256, ML_DSA_44
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.errors import AttestError, IdentityInvalid
from carbonseal_attest.identity.device_requests import read_requests, write_request
from carbonseal_attest.identity.device_statements import endorsed, enrolment, rotation, unendorsed, withdrawal
from carbonseal_attest.identity.devices import DeviceKeys
from carbonseal_attest.identity.parties import PartyBook
from carbonseal_attest.identity.party_rotation import endorse_rotation, read_rotation, write_rotation
from carbonseal_attest.identity.party_rotation import rekeyed as rekeyed_body
from carbonseal_attest.identity.streams import Restart, check_resume
from carbonseal_attest.signing import Ed25519Signer, generate_signer
from carbonseal_attest.statement import SignedStatement, sign_statement

PARTY, GATEWAY, NAME = "e-works", "g-gateway", {"zh": "网关", "en": "gateway"}
OLD, NEW, THIRD = key("old gateway"), key("new gateway"), key("third gateway")
STREAM = "readings/m-main"


def enrolled(*, by: Ed25519Signer = OLD, **facts: Any) -> DeviceKeys:
    keys = DeviceKeys(PARTY)
    take(keys, enrolment(PARTY, GATEWAY, by, name=NAME, subjects=["m-main"], **facts))
    return keys


def take(keys: DeviceKeys, body: dict[str, Any]) -> None:
    keys.check(body["device"], body)
    keys.apply(len(keys.keys) + 7, body)


def refused(keys: DeviceKeys, body: dict[str, Any], words: str, *, subject: str | None = None) -> None:
    with pytest.raises(IdentityInvalid, match=words):
        keys.check(subject or body["device"], body)


def rotating(old: Ed25519Signer = OLD, new: Ed25519Signer = NEW, **facts: Any) -> dict[str, Any]:
    return rotation(PARTY, GATEWAY, old, new, name=NAME, subjects=["m-main"], last=[], **facts)


def act(action: str, signer: Ed25519Signer = OLD, **facts: Any) -> dict[str, Any]:
    return withdrawal(PARTY, GATEWAY, signer.public, action, reason="test", **facts)


# -- devices ---------------------------------------------------------------------------------------


def test_rejects_a_key_whose_proof_was_made_for_another_party() -> None:
    stolen = enrolment("e-other", GATEWAY, OLD, name=NAME, subjects=[])
    refused(DeviceKeys(PARTY), stolen, "is not e-works")
    refused(DeviceKeys(PARTY), {**stolen, "party": PARTY}, "no proof that the device holds the key")


def test_rejects_a_key_enrolled_by_somebody_who_does_not_hold_it() -> None:
    body = unendorsed(PARTY, GATEWAY, OLD.public, "enrol", name=NAME)
    refused(DeviceKeys(PARTY), endorsed(body, NEW), "no proof that the device holds the key")
    refused(DeviceKeys(PARTY), body, "enrol takes device")


def test_rejects_a_statement_about_another_device_than_its_subject() -> None:
    body = enrolment(PARTY, GATEWAY, OLD, name=NAME, subjects=[])
    refused(DeviceKeys(PARTY), body, "is not the device", subject="g-b")


@pytest.mark.parametrize("predecessor", [NEW, THIRD], ids=["itself", "another key"])
def test_rejects_a_rotation_that_the_old_key_did_not_sign(predecessor: Ed25519Signer) -> None:
    body = unendorsed(PARTY, GATEWAY, NEW.public, "rotate", name=NAME)
    refused(enrolled(), endorsed(body, NEW, predecessor), "old key does not vouch")
    refused(enrolled(), endorsed(body, NEW), "rotate takes device and predecessor")


def test_rejects_a_rotation_to_a_key_that_nobody_showed() -> None:
    body = unendorsed(PARTY, GATEWAY, NEW.public, "rotate", name=NAME)
    refused(enrolled(), endorsed(body, THIRD, OLD), "no proof that the device holds the key")


@pytest.mark.parametrize("state", ["suspend", "revoke"])
def test_rejects_a_rotation_by_a_key_that_is_withdrawn(state: str) -> None:
    keys = enrolled()
    take(keys, act(state))
    refused(keys, rotating(), "nothing vouches for the new one")


def test_rejects_a_key_that_comes_back_after_it_was_replaced_or_revoked() -> None:
    keys = enrolled()
    take(keys, rotating())
    refused(keys, rotating(NEW, OLD), "is or was in use")
    take(keys, act("revoke", NEW))
    refused(keys, enrolment(PARTY, GATEWAY, NEW, name=NAME, subjects=[]), "is or was in use")
    refused(keys, enrolment(PARTY, "g-other", OLD, name=NAME, subjects=[]), "is or was in use")


@pytest.mark.parametrize("before", ["enrol", "revoke", "rotate"])
def test_only_a_suspension_can_be_lifted(before: str) -> None:
    keys = enrolled()
    if before == "rotate":
        take(keys, rotating())
    elif before == "revoke":
        take(keys, act("revoke"))
    refused(keys, act("lift"), "the key is")


def test_rejects_a_second_key_for_a_device_that_has_one() -> None:
    refused(enrolled(), enrolment(PARTY, GATEWAY, NEW, name=NAME, subjects=[]), "has a key already")


def test_rejects_a_revocation_that_lets_more_count_than_the_one_before() -> None:
    keys = enrolled()
    take(keys, act("revoke", last=[(STREAM, 5, b"\5" * 32)]))
    for last in ([(STREAM, 6, b"\6" * 32)], [(STREAM, 5, b"\6" * 32)], [("readings/m-gas", 0, b"\5" * 32)]):
        refused(keys, act("revoke", last=last), "lets more of")
    take(keys, act("revoke", last=[(STREAM, 4, b"\4" * 32)]))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (act("revoke") | {"expires": 5}, "leave both times null|admits no key"),
        (act("lift") | {"last": [{"stream": STREAM, "sequence": 0, "digest": bytes(32)}]}, "ends no stream"),
        (act("suspend") | {"endorsements": rotating()["endorsements"]}, "takes none"),
        (act("revoke", last=[(STREAM, 1, bytes(32)), (STREAM, 2, bytes(32))]), "names a stream twice"),
    ],
)
def test_rejects_what_an_act_has_no_use_for(body: dict[str, Any], words: str) -> None:
    keys = enrolled()
    if body["action"] == "lift":
        take(keys, act("suspend"))
    refused(keys, body, words)


def test_shows_a_key_that_rests_on_the_partys_word_alone() -> None:
    keys = enrolled()
    take(keys, act("revoke"))
    take(keys, enrolment(PARTY, GATEWAY, NEW, name=NAME, subjects=[]))
    assert keys.keys[NEW.public.kid].is_replacement
    take(keys, rotating(NEW, THIRD))
    third = keys.keys[THIRD.public.kid]
    assert (third.is_replacement, third.predecessor) == (False, NEW.public.kid)


@pytest.mark.parametrize(
    ("interval", "registered_by"),
    [
        ((99, 150), 160), ((150, 201), 199), ((150, 160), 200), (None, 99), (None, 200), ((150, 160), None),
    ],
    ids=["starts early", "ends late", "registered late", "void early", "void late", "no bound"],
)  # fmt: skip
def test_effective_times_only_narrow(interval: tuple[int, int] | None, registered_by: int | None) -> None:
    held = enrolled(valid_from=100, expires=200).keys[OLD.public.kid]
    held.check_times((150, 200), 199)
    with pytest.raises(IdentityInvalid):
        held.check_times(interval, registered_by)
    enrolled().keys[OLD.public.kid].check_times(interval, registered_by)


def test_rejects_times_that_end_before_they_begin() -> None:
    body = enrolment(PARTY, GATEWAY, OLD, name=NAME, subjects=[], valid_from=5, expires=5)
    refused(DeviceKeys(PARTY), body, "is not after valid_from")


def test_rejects_a_resume_of_another_devices_stream() -> None:
    keys = enrolled()
    body = {"device": "g-other", "kid": OLD.public.kid, "stream": STREAM}
    for subject in ("g-other", GATEWAY):
        with pytest.raises(IdentityInvalid, match="no key of g-other"):
            check_resume(subject, body, keys)
    check_resume(GATEWAY, body | {"device": GATEWAY}, keys)
    check_resume(PARTY, body | {"device": PARTY, "kid": bytes(32)}, keys)


def test_resume_without_a_previous_is_the_previous() -> None:
    body = {"kid": bytes(32), "stream": STREAM, "next_sequence": 4, "previous": None}
    assert Restart.of(3, b"\3" * 32, body).previous == b"\3" * 32


@given(
    st.lists(st.tuples(st.sampled_from(["enrol", "rotate", "suspend", "lift", "revoke"]), st.integers(0, 2)))
)
def test_whatever_is_let_pass_a_device_has_at_most_one_key_that_signs(acts: list[tuple[str, int]]) -> None:
    keys, signers, final = DeviceKeys(PARTY), (OLD, NEW, THIRD), set()
    for index, (action, number) in enumerate(acts):
        signer, held = signers[number], keys.holder(GATEWAY)
        before = next((s for s in signers if held is not None and s.public.kid == held.key.kid), OLD)
        body = act(action, signer)
        if action == "enrol":
            body = enrolment(PARTY, GATEWAY, signer, name=NAME, subjects=[])
        elif action == "rotate":
            body = rotating(before, signer)
        try:
            keys.check(GATEWAY, body)
        except IdentityInvalid:
            continue
        keys.apply(index, body)
        assert sum(k.status in {"active", "suspended"} for k in keys.keys.values()) <= 1
        now = {kid for kid, k in keys.keys.items() if k.status in {"rotated", "revoked"}}
        assert final <= now, "a key that was withdrawn for good came back"
        final = now


def test_a_device_moves_to_another_algorithm_by_the_line_that_it_makes() -> None:
    for new in (generate_signer(ESP256), generate_signer(ML_DSA_44)):
        keys = enrolled()
        body = rotation(PARTY, GATEWAY, OLD, new, name=NAME, subjects=["m-main"], last=[])
        (asked,) = read_requests(write_request(body).splitlines(keepends=True))
        assert asked.body == body
        take(keys, body)
        assert keys.keys[new.public.kid].key.algorithm == new.public.algorithm
        take(keys, rotation(PARTY, GATEWAY, new, NEW, name=NAME, subjects=["m-main"], last=[]))


# -- parties ---------------------------------------------------------------------------------------


def party_body(signer: Ed25519Signer = OLD, **changes: Any) -> dict[str, Any]:
    return {
        "party": PARTY, "status": "admitted", "roles": ["enterprise"], "key": signer.public.cose_key(),
        "register_origin": f"log.example/{PARTY}/register", "data_origin": f"log.example/{PARTY}/data",
        "name": NAME, "org": None, "endorsements": [],
    } | changes  # fmt: skip


def rekeyed(
    old: Ed25519Signer = OLD, new: Ed25519Signer = NEW, shown_by: Ed25519Signer | None = None
) -> dict[str, Any]:
    body = party_body(new)
    signers = ((shown_by or new, "party"), (old, "predecessor"))
    return body | {"endorsements": [endorse(signer, "party", PARTY, role, body) for signer, role in signers]}


def book(*bodies: dict[str, Any]) -> PartyBook:
    made = PartyBook("r-registrar")
    for index, body in enumerate(bodies or (party_body(),)):
        made.check(body["party"], body)
        made.apply(index, body)
    return made


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (party_body(NEW), "needs the old key's word"),
        (rekeyed(old=THIRD), "old key does not vouch"),
        (rekeyed(shown_by=THIRD), "no proof that the party holds the key"),
        (rekeyed() | {"status": "suspended"}, "does not vouch"),
        (party_body(data_origin="log.example/e-other/data"), "not the party's logs"),
        (party_body(endorsements=rekeyed()["endorsements"]), "the key stays"),
    ],
    ids=[
        "registrar alone",
        "wrong old key",
        "wrong new key",
        "endorsed for another status",
        "logs",
        "useless",
    ],
)
def test_rejects_a_party_statement_that_does_not_fit(body: dict[str, Any], words: str) -> None:
    with pytest.raises(IdentityInvalid, match=words):
        book().check(PARTY, body)


def test_rejects_a_former_key_of_the_party_and_the_registrars_own_change() -> None:
    with pytest.raises(IdentityInvalid, match="was this party's before"):
        book(party_body(), rekeyed()).check(PARTY, rekeyed(NEW, OLD))
    own = book(party_body(party="r-registrar"))
    with pytest.raises(IdentityInvalid, match="stands in trust files"):
        own.check("r-registrar", rekeyed() | {"party": "r-registrar"})


def test_rejects_a_new_party_that_takes_another_partys_log() -> None:
    taken = party_body(NEW, party="e-other", register_origin=f"log.example/{PARTY}/register")
    with pytest.raises(IdentityInvalid, match="another party's logs"):
        book().check("e-other", taken)


def test_keeps_when_a_key_counted_and_when_a_party_was_suspended() -> None:
    made = book(party_body(), rekeyed(), party_body(NEW, status="suspended"), party_body(NEW))
    record = made.records[PARTY]
    assert [(s.key.kid, s.start, s.end) for s in record.keys] == [
        (OLD.public.kid, 0, 1), (NEW.public.kid, 1, None),
    ]  # fmt: skip
    assert [(p.status, p.start, p.end) for p in record.pauses] == [("suspended", 2, 3)]


def test_a_legal_person_is_looked_up_in_the_register_and_not_when_removed() -> None:
    org = "91350100M000100Y43"
    assert [r.party for r in book(party_body(org=org)).by_org(org)] == [PARTY]
    assert book(party_body(org=org), party_body(org=org, status="removed")).by_org(org) == []


# -- the file between registrar and party ----------------------------------------------------------


def test_a_party_endorses_the_registrars_own_words_with_both_keys() -> None:
    wish = read_rotation(write_rotation(rekeyed_body(party_body(reason="readmitted"), NEW.public)))
    made = read_rotation(write_rotation(endorse_rotation(wish, OLD, NEW)))
    book().check(PARTY, made)
    for old, new in ((OLD, THIRD), (NEW, NEW)):
        with pytest.raises(IdentityInvalid, match="written for another key"):
            endorse_rotation(wish, old, new)


def test_refuses_a_rotation_that_shows_people_another_party_than_it_states() -> None:
    data = write_rotation(rekeyed_body(party_body(), NEW.public))
    for old, new in ((PARTY, "e-other"), (NEW.public.text(), OLD.public.text())):
        with pytest.raises(IdentityInvalid, match="something else than its body"):
            read_rotation(data.replace(f'"{old}"'.encode(), f'"{new}"'.encode()))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_as_a_rotation_give_a_body_or_our_refusal(data: bytes) -> None:
    for file in (data, b'{"body": "' + data.hex().encode() + b'"}', b'{"body": ' + data + b"}"):
        with pytest.raises(AttestError):
            read_rotation(file)


# -- what headers never hold -----------------------------------------------------------------------


@pytest.mark.parametrize("org", ["91350100M000100Y43", "506700GE1G29325QX363"])
def test_no_header_holds_the_number_of_a_legal_person(org: str) -> None:
    low, data = org.lower(), f"log.example/{PARTY}/data"
    fields: dict[str, Any] = {
        "kind": "gap", "issuer": PARTY, "subject": GATEWAY, "issued_at": 0, "origin": data, "stream": "gaps",
        "sequence": 0, "previous": None, "interval": (0, 1), "checkpoint": None, "content": b"",
    }  # fmt: skip
    SignedStatement.parse(sign_statement(OLD, **fields).raw)
    hidden = [("issuer", org), ("issuer", f"e-{low}"), ("subject", org), ("subject", f"m-{low}")]
    hidden += [("origin", f"log.example/{part}/data") for part in (org, low, f"e-{low}")]
    for field, text in hidden:
        with pytest.raises(AttestError):
            SignedStatement.parse(sign_statement(OLD, **(fields | {field: text})).raw)
