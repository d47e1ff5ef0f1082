from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from dilithium_py import ml_dsa as plain
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st
from vector_files import read_vectors

from carbonseal_attest import cbor, curve_points
from carbonseal_attest.algorithms import ED25519, ML_DSA_44
from carbonseal_attest.errors import CarbonsealError, KeyRefused, SignatureInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import signer_from_seed

# The curve of RFC 8032 §5.1, written plainly.
P = (1 << 255) - 19
D = -121665 * pow(121666, -1, P) % P
L = (1 << 252) + 27742317777372353535851937790883648493
Point = tuple[int, int]


def recover(y: int) -> Point | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if (x * x - square) % P == 0 else None


def add(a: Point, b: Point) -> Point:
    k = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + k, -1, P) % P
    return x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - k, -1, P) % P


def times(scalar: int, point: Point) -> Point:
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def low_order_points() -> set[Point]:
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        point = recover(y)
        if point is not None:
            torsion = times(L, point)
            found |= {times(k, torsion) for k in range(8)}
        y += 1
    return found


def test_refuses_every_point_of_low_order_in_every_spelling() -> None:
    points = low_order_points()
    assert len(points) == 8
    for y in {y for _, y in points}:
        for spelling in (y, y + P):
            for sign in (0, 1 << 255):
                if spelling < 1 << 255:
                    with pytest.raises(KeyRefused, match="low-order or non-canonical"):
                        PublicKey(ED25519, (spelling | sign).to_bytes(32, "little"))


def test_refuses_coordinate_at_or_above_the_prime() -> None:
    for y in range(P, 1 << 255):
        with pytest.raises(KeyRefused, match="non-canonical"):
            PublicKey(ED25519, y.to_bytes(32, "little"))


def test_refuses_exactly_the_bytes_that_are_no_point() -> None:
    for y in range(2, 60):
        raw = y.to_bytes(32, "little")
        if recover(y) is None:
            with pytest.raises(KeyRefused, match="no point"):
                PublicKey(ED25519, raw)
        else:
            assert PublicKey(ED25519, raw).raw == raw


@pytest.mark.parametrize("size", [0, 31, 33])
def test_refuses_key_of_wrong_length(size: int) -> None:
    with pytest.raises(KeyRefused, match="instead of 32"):
        PublicKey(ED25519, bytes(size))


@pytest.mark.parametrize("algorithm", [-8, -7, -6, -19999, 0])
def test_refuses_algorithm_that_is_not_admitted(algorithm: int) -> None:
    with pytest.raises(KeyRefused, match="not admitted"):
        PublicKey(algorithm, key("device").public.raw)


@pytest.mark.parametrize(
    "change",
    [
        {1: True},
        {1: 2},
        {3: -8},
        {-1: 7},
        {-1: "Ed25519"},
        {-2: "x"},
        {-2: b""},
        {-4: b"secret"},
        {2: b"kid"},
    ],
    ids=repr,
)
def test_refuses_cose_key_that_departs_from_the_profile(change: dict[int, Any]) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_cose_key({**key("device").public.cose_key(), **change})


@pytest.mark.parametrize("value", [None, [], {}, b"", {"1": 1}])
def test_refuses_what_is_no_cose_key(value: object) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_cose_key(value)


def test_kid_is_the_thumbprint_of_rfc_9679() -> None:
    public = key("device").public
    import hashlib

    assert public.kid == hashlib.sha256(b"\xa3\x01\x01\x20\x06\x21\x58\x20" + public.raw).digest()
    assert PublicKey.from_cose_key(cbor.decode(cbor.encode(public.cose_key()))) == public


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_a_point_or_refused(raw: bytes) -> None:
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    try:
        PublicKey(ED25519, raw)
    except KeyRefused:
        assert y >= P or recover(y) is None or y in curve_points._LOW_ORDER_Y
    else:
        assert recover(y) is not None


@pytest.mark.parametrize("size", [0, 63, 65])
def test_refuses_signature_of_wrong_length(size: int) -> None:
    with pytest.raises(SignatureInvalid, match="does not verify"):
        key("device").public.verify(bytes(size), b"data")


def test_agrees_with_wycheproof_on_every_signature(shared_data: Path) -> None:
    groups = json.loads(
        gzip.decompress((shared_data / "wycheproof-signatures" / "ed25519_test.json.gz").read_bytes())
    )
    seen = 0
    for group in groups["testGroups"]:
        public = PublicKey(ED25519, bytes.fromhex(group["publicKey"]["pk"]))
        for test in group["tests"]:
            seen += 1
            try:
                public.verify(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            except SignatureInvalid:
                assert test["result"] == "invalid", test
            else:
                assert test["result"] == "valid", test
    assert seen == 151


@pytest.mark.parametrize("family", ["ed25519", "ecdsa-p256", "ml-dsa"])
def test_agrees_with_own_vectors(family: str) -> None:
    for vector in read_vectors(family):
        try:
            public = PublicKey.from_text(vector["public"])
            public.verify(bytes.fromhex(vector["signature"]), bytes.fromhex(vector["message"]))
        except CarbonsealError as error:
            found = error.code
        else:
            found = None
        assert found == vector["want_error"], vector["desc"]
        if found is not None:
            continue
        assert public.kid.hex() == vector["kid"]
        assert cbor.encode(public.cose_key()).hex() == vector["cose_key"]
        assert PublicKey.from_cose_key(cbor.decode(bytes.fromhex(vector["cose_key"]))) == public
        assert signer_from_seed(public.algorithm, bytes.fromhex(vector["seed"])).public == public


@pytest.mark.parametrize("message", [b"", b"data", bytes(5000)])
def test_ml_dsa_agrees_with_a_plain_implementation_both_ways(message: bytes) -> None:
    ours, seed = signer_from_seed(ML_DSA_44, bytes(range(32))), bytes(range(32))
    public, secret = plain.ML_DSA_44.key_derive(seed)
    assert public == ours.public.raw
    assert plain.ML_DSA_44.verify(public, message, ours.sign(message))
    ours.public.verify(plain.ML_DSA_44.sign(secret, message), message)
    with pytest.raises(SignatureInvalid):
        ours.public.verify(plain.ML_DSA_44.sign(secret, message, ctx=b"x"), message)
