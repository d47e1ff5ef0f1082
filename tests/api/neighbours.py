"""Builders for tests about several organisations: parties beyond the demo's four, and credit codes."""

from __future__ import annotations

from typing import Any

from carbonseal_api.demo.cast import HOST_NAME, Member
from carbonseal_api.founding import DATA, REGISTER, PartyFacts, admission, genesis
from carbonseal_api.issuing import Issuer
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.signing import Ed25519Signer

CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100
PREFIX = {"bank": "b", "verification_body": "v", "regulator": "g", "laboratory": "l", "enterprise": "e"}


def credit_code(number: int) -> str:
    """A made-up credit code with a right check character."""
    body = f"91990000{number:09d}"
    total = sum(CREDIT_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + CREDIT_ALPHABET[(31 - total % 31) % 31]


def admit(site: Any, *roles: str, org: str | None = None, **more: Any) -> Member:
    """Admit a party with its two logs; `more` goes into the registrar's statement."""
    cast, host, clock = site.cast, site.host, site.clock
    signer = Ed25519Signer.generate()
    code = opaque_code(PREFIX[roles[0]], signer.public.raw)
    facts = PartyFacts(code, {"zh": "示范机构", "en": f"Example {roles[0]}"}, roles, org)
    base = f"{HOST_NAME}/{code}"
    member = Member(facts, signer, f"{base}/{REGISTER}", f"{base}/{DATA}")
    host_facts = cast.host_facts(None)

    def open_one(origin: str) -> None:
        opened = genesis(
            origin,
            facts,
            signer,
            host=host_facts,
            registrar=cast.registrar.signer,
            issued_at=clock() // 1000,
        )
        outcome = host.open_log(opened.statement, opened.content or b"")
        assert outcome.problem is None, outcome

    open_one(member.register_origin)
    readmit(site, member, **more)
    open_one(member.data_origin)
    member.desk = Issuer(
        code,
        signer,
        clock,
        register=host.register,
        head=host.head,
        streams=lambda origin, kid: host.stream_heads(origin, kid=kid),
    )
    site.parts.projections.refresh()
    return member


def readmit(site: Any, member: Member, **changes: Any) -> None:
    """Have the registrar state anew what a party is."""
    cast = site.cast
    body = admission(member.facts, member.signer.public, cast.host_facts(None)) | changes
    cast.registrar.issue(cast.registrar.register_origin, "party", body, subject=member.facts.code)
    site.parts.projections.refresh()


def key_headers(site: Any, member: Member, role: str) -> dict[str, str]:
    """Headers of a fresh API key of a party."""
    key = site.parts.keys.issue(member.facts.code, [role], "test")
    return {"Authorization": f"Bearer {key}"}
