from __future__ import annotations

import itertools

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import PolicyInvalid
from carbonseal_attest.tlog_policy import MAX_DEFINED, MAX_POLICY, TlogPolicy
from carbonseal_attest.vkey import ED25519_COSIGNATURE, ED25519_NOTE, Vkey

LOG = str(Vkey("log.example.org/e-a/data", ED25519_NOTE, key("log host").public))


def witness_key(name: str, *, owner: str = "") -> str:
    return str(Vkey(f"witness.example/{name}", ED25519_COSIGNATURE, key(f"witness {owner or name}").public))


W1, W2, W3 = (witness_key(name) for name in ("w1", "w2", "w3"))
# The example of the specification.
EXAMPLE = f"""log {LOG}

witness X1 {witness_key("x1")}
witness X2 {witness_key("x2")}
witness X3 {witness_key("x3")}
group X-witnesses 2 X1 X2 X3

witness Y1 {witness_key("y1")}
witness Y2 {witness_key("y2")}
witness Y3 {witness_key("y3")}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no quorum line"),
        ("# quorum none\n", "no quorum line"),
        ("quorum none\n\x01", "control character"),
        ("quorum none\r\n", "control character"),
        ("quorum none\n\x7f", "control character"),
        ("quibble w1\nquorum none\n", "line 1: not a log"),
        (f"witness w1 {W1} https://w1.example/ # comment\nquorum w1\n", "line 1: not a log"),
        ("log\nquorum none\n", "line 1: not a log"),
        ("log garbage\nquorum none\n", "verifier key"),
        (f"log {LOG}\u00a0\nquorum none\n", "verifier key"),
        (f"log {LOG}\nlog {LOG} https://log.example/\nquorum none\n", "second log with this key"),
        ("witness w1\nquorum none\n", "line 1: not a log"),
        (f"witness w1 {LOG}\nquorum w1\n", "type 01 is not one of a cosignature"),
        (f"witness none {W1}\nquorum none\n", "reserved or taken"),
        (f"witness w1 {W1}\nwitness w1 {W2}\nquorum w1\n", "reserved or taken"),
        (f"witness w1 {W1}\nwitness w2 {W1}\nquorum w1\n", "second witness with this key"),
        (
            f"witness w1 {W1}\nwitness w2 {witness_key('impostor', owner='w1')}\nquorum w1\n",
            "second witness with this key",
        ),
        (f"witness w1 {W1}\ngroup w1 any w1\nquorum w1\n", "reserved or taken"),
        (f"witness w1 {W1}\ngroup g any w1\nwitness g {W2}\nquorum g\n", "reserved or taken"),
        (f"witness w1 {W1}\ngroup none any w1\nquorum none\n", "reserved or taken"),
        (f"witness w1 {W1}\ngroup g 1\nquorum w1\n", "line 2: not a log"),
        (f"witness w1 {W1}\ngroup g 0 w1\nquorum g\n", "threshold"),
        (f"witness w1 {W1}\ngroup g -1 w1\nquorum g\n", "threshold"),
        (f"witness w1 {W1}\ngroup g 01 w1\nquorum g\n", "threshold"),
        (f"witness w1 {W1}\ngroup g \u0661 w1\nquorum g\n", "threshold"),
        (f"witness w1 {W1}\ngroup g 2 w1\nquorum g\n", "threshold"),
        (f"witness w1 {W1}\ngroup g {10**400} w1\nquorum g\n", "threshold"),
        (f"witness w1 {W1}\ngroup g any w2\nquorum g\n", "member that no line before"),
        (f"group g any w1\nwitness w1 {W1}\nquorum g\n", "member that no line before"),
        (f"witness w1 {W1}\ngroup g any g\nquorum g\n", "member that no line before"),
        (f"witness w1 {W1}\ngroup g any none w1\nquorum g\n", "member that no line before"),
        (f"witness w1 {W1}\ngroup g all w1 w1\nquorum g\n", "already counts"),
        (
            f"witness w1 {W1}\nwitness w2 {W2}\ngroup g any w1 w2\ngroup h any w1\nquorum g\n",
            "already counts",
        ),
        (f"witness w1 {W1}\nquorum w1\nquorum w1\n", "second quorum"),
        ("quorum unknown\n", "quorum that no line before"),
        (f"quorum w1\nwitness w1 {W1}\n", "quorum that no line before"),
        ("quorum\n", "line 1: not a log"),
        ("quorum none none\n", "line 1: not a log"),
        ("#" * (MAX_POLICY + 1), "longer than"),
    ],
)
def test_refuses_policy_that_is_malformed_or_could_count_a_witness_twice(text: str, reason: str) -> None:
    with pytest.raises(PolicyInvalid, match=reason):
        TlogPolicy.parse(text)


def test_refuses_more_definitions_than_the_limit() -> None:
    def policy(count: int) -> str:
        lines = [f"witness w{n} {witness_key(f'w{n}')}" for n in range(count)]
        return "\n".join([*lines, "quorum w0", ""])

    assert len(TlogPolicy.parse(policy(MAX_DEFINED)).witnesses) == MAX_DEFINED
    with pytest.raises(PolicyInvalid, match="more than"):
        TlogPolicy.parse(policy(MAX_DEFINED + 1))


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        "quorum none",
        f"\n# comment\n\t # another\n\twitness \t w1  {W1}   https://w1.example/  \n\n  quorum\tw1",
        f"witness all {W1}\nwitness any {W2}\ngroup group 2 all any\nquorum group\n",
        f"witness K\u212aw {W1}\nquorum K\u212aw\n",
    ],
)
def test_policy_prints_to_the_very_text_it_was_read_from(text: str) -> None:
    assert str(TlogPolicy.parse(text)) == text
    assert bytes(TlogPolicy.from_bytes(text.encode())) == text.encode()


def test_names_are_octets_and_need_no_encoding() -> None:
    data = b"witness K\xe2\x84\xaa-w\x80 " + W1.encode() + b"\nquorum K\xe2\x84\xaa-w\x80\n"
    policy = TlogPolicy.from_bytes(data)
    assert bytes(policy) == data
    assert policy.is_met(policy.witnesses)
    assert not policy.is_met({"K-w\udc80"})


def test_example_of_the_specification_is_met_by_two_of_x_and_one_of_y_alone() -> None:
    policy = TlogPolicy.parse(EXAMPLE)
    assert [str(log) for log in policy.logs] == [LOG]
    assert list(policy.witnesses) == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    for size in range(7):
        for chosen in itertools.combinations(policy.witnesses, size):
            enough = sum(n[0] == "X" for n in chosen) >= 2 and any(n[0] == "Y" for n in chosen)
            assert policy.is_met(frozenset(chosen)) == enough


def test_names_of_groups_do_not_count_as_witnesses() -> None:
    policy = TlogPolicy.parse(EXAMPLE)
    assert not policy.is_met({"X-and-Y", "X-witnesses", "Y-witnesses"})
    assert not policy.is_met({"X1", "Y1", "X-witnesses"})


def test_quorum_of_none_is_met_by_nobody_and_that_of_a_witness_by_it_alone() -> None:
    assert TlogPolicy.parse("quorum none\n").is_met(())
    alone = TlogPolicy.parse(f"witness w1 {W1}\nwitness w2 {W2} https://w2.example/\nquorum w1\n")
    assert alone.is_met({"w1"})
    assert not alone.is_met({"w2", "none"})
    assert alone.urls == {W2: "https://w2.example/"}


@given(st.binary(max_size=80) | st.text("\n\t #quorum nonegroupwitness12", max_size=80).map(str.encode))
def test_any_bytes_give_a_policy_that_prints_to_itself_or_our_refusal(data: bytes) -> None:
    for whole in (data, f"witness w1 {W1}\n".encode() + data, data + b"\nquorum none\n"):
        try:
            policy = TlogPolicy.from_bytes(whole)
        except PolicyInvalid:
            continue
        assert bytes(policy) == whole
