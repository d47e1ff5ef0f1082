from __future__ import annotations

import base64
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, ALGORITHMS, ED25519, EDDSA, ES256, ESP256
from carbonseal_attest.cose import (
    ALG,
    CRIT,
    KID,
    Sign1,
    join_sign1,
    sig_structure,
    sign1,
    split_sign1,
)
from carbonseal_attest.errors import (
    AlgorithmRefused,
    AttestError,
    CoseInvalid,
    SignatureInvalid,
    Unsupported,
)
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import signer_from_seed

SIGNER = key("device")
PUBLIC = SIGNER.public
LABELS: dict[int | str, Any] = {ALG: ED25519, KID: b"11"}
MADE = sign1(SIGNER, LABELS, b"content")
LEGACY = frozenset({EDDSA, ES256})


def message(
    labels: bytes | dict[int | str, Any] = LABELS,
    unprotected: Any = None,
    payload: bytes | None = b"content",
    *,
    signed: bytes | None = None,
) -> bytes:
    """A message over any header, in any form, with a signature that holds over `signed` as the header."""
    protected = labels if isinstance(labels, bytes) else cbor.encode(labels)
    signature = SIGNER.sign(sig_structure(protected if signed is None else signed, payload or b"content"))
    parts = [protected, unprotected or {}, payload, signature]
    return b"\xd2" + cbor.encode(parts)


def verify(data: bytes, *, admitted: Collection[int] = ADMITTED, **more: Any) -> None:
    Sign1.parse(data).verify(PUBLIC, admitted=admitted, **more)


@pytest.mark.parametrize("vector", read_vectors("cose-sign1"), ids=lambda v: v["desc"])
def test_agrees_with_own_vectors(vector: dict[str, Any]) -> None:
    def check() -> Sign1:
        read = Sign1.parse(
            bytes.fromhex(vector["message"]), admits_untagged=vector.get("admits_untagged", False)
        )
        payload = bytes.fromhex(vector["payload"]) if "payload" in vector else None
        read.verify(
            PublicKey.from_text(vector["public"]),
            admitted=vector["admitted"],
            payload=payload,
            external_aad=bytes.fromhex(vector.get("external_aad", "")),
        )
        return read

    if vector["want_error"]:
        with pytest.raises(AttestError) as caught:
            check()
        assert caught.value.code == vector["want_error"]
        return
    read = check()
    signed = read.to_be_signed(
        payload=bytes.fromhex(vector["payload"]) if "payload" in vector else None,
        external_aad=bytes.fromhex(vector.get("external_aad", "")),
    )
    assert signed.hex() == vector["to_be_signed"]


# --- traps: what makes a verifier accept what was not signed


def test_empty_map_as_protected_header_is_signed_as_the_empty_string() -> None:
    # RFC 9052 §4.4; a verifier that takes the bytes as they stand refuses good messages of others.
    for protected in (b"", b"\xa0", b"\xbf\xff", b"\xb8\x00"):
        data = message(protected, {ALG: ED25519}, signed=b"")
        verify(data)
        assert Sign1.parse(data).protected == protected
    with pytest.raises(SignatureInvalid):
        verify(message(b"\xbf\xff", {ALG: ED25519}, signed=b"\xbf\xff"))


def test_header_is_verified_as_it_was_received_and_never_a_re_encoding() -> None:
    unsorted = b"\xa2\x04\x42\x31\x31\x01\x32"  # kid before alg
    long = b"\xa1\x01\x38\x12"  # -19 in two bytes where one head is enough is a1 01 32
    for protected in (unsorted, long):
        data = message(protected)
        verify(data)
        assert Sign1.parse(data).departures
        again = message(cbor.encode(Sign1.parse(data).headers), signed=protected)
        with pytest.raises(SignatureInvalid):
            verify(again)


def test_unprotected_header_is_kept_and_covered_by_nothing() -> None:
    data = message(unprotected={"note": "x", 394: [b"r"]})
    verify(data)
    assert Sign1.parse(data).unprotected == {"note": "x", 394: [b"r"]}


def test_refuses_label_that_stands_in_both_headers() -> None:
    with pytest.raises(CoseInvalid, match="in the protected header too"):
        Sign1.parse(message(unprotected={ALG: -8}))


