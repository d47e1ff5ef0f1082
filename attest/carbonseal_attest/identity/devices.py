"""Device keys of one party, folded out of its register log: enrolled, rotated, suspended, lifted, revoked.

`docs/spec/identity.md` has the rules. Key validity is decided by log position; an effective time can only
narrow it. A withdrawal names, for each stream, the last statement that still counts. The party's signature
under the statement is checked by whoever reads the log; here are the endorsements inside it and the order of
acts. Ledger and checker both ask `DeviceKeys.check` before they `apply`, so neither admits what the other
would not.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.contents import Content
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import AttestError, IdentityInvalid
from carbonseal_attest.instants import Interval
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import Header

Last = Mapping[str, tuple[int, bytes]]
_FINAL: Final = frozenset({"rotated", "revoked"})


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A rotation, suspension or revocation: from entry `index` of the register log on.

    `last` maps a stream to the (sequence, digest) that still counts; `ended` is the index of the statement
    that replaced or lifted it. What was signed in between stays unadmitted, whatever came later.
    """

    status: str
    index: int
    last: Last
    ended: int | None = None

    def covers(self, header: Header) -> bool:
        """Whether a statement lies beyond the last one that this withdrawal lets count."""
        last = self.last.get(header.stream)
        return last is None or header.sequence > last[0]


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """One key of one device; `enrolled` is an index in the register log, withdrawals stand in its order.

    `valid_from` and `expires` bound what it may sign, half-open, None where nothing does. `predecessor` is
    the key that vouched for it when the device changed keys; `is_replacement` says that the device had a key
    before which did not: it was lost, and the party alone vouches.
    """

    device: str
    key: PublicKey
    signer_class: str
    subjects: frozenset[str]
    enrolled: int
    valid_from: int | None = None
    expires: int | None = None
    predecessor: bytes | None = None
    is_replacement: bool = False
    withdrawals: tuple[Withdrawal, ...] = ()

    @property
    def withdrawal(self) -> Withdrawal | None:
        """The withdrawal that holds now."""
        newest = self.withdrawals[-1] if self.withdrawals else None
        return newest if newest is not None and newest.ended is None else None

    @property
    def status(self) -> str:
        """What the key is now: active, rotated, suspended or revoked."""
        return "active" if self.withdrawal is None else self.withdrawal.status

    def is_beyond_withdrawal(self, header: Header) -> bool:
        """Whether a statement lies beyond what the key's present withdrawal still lets count."""
        return self.withdrawal is not None and self.withdrawal.covers(header)

    def check_times(self, interval: Interval | None, registered_by: int | None) -> None:
        """Check a statement of this key against the key's effective times.

        Args:
            interval: what the statement covers, None for kinds that cover no time.
            registered_by: when it was registered: the ledger's clock, or the tick that bounds it from above;
                None where no tick does.

        Raises:
            IdentityInvalid: the interval or the registration lies outside, or the latter is not known.
        """
        if self.valid_from is None and self.expires is None:
            return
        if registered_by is None:
            raise _refusal(
                "header", f"nothing bounds when a key of {self.device} was used", "wait for a tick"
            )
        start, end = (registered_by, registered_by + 1) if interval is None else interval
        if self.valid_from is not None and min(start, registered_by) < self.valid_from:
            raise _refusal("header.interval", f"before the key of {self.device} is valid", "use another key")
        if self.expires is not None and (end > self.expires or registered_by >= self.expires):
            raise _refusal(
                "header.interval",
                f"the key of {self.device} expired before it ended, or before it was registered",
                "rotate a key before it expires; what it left unregistered counts as missing",
            )

    def _ended(self, index: int) -> DeviceKey:
        if self.withdrawal is None:
            return self
        return replace(self, withdrawals=(*self.withdrawals[:-1], replace(self.withdrawals[-1], ended=index)))

    def _withdrawn(self, status: str, index: int, last: Last) -> DeviceKey:
        ended = self._ended(index)
        return replace(ended, withdrawals=(*ended.withdrawals, Withdrawal(status, index, last)))


