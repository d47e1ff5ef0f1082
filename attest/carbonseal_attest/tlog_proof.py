"""Offline proofs as text (C2SP tlog-proof): an entry's index and inclusion proof, then the signed checkpoint.

Parses, prints exactly and verifies; the entry itself stands beside the proof. Extra data is kept and never
trusted. What is verified here is the proof and, by a policy, the checkpoint; what the entry says is the
caller's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import open_by_policy
from carbonseal_attest.errors import ProofInvalid
from carbonseal_attest.merkle import MAX_PATH, GetNode, inclusion_path, verify_inclusion
from carbonseal_attest.note import MAX_NOTE, SignedNote
from carbonseal_attest.tlog_policy import TlogPolicy

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_EXTRA: Final = 65_536  # bytes of extra data
MAX_PROOF: Final = MAX_NOTE + 4 * MAX_EXTRA // 3 + 64 * 45 + 128  # bytes
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,19})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An entry's place in a log: index, inclusion proof, signed checkpoint, and extra data nobody signs."""

    index: int
    path: tuple[bytes, ...]
    note: SignedNote
    extra: bytes | None = None

    @classmethod
    def build(
        cls, index: int, note: SignedNote, get_node: GetNode, *, extra: bytes | None = None
    ) -> TlogProof:
        """Return the proof of entry `index` under the checkpoint in `note`, out of the tree's nodes.

        Raises:
            ProofInvalid: the index lies outside the tree.
            NoteInvalid: the note is no checkpoint.
        """
        size = Checkpoint.parse(note.text).tree_size
        return cls(index, tuple(inclusion_path(index, size, get_node)), note, extra)

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Return the proof that `data` writes; `encode` gives `data` back.

        Raises:
            ProofInvalid: a line is malformed, or the index lies outside the checkpoint's tree.
            NoteInvalid: what follows the empty line is no signed checkpoint.
        """
        if len(data) > MAX_PROOF:
            raise _refusal(f"longer than {MAX_PROOF} bytes")
        head, separator, note = data.partition(b"\n\n")
        try:
            header, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise _refusal("not ASCII before the checkpoint") from error
        if not separator or header != HEADER:
            raise _refusal(f"does not begin with {HEADER}, or has no empty line")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _octets(lines.pop(0).removeprefix("extra "))
        match = _INDEX.fullmatch(lines[0]) if lines else None
        if match is None or (extra is not None and len(extra) > MAX_EXTRA) or len(lines) - 1 > MAX_PATH:
            raise _refusal("no index line, too much extra data, or too many hashes")
        path = tuple(_octets(line) for line in lines[1:])
        if any(len(item) != 32 for item in path):
            raise _refusal("a hash is not 32 bytes")
        signed, index = SignedNote.parse(note), int(match[1])
        if index >= Checkpoint.parse(signed.text).tree_size:
            raise _refusal("index lies outside the checkpoint's tree")
        return cls(index, path, signed, extra)

    def encode(self) -> bytes:
        """Return the proof as a file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(item).decode() for item in self.path]
        return "\n".join([*lines, "", ""]).encode() + self.note.encode()

    def verify(self, leaf: bytes, policy: TlogPolicy) -> tuple[Checkpoint, Mapping[str, int]]:
        """Return the checkpoint that `policy` holds valid and that has `leaf` (a leaf hash) at the index.

        With it come the witnesses that cosigned it, by their names in the policy, with their POSIX seconds.

        Raises:
            NoteInvalid: the policy does not hold the checkpoint valid.
            ProofInvalid: the leaf does not stand at the index.
        """
        checkpoint, times = open_by_policy(self.note, policy)
        verify_inclusion(self.index, checkpoint.tree_size, leaf, self.path, checkpoint.root_hash)
        return checkpoint, times


def _octets(text: str) -> bytes:
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("a line is not base64") from error
    if base64.b64encode(octets).decode() != text:
        raise _refusal("a line is not the one base64 of its bytes")
    return octets


def _refusal(reason: str) -> ProofInvalid:
    return ProofInvalid("tlog proof", reason, "ask for the proof again, from whoever made it")
