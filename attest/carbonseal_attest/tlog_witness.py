"""What log and witness say to each other (C2SP tlog-witness 1.0.0): the body of `add-checkpoint`, addresses.

Reads and writes the very bytes; used by the witness, which trusts none of them, and by whoever asks one. It
checks no signature and no proof, and speaks no HTTP.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.checkpoint import MAX_SIZE, Checkpoint
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import SignedNote

ADD_CHECKPOINT: Final = "/add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"  # of the answer that states the size held
MAX_PROOF: Final = 63  # lines
MAX_REQUEST: Final = 131_072  # bytes; sixteen ML-DSA-44 signatures take 54 KB
_OLD: Final = re.compile(rb"old (0|[1-9][0-9]{0,19})")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A head that a witness shall cosign, with the proof from the head of `old_size` leaves."""

    old_size: int
    proof: tuple[bytes, ...]
    note: SignedNote

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Return what a request's body holds; `encode` gives `body` back.

        Raises:
            NoteInvalid: too long, or not an old size, at most 63 hashes, an empty line and a signed note.
        """
        if len(body) > MAX_REQUEST:
            raise _refusal(f"longer than {MAX_REQUEST} bytes")
        head, separator, note = body.partition(b"\n\n")
        first, *hashes = head.split(b"\n")
        old = _OLD.fullmatch(first)
        if not separator or old is None or int(old[1]) > MAX_SIZE:
            raise _refusal("does not begin with `old`, a size below 2^64 and an empty line after the proof")
        if len(hashes) > MAX_PROOF:
            raise _refusal(f"holds more than {MAX_PROOF} hashes")
        return cls(int(old[1]), tuple(map(_hash, hashes)), SignedNote.parse(note))

    def encode(self) -> bytes:
        """Return the request's body."""
        lines = [b"old %d" % self.old_size, *map(base64.b64encode, self.proof)]
        return b"\n".join(lines) + b"\n\n" + self.note.encode()

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that the note writes, not yet trusted.

        Raises:
            NoteInvalid: the note is of something else.
        """
        return Checkpoint.parse(self.note.text)


def checkpoint_path(origin: str) -> str:
    """Return where a witness shows the newest head of a log that it cosigned, below its address."""
    return f"/{origin_hash(origin)}/checkpoint"


def origin_hash(origin: str) -> str:
    """Return the name of a log in a witness's addresses: SHA-256 of its origin, in hexadecimal."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _hash(line: bytes) -> bytes:
    try:
        value = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("holds a proof line that is not base64") from error
    if len(value) != 32 or base64.b64encode(value) != line:
        raise _refusal("holds a proof line that is not 32 bytes in base64")
    return value


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("add-checkpoint", reason, "send the body as C2SP tlog-witness has it")
