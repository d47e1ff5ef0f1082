"""Lines that ask for devices to be enrolled: what is refused of a file and of a line."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.identity.device_requests import COLUMNS, Request, read_requests, write_request
from carbonseal_attest.identity.device_statements import enrolment, rotation
from carbonseal_attest.identity.devices import DeviceKeys

PARTY, NAME = "e-works", {"zh": "网关,一号", "en": 'gateway "1"'}
BODY = enrolment(PARTY, "g-one", key("one"), name=NAME, subjects=["m-bb", "m-aa"], expires=1_900_000_000_000)


def read(text: str) -> list[Request]:
    return list(read_requests(text.splitlines(keepends=True)))


def line(**cells: str) -> str:
    header, row = write_request(BODY).splitlines()
    values = dict(zip(header.split(","), next(csv.reader([row])), strict=True)) | cells
    return header + "\n" + ",".join('"' + values[c].replace('"', '""') + '"' for c in COLUMNS) + "\n"


@pytest.mark.parametrize("body", [
    BODY,
    rotation(PARTY, "g-one", key("one"), key("two"), name=NAME, subjects=[],
             last=[("readings/m-aa", 7, b"\7" * 32), ("readings/m-bb", 0, b"\1" * 32)], valid_from=0),
], ids=["enrol", "rotate"])  # fmt: skip
def test_what_a_device_wrote_is_what_its_party_reads(body: dict[str, Any]) -> None:
    (found,) = read(write_request(body))
    assert (found.problem, found.body, found.device) == (None, body, "g-one")
    if body["action"] == "enrol":
        DeviceKeys(PARTY).check("g-one", found.body or {})


def test_only_four_columns_are_needed() -> None:
    body = enrolment(PARTY, "g-two", key("two"), name={"zh": "g-two", "en": "g-two"}, subjects=[])
    proof = body["endorsements"][0]["signature"].hex()
    text = f"device,party,proof,public_key\n\ng-two,{PARTY},{proof},{key('two').public.text()}\n"
    (found,) = read("\ufeff" + text)
    assert (found.body, found.line) == (body, 3)


@pytest.mark.parametrize(
    "text",
    ["", "device,party\n", "device,party,proof,public_key,colour\n", "device,device,party,proof,public_key\n",
     'device,party,proof,public_key\n"g-1'],
    ids=["empty", "column missing", "unknown column", "column twice", "open quote"],
)  # fmt: skip
def test_refuses_a_file_that_cannot_be_used(text: str) -> None:
    with pytest.raises(IdentityInvalid):
        read(text)


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"public_key": "00" * 32}, "key"),
        ({"public_key": "x"}, "key"),
        ({"device": "Gateway One"}, "device"),
        ({"party": "91350100M000100Y43"}, "device.party"),
        ({"action": "adopt"}, "device.action"),
        ({"class": "robot"}, "device.class"),
        ({"expires": "tomorrow"}, "expires"),
        ({"last": "readings/m-aa"}, "last"),
        ({"last": "readings/m-aa:1:xx"}, "last"),
        ({"proof": "zz"}, "proof"),
        ({"proof": ""}, "device.endorsements"),
        ({"subjects": "m-aa M-B"}, "device.subjects"),
        ({"name_zh": "a\u202eb"}, "device.name.zh"),
    ],
)
def test_refuses_a_line_and_names_its_field(cells: dict[str, str], field: str) -> None:
    good = write_request(BODY, with_header=False)
    bad, after = read(line(**cells) + good)
    assert bad.body is None
    assert bad.problem is not None
    assert bad.problem.field.startswith(field)
    assert after.body == BODY, "one bad line keeps another out"


@pytest.mark.parametrize(
    "cells", [{"subjects": "m-aa"}, {"reason": "other"}, {"device": "g-two"}, {"expires": ""}], ids=str
)
def test_a_cell_changed_on_the_way_breaks_the_proof(cells: dict[str, str]) -> None:
    (found,) = read(line(**cells))
    assert found.body is not None
    with pytest.raises(IdentityInvalid, match="no proof"):
        DeviceKeys(PARTY).check(found.body["device"], found.body)


def test_says_how_many_cells_a_line_has() -> None:
    (found,) = read("device,party,proof,public_key\ng-1,e-works\n")
    assert found.problem is not None
    assert "2 cells under 4" in found.problem.reason


@given(st.text(max_size=300))
def test_any_text_gives_requests_or_our_refusal(text: str) -> None:
    for prefix in ("", "device,party,proof,public_key\n", ",".join(COLUMNS) + "\n"):
        try:
            found = read(prefix + text)
        except IdentityInvalid:
            continue
        assert all((one.body is None) == (one.problem is not None) for one in found)
