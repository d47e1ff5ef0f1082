"""Hostile bundles: each is refused for a reason that it names, in linear time and bounded memory."""

from __future__ import annotations

import hashlib
import io
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from example_contents import DATA
from example_statements import example_bundle

from carbonseal_attest import bundle, cbor
from carbonseal_attest.bundle import MAX_MEMBER, MAX_MEMBERS, read_members, write_bundle
from carbonseal_attest.bundle_layout import CHUNK_BYTES, to_members
from carbonseal_attest.bundle_reading import from_members, read_bundle
from carbonseal_attest.cbor import MAX_ITEMS
from carbonseal_attest.errors import BundleInvalid

MEMBERS = dict(to_members(example_bundle()))
HEAD = cbor.encode(["carbonseal-bundle", 1])
MIB = 1 << 20


def written(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    write_bundle(members.items(), out)
    return out.getvalue()


WHOLE = written(MEMBERS)


def assembled(manifest: bytes, *members: bytes) -> bytes:
    """Header, manifest and members as they are given, under a right trailer."""
    data = b"".join((HEAD, manifest, *map(cbor.encode, members)))
    return data + cbor.encode(hashlib.sha256(data).digest())


def entry(data: bytes) -> list[Any]:
    return [len(data), hashlib.sha256(data).digest()]


def refused(data: bytes, match: str, *, memory: int = 8 * MIB, seconds: float = 2) -> None:
    """See that `data` is refused for a reason, within memory and time of this process."""
    tracemalloc.start()
    before = time.process_time()
    try:
        with pytest.raises(BundleInvalid, match=match):
            read_bundle(io.BytesIO(data))
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()
    assert time.process_time() - before < seconds


# -- bombs: what is claimed is more than what is there ----------------------------------------------


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\x9b" + b"\xff" * 8, "too large"),
        (HEAD + b"\xbb" + b"\xff" * 8, "too large"),
        (HEAD + b"\xba" + (MAX_MEMBERS + 1).to_bytes(4, "big") + b"\x61a\x82\x00\x58\x20", "too large"),
        (HEAD + b"\xa1\x7b" + b"\xff" * 8, "too large"),
        (HEAD + b"\xa1\x7a\x01\xff\xff\xff", "cut off"),
        (HEAD + b"\xbf\xff", "not the CBOR"),
        (HEAD + b"\xa1\x61a\xd8\x1c\x80", "not the CBOR"),
        (HEAD + b"\xf9\x00\x00", "not the CBOR"),
    ],
    ids=["header", "members", "one member too many", "name", "longest name", "indefinite", "tag", "float"],
)
def test_claimed_length_that_is_not_there_is_refused_without_reserving_it(data: bytes, match: str) -> None:
    refused(data, match, memory=40 * MIB)


def test_member_that_claims_more_than_the_file_is_refused_as_cut_off() -> None:
    manifest = {f"a/{n}": [MAX_MEMBER, bytes(32)] for n in range(15)}
    head = b"\x5a" + MAX_MEMBER.to_bytes(4, "big")
    refused(HEAD + cbor.encode(manifest) + head + b"x", "cut off", memory=80 * MIB)


def test_members_of_more_than_the_limit_together_are_refused_before_any_is_read() -> None:
    manifest = {f"a/{n}": [MAX_MEMBER, bytes(32)] for n in range(100)}
    refused(HEAD + cbor.encode(manifest), "members of more than 4294967296 bytes")


def test_more_members_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    count = MAX_MEMBERS + 1
    refused(HEAD + b"\xba" + count.to_bytes(4, "big") + b"\x00\x00" * count, "too large")
    monkeypatch.setattr(bundle, "MAX_MEMBERS", 3)
    with pytest.raises(BundleInvalid, match="too much"):
        written({f"a/{n}": b"" for n in range(4)})


def test_deep_nesting_is_refused() -> None:
    refused(HEAD + b"\x81" * 30_000_000, "too large", memory=80 * MIB, seconds=20)
    refused(assembled(cbor.encode({"a": [[[[0]]], b""]})), "not CBOR within limits")
    refused(written(MEMBERS | {"logs": b"\x81" * 100_000 + b"\x80"}), "not CBOR within limits")


def test_member_of_more_items_than_the_limit_is_refused_before_they_are_made() -> None:
    empties = b"\x9a" + (MAX_ITEMS + 1).to_bytes(4, "big") + b"\x80" * (MAX_ITEMS + 1)
    refused(written(MEMBERS | {f"maps/{DATA}": empties}), "more than 2000000 items", seconds=20)


def test_member_with_a_shared_value_is_refused() -> None:
    refused(written(MEMBERS | {"subject": b"\xd8\x1c\x81\xd8\x1d\x00"}), "not CBOR within limits")


def test_member_beyond_its_own_limit_is_refused() -> None:
    refused(written(MEMBERS | {"logs": cbor_bytes(17 * MIB)}), "at most 16777216", memory=80 * MIB)


def cbor_bytes(size: int) -> bytes:
    return b"\x5a" + size.to_bytes(4, "big") + bytes(size)


