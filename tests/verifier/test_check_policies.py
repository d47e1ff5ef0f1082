"""Step policies over a bundle: amendments that nobody agreed to, and entries that the policy shut out."""

from __future__ import annotations

import pytest
from bundle_factory import (
    END,
    GATEWAY,
    HOUR,
    LINE,
    MINUTE,
    OPERATOR,
    POLICY,
    REGISTRAR,
    START,
    World,
    caught,
    data,
    honest,
    reason,
    register,
)

from carbonseal_attest.endorsement import endorse
from carbonseal_attest.statement import SignedStatement

GAPS_ONLY = {"gap": {"signer": "device", "content_first": True}}


def rules(**signers):
    return {kind: {"signer": signer, "content_first": True} for kind, signer in signers.items()}


ENOUGH = rules(
    readings="device",
    quality_code="party",
    emissions_report="party",
    document="party",
    monitoring_plan="party",
)


def amend(world, *, log_host="log", registrar=REGISTRAR, **changes):
    log = world.logs[register(OPERATOR)]
    if not hasattr(world, "newest"):
        world.newest = SignedStatement.parse(log.entries[0]).digest
    about = {name: changes.pop(name) for name in ("amends", "origin", "by") if name in changes}
    by = about.pop("by", OPERATOR)
    body = {
        "origin": register(OPERATOR), "amends": world.newest, "reason": "a test",
        "policy": {**POLICY, **changes}, "endorsements": [],
    } | about  # fmt: skip
    body["endorsements"] = [
        endorse(world.keys[log_host], "policy", OPERATOR, "log_host", body),
        endorse(world.keys[registrar], "policy", OPERATOR, "registrar", body),
    ]
    world.newest = world.add(register(OPERATOR), by, "policy", body).digest
    return world


def day(world, number):
    for window in range(4 * (number - 1), 4 * number):
        world.now = START + (window + 1) * 6 * HOUR + MINUTE
        world.seal_window(START + window * 6 * HOUR, 24)
    world.now += MINUTE


def told(between, *, closings=1):
    """The two days of the story, with something said after the first day and some epochs closed after it."""
    world = World().found()
    day(world, 1)
    world.close_epoch()
    between(world)
    for _ in range(closings):
        world.now += MINUTE
        world.close_epoch()
    day(world, 2)
    world.seal_window(END, 1, meters=(LINE,))
    world.now = END + 10 * MINUTE
    world.close_epoch()
    return world.file()


def test_passes_an_amendment_and_shows_which_policies_held():
    world = told(lambda world: amend(world, kinds=ENOUGH), closings=3)
    result = world.check()
    assert result.has_passed, [step for step in result.steps if step.outcome != "passed"]
    at = len(world.logs[register(OPERATOR)].entries)
    shown = reason(result, "policies")
    assert f"{OPERATOR} under 2 policies (amended at " in shown
    assert "of which the data log shows 2" in shown
    assert at > 0


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"log_host": OPERATOR}, "endorsement by log_host"),
        ({"registrar": OPERATOR}, "endorsement by registrar"),
        ({"amends": bytes(32)}, "content.body.amends"),
        ({"origin": data(OPERATOR)}, "content.body.origin"),
        ({"kinds": rules(readings="party")}, "a party would sign readings"),
        ({"kinds": {"readings": {"signer": "device", "content_first": False}}}, "is needed at once"),
        ({"kinds": rules(fictions="party")}, "is no kind of the registry"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_catches_an_amendment_that_party_log_host_and_registrar_did_not_all_agree_to(lie, why):
    result = told(lambda world: amend(world, **lie)).check()
    assert caught(result) == "policies"
    assert why in reason(result, "policies")


def test_catches_an_amendment_signed_by_a_device():
    result = told(lambda world: amend(world, by=GATEWAY)).check()
    assert caught(result) == "signatures"


def test_catches_readings_that_the_policy_had_shut_out_two_epochs_before():
    result = told(lambda world: amend(world, kinds=GAPS_ONLY), closings=3).check()
    assert caught(result) == "policies"
    assert "leaves readings out" in reason(result, "policies")


def test_admits_what_was_on_its_way_while_the_policy_was_logged():
    """Within an epoch the order is not known, and an entry waits for its publication in the next."""
    world = told(lambda world: amend(world, kinds=GAPS_ONLY), closings=0)
    result = world.check()
    assert "leaves readings out" not in reason(result, "policies")


def test_catches_an_entry_larger_than_the_policy_admits():
    result = told(lambda world: amend(world, max_content_bytes=1024), closings=3).check()
    assert caught(result) == "policies"
    assert "content: " in reason(result, "policies")


def test_catches_a_data_log_that_begins_under_another_policy_than_the_register():
    class Two(World):
        def genesis(self, origin, party, by):
            import bundle_factory

            bundle_factory.POLICY["bytes_per_day"] = 1 << 30 if origin.endswith("/data") else 1 << 34
            try:
                super().genesis(origin, party, by)
            finally:
                bundle_factory.POLICY["bytes_per_day"] = 1 << 34

    result = Two().found().measure().file().check()
    assert caught(result) == "policies"
    assert "another policy than the register" in reason(result, "policies")


def test_an_untouched_bundle_says_whose_policies_held():
    assert "each under their policy" in reason(honest().check(), "policies")
