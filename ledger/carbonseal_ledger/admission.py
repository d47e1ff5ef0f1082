"""Who may sign what: the state of keys, devices and parties, read from the register logs alone.

A `Register` is folded out of one party's register log, entry by entry: its genesis admits the party key and
the log key, `device` statements enrol, rotate, suspend and revoke, `resume` statements restart streams. The
registrar's own register adds `party` statements. Key validity is decided by log position, never by a clock
(`docs/spec/contents.md`, device). Everything here is pure; `admission_book` reads the logs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from carbonseal_attest.contents import KINDS, Content
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import AttestError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import Header
from carbonseal_ledger.errors import (
    DeviceUnknown,
    EnrolmentInvalid,
    KeyStale,
    LogReserved,
    PartyUnknown,
    RoleMissing,
    SubjectNotPermitted,
)

FOLDED_KINDS = frozenset({"genesis", "device", "resume", "party"})


@dataclass(frozen=True, slots=True)
class AdmittedKey:
    """A key and what its holder may do with it.

    `holder` is party, device, log_host or registrar; `status` active, suspended, rotated or revoked; `last`
    names, for a key that is no longer active, the last (sequence, digest) of each stream that may still
    arrive.
    """

    key: PublicKey
    holder: str
    code: str
    subjects: frozenset[str] = frozenset()
    status: str = "active"
    last: Mapping[str, tuple[int, bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a stream may go on after its signer lost its state."""

    next_sequence: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class Party:
    """A party as the registrar's newest statement about it has it."""

    status: str
    roles: frozenset[str]
    kid: bytes


class Register:
    """The state of one register log after its first `size` entries."""

    def __init__(self, party: str) -> None:
        self.party = party
        self.size = 0
        self.keys: dict[bytes, AdmittedKey] = {}
        self.devices: dict[str, bytes] = {}
        self.resumes: dict[tuple[bytes, str], list[Resume]] = {}
        self.parties: dict[str, Party] = {}

    def apply(self, kind: str, digest: bytes, content: Content) -> None:
        """Fold one entry that registration has admitted; `digest` is its statement digest."""
        body = content.body
        if kind == "genesis":
            party_key, log_key = (
                PublicKey.from_cose_key(body["party_key"]),
                PublicKey.from_cose_key(body["log_key"]),
            )
            self.keys[party_key.kid] = AdmittedKey(party_key, "party", body["party"])
            self.keys[log_key.kid] = AdmittedKey(log_key, "log_host", body["log_host"])
        elif kind == "device":
            self._apply_device(body)
        elif kind == "resume":
            place = self.resumes.setdefault((body["kid"], body["stream"]), [])
            place.append(Resume(body["next_sequence"], body["previous"] or digest))
        elif kind == "party":
            key = PublicKey.from_cose_key(body["key"])
            self.parties[body["party"]] = Party(body["status"], frozenset(body["roles"]), key.kid)

    def check(self, kind: str, subject: str, body: Mapping[str, Any]) -> None:
        """Check a device or resume statement against the register before it is admitted.

        Raises:
            EnrolmentInvalid: a key in use, a device that is not enrolled, or no proof of possession.
        """
        if kind == "device":
            self._check_device(subject, body)
        elif kind == "resume" and body["kid"] not in self.keys:
            raise EnrolmentInvalid(
                "content.body.kid", "no such key is enrolled", "name the key whose stream goes on"
            )

    def _check_device(self, subject: str, body: Mapping[str, Any]) -> None:
        device, action, key = body["device"], body["action"], PublicKey.from_cose_key(body["key"])
        if subject != device:
            raise EnrolmentInvalid(
                "header.subject", "is not the device", "sign the statement with the device as subject"
            )
        held = self.keys.get(key.kid)
        if action in {"enrol", "rotate"}:
            is_return = (
                held is not None and held.code == device and held.status == "suspended" and action == "enrol"
            )
            if held is not None and not is_return:
                raise EnrolmentInvalid(
                    "content.body.key", "the key is or was in use", "make a new key pair for the device"
                )
            if action == "enrol" and not is_return and self._active_kid(device) is not None:
                raise EnrolmentInvalid(
                    "content.body.action", "the device has a key already", "rotate or revoke that key"
                )
            if action == "rotate" and self._active_kid(device) is None:
                raise EnrolmentInvalid(
                    "content.body.device", "the device has no active key", "enrol the device"
                )
            try:
                verify_endorsement("device", subject, "device", body, key)
            except AttestError as error:
                reason = f"no proof that the device holds the key ({error.reason})"
                raise EnrolmentInvalid(
                    "content.body.endorsements", reason, "sign the body with the device's key"
                ) from error
        elif held is None or held.code != device:
            raise EnrolmentInvalid(
                "content.body.key", "is not a key of this device", "name the key that was enrolled"
            )

    def _active_kid(self, device: str) -> bytes | None:
        kid = self.devices.get(device)
        return kid if kid is not None and self.keys[kid].status in {"active", "suspended"} else None

    def _apply_device(self, body: Mapping[str, Any]) -> None:
        device, action, key = body["device"], body["action"], PublicKey.from_cose_key(body["key"])
        last = {item["stream"]: (item["sequence"], item["digest"]) for item in body["last"]}
        if action in {"enrol", "rotate"}:
            old = self.devices.get(device)
            if action == "rotate" and old is not None:
                self.keys[old] = replace(self.keys[old], status="rotated", last=last)
            subjects = frozenset(body["subjects"]) | {device}
            self.keys[key.kid] = AdmittedKey(key, "device", device, subjects)
            self.devices[device] = key.kid
        elif key.kid in self.keys:
            status = "suspended" if action == "suspend" else "revoked"
            self.keys[key.kid] = replace(self.keys[key.kid], status=status, last=last)


