"""Checkpoints (C2SP tlog-checkpoint): the signed head of a log: origin, tree size, root hash.

No extension lines: witnesses make no claim about them, so nothing may hide there.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.errors import CarbonsealError, NoteInvalid
from carbonseal_attest.identifiers import check_origin
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.merkle import EMPTY_ROOT, MAX_TREE_SIZE
from carbonseal_attest.note import SignedNote, sign_note
from carbonseal_attest.signing import Signer

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,14}")  # a tree has at most 2^48 leaves


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log; it is trusted only when it came out of `open_checkpoint` with a trusted key."""

    origin: str
    tree_size: int
    root_hash: bytes

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint that a note's text writes.

        Raises:
            NoteInvalid: not exactly origin, size and root hash, or an empty tree with another root.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _SIZE.fullmatch(lines[1]):
            raise _refusal("not the three lines of a checkpoint")
        try:
            root = base64.b64decode(lines[2], validate=True)
            origin = check_origin(lines[0])
        except (binascii.Error, ValueError, CarbonsealError) as error:
            raise _refusal("malformed origin or root hash") from error
        if len(root) != 32 or base64.b64encode(root).decode() != lines[2]:
            raise _refusal("root hash is not 32 bytes in base64")
        size = int(lines[1])
        if size > MAX_TREE_SIZE or (size == 0 and root != EMPTY_ROOT):
            raise _refusal("size beyond 2^48, or an empty tree with a root of its own")
        return cls(origin, size, root)

    def text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.tree_size}\n{base64.b64encode(self.root_hash).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the signed note of `checkpoint`. A log never signs two heads that contradict each other."""
    return sign_note(checkpoint.text(), checkpoint.origin, signer)


def open_checkpoint(note: str, *, origin: str, key: PublicKey) -> Checkpoint:
    """Return the checkpoint of a note that `key` signed for `origin`.

    Raises:
        NoteInvalid: malformed, of another log, or not signed by `key`.
    """
    signed = SignedNote.parse(note)
    checkpoint = Checkpoint.parse(signed.text)
    if checkpoint.origin != origin:
        raise _refusal(f"of {checkpoint.origin}, not of {origin}")
    signed.verify(origin, key)
    return checkpoint


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("checkpoint", reason, "fetch the checkpoint again from its log")
