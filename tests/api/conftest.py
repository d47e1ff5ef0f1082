"""Fixtures of the service's tests: a report with several source streams and months, and its proofs."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, make_url, text

from carbonseal_api.app import create_app
from carbonseal_api.assembly import Parts, assemble
from carbonseal_api.catalogue.industry_means import publish_mean
from carbonseal_api.catalogue.service import files_for_plan, publish_packages, shipped_packages
from carbonseal_api.demo.anchors import ChainDesk
from carbonseal_api.demo.cast import (
    HOST_NAME,
    Cast,
    Member,
    enrol_gateway,
    file_calibrations,
    open_logs,
)
from carbonseal_api.evidence.service import put_document
from carbonseal_api.filing.service import FiledReport, FilingRequest, file_report
from carbonseal_api.founding import PartyFacts, admission, genesis, seal
from carbonseal_api.issuing import Issuer
from carbonseal_api.reports.proofs import AnchorProof, HeadProof, ReportProofs, StatementProof
from carbonseal_api.reports.service import report_pdf
from carbonseal_api.settings import load_settings
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.instants import Clock
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.database import open_database, stop_embedded
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.publishing import PublishedCopy

sys.path.insert(0, str(Path(__file__).parent))  # tests import their builders (`neighbours`)

START_MS = 1_767_196_800_000  # 2025-12-31T16:00:00Z, midnight of 2026-01-01 in Shanghai
STEP_MS = 900_000
DAY_MS = 86_400_000
DAYS = 31
METHOD = "GBT32150-2015@1.0.0"
METERS = ("m-electricity1", "m-electricity2")
PARTY_ROLES = {"stranger": "enterprise"}

STREAMS = (
    ("grid", {"zh": "外购电力", "en": "Purchased electricity"}, "kWh"),
    ("gas", {"zh": "天然气燃烧", "en": "Natural gas combustion"}, "m³"),
    ("steam", {"zh": "外购蒸汽", "en": "Purchased steam"}, "GJ"),
)


def figure(value: str) -> dict[str, str]:
    rounded = format(Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP), "f")
    return {"value": value, "rounded": rounded, "unit": "tCO2e"}


def make_report(code: str = "red", months: int = 6) -> dict[str, Any]:
    by_month = [
        {
            "month": f"2026-{m:02d}",
            **figure(f"{100 + 7 * m + 30 + m + 12}.25"),
            "by_stream": {
                "grid": figure(f"{100 + 7 * m}.125"),
                "gas": figure(f"{30 + m}.125"),
                "steam": figure("12"),
            },
        }
        for m in range(1, months + 1)
    ]
    finding = {
        "rule": "stuck@1",
        "family": "meter_behaviour",
        "severity": "major",
        "target": "gas-main",
        "start": "2026-03-04T02:00:00Z",
        "end": "2026-03-04T14:00:00Z",
        "count": 48,
        "expected": {"zh": "工况变化时读数应随之变化", "en": "the reading moves while the plant runs"},
        "observed": {"zh": "连续 48 个刻钟同为 12.5", "en": "48 quarter-hours at 12.5 in a row"},
        "cure": {
            "zh": "检查表计，提交维修记录或更正声明",
            "en": "inspect the meter; file the repair record or a correction",
        },
        "statements": ["ab" * 32],
    }
    return {
        "format": "carbonseal-report/v1",
        "report": "er-2026h1-k3v9aaaa",
        "parties": {
            "operator": {
                "party": "e-k3v9aaaabbbbcccc",
                "name": {"zh": "示范新材料有限公司", "en": "Example New Materials Co."},
            },
            "log_host": {
                "party": "h-aaaabbbbccccdddd",
                "name": {"zh": "示范日志服务", "en": "Example log host"},
            },
            "registrar": {
                "party": "r-aaaabbbbccccdddd",
                "name": {"zh": "示范登记机关", "en": "Example registrar"},
            },
        },
        "installation": {"name": {"zh": "一号厂区", "en": "Works no. 1"}, "time_zone": "Asia/Shanghai"},
        "period": {
            "start": "2025-12-31T16:00:00Z",
            "end": "2026-06-30T16:00:00Z",
            "time_zone": "Asia/Shanghai",
        },
        "plan": {
            "plan": "mp-works-1",
            "plan_version": 3,
            "statement_digest": "12" * 32,
            "name": {"zh": "一号厂区数据质量控制方案", "en": "Monitoring plan of works no. 1"},
        },
        "cut_off": {
            "data": {
                "origin": "log.carbonseal.example/e-k3v9aaaabbbbcccc/data",
                "tree_size": 4711,
                "root_hash": "34" * 32,
            },
            "register": {
                "origin": "log.carbonseal.example/e-k3v9aaaabbbbcccc/register",
                "tree_size": 23,
                "root_hash": "56" * 32,
            },
        },
        "activity_data": {
            "grid": {"value": "521199.76", "unit": "kWh"},
            "gas": {"value": "98123.5", "unit": "m³"},
            "steam": {"value": "654.321", "unit": "GJ"},
        },
        "emissions": {
            "total": figure("1021.5031415"),
            "totals": {"total": {"title": {"zh": "合计", "en": "Total"}, **figure("1021.5031415")}},
            "shares": {
                "late": "0",
                "uncertain": "0",
                "substituted": "0",
                "declared": "0.2",
                "unsure_factor": "0",
            },
            "by_stream": [
                {
                    "stream": stream,
                    "name": name,
                    "type": "combustion",
                    "type_title": {"zh": "燃烧", "en": "combustion"},
                    "scope": "1",
                    "is_counted": True,
                    "notes": [],
                    "share_percent": share,
                    **figure(value),
                }
                for (stream, name, _), value, share in zip(
                    STREAMS, ("747.750125", "201.753", "72"), ("73.24", "19.71", "7.05"), strict=True
                )
            ],
            "by_month": by_month,
        },
        "method": {
            "method": "gbt32150@1",
            "title": {"zh": "工业企业温室气体排放核算通则", "en": "General rules for industrial enterprises"},
            "standard": "GB/T 32150-2015",
            "boundary": {"zh": "报告主体的全部设施", "en": "all facilities of the reporting entity"},
            "gwp": "AR5",
            "rounding": {"places": 2, "mode": "half_up"},
            "packages": [
                {"id": "gbt32150", "version": "1", "digest": "78" * 32},
                {"id": "cn-grid", "version": "2023", "digest": "9a" * 32},
            ],
        },
        "factors": [
            {
                "stream": "grid",
                "stream_name": STREAMS[0][1],
                "parameter": "emission_factor",
                "value": "0.5366",
                "unit": "tCO2/MWh",
                "kind": "location_average",
                "region": "CN",
                "year": 2022,
                "source": "Ministry notice 2024 no. 33",
                "certainty": "secondary-verified",
                "name": {"zh": "全国 2022", "en": "China 2022"},
                "note": "",
                "set": "cn-grid@2023",
                "key": "CN/2022",
                "is_declared": False,
            },
            {
                "stream": "gas",
                "stream_name": STREAMS[1][1],
                "parameter": "carbon_content",
                "value": "0.01532",
                "unit": "tC/GJ",
                "kind": "fossil",
                "region": "CN",
                "year": 2015,
                "source": "laboratory report of the operator",
                "certainty": "declared",
                "name": {"zh": "申报值", "en": "declared"},
                "note": "",
                "set": None,
                "key": None,
                "is_declared": True,
            },
        ],
        "data_quality": {
            "code": code,
            "profile": "default@1",
            "statement_digest": "bc" * 32,
            "findings": [finding] if code == "red" else [],
            "completeness": [
                {
                    "measurement": f"{stream}-main",
                    "name": name,
                    "expected": 17376,
                    "measured": 17300,
                    "late": 12,
                    "gap": 40,
                    "substituted": 0,
                    "missing": 24,
                }
                for stream, name, _ in STREAMS
            ],
            "shares": {"completeness_percent": "99.56", "late_percent": "0.07", "substituted_percent": "0"},
            "signer_classes": [{"signer_class": "gateway", "statements": 4344, "share_percent": "100"}],
            "greatest_commit_delay_ms": 5_460_000,
        },
        "trace": {
            "sha256": "de" * 32,
            "recompute": "carbonseal-verifier check evidence.bundle --trust trust.toml",
        },
    }


def make_proofs() -> ReportProofs:
    data = "log.carbonseal.example/e-k3v9aaaabbbbcccc/data"
    return ReportProofs(
        statements=(
            StatementProof("monitoring_plan", "12" * 32, data.replace("/data", "/register"), 7, "final"),
            StatementProof("quality_code", "bc" * 32, data, 4711, "final"),
            StatementProof("emissions_report", "f0" * 32, data, 4712, "final"),
        ),
        checkpoint=HeadProof(data, 4713, "0f" * 32),
        epoch=182,
        map_root="1e" * 32,
        log_of_logs=HeadProof("log.carbonseal.example/epochs", 183, "2d" * 32),
        anchor=AnchorProof(
            31337, "0x" + "5f" * 20, 401, "0x" + "3c" * 32, "0x" + "4b" * 32, "2026-07-01T00:00:12Z", "final"
        ),
        states={"final": 4711, "logged": 2},
    )


@pytest.fixture
def report() -> dict[str, Any]:
    return make_report()


@pytest.fixture
def one_month_green_report() -> dict[str, Any]:
    return make_report("green", months=1)


@pytest.fixture
def proofs() -> ReportProofs:
    return make_proofs()


@dataclass
class Site:
    """A running deployment with the demo's four parties, on a real embedded PostgreSQL."""

    cast: Cast
    host: LogHost
    parts: Parts
    client: TestClient
    clock: SteppingClock
    keys: dict[str, str]
    gateway: str
    plan: bytes
    others: dict[str, Member] = field(default_factory=dict)
    desk: ChainDesk | None = None

    def headers(self, role: str = "enterprise", **more: str) -> dict[str, str]:
        """Of a key with the role; parties beside the demo's four are admitted when first asked for.

        `stranger` is an enterprise of its own, which shares nothing with the site's.
        """
        if role not in self.keys:
            self.keys[role] = self.parts.keys.issue(
                self.party_of(role), [PARTY_ROLES.get(role, role)], "test"
            )
        return {"Authorization": f"Bearer {self.keys[role]}", **more}

    def party_of(self, role: str) -> str:
        """The party whose accounts have a role."""
        cast = self.cast
        here = {
            "operator": cast.log_host,
            "registrar": cast.registrar,
            "verification_body": cast.verification_body,
        }
        if role in here:
            return here[role].facts.code
        return self.party if role in {"enterprise", "gateway", "reader"} else self.admit(role).facts.code

    def admit(self, name: str) -> Member:
        """A party with logs of its own, admitted by the registrar with the role of that name."""
        if name not in self.others:
            self.others[name] = admit_member(self.cast, self.host, PARTY_ROLES.get(name, name), self.clock)
            self.parts.projections.refresh()
        return self.others[name]

    @property
    def party(self) -> str:
        return self.cast.enterprise.facts.code

    @property
    def origin(self) -> str:
        return self.cast.enterprise.data_origin

    def amend_policy(self, **changes: Any) -> SignedStatement:
        """Another registration policy of the enterprise's logs, agreed by all three."""
        history, cast = self.host.policies(self.party), self.cast
        body = {
            "origin": history.origin, "amends": history.spans[-1].digest, "reason": "a test",
            "policy": {**history.newest.value, **changes}, "endorsements": [],
        }  # fmt: skip
        body["endorsements"] = [
            endorse(cast.log_key, "policy", self.party, "log_host", body),
            endorse(cast.registrar.signer, "policy", self.party, "registrar", body),
        ]
        with self.parts.desks.desk(self.party) as desk:
            return desk.issue(history.origin, "policy", body)

    def seal_readings(
        self, values: list[str], *, start_ms: int, **changes: Any
    ) -> tuple[SignedStatement, bytes]:
        """A readings statement of the gateway, next in its stream unless told otherwise."""
        meter = changes.pop("meter", METERS[0])
        stream = f"readings/{meter}"
        heads = {
            head.stream: head
            for head in self.host.stream_heads(self.origin, kid=self.cast.gateway.public.kid)
        }
        head = heads.get(stream)
        samples = [Sample(start_ms + i * STEP_MS, Decimal(value)) for i, value in enumerate(values)]
        series = Series.of("active", "interval", "kW.h", samples, width_ms=STEP_MS)
        interval = (start_ms, start_ms + len(values) * STEP_MS)
        fields: dict[str, Any] = {
            "signer": self.cast.gateway,
            "party": self.party,
            "subject": meter,
            "origin": self.origin,
            "stream": stream,
            "sequence": 0 if head is None else head.sequence + 1,
            "previous": None if head is None else head.digest,
            "interval": interval,
            "issued_at": self.clock() // 1000,
            "is_public": False,
        }
        fields |= changes
        return seal(fields.pop("signer"), "readings", readings_body([series]), **fields)