def test_algorithm_of_the_unprotected_header_cannot_replace_that_of_the_key() -> None:
    for number in (EDDSA, ESP256, -999):
        with pytest.raises(AlgorithmRefused):
            verify(message({KID: b"11"}, {ALG: number}))
    verify(message({KID: b"11"}, {ALG: ED25519}))
    with pytest.raises(AlgorithmRefused):
        verify(message({KID: b"11"}))


@pytest.mark.parametrize("number", [True, None, "Ed25519", b"", 1 << 40, 0])
def test_refuses_algorithm_that_is_no_known_number(number: Any) -> None:
    with pytest.raises(AlgorithmRefused):
        verify(message({ALG: number}))


def test_legacy_number_counts_only_where_the_caller_names_it() -> None:
    data = message({ALG: EDDSA})
    with pytest.raises(AlgorithmRefused, match="not admitted"):
        verify(data)
    verify(data, admitted={EDDSA})
    with pytest.raises(AlgorithmRefused, match="not admitted"):
        verify(MADE, admitted={EDDSA})


@pytest.mark.parametrize(
    ("number", "name"), [(-35, "ES384"), (-36, "ES512"), (-53, "Ed448"), (-257, "RS256"), (-49, "ML-DSA-65")]
)
def test_names_algorithm_that_is_not_supported(number: int, name: str) -> None:
    with pytest.raises(Unsupported, match=name):
        verify(message({ALG: number}))


@pytest.mark.parametrize("crit", [None, [], [1, 1.5], [b"x"], "1", [7], {}])
def test_refuses_malformed_crit(crit: Any) -> None:
    if crit == [1, 1.5]:
        protected = b"\xa2\x01\x32\x02\x82\x01\xf9\x3e\x00"
    else:
        protected = cbor.encode({ALG: ED25519, CRIT: crit})
    with pytest.raises(CoseInvalid, match="crit"):
        Sign1.parse(message(protected))


def test_refuses_crit_in_the_unprotected_header() -> None:
    with pytest.raises(CoseInvalid, match="crit"):
        Sign1.parse(message(unprotected={CRIT: [1]}))


def test_critical_label_must_be_understood_by_the_caller() -> None:
    data = message({ALG: ED25519, CRIT: [ALG, "tax", -70_001], "tax": 1, -70_001: "x"})
    with pytest.raises(SignatureInvalid, match="crit"):
        verify(data)
    with pytest.raises(SignatureInvalid, match="crit"):
        verify(data, understood={"tax"})
    verify(data, understood={"tax", -70_001})


def test_detached_payload_must_be_given_and_another_than_carried_is_refused() -> None:
    detached = sign1(SIGNER, LABELS, b"content", is_detached=True)
    assert Sign1.parse(detached).payload is None
    verify(detached, payload=b"content")
    with pytest.raises(CoseInvalid, match="detached"):
        verify(detached)
    with pytest.raises(SignatureInvalid):
        verify(detached, payload=b"")
    verify(MADE, payload=b"content")
    with pytest.raises(CoseInvalid, match="another payload"):
        verify(MADE, payload=b"other")


def test_external_data_is_covered_although_it_is_not_sent() -> None:
    data = sign1(SIGNER, LABELS, b"content", external_aad=b"tenant")
    verify(data, external_aad=b"tenant")
    for other in (b"", b"tenan", b"tenant\0"):
        with pytest.raises(SignatureInvalid):
            verify(data, external_aad=other)


def test_untagged_message_counts_only_where_the_caller_says_so() -> None:
    with pytest.raises(CoseInvalid, match="tag 18"):
        Sign1.parse(MADE[1:])
    read = Sign1.parse(MADE[1:], admits_untagged=True)
    assert not read.is_tagged
    read.verify(PUBLIC, admitted=ADMITTED)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xd0", "Encrypt0"),
        (b"\xd1", "Mac0"),
        (b"\xd8\x60", "Encrypt"),
        (b"\xd8\x61", "Mac"),
        (b"\xd8\x62", "Sign"),
    ],
)
def test_names_message_that_is_not_supported(head: bytes, name: str) -> None:
    with pytest.raises(Unsupported, match=f"COSE_{name} is not supported"):
        Sign1.parse(head + MADE[1:])


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([b"\xa0", {}, b""], "message"),
        ([b"\xa0", {}, b"", b"", b""], "message"),
        ([b"\xa0", {}, "text", b""], "message"),
        (["", {}, b"", b""], "message"),
        ([b"\xa0", {}, b"", None], "message"),
        ({1: 2}, "message"),
        (0, "message"),
        ([b"\xa0", [], b"", b""], "unprotected header"),
        ([b"\x80", {}, b"", b""], "header"),
        ([b"\xa1\x01", {}, b"", b""], "header"),
        ([b"\xa2\x01\x00\x01\x00", {}, b"", b""], "header"),
        ([b"\xa1\x40\x00", {}, b"", b""], "header"),
        ([b"\xa1\xf9\x3c\x00\x00", {}, b"", b""], "header"),
    ],
    ids=repr,
)
def test_names_the_part_that_is_wrong(parts: Any, field: str) -> None:
    with pytest.raises(CoseInvalid) as caught:
        Sign1.parse(b"\xd2" + cbor.encode(parts))
    assert caught.value.field == field


