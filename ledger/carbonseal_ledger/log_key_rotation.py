"""Rotation of a host's log key: every log gets its first head under the new key, and says so.

Log by log, each in a transaction of its own, an entry is added that names the new key, signed by it and
endorsed by the old one (`log_key`); the head over it carries the signatures of both. The log of logs holds no
statements: its next epoch's head carries both, and the host's register says it. What is done is never done
twice, so a rotation that was interrupted is simply begun again with the same two keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from carbonseal_attest.contents import parse_content
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.contents_store import ContentsStore
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.log_keys import LogKeys
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.sequencing import Sequencer

KIND: Final = "log_key"
Progress = Callable[[int, int], None]  # how many logs are done, of how many


class LogKeyRotation:
    """Gives every log of one host the new key."""

    def __init__(
        self,
        keys: LogKeys,
        new: PublicKey,
        old: Signer,
        *,
        party: str,
        entries: EntryReader,
        contents: ContentsStore,
        sequencer: Sequencer,
        publisher: Publisher,
        build_epoch: Callable[[], Any],
    ) -> None:
        self._keys, self._new, self._old = keys, new, old
        self._party = party
        self._entries = entries
        self._contents = contents
        self._sequencer = sequencer
        self._publisher = publisher
        self._build_epoch = build_epoch

    def run(self, log_of_logs: str, register: str, reason: str, progress: Progress) -> int:
        """Rotate every log that still has the old key; returns how many were rotated now.

        Args:
            log_of_logs: its origin.
            register: origin of the host's register log, where the change in the log of logs is said.
            reason: why; stands in every statement.
            progress: told after each log.

        Raises:
            LogUnknown: the log of logs or the host's register is not open.
            LogKeyRetired: a log has a third key.
        """
        logs = [log for log in self._entries.descriptions() if log.origin != log_of_logs]
        done = 0
        for at, log in enumerate(logs, 1):
            if not self._has_new(log.origin):
                self._say(log.origin, log.origin, None, reason)
                done += 1
            progress(at, len(logs) + 1)
        if not self._has_new(log_of_logs):
            self._build_epoch()
            done += 1
        size = self._keys.spans(log_of_logs)[-1][0]
        if not self._is_said(register, log_of_logs, size):
            self._say(register, log_of_logs, size, reason)
        progress(len(logs) + 1, len(logs) + 1)
        return done

    def _has_new(self, origin: str) -> bool:
        return self._keys.spans(origin)[-1][1].kid == self._new.kid

    def _say(self, where: str, origin: str, from_size: int | None, reason: str) -> None:
        def body(size: int) -> dict[str, Any]:
            stated: dict[str, Any] = {
                "origin": origin,
                "from_size": from_size or size + 1,
                "key": self._new.cose_key(),
                "retired": self._old.public.kid,
                "reason": reason,
            }
            return {**stated, "endorsements": [endorse(self._old, KIND, self._party, "predecessor", stated)]}

        head = self._sequencer.append_own(self._entries.terms(where), KIND, self._party, body)
        self._publisher.publish(head)

    def _is_said(self, register: str, origin: str, from_size: int) -> bool:
        terms = self._entries.terms(register)
        found = self._entries.select(terms, start=0, end=self._entries.head(register).tree_size, kinds={KIND})
        payloads = [SignedStatement.parse(entry.raw).payload for entry in found]
        bodies = [parse_content(data).body for data in self._contents.get_many(payloads).values()]
        return any((body["origin"], body["from_size"]) == (origin, from_size) for body in bodies)
