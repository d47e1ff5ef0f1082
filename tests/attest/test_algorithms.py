from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from example_contents import DATA, PARTY, bodies
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import (
    ADMITTED,
    ALGORITHMS,
    ED25519,
    EDDSA,
    ES256,
    ESP256,
    ML_DSA_44,
    SM2,
    check_signed_with,
)
from carbonseal_attest.contents import KINDS, build_content
from carbonseal_attest.cose import sig_structure, sign1
from carbonseal_attest.curve_points import P256
from carbonseal_attest.endorsement import endorse, verify_endorsement
from carbonseal_attest.errors import AlgorithmRefused, ContentInvalid, KeyRefused, SignatureInvalid
from carbonseal_attest.key_file import decrypt_key_file, encrypt_key_file
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.receipt import Receipt, make_receipt
from carbonseal_attest.signing import Signer, SoftwareSigner, generate_signer, low_s, signer_from_seed
from carbonseal_attest.statement import MAX_STATEMENT, SignedStatement, sign_statement

SEED = hashlib.sha256(b"carbonseal example key of every algorithm").digest()
SIGNERS = [signer_from_seed(number, SEED) for number in sorted(ADMITTED)]
by_name = pytest.mark.parametrize("signer", SIGNERS, ids=lambda s: ALGORITHMS[s.public.algorithm].name)


def statement_by(signer: Signer, **changes: object) -> SignedStatement:
    values: dict[str, object] = {
        "kind": "readings", "issuer": PARTY, "subject": "m-meter", "issued_at": 1_760_000_000, "origin": DATA,
        "stream": "readings/m-meter", "sequence": 1, "previous": bytes(32), "interval": (0, 900_000),
        "checkpoint": (1 << 40, bytes(32)), "content": b"",
    }  # fmt: skip
    return sign_statement(signer, **{**values, **changes})  # type: ignore[arg-type]


def test_refuses_coordinates_that_are_no_point_infinity_or_another_spelling() -> None:
    raw = signer_from_seed(ESP256, SEED).public.raw
    x, y = raw[:32], int.from_bytes(raw[32:], "big")
    for other, words in (
        (x + (y ^ 1).to_bytes(32, "big"), "no point"),
        (bytes(64), "no point"),
        (P256.prime.to_bytes(32, "big") + raw[32:], "at or above"),
        (x + P256.prime.to_bytes(32, "big"), "at or above"),
        (b"\xff" * 64, "at or above"),
        (raw[:63], "63 bytes instead of 64"),
        (b"\x04" + raw, "65 bytes instead of 64"),
        (b"\x02" + x, "33 bytes instead of 64"),
    ):
        with pytest.raises(KeyRefused, match=words):
            PublicKey(ESP256, other)
    assert PublicKey(ESP256, x + (P256.prime - y).to_bytes(32, "big")).raw != raw  # its negative is a point


@pytest.mark.parametrize("size", [0, 32, 1311, 1313])
def test_refuses_ml_dsa_key_of_wrong_length(size: int) -> None:
    with pytest.raises(KeyRefused, match="instead of 1312"):
        PublicKey(ML_DSA_44, bytes(size))


@by_name
def test_refuses_cose_key_with_a_member_more_less_or_of_another_type(signer: SoftwareSigner) -> None:
    good = signer.public.cose_key()
    assert PublicKey.from_cose_key(cbor.decode(cbor.encode(good))) == signer.public
    others = [{k: v for k, v in good.items() if k != gone} for gone in good]
    others += [
        {**good, 2: b"kid"},
        {**good, -4: b"secret"},
        {**good, 3: -7},
        {**good, 3: -8},
        {**good, 1: True},
    ]
    others += [{**good, label: value} for label in good for value in (None, 0, b"", "x", 1.0)]
    for other in others:
        with pytest.raises(KeyRefused):
            PublicKey.from_cose_key(other)


def test_refuses_coordinates_cut_at_another_place() -> None:
    good = signer_from_seed(ESP256, SEED).public.cose_key()
    with pytest.raises(KeyRefused, match="not 32 bytes"):
        PublicKey.from_cose_key({**good, -2: good[-2][:31], -3: good[-2][31:] + good[-3]})


