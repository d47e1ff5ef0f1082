"""Who may sign what in one party's logs: the state of keys, devices and parties, read from the register logs.

A `Register` is folded out of one party's register log, entry by entry, by the rules of
`carbonseal_attest.identity`, which the checker applies as well: its genesis admits the party key and the log
key, `device` statements enrol, rotate, suspend, lift and revoke, `resume` statements restart streams. The
registrar's own register adds `party` statements. Everything here is pure; `admission_book` reads the logs.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from typing import Any

from carbonseal_attest.contents import KINDS, Content
from carbonseal_attest.errors import IdentityInvalid
from carbonseal_attest.identity.devices import DeviceKey, DeviceKeys
from carbonseal_attest.identity.parties import PartyBook, PartyRecord
from carbonseal_attest.identity.policies import PolicyHistory
from carbonseal_attest.identity.streams import Restart, check_resume
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import Header
from carbonseal_ledger.errors import (
    DeviceUnknown,
    EnrolmentInvalid,
    KeyStale,
    LogReserved,
    PartyUnknown,
    PolicyRefused,
    RoleMissing,
    SubjectNotPermitted,
)

FOLDED_KINDS = frozenset({"genesis", "policy", "device", "resume", "party"})


@dataclass(frozen=True, slots=True)
class AdmittedKey:
    """A key that may sign; `holder` is party, device, log_host or registrar, `device` what a device's is."""

    key: PublicKey
    holder: str
    code: str
    device: DeviceKey | None = None

    @property
    def status(self) -> str:
        """Whether the key is active, suspended, rotated or revoked."""
        return "active" if self.device is None else self.device.status


@dataclass(frozen=True, slots=True)
class Endorsers:
    """Whose word besides the party's another policy needs: the log host's key, and any of the registrar's."""

    log_key: PublicKey
    registrar_keys: tuple[PublicKey, ...]


class Register:
    """The state of one register log after its first `size` entries.

    `genesis` holds the keys that entry 0 names: the party's first key and the log key; `party_kids` are the
    party's own by its registrar, whose register says them; `endorsers` are the keys that must agree to
    another policy; `algorithms` are those under which keys are admitted.
    """

    def __init__(self, origin: str, algorithms: Container[int], endorsers: Endorsers | None = None) -> None:
        self.party = party = origin.split("/")[1]
        self.endorsers = endorsers
        self.policies = PolicyHistory(origin, party)
        self.algorithms = algorithms
        self.size = 0
        self.genesis: dict[bytes, AdmittedKey] = {}
        self.party_kids: frozenset[bytes] = frozenset()
        self.devices = DeviceKeys(party, algorithms)
        self.resumes: dict[tuple[bytes, str], tuple[Restart, ...]] = {}
        self.book = PartyBook(party, algorithms)

    def copy(self) -> Register:
        """Return a copy on which a batch may be tried, statement by statement."""
        made = Register(self.policies.origin, self.algorithms, self.endorsers)
        made.policies = self.policies.copy()
        made.size, made.genesis, made.party_kids = self.size, dict(self.genesis), self.party_kids
        made.devices, made.book, made.resumes = self.devices.copy(), self.book.copy(), dict(self.resumes)
        return made

    def apply(self, index: int, digest: bytes, content: Content) -> None:
        """Fold entry `index`, which registration has admitted; `digest` is its statement digest."""
        kind, body = content.kind, content.body
        if kind == "genesis":
            party_key, log_key = (
                PublicKey.from_cose_key(body["party_key"]),
                PublicKey.from_cose_key(body["log_key"]),
            )
            self.genesis[party_key.kid] = AdmittedKey(party_key, "party", body["party"])
            self.genesis[log_key.kid] = AdmittedKey(log_key, "log_host", body["log_host"])
            self.policies.open(digest, body)
        elif kind == "policy":
            self.policies.apply(index, digest, body)
        elif kind == "device":
            self.devices.apply(index, body)
        elif kind == "resume":
            place = (body["kid"], body["stream"])
            self.resumes[place] = (*self.resumes.get(place, ()), Restart.of(index, digest, body))
        elif kind == "party":
            self.book.apply(index, body)

    def check(self, kind: str, subject: str, body: Mapping[str, Any]) -> None:
        """Check a policy, device, resume or party statement against the register before it is admitted.

        Raises:
            EnrolmentInvalid, PolicyRefused: it does not fit what the register says so far.
        """
        if kind == "policy":
            self._check_policy(subject, body)
        try:
            if kind == "device":
                self._check_apart(body)
                self.devices.check(subject, body)
            elif kind == "resume":
                check_resume(subject, body, self.devices)
            elif kind == "party":
                self.book.check(subject, body)
        except IdentityInvalid as error:
            raise EnrolmentInvalid(error.field, error.reason, error.remedy) from error

    def _check_policy(self, subject: str, body: Mapping[str, Any]) -> None:
        if self.endorsers is None:
            raise PolicyRefused("content.body.policy", "nobody here can endorse it", "ask the log host")
        log_key, registrar_keys = self.endorsers.log_key, self.endorsers.registrar_keys
        try:
            self.policies.check(
                subject, body, log_key=log_key, registrar_keys=registrar_keys, admitted=self.algorithms
            )
        except IdentityInvalid as error:
            raise PolicyRefused(error.field, error.reason, error.remedy) from error

    def _check_apart(self, body: Mapping[str, Any]) -> None:
        log_kids = () if self.endorsers is None else (self.endorsers.log_key.kid,)
        if PublicKey.from_cose_key(body["key"]).kid in {*self.genesis, *self.party_kids, *log_kids}:
            raise IdentityInvalid(
                "content.body.key", "is the party's or the log's", "make a new key pair for the device"
            )

    def key_of(self, kid: bytes, record: PartyRecord | None) -> AdmittedKey | None:
        """Return the key that `kid` names here; `record` is the party as its registrar has it, if it does.

        A party that its registrar knows signs with the key of the registrar's newest statement.
        """
        device = self.devices.keys.get(kid)
        if device is not None:
            return AdmittedKey(device.key, "device", device.device, device)
        held = self.genesis.get(kid)
        if held is not None and held.holder != "party":
            return held
        if record is not None and record.party == self.party:
            span = record.holds(kid)
            return None if span is None else AdmittedKey(span.key, "party", self.party)
        return held


