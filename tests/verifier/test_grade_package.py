"""Packages of grade rules: what loosens a rule, misstates it or cannot be read is refused."""

from __future__ import annotations

import contextlib
import hashlib
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonseal_verifier.errors import GradeRuleInvalid
from carbonseal_verifier.grade_package import find_grade_rule, load_grade_rules, read_grade_rule

NAME = "CARBON-EFFICIENCY@1.0.0"
FOLDER = resources.files("carbonseal_verifier") / "grades" / "CARBON-EFFICIENCY" / "1.0.0"
TOML = (FOLDER / "grade_rule.toml").read_bytes()
FILES = {
    "grade_rule.toml": TOML,
    **{f"examples/{item.name}": item.read_bytes() for item in (FOLDER / "examples").iterdir()},
}


def changed(old, new):
    assert old in TOML.decode()
    return {**FILES, "grade_rule.toml": TOML.decode().replace(old, new).encode()}


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('opinions = ["unmodified"]', 'opinions = ["unmodified", "adverse"]', "accepts.opinions"),
        ('opinions = ["unmodified"]', 'opinions = ["disclaimer"]', "accepts.opinions"),
        ('opinions = ["unmodified"]', "opinions = []", "accepts.opinions"),
        ("[accepts]", '[accepts]\ndata_codes = ["red"]', "accepts.data_codes: unknown key"),
        ('["reasonable", "limited"]', '["none"]', "accepts.levels_of_assurance"),
        ('zh = "低碳等级：深绿"', 'zh = "深绿"', "without its noun"),
        ('en = "low-carbon grade: light green"', 'en = "light green"', "without its noun"),
        ('zh = "低碳等级：不可评定"', 'zh = "不可评定"', "without its noun"),
        ('ratio_at_most = "0.8"', 'ratio_at_most = "0.6"', "rising"),
        ('ratio_at_most = "0.8"', 'ratio_at_most = "1.3"', "rising"),
        ('ratio_at_most = "0.6"', 'ratio_at_most = "0"', "rising"),
        ('ratio_at_most = "0.6"', "ratio_at_most = 0.6", "plain decimal"),
        ('ratio_at_most = "0.6"', 'ratio_at_most = ""', "rising"),
        ('ratio_at_most = ""', 'ratio_at_most = "2.0"', "last without a limit"),
        ('grade = "none"', 'grade = "not_gradable"', "deep, mid, light, none"),
        (
            "[not_gradable.reasons.data-code-red]",
            "[not_gradable.reasons.data-code-blue]",
            "reasons.data-code",
        ),
        ("score = 1\n", "score = 0\n", "scores 1 to 5"),
        ("is_verified = true", "is_verified = false", "score 1 without verification"),
        ('data_sources = ["assets"]', 'data_sources = ["revenue"]', "without a score"),
        ('calculation = "intensity_ratio"', 'calculation = "always_deep"', "calculation"),
        ('end = ""', 'end = "2025-01-01T00:00:00Z"', "ends before it starts"),
        ('start = "2025-12-31T16:00:00Z"', "start = 2026-01-01", "misshapen"),
        ("places = 4", "places = 400", "places or mode"),
        ('version = "1.0.0"', 'version = "newest"', "ID@VERSION"),
        (
            'schema = "carbonseal-grade-rule/1"',
            'schema = "carbonseal-grade-rule/2"',
            "carbonseal-grade-rule/1",
        ),
        ('cure = { zh = "整改并关闭全部严重不符合项", en =', 'cure = { zh = "", en =', "empty text"),
        ("[title]", "[title", "not TOML"),
        ("[inputs.verification]", "[inputs.trust_me]", "inputs.verification: missing"),
    ],
)
def test_refuses_a_rule_that_loosens_or_misstates(old, new, match):
    with pytest.raises(GradeRuleInvalid, match=match):
        read_grade_rule(changed(old, new))


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"grade_rule.toml": TOML},
        {"examples/mid_green.json": b"{}"},
        {**FILES, "notes.txt": b"x"},
        {**FILES, "../grade_rule.toml": TOML},
        {**FILES, "examples/odd.json": b"[]"},
        {**FILES, "examples/odd.json": b"[" * 60_000},
        {**FILES, "examples/odd.json": b" " * 70_000},
        {**FILES, "grade_rule.toml": b"\xff"},
    ],
)
def test_refuses_a_package_with_odd_or_absent_files(files):
    with pytest.raises(GradeRuleInvalid):
        read_grade_rule(files)


LINES = TOML.split(b"\n")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(LINES) - 1), st.binary(max_size=12))
def test_a_replaced_line_is_read_or_refused_by_our_own_error(number, line):
    toml = b"\n".join([*LINES[:number], line, *LINES[number + 1 :]])
    with contextlib.suppress(GradeRuleInvalid):
        read = read_grade_rule({**FILES, "grade_rule.toml": toml})
        assert (read.digest == find_grade_rule(NAME).digest) == (toml == TOML)


def test_digest_is_what_sha256sum_of_the_sorted_lines_gives():
    lines = sorted(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in FILES.items())
    assert load_grade_rules()[NAME].digest == hashlib.sha256("".join(lines).encode()).digest()


def test_published_package_keeps_its_digest():
    # A published version never changes: whoever edits it makes a new version, and adds a line here.
    assert {name: rule.digest.hex() for name, rule in load_grade_rules().items()} == {
        NAME: "9ad636d29303d6cb01e4361da14fe2ba061d5682ec3f143584e24292bdb08ad1"
    }