def test_kid_is_the_thumbprint_of_rfc_9679_for_each_key_type() -> None:
    p256, ml = (signer_from_seed(n, SEED).public for n in (ESP256, ML_DSA_44))
    x, y = b"\x58\x20" + p256.raw[:32], b"\x58\x20" + p256.raw[32:]
    assert p256.kid == hashlib.sha256(b"\xa4\x01\x02\x20\x01\x21" + x + b"\x22" + y).digest()
    assert ml.kid == hashlib.sha256(b"\xa3\x01\x07\x03\x38\x2f\x20\x59\x05\x20" + ml.raw).digest()


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "ab", "g" * 64, "00" * 31, "AB" * 32, " " + "ab" * 32, "ab" * 32 + "\n", "rsa:00", "esp256:",
        "es256:" + "00" * 64, "ed25519:" + "ab" * 32, "esp256:0", "esp256:" + "00" * 64,
        "ml-dsa-44:" + "00" * 1311, "ml-dsa-44:" + "00" * 4000,
    ],
)  # fmt: skip
def test_refuses_text_that_is_not_the_one_spelling_of_a_key(text: str) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_text(text)


@by_name
def test_text_of_a_key_reads_back(signer: SoftwareSigner) -> None:
    text = signer.public.text()
    assert PublicKey.from_text(text) == signer.public
    assert text.endswith(signer.public.raw.hex())
    with pytest.raises(KeyRefused):
        PublicKey.from_text(text[:-2])


@by_name
def test_statement_receipt_endorsement_and_key_file_work_with_every_algorithm(signer: SoftwareSigner) -> None:
    made = statement_by(signer)
    assert SignedStatement.parse(made.raw) == made
    made.verify_signature(signer.public)
    body = {"a": 1, "endorsements": []}
    carried = {**body, "endorsements": [endorse(signer, "device", "g-gateway", "device", body)]}
    verify_endorsement("device", "g-gateway", "device", carried, signer.public)
    from carbonseal_attest.merkle import leaf_hash, node_hash

    root = node_hash(leaf_hash(b"other"), leaf_hash(made.raw))
    receipt = make_receipt(
        signer, log_host="h-host", origin=DATA, tree_size=2, index=1, path=[leaf_hash(b"other")], root=root
    )
    assert Receipt.parse(receipt).verify(made.raw, origin=DATA, key=signer.public) == root
    opened = decrypt_key_file(encrypt_key_file(signer, "pass phrase", work_factor=1 << 14), "pass phrase")
    assert (opened.seed, opened.public) == (signer.seed, signer.public)


@by_name
def test_longest_statement_fits_the_limit(signer: SoftwareSigner) -> None:
    made = statement_by(
        signer, kind="x" * 40, version=999, issuer="abc-" + "a" * 47, subject="abc-" + "b" * 47,
        issued_at=253_402_300_799, origin="a" * 60 + "/" + "b" * 59, stream="s" * 80,
        sequence=(1 << 53) - 1, interval=(0, 86_400_000), checkpoint=(1 << 48, bytes(32)),
    )  # fmt: skip
    assert len(made.raw) <= MAX_STATEMENT


@by_name
def test_signature_of_another_length_or_text_is_refused(signer: SoftwareSigner) -> None:
    good = signer.sign(b"data")
    assert len(good) == ALGORITHMS[signer.public.algorithm].signature_size
    signer.public.verify(good, b"data")
    for bad, data in (
        (good, b"date"),
        (b"", b"data"),
        (good[:-1], b"data"),
        (good + b"\0", b"data"),
        (bytes([good[0] ^ 1]) + good[1:], b"data"),
        (bytes(len(good)), b"data"),
    ):
        with pytest.raises(SignatureInvalid, match="does not verify"):
            signer.public.verify(bad, data)


def test_p256_signature_with_r_or_s_outside_the_order_is_refused() -> None:
    signer, n = signer_from_seed(ESP256, SEED), P256.order
    good = signer.sign(b"data")
    r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")
    for values in ((0, s), (r, 0), (n, s), (r, n), (0, 0), (r, s + n if s + n < 1 << 256 else n)):
        with pytest.raises(SignatureInvalid):
            signer.public.verify(b"".join(v.to_bytes(32, "big") for v in values), b"data")


def test_high_s_verifies_and_changes_no_digest() -> None:
    signer = signer_from_seed(ESP256, SEED)
    made = statement_by(signer)
    r, s = made.signature[:32], int.from_bytes(made.signature[32:], "big")
    assert s <= P256.order // 2
    twin = SignedStatement.parse(made.raw[:-32] + (P256.order - s).to_bytes(32, "big"))
    assert twin.signature[:32] == r
    assert twin.signature != made.signature
    twin.verify_signature(signer.public)
    assert twin.digest == made.digest


