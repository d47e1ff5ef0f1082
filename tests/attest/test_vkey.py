from __future__ import annotations

import base64

import pytest
from example_contents import key
from hypothesis import given
from hypothesis import strategies as st

from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.signing import MlDsa44Signer
from carbonseal_attest.vkey import (
    ECDSA_NOTE,
    ED25519_COSIGNATURE,
    ED25519_NOTE,
    MAX_VKEY,
    ML_DSA_44_COSIGNATURE,
    Vkey,
)

PUBLIC = key("log host").public
# From the tests of golang.org/x/mod/sumdb/note and of github.com/transparency-dev/formats.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
REKOR = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l"
    "+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)
ARGON = (
    "ct.googleapis.com/logs/us1/argon2024+7deb49d0+BTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB25bKnLaZTFXOa2pgO70rjcVE"
    "MXKJkMBgFQHZ1kwFlGK9zIAx0FtC2oCfeZQe0E++VXuiYE9hFSzhRlOy92K8A="
)


@pytest.mark.parametrize(
    ("text", "kind"), [(PETER, ED25519_NOTE), (REMORA, ED25519_COSIGNATURE), (REKOR, ECDSA_NOTE)]
)
def test_foreign_verifier_key_prints_to_itself(text: str, kind: int) -> None:
    vkey = Vkey.parse(text)
    assert vkey.signature_type == kind
    assert str(vkey) == text


def test_every_piece_of_a_verifier_key_but_the_whole_is_refused() -> None:
    for start in range(len(PETER)):
        for end in range(start, len(PETER) + 1):
            if (start, end) != (0, len(PETER)):
                with pytest.raises(KeyRefused):
                    Vkey.parse(PETER[start:end])


def test_every_changed_character_of_a_verifier_key_is_refused() -> None:
    for at in range(len(PETER)):
        for changed in (chr(ord(PETER[at]) + 1), PETER[at].swapcase(), "\u0663", "\n", "\ud800"):
            if changed != PETER[at]:
                with pytest.raises(KeyRefused):
                    Vkey.parse(PETER[:at] + changed + PETER[at + 1 :])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not name"),
        ("a" * (MAX_VKEY + 1), "longer than"),
        # From the Go library's tests: a key of the wrong length, an unknown type, each with its right id.
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "not name"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "type 65 is not supported"),
        (ARGON, "type 05 is not supported"),
        ("rekor.sigstore.dev+12345678+AwEB", "type 03 is not supported"),
        (PETER.replace("Peter", "Peter "), "holds a space"),
        (PETER.replace("Peter", "Peter\u2003"), "holds a space"),
        (PETER.replace("PeterNeumann", ""), "its name is empty"),
        (PETER.replace("c74f20a3", "C74F20A3"), "not name"),
        (PETER.replace("c74f20a3", "00000000"), "is not that of the key"),
        (REKOR.replace("c0d23d6a", "00000000"), "is not that of the key"),
        (REKOR.replace("AjBZ", "AjBa"), "P-256"),
        (PETER + "\n", "base64"),
        (PETER + "=", "base64"),
        ("x+00000000+AQ==", "not name"),
        ("x+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "low-order"),
        ("x+00000000+" + base64.b64encode(b"\x02" + bytes(91)).decode(), "P-256"),
    ],
)
def test_refuses_verifier_key_that_is_malformed_or_of_an_unsupported_type(text: str, reason: str) -> None:
    with pytest.raises(KeyRefused, match=reason):
        Vkey.parse(text)


def test_refuses_key_whose_algorithm_is_not_that_of_the_signature_type() -> None:
    with pytest.raises(KeyRefused, match="is not that of signature type 06"):
        Vkey("witness.example/w", ML_DSA_44_COSIGNATURE, PUBLIC)


def test_ml_dsa_key_of_the_longest_name_reads_back_and_a_longer_one_is_refused() -> None:
    public = MlDsa44Signer.from_seed(bytes(32)).public
    vkey = Vkey("w" * 255, ML_DSA_44_COSIGNATURE, public)
    assert Vkey.parse(str(vkey)) == vkey
    assert len(str(vkey)) < MAX_VKEY
    for name in ("w" * 256, "\u00e9" * 128):
        with pytest.raises(KeyRefused, match="longer than 255 bytes"):
            Vkey(name, ML_DSA_44_COSIGNATURE, public)


@given(st.text(min_size=1, max_size=40), st.sampled_from([ED25519_NOTE, ED25519_COSIGNATURE]))
def test_any_name_gives_a_key_that_reads_back_or_our_refusal(name: str, kind: int) -> None:
    try:
        vkey = Vkey(name, kind, PUBLIC)
    except KeyRefused:
        return
    assert Vkey.parse(str(vkey)) == vkey
