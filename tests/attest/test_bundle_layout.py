from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from example_contents import DATA, REGISTER, digest
from example_statements import example_bundle, statements
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.bundle_layout import to_members
from carbonseal_attest.bundle_reading import from_members
from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import BundleInvalid
from carbonseal_attest.merkle import leaf_hash

MEMBERS = dict(to_members(example_bundle()))
ENTRIES = f"entries/{DATA}/000000"
MAPS = f"maps/{DATA}"
REPORT = f"reports/{digest('report').hex()}.json"


def value(name: str) -> Any:
    return cbor.decode(MEMBERS[name])


def refuse(match: str, **changes: bytes | None) -> None:
    members = {**MEMBERS, **{name: data for name, data in changes.items() if data is not None}}
    for name, data in changes.items():
        if data is None:
            members.pop(name)
    with pytest.raises(BundleInvalid, match=match):
        from_members(members.items())


def test_bundle_that_was_laid_out_reads_back() -> None:
    made = example_bundle()
    assert from_members(MEMBERS.items()) == made
    assert dict(to_members(from_members(MEMBERS.items()))) == MEMBERS


def test_entries_and_prefix_together_give_the_signed_root() -> None:
    section = from_members(MEMBERS.items()).logs[DATA]
    head = Checkpoint.of_note(section.checkpoint)
    assert section.prefix.extend(map(leaf_hash, section.entries)).root() == head.root_hash


@pytest.mark.parametrize("name", ["subject", "logs", "log-of-logs", REPORT, ENTRIES])
def test_missing_member_is_refused(name: str) -> None:
    refuse("is missing", **{name: None})


@pytest.mark.parametrize(
    "name", ["trust.toml", "policy", "maps", "entries/x", "packages", "contents/000002", "logs/x"]
)
def test_member_that_a_bundle_does_not_have_is_refused(name: str) -> None:
    refuse("not a member", **{name: cbor.encode([b"x"])})


def test_entry_that_is_missing_added_or_in_a_hole_is_refused() -> None:
    second, third = value(ENTRIES)
    refuse("holds 1 entries instead of 2", **{ENTRIES: cbor.encode([second])})
    refuse("holds 3 entries instead of 2", **{ENTRIES: cbor.encode([second, third, third])})
    refuse("not a member", **{ENTRIES: None, f"entries/{DATA}/000001": MEMBERS[ENTRIES]})
    refuse("not a member", **{f"entries/{DATA}/000002": cbor.encode([third])})


def test_entries_cut_in_another_way_are_refused() -> None:
    second, third = value(ENTRIES)
    refuse("not cut", **{ENTRIES: cbor.encode([second]), f"entries/{DATA}/000001": cbor.encode([third])})


def test_entries_of_a_log_that_is_not_listed_are_refused() -> None:
    refuse("not a member", **{f"entries/{REGISTER}/000000": cbor.encode([b"x"])})


def test_logs_out_of_order_or_doubled_are_refused() -> None:
    (log,) = value("logs")
    refuse("stands twice", logs=cbor.encode([log, log]))
    refuse("not in order", logs=cbor.encode([log, {**log, "origin": "a.example/e-x/data"}]))


@pytest.mark.parametrize(
    "change",
    [
        {"end": 1},
        {"first": 3},
        {"first": True},
        {"prefix": []},
        {"prefix": [bytes(31)]},
        {"origin": "../etc"},
        {"checkpoint": b""},
        {"checkpoint": b"\xff"},
        {"policy": 1},
    ],
    ids=repr,
)
def test_malformed_log_is_refused(change: dict[str, Any]) -> None:
    (log,) = value("logs")
    refuse("logs", logs=cbor.encode([{**log, **change}]))


@pytest.mark.parametrize(
    "rows",
    [
        lambda row: [row, row],
        lambda row: [[2, *row[1:]], row],
        lambda row: [[0, *row[1:]]],
        lambda row: [[True, *row[1:]]],
        lambda row: [row[:-1]],
        lambda row: [row[:0]],
        lambda row: [row[0]],
        lambda row: dict(enumerate(row)),
    ],
)
def test_malformed_unsorted_or_doubled_epochs_of_a_map_are_refused(rows: Any) -> None:
    refuse("maps", **{MAPS: cbor.encode(rows(value(MAPS)[0]))})


