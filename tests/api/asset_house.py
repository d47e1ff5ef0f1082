"""A deployment with a real chain beside it, for the tests about carbon-asset records.

Its enterprises have filed reports and verification bodies have given opinions on them; statements are signed
by the party that signs them in the field. Blocks come when somebody waits for one, as in the demo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from neighbours import admit, credit_code, key_headers
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from carbonseal_api.app import create_app
from carbonseal_api.assembly import Parts, assemble
from carbonseal_api.assets.service import Actor
from carbonseal_api.demo.anchors import ChainDesk
from carbonseal_api.demo.cast import HOST_NAME, Cast, Member, open_logs
from carbonseal_api.settings import Settings
from carbonseal_attest.signing import Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.database import open_database
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.publishing import PublishedCopy

START_MS = 1_767_196_800_000  # 2025-12-31T16:00:00Z
MONTH_MS = 31 * 86_400_000


def sha(text_: str) -> bytes:
    return hashlib.sha256(text_.encode()).digest()


def sentence(text_: str) -> dict[str, str]:
    return {"zh": f"中文:{text_}", "en": text_}


@dataclass
class House:
    """Parties, logs, chain and service; everything in it is real."""

    cast: Cast
    host: LogHost
    parts: Parts
    desk: ChainDesk
    client: TestClient
    url: str
    folder: Path
    members: dict[str, Member] = field(default_factory=dict)
    batches: int = 0

    @property
    def clock(self) -> Any:
        return self.parts.clock

    @property
    def holder(self) -> str:
        return self.cast.enterprise.facts.code

    @property
    def registrar(self) -> Actor:
        return Actor(self.parts.registrar, "person-registrar")

    def person(self, party: str | None = None) -> Actor:
        """The person who acts for a holder."""
        return Actor(party or self.holder, f"person-{party or self.holder}")

    def headers(self, role: str) -> dict[str, str]:
        member = {"registrar": self.cast.registrar, "operator": self.cast.log_host}.get(
            role, self.cast.enterprise
        )
        return key_headers(self, member, role)

    def enterprise(self, name: str, *roles: str, org: str | None = None) -> Member:
        """One more party, admitted when first asked for, whose keys are here too."""
        if name not in self.members:
            self.members[name] = admit(self, *(roles or ("enterprise",)), org=org)
        return self.members[name]

    def batch(self) -> str:
        """A batch in which nothing is recorded yet."""
        self.batches += 1
        return f"2026-{self.batches:04d}"

    def wish(self, opinion: SignedStatement, **changes: Any) -> dict[str, Any]:
        """What a holder posts to record units."""
        asked = {"act": "record", "registry": "CCER", "batch": self.batch(), "first": 1, "last": 1000}
        return asked | {"verification_report": opinion.digest.hex()} | changes

    # -- what happened before a record

    def report(
        self, member: Member | None = None, *, code: str = "green", code_digest: bytes | None = None
    ) -> SignedStatement:
        """An emissions report in the data log of its operator, and the data code that it names."""
        operator = member or self.cast.enterprise
        head = {"tree_size": 1, "root_hash": sha("root")}
        named = code_digest or self.data_code(operator, code).digest
        body = {
            "report": "er-january",
            "plan_digest": sha("plan"),
            "method": "GBT32150-2015@1.0.0",
            "packages": [{"id": "GBT32150-2015@1.0.0", "digest": sha("package")}],
            "period": {"start": START_MS, "end": START_MS + MONTH_MS, "time_zone": "Asia/Shanghai"},
            "cut_off": [
                {"origin": operator.data_origin, **head},
                {"origin": operator.register_origin, **head},
            ],
            "totals": {"total": {"value": "1021.5", "unit": "t{CO2e}"}},
            "by_stream": {},
            "quality_code_digest": named,
            "report_json_digest": sha("report.json"),
        }
        interval = (START_MS, START_MS + MONTH_MS)
        return operator.issue(
            operator.data_origin, "emissions_report", body, subject="i-works1", interval=interval
        )

    def data_code(self, operator: Member, code: str, start: int = START_MS) -> SignedStatement:
        """A data code of a month in the data log of its operator."""
        head = {"tree_size": 1, "root_hash": sha("root")}
        interval = (start, start + MONTH_MS)
        body = {
            "code": code,
            "profile": "default@1",
            "plan_digest": sha("plan"),
            "period": {"start": interval[0], "end": interval[1], "time_zone": "Asia/Shanghai"},
            "cut_off": [
                {"origin": operator.data_origin, **head},
                {"origin": operator.register_origin, **head},
            ],
            "findings": [],
            "rules": {},
            "figures": {},
        }
        return operator.issue(
            operator.data_origin, "quality_code", body, subject="i-works1", interval=interval
        )

    def opinion(
        self, report: SignedStatement | None = None, *, body: Member | None = None, **changes: Any
    ) -> SignedStatement:
        """A verification body's opinion on a report, not anchored yet."""
        member = body or self.cast.verification_body
        total, none = ({"value": value, "unit": "t{CO2e}"} for value in ("1021.5", "0"))
        content = {
            "engagement": "en-works1",
            "operator": self.holder,
            "report_digest": (report or self.report()).digest,
            "bundle_digest": sha("bundle"),
            "trust_digest": sha("trust file"),
            "period": {"start": START_MS, "end": START_MS + MONTH_MS},
            "opinion": "unmodified",
            "opinion_text": sentence("fair in all material respects"),
            "level_of_assurance": "reasonable",
            "materiality_percent": "5",
            "criteria": "GBT32150-2015@1.0.0",
            "figures": {"total": {"operator": total, "verification_body": total, "difference": none}},
            "findings": [],
            "sampling": None,
            "steps": {"signatures": "passed"},
        }
        made = member.issue(member.data_origin, "verification_report", content | changes)
        self.parts.projections.refresh()
        return made

    def withdraw(self, member: Member, digest: bytes) -> SignedStatement:
        """A party takes one of its statements back."""
        body = {"withdraws": digest, "role": "lead verifier", "reason": "found to be wrong"}
        made = member.issue(member.register_origin, "withdrawal", body)
        self.parts.projections.refresh()
        return made

    def impact(
        self, digest: bytes, cause: bytes, *, cures: bytes | None = None, party: str | None = None
    ) -> SignedStatement:
        """The log host marks a verification report, or says that it is cured."""
        keeper = self.cast.log_host
        body = {
            "state": "open" if cures is None else "cured",
            "cause": "opinion_withdrawn",
            "cause_digest": cause,
            "cures": cures,
            "affected": [{"kind": "verification_report", "party": party or self.holder, "digest": digest}],
            "reason": sentence("the opinion was withdrawn"),
            "cure": sentence("have the report verified anew"),
        }
        made = keeper.issue(keeper.data_origin, "impact", body)
        self.parts.projections.refresh()
        return made

    def anchor(self) -> None:
        """Close an epoch and wait until its anchor is final."""
        self.host.build_epoch()
        self.desk.anchor_epoch(self.host)