def admit_member(cast: Cast, host: LogHost, role: str, clock: Clock) -> Member:
    """Open the logs of one more party and have the registrar admit it."""
    signer = Ed25519Signer.generate()
    code = opaque_code(role[0], signer.public.raw)
    facts, name = cast.host_facts(None), {"zh": "另一单位", "en": f"Another {role}"}
    org = credit_code(int.from_bytes(signer.public.raw[:5], "big"))
    made = Member(
        PartyFacts(code, name, (role,), org),
        signer,
        facts.origin(code, "register"),
        facts.origin(code, "data"),
    )
    for origin in (made.register_origin, made.data_origin):
        opened = genesis(
            origin,
            made.facts,
            signer,
            host=facts,
            registrar=cast.registrar.signer,
            issued_at=clock() // 1000,
        )
        assert host.open_log(opened.statement, opened.content or b"").problem is None
    admitted = admission(made.facts, signer.public, facts)
    cast.registrar.issue(cast.registrar.register_origin, "party", admitted, subject=code)
    made.desk = desk_over(host, code, signer, clock)
    return made


def credit_code(number: int) -> str:
    """A unified social credit code (GB 32100-2015) of nobody, with its check character."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = f"91330000MA{number % 10_000_000:07d}"
    return body + letters[(31 - sum(letters.index(c) * pow(3, i, 31) for i, c in enumerate(body)) % 31) % 31]


def desk_over(host: LogHost, party: str, signer: Ed25519Signer, clock: Clock) -> Issuer:
    return Issuer(
        party,
        signer,
        clock,
        register=host.register,
        head=host.head,
        streams=lambda origin, kid: host.stream_heads(origin, kid=kid),
    )


class SteppingClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def file_plan(cast: Cast, start: int) -> bytes:
    """File a monitoring plan of two electricity meters; returns the statement digest."""
    from plans import electricity_plan

    name = {"zh": "一号厂区", "en": "Works no. 1"}
    body = electricity_plan("p-works1", name, METERS, start, cycle_days=730)
    return cast.enterprise.issue(
        cast.enterprise.register_origin, "monitoring_plan", body, subject="i-works1"
    ).digest


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    # A short path: PostgreSQL's socket lives in the folder.
    folder = Path(tempfile.mkdtemp(prefix="cs-api-"))
    made = open_database(None, folder / "pg")
    yield made.url.render_as_string(hide_password=False)
    made.dispose()
    stop_embedded(folder / "pg")
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def found_site(
    database_url: str, name: str, folder: Path, *, with_chain: bool = False, **more: Any
) -> Iterator[Site]:
    """A deployment of its own in a database of its own; `more` goes into its settings."""
    with ExitStack() as ending:
        yield _found(database_url, name, folder, ending, with_chain=with_chain, **more)


def _found(
    database_url: str, name: str, folder: Path, ending: ExitStack, *, with_chain: bool, **more: Any
) -> Site:
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    url = make_url(database_url).set(database=name, drivername="postgresql")
    engine = open_database(url.render_as_string(hide_password=False), folder)
    clock = SteppingClock(START_MS)
    cast = Cast()
    published = PublishedCopy(folder / "published")
    desk = ending.enter_context(ChainDesk(engine, clock)) if with_chain else None
    host = LogHost(
        engine,
        published,
        cast.log_key,
        clock,
        name=HOST_NAME,
        party=cast.log_host.facts.code,
        registrar=cast.registrar.facts.code,
        registrar_keys=[cast.registrar.signer.public],
        anchors=desk,
    )
    first = open_logs(cast, host, desk and desk.facts, clock)
    if desk is not None:
        desk.open(first)
    gateway = enrol_gateway(cast, METERS)
    plan = file_plan(cast, START_MS)
    file_calibrations(cast, METERS, START_MS - 86_400_000)
    settings = load_settings({}, data_folder=folder, log_host_name=HOST_NAME, **more)
    parts = assemble(
        settings,
        engine,
        host,
        published=published,
        log_key=cast.log_key.public,
        host_party=cast.log_host.facts.code,
        registrar=cast.registrar.facts.code,
        clock=clock,
        anchors=desk,
        assets=desk and desk.assets(host, cast.registrar.facts.code, settings),
        signer_of=cast.signer_here,
    )
    ending.callback(parts.close)
    party = cast.enterprise.facts.code
    keys = {role: parts.keys.issue(party, [role], "test") for role in ("enterprise", "gateway", "reader")}
    keys["operator"] = parts.keys.issue(cast.log_host.facts.code, ["operator"], "test")
    parts.projections.refresh()
    origin = {"Origin": "http://testserver"}  # as a browser on a page of ours sends it
    client = TestClient(
        create_app(parts), raise_server_exceptions=False, follow_redirects=False, headers=origin
    )
    return Site(cast, host, parts, ending.enter_context(client), clock, keys, gateway, plan, desk=desk)


@pytest.fixture(scope="session")
def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with found_site(database_url, "site", tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(name="open_site", scope="session")
def open_site_fixture() -> Callable[..., Any]:
    return found_site


@pytest.fixture(name="file_january", scope="session")
def file_january_fixture() -> Callable[[Site], Filed]:
    return file_january


@dataclass
class Filed:
    """A site whose January 2026 was measured, filed and closed into an epoch."""

    site: Site
    report: FiledReport
    pdf: bytes
    request: FilingRequest


@pytest.fixture(scope="session")
def filed(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filed]:
    with found_site(database_url, "filed", tmp_path_factory.mktemp("filed")) as site:
        yield file_january(site)


@pytest.fixture(scope="session")
def market(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site in March 2027 whose registrar has published the packages and the means of two industries."""
    year = (START_MS, 1_798_732_800_000)
    with found_site(database_url, "market", tmp_path_factory.mktemp("market")) as site:
        site.clock.now = 1_803_830_400_000
        registrar = site.cast.registrar
        assert registrar.desk is not None
        publish_packages(site.host, registrar.desk, registrar.register_origin, shipped_packages())
        for industry, value in (("C31", "2.5"), ("C33", "0.1")):
            mean = {"value": value, "unit": "t{CO2e}/(10*4.CNY)", "source": "provincial statistics 2026"}
            publish_mean(site.parts, industry=industry, period=year, **mean)
        yield site


