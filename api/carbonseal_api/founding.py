"""How logs and parties come into being: genesis statements, admissions and enrolments.

A log is opened on purpose by a genesis that its party signs and that the log host and a registrar endorse.
The registrar then admits the party, and the party enrols its devices. Pure: keys are passed in as signers,
nothing is stored or sent here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carbonseal_attest.contents import SALT_SIZE, build_content
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_ledger.outcomes import Submission
from carbonseal_verifier.invitation import write_invitation

REGISTER, DATA, EPOCHS = "register", "data", "epochs"
DEFAULT_POLICY: Final[Mapping[str, Any]] = {
    "kinds": {},  # the registry's own assignment of kinds to signers
    "max_statement_bytes": 4096,
    "max_content_bytes": 1 << 20,
    "max_batch_statements": 10_000,
    # Far above what meters send: they hold off a runaway signer or a stolen key, not an honest backlog.
    "statements_per_second": 10_000,
    "bytes_per_day": 1 << 34,
    "conflicts_per_key": 16,
    "clock_tolerance_ms": 300_000,
    "late_after_ms": 26 * 3_600_000,
    "epoch_ms": 86_400_000,
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Where the log of logs is anchored: chain id, contract and head key's address (20 bytes each)."""

    chain_id: int
    contract: bytes
    head_key: bytes


@dataclass(frozen=True, slots=True)
class PartyFacts:
    """A party as its registrar admits it."""

    code: str
    name: Mapping[str, str]
    roles: Sequence[str]
    org: str | None = None
    industry: str | None = None  # GB/T 4754


@dataclass(frozen=True, slots=True)
class LastHead:
    """The last head of a closed log that counts; its successor's genesis names it."""

    origin: str
    tree_size: int
    root_hash: bytes


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The log host that logs are opened with. Its log key signs checkpoints, receipts and ticks.

    `predecessors` has, by the origin of each log that goes on for a closed one, that one's last head.
    """

    name: str
    party: str
    log_signer: Signer
    chain: Chain | None
    policy: Mapping[str, Any]
    predecessors: Mapping[str, LastHead] = field(default_factory=dict)

    def origin(self, party: str, log: str) -> str:
        """Return the origin of a party's `register` or `data` log."""
        return f"{self.name}/{party}/{log}"

    @property
    def log_of_logs(self) -> str:
        """Return the origin of the log of logs."""
        return f"{self.name}/{EPOCHS}"


def genesis(
    origin: str, party: PartyFacts, signer: Signer, *, host: HostFacts, registrar: Signer, issued_at: int
) -> Submission:
    """Return the genesis of the log `origin`, signed by the party and endorsed by log host and registrar.

    `issued_at` is in whole seconds since 1970.
    """
    body = _endorsed_genesis(origin, party, signer.public, host=host, registrar=registrar)
    statement, content = seal(
        signer, "genesis", body, party=party.code, subject=party.code, origin=origin, issued_at=issued_at
    )
    return Submission(statement.raw, content)


def invitation(
    party: PartyFacts, key: PublicKey, *, host: HostFacts, registrar: Signer, registrar_party: str
) -> bytes:
    """Return the invitation file of a party whose key is elsewhere (`carbonseal_verifier.invitation`).

    It holds the genesis of both logs, endorsed by log host and registrar, to be signed where the key is.
    """
    contents = [
        build_content(
            "genesis",
            subject=party.code,
            stream="genesis",
            interval=None,
            body=_endorsed_genesis(host.origin(party.code, log), party, key, host=host, registrar=registrar),
            salt=b"",
        )
        for log in (REGISTER, DATA)
    ]
    return write_invitation(
        party=party.code,
        public_key=key,
        roles=party.roles,
        name=party.name,
        org=party.org,
        registrar=registrar_party,
        log_host=host.party,
        genesis=contents,
    )


def _endorsed_genesis(
    origin: str, party: PartyFacts, key: PublicKey, *, host: HostFacts, registrar: Signer
) -> dict[str, Any]:
    before = host.predecessors.get(origin)
    body: dict[str, Any] = {
        "origin": origin,
        "party": party.code,
        "party_key": key.cose_key(),
        "log_host": host.party,
        "log_key": host.log_signer.public.cose_key(),
        "policy": {**host.policy, "kinds": dict(host.policy["kinds"])},
        "log_of_logs": host.log_of_logs,
        "chain": None
        if host.chain is None
        else {
            "chain_id": host.chain.chain_id,
            "contract": host.chain.contract,
            "head_key": host.chain.head_key,
        },
        "predecessor": None
        if before is None
        else {"origin": before.origin, "tree_size": before.tree_size, "root_hash": before.root_hash},
        "endorsements": [],
    }
    body["endorsements"] = [
        endorse(host.log_signer, "genesis", party.code, "log_host", body),
        endorse(registrar, "genesis", party.code, "registrar", body),
    ]
    return body


def seal(
    signer: Signer,
    kind: str,
    body: dict[str, Any],
    *,
    party: str,
    subject: str,
    origin: str,
    issued_at: int,
    stream: str | None = None,
    sequence: int = 0,
    previous: bytes | None = None,
    interval: tuple[int, int] | None = None,
    checkpoint: tuple[int, bytes] | None = None,
    is_public: bool = True,
) -> tuple[SignedStatement, bytes]:
    """Return a signed statement over a content of `body`, and that content's bytes."""
    name = stream or kind
    salt = b"" if is_public else os.urandom(SALT_SIZE)
    content = build_content(kind, subject=subject, stream=name, interval=interval, body=body, salt=salt)
    statement = sign_statement(
        signer,
        kind=kind,
        issuer=party,
        subject=subject,
        issued_at=issued_at,
        origin=origin,
        stream=name,
        sequence=sequence,
        previous=previous,
        interval=interval,
        checkpoint=checkpoint,
        content=content,
    )
    return statement, content


def admission(party: PartyFacts, key: PublicKey, host: HostFacts) -> dict[str, Any]:
    """Return the body of the registrar's `party` statement that admits `party` with `key`."""
    body = {
        "party": party.code,
        "status": "admitted",
        "roles": list(party.roles),
        "key": key.cose_key(),
        "register_origin": host.origin(party.code, REGISTER),
        "data_origin": host.origin(party.code, DATA),
        "name": dict(party.name),
        "org": party.org,
        "endorsements": [],  # the genesis that the party signs shows that it holds the key
    }
    return body if party.industry is None else body | {"industry": party.industry}
