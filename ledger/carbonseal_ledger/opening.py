"""Opening a log: what a genesis must be before it becomes entry 0 (`docs/spec/contents.md`, genesis).

A log is opened on purpose, by party, log host and registrar together, so that a lost database or a mistyped
name cannot silently start a second history. Pure checks; `log_host` writes the row.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from carbonseal_attest.contents import Content, check_content
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import GenesisRefused


@dataclass(frozen=True, slots=True)
class HostTerms:
    """Who this log host is, the keys that speak for the registrar, and the algorithms that count here."""

    name: str
    party: str
    log_key: PublicKey
    registrar: str
    registrar_keys: Sequence[PublicKey]
    algorithms: Container[int]

    @property
    def log_of_logs(self) -> str:
        """The origin of the log of logs."""
        return f"{self.name}/epochs"


@dataclass(frozen=True, slots=True)
class Genesis:
    """A genesis that was checked. `log` is register, data or epochs."""

    statement: SignedStatement
    content: Content
    origin: str
    party: str
    log: str
    party_key: PublicKey


def check_genesis(statement: bytes, content: bytes, host: HostTerms) -> Genesis:
    """Return the genesis that these bytes are.

    Raises:
        GenesisRefused: malformed, of another host or origin, not signed by the party key that it names, or
            not endorsed by log host and registrar.
    """
    try:
        signed = SignedStatement.parse(statement)
        checked = check_content(signed, content)
    except CarbonsealError as error:
        raise GenesisRefused(error.field, error.reason, error.remedy) from error
    body, header = checked.body, signed.header
    if checked.kind != "genesis" or header.sequence != 0:
        raise GenesisRefused("header", "not a genesis at sequence 0", "open a log with its genesis statement")
    log = _log_of(header.origin, body["party"], host)
    for field, found, wanted in (
        ("origin", body["origin"], header.origin),
        ("log_host", body["log_host"], host.party),
        ("log_of_logs", body["log_of_logs"], host.log_of_logs),
        ("log_key", PublicKey.from_cose_key(body["log_key"]).kid, host.log_key.kid),
        ("party", header.issuer, body["party"]),
    ):
        if found != wanted:
            raise GenesisRefused(
                f"content.body.{field}", "does not fit this log host or the header", "make it again"
            )
    party_key = PublicKey.from_cose_key(body["party_key"])
    if party_key.kid == host.log_key.kid:
        raise GenesisRefused("content.body.party_key", "is the log key", "keep party key and log key apart")
    try:
        signed.verify_signature(party_key, admitted=host.algorithms)
        verify_endorsement(
            "genesis", header.subject, "log_host", body, host.log_key, admitted=host.algorithms
        )
    except CarbonsealError as error:
        raise GenesisRefused(error.field, error.reason, error.remedy) from error
    _check_registrar(header.subject, body, host)
    if body["party"] == host.registrar and all(party_key.kid != key.kid for key in host.registrar_keys):
        raise GenesisRefused(
            "content.body.party_key", "is not a key of the registrar", "sign with the registrar's key"
        )
    return Genesis(signed, checked, header.origin, body["party"], log, party_key)


def _log_of(origin: str, party: str, host: HostTerms) -> str:
    if origin == host.log_of_logs:
        if party != host.party:
            raise GenesisRefused(
                "header.origin", "the log of logs is the log host's own", "have the log host sign it"
            )
        return "epochs"
    for log in ("register", "data"):
        if origin == f"{host.name}/{party}/{log}":
            return log
    raise GenesisRefused(
        "header.origin", f"{origin} is no origin of this host", f"use {host.name}/{party}/register or …/data"
    )


def _check_registrar(subject: str, body: dict[str, object], host: HostTerms) -> None:
    refusals = []
    for key in host.registrar_keys:
        try:
            verify_endorsement("genesis", subject, "registrar", body, key, admitted=host.algorithms)
        except CarbonsealError as error:
            refusals.append(error)
        else:
            return
    reason = refusals[-1].reason if refusals else "no registrar key is configured"
    raise GenesisRefused("endorsement by registrar", reason, "have a registrar's key endorse the genesis")