@contextmanager
def open_house(database_url: str, name: str, folder: Path) -> Iterator[House]:
    """A deployment of its own in a database of its own, with a chain of its own."""
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    url = make_url(database_url).set(database=name, drivername="postgresql")
    shown = url.render_as_string(hide_password=False)
    engine = open_database(shown, folder)
    cast, now = Cast(), START_MS + MONTH_MS

    def clock() -> int:
        return now

    members: dict[str, Member] = {}

    def signer_of(party: str) -> Signer:
        here = {one.facts.code: one.signer for one in members.values()}
        return here[party] if party in here else cast.signer_here(party)

    with ChainDesk(engine, clock) as desk:
        host = LogHost(
            engine,
            PublishedCopy(folder / "published"),
            cast.log_key,
            clock,
            name=HOST_NAME,
            party=cast.log_host.facts.code,
            registrar=cast.registrar.facts.code,
            registrar_keys=[cast.registrar.signer.public],
            anchors=desk,
        )
        desk.open(open_logs(cast, host, desk.facts, clock))
        settings = Settings(data_folder=folder, log_host_name=HOST_NAME, passphrase=SecretStr("unused"))
        parts = assemble(
            settings,
            engine,
            host,
            published=PublishedCopy(folder / "published"),
            log_key=cast.log_key.public,
            host_party=cast.log_host.facts.code,
            registrar=cast.registrar.facts.code,
            clock=clock,
            anchors=desk,
            signer_of=signer_of,
            assets=desk.assets(host, cast.registrar.facts.code, settings),
        )
        parts.projections.refresh()
        with TestClient(create_app(parts), raise_server_exceptions=False) as client:
            yield House(cast, host, parts, desk, client, shown, folder, members)
        parts.close()


__all__ = ["House", "credit_code", "open_house", "sha"]
