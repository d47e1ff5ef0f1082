"""Whose signature counts on a log host's checkpoints: a trust file's keys by tree size, or verifier keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.cosignature import verify_signatures
from carbonseal_attest.errors import CarbonsealError, NoteInvalid
from carbonseal_attest.note import SignedNote
from carbonseal_attest.trust import TrustedLogHost
from carbonseal_attest.vkey import Vkey


class LogKeys(Protocol):
    """Opens checkpoints of one log host."""

    def open(self, note: str, origin: str) -> Checkpoint:
        """Return the checkpoint of a note that the log host signed for `origin`.

        Raises:
            NoteInvalid: it is of another log, malformed, or not signed.
        """
        ...

    def vkeys(self, origin: str) -> list[Vkey]:
        """Every key under which checkpoints of `origin` may be signed."""
        ...


class GivenKeys:
    """Verifier keys that somebody gave: each signs for every log of its host, at every size."""

    def __init__(self, vkeys: Sequence[Vkey]) -> None:
        self._vkeys = tuple(vkeys)

    def open(self, note: str, origin: str) -> Checkpoint:
        """See `LogKeys`."""
        signed = SignedNote.parse(note.encode())
        checkpoint = Checkpoint.parse(signed.text)
        checkpoint.check_profile()
        if checkpoint.origin != origin:
            raise _refusal(f"is of {checkpoint.origin}, not of {origin}")
        if not verify_signatures(signed, self.vkeys(origin)):
            raise _refusal(f"is not signed by a known key of {origin}")
        return checkpoint

    def vkeys(self, origin: str) -> list[Vkey]:
        """See `LogKeys`."""
        return [Vkey(origin, vkey.signature_type, vkey.key) for vkey in self._vkeys]


class TrustedKeys:
    """The log keys of a trust file, each valid for the tree sizes that it names."""

    def __init__(self, host: TrustedLogHost) -> None:
        self._host = host

    def open(self, note: str, origin: str) -> Checkpoint:
        """See `LogKeys`."""
        try:
            return self._host.open_checkpoint(note, origin=origin)
        except NoteInvalid:
            raise
        except CarbonsealError as error:
            raise _refusal(error.reason) from error

    def vkeys(self, origin: str) -> list[Vkey]:
        """See `LogKeys`."""
        return self._host.vkeys(origin)


def _refusal(reason: str) -> NoteInvalid:
    return NoteInvalid("checkpoint", reason, "ask for it again, or give the log's present key")
