"""Whether a statement follows in its stream: the one rule of ledger and checker, and resumes by log position.

A stream is (key, log, stream id). The next statement has sequence + 1 and names the digest of the one before
it, or of what a void stands for; after a loss of state the party's `resume` says where the stream goes on,
for what is logged after it. `docs/spec/statement.md`, Streams; `docs/spec/identity.md`, resume.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.identity.devices import DeviceKeys
from carbonseal_attest.statement import Header

GAP: Final = "gap"
FORK: Final = "fork"


@dataclass(frozen=True, slots=True)
class Restart:
    """Where a party's resume, entry `index` of its register log, lets a stream go on."""

    kid: bytes
    stream: str
    next_sequence: int
    previous: bytes
    index: int

    @classmethod
    def of(cls, index: int, digest: bytes, body: Mapping[str, Any]) -> Restart:
        """Return what a `resume` statement with this digest allows; without a previous it is the previous."""
        return cls(body["kid"], body["stream"], body["next_sequence"], body["previous"] or digest, index)

    def admits(self, header: Header) -> bool:
        """Whether the stream may go on with a statement of this header."""
        return (self.kid, self.stream, self.next_sequence, self.previous) == (
            header.kid,
            header.stream,
            header.sequence,
            header.previous,
        )


def misfit(
    header: Header, sequence: int, digests: Collection[bytes | None], restarts: Iterable[Restart]
) -> str | None:
    """Return why a statement does not follow in its stream: GAP, FORK, or None where it does.

    Args:
        header: of the statement.
        sequence: of the stream's head, -1 before the first statement.
        digests: what the statement may name as its previous: the head's digest, and what it stands for if it
            is a void.
        restarts: the resumes that lie before the statement.
    """
    # A resume lets places out; it lets none come twice.
    if header.sequence > sequence and any(restart.admits(header) for restart in restarts):
        return None
    if header.sequence != sequence + 1:
        return GAP
    return None if header.previous in digests else FORK


def check_resume(subject: str, body: Mapping[str, Any], devices: DeviceKeys) -> None:
    """Check that a `resume` statement is about the key's own holder: a device, else the party itself.

    Raises:
        IdentityInvalid: the key is none of that device's, or the statement is about somebody else.
    """
    held = devices.keys.get(body["kid"])
    holder = devices.party if held is None else held.device
    if body["device"] != holder or subject != holder:
        raise IdentityInvalid(
            "content.body.kid", f"no key of {body['device']} has that id", "name the key whose stream goes on"
        )
