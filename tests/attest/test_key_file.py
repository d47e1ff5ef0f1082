from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest import cbor, key_file
from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.key_file import decrypt_key_file, encrypt_key_file
from carbonseal_attest.signing import Ed25519Signer

N = 1 << 14  # the least that is read, so that the tests stay quick
FILE = encrypt_key_file(key("device"), "a pass phrase", work_factor=N)


def sealed(secret: bytes, *, n: int = N, public: bytes = key("device").public.raw) -> bytes:
    salt, nonce = b"s" * 16, b"n" * 12
    head = ["carbonseal-key/v1", -19, public, ["scrypt", n, 8, 1, salt], nonce]
    box = AESGCM(key_file._derive("x", N, salt)).encrypt(nonce, secret, cbor.encode(head))
    return cbor.encode([*head, box])


def test_key_file_opens_with_its_pass_phrase_and_shows_no_secret() -> None:
    assert decrypt_key_file(FILE, "a pass phrase").seed == key("device").seed
    assert key("device").seed not in FILE
    assert encrypt_key_file(key("device"), "a pass phrase", work_factor=N) != FILE


def test_refuses_wrong_pass_phrase() -> None:
    with pytest.raises(KeyRefused, match="does not open"):
        decrypt_key_file(FILE, "another")


def test_refuses_pass_phrase_that_is_not_unicode_text() -> None:
    with pytest.raises(KeyRefused, match="not Unicode"):
        decrypt_key_file(FILE, "caf\udce9")


@pytest.mark.parametrize("n", [0, 1, 1 << 13, (1 << 14) + 1, 1 << 19, 1 << 40])
def test_refuses_work_factor_outside_the_limits_before_it_works(n: int) -> None:
    with pytest.raises(KeyRefused, match="outside the limits"):
        decrypt_key_file(sealed(bytes(32), n=n), "x")


@pytest.mark.parametrize("n", [-1, 0, 1 << 13, (1 << 14) + 1, 1 << 19])
def test_writes_no_file_that_no_reader_would_open(n: int) -> None:
    with pytest.raises(KeyRefused, match="outside the limits"):
        encrypt_key_file(key("device"), "a pass phrase", work_factor=n)


def test_refuses_secret_of_another_length() -> None:
    with pytest.raises(KeyRefused, match="something else than a key"):
        decrypt_key_file(sealed(b"short"), "x")


def test_refuses_secret_that_does_not_belong_to_the_public_key() -> None:
    with pytest.raises(KeyRefused, match="do not belong together"):
        decrypt_key_file(sealed(bytes(32)), "x")


def test_any_flipped_bit_of_a_key_file_is_refused() -> None:
    for at in range(0, len(FILE), 7):
        with pytest.raises(KeyRefused):
            decrypt_key_file(FILE[:at] + bytes([FILE[at] ^ 1]) + FILE[at + 1 :], "a pass phrase")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_key_or_our_refusal(data: bytes) -> None:
    with pytest.raises(KeyRefused):
        decrypt_key_file(data, "x")


def test_signature_of_a_signer_verifies_under_its_public_key() -> None:
    signer = Ed25519Signer.generate()
    signer.public.verify(signer.sign(b"data"), b"data")
    assert Ed25519Signer.from_seed(signer.seed).public == signer.public


def test_example_of_the_specification_opens(repository_root: Path) -> None:
    page = (repository_root / "docs/spec/keys.md").read_text(encoding="utf-8")
    block = next(block for block in page.split("```")[1::2] if block.startswith("\n8671"))
    opened = decrypt_key_file(bytes.fromhex(block), "an example pass phrase")
    assert f"key identifier: `{opened.public.kid.hex()}`" in page
    assert cbor.encode(opened.public.cose_key()) == bytes.fromhex(page.split("```")[1])
    assert opened.sign(b"carbonseal example message").hex() in page
