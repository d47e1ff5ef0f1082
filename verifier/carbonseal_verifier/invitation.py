"""An invitation: the two genesis contents that log host and registrar have endorsed, for a party to sign.

The registrar's side writes it, the party reads it on its own machine and signs there, so that its key never
travels. It holds no secret. One JSON object, closed; the genesis contents are the very bytes to be signed.
Reading believes nothing: `check_terms` holds keys, origins and policy against what the party was told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carbonseal_attest.contents import KINDS, Content, parse_content
from carbonseal_attest.contents import schema as s
from carbonseal_attest.contents.identity import ROLES
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.identity.policies import ALWAYS, RegistrationPolicy
from carbonseal_attest.keys import MAX_KEY_TEXT, PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_attest.trust import TrustFile
from carbonseal_verifier.errors import InvitationInvalid
from carbonseal_verifier.strict_json import parse_object

FORMAT: Final = "carbonseal-invitation/v1"
MAX_INVITATION: Final = 1 << 16  # bytes; a genesis content is about 1 kB
LOGS: Final = ("register", "data")
_LEAST_STATEMENT: Final = 1024  # bytes; a policy below refuses ordinary statements
_LEAST_CONTENT: Final = 1 << 17  # bytes; a verification report with a hundred findings

_shape = s.record(
    {
        "format": s.one_of(FORMAT),
        "party": s.code,
        "public_key": s.text(MAX_KEY_TEXT),
        "roles": s.array(s.one_of(*ROLES), 8, least=1),
        "name": s.bilingual,
        "org": s.nullable(s.org),
        "registrar": s.code,
        "log_host": s.code,
        "logs": s.array(s.record({"origin": s.origin, "genesis": s.anything}), 2, least=2),
    }
)


@dataclass(frozen=True, slots=True)
class Terms:
    """Whom a party believes: registrar and log host, by key; with a trust file also codes and contracts."""

    registrar_key: PublicKey
    log_key: PublicKey
    trust: TrustFile | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A parsed invitation; `genesis` holds the contents of register log and data log, in this order."""

    party: str
    key: PublicKey
    roles: tuple[str, ...]
    name: Mapping[str, str]
    org: str | None
    registrar: str
    log_host: str
    origins: tuple[str, str]
    genesis: tuple[bytes, bytes]

    @classmethod
    def parse(cls, data: bytes) -> Invitation:
        """Return the invitation that `data` writes.

        Raises:
            InvitationInvalid: not our JSON, or its parts are about different parties, keys, hosts or logs.
        """
        value = parse_object(data, limit=MAX_INVITATION, refuse=_refusal)
        try:
            _shape(value, "invitation")
            key = PublicKey.from_text(value["public_key"])
            contents = tuple(bytes.fromhex(log["genesis"]) for log in value["logs"])
            bodies = [_genesis(content) for content in contents]
        except CarbonsealError as error:
            raise _refusal(error.field, error.reason) from error
        except (TypeError, ValueError) as error:
            raise _refusal("invitation", "a genesis is not hexadecimal") from error
        origins = tuple(log["origin"] for log in value["logs"])
        _check_agreement(value, key, origins, bodies)
        return cls(
            value["party"],
            key,
            tuple(value["roles"]),
            value["name"],
            value["org"],
            value["registrar"],
            value["log_host"],
            (origins[0], origins[1]),
            (contents[0], contents[1]),
        )

    def check_terms(self, terms: Terms) -> None:
        """See that both logs are those of the registrar and log host believed, under a policy one can sign.

        Raises:
            InvitationInvalid: an endorsement by another key, another host, contract or origin, or a policy
                that lets somebody else sign in the party's name, shuts its kinds out or continues a log.
        """
        policies = [_genesis(content).body["policy"] for content in self.genesis]
        if policies[0] != policies[1]:
            raise _refusal("logs", "the two genesis contents state different policies; a party has one")
        for origin, content in zip(self.origins, self.genesis, strict=True):
            body = _genesis(content).body
            try:
                verify_endorsement("genesis", self.party, "log_host", body, terms.log_key)
                verify_endorsement("genesis", self.party, "registrar", body, terms.registrar_key)
            except CarbonsealError as error:
                raise _refusal(f"{origin}: {error.field}", error.reason) from error
            if PublicKey.from_cose_key(body["log_key"]).kid != terms.log_key.kid:
                raise _refusal(f"{origin}: log_key", "is not the key of the log host that you believe")
            if body["predecessor"] is not None:
                raise _refusal(f"{origin}: predecessor", "it continues a closed log; a new party has none")
            _check_policy(origin, body["policy"], self.roles)
            if terms.trust is not None:
                _check_trust(self, origin, body, terms)

    def sign(self, signer: Signer, *, issued_at: int) -> list[tuple[SignedStatement, bytes]]:
        """Return the two genesis statements with their contents, the register log's first.

        `issued_at` is in whole seconds since 1970.

        Raises:
            InvitationInvalid: it was made for another key.
        """
        if signer.public.kid != self.key.kid:
            raise _refusal("public_key", "the invitation was made for another key")
        return [
            (
                sign_statement(
                    signer,
                    kind="genesis",
                    issuer=self.party,
                    subject=self.party,
                    issued_at=issued_at,
                    origin=origin,
                    stream="genesis",
                    sequence=0,
                    previous=None,
                    interval=None,
                    checkpoint=None,
                    content=content,
                ),
                content,
            )
            for origin, content in zip(self.origins, self.genesis, strict=True)
        ]


