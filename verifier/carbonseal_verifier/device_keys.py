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
class DeviceKey:
    """One key of one device.

    `enrolled` and `withdrawn` are indexes in the register log; `last` maps a stream to the (sequence, digest)
    that its withdrawal names.
    """

    device: str
    key: PublicKey
    signer_class: str
    subjects: frozenset[str]
    enrolled: int
    status: str = "active"
    withdrawn: int | None = None
    last: Mapping[str, tuple[int, bytes]] = field(default_factory=dict)

    def is_beyond_withdrawal(self, header: Header) -> bool:
        """Whether a statement lies beyond what the key's withdrawal still lets count."""
        if self.withdrawn is None:
            return False
        last = self.last.get(header.stream)
        return last is None or header.sequence > last[0]


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
                old.status, old.withdrawn, old.last = "rotated", index, last
            subjects = frozenset(body["subjects"]) | {device}
            if key.kid not in keys:
                keys[key.kid] = DeviceKey(device, key, body["class"], subjects, index)
            elif keys[key.kid].status == "suspended" and keys[key.kid].device == device:
                held = keys[key.kid]
                held.status, held.withdrawn, held.last, held.subjects = "active", None, {}, subjects
            current[device] = key.kid
        elif key.kid in keys and keys[key.kid].device == device:
            held = keys[key.kid]
            held.status = "suspended" if action == "suspend" else "revoked"
            held.withdrawn, held.last = index, last
    return keys
