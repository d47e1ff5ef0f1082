"""The data code: green only when nothing stands against it, and the same bytes every time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_scopes import DAY, METER, START, STEP, ScopeBuilder

from carbonseal_attest.contents import build_content, parse_content
from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier.errors import CatalogueInvalid, ProfileInvalid, UnknownRule
from carbonseal_verifier.quality.catalogue import FAMILIES, find_rule, load_catalogue, parse_rules
from carbonseal_verifier.quality.code import judge
from carbonseal_verifier.quality.profile import Profile, load_profile
from carbonseal_verifier.quality.rules import RULE_FUNCTIONS

WAVE = [10 + i % 7 for i in range(96)]
HEADS = [("log.example/e-a/data", 5, b"r" * 32), ("log.example/e-a/register", 4, b"s" * 32)]
DEFAULT = """
id = "test"
version = 1
[title]
zh = "测试"
en = "test"
[limits]
commit_delay_ms = 1000
clock_offset_ms = 1000
filing_days = 0
completeness_min_percent = "95"
late_max_percent = "5"
substituted_max_percent = "5"
"""


def day(values=WAVE) -> ScopeBuilder:
    return ScopeBuilder().point().readings(values)


def test_a_clean_day_is_green():
    assert judge(day().scope()).code == "green"


def test_a_major_finding_makes_it_red_with_reason_and_cure_in_both_languages():
    code = judge(day([*WAVE[:40], *["13.7"] * 20, *WAVE[60:]]).scope())
    assert code.code == "red"
    (found,) = [f for f in code.findings if f.is_blocking]
    assert set(found.cure) == set(found.observed) == {"zh", "en"}


def test_a_minor_finding_alone_leaves_it_green():
    code = judge(day(WAVE[:95]).scope())
    assert [f.severity for f in code.findings] == ["minor"]
    assert code.code == "green"


def test_missing_readings_never_give_green_even_under_a_profile_that_asks_for_none():
    builder = ScopeBuilder().point()
    builder.profile = Profile.parse(DEFAULT.replace('"95"', '"0"').encode())
    assert judge(builder.scope()).code == "red"


def partial(as_of: int, values=WAVE[:60]) -> ScopeBuilder:
    builder = day(values)
    builder.more["as_of"] = as_of
    return builder


def test_absent_readings_are_pending_until_the_period_ends_and_red_after():
    assert judge(partial(START + DAY - 1).scope()).code == "pending"
    assert judge(partial(START + DAY).scope()).code == "red"


def test_absent_readings_are_pending_until_the_profiles_filing_date():
    builder = partial(START + 41 * DAY - 1)
    builder.profile = Profile.parse(DEFAULT.replace("filing_days = 0", "filing_days = 40").encode())
    assert judge(builder.scope()).code == "pending"


def test_a_contradiction_is_red_at_once():
    assert judge(partial(START + DAY - 1, [*WAVE[:40], *["13.7"] * 20]).scope()).code == "red"


def test_a_clean_period_is_green_whatever_the_date():
    assert judge(partial(START, WAVE).scope()).code == "green"


def test_the_body_is_what_the_schema_admits_and_the_same_bytes_twice():
    bodies = []
    for _ in range(2):
        scope = day([*WAVE[:40], *["13.7"] * 20, *WAVE[60:90]]).scope()
        body = judge(scope).to_body(scope, plan_digest=b"p" * 32, cut_off=HEADS)
        bodies.append(
            build_content("quality_code", subject=METER, stream="quality", interval=(START, START + DAY),
                          body=body, salt=b"s" * 16)
        )  # fmt: skip
    assert bodies[0] == bodies[1]
    assert parse_content(bodies[0]).body["code"] == "red"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63)), min_size=1, max_size=120),
       st.sampled_from(["interval", "register", "instant"]))  # fmt: skip
def test_any_values_give_a_code_never_a_traceback(values, form):
    builder = ScopeBuilder().point(form=form, capacity_per_hour="0.001", register_modulus="1000")
    builder.point("b").check(
        check="ratio", a="main", b="b", ratio="0.000000001", ratio_unit="1", resolution="1"
    )
    builder.check(check="sum", whole="main", parts=["b"], tolerance_percent="1")
    builder.readings(values).readings(values, "b")
    scope = builder.scope()
    body = judge(scope).to_body(scope, plan_digest=b"p" * 32, cut_off=HEADS)
    build_content("quality_code", subject=METER, stream="q", interval=(0, 1), body=body, salt=b"s" * 16)


def test_contradictions_stand_before_what_is_late():
    builder = ScopeBuilder().point("a").point("b", device="m-b")
    builder.readings(WAVE, "a", is_late=True).readings([v + 1 for v in WAVE], "b", is_late=True)
    builder.check(check="ratio", a="a", b="b", ratio="1", ratio_unit="1", resolution="1")
    found = [f.rule for f in judge(builder.scope()).findings if f.severity == "major"]
    assert found == ["two-sources-disagree@1", "late-share@1"]


def test_every_rule_of_the_catalogue_has_its_code_and_no_code_lacks_a_rule():
    assert set(load_catalogue()) == set(RULE_FUNCTIONS)


def test_every_rule_states_what_it_is_for_in_both_languages():
    for rule in load_catalogue().values():
        assert rule.family in FAMILIES
        assert all(rule.title[k] and rule.purpose[k] for k in ("zh", "en"))
        assert all(p.reason and p.unit for p in rule.parameters.values())


def test_no_message_accuses_anybody():
    words = ("fraud", "falsif", "cheat", "forg", "lie ", "造假", "伪造", "作弊", "欺骗")
    for rule in load_catalogue().values():
        for part in rule.message.values():
            assert not any(word in part["en"].lower() or word in part["zh"] for word in words), rule.id


def test_find_rule_takes_the_version_and_refuses_an_unknown_name():
    assert find_rule("stuck@1") is find_rule("stuck")
    with pytest.raises(UnknownRule, match="no such rule"):
        find_rule("stuck@9")


@pytest.mark.parametrize("text", ["", "x", "[[rule]]\nid = 1", '[[rule]]\nid = "a"\nsurprise = 1'])
def test_rejects_a_broken_catalogue(text):
    with pytest.raises(CatalogueInvalid):
        parse_rules(text, "physics")


def test_the_profile_changes_parameters_and_severity_of_a_rule():
    profile = Profile.parse((DEFAULT + "[rules.stuck]\nmin_run = 4\nseverity = 'minor'\n").encode())
    builder = day([*WAVE[:40], *["13.7"] * 6, *WAVE[46:]])
    assert not builder.findings("stuck")
    builder.profile = profile
    assert builder.findings("stuck")[0].severity == "minor"
    assert profile.digest != load_profile("default@1").digest


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("filing_days = 0", "filing_days = 0\nsurprise = 1", "surprise"),
        ("filing_days = 0", "filing_days = -1", "filing_days"),
        ("filing_days = 0", "", "filing_days"),
        ('"95"', '"101"', "completeness_min_percent"),
        ('"95"', "95.0", "completeness_min_percent"),
        ('id = "test"', "", "id"),
        ('zh = "测试"', "", "title"),
        ("version = 1", "version = 1\nrules = { nonsense = {} }", "rules.nonsense"),
        ("version = 1", "version = 1\nrules = { stuck = { min_run = 'x' } }", "rules.stuck.min_run"),
        ("version = 1", "version = 1\nrules = { stuck = { severity = 'nice' } }", "rules.stuck.severity"),
    ],
)
def test_rejects_a_broken_profile_and_names_the_place(old, new, place):
    with pytest.raises(ProfileInvalid, match=place):
        Profile.parse(DEFAULT.replace(old, new).encode())


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_profile_or_our_error(data):
    with pytest.raises(CarbonsealError):
        Profile.parse(data)


def test_late_readings_are_seen_in_the_figures():
    builder = day(WAVE[:80]).readings(WAVE[80:], start=START + 80 * STEP, is_late=True)
    assert judge(builder.scope()).figures["late_percent"] == "16.6667"