def test_many_small_members_take_linear_time_and_memory() -> None:
    took = []
    for count in (10_000, 40_000):
        data = written(MEMBERS | {f"packages/p@1/{n}": b"" for n in range(count)})
        before = time.process_time()
        assert len(read_bundle(io.BytesIO(data)).packages["p@1"]) == count
        took.append(time.process_time() - before)
    assert took[1] < 12 * took[0] + 0.5


# -- doubles, order, boundaries ---------------------------------------------------------------------


def test_file_cut_off_at_any_byte_is_refused() -> None:
    for size in range(len(WHOLE)):
        with pytest.raises(BundleInvalid):
            read_bundle(io.BytesIO(WHOLE[:size]))


def test_any_byte_added_anywhere_is_refused() -> None:
    for at in range(0, len(WHOLE) + 1, 7):
        with pytest.raises(BundleInvalid):
            read_bundle(io.BytesIO(WHOLE[:at] + b"\0" + WHOLE[at:]))


def test_manifest_that_names_a_member_twice_is_refused() -> None:
    row = cbor.encode("a") + cbor.encode(entry(b"x"))
    refused(assembled(b"\xa2" + row + row, b"x", b"x"), "not CBOR within limits")


def test_manifest_in_another_order_is_refused() -> None:
    rows = [cbor.encode(name) + cbor.encode(entry(data)) for name, data in (("b", b"y"), ("a", b"x"))]
    refused(assembled(b"\xa2" + b"".join(rows), b"y", b"x"), "deterministic")


def test_members_in_another_order_than_the_manifest_are_refused() -> None:
    refused(assembled(cbor.encode({"a": entry(b"x"), "b": entry(b"y")}), b"y", b"x"), "manifest's digest")


def test_length_in_more_bytes_than_it_needs_is_refused() -> None:
    data = HEAD + cbor.encode({"a": entry(b"x")}) + b"\x58\x01x"
    refused(data + cbor.encode(hashlib.sha256(data).digest()), "another length")


def test_member_that_comes_twice_is_refused() -> None:
    for row in MEMBERS.items():
        with pytest.raises(BundleInvalid, match=r"stands twice|not a member"):
            from_members([*MEMBERS.items(), row])


def test_second_bundle_behind_the_first_is_refused() -> None:
    refused(WHOLE + WHOLE, "followed by further bytes")


@pytest.mark.parametrize(
    "name",
    ["reports/../x.json", "packages/p@1/./method.toml", "packages/p@1//method.toml", "/subject", "subject/"],
)
def test_name_that_would_be_another_path_is_refused(name: str) -> None:
    refused(assembled(cbor.encode({name: entry(b"")}), b""), "malformed")


@pytest.mark.parametrize(
    "name",
    ["Subject", "subject.cbor", "trust.toml", "policy", "reports/x.json", "contents/0", "entries/x/000000"],
)
def test_member_that_no_bundle_has_is_refused(name: str) -> None:
    refused(written(MEMBERS | {name: cbor.encode([b"x"])}), "not a member|is missing")


def test_contents_larger_than_a_member_takes_are_refused() -> None:
    pair = cbor.encode([b"x" * (CHUNK_BYTES - 1), b"yy"])
    refused(written(MEMBERS | {"contents/000000": pair}), "not cut", memory=80 * MIB)


# -- writing ----------------------------------------------------------------------------------------


def test_members_are_taken_one_at_a_time_and_come_in_one_order() -> None:
    held: list[str] = []

    def one_by_one(names: list[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            held.append(name)
            yield name, MEMBERS[name]

    there, back = io.BytesIO(), io.BytesIO()
    write_bundle(one_by_one(sorted(MEMBERS)), there, spool=io.BytesIO())
    write_bundle(one_by_one(sorted(MEMBERS, reverse=True)), back)
    assert there.getvalue() == back.getvalue() == WHOLE
    assert held == [*sorted(MEMBERS), *sorted(MEMBERS, reverse=True)]


def test_writing_and_reading_hold_one_member_and_not_the_bundle(tmp_path: Any) -> None:
    size, count = 4 * MIB, 24
    path = tmp_path / "large"
    tracemalloc.start()
    try:
        with path.open("wb") as out, (tmp_path / "spool").open("w+b") as spool:
            write_bundle(((f"m/{n}", bytes([n]) * size) for n in range(count)), out, spool=spool)
        assert tracemalloc.get_traced_memory()[1] < 4 * size
        tracemalloc.reset_peak()
        with path.open("rb") as stream:
            assert sum(len(data) for _, data in read_members(stream)) == size * count
        assert tracemalloc.get_traced_memory()[1] < 4 * size
    finally:
        tracemalloc.stop()


def test_refuses_a_spool_that_gives_back_something_else() -> None:
    class Faulty(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return bytes(len(super().read(size)))

    with pytest.raises(BundleInvalid, match="came back from the spool"):
        write_bundle(MEMBERS.items(), io.BytesIO(), spool=Faulty())