def write_invitation(
    *,
    party: str,
    public_key: PublicKey,
    roles: Sequence[str],
    name: Mapping[str, str],
    org: str | None,
    registrar: str,
    log_host: str,
    genesis: Sequence[bytes],
) -> bytes:
    """Return the invitation of a party; `genesis` holds the contents of its register and its data log.

    Raises:
        InvitationInvalid: the parts do not fit together.
    """
    value = {
        "format": FORMAT,
        "party": party,
        "public_key": public_key.text(),
        "roles": list(roles),
        "name": dict(name),
        "org": org,
        "registrar": registrar,
        "log_host": log_host,
        "logs": [
            {"origin": _genesis(content).body["origin"], "genesis": content.hex()} for content in genesis
        ],
    }
    data = (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
    Invitation.parse(data)
    return data


def _genesis(content: bytes) -> Content:
    parsed = parse_content(content)
    if parsed.kind != "genesis":
        raise _refusal("genesis", f"is a {parsed.kind} content")
    return parsed


def _check_agreement(
    value: Mapping[str, Any], key: PublicKey, origins: Sequence[str], contents: Sequence[Content]
) -> None:
    party = value["party"]
    if opaque_code(party.partition("-")[0], key.raw) != party:
        raise _refusal("party", "is not the code of that public key")
    hosts = {origin.partition("/")[0] for origin in origins}
    if [origin.split("/")[1:] for origin in origins] != [[party, log] for log in LOGS] or len(hosts) != 1:
        raise _refusal("logs", "are not the register log and the data log of the party, in this order")
    for origin, content in zip(origins, contents, strict=True):
        body = content.body
        agrees = (
            (content.subject, content.stream) == (party, "genesis")
            and (body["party"], body["origin"]) == (party, origin)
            and body["log_host"] == value["log_host"]
            and PublicKey.from_cose_key(body["party_key"]).kid == key.kid
            and body["log_of_logs"] == f"{origin.partition('/')[0]}/epochs"
        )
        if not agrees:
            raise _refusal(f"logs: {origin}", "its genesis names another party, key, log or host")


def _check_policy(origin: str, policy: Mapping[str, Any], roles: Sequence[str]) -> None:
    try:
        RegistrationPolicy.of(policy)
    except CarbonsealError as error:
        raise _refusal(f"{origin}: policy", f"{error.field}: {error.reason}") from error
    needed = {kind.name for kind in KINDS.values() if kind.role in roles and not kind.is_draft} | {
        "withdrawal"
    } - ALWAYS
    if policy["kinds"] and not needed <= set(policy["kinds"]):
        raise _refusal(f"{origin}: policy", "leaves out kinds that a party of this role writes")
    if policy["max_statement_bytes"] < _LEAST_STATEMENT or policy["max_content_bytes"] < _LEAST_CONTENT:
        raise _refusal(f"{origin}: policy", "its limits would refuse ordinary statements")


def _check_trust(invitation: Invitation, origin: str, body: Mapping[str, Any], terms: Terms) -> None:
    trust = terms.trust
    if trust is None:
        return
    registrars = {registrar.party for registrar in trust.registrars}
    hosts = [host for host in trust.log_hosts if host.party == invitation.log_host]
    if invitation.registrar not in registrars or len(hosts) != 1:
        raise _refusal("registrar", "the trust file names another registrar or log host")
    host = hosts[0]
    if not origin.startswith(host.origin_prefix) or body["log_of_logs"] != host.log_of_logs:
        raise _refusal(f"{origin}: origin", "is outside what the trust file lets the log host sign for")
    chain = body["chain"]
    for profile in trust.chains:
        is_same_chain = chain is not None and chain["chain_id"] == profile.chain_id
        if is_same_chain and chain["contract"] != profile.contract:
            raise _refusal(f"{origin}: chain", "names another contract than the trust file")


def _refusal(field: str, reason: str) -> InvitationInvalid:
    return InvitationInvalid(field, reason, "ask the registrar for the invitation again; sign nothing")
