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


# -- a year that can be graded --

YEAR = (1_767_196_800_000, 1_798_732_800_000)  # 2026 in Shanghai
IN_MARCH = 1_803_830_400_000  # 2027-03-01 in Shanghai
_HEAD = {"tree_size": 5, "root_hash": b"\x05" * 32}
_SENTENCE = {"zh": "示例", "en": "example"}
_FILED: dict[bytes, tuple[str, Any]] = {}  # total and period of each report, for the opinions on it


def finding(rule: str, severity: str) -> dict[str, Any]:
    """A finding of a data code."""
    made = {"rule": rule, "severity": severity, "subject": "m-main", "start": None, "end": None}
    return made | {
        "count": 1,
        "runs": [],
        "digests": [],
        **dict.fromkeys(("expected", "observed", "cure"), _SENTENCE),
    }


def issue_code(
    member: Member,
    code: str = "green",
    *,
    findings: Any = (),
    period: Any = YEAR,
    installation: str = "i-works1",
    profile: str = "default@1",
) -> bytes:
    """The enterprise's data code of a period; returns the statement digest."""
    body = {
        "code": code,
        "profile": profile,
        "plan_digest": b"\x01" * 32,
        "period": {"start": period[0], "end": period[1], "time_zone": "Asia/Shanghai"},
        "cut_off": [
            {"origin": member.data_origin, **_HEAD},
            {"origin": member.register_origin, **_HEAD},
        ],
        "findings": list(findings),
        "rules": {},
        "figures": {},
    }
    return member.issue(
        member.data_origin, "quality_code", body, subject=installation, interval=period
    ).digest


def issue_report(
    member: Member,
    total: str = "521199.76",
    *,
    code: bytes | None = None,
    period: Any = YEAR,
    installation: str = "i-works1",
) -> bytes:
    """The enterprise's emissions report of a period, with a green code where none is given."""
    quality = issue_code(member, period=period, installation=installation) if code is None else code
    body = {
        "report": "rp-year",
        "plan_digest": b"\x01" * 32,
        "method": "GBT32150-2015@1.0.0",
        "packages": [{"id": "GBT32150-2015@1.0.0", "digest": b"\x02" * 32}],
        "period": {"start": period[0], "end": period[1], "time_zone": "Asia/Shanghai"},
        "cut_off": [
            {"origin": member.data_origin, **_HEAD},
            {"origin": member.register_origin, **_HEAD},
        ],
        "totals": {"total": {"value": total, "unit": "t{CO2e}"}},
        "by_stream": {},
        "quality_code_digest": quality,
        "report_json_digest": b"\x03" * 32,
    }
    about = {"subject": installation, "interval": period}
    digest = member.issue(member.data_origin, "emissions_report", body, **about).digest
    _FILED[digest] = total, period
    return digest


def issue_value_added(
    member: Member, value: str = "300000", unit: str = "10*4.CNY", period: Any = YEAR
) -> bytes:
    """The enterprise's record of its value added."""
    quantity = {"value": value, "unit": unit}
    body = {
        "record": "value_added",
        "quantity": quantity,
        "source": "annual accounts",
        "document_digest": None,
    }
    return member.issue(member.data_origin, "business_record", body, interval=period).digest


def issue_opinion(
    body_member: Member, member: Member, report: bytes, opinion: str = "unmodified", *, findings: Any = ()
) -> bytes:
    """A verification body's report on an emissions report of `issue_report`."""
    filed, period = _FILED[report]
    total, nothing = ({"value": value, "unit": "t{CO2e}"} for value in (filed, "0"))
    body = {
        "engagement": "en-year",
        "operator": member.facts.code,
        "report_digest": report,
        "bundle_digest": b"\x04" * 32,
        "trust_digest": b"\x05" * 32,
        "period": {"start": period[0], "end": period[1]},
        "opinion": opinion,
        "opinion_text": _SENTENCE,
        "level_of_assurance": "reasonable",
        "materiality_percent": "5",
        "criteria": "GBT32150-2015@1.0.0",
        "figures": {"total": {"operator": total, "verification_body": total, "difference": nothing}},
        "findings": [
            {
                "finding": name,
                "type": "misstatement",
                "severity": severity,
                "state": state,
                "text": _SENTENCE,
                "digests": [],
            }
            for name, severity, state in findings
        ],
        "sampling": None,
        "steps": {"signatures": "passed"},
    }
    return body_member.issue(body_member.data_origin, "verification_report", body).digest


def take_back(member: Member, digest: bytes) -> bytes:
    """The party's withdrawal of one of its statements."""
    body = {"withdraws": digest, "role": "operator", "reason": "no longer held"}
    return member.issue(member.register_origin, "withdrawal", body).digest


def issue_grant(site: Any, member: Member, grantee: str, **changes: Any) -> bytes:
    """The enterprise's grant to a bank, for an hour, over 2026."""
    now = site.clock()
    body = {
        "grant": "gr-example",
        "to": grantee,
        "purpose": "loan",
        "level": "grade",
        "period": {"start": YEAR[0], "end": YEAR[1]},
        "valid": {"start": now, "end": now + 3_600_000},
    }
    return member.issue(member.register_origin, "grant", body | changes).digest
