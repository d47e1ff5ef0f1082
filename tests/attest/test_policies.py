"""The registration policy: what it may not say, what it does not admit, and from where on it holds."""

from __future__ import annotations

from typing import Any

import pytest
from example_contents import DATA, METER, PARTY, REGISTER, bodies, key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.contents import KINDS
from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.identity.policies import ALWAYS, PolicyHistory, RegistrationPolicy
from carbonseal_attest.statement import Header

POLICY: dict[str, Any] = {**bodies()["genesis"]["policy"], "kinds": {}}
HOUR = 3_600_000
NOW = 1_767_229_200_000


def policy(**changes: Any) -> RegistrationPolicy:
    return RegistrationPolicy.of({**POLICY, **changes})


def header(kind: str = "readings", **changes: Any) -> Header:
    fields: dict[str, Any] = {
        "algorithm": -19, "kid": key("device").public.kid, "issuer": PARTY, "subject": METER,
        "issued_at": NOW // 1000, "kind": kind, "version": 1, "origin": DATA, "stream": "s", "sequence": 0,
        "previous": None, "interval": (NOW - HOUR, NOW), "checkpoint": None,
    }  # fmt: skip
    return Header(**(fields | changes))


def misfit(held: RegistrationPolicy, of: Header, **changes: Any) -> str | None:
    sizes: dict[str, Any] = {"statement_bytes": 400, "content_bytes": 500, "registered_by": NOW}
    found = held.misfit(of, **(sizes | changes))
    return None if found is None else found.rule


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("signer", ["party", "device", "log_host", "registrar"])
def test_no_policy_gives_a_kind_to_another_signer(kind: str, signer: str) -> None:
    kinds = {kind: {"signer": signer, "content_first": True}}
    if signer == KINDS[kind].signer:
        assert policy(kinds=kinds).is_content_first(kind)
    else:
        with pytest.raises(IdentityInvalid, match="would sign"):
            policy(kinds=kinds)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_content_follows_its_receipt_only_where_nothing_rests_on_it_at_once(kind: str) -> None:
    kinds = {kind: {"signer": KINDS[kind].signer, "content_first": False}}
    if kind in {"document", "business_record", "calibration"}:
        assert not policy(kinds=kinds).is_content_first(kind)
    else:
        with pytest.raises(IdentityInvalid, match="at once"):
            policy(kinds=kinds)


def test_what_the_log_host_writes_and_what_revokes_a_key_is_never_shut_out() -> None:
    written = {kind.name for kind in KINDS.values() if kind.signer == "log_host"}
    assert written <= ALWAYS
    narrow = policy(kinds={"gap": {"signer": "device", "content_first": True}}, max_content_bytes=1024)
    for kind in ALWAYS:
        assert misfit(narrow, header(kind), statement_bytes=4096, content_bytes=1 << 20) is None
    assert misfit(narrow, header()) == "kind"


def test_refuses_what_is_larger_than_it_admits_and_a_kind_that_there_is_not() -> None:
    held = policy(max_statement_bytes=1024, max_content_bytes=2048)
    assert misfit(held, header(), statement_bytes=1025) == "statement size"
    assert misfit(held, header(), content_bytes=2049) == "content size"
    assert misfit(held, header(), statement_bytes=1024, content_bytes=2048) is None
    assert misfit(held, header(), content_bytes=None) is None
    assert misfit(held, header("fictions")) == "kind"


@given(st.integers(0, 86_400_000), st.integers(-86_400_000, 86_400_000))
def test_a_clock_is_ahead_by_the_tolerance_and_no_further(tolerance: int, ahead: int) -> None:
    held = policy(clock_tolerance_ms=tolerance)
    measured = header(interval=(NOW - HOUR, NOW + ahead), issued_at=NOW // 1000 - 86_400)
    assert (misfit(held, measured) == "clock") == (ahead > tolerance)
    issued = header(issued_at=(NOW + ahead) // 1000, interval=(NOW - 2 * HOUR, NOW - HOUR))
    assert (misfit(held, issued) == "clock") == ((NOW + ahead) // 1000 * 1000 - NOW > tolerance)
    assert misfit(held, issued, registered_by=None) is None, "a checker does not judge a signer's clock here"
    report = header("emissions_report", interval=(NOW, NOW + 86_400_000))
    assert misfit(held, report) is None, "a period may end later than it is spoken of"


def test_a_policy_holds_what_follows_it_and_not_itself() -> None:
    history = PolicyHistory(REGISTER, PARTY)
    history.open(bytes(32), {"policy": POLICY})
    tried = history.copy()
    tried.apply(5, b"\x01" * 32, {"policy": {**POLICY, "late_after_ms": HOUR}, "reason": "r"})
    assert len(history.spans) == 1, "a copy is tried on"
    before = POLICY["late_after_ms"]
    assert [tried.at(index).late_after_ms for index in (0, 5, 6)] == [before, before, HOUR]
    assert tried.newest == policy(late_after_ms=HOUR)
    assert [(span.start, span.end) for span in tried.spans] == [(0, 6), (6, None)]


def test_nothing_is_amended_before_a_genesis() -> None:
    body = bodies()["policy"] | {"amends": bytes(32)}
    with pytest.raises(IdentityInvalid, match="amends"):
        PolicyHistory(REGISTER, PARTY).check(
            PARTY, body, log_key=key("log host").public, registrar_keys=[key("registrar").public]
        )
