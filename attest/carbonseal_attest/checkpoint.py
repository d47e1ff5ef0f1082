"""Checkpoints (C2SP tlog-checkpoint): the head of a log: origin, tree size, root hash.

Two layers. `Checkpoint` reads and prints anybody's checkpoint: any origin, extension lines kept.
`sign_checkpoint` and `open_checkpoint` are for our own logs, whose profile is narrower: an origin of ours,
at most 2^48 entries, the one root of the empty tree, and no extension lines, since witnesses make no claim
about them.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import IdentifierInvalid, NoteInvalid
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT, MAX_TREE_SIZE
from carbonseal_attest.note import SignedNote, sign_note
from carbonseal_attest.signing import Signer
from carbonseal_attest.vkey import ED25519_NOTE, Vkey

MAX_SIZE: Final = (1 << 64) - 1  # what the cosigned structures can state
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,19}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log; trusted only when a trusted key's signature over its text was checked."""

    origin: str
    tree_size: int
    root_hash: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint that a note's text writes; `text()` gives it back.

        Raises:
            NoteInvalid: not an origin, a size, a root hash of 32 bytes and non-empty extension lines.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise _refusal("not three or more lines, none empty, each ended")
        origin, size, encoded, *extensions = lines
        if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
            raise _refusal("tree size is not a decimal number below 2^64 without leading zeros")
        try:
            root = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _refusal("root hash is not base64") from error
        if len(root) != 32 or base64.b64encode(root).decode() != encoded:
            raise _refusal("root hash is not 32 bytes in base64")
        return cls(origin, int(size), root, tuple(extensions))

    @classmethod
    def of_note(cls, note: str) -> Checkpoint:
        """Return the checkpoint of a signed note whose signatures nobody checks here.

        Raises:
            NoteInvalid: no signed note of a checkpoint.
        """
        return cls.parse(_read(note).text)

    def text(self) -> str:
        """Return the lines that are signed."""
        head = f"{self.origin}\n{self.tree_size}\n{base64.b64encode(self.root_hash).decode()}\n"
        return head + "".join(f"{line}\n" for line in self.extensions)

    def check_profile(self) -> None:
        """Check that a log of ours could have this head.

        Raises:
            NoteInvalid: a foreign origin, extension lines, too large, or an empty tree with another root.
        """
        try:
            check_origin(self.origin)
        except IdentifierInvalid as error:
            raise _refusal(f"origin {error.reason}") from error
        if self.extensions:
            raise _refusal("has extension lines, about which witnesses make no claim")
        if self.tree_size > MAX_TREE_SIZE or (self.tree_size == 0 and self.root_hash != EMPTY_ROOT):
            raise _refusal("size beyond 2^48, or an empty tree with a root of its own")


def sign_checkpoint(checkpoint: Checkpoint, *signers: Signer) -> str:
    """Return the signed note of `checkpoint`, with a signature of each signer in order.

    A log never signs two heads that contradict each other. Two sign where the log key changes: the new key,
    then the old one.
    """
    checkpoint.check_profile()
    notes = [sign_note(checkpoint.text(), checkpoint.origin, signer) for signer in signers]
    made = [signature for note in notes for signature in SignedNote.parse(note).signatures]
    return SignedNote(checkpoint.text(), tuple(made)).encode().decode()


def open_checkpoint(note: str, *, origin: str, key: PublicKey) -> Checkpoint:
    """Return the checkpoint of a note that `key` signed for `origin`, a log of ours.

    Raises:
        NoteInvalid: malformed, outside our profile, of another log, or not signed by `key`.
    """
    signed = _read(note)
    checkpoint = Checkpoint.parse(signed.text)
    checkpoint.check_profile()
    if checkpoint.origin != origin:
        raise _refusal(f"of {checkpoint.origin}, not of {origin}")
    signed.verify(Vkey(origin, ED25519_NOTE, key))
    return checkpoint


def _read(note: str) -> SignedNote:
    try:
        return SignedNote.parse(note.encode())
    except UnicodeEncodeError as error:
        raise _refusal("holds what UTF-8 can't write") from error


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("checkpoint", reason, "fetch the checkpoint again from its log")
