from __future__ import annotations

import hashlib
import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import bundle, cbor
from carbonseal_attest.bundle import MAX_MEMBER, read_members, write_bundle
from carbonseal_attest.bundle_reading import read_bundle
from carbonseal_attest.errors import BundleInvalid

MEMBERS = {"a": b"", "b/c": b"x" * 23, "b/cc": b"y" * 24, "z": b"z" * 300}


def written(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    trailer = write_bundle(members.items(), out)
    assert out.getvalue().endswith(trailer)
    return out.getvalue()


def read(data: bytes, **limits: int) -> dict[str, bytes]:
    return dict(read_members(io.BytesIO(data), **limits))


def mended(data: bytes) -> bytes:
    """`data` without its trailer, under a right one."""
    return data + cbor.encode(hashlib.sha256(data).digest())


def with_manifest(manifest: Any, *members: bytes, head: Any = ("carbonseal-bundle", 1)) -> bytes:
    return mended(b"".join(map(cbor.encode, [list(head), manifest, *members])))


def entry(data: bytes) -> list[Any]:
    return [len(data), hashlib.sha256(data).digest()]


@pytest.mark.parametrize("vector", read_vectors("bundle"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bundle"])
    if vector["want_error"]:
        with pytest.raises(BundleInvalid) as caught:
            read_bundle(io.BytesIO(data))
        assert caught.value.code == vector["want_error"]
    else:
        assert {name: member.hex() for name, member in read(data).items()} == vector["members"]
        assert written({name: bytes.fromhex(member) for name, member in vector["members"].items()}) == data


def test_members_come_in_the_order_of_the_manifest_whatever_order_they_were_given_in() -> None:
    data = written(MEMBERS)
    assert data == written(dict(reversed(MEMBERS.items())))
    assert list(read(data)) == ["a", "z", "b/c", "b/cc"]
    assert read(data) == MEMBERS


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/./b",
        ".a",
        "a\\b",
        "a b",
        "a\n",
        "\u00e9",
        "a" * 241,
        "C:x",
        "a\0",
    ],
    ids=ascii,
)
def test_refuses_member_name_that_could_leave_the_folder_or_double_a_path(name: str) -> None:
    with pytest.raises(BundleInvalid, match="malformed"):
        written({name: b""})
    with pytest.raises(BundleInvalid, match="malformed"):
        read(with_manifest({name: entry(b"")}, b""))


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        [],
        {"a": [0]},
        {"a": [True, hashlib.sha256(b"").digest()]},
        {"a": [-1, bytes(32)]},
        {"a": [MAX_MEMBER + 1, bytes(32)]},
        {"a": [1 << 63, bytes(32)]},
        {"a": [0, bytes(31)]},
        {1: entry(b"")},
        {"a": {"size": 0}},
    ],
    ids=repr,
)
def test_refuses_malformed_manifest(manifest: Any) -> None:
    with pytest.raises(BundleInvalid):
        read(with_manifest(manifest, b""))


@pytest.mark.parametrize(
    "head",
    [["carbonseal-bundle", 2], ["carbonseal-bundle", True], ["other", 1], ["carbonseal-bundle"], []],
    ids=repr,
)
def test_refuses_another_form_or_version(head: list[Any]) -> None:
    with pytest.raises(BundleInvalid, match=r"header"):
        read(with_manifest({"a": entry(b"")}, b"", head=head))


def test_refuses_member_whose_length_or_digest_differs_from_the_manifest() -> None:
    with pytest.raises(BundleInvalid, match="another length"):
        read(with_manifest({"a": entry(b"xy")}, b"x"))
    with pytest.raises(BundleInvalid, match="manifest's digest"):
        read(with_manifest({"a": entry(b"x")}, b"y"))


def test_refuses_member_that_the_manifest_lacks_and_manifest_without_its_member() -> None:
    with pytest.raises(BundleInvalid):
        read(with_manifest({"a": entry(b"x")}, b"x", b"y"))
    with pytest.raises(BundleInvalid):
        read(with_manifest({"a": entry(b"x"), "b": entry(b"y")}, b"x"))


def test_refuses_wrong_trailer_and_bytes_after_it() -> None:
    data = written(MEMBERS)
    with pytest.raises(BundleInvalid, match="trailer"):
        read(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleInvalid, match="followed by further bytes"):
        read(data + b"\0")
    with pytest.raises(BundleInvalid, match="followed by further bytes"):
        read(data + data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x9f",
        b"\xc0" * 70,
        b"\x9b" + b"\xff" * 8,
        b"\xbb" + b"\xff" * 8,
        b"\x5b" + b"\xff" * 8,
        b"\x81" * 60,
        b"\xff",
        cbor.encode(["carbonseal-bundle", 1]) + b"\x9a\xff\xff\xff\xff",
        cbor.encode(["carbonseal-bundle", 1]) + b"\x81" * 100 + b"\x00",
    ],
    ids=lambda data: data[:30].hex(),
)
def test_refuses_hostile_heads(data: bytes) -> None:
    with pytest.raises(BundleInvalid):
        read(data)


def test_refuses_manifest_of_too_many_parts_before_it_is_read() -> None:
    before = time.process_time()
    with pytest.raises(BundleInvalid, match="too large"):
        read(cbor.encode(["carbonseal-bundle", 1]) + b"\x9a\x01\x80\x00\x00" + bytes(25_000_000))
    assert time.process_time() - before < 3


def test_refuses_more_bytes_than_the_reader_allows_before_reading_them() -> None:
    data = with_manifest({"a": [1000, bytes(32)]})
    with pytest.raises(BundleInvalid, match="more than 999 bytes"):
        read(data, max_bundle=999)


def test_refuses_to_write_what_it_would_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleInvalid, match="given twice"):
        write_bundle([("a", b""), ("a", b"")], io.BytesIO())
    with pytest.raises(BundleInvalid, match="too many"):
        written({})
    monkeypatch.setattr(bundle, "_MAX_MANIFEST", 30)
    with pytest.raises(BundleInvalid, match="too much"):
        written({"a": b""})


def test_any_flipped_bit_is_refused() -> None:
    data = written(MEMBERS)
    for at in range(len(data)):
        with pytest.raises(BundleInvalid):
            read(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])


def test_flipped_bit_under_a_mended_trailer_is_refused_unless_it_renames_a_member() -> None:
    data = written(MEMBERS)[:-34]
    for at in range(len(data)):
        try:
            members = read(mended(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]))
        except BundleInvalid:
            continue
        # The layout refuses unknown names; the bytes of every member are still those of the manifest.
        assert set(members) != set(MEMBERS)
        assert sorted(members.values()) == sorted(MEMBERS.values())


@given(st.binary(max_size=200))
def test_any_bytes_after_the_header_give_our_refusal(data: bytes) -> None:
    for prefix in (b"", cbor.encode(["carbonseal-bundle", 1])):
        with pytest.raises(BundleInvalid):
            read(prefix + data)


names = st.from_regex(r"[a-z]{1,4}(/[a-z0-9@_-][a-z0-9.@_-]{0,3}){0,2}", fullmatch=True).filter(
    lambda n: ".." not in n
)


@given(st.dictionaries(names, st.binary(max_size=300), min_size=1, max_size=6))
def test_bundle_that_was_written_reads_back(members: dict[str, bytes]) -> None:
    assert read(written(members)) == members
