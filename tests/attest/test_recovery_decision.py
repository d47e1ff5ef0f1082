"""A decision to recover: two different operators, one body, an end within seven days."""

from __future__ import annotations

import pytest

from carbonseal_attest.endorsement import endorse
from carbonseal_attest.errors import ContentInvalid, DecisionInvalid, SignatureInvalid
from carbonseal_attest.recovery_decision import LONGEST_MS, ROLES, approve, check_decision
from carbonseal_attest.signing import Ed25519Signer, generate_signer

FIRST, SECOND, THIRD = (Ed25519Signer.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
OPERATORS = [FIRST.public, SECOND.public, THIRD.public]
NOW = 1_767_225_600_000


def body(*deciders, **changes):
    return {
        "act": "rebuild_copy", "origin": "log.example/e-works/data", "tree_size": 7, "root_hash": bytes(32),
        "view": None, "finding": "it shows 0 entries", "reason": "the disk failed", "decided_at": NOW,
        "until": NOW + LONGEST_MS, "operators": [s.public.cose_key() for s in deciders or (FIRST, SECOND)],
        "endorsements": [],
    } | changes  # fmt: skip


def signed(value, *signers):
    for signer in signers or (FIRST, SECOND):
        value = approve(signer, "h-host", value)
    return value


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST), (FIRST, SECOND, FIRST)])
def test_two_operators_in_any_order_give_the_same_decision(order):
    decision = signed(body(), *order)
    check_decision(decision, "h-host", OPERATORS)
    assert decision == signed(body())


def test_an_operator_may_hold_a_key_of_another_algorithm():
    other = generate_signer(-9)
    decision = signed(body(FIRST, other), FIRST, other)
    check_decision(decision, "h-host", [FIRST.public, other.public])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"until": NOW}, "until"),
        ({"until": NOW + LONGEST_MS + 1}, "until"),
        ({"view": "witness w"}, "view"),
        ({"act": "start_without"}, "view"),
        ({"act": "clock_stands", "view": "witness w"}, "view"),
        ({"operators": [FIRST.public.cose_key()] * 2}, "operators"),
    ],
)
def test_refuses_a_form_that_no_two_operators_may_sign(changes, field):
    value = body(**changes)
    both = [
        endorse(s, "recovery", "h-host", role, value) for s, role in zip((FIRST, SECOND), ROLES, strict=True)
    ]
    with pytest.raises(DecisionInvalid) as refusal:
        check_decision({**value, "endorsements": both}, "h-host", OPERATORS)
    assert refusal.value.field == f"decision.{field}"


def test_refuses_operators_who_are_not_named():
    with pytest.raises(DecisionInvalid, match="no operator's key here"):
        check_decision(signed(body()), "h-host", [FIRST.public, THIRD.public])


def test_refuses_one_signature_and_one_that_stands_in_both_places():
    one = signed(body(), FIRST)
    with pytest.raises(ContentInvalid):
        check_decision(one, "h-host", OPERATORS)
    twice = [one["endorsements"][0], {**one["endorsements"][0], "role": ROLES[1]}]
    with pytest.raises(SignatureInvalid):
        check_decision({**one, "endorsements": twice}, "h-host", OPERATORS)


def test_refuses_signatures_that_were_exchanged_or_made_for_another_host():
    decision = signed(body())
    first, second = decision["endorsements"]
    swapped = [{**first, "signature": second["signature"]}, {**second, "signature": first["signature"]}]
    with pytest.raises(SignatureInvalid):
        check_decision({**decision, "endorsements": swapped}, "h-host", OPERATORS)
    with pytest.raises(SignatureInvalid):
        check_decision(decision, "h-other", OPERATORS)


@pytest.mark.parametrize(
    "field", ["act", "origin", "tree_size", "root_hash", "finding", "reason", "decided_at"]
)
def test_refuses_any_change_after_signing(field):
    decision = signed(body())
    other = body(
        act="clock_stands", origin="log.example/e-other/data", tree_size=8, root_hash=bytes(31) + b"\x01",
        finding="x", reason="x", decided_at=NOW + 1,
    )  # fmt: skip
    with pytest.raises(SignatureInvalid):
        check_decision({**decision, field: other[field]}, "h-host", OPERATORS)


def test_who_is_not_named_cannot_approve():
    with pytest.raises(DecisionInvalid, match="does not name this key"):
        approve(THIRD, "h-host", body())
