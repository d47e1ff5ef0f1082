"""Membership and MethodRegistry on a real node, by the calldata that the ledger writes, and what their events make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.contents import build_content, parse_content
from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.identity.parties import KeySpan, PartyRecord
from carbonseal_attest.membership import PARTY_TOPICS, Event, differences, fold_members, id_of
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger import membership as m
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.chain_answers import CallRefused, Fees
from carbonseal_ledger.chain_client import ChainAccount, ChainClient
from carbonseal_verifier import mirrored_events as mirrored
from carbonseal_verifier.case import StepFailed

GENESIS_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FEES = Fees(10**11, 10**9)
CAUSE, CURE = b"\x01" * 32, b"\x02" * 32
KEY = Ed25519Signer.from_seed(b"\x07" * 32).public
WORKS = "e-alices"


class Registrars:
    """Two registrars, and both contracts that they founded."""

    def __init__(self, node: AnvilNode) -> None:
        self.node, self.chain = node, ChainClient(node.url)
        self.first, self.second = (ChainAccount(bytes([number]) * 32) for number in (0x33, 0x44))
        for account in (self.first, self.second):
            node.fund(account.address)
        both = (self.first.address, self.second.address)
        self.members, self.methods = (self.first.contract_address_for(nonce) for nonce in (0, 1))
        self.send(self.first, None, m.deployment("Membership", both, [("enterprise", "verification_body")]))
        self.send(self.first, None, m.deployment("MethodRegistry", both, []))

    def send(self, account: ChainAccount, to: bytes | None, data: bytes) -> None:
        """Ask first, as everybody should, and send what would be taken."""
        self.chain.call(to, data, sender=account.address)
        nonce = self.chain.transaction_count(account.address)
        self.chain.send(self.chain.sign(account, to, data, nonce=nonce, fees=FEES, gas=6_000_000).raw)
        self.node.mine()

    def do(self, act: m.RegistrarAct) -> None:
        contract = self.members if act.contract == "Membership" else self.methods
        self.send(self.first, contract, act.proposal())
        self.send(self.second, contract, act.confirmation(self.first.address))

    def events(self) -> list[Event]:
        return m.events_between(self.chain, self.members, 0, self.chain.block("latest").number + 1)


@pytest.fixture
def registrars() -> Iterator[Registrars]:
    with AnvilNode(started_at=GENESIS_AT) as node:
        yield Registrars(node)


def _record(**changes: Any) -> dict[str, PartyRecord]:
    fields: dict[str, Any] = {
        "party": WORKS, "status": "admitted", "roles": frozenset({"enterprise"}), "register_origin": "o/r",
        "data_origin": "o/d", "name": {}, "org": None, "keys": (KeySpan(KEY, 1),),
    }  # fmt: skip
    return {WORKS: PartyRecord(**(fields | changes))}


def test_events_make_what_contract_and_register_say(registrars: Registrars) -> None:
    book, register = registrars, _record()
    assert differences(fold_members(book.events()), register) == [
        f"{WORKS} is admitted in the register and not in the contract"
    ]
    book.do(m.admission(WORKS, ["enterprise"], KEY.kid, roles=["reader"]))
    assert m.is_active(book.chain, book.members, WORKS)
    held = m.party_of(book.chain, book.members, WORKS)
    member = fold_members(book.events())[id_of(WORKS)]
    assert (member.kinds, member.roles) == (held.kinds, held.roles) == ({id_of("enterprise")}, {id_of("reader")})
    assert differences(fold_members(book.events()), register) == []

    book.send(book.second, book.members, m.suspension_data(WORKS, CAUSE))
    assert not m.is_active(book.chain, book.members, WORKS)
    assert differences(fold_members(book.events()), register) == [
        f"{WORKS} is admitted in the register and suspended in the contract"
    ]
    assert differences(fold_members(book.events()), _record(status="suspended")) == []
    book.do(m.lifting(WORKS, CAUSE, CURE))
    assert differences(fold_members(book.events()), register) == []
    book.do(m.removal(WORKS, CAUSE))
    assert differences(fold_members(book.events()), _record(status="removed")) == []
    assert m.party_of(book.chain, book.members, WORKS).status == "removed"


def test_differs_in_roles_keys_and_parties_that_the_register_lacks(registrars: Registrars) -> None:
    registrars.do(m.admission(WORKS, ["enterprise", "laboratory"], CAUSE))
    members = fold_members(registrars.events())
    assert [line.split(" ", 1)[1] for line in differences(members, _record())] == [
        "has other roles in the register than kinds in the contract",
        f"key {KEY.kid.hex()} does not stand in the contract",
    ]
    assert differences(members, {}) == [
        f"the contract has party 0x{id_of(WORKS).hex()}, and the register does not"
    ]


def test_contract_refuses_one_person_and_excluded_kinds(registrars: Registrars) -> None:
    act = m.admission(WORKS, ["enterprise"], KEY.kid)
    registrars.send(registrars.first, registrars.members, act.proposal())
    with pytest.raises(CallRefused):
        registrars.send(registrars.first, registrars.members, act.confirmation(registrars.first.address))
    both = m.admission(WORKS, ["verification_body", "enterprise"], KEY.kid)
    with pytest.raises(CallRefused):
        registrars.do(both)
    assert m.party_of(registrars.chain, registrars.members, WORKS).status == "none"


def test_methods_are_published_once_by_their_digest(registrars: Registrars) -> None:
    book = registrars
    book.do(m.publication("GBT32150-2015", "1.0.0", CAUSE, 1_767_225_600))
    held = m.version_of(book.chain, book.methods, "GBT32150-2015", "1.0.0")
    assert (held.status, held.digest, held.effective_until) == ("published", CAUSE, 0)
    assert m.version_of(book.chain, book.methods, "GBT32150-2015", "1.0.1").status == "none"
    with pytest.raises(CallRefused):
        book.do(m.publication("GBT32150-2015", "1.0.0", CURE, 1_767_225_600))
    with pytest.raises(CallRefused):
        m.version_of(book.chain, book.members, "GBT32150-2015", "1.0.0")


def test_mirror_statement_holds_the_event_byte_for_byte(registrars: Registrars) -> None:
    registrars.do(m.admission(WORKS, ["enterprise"], KEY.kid))
    events = registrars.events()
    assert {event.topics[0] for event in events} & PARTY_TOPICS
    for event in events:
        body = m.event_body("Membership", registrars.chain.chain_id, registrars.members, event)
        raw = build_content(
            "chain_event", subject="r-registrar", stream="s", interval=None, body=body, salt=b""
        )
        said = parse_content(raw).body
        assert (tuple(said["topics"]), said["data"], said["log_index"]) == (
            event.topics,
            event.data,
            event.log_index,
        )


def _case(book: Registrars, events: list[Event], register: dict[str, PartyRecord]) -> Any:
    """What the comparison asks of a check: the mirrored events, and what the register says."""
    contents = [
        m.event_body("Membership", book.chain.chain_id, book.members, event) for event in events
    ]
    statements = [SimpleNamespace(header=SimpleNamespace(kind="chain_event"), at=at) for at in range(len(events))]
    return SimpleNamespace(
        registrar=SimpleNamespace(register_origin="o/r"),
        logs={"o/r": SimpleNamespace(statements=statements)},
        content=lambda statement: SimpleNamespace(body=contents[statement.at]),
        parties=register,
    )


def test_node_agrees_with_the_mirror_and_a_difference_fails(
    registrars: Registrars, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, register = registrars, _record()
    monkeypatch.setattr(mirrored, "register_records", lambda case, _: case.parties)
    book.do(m.admission(WORKS, ["enterprise"], KEY.kid))
    events = book.events()
    said = mirrored.compare_membership(_case(book, events, register), book.node.url)
    assert f"has the {len(events)} events that are mirrored" in said
    assert mirrored.compare_membership(_case(book, [], register), book.node.url) == ""

    for missing in range(len(events) - 1):
        with pytest.raises(StepFailed):
            left = events[:missing] + events[missing + 1 :]
            mirrored.compare_membership(_case(book, left, register), book.node.url)
    forged = [*events[:-1], replace(events[-1], data=b"\1" + events[-1].data[1:])]
    with pytest.raises(StepFailed, match="otherwise"):
        mirrored.compare_membership(_case(book, forged, register), book.node.url)
    with pytest.raises(StepFailed, match="twice, or out of order"):
        mirrored.compare_membership(_case(book, [*events, events[-1]], register), book.node.url)
    with pytest.raises(StepFailed, match="suspended in the register and admitted in the contract"):
        mirrored.compare_membership(_case(book, events, _record(status="suspended")), book.node.url)

    book.send(book.second, book.members, m.suspension_data(WORKS, CAUSE))
    with pytest.raises(StepFailed, match="suspended on the chain by now"):
        mirrored.compare_membership(_case(book, events, register), book.node.url)
    book.do(m.lifting(WORKS, CAUSE, CURE))
    assert "events since" in mirrored.compare_membership(_case(book, events, register), book.node.url)


def test_rejects_a_node_of_another_chain(registrars: Registrars) -> None:
    registrars.do(m.admission(WORKS, ["enterprise"], KEY.kid))
    case = _case(registrars, registrars.events(), _record())
    with AnvilNode(started_at=GENESIS_AT, chain_id=7) as other, pytest.raises(StepFailed, match="chain 31337"):
        mirrored.compare_membership(case, other.url)


EVENT = Event(5, 1, CAUSE, CURE, (sorted(PARTY_TOPICS)[0], CAUSE), b"")


def test_rejects_events_out_of_order_or_about_nobody() -> None:
    unknown = replace(EVENT, topics=(b"\x09" * 32,))
    assert fold_members([unknown, replace(unknown, log_index=2)]) == {}
    with pytest.raises(IdentityInvalid, match="before or at"):
        fold_members([unknown, unknown])
    for topic in PARTY_TOPICS:
        with pytest.raises(IdentityInvalid):
            fold_members([replace(EVENT, topics=(topic,))])
        with pytest.raises(IdentityInvalid):
            fold_members([replace(EVENT, topics=(topic, CAUSE))])


@given(st.sampled_from(sorted(PARTY_TOPICS)), st.integers(2, 4), st.binary(max_size=320))
def test_any_event_makes_members_or_our_error(topic: bytes, topics: int, data: bytes) -> None:
    event = replace(EVENT, topics=(topic, *[CAUSE] * (topics - 1)), data=data)
    try:
        fold_members([event])
    except IdentityInvalid as error:
        assert error.remedy