def admit_signer(
    header: Header,
    signer: str,
    register: Register,
    registrar: Register,
    *,
    registrar_party: str,
    registrar_kids: Collection[bytes],
) -> AdmittedKey:
    """The key that may sign this header in a log of `register.party`; its signature is still to be checked.

    Args:
        header: of the statement.
        signer: who signs its kind by the log's policy (party, device, log_host, registrar).
        register: the register of the party whose log this is.
        registrar: the registrar's register, which admits parties.
        registrar_party: the registrar's party code.
        registrar_kids: key ids that speak for the registrar.

    Raises:
        LogReserved: a kind that only the log host writes.
        DeviceUnknown, PartyUnknown, RoleMissing, KeyStale, SubjectNotPermitted: as their names say.
    """
    if signer == "log_host":
        raise LogReserved(
            "header.content_type", f"{header.kind} is written by the log host itself", "leave it out"
        )
    admitted = register.keys.get(header.kid)
    if admitted is None:
        raise DeviceUnknown(
            "header.kid",
            f"no statement of {register.party} admits key {header.kid.hex()[:16]}",
            "enrol the device first",
        )
    is_registrar = register.party == registrar_party
    party = registrar.parties.get(register.party)
    if not is_registrar and (party is None or party.status != "admitted"):
        state = "not admitted by the registrar" if party is None else party.status
        raise PartyUnknown("log", f"{register.party} is {state}", "ask the registrar to admit the party")
    role = KINDS[header.kind].role
    if role is not None and (party is None or role not in party.roles):
        reason = f"only a party admitted as {role} writes {header.kind}"
        raise RoleMissing(
            "header.content_type", reason, "have the party with that role sign it in its own log"
        )
    holder = admitted.holder
    if signer == "registrar":
        if not is_registrar or header.kid not in registrar_kids:
            raise RoleMissing("header.kid", f"only the registrar signs {header.kind}", "ask the registrar")
    elif header.kind != "void" and holder != signer:
        raise RoleMissing(
            "header.kid", f"{header.kind} is signed by a {signer}, this key is a {holder}'s", "use that key"
        )
    elif holder == "log_host":
        raise RoleMissing(
            "header.kid", "the log key signs only what the log host writes", "use the party's key"
        )
    if holder == "party":
        if header.issuer != register.party:
            raise SubjectNotPermitted(
                "header.issuer", "is not the party of this log", "name the party as issuer"
            )
    else:
        if header.issuer not in {admitted.code, register.party}:
            raise SubjectNotPermitted(
                "header.issuer", "is neither the device nor its party", "name the device as issuer"
            )
        if header.subject not in admitted.subjects:
            reason = f"{admitted.code} is not enrolled to sign for {header.subject}"
            raise SubjectNotPermitted(
                "header.subject", reason, "rotate or enrol the device with that subject"
            )
    check_standing(header, admitted)
    return admitted


def check_standing(header: Header, admitted: AdmittedKey) -> None:
    """Check that a key may still sign at this place of its stream.

    A key that was rotated or revoked may only fill in what its statement of withdrawal names as last;
    whether a chain really leads there is checked by `continuity`.

    Raises:
        KeyStale: suspended, or beyond the last place.
    """
    if admitted.status == "active":
        return
    last = admitted.last.get(header.stream)
    if admitted.status == "suspended" or last is None or header.sequence > last[0]:
        raise KeyStale(
            "header.kid",
            f"the key of {admitted.code} is {admitted.status}",
            "sign with the device's present key",
        )
