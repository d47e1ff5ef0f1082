"""Signed notes (C2SP signed-note): text, and signature lines of Ed25519 keys (type 0x01).

Unknown signatures are ignored, as the format demands; a signature of the expected key that fails refuses the
note. Cosignatures of witnesses (type 0x04) are kept as lines and come with later work.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import NoteInvalid, SignatureInvalid
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer

MAX_NOTE: Final = 16_384  # characters
MAX_SIGNATURES: Final = 64
_ED25519_TYPE: Final = b"\x01"
_DASH: Final = "\N{EM DASH} "
# Control characters but newline, and halves of surrogate pairs, which no UTF-8 can write.
_UNFIT: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_NAME: Final = re.compile(r"[^\s+]+")  # C2SP signed-note: no Unicode spaces, no plus


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note's text (ending in a newline) and its signature lines as (name, key id, signature)."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> SignedNote:
        """Return the parts of a signed note.

        Raises:
            NoteInvalid: no signature block, control characters, or a malformed signature line.
        """
        if len(note) > MAX_NOTE or _UNFIT.search(note):
            raise _refusal("too long, or holds control characters")
        text, separator, block = note.rpartition("\n\n")
        if not separator or not block.endswith("\n"):
            raise _refusal("has no signature block")
        lines = block[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise _refusal("has too many signatures")
        return cls(text + "\n", tuple(_read_line(line) for line in lines))

    def verify(self, name: str, key: PublicKey) -> None:
        """Check that `key` signed the note under `name`.

        Raises:
            NoteInvalid: no signature of that key, or one that does not verify.
        """
        wanted = key_id(name, key)
        found = [sig for line_name, kid, sig in self.signatures if line_name == name and kid == wanted]
        if not found:
            raise _refusal(f"carries no signature of the expected key for {name}")
        for signature in found:
            try:
                key.verify(signature, self.text.encode())
            except SignatureInvalid as error:
                raise _refusal(f"signature for {name} does not verify") from error


def sign_note(text: str, name: str, signer: Signer) -> str:
    """Return `text` (ending in a newline) as a note signed under `name`."""
    signature = key_id(name, signer.public) + signer.sign(text.encode())
    return f"{text}\n{_DASH}{name} {base64.b64encode(signature).decode()}\n"


def key_id(name: str, key: PublicKey) -> bytes:
    """Return the four-byte key id of an Ed25519 key under `name`."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519_TYPE + key.raw).digest()[:4]


def _read_line(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("has a malformed signature line") from error
    # Base64 has spare bits; only the one canonical spelling is read, or a flipped bit could go unseen.
    is_canonical = base64.b64encode(blob).decode() == encoded
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(blob) < 5 or not is_canonical:
        raise _refusal("has a malformed signature line")
    return name, blob[:4], blob[4:]


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("note", reason, "fetch the note again from its log")