@pytest.mark.parametrize(("number", "twin"), [(EDDSA, ED25519), (ES256, ESP256)])
def test_legacy_number_verifies_only_where_it_is_admitted(number: int, twin: int) -> None:
    signer = signer_from_seed(twin, SEED)
    made = statement_by(signer)
    labels = {**cbor.decode(made.protected), 1: number}
    legacy = SignedStatement.parse(sign1(signer, labels, made.payload))
    assert legacy.header.algorithm == number
    legacy.verify_signature(signer.public, admitted={number})
    for admitted in (ADMITTED, {twin}, frozenset()):
        with pytest.raises(AlgorithmRefused, match="not admitted here"):
            legacy.verify_signature(signer.public, admitted=admitted)
    with pytest.raises(AlgorithmRefused, match="not admitted here"):
        made.verify_signature(signer.public, admitted={number})


@pytest.mark.parametrize("found", [True, None, "x", -19.0, 0, ES256, ML_DSA_44, SM2])
def test_header_of_another_algorithm_than_the_key_is_refused_whatever_is_admitted(found: object) -> None:
    with pytest.raises(AlgorithmRefused, match="not that of the key"):
        check_signed_with(found, ED25519, set(ALGORITHMS))


def test_header_of_another_algorithm_does_not_verify_though_the_signature_would() -> None:
    signer = signer_from_seed(ED25519, SEED)
    made = statement_by(signer)
    labels = cbor.encode({**cbor.decode(made.protected), 1: ESP256})
    raw = b"\xd2" + cbor.encode([labels, {}, made.payload, signer.sign(sig_structure(labels, made.payload))])
    with pytest.raises(AlgorithmRefused, match="not that of the key"):
        SignedStatement.parse(raw).verify_signature(signer.public)


@pytest.mark.parametrize("number", [EDDSA, ES256, 0, -7000])
def test_no_signer_is_made_for_a_legacy_or_unknown_number(number: int) -> None:
    with pytest.raises(AlgorithmRefused):
        generate_signer(number)


@pytest.mark.parametrize("seed", [bytes(32), P256.order.to_bytes(32, "big"), b"\xff" * 32, b"", bytes(31)])
def test_refuses_scalar_outside_the_order(seed: bytes) -> None:
    with pytest.raises(KeyRefused):
        signer_from_seed(ESP256, seed)


class DigestDevice:
    """An adapter for a device that signs digests only and answers in DER with s high, as a TPM may."""

    def __init__(self) -> None:
        self._private = ec.derive_private_key(int.from_bytes(SEED, "big"), ec.SECP256R1())

    @property
    def public(self) -> PublicKey:
        return signer_from_seed(ESP256, SEED).public

    def sign(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        r, s = decode_dss_signature(self._private.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return low_s(r, max(s, P256.order - s))


def test_a_device_that_signs_digests_and_answers_in_high_s_can_be_a_signer() -> None:
    made = statement_by(DigestDevice())
    SignedStatement.parse(made.raw).verify_signature(DigestDevice().public)
    assert int.from_bytes(made.signature[32:], "big") <= P256.order // 2


@pytest.mark.parametrize(
    "weak",
    [
        {1: 1, 3: ED25519, -1: 6, -2: b"\x01" + bytes(31)},
        {1: 1, 3: ED25519, -1: 6, -2: b"\xee" + b"\xff" * 30 + b"\x7f"},
        {1: 2, 3: ESP256, -1: 1, -2: bytes(32), -3: bytes(32)},
        {1: 2, 3: ESP256, -1: 1, -2: b"\x01" * 32, -3: b"\x02" * 32},
        {1: 7, 3: ML_DSA_44, -1: bytes(1311)},
        {1: 2, 3: ES256, -1: 1, -2: bytes(32), -3: bytes(32)},
    ],
    ids=["low order", "not canonical", "infinity", "no point", "short", "legacy number"],
)
@pytest.mark.parametrize("kind", ["device", "party"])
def test_no_weak_or_malformed_key_is_enrolled(kind: str, weak: dict[int, object]) -> None:
    body = {**bodies()[kind], "key": weak}
    salt = b"" if KINDS[kind].is_public else bytes(16)
    with pytest.raises(ContentInvalid, match="key"):
        build_content(kind, subject="g-one", stream="s", interval=None, body=body, salt=salt)


@given(st.text(alphabet="0123456789abcdef:ED-esp256ml", max_size=140) | st.text(max_size=80))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        key = PublicKey.from_text(text)
    except KeyRefused:
        return
    assert key.text() == text


@given(st.dictionaries(st.integers(-4, 4), st.integers(-50, 50) | st.binary(max_size=64) | st.none()))
def test_any_map_is_a_cose_key_or_refused(value: dict[int, object]) -> None:
    try:
        key = PublicKey.from_cose_key(value)
    except KeyRefused:
        return
    assert key.cose_key() == value
