from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from example_contents import DATA, INTERVAL, METER, PARTY, content, key
from example_statements import statement, statements
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.contents import check_content
from carbonseal_attest.cose import Sign1, join_sign1, sig_structure, sign1
from carbonseal_attest.errors import CarbonsealError, ContentInvalid, SignatureInvalid, StatementInvalid
from carbonseal_attest.keys import ED25519, PublicKey
from carbonseal_attest.statement import MAX_STATEMENT, SignedStatement, media_type, sign_statement

MADE = statement()


def signed(**changes: Any) -> SignedStatement:
    fields: dict[str, Any] = {
        "kind": "readings",
        "issuer": PARTY,
        "subject": METER,
        "issued_at": 1_767_229_200,
        "origin": DATA,
        "stream": "readings/m-boiler1",
        "sequence": 0,
        "previous": None,
        "interval": INTERVAL,
        "checkpoint": None,
        "content": content("readings"),
    }
    return sign_statement(key("device"), **{**fields, **changes})


def with_label(label: int, value: Any) -> bytes:
    """The example statement with one label set, or removed where the value is Ellipsis."""
    labels = cbor.decode(MADE.protected)
    labels = {**labels, label: value} if value is not ... else {k: v for k, v in labels.items() if k != label}
    return b"\xd2" + cbor.encode([cbor.encode(labels), {}, MADE.payload, MADE.signature])


@pytest.mark.parametrize("vector", read_vectors("statement"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["statement"])
    if vector["want_error"] == "malformed-statement":
        with pytest.raises(StatementInvalid):
            SignedStatement.parse(data)
        return
    made = SignedStatement.parse(data)
    public = PublicKey(ED25519, bytes.fromhex(vector["public"]))
    if vector["want_error"]:
        with pytest.raises(CarbonsealError) as caught:
            made.verify_signature(public)
        assert caught.value.code == vector["want_error"]
        return
    made.verify_signature(public)
    assert made.digest.hex() == vector["digest"]
    assert made.payload == hashlib.sha256(bytes.fromhex(vector["content"])).digest()


@pytest.mark.parametrize("label", [1, 4, 15, 16, 258, 259, -70001, -70002, -70003])
def test_refuses_missing_label(label: int) -> None:
    with pytest.raises(StatementInvalid, match="required label is missing"):
        SignedStatement.parse(with_label(label, ...))


@pytest.mark.parametrize("label", [2, 3, 5, 33, 257, 260, 395, -70000, -70007])
def test_refuses_label_outside_the_profile(label: int) -> None:
    # 2 (crit), 5 (IV), 33 (x5chain): whoever reads those would read another statement than we do.
    with pytest.raises(StatementInvalid):
        SignedStatement.parse(with_label(label, [4]))


@pytest.mark.parametrize("label", [1, 4, 15, 16, 258, 259, -70001, -70002, -70003, -70004, -70005, -70006])
@pytest.mark.parametrize(
    "value", [True, None, -1, 1 << 60, "", b"", [], {}, [True, b""], {1: 1, 2: 1, 6: 1}], ids=repr
)
def test_refuses_label_of_wrong_type_or_size(label: int, value: Any) -> None:
    with pytest.raises(StatementInvalid):
        SignedStatement.parse(with_label(label, value))


def test_refuses_statement_beyond_the_size_limit() -> None:
    big = b"\xd2" + cbor.encode([MADE.protected, {}, MADE.payload, bytes(MAX_STATEMENT)])
    with pytest.raises(StatementInvalid, match="at most"):
        SignedStatement.parse(big)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"issuer": "Example works"}, "iss"),
        ({"subject": ""}, "sub"),
        ({"issued_at": True}, "iat"),
        ({"issued_at": 253_402_300_800}, "iat"),
        ({"stream": "a/../b"}, "stream"),
        ({"sequence": 1}, "previous"),
        ({"previous": bytes(32)}, "previous"),
        ({"interval": (5, 5)}, "interval"),
        ({"checkpoint": ((1 << 48) + 1, bytes(32))}, "checkpoint"),
        ({"kind": "Readings"}, "content_type"),
        ({"version": 1000}, "content_type"),
    ],
)
def test_refuses_to_sign_what_would_not_be_a_statement(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(StatementInvalid, match=field):
        signed(**changes)


def test_header_says_what_was_signed() -> None:
    header = signed(sequence=3, previous=bytes(32), checkpoint=(9, b"\1" * 32), version=12).header
    assert dataclasses.asdict(header) == {
        "kid": key("device").public.kid,
        "kind": "readings",
        "version": 12,
        "issuer": PARTY,
        "subject": METER,
        "issued_at": 1_767_229_200,
        "origin": DATA,
        "stream": "readings/m-boiler1",
        "sequence": 3,
        "previous": bytes(32),
        "interval": INTERVAL,
        "checkpoint": (9, b"\1" * 32),
        "algorithm": -19,
    }
    assert media_type("readings", 12) == "application/vnd.carbonseal.readings.v12+cbor"


# --- traps of the envelope, each on a statement that is good otherwise


def test_refuses_something_in_the_unprotected_header_although_the_signature_holds() -> None:
    # Whatever stood there would change the leaf without breaking the signature.
    for label, value in ((33, b"chain"), (394, [b"receipt"]), ("note", "x")):
        data = join_sign1(MADE.protected, {label: value}, MADE.payload, MADE.signature)
        Sign1.parse(data).verify(key("device").public, admitted=ADMITTED)
        with pytest.raises(StatementInvalid, match="unprotected header: not empty"):
            SignedStatement.parse(data)


@pytest.mark.parametrize("protected", [b"", b"\xa0", b"\xbf\xff"])
def test_refuses_empty_protected_header_although_the_signature_holds(protected: bytes) -> None:
    signature = key("device").sign(sig_structure(b"", MADE.payload))
    data = join_sign1(protected, {1: ED25519}, MADE.payload, signature)
    Sign1.parse(data).verify(key("device").public, admitted=ADMITTED)
    for unprotected in ({}, {1: ED25519}):
        with pytest.raises(StatementInvalid):
            SignedStatement.parse(join_sign1(protected, unprotected, MADE.payload, signature))


def test_refuses_header_that_is_not_deterministic_although_the_signature_holds() -> None:
    # alg -19 in two bytes: a re-encoding would be another header, with another digest.
    head, rest = MADE.protected[:1], MADE.protected[1:]
    assert rest.startswith(b"\x01\x32")
    protected = head + b"\x01\x38\x12" + rest[2:]
    signature = key("device").sign(sig_structure(protected, MADE.payload))
    data = join_sign1(protected, {}, MADE.payload, signature)
    Sign1.parse(data).verify(key("device").public, admitted=ADMITTED)
    with pytest.raises(StatementInvalid, match="not the deterministic encoding"):
        SignedStatement.parse(data)


def test_refuses_envelope_that_is_not_deterministic_although_the_signature_holds() -> None:
    for data in (
        MADE.raw.replace(b"\xd2", b"\xd8\x12", 1),
        MADE.raw.replace(b"\xd2\x84", b"\xd2\x9f", 1) + b"\xff",
        MADE.raw.replace(b"\xd2\x84\x59", b"\xd2\x84\x5a\x00\x00", 1),
    ):
        Sign1.parse(data).verify(key("device").public, admitted=ADMITTED)
        with pytest.raises(StatementInvalid):
            SignedStatement.parse(data)


def test_refuses_detached_payload_although_the_signature_holds() -> None:
    data = sign1(key("device"), cbor.decode(MADE.protected), MADE.payload, is_detached=True)
    Sign1.parse(data).verify(key("device").public, admitted=ADMITTED, payload=MADE.payload)
    with pytest.raises(StatementInvalid, match="payload"):
        SignedStatement.parse(data)


def test_refuses_statement_signed_with_external_data() -> None:
    labels = cbor.decode(MADE.protected)
    data = sign1(key("device"), labels, MADE.payload, external_aad=b"tenant")
    with pytest.raises(SignatureInvalid):
        SignedStatement.parse(data).verify_signature(key("device").public)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "gap"}, "kind"),
        ({"version": 2}, "version"),
        ({"subject": "m-boiler2"}, "subject"),
        ({"interval": (INTERVAL[0], INTERVAL[1] + 1)}, "interval"),
        ({"interval": None}, "interval"),
        ({"stream": "readings/m-boiler2"}, "stream"),
    ],
    ids=repr,
)
def test_refuses_header_that_contradicts_the_content_it_signs(changes: dict[str, Any], words: str) -> None:
    check_content(signed(), content("readings"))
    with pytest.raises(ContentInvalid, match=words):
        check_content(signed(**changes), content("readings"))
    with pytest.raises(ContentInvalid, match=r"digest|signed"):
        check_content(signed(), content("gap"))


