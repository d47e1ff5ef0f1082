"""Verifier keys (C2SP signed-note): a name, a signature type and a public key, as one line of text.

`name+key id+base64(type | public key)`. Types: 01 Ed25519, 02 ECDSA with SHA-256 on P-256 (read, never
written by our logs), 04 Ed25519 cosignature, 06 ML-DSA-44 cosignature. Others are refused by their number,
so that a reader can say "unsupported". What each type signs stands in `note` and `cosignature`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from carbonseal_attest.algorithms import ED25519, ESP256, ML_DSA_44
from carbonseal_attest.errors import KeyRefused
from carbonseal_attest.keys import PublicKey

ED25519_NOTE: Final = 0x01
ECDSA_NOTE: Final = 0x02
ED25519_COSIGNATURE: Final = 0x04
ML_DSA_44_COSIGNATURE: Final = 0x06
COSIGNATURES: Final = frozenset({ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE})
MAX_VKEY: Final = 2_560  # characters; an ML-DSA-44 key takes 1,752 of them
KEY_NAME: Final = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")  # no Unicode spaces, no plus

_ALGORITHMS: Final = {
    ED25519_NOTE: ED25519,
    ECDSA_NOTE: ESP256,
    ED25519_COSIGNATURE: ED25519,
    ML_DSA_44_COSIGNATURE: ML_DSA_44,
}
# SubjectPublicKeyInfo of an uncompressed point on P-256, up to x | y (RFC 5480).
_P256_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_ID: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Vkey:
    """Who signs notes: name, signature type, public key; the key id follows from them."""

    name: str
    signature_type: int
    key: PublicKey
    key_id: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.signature_type not in _ALGORITHMS:
            raise _refusal(f"signature type {self.signature_type:02x} is not supported")
        if self.key.algorithm != _ALGORITHMS[self.signature_type]:
            raise _refusal(
                f"algorithm {self.key.algorithm} is not that of signature type {self.signature_type:02x}"
            )
        if not KEY_NAME.fullmatch(self.name):
            raise _refusal("its name is empty, or holds a space or a plus")
        if self.signature_type == ML_DSA_44_COSIGNATURE and len(self.name.encode()) > 255:
            raise _refusal("its name is longer than 255 bytes, which such a cosignature can't state")
        if self.signature_type == ECDSA_NOTE:
            digested = _P256_SPKI + self.key.raw
        else:
            digested = self.name.encode() + b"\n" + bytes([self.signature_type]) + self.key.raw
        object.__setattr__(self, "key_id", hashlib.sha256(digested).digest()[:4])

    @classmethod
    def parse(cls, text: str) -> Vkey:
        """Return the verifier key that `text` writes; `str()` gives `text` back.

        Raises:
            KeyRefused: not a verifier key, of an unsupported type, or its key id is another key's.
        """
        if len(text) > MAX_VKEY:
            raise _refusal(f"longer than {MAX_VKEY} characters")
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            blob = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _refusal("its last part is not base64") from error
        if not _ID.fullmatch(key_id) or len(blob) < 2 or base64.b64encode(blob).decode() != encoded:
            raise _refusal("not name+key id+base64")
        kind, raw = blob[0], blob[1:]
        if kind not in _ALGORITHMS:
            raise _refusal(f"signature type {kind:02x} is not supported")
        if kind == ECDSA_NOTE:
            if not raw.startswith(_P256_SPKI):
                raise _refusal("not an uncompressed key on P-256")
            raw = raw.removeprefix(_P256_SPKI)
        vkey = cls(name, kind, PublicKey(_ALGORITHMS[kind], raw))
        if vkey.key_id.hex() != key_id:
            raise _refusal(f"key id {key_id} is not that of the key, {vkey.key_id.hex()}")
        return vkey

    def __str__(self) -> str:
        """Return the verifier key as one line."""
        raw = (_P256_SPKI if self.signature_type == ECDSA_NOTE else b"") + self.key.raw
        encoded = base64.b64encode(bytes([self.signature_type]) + raw).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


def _refusal(reason: str) -> KeyRefused:
    return KeyRefused("vkey", reason, "copy the verifier key again, whole, from its owner")
