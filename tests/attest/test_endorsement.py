from __future__ import annotations

from typing import Any

import pytest
from example_contents import PARTY, bodies, key

from carbonseal_attest.cose import ALG, KID, join_sign1, sign1, split_sign1
from carbonseal_attest.endorsement import endorse, verify_endorsement
from carbonseal_attest.errors import AttestError, CoseInvalid, SignatureInvalid

GENESIS = bodies()["genesis"]


def verify(
    body: dict[str, Any], *, role: str = "registrar", name: str = "registrar", subject: str = PARTY
) -> None:
    verify_endorsement("genesis", subject, role, body, key(name).public)


def test_endorsements_of_the_example_hold() -> None:
    verify(GENESIS)
    verify(GENESIS, role="log_host", name="log host")


def test_endorsement_of_another_body_subject_kind_or_role_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="does not verify"):
        verify({**GENESIS, "log_host": "h-other"})
    with pytest.raises(SignatureInvalid, match="does not verify"):
        verify(GENESIS, subject="e-other")
    with pytest.raises(SignatureInvalid, match="does not verify"):
        verify_endorsement("party", PARTY, "registrar", GENESIS, key("registrar").public)
    swapped = [{**e, "role": "party"} for e in GENESIS["endorsements"] if e["role"] == "registrar"]
    with pytest.raises(SignatureInvalid, match="does not verify"):
        verify({**GENESIS, "endorsements": swapped}, role="party")


def test_endorsement_by_another_key_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="another key"):
        verify(GENESIS, name="party")


def test_missing_or_doubled_endorsement_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="0 endorsements"):
        verify({**GENESIS, "endorsements": []})
    with pytest.raises(SignatureInvalid, match="2 endorsements"):
        verify({**GENESIS, "endorsements": GENESIS["endorsements"] * 2})


def test_signature_without_the_type_of_an_endorsement_is_refused() -> None:
    signer = key("registrar")
    plain = sign1(signer, {ALG: -19, KID: signer.public.kid}, bytes(32), is_detached=True)
    with pytest.raises(SignatureInvalid, match="not an endorsement"):
        verify({**GENESIS, "endorsements": [{"role": "registrar", "signature": plain}]})


def test_endorsement_with_an_unprotected_header_or_its_payload_is_refused() -> None:
    (entry,) = [e for e in GENESIS["endorsements"] if e["role"] == "registrar"]
    protected, _, _, signature = split_sign1(entry["signature"], max_size=4096)
    for unprotected, payload in (({4: b"k"}, None), ({}, bytes(32))):
        other = join_sign1(protected, unprotected, payload, signature)
        with pytest.raises(SignatureInvalid, match="not an endorsement"):
            verify({**GENESIS, "endorsements": [{"role": "registrar", "signature": other}]})


@pytest.mark.parametrize("signature", [b"", b"\xd2", b"\xd2\x80", b"\xff" * 40, bytes(1100)], ids=len)
def test_bytes_that_are_no_signature_are_refused(signature: bytes) -> None:
    with pytest.raises(CoseInvalid):
        verify({**GENESIS, "endorsements": [{"role": "registrar", "signature": signature}]})


def test_any_flipped_bit_of_an_endorsement_is_refused() -> None:
    body = {name: value for name, value in GENESIS.items() if name != "endorsements"}
    made = endorse(key("registrar"), "genesis", PARTY, "registrar", body)
    verify({**body, "endorsements": [made]})
    for at in range(len(made["signature"])):
        changed = bytearray(made["signature"])
        changed[at] ^= 4
        with pytest.raises(AttestError):
            verify({**body, "endorsements": [{"role": "registrar", "signature": bytes(changed)}]})