def test_digest_does_not_depend_on_the_signature() -> None:
    other = b"\xd2" + cbor.encode([MADE.protected, {}, MADE.payload, bytes(64)])
    assert SignedStatement.parse(other).digest == MADE.digest
    assert MADE.digest == hashlib.sha256(sig_structure(MADE.protected, MADE.payload)).digest()


def test_two_signers_of_one_statement_write_the_same_bytes() -> None:
    assert signed().raw == signed().raw
    assert [s.header.previous for s in statements(3)][1:] == [s.digest for s in statements(3)][:-1]


def test_any_flipped_bit_of_a_statement_is_refused() -> None:
    for at in range(len(MADE.raw)):
        for bit in (0, 3, 7):
            changed = MADE.raw[:at] + bytes([MADE.raw[at] ^ 1 << bit]) + MADE.raw[at + 1 :]
            with pytest.raises((StatementInvalid, SignatureInvalid)):
                SignedStatement.parse(changed).verify_signature(key("device").public)


@given(st.data())
def test_any_change_of_bytes_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(MADE.raw)))
    end = data.draw(st.integers(start, min(len(MADE.raw), start + 8)))
    changed = MADE.raw[:start] + data.draw(st.binary(max_size=8)) + MADE.raw[end:]
    if changed != MADE.raw:
        with pytest.raises((StatementInvalid, SignatureInvalid)):
            SignedStatement.parse(changed).verify_signature(key("device").public)


def cose_examples(shared_data: Path, folder: str) -> list[tuple[str, dict[str, Any]]]:
    paths = sorted((shared_data / "cose-wg-examples" / folder).glob("*.json"))
    return [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in paths]


@pytest.mark.parametrize("folder", ["sign1-tests", "eddsa-examples", "ecdsa-examples", "sign-tests", "CWT"])
def test_foreign_cose_is_refused_by_a_named_part_of_the_profile(shared_data: Path, folder: str) -> None:
    for name, example in cose_examples(shared_data, folder):
        data = bytes.fromhex(example["output"]["cbor"])
        with pytest.raises(StatementInvalid) as caught:
            SignedStatement.parse(data)
        assert caught.value.field in {"tag", "unprotected header", "message", "header", "payload"}, name
