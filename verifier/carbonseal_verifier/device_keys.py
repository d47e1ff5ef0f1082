"""Device keys as a register log has them: enrolled, rotated, suspended, revoked. No cryptography here.

Key validity is decided by log position. A withdrawal names, for each stream, the last statement that still
counts; whatever the key signed beyond it is not removed, but turns the data code red.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from carbonseal_attest.contents import Content
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import Header


@dataclass(slots=True)
class Withdrawal:
    """A rotation, suspension or revocation: from entry `index` of the register log on.

    `last` maps a stream to the (sequence, digest) that still counts; `ended` is the index of the statement
    that replaced or lifted it. What was signed in between stays unadmitted, whatever came later.
    """

    status: str
    index: int
    last: Mapping[str, tuple[int, bytes]]
    ended: int | None = None

    def covers(self, header: Header) -> bool:
        """Whether a statement lies beyond the last one that this withdrawal lets count."""
        last = self.last.get(header.stream)
        return last is None or header.sequence > last[0]


@dataclass(slots=True)
class DeviceKey:
    """One key of one device; `enrolled` is an index in the register log, withdrawals stand in its order."""

    device: str
    key: PublicKey
    signer_class: str
    subjects: frozenset[str]
    enrolled: int
    withdrawals: list[Withdrawal] = field(default_factory=list)

    @property
    def status(self) -> str:
        """What the key is now: active, rotated, suspended or revoked."""
        return self.withdrawals[-1].status if self._is_withdrawn else "active"

    def is_beyond_withdrawal(self, header: Header) -> bool:
        """Whether a statement lies beyond what the key's present withdrawal still lets count."""
        return self._is_withdrawn and self.withdrawals[-1].covers(header)

    @property
    def _is_withdrawn(self) -> bool:
        return bool(self.withdrawals) and self.withdrawals[-1].ended is None

    def end_withdrawal(self, index: int) -> None:
        """Note that entry `index` of the register log lifts or replaces the present withdrawal."""
        if self._is_withdrawn:
            self.withdrawals[-1].ended = index

    def withdraw(self, status: str, index: int, last: Mapping[str, tuple[int, bytes]]) -> None:
        """Note a withdrawal; an earlier one ends here."""
        self.end_withdrawal(index)
        self.withdrawals.append(Withdrawal(status, index, last))


def fold_device_keys(register: Iterable[tuple[int, Content | None]]) -> dict[bytes, DeviceKey]:
    """Return the device keys by key id, after all entries (index, content) of a register log."""
    keys: dict[bytes, DeviceKey] = {}
    current: dict[str, bytes] = {}
    for index, content in register:
        if content is None or content.kind != "device":
            continue
        body = content.body
        device, action, key = body["device"], body["action"], PublicKey.from_cose_key(body["key"])
        last = {item["stream"]: (item["sequence"], item["digest"]) for item in body["last"]}
        if action in {"enrol", "rotate"}:
            old = keys.get(current.get(device, b""))
            if action == "rotate" and old is not None:
                old.withdraw("rotated", index, last)
            subjects = frozenset(body["subjects"]) | {device}
            if key.kid not in keys:
                keys[key.kid] = DeviceKey(device, key, body["class"], subjects, index)
            elif keys[key.kid].status == "suspended" and keys[key.kid].device == device:
                keys[key.kid].end_withdrawal(index)
                keys[key.kid].subjects = subjects
            current[device] = key.kid
        elif key.kid in keys and keys[key.kid].device == device:
            keys[key.kid].withdraw("suspended" if action == "suspend" else "revoked", index, last)
    return keys
