"""Any bytes as a vector file: every case is judged or the file refused, in work that grows with the file."""

from __future__ import annotations

import copy
import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonseal_attest.errors import CarbonsealError

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "fuzz"))

from fuzz_targets import attempt  # noqa: E402 - the folder has to be on the path first
from vector_reader import vector_file  # noqa: E402 - same
from work_counting import grows_linearly  # noqa: E402 - same

DOCUMENTS = [
    json.loads(path.read_text(encoding="utf-8")) for path in sorted((TESTS / "vectors").glob("*/*.json"))
]
for document in DOCUMENTS:
    document["vectors"] = document.get("vectors", [])[:2]
PUBLIC: list[Any] = [
    {"leafIdx": 0, "treeSize": 2, "root": None, "leafHash": "", "proof": None, "desc": "d", "wantErr": True},
    {"size1": 1, "size2": 1, "root1": "", "root2": "", "proof": [], "desc": "d", "wantErr": False},
    {"start": 0, "end": 1, "size": 2, "root1": "", "root2": "", "proof": [], "wantErr": False},
    [{"hex": "f93c00", "roundtrip": True, "decoded": 1.0}],
    [{"number": 1, "key": "00", "sig": "", "msg": "m", "flags": None}],
    {
        "algorithm": "EDDSA",
        "testGroups": [
            {"publicKey": {"pk": "00" * 32}, "tests": [{"tcId": 1, "msg": "", "sig": "", "result": "valid"}]}
        ],
    },
    {
        "title": "t",
        "input": {"plaintext": "p", "sign0": {"key": {"kty": "EC"}}},
        "output": {"cbor": "d2840000"},
    },
]
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([1 << 64, -(1 << 70), 10**400])
    | st.text(max_size=9)
    | st.binary(max_size=40).map(bytes.hex)
    | st.sampled_from([[], {}, [[]], [{}], {"path": "a", "vector": {}}]).map(copy.deepcopy)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inside for place in places(part, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A vector file of ours or of a public suite with up to three values replaced, perhaps cut or packed."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS + PUBLIC)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.sampled_from(places(document)))
        if not at:
            document = draw(leaves)
            continue
        target = document
        for key in at[:-1]:
            target = target[key]
        target[at[-1]] = draw(leaves)
    if draw(st.booleans()):
        document = [{"path": "a", "vector": document}]
    data = json.dumps(document).encode()
    data = data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data
    return gzip.compress(data, mtime=0) if draw(st.integers(0, 9)) == 0 else data


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=mutated() | st.binary(max_size=200))
def test_any_file_is_judged_or_refused(data: bytes) -> None:
    attempt(vector_file, data)


def several(document: dict[str, Any], key: str) -> Callable[[int], bytes]:
    """A file of the same vector many times over."""
    return lambda n: json.dumps(document | {key: document[key][:1] * n}).encode()


BUILDERS: dict[str, Callable[[int], bytes]] = {
    "cases of the CBOR appendix": lambda n: json.dumps([{"hex": "00", "roundtrip": True}] * n).encode(),
    "paths": lambda n: json.dumps([{"path": "p", "vector": PUBLIC[0]}] * n).encode(),
    "a long path": lambda n: json.dumps([{"path": "p" * n, "vector": PUBLIC[0]}] * 3).encode(),
    "a long proof": lambda n: json.dumps(PUBLIC[0] | {"proof": ["AAAA"] * n}).encode(),
    "a huge size": lambda n: json.dumps(PUBLIC[0] | {"treeSize": 10**n}).encode(),
    "nested": lambda n: b"[" * n + b"]" * n,
    "members": lambda n: json.dumps({f"k{i}": i for i in range(n)}).encode(),
    "a long hex": lambda n: json.dumps([{"hex": "00" * n, "roundtrip": True}]).encode(),
    "a note": lambda n: b"a\n\n" + "\N{EM DASH} a AAAAAAA=\n".encode() * n,
    "a COSE message": lambda n: b"\xd2\x84" + b"\x40" * n,
    "an empty test group": lambda n: json.dumps(
        PUBLIC[5] | {"testGroups": PUBLIC[5]["testGroups"] * n}
    ).encode(),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_work_grows_no_faster_than_the_file(name: str) -> None:
    assert grows_linearly(vector_file, BUILDERS[name])


def test_the_reader_does_read_what_it_is_given() -> None:
    for public in PUBLIC:
        try:
            vector_file(json.dumps(public).encode())
        except CarbonsealError as error:
            pytest.fail(f"{error}")