def test_map_of_what_is_no_origin_is_refused() -> None:
    refuse("not a log origin", **{"maps/NOWHERE": cbor.encode([])})


def test_contents_that_are_not_sorted_are_refused() -> None:
    made = sorted([b"one", b"two", b"three"], key=digest_of)
    ordered = dataclasses.replace(example_bundle(), contents={digest_of(data): data for data in made})
    assert from_members(to_members(ordered)).contents == ordered.contents
    refuse("not sorted", **{"contents/000000": cbor.encode(made[::-1])})
    refuse("not sorted", **{"contents/000000": cbor.encode([made[0], made[0]])})


def digest_of(data: bytes) -> bytes:
    return digest(data.decode())


def test_period_that_ends_before_it_starts_is_refused() -> None:
    subject = value("subject")
    (report,) = subject["reports"]
    period = {**report["period"], "end": report["period"]["start"]}
    refuse(
        "ends before it starts", subject=cbor.encode({**subject, "reports": [{**report, "period": period}]})
    )


def test_reports_listed_twice_out_of_order_unlisted_or_without_their_file_are_refused() -> None:
    subject = value("subject")
    (report,) = subject["reports"]
    other, later = {**report, "report": digest("another")}, {**report["period"]}
    later["start"] += 1
    refuse("listed twice", subject=cbor.encode({**subject, "reports": [report, report]}))
    refuse("is missing", subject=cbor.encode({**subject, "reports": [report, other]}))
    refuse("reports", subject=cbor.encode({**subject, "reports": []}))
    refuse("not a member", **{f"reports/{digest('another').hex()}.json": b"{}"})
    refuse("not a member", **{"reports/report.json": b"{}"})
    second = {f"reports/{digest('another').hex()}.json": b"{}"}
    late_first = cbor.encode({**subject, "reports": [{**other, "period": later}, report]})
    refuse("not in order", subject=late_first, **second)


def test_two_reports_read_back_in_the_order_of_their_periods() -> None:
    made = example_bundle()
    (report,) = made.reports
    start, end = report.period
    earlier = dataclasses.replace(
        report, digest=digest("earlier"), period=(start - 1, end), report_pdf=b"%PDF"
    )
    both = dataclasses.replace(made, reports=(report, earlier))
    assert from_members(to_members(both)).reports == (earlier, report)
    assert from_members(to_members(both)).starts_at == start - 1


def test_package_that_names_no_file_is_refused() -> None:
    refuse("names no file", **{"packages/x": b""})


def test_many_logs_and_members_take_linear_time() -> None:
    (log,) = value("logs")
    logs = [{**log, "origin": f"log.example.org/e-{n:04d}/data"} for n in range(1000)]
    members = {f"packages/p/{n}": b"" for n in range(100_000)}
    members |= {f"entries/{item['origin']}/000000": MEMBERS[ENTRIES] for item in logs}
    members |= {name: data for name, data in MEMBERS.items() if name != ENTRIES} | {"logs": cbor.encode(logs)}
    before = time.process_time()
    assert len(from_members(members.items()).logs) == 1000
    assert time.process_time() - before < 10  # looking through all names for each log would take minutes


@given(st.lists(st.binary(min_size=1, max_size=3), min_size=2, max_size=600))
def test_entries_of_any_number_read_back(entries: list[bytes]) -> None:
    made = example_bundle()
    section = dataclasses.replace(made.logs[DATA], first=0, end=len(entries), entries=tuple(entries))
    section = dataclasses.replace(section, prefix=type(section.prefix)())
    bundle = dataclasses.replace(made, logs={DATA: section})
    assert from_members(to_members(bundle)) == bundle


@given(st.sampled_from(sorted(MEMBERS)), st.data())
def test_any_change_of_a_member_gives_a_bundle_or_our_refusal(name: str, data: st.DataObject) -> None:
    whole = MEMBERS[name]
    at = data.draw(st.integers(0, len(whole)))
    changed = whole[:at] + data.draw(st.binary(max_size=5)) + whole[at + data.draw(st.integers(0, 5)) :]
    try:
        from_members({**MEMBERS, name: changed}.items())
    except BundleInvalid:
        return


def test_statements_in_the_example_follow_each_other() -> None:
    assert [made.raw for made in statements(3)][1:] == list(from_members(MEMBERS.items()).logs[DATA].entries)