def test_refuses_message_beyond_the_limit() -> None:
    with pytest.raises(CoseInvalid, match="at most"):
        Sign1.parse(MADE + bytes(1 << 20))


def test_any_flipped_bit_is_refused_or_outside_the_signature() -> None:
    data = sign1(SIGNER, LABELS, b"content", unprotected={"x": 1})
    for at in range(len(data)):
        for bit in range(8):
            other = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            try:
                read = Sign1.parse(other)
                read.verify(PUBLIC, admitted=ADMITTED)
            except AttestError:
                continue
            assert (read.headers, read.payload) == (LABELS, b"content")
            assert read.unprotected != {"x": 1}


@given(
    st.dictionaries(
        st.integers(5, 400) | st.text(max_size=3), st.integers() | st.binary(max_size=5), max_size=4
    ),
    st.binary(max_size=300),
    st.binary(max_size=30),
)
def test_what_was_signed_verifies_and_reads_back(
    labels: dict[int | str, Any], payload: bytes, external_aad: bytes
) -> None:
    labels = {k: v for k, v in labels.items() if not isinstance(v, int) or -(1 << 64) <= v < 1 << 64}
    labels |= LABELS
    data = sign1(SIGNER, labels, payload, external_aad=external_aad)
    read = Sign1.parse(data)
    assert (read.headers, read.payload, read.departures) == (labels, payload, frozenset())
    read.verify(PUBLIC, admitted=ADMITTED, external_aad=external_aad)
    assert split_sign1(data, max_size=1000) == (read.protected, {}, payload, read.signature)
    assert join_sign1(read.protected, {}, payload, read.signature) == data


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65_535, 65_536])
def test_sig_structure_is_the_array_of_the_standard(size: int) -> None:
    for parts in ((bytes(size), b"", b"p"), (b"h", bytes(size), b"p"), (b"h", b"", bytes(size))):
        protected, external_aad, payload = parts
        expected = cbor.encode(["Signature1", protected, external_aad, payload])
        assert sig_structure(protected, payload, external_aad) == expected


def test_strict_form_names_the_part_that_is_wrong() -> None:
    for parts, field in (
        ([b"x", {}, "text", b""], "message"),
        ([b"", {}, b"", b""], "header"),
        ([b"\xa0", {}, b"", b""], "header"),
        ([b"x", {}, b""], "message"),
    ):
        with pytest.raises(CoseInvalid) as caught:
            split_sign1(b"\xd2" + cbor.encode(parts), max_size=100)
        assert caught.value.field == field
    with pytest.raises(CoseInvalid, match="tag 18"):
        split_sign1(MADE[1:], max_size=100)
    with pytest.raises(CoseInvalid, match="deterministic"):
        split_sign1(b"\xd2\x84\x58\x01\xa0\xa0\xf6\x40", max_size=100)


@pytest.mark.parametrize("number", sorted(ADMITTED), ids=lambda n: ALGORITHMS[n].name)
def test_every_admitted_algorithm_signs_and_verifies(number: int) -> None:
    signer = signer_from_seed(number, bytes(range(32)))
    data = sign1(signer, {ALG: number}, b"content")
    Sign1.parse(data).verify(signer.public, admitted=ADMITTED)
    with pytest.raises(SignatureInvalid):
        Sign1.parse(data[:-1] + bytes([data[-1] ^ 1])).verify(signer.public, admitted=ADMITTED)


# --- the examples of the COSE working group


