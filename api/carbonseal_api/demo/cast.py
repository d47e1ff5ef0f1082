"""Founds the parties of the demo: keys, logs, admissions, published packages, enrolled and revoked devices.

Five parties: registrar (who is the regulator too), log host, one enterprise, one verification body, one bank.
Names are invented. Every act is a signed statement in the party's own log; keys live in memory and end with
the demo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_api.founding import (
    DATA,
    DEFAULT_POLICY,
    REGISTER,
    Chain,
    HostFacts,
    PartyFacts,
    admission,
    genesis,
)
from carbonseal_api.issuing import Issuer, StatementRefused
from carbonseal_api.problems import PartMissing
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.identity.device_statements import enrolment, withdrawal
from carbonseal_attest.instants import Clock
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Outcome, Status

HOST_NAME: Final = "log.carbonseal.example"
CALIBRATION_VALID_MS: Final = 2 * 365 * 86_400_000

_ROLES: Final[Mapping[str, tuple[str, dict[str, str]]]] = {
    "registrar": ("r", {"zh": "示范省生态环境厅(演示)", "en": "Example Province Registrar (demo)"}),
    "log_host": ("h", {"zh": "示范日志运营方(演示)", "en": "Example Log Host (demo)"}),
    "enterprise": ("e", {"zh": "示范制造有限公司(演示)", "en": "Example Manufacturing Ltd (demo)"}),
    "verification_body": ("v", {"zh": "示范核查机构(演示)", "en": "Example Verification Body (demo)"}),
    "bank": ("b", {"zh": "示范银行(演示)", "en": "Example Bank (demo)"}),
}
# Made up: the check characters are right, the organisations do not exist.
_CREDIT_CODES: Final[Mapping[str, str]] = {
    "enterprise": "91990000DEM000001T",
    "verification_body": "91990000DEM000002X",
    "bank": "91990000DEM0000031",
    "registrar": "11990000DEM000004C",
}
INDUSTRY: Final = "C33"  # of the enterprise, GB/T 4754


@dataclass(slots=True)
class Member:
    """A party of the demo with its key; its desk opens once the log host runs."""

    facts: PartyFacts
    signer: Ed25519Signer
    register_origin: str
    data_origin: str
    desk: Issuer | None = None

    def issue(self, origin: str, kind: str, body: dict[str, Any], **about: Any) -> SignedStatement:
        """Return the registered statement; see `Issuer.issue`."""
        if self.desk is None:
            raise RuntimeError("the party's desk is not open yet")
        return self.desk.issue(origin, kind, body, **about)


def _member(role: str) -> Member:
    prefix, name = _ROLES[role]
    signer = Ed25519Signer.generate()
    code = opaque_code(prefix, signer.public.raw)
    base = f"{HOST_NAME}/{code}"
    roles = ("registrar", "regulator") if role == "registrar" else (role,)
    industry = INDUSTRY if role == "enterprise" else None
    facts = PartyFacts(code, name, roles, _CREDIT_CODES.get(role), industry)
    return Member(facts, signer, f"{base}/{REGISTER}", f"{base}/{DATA}")


@dataclass(slots=True)
class Cast:
    """Everybody in the demo, and the keys of log host and gateways."""

    registrar: Member = field(default_factory=lambda: _member("registrar"))
    log_host: Member = field(default_factory=lambda: _member("log_host"))
    enterprise: Member = field(default_factory=lambda: _member("enterprise"))
    verification_body: Member = field(default_factory=lambda: _member("verification_body"))
    bank: Member = field(default_factory=lambda: _member("bank"))
    log_key: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    gateway: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    old_gateway: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    publisher: Ed25519Signer = field(default_factory=Ed25519Signer.generate)

    @property
    def members(self) -> tuple[Member, ...]:
        """The parties, the registrar first: the others are admitted by it."""
        return (self.registrar, self.log_host, self.enterprise, self.verification_body, self.bank)

    @property
    def registers(self) -> tuple[str, ...]:
        """The register logs that the enterprise's bundle relies on besides its own."""
        return (self.registrar.register_origin, self.log_host.register_origin)

    def signer_here(self, party: str) -> Ed25519Signer:
        """Return the signer of a party whose key the demo's service may use: not the verification body's.

        Raises:
            PartMissing: the party's key is elsewhere.
        """
        for member in (self.registrar, self.log_host, self.enterprise):
            if member.facts.code == party:
                return member.signer
        raise PartMissing(f"keys/{party}.key", "is not here", "sign where the party's key is")

    def host_facts(self, chain: Chain | None) -> HostFacts:
        """Return what a genesis says about the log host."""
        return HostFacts(HOST_NAME, self.log_host.facts.code, self.log_key, chain, DEFAULT_POLICY)


