"""Public keys as vector files write them: ours as text, JWK-like (cose-wg, pycose), keys of notes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from carbonseal_attest.algorithms import ED25519, ESP256
from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.vkey import Vkey
from carbonseal_verifier.conformance.case import Unsupported
from carbonseal_verifier.conformance.fields import Fields
from carbonseal_verifier.errors import UsageInvalid

_NOTE_TYPES: Final = frozenset({1, 2, 4, 6})
_P256_NAMES: Final = frozenset({"P-256", "P_256"})
_ED25519_NAMES: Final = frozenset({"ED25519"})


def our_key(fields: Fields, name: str = "public") -> PublicKey:
    """Return the key of one of our vectors: 64 hex digits for Ed25519, else `<name>:<hex>`."""
    return PublicKey.from_text(fields.text(name))


def jwk_key(fields: Fields) -> PublicKey:
    """Return the key of a cose-wg or pycose vector.

    Raises:
        Unsupported: a curve that is not ours.
    """
    curve = fields.text("crv", default=fields.text("kty"))
    if curve.upper() in _ED25519_NAMES:
        return PublicKey(ED25519, _coordinate(fields, "x"))
    if curve in _P256_NAMES:
        return PublicKey(ESP256, _coordinate(fields, "x") + _coordinate(fields, "y"))
    raise Unsupported(curve)


def _coordinate(fields: Fields, name: str) -> bytes:
    """Return a coordinate: `x_hex`, or `x` in hex (pycose) or base64url (JWK)."""
    if f"{name}_hex" in fields:
        return fields.hex(f"{name}_hex")
    text = fields.text(name)
    try:
        if len(text) == 64:
            return binascii.unhexlify(text.encode())
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded.encode(), altchars=b"-_", validate=True).rjust(32, b"\x00")
    except (ValueError, binascii.Error) as error:
        raise fields.refusal(name, "neither hex nor base64url") from error


def note_keys(texts: Sequence[str]) -> list[Vkey]:
    """Return the verifier keys of the command line.

    Raises:
        Unsupported: a signature type that is not ours.
        UsageInvalid: not a verifier key.
    """
    found = []
    for text in texts:
        try:
            found.append(Vkey.parse(text))
        except KeyRefused as error:
            kind = _signature_type(text)
            if kind is not None and kind not in _NOTE_TYPES:
                raise Unsupported(f"note signature type {kind:02x}") from error
            raise UsageInvalid("--key", error.reason, "give a verifier key: name+key id+base64") from error
    return found


def _signature_type(text: str) -> int | None:
    try:
        return base64.b64decode(text.split("+", 2)[-1], validate=True)[0]
    except (ValueError, binascii.Error, IndexError):
        return None
