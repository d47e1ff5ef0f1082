"""A real PostgreSQL, a database for each test, and a small world of parties that sign for real."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from carbonseal_attest.algorithms import ADMITTED
from carbonseal_attest.contents import KINDS, build_content
from carbonseal_attest.contents.readings import Sample, Series, readings_body
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.identity.device_statements import endorsed
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement, sign_statement
from carbonseal_ledger.database import open_database, stop_embedded
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.object_store import ObjectStore
from carbonseal_ledger.outcomes import Outcome, Status, Submission
from carbonseal_ledger.publishing import PublishedCopy

NAME = "log.carbonseal.example"
START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000
# So that tests can import example_contents.
sys.path.insert(0, str(Path(__file__).parents[1] / "vectors"))
sys.path.insert(0, str(Path(__file__).parent))  # tests import their builders (`asset_world`)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    engine = open_database(None, folder)
    admin = create_engine(engine.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    engine.dispose()
    with admin.connect() as connection:
        # Killing processes is survived without syncing; only a power cut is not, and no test cuts it.
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("CREATE DATABASE ledger_template TEMPLATE postgres"))
    yield admin
    stop_embedded(folder)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def made_database(server: Engine, template: str = "ledger_template") -> Iterator[str]:
    name = f"ledger_{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def databases() -> Callable[..., Any]:
    """Makes a database of its own on a server, a copy of a template, for as long as a `with` lasts."""
    return made_database


@pytest.fixture
def database_url(server: Engine) -> Iterator[str]:
    with made_database(server) as url:
        yield url


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(database_url, tmp_path / "unused", pool_size=24)
    yield engine
    engine.dispose()


@dataclass
class Stream:
    """Signs the statements of one stream in order."""

    signer: Ed25519Signer
    issuer: str
    origin: str
    stream: str
    sequence: int = -1
    previous: bytes | None = None

    def sign(
        self,
        kind: str,
        subject: str,
        body: dict[str, Any],
        *,
        interval: tuple[int, int] | None = None,
        issued_at: int = START,
        keep: bool = True,
        **overrides: Any,
    ) -> Submission:
        salt = b"" if KINDS[kind].is_public else os.urandom(16)
        stream = overrides.get("stream", self.stream)
        content = build_content(kind, subject=subject, stream=stream, interval=interval, body=body, salt=salt)
        fields: dict[str, Any] = {
            "kind": kind, "version": KINDS[kind].version, "issuer": self.issuer, "subject": subject,
            "issued_at": issued_at // 1000,
            "origin": self.origin, "stream": stream, "sequence": self.sequence + 1, "previous": self.previous,
            "interval": interval, "checkpoint": None,
        }  # fmt: skip
        signed = sign_statement(self.signer, **(fields | overrides), content=content)
        if keep:
            self.sequence, self.previous = signed.header.sequence, signed.digest
        return Submission(signed.raw, content)


@dataclass
class World:
    """One log host with a registrar, itself, and an enterprise with one gateway; every log open."""

    engine: Engine
    folder: Path
    now: int = START
    registrar: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    host_key: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    log_key: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    enterprise: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    gateway: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    policy: dict[str, Any] = field(default_factory=dict)
    with_entry_bundles: bool = False
    retiring: Ed25519Signer | None = None
    store: ObjectStore | None = None
    algorithms: frozenset[int] = ADMITTED
    outside: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)

    register = f"{NAME}/e-enterprise/register"
    data = f"{NAME}/e-enterprise/data"
    log_of_logs = f"{NAME}/epochs"

    def __post_init__(self) -> None:
        self.host = self.start()

    def clock(self) -> int:
        return self.now

    def published(self) -> PublishedCopy:
        entries = self.folder / "entries" if self.with_entry_bundles else None
        return PublishedCopy(self.store or self.folder / "published", entries=entries)

    def start(self) -> LogHost:
        if hasattr(self, "host"):
            self.host.close()
        published = self.published()
        self.host = LogHost(
            self.engine, published, self.log_key, self.clock,
            name=NAME, party="h-host", registrar="r-registrar", registrar_keys=[self.registrar.public],
            algorithms=self.algorithms, outside=self.outside, retiring=self.retiring,
            operators=self.operators,
        )  # fmt: skip
        return self.host

    def genesis(self, signer: Ed25519Signer, party: str, origin: str, **changes: Any) -> Submission:
        body = {
            "origin": origin, "party": party, "party_key": signer.public.cose_key(), "log_host": "h-host",
            "log_key": self.log_key.public.cose_key(), "log_of_logs": self.log_of_logs, "chain": None,
            "predecessor": None,
            "policy": {"kinds": {}, "max_statement_bytes": 4096, "max_content_bytes": 1 << 20,
                       "max_batch_statements": 10_000, "statements_per_second": 1_000_000,
                       "bytes_per_day": 1 << 40, "conflicts_per_key": 16, "clock_tolerance_ms": 300_000,
                       "late_after_ms": 93_600_000, "epoch_ms": 86_400_000} | self.policy,
            "endorsements": [],
        } | changes  # fmt: skip
        body["endorsements"] = [
            endorse(self.log_key, "genesis", party, "log_host", body),
            endorse(self.registrar, "genesis", party, "registrar", body),
        ]
        return Stream(signer, party, origin, "genesis").sign("genesis", party, body, issued_at=self.now)

    def open(self, signer: Ed25519Signer, party: str, log: str) -> Outcome:
        origin = self.log_of_logs if log == "epochs" else f"{NAME}/{party}/{log}"
        item = self.genesis(signer, party, origin)
        return self.host.open_log(item.statement, item.content or b"")

    def party_body(self, party: str, signer: Ed25519Signer, roles: list[str]) -> dict[str, Any]:
        return {
            "party": party, "status": "admitted", "roles": roles, "key": signer.public.cose_key(),
            "register_origin": f"{NAME}/{party}/register", "data_origin": f"{NAME}/{party}/data",
            "name": {"zh": "甲方", "en": "Party"}, "org": None, "endorsements": [],
        }  # fmt: skip

    def device_body(
        self, device: str, signer: Ed25519Signer, action: str = "enrol", *,
        predecessor: Ed25519Signer | None = None, **changes: Any,
    ) -> dict[str, Any]:  # fmt: skip
        body = {
            "party": "e-enterprise", "device": device, "action": action, "class": "gateway",
            "key_storage": "file", "key": signer.public.cose_key(),
            "name": {"zh": "网关", "en": "Gateway"}, "subjects": ["m-main", "m-gas"], "valid_from": None,
            "expires": None, "last": [], "reason": "test", "endorsements": [],
        } | changes  # fmt: skip
        return endorsed(body, signer, predecessor) if action in {"enrol", "rotate"} else body

    def found(self) -> World:
        self.open(self.registrar, "r-registrar", "register")
        for signer, party, logs in (
            (self.host_key, "h-host", ("register", "epochs")),
            (self.enterprise, "e-enterprise", ("register", "data")),
        ):
            for log in logs:
                assert self.open(signer, party, log).status is Status.ACCEPTED
        self.parties = Stream(self.registrar, "r-registrar", f"{NAME}/r-registrar/register", "parties")
        self.accept(
            self.parties.sign(
                "party", "e-enterprise", self.party_body("e-enterprise", self.enterprise, ["enterprise"])
            )
        )
        self.devices = Stream(self.enterprise, "e-enterprise", self.register, "devices")
        self.accept(self.devices.sign("device", "g-gateway", self.device_body("g-gateway", self.gateway)))
        self.main = self.stream("m-main")
        return self

    def new_stream(self, signer: Ed25519Signer, issuer: str, origin: str, stream: str) -> Stream:
        return Stream(signer, issuer, origin, stream)

    def stream(self, subject: str, signer: Ed25519Signer | None = None, issuer: str = "g-gateway") -> Stream:
        return Stream(signer or self.gateway, issuer, self.data, f"readings/{subject}")

    def readings(self, stream: Stream, *, count: int = 4, **changes: Any) -> Submission:
        """The next hour of a stream: `count` values of a cumulative register."""
        start = START + (stream.sequence + 1) * HOUR
        step = HOUR // count
        samples = [Sample(start + at * step, Decimal(100 + at) / 10) for at in range(count)]
        body = readings_body([Series.of("energy", "register", "kW.h", samples)])
        self.now = max(self.now, start + HOUR)
        interval = changes.pop("interval", (start, start + HOUR))
        subject = changes.pop("subject", stream.stream.removeprefix("readings/"))
        changes.setdefault("issued_at", self.now)
        return stream.sign("readings", subject, body, interval=interval, **changes)

    def send(self, *items: Submission) -> list[Outcome]:
        origin = SignedStatement.parse(items[0].statement).header.origin
        return self.host.register(origin, list(items))

    def accept(self, *items: Submission) -> list[Outcome]:
        outcomes = self.send(*items)
        assert [o.status for o in outcomes] == [Status.ACCEPTED] * len(items), outcomes
        return outcomes


@pytest.fixture
def make_world(engine: Engine, tmp_path: Path) -> Callable[..., World]:
    return lambda **options: World(engine, tmp_path, **options)


@pytest.fixture(scope="session")
def world_class() -> type[World]:
    return World


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world().found()


@pytest.fixture(scope="module")
def full_world(server: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with a few hundred entries, a conflict and two epochs; tests work on copies of it."""
    with made_database(server) as url:
        engine = open_database(url, Path("/unused"))
        world = World(engine, tmp_path_factory.mktemp("full"), with_entry_bundles=True).found()
        world.accept(*[world.readings(world.main) for _ in range(300)])
        world.send(world.readings(world.main, keep=False, sequence=5, previous=bytes(32), count=5))
        world.host.build_epoch()
        world.accept(*[world.readings(world.main) for _ in range(20)])
        world.host.build_epoch()
        engine.dispose()
        yield world


@pytest.fixture
def copied_world(server: Engine, full_world: World, tmp_path: Path) -> Iterator[World]:
    template = full_world.engine.url.database
    assert template is not None
    with made_database(server, template) as url:
        engine = open_database(url, tmp_path / "unused")
        shutil.copytree(full_world.folder, tmp_path / "logs")
        yield replace(full_world, engine=engine, folder=tmp_path / "logs")
        engine.dispose()
