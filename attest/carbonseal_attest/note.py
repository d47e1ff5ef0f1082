"""Signed notes (C2SP signed-note): a text, an empty line, and signature lines.

Reads and prints any note, whoever signed it; a note is bytes, and printing gives the very bytes that were
read. Verifies the plain signature types, Ed25519 (01) and ECDSA (02); types 04 and 06 sign more than the
text and are in `cosignature`. Unknown signatures are ignored, as the format demands; one of a known key
that fails refuses.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from carbonseal_attest.errors import NoteInvalid, SignatureInvalid
from carbonseal_attest.signing import Signer
from carbonseal_attest.vkey import ECDSA_NOTE, ED25519_NOTE, KEY_NAME, Vkey

MAX_NOTE: Final = 262_144  # bytes; 64 signatures of ML-DSA-44 take 215 KB
MAX_SIGNATURES: Final = 64  # the format asks for 16 at least
_DASH: Final = "\N{EM DASH} "
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")  # all below U+0020 but newline


class NoteSignature(NamedTuple):
    """One signature line: who signed (name and four-byte key id), and what follows the id."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Return the line as a note carries it, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note's text (ending in a newline) and its signatures, in the order of their lines."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, note: bytes) -> SignedNote:
        """Return the parts of a signed note; `encode` gives `note` back.

        Raises:
            NoteInvalid: not UTF-8, control characters, no signature block, or a malformed signature line.
        """
        if len(note) > MAX_NOTE:
            raise _refusal(f"longer than {MAX_NOTE} bytes")
        try:
            whole = note.decode()
        except UnicodeDecodeError as error:
            raise _refusal("not UTF-8") from error
        if _CONTROL.search(whole):
            raise _refusal("holds control characters")
        text, separator, block = whole.rpartition("\n\n")
        if not separator or not block.endswith("\n"):
            raise _refusal("has no signature block")
        if block.count("\n") > MAX_SIGNATURES:
            raise _refusal(f"has more than {MAX_SIGNATURES} signatures")
        return cls(text + "\n", tuple(_read_line(line) for line in block[:-1].split("\n")))

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return f"{self.text}\n{''.join(s.line() for s in self.signatures)}".encode()

    def of(self, vkey: Vkey) -> list[bytes]:
        """Return what stands after the key id in the lines of `vkey`; both name and id must be its own."""
        return [s.signature for s in self.signatures if (s.name, s.key_id) == (vkey.name, vkey.key_id)]

    def verify(self, vkey: Vkey) -> None:
        """Check that `vkey`, of a plain signature type, signed the note.

        Raises:
            NoteInvalid: no signature of that key, or one that does not verify.
        """
        if vkey.signature_type not in {ED25519_NOTE, ECDSA_NOTE}:
            raise _refusal(f"signature type {vkey.signature_type:02x} is a cosignature")
        signatures = self.of(vkey)
        if not signatures:
            raise _refusal(f"carries no signature of the expected key for {vkey.name}")
        for signature in signatures:
            check_plain(vkey, self.text, signature)


def check_plain(vkey: Vkey, text: str, signature: bytes) -> None:
    """Check one signature of type 01 or 02 over `text`.

    Raises:
        NoteInvalid: it does not verify.
    """
    try:
        vkey.key.verify(_fixed(signature) if vkey.signature_type == ECDSA_NOTE else signature, text.encode())
    except SignatureInvalid as error:
        raise _refusal(f"signature for {vkey.name} does not verify") from error


def sign_note(text: str, name: str, signer: Signer) -> bytes:
    """Return `text` (ending in a newline) as a note signed under `name` with Ed25519 (type 01)."""
    vkey = Vkey(name, ED25519_NOTE, signer.public)
    signature = NoteSignature(name, vkey.key_id, signer.sign(text.encode()))
    return SignedNote(text, (signature,)).encode()


def _fixed(signature: bytes) -> bytes:
    """Return an ECDSA signature in DER as r | s, 32 bytes each."""
    try:
        r, s = decode_dss_signature(signature)
        if encode_dss_signature(r, s) != signature:
            raise _refusal("ECDSA signature is not in DER")
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError) as error:
        raise _refusal("ECDSA signature is not in DER") from error


def _read_line(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("has a malformed signature line") from error
    # Base64 has spare bits; only the one canonical spelling is read, or a flipped bit could go unseen.
    is_canonical = base64.b64encode(blob).decode() == encoded
    if not line.startswith(_DASH) or not KEY_NAME.fullmatch(name) or len(blob) < 5 or not is_canonical:
        raise _refusal("has a malformed signature line")
    return NoteSignature(name, blob[:4], blob[4:])


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("note", reason, "fetch the note again from its log")
