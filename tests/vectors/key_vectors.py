"""What the generators of the key families (ed25519, ecdsa-p256, ml-dsa) share: the form of their vectors.

A vector has a public key as text and, if it is about a signature, a message and the raw signature. A good
one also says the key identifier, the COSE_Key and the seed of the example key.
"""

from __future__ import annotations

import hashlib

from vector_files import Vector

from carbonseal_attest import cbor
from carbonseal_attest.signing import SoftwareSigner

MESSAGE = b"carbonseal example message"


def seed(name: str) -> bytes:
    """The seed of the example key `name`."""
    return hashlib.sha256(f"carbonseal example key {name}".encode()).digest()


def good(desc: str, signer: SoftwareSigner, signature: bytes, message: bytes = MESSAGE) -> Vector:
    """A signature that verifies, with all that follows from its key."""
    return {
        "desc": desc,
        "want_error": None,
        "seed": signer.seed.hex(),
        "public": signer.public.text(),
        "kid": signer.public.kid.hex(),
        "cose_key": cbor.encode(signer.public.cose_key()).hex(),
        "message": message.hex(),
        "signature": signature.hex(),
    }


def bad_key(desc: str, text: str) -> Vector:
    """A text that is no admitted public key."""
    return {"desc": desc, "want_error": "key-refused", "public": text}


def bad_signature(desc: str, signer: SoftwareSigner, signature: bytes, message: bytes = MESSAGE) -> Vector:
    """A signature that does not verify."""
    return {
        "desc": desc,
        "want_error": "signature-invalid",
        "public": signer.public.text(),
        "message": message.hex(),
        "signature": signature.hex(),
    }


def spoilt(signer: SoftwareSigner, signature: bytes) -> list[Vector]:
    """What must not verify under any algorithm."""
    size = len(signature)
    return [
        bad_signature("one bit of the signature", signer, bytes([signature[0] ^ 1]) + signature[1:]),
        bad_signature("last bit of the signature", signer, signature[:-1] + bytes([signature[-1] ^ 128])),
        bad_signature("one bit of the message", signer, signature, bytes([MESSAGE[0] ^ 1]) + MESSAGE[1:]),
        bad_signature("message cut short", signer, signature, MESSAGE[:-1]),
        bad_signature(f"signature of {size - 1} bytes", signer, signature[:-1]),
        bad_signature(f"signature of {size + 1} bytes", signer, signature + b"\x00"),
        bad_signature("empty signature", signer, b""),
        bad_signature("signature of zeros", signer, bytes(size)),
    ]