def open_logs(cast: Cast, host: LogHost, chain: Chain | None, clock: Clock) -> bytes:
    """Open the log of logs and both logs of every party; return the genesis leaf of the log of logs."""
    facts = cast.host_facts(chain)
    seconds = clock() // 1000
    keeper = cast.log_host

    def open_one(origin: str, member: Member) -> bytes:
        opened = genesis(
            origin,
            member.facts,
            member.signer,
            host=facts,
            registrar=cast.registrar.signer,
            issued_at=seconds,
        )
        _accepted(host.open_log(opened.statement, opened.content or b""))
        return opened.statement

    first = open_one(facts.log_of_logs, keeper)
    for member in cast.members:
        open_one(member.register_origin, member)
        member.desk = Issuer(
            member.facts.code,
            member.signer,
            clock,
            register=host.register,
            head=host.head,
            streams=lambda origin, kid: host.stream_heads(origin, kid=kid),
        )
        admitted = admission(member.facts, member.signer.public, facts)
        cast.registrar.issue(cast.registrar.register_origin, "party", admitted, subject=member.facts.code)
        open_one(member.data_origin, member)
    return first


def enrol_gateway(cast: Cast, meters: Sequence[str]) -> str:
    """Enrol the gateway for `meters` and return its code."""
    device = opaque_code("g", cast.gateway.public.raw)
    name = {"zh": "现场网关", "en": "Site gateway"}
    body = enrolment(cast.enterprise.facts.code, device, cast.gateway, name=name, subjects=meters)
    enterprise = cast.enterprise
    enterprise.issue(enterprise.register_origin, "device", body, subject=device)
    return device


def replace_old_gateway(cast: Cast) -> Callable[[], SignedStatement]:
    """Enrol a gateway that is out of use, and return the act that revokes it."""
    device = opaque_code("g", cast.old_gateway.public.raw)
    enterprise = cast.enterprise
    name = {"zh": "旧网关", "en": "Old gateway"}
    body = enrolment(enterprise.facts.code, device, cast.old_gateway, name=name, subjects=[])
    enterprise.issue(enterprise.register_origin, "device", body, subject=device)

    def revoke() -> SignedStatement:
        key, why = cast.old_gateway.public, "replaced; key box lost"
        gone = withdrawal(enterprise.facts.code, device, key, "revoke", reason=why)
        return enterprise.issue(enterprise.register_origin, "device", gone, subject=device)

    return revoke


def file_calibrations(cast: Cast, meters: Sequence[str], calibrated_at: int) -> None:
    """Register a calibration of each meter, valid for two years from `calibrated_at` (ms)."""
    enterprise = cast.enterprise
    for number, meter in enumerate(meters, 1):
        body = {
            "device": meter,
            "certificate": f"DEMO-CAL-{number:04d}",
            "laboratory": "示范计量院 / Example Metrology Institute (demo)",
            "accuracy_class": "0.5S",
            "calibrated_at": calibrated_at,
            "valid_until": calibrated_at + CALIBRATION_VALID_MS,
            "document_digest": None,
        }
        enterprise.issue(enterprise.register_origin, "calibration", body, subject=meter)


def _accepted(outcome: Outcome) -> None:
    if outcome.status is Status.REFUSED:
        raise StatementRefused(outcome)
