"""Endorsements: signatures by others over a content that carries them, and proofs of possession.

One statement has one signer. Where several must agree (a genesis: party, log host and registrar) or a key
must show that it exists (a device), each signs the body without its `endorsements`, as a detached COSE_Sign1
(RFC 9052 §4.1) of its own type, and the signatures stand inside the content that the statement then signs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from typing import Any, Final

from carbonseal_attest import cbor
from carbonseal_attest.algorithms import ADMITTED, check_signed_with
from carbonseal_attest.cose import ALG, KID, TYP, Label, sig_structure, sign1, split_sign1
from carbonseal_attest.errors import SignatureInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer

MAX_ENDORSEMENT: Final = 4096  # bytes, of which a signature of ML-DSA-44 takes 2,420
ENDORSEMENT_TYPE: Final = "application/vnd.carbonseal.endorsement+cose"


def endorse(signer: Signer, kind: str, subject: str, role: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the endorsement by `signer`, acting as `role`, of a content's body."""
    labels: dict[Label, Any] = {ALG: signer.public.algorithm, KID: signer.public.kid, TYP: ENDORSEMENT_TYPE}
    return {
        "role": role,
        "signature": sign1(signer, labels, _challenge(kind, subject, role, body), is_detached=True),
    }


def verify_endorsement(
    kind: str,
    subject: str,
    role: str,
    body: Mapping[str, Any],
    key: PublicKey,
    *,
    admitted: Container[int] = ADMITTED,
) -> None:
    """Check that `body` carries exactly one endorsement as `role`, and that `key` made it.

    Raises:
        AlgorithmRefused: the key's algorithm is not among the `admitted`.
        SignatureInvalid: it is missing, doubled, made by another key, or over another body.
        CoseInvalid: the signature is not a COSE_Sign1 in our strict form.
    """
    check_signed_with(key.algorithm, key.algorithm, admitted)
    found = [e["signature"] for e in body["endorsements"] if e["role"] == role]
    if len(found) != 1:
        raise _refusal(role, f"{len(found)} endorsements instead of one")
    protected, unprotected, payload, signature = split_sign1(found[0], max_size=MAX_ENDORSEMENT)
    expected = cbor.encode({ALG: key.algorithm, KID: key.kid, TYP: ENDORSEMENT_TYPE})
    if protected != expected or unprotected or payload is not None:
        raise _refusal(role, "made by another key, or not an endorsement")
    key.verify(signature, sig_structure(protected, _challenge(kind, subject, role, body)))


def _challenge(kind: str, subject: str, role: str, body: Mapping[str, Any]) -> bytes:
    rest = {name: value for name, value in body.items() if name != "endorsements"}
    return hashlib.sha256(cbor.encode([kind, subject, role, rest])).digest()


def _refusal(role: str, reason: str) -> SignatureInvalid:
    return SignatureInvalid(
        f"endorsement by {role}", reason, "have the content endorsed again by that role's key"
    )
