"""Which of a party's statements it took back: its withdrawals and corrections, read from its register log.

Asked from the log itself each time. A withdrawal whose content cannot be read may have meant any statement
of the party that was registered before it, and therefore counts against them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from carbonseal_attest.contents import parse_content
from carbonseal_attest.errors import IdentifierInvalid
from carbonseal_attest.identifiers import check_code
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import LogUnknown
from carbonseal_ledger.log_host import LogHost

_NAMES: Final = {"withdrawal": "withdraws", "correction": "supersedes"}


@dataclass(frozen=True, slots=True)
class Ending:
    """The statement that took another one back; `at` is when it was registered, in ms."""

    digest: bytes
    kind: str
    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What one party took back."""

    by_digest: Mapping[bytes, Ending]
    unreadable: tuple[Ending, ...]

    def ending(self, digest: bytes, registered_at: int) -> Ending | None:
        """Return what took back a statement of the party that was registered then; None while it stands."""
        if digest in self.by_digest:
            return self.by_digest[digest]
        return next((one for one in self.unreadable if registered_at <= one.at), None)


def taken_back(host: LogHost, log_host_name: str, party: str) -> TakenBack:
    """Return what a party took back; nothing for a party without logs here."""
    try:
        origin = f"{log_host_name}/{check_code(party)}/register"
        entries = host.select(origin, kinds=_NAMES.keys())
    except (IdentifierInvalid, LogUnknown):
        return TakenBack({}, ())
    payloads = [SignedStatement.parse(entry.raw).payload for entry in entries]
    contents = host.contents.get_many(payloads)
    by_digest = dict[bytes, Ending]()
    unreadable = list[Ending]()
    for entry, payload in zip(entries, payloads, strict=True):
        if payload not in contents:
            reason = "what took it back can no longer be read"
            unreadable.append(Ending(entry.digest, entry.kind, entry.registered_at, reason))
            continue
        body = parse_content(contents[payload]).body
        ending = Ending(entry.digest, entry.kind, entry.registered_at, str(body["reason"]))
        by_digest.setdefault(body[_NAMES[entry.kind]], ending)
    return TakenBack(by_digest, tuple(unreadable))
