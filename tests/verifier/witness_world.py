"""A log that signs what it is told to, honest or not, for the tests of witness and monitor."""

from __future__ import annotations

from dataclasses import dataclass, field

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root_of
from carbonseal_attest.note import SignedNote, sign_note
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.tlog_witness import AddCheckpoint
from carbonseal_attest.vkey import ED25519_NOTE, Vkey


@dataclass
class SigningLog:
    """Leaves and a key; any head can be signed, also of leaves that were never in it."""

    origin: str = "log.example.org/epochs"
    leaves: list[bytes] = field(default_factory=lambda: [b"leaf %d" % at for at in range(40)])
    signer: Ed25519Signer = field(default_factory=Ed25519Signer.generate)

    @property
    def vkey(self) -> Vkey:
        return Vkey(self.origin, ED25519_NOTE, self.signer.public)

    def root(self, size: int) -> bytes:
        return root_of([leaf_hash(leaf) for leaf in self.leaves[:size]]) if size else EMPTY_ROOT

    def note(self, size: int, root: bytes | None = None) -> bytes:
        checkpoint = Checkpoint(self.origin, size, self.root(size) if root is None else root)
        return sign_note(checkpoint.text(), self.origin, self.signer)

    def path(self, old: int, new: int) -> tuple[bytes, ...]:
        if not old:
            return ()

        def node(level: int, index: int) -> bytes:
            start = index << level
            return root_of([leaf_hash(leaf) for leaf in self.leaves[start : start + (1 << level)]])

        return tuple(consistency_path(old, new, node))

    def request(self, old: int, new: int) -> bytes:
        return AddCheckpoint(old, self.path(old, new), SignedNote.parse(self.note(new))).encode()

    def forked(self, at: int) -> SigningLog:
        """The same key over another history from entry `at` on."""
        other = [*self.leaves[:at], *(b"other " + leaf for leaf in self.leaves[at:])]
        return SigningLog(self.origin, other, self.signer)
