"""SM2 with SM3: the standard's example, OpenSSL's command both ways, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, SM2
from carbonseal_attest.curve_points import SM2P256
from carbonseal_attest.errors import AlgorithmRefused, KeyRefused, SignatureInvalid
from carbonseal_attest.key_file import decrypt_key_file, encrypt_key_file
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import generate_signer, signer_from_seed
from carbonseal_attest.statement import SignedStatement, sign_statement

# GB/T 32918.5-2017 (GM/T 0003.5-2012), annex A: identity 1234567812345678, message "message digest".
SECRET = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
PUBLIC = (
    "sm2:09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
part = pytest.importorskip("tongsuopy", reason="SM2 NOT TESTED: tongsuopy is not installed here")


def test_agrees_with_the_example_of_the_standard() -> None:
    key = PublicKey.from_text(PUBLIC)
    key.verify(SIGNATURE, b"message digest")
    assert signer_from_seed(SM2, SECRET).public == key
    assert PublicKey.from_cose_key(cbor.decode(cbor.encode(key.cose_key()))) == key
    with pytest.raises(SignatureInvalid):
        key.verify(SIGNATURE, b"message digest.")


def test_refuses_signature_outside_the_order_cut_or_negated() -> None:
    key, n = PublicKey.from_text(PUBLIC), SM2P256.order
    r, s = int.from_bytes(SIGNATURE[:32], "big"), int.from_bytes(SIGNATURE[32:], "big")
    spoilt = [(0, s), (r, 0), (n, s), (r, n), (r, n - s), (n - r, s), (s, r)]
    for signature in (b"", SIGNATURE[:63], SIGNATURE + b"\0", *(_raw(*values) for values in spoilt)):
        with pytest.raises(SignatureInvalid):
            key.verify(signature, b"message digest")


def test_refuses_coordinates_that_are_no_point() -> None:
    x, y = PUBLIC[4:68], PUBLIC[68:]
    for text in (f"sm2:{x}{int(y, 16) ^ 1:064x}", "sm2:" + "00" * 64, f"sm2:{SM2P256.prime:064x}{y}"):
        with pytest.raises(KeyRefused):
            PublicKey.from_text(text)


@pytest.mark.parametrize("scalar", [0, SM2P256.order - 1, SM2P256.order, (1 << 256) - 1])
def test_refuses_scalar_outside_the_order(scalar: int) -> None:
    with pytest.raises(KeyRefused):
        signer_from_seed(SM2, scalar.to_bytes(32, "big"))


@given(st.binary(max_size=200))
def test_own_signature_verifies(data: bytes) -> None:
    signer = signer_from_seed(SM2, SECRET)
    signer.public.verify(signer.sign(data), data)


def test_statement_by_sm2_counts_only_where_it_is_named() -> None:
    signer = generate_signer(SM2)
    made = sign_statement(
        signer, kind="readings", issuer="e-works", subject="m-one", issued_at=1,
        origin="log.example.org/e-works/data", stream="readings/m-one", sequence=0, previous=None,
        interval=(0, 1000), checkpoint=None, content=b"",
    )  # fmt: skip
    made = SignedStatement.parse(made.raw)
    assert SM2 not in ADMITTED
    with pytest.raises(AlgorithmRefused, match="not admitted here"):
        made.verify_signature(signer.public)
    made.verify_signature(signer.public, admitted={*ADMITTED, SM2})


def test_key_file_keeps_the_key() -> None:
    sealed = encrypt_key_file(signer_from_seed(SM2, SECRET), "pass phrase", work_factor=1 << 14)
    assert decrypt_key_file(sealed, "pass phrase").seed == SECRET


def test_says_what_to_install_where_the_part_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    key = PublicKey.from_text(PUBLIC)
    for name in [name for name in sys.modules if name.startswith("tongsuopy")]:
        monkeypatch.setitem(sys.modules, name, None)
    for use in (lambda: key.verify(SIGNATURE, b"message digest"), lambda: generate_signer(SM2)):
        with pytest.raises(AlgorithmRefused, match=r"install carbonseal-attest\[sm2\]"):
            use()


def test_openssl_verifies_ours_and_we_verify_openssl(tmp_path: Path) -> None:
    if (openssl := shutil.which("openssl")) is None or not _has_sm2(openssl):
        pytest.skip("SM2 NOT COMPARED: no openssl command with SM2 here")
    from tongsuopy.crypto.asymciphers import ec
    from tongsuopy.crypto.serialization import Encoding, NoEncryption, PrivateFormat

    signer, data = signer_from_seed(SM2, SECRET), b"carbonseal example message"
    private = ec.derive_private_key(int.from_bytes(SECRET, "big"), ec.SM2())
    (tmp_path / "key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "data").write_bytes(data)
    options = [
        "-rawin",
        "-in",
        "data",
        "-inkey",
        "key",
        "-digest",
        "sm3",
        "-pkeyopt",
        "distid:1234567812345678",
    ]

    def run(*more: str) -> None:
        subprocess.run(
            [openssl, "pkeyutl", *more, *options], cwd=tmp_path, check=True, capture_output=True, timeout=60
        )

    run("-sign", "-out", "theirs")
    theirs = _raw(*decode_dss_signature((tmp_path / "theirs").read_bytes()))
    signer.public.verify(theirs, data)
    ours = signer.sign(data)
    r, s = int.from_bytes(ours[:32], "big"), int.from_bytes(ours[32:], "big")
    (tmp_path / "ours").write_bytes(encode_dss_signature(r, s))
    run("-verify", "-sigfile", "ours")


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _has_sm2(openssl: str) -> bool:
    listed = subprocess.run(
        [openssl, "list", "-signature-algorithms"], capture_output=True, timeout=60, check=False
    )
    return b"SM2" in listed.stdout