class DeviceKeys:
    """The device keys of `party` after some entries of its register log.

    `admitted` are the algorithms under which a proof of possession counts.
    """

    def __init__(self, party: str, admitted: Container[int] = ADMITTED) -> None:
        self.party = party
        self.admitted = admitted
        self.keys: dict[bytes, DeviceKey] = {}
        self.current: dict[str, bytes] = {}  # the newest key of each device, whatever its state

    def copy(self) -> DeviceKeys:
        """Return a copy that further statements may be tried on."""
        made = DeviceKeys(self.party, self.admitted)
        made.keys, made.current = dict(self.keys), dict(self.current)
        return made

    def holder(self, device: str) -> DeviceKey | None:
        """Return the newest key of a device, None for a device that has had none."""
        kid = self.current.get(device)
        return None if kid is None else self.keys[kid]

    def check(self, subject: str, body: Mapping[str, Any]) -> None:
        """Check that a `device` statement may follow what the register says so far.

        Args:
            subject: the statement header's.
            body: of the content, admitted by its schema.

        Raises:
            IdentityInvalid: another party's or device's statement, a key in use, an act that does not fit the
                key's state, a missing or wrong proof of possession or of the predecessor.
        """
        device, action = body["device"], body["action"]
        if subject != device:
            raise _refusal("header.subject", "is not the device", "sign with the device as subject")
        if body["party"] != self.party:
            raise _refusal(
                "content.body.party",
                f"is not {self.party}, whose register this is",
                "have the device prove its key to this party",
            )
        _check_shape(body)
        if action in {"enrol", "rotate"}:
            self._check_new_key(body)
        else:
            self._check_old_key(body)

    def _check_new_key(self, body: Mapping[str, Any]) -> None:
        device, key = body["device"], PublicKey.from_cose_key(body["key"])
        if key.kid in self.keys:
            raise _refusal(
                "content.body.key", "the key is or was in use", "make a new key pair for the device"
            )
        old = self.holder(device)
        if body["action"] == "enrol":
            if old is not None and old.status in {"active", "suspended"}:
                raise _refusal(
                    "content.body.action", "the device has a key already", "rotate or revoke that key"
                )
        elif old is None or old.status != "active":
            state = "has no key" if old is None else f"has a key that is {old.status}"
            raise _refusal(
                "content.body.action",
                f"the device {state}: nothing vouches for the new one",
                "lift the suspension, or revoke the old key and enrol the new one",
            )
        self._check_endorsed(body, "device", key, "no proof that the device holds the key")
        if body["action"] == "rotate" and old is not None:
            self._check_endorsed(body, "predecessor", old.key, "the old key does not vouch for the new one")

    def _check_endorsed(self, body: Mapping[str, Any], role: str, key: PublicKey, what: str) -> None:
        try:
            verify_endorsement("device", body["device"], role, body, key, admitted=self.admitted)
        except AttestError as error:
            remedy = "have the device endorse this very body"
            raise _refusal("content.body.endorsements", f"{what} ({error.reason})", remedy) from error

    def _check_old_key(self, body: Mapping[str, Any]) -> None:
        action, held = body["action"], self.keys.get(PublicKey.from_cose_key(body["key"]).kid)
        if held is None or held.device != body["device"]:
            raise _refusal(
                "content.body.key", "is not a key of this device", "name the key that was enrolled"
            )
        if action == "lift" and held.status != "suspended":
            raise _refusal(
                "content.body.action", f"the key is {held.status}", "lift what is suspended, nothing else"
            )
        if action == "suspend" and held.status != "active":
            raise _refusal(
                "content.body.action", f"the key is {held.status} already", "lift or revoke it instead"
            )
        if held.withdrawal is not None and held.status in _FINAL and action == "revoke":
            widened = [
                stream
                for stream, place in _last(body).items()
                if stream not in held.withdrawal.last or not _is_within(place, held.withdrawal.last[stream])
            ]
            if widened:
                raise _refusal(
                    "content.body.last",
                    f"it lets more of {widened[0]} count than the statement before it",
                    "name no later statement than what the key was withdrawn with",
                )

    def apply(self, index: int, body: Mapping[str, Any]) -> None:
        """Add entry `index` of the register log, a `device` statement that `check` has let pass."""
        device, action, key = body["device"], body["action"], PublicKey.from_cose_key(body["key"])
        if action in {"enrol", "rotate"}:
            old = self.holder(device)
            if action == "rotate" and old is not None:
                self.keys[old.key.kid] = old._withdrawn("rotated", index, _last(body))  # noqa: SLF001
            self.keys[key.kid] = DeviceKey(
                device,
                key,
                body["class"],
                frozenset(body["subjects"]) | {device},
                index,
                body["valid_from"],
                body["expires"],
                predecessor=old.key.kid if action == "rotate" and old is not None else None,
                is_replacement=action == "enrol" and old is not None,
            )
            self.current[device] = key.kid
        elif key.kid in self.keys:
            held = self.keys[key.kid]
            if action == "lift":
                self.keys[key.kid] = held._ended(index)  # noqa: SLF001
            else:
                status = "suspended" if action == "suspend" else "revoked"
                self.keys[key.kid] = held._withdrawn(status, index, _last(body))  # noqa: SLF001


def fold_device_keys(
    register: Iterable[tuple[int, Content | None]], party: str = ""
) -> dict[bytes, DeviceKey]:
    """Return the device keys by key id after a register log's entries (index, content), checked before."""
    folded = DeviceKeys(party)
    for index, content in register:
        if content is not None and content.kind == "device":
            folded.apply(index, content.body)
    return folded.keys


def _check_shape(body: Mapping[str, Any]) -> None:
    """Refuse what an action has no use for: nothing may stand in a statement that nobody reads."""
    action, start, end = body["action"], body["valid_from"], body["expires"]
    wanted = {"enrol": ["device"], "rotate": ["device", "predecessor"]}.get(action, [])
    if sorted(e["role"] for e in body["endorsements"]) != wanted:
        raise _refusal(
            "content.body.endorsements",
            f"{action} takes {' and '.join(wanted) or 'none'}",
            "endorse it as that action asks",
        )
    if body["last"] and action in {"enrol", "lift"}:
        raise _refusal("content.body.last", f"{action} ends no stream", "leave it empty")
    if len(_last(body)) != len(body["last"]):
        raise _refusal("content.body.last", "names a stream twice", "name the last statement of each stream")
    if (start is not None or end is not None) and action not in {"enrol", "rotate"}:
        raise _refusal("content.body.expires", f"{action} admits no key", "leave both times null")
    if start is not None and end is not None and start >= end:
        raise _refusal("content.body.expires", "is not after valid_from", "name a later time")


def _last(body: Mapping[str, Any]) -> dict[str, tuple[int, bytes]]:
    return {item["stream"]: (item["sequence"], item["digest"]) for item in body["last"]}


def _is_within(place: tuple[int, bytes], limit: tuple[int, bytes]) -> bool:
    return place[0] < limit[0] or place == limit


def _refusal(field: str, reason: str, remedy: str) -> IdentityInvalid:
    return IdentityInvalid(field, reason, remedy)