def filing_request(site: Site, period: tuple[int, int]) -> FilingRequest:
    cast = site.cast
    return FilingRequest(
        operator=site.party,
        installation="i-works1",
        register_origin=cast.enterprise.register_origin,
        data_origin=site.origin,
        plan_digest=site.plan,
        period=period,
        packages=files_for_plan({"method": METHOD, "quality_profile": "default@1"}),
        parties={"operator": {"party": site.party, "name": dict(cast.enterprise.facts.name), "org": None}},
    )


def file_january(site: Site) -> Filed:
    for day in range(DAYS):
        start = START_MS + day * DAY_MS
        site.clock.now = start + DAY_MS + 60_000
        for number, meter in enumerate(METERS, 1):
            values = [f"{number * 20 + (step % 40) + day % 7}.{day % 10}{step % 10}" for step in range(96)]
            statement, content = site.seal_readings(values, start_ms=start, meter=meter)
            outcome = site.host.register(site.origin, [Submission(statement.raw, content)])[0]
            assert outcome.problem is None, outcome
        if day == DAYS // 2:
            site.host.build_epoch()
    cast = site.cast
    packages = shipped_packages()
    assert cast.registrar.desk is not None
    publish_packages(site.host, cast.registrar.desk, cast.registrar.register_origin, packages)
    request = filing_request(site, (START_MS, START_MS + DAYS * DAY_MS))
    assert cast.enterprise.desk is not None
    report = file_report(site.host, cast.enterprise.desk, request, clock=site.clock)
    site.host.build_epoch()
    digest = hashlib.sha256(report.report_json).digest()
    put_document(site.parts, site.party, digest, report.report_json, "report.json", "application/json")
    site.parts.projections.refresh()
    pdf = report_pdf(site.parts, site.party, report.report.digest, "zh")
    return Filed(site, report, pdf, request)


@pytest.fixture(scope="session")
def stated_site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site in March whose plan orders data sources, with two days of January measured."""
    from evidence_makers import make_stated_site

    with found_site(database_url, "stated", tmp_path_factory.mktemp("stated")) as site:
        yield make_stated_site(site)
