"""Any bytes give a value or a refusal of ours: the files that the verifier room reads beside bundles.

Names and words in the documents tried are those that stand as texts in the reading module, so that some of
them get past its first look.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest.errors import CarbonsealError
from carbonseal_verifier import (
    findings_file,
    grade_input,
    grade_package,
    invitation,
    statement_file,
    transcript,
)
from carbonseal_verifier.grade_package import load_grade_rules
from carbonseal_verifier.quality import profile

RULE = next(iter(load_grade_rules().values()))
Reader = tuple[ModuleType, Callable[[bytes], Any]]
READERS: dict[str, Reader] = {
    "findings in JSON": (findings_file, lambda data: findings_file.parse_findings(data, is_toml=False)),
    "findings in TOML": (findings_file, lambda data: findings_file.parse_findings(data, is_toml=True)),
    "grade input": (grade_input, lambda data: grade_input.GradeInput.parse(data, RULE)),
    "grade rule": (grade_package, lambda data: grade_package.read_grade_rule({"grade_rule.toml": data})),
    "invitation": (invitation, invitation.Invitation.parse),
    "quality profile": (profile, profile.Profile.parse),
    "statement file": (
        statement_file,
        lambda data: statement_file.StatementFile.parse(data, kinds={"readings"}),
    ),
    "transcript": (transcript, transcript.parse_transcript),
}


def words(module: ModuleType) -> list[str]:
    return sorted(set(re.findall(r'"([A-Za-z][\w./-]{1,40})"', inspect.getsource(module))))


def documents(module: ModuleType) -> st.SearchStrategy[bytes]:
    """Bytes, JSON and TOML made of the module's own words."""
    word = st.sampled_from(words(module))
    leaf = (
        st.none()
        | st.booleans()
        | st.integers()
        | word
        | st.text(max_size=9)
        | st.sampled_from(["1.5", "00"])
    )
    value = st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(word, inner, max_size=6),
        max_leaves=20,
    )
    table = st.dictionaries(word, value, max_size=9)
    toml = st.lists(
        st.tuples(word, word | st.integers().map(str) | st.text(max_size=5)).map(
            lambda p: f'{p[0]} = "{p[1]}"'
        )
        | word.map(lambda name: f"[[{name}]]")
        | word.map(lambda name: f"[{name}]"),
        max_size=9,
    )
    return (
        st.binary(max_size=60)
        | table.map(lambda document: json.dumps(document).encode())
        | value.map(lambda document: json.dumps(document, allow_nan=True).encode())
        | toml.map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))
    )


@pytest.mark.parametrize("name", READERS)
def test_any_bytes_give_a_value_or_our_refusal(name: str) -> None:
    module, read = READERS[name]

    @settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=documents(module))
    def check(data: bytes) -> None:
        try:
            read(data)
        except CarbonsealError:
            return

    check()


HOSTILE = {
    "brackets": b"[" * 100_000,
    "braces": b'{"a":' * 50_000,
    "a TOML value in brackets": b"a = " + b"[" * 50_000,
    "a TOML key of dots": b"a" + b".a" * 20_000 + b" = 1",
    "a TOML table of dots": b"[a" + b".a" * 20_000 + b"]",
    "an inline table of dots": b"a = {a" + b".a" * 20_000 + b" = 1}",
    "a long integer": b'{"a": ' + b"1" * 10_000 + b"}",
    "a TOML integer": b"a = " + b"1" * 10_000,
    "a wide float": b'{"a": 1e999999999}',
    "a TOML date": b"a = 0000-00-00",
    "CBOR nested": b"\x81" * 100_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", READERS)
def test_bombs_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(CarbonsealError):
        READERS[name][1](data)
