"""Signers in a token, against SoftHSM 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from carbonseal_attest.algorithms import ED25519, ESP256
from carbonseal_attest.curve_points import P256
from carbonseal_attest.endorsement import endorse, verify_endorsement
from carbonseal_attest.errors import SignatureInvalid, TokenUnusable
from carbonseal_attest.pkcs11_signer import Pkcs11Signer
from carbonseal_attest.signing import generate_signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from soft_token import LABEL, PIN, SoftToken

Open = Callable[..., Pkcs11Signer]


@pytest.fixture(scope="module")
def token(soft_token: SoftToken) -> SoftToken:
    soft_token.make("p256", "gateway", b"\x01")
    soft_token.make("ed25519", "gateway", b"\x02")
    soft_token.make("p256", "twice", b"\x03")
    soft_token.make("p256", "twice", b"\x04")
    soft_token.make("p384", "other curve", b"\x05")
    return soft_token


@pytest.fixture
def open_signer(token: SoftToken) -> Open:
    def run(**named: object) -> Pkcs11Signer:
        given = {"token": LABEL, "pin": lambda: PIN, **named}
        return Pkcs11Signer.open(token.module, **given)  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize(("key_id", "algorithm"), [(b"\x01", ESP256), (b"\x02", ED25519)])
def test_statement_and_endorsement_by_a_key_in_the_token_verify(
    open_signer: Open, key_id: bytes, algorithm: int
) -> None:
    signer = open_signer(label="gateway", key_id=key_id)
    assert signer.public.algorithm == algorithm
    made = sign_statement(
        signer, kind="readings", issuer="e-works", subject="m-one", issued_at=1,
        origin="log.example.org/e-works/data", stream="readings/m-one", sequence=0, previous=None,
        interval=(0, 1000), checkpoint=None, content=b"",
    )  # fmt: skip
    SignedStatement.parse(made.raw).verify_signature(signer.public)
    body = {"endorsements": [endorse(signer, "device", "g-one", "device", {"endorsements": []})]}
    verify_endorsement("device", "g-one", "device", body, signer.public)


def test_every_ecdsa_signature_of_the_token_is_low_s(open_signer: Open) -> None:
    signer = open_signer(key_id=b"\x01")
    for number in range(40):
        assert int.from_bytes(signer.sign(bytes([number]))[32:], "big") <= P256.order // 2


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"label": "nobody"}, "holds 0 keys"),
        ({"label": "twice"}, "holds 2 keys"),
        ({"label": "gateway", "key_id": b"\x03"}, "holds 0 keys"),
        ({"label": "other curve"}, "on another curve"),
        ({}, "no key is named"),
        ({"label": "gateway", "token": "another token"}, "can't be opened"),
    ],
)
def test_refuses_what_does_not_name_exactly_one_key(
    open_signer: Open, named: dict[str, object], reason: str
) -> None:
    with pytest.raises(TokenUnusable, match=reason):
        open_signer(**named)


def test_refuses_library_that_is_none(token: SoftToken, tmp_path: Path) -> None:
    (tmp_path / "not-a-library.so").write_bytes(b"text")
    for path in (tmp_path / "not-a-library.so", tmp_path / "nothing.so"):
        with pytest.raises(TokenUnusable, match=f"^{path}: is no PKCS#11 library"):
            Pkcs11Signer.open(path, token=LABEL, pin=lambda: PIN, label="gateway")


def test_refuses_wrong_pin(token: SoftToken) -> None:
    token.session.close()  # a process that is logged in is not asked again
    try:
        with pytest.raises(TokenUnusable, match="PinIncorrect"):
            Pkcs11Signer.open(token.module, token=LABEL, pin=lambda: "0000", key_id=b"\x01")
    finally:
        import pkcs11

        found = pkcs11.lib(str(token.module)).get_token(token_label=LABEL)
        object.__setattr__(token, "session", found.open(rw=True, user_pin=PIN))


def test_signature_by_another_key_than_the_public_one_shown_is_refused(open_signer: Open) -> None:
    signer, other = open_signer(key_id=b"\x01"), generate_signer(ESP256)
    signer._public = other.public
    with pytest.raises(SignatureInvalid):
        signer.sign(b"data")


def test_says_what_to_install_where_the_part_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(TokenUnusable, match=r"install carbonseal-attest\[pkcs11\]"):
        Pkcs11Signer.open(Path("any.so"), token="any", pin=lambda: PIN, label="any")