def admit_signer(
    header: Header,
    register: Register,
    registrar: Register,
    *,
    registrar_party: str,
    registrar_kids: Collection[bytes],
) -> AdmittedKey:
    """The key that may sign this header in a log of `register.party`; its signature is still to be checked.

    Args:
        header: of the statement.
        register: the register of the party whose log this is.
        registrar: the registrar's register, which admits parties.
        registrar_party: the registrar's party code.
        registrar_kids: key ids that speak for the registrar.

    Raises:
        LogReserved: a kind that only the log host writes.
        DeviceUnknown, PartyUnknown, RoleMissing, KeyStale, SubjectNotPermitted: as their names say.
    """
    signer = KINDS[header.kind].signer
    if signer == "log_host":
        raise LogReserved(
            "header.content_type", f"{header.kind} is written by the log host itself", "leave it out"
        )
    is_registrar = register.party == registrar_party
    party = None if is_registrar else registrar.book.records.get(register.party)
    admitted = register.key_of(header.kid, party)
    if admitted is None:
        raise DeviceUnknown(
            "header.kid",
            f"no statement of {register.party} admits key {header.kid.hex()[:16]}",
            "enrol the device first",
        )
    if not is_registrar and (party is None or party.status != "admitted"):
        state = "not admitted by the registrar" if party is None else party.status
        raise PartyUnknown("log", f"{register.party} is {state}", "ask the registrar to admit the party")
    role = KINDS[header.kind].role
    own = registrar.book.records.get(register.party)
    if role is not None and (own is None or role not in own.roles):
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
        if admitted.device is None or header.subject not in admitted.device.subjects:
            reason = f"{admitted.code} is not enrolled to sign for {header.subject}"
            raise SubjectNotPermitted(
                "header.subject", reason, "rotate or enrol the device with that subject"
            )
    check_standing(header, admitted, party)
    return admitted


def check_standing(header: Header, admitted: AdmittedKey, party: PartyRecord | None) -> None:
    """Check that a key may still sign at this place of its stream.

    A device key that was withdrawn may only fill in what its statement of withdrawal names as last; whether a
    chain really leads there is checked by `continuity`. A party key that was rotated signs nothing more.

    Raises:
        KeyStale: withdrawn and beyond the last place, or rotated.
    """
    remedy = "sign with the present key"
    if admitted.device is not None and admitted.device.is_beyond_withdrawal(header):
        raise KeyStale("header.kid", f"the key of {admitted.code} is {admitted.status}", remedy)
    if admitted.holder == "party" and party is not None and party.key.kid != admitted.key.kid:
        raise KeyStale("header.kid", f"the key of {admitted.code} is rotated", remedy)