def examples(shared_data: Path, folder: str) -> list[tuple[str, dict[str, Any]]]:
    paths = sorted((shared_data / "cose-wg-examples" / folder).glob("*.json"))
    return [(f"{folder}/{path.stem}", json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def coordinate(jwk: dict[str, str], name: str) -> bytes:
    if f"{name}_hex" in jwk:
        return bytes.fromhex(jwk[f"{name}_hex"])
    return base64.urlsafe_b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4))


def outcome(example: dict[str, Any]) -> str:
    """`verified`, `refused`, or the name of what we do not have."""
    source = example["input"].get("sign0", {})
    try:
        read = Sign1.parse(bytes.fromhex(example["output"]["cbor"]), admits_untagged=True)
        jwk = source["key"]
        if jwk["crv"] == "Ed25519":
            public = PublicKey(ED25519, coordinate(jwk, "x"))
        elif jwk["crv"] == "P-256":
            public = PublicKey(ESP256, coordinate(jwk, "x") + coordinate(jwk, "y"))
        else:
            return f"unsupported {jwk['crv']}"
        external_aad = bytes.fromhex(source.get("external", ""))
        if not example.get("fail"):
            to_be_signed = bytes.fromhex(example["intermediates"]["ToBeSign_hex"])
            assert read.to_be_signed(external_aad=external_aad) == to_be_signed
        read.verify(public, admitted=LEGACY, external_aad=external_aad)
    except Unsupported as error:
        return f"unsupported {error.reason.split()[0]}"
    except AttestError:
        return "refused"
    return "verified"


def test_working_groups_sign1_examples_come_out_as_told(shared_data: Path) -> None:
    outcomes = {name: outcome(e) for name, e in examples(shared_data, "sign1-tests")}
    assert len(outcomes) == 9
    for name, result in outcomes.items():
        assert result == ("refused" if "fail" in name else "verified"), name


def test_working_groups_other_examples_verify_or_are_named_as_unsupported(shared_data: Path) -> None:
    folders = ("eddsa-examples", "ecdsa-examples", "CWT", "sign-tests")
    outcomes = {name: outcome(e) for folder in folders for name, e in examples(shared_data, folder)}
    assert outcomes == {
        "CWT/A_3": "verified",
        "CWT/A_4": "unsupported COSE_Mac0",
        "CWT/A_5": "unsupported COSE_Encrypt0",
        "CWT/A_6": "unsupported COSE_Encrypt0",
        "CWT/A_7": "unsupported COSE_Mac0",
        "ecdsa-examples/ecdsa-01": "unsupported COSE_Sign",
        "ecdsa-examples/ecdsa-02": "unsupported COSE_Sign",
        "ecdsa-examples/ecdsa-03": "unsupported COSE_Sign",
        "ecdsa-examples/ecdsa-04": "unsupported COSE_Sign",
        "ecdsa-examples/ecdsa-sig-01": "verified",
        "ecdsa-examples/ecdsa-sig-02": "unsupported P-384",
        "ecdsa-examples/ecdsa-sig-03": "unsupported P-521",
        "ecdsa-examples/ecdsa-sig-04": "unsupported ES512",
        "eddsa-examples/eddsa-01": "unsupported COSE_Sign",
        "eddsa-examples/eddsa-02": "unsupported COSE_Sign",
        "eddsa-examples/eddsa-sig-01": "verified",
        "eddsa-examples/eddsa-sig-02": "unsupported Ed448",
        "sign-tests/ecdsa-01": "unsupported COSE_Sign",
        "sign-tests/sign-fail-01": "refused",  # tag 998
        **{f"sign-tests/sign-fail-0{n}": "unsupported COSE_Sign" for n in (2, 3, 4, 6, 7)},
        **{f"sign-tests/sign-pass-0{n}": "unsupported COSE_Sign" for n in (1, 2, 3)},
    }


def test_untagged_example_is_refused_where_the_caller_does_not_admit_it(shared_data: Path) -> None:
    (example,) = [e for name, e in examples(shared_data, "sign1-tests") if name.endswith("sign-pass-03")]
    with pytest.raises(CoseInvalid, match="tag 18"):
        Sign1.parse(bytes.fromhex(example["output"]["cbor"]))


def test_every_cut_and_every_changed_byte_of_an_example_is_refused(shared_data: Path) -> None:
    for name, example in examples(shared_data, "sign1-tests"):
        if not name.endswith("sign-pass-02"):
            continue
        data = bytes.fromhex(example["output"]["cbor"])
        for end in range(len(data)):
            with pytest.raises(AttestError):
                Sign1.parse(data[:end])
