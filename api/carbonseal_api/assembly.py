"""Puts one deployment together: settings, database, log host, API keys, clock.

The web service, the worker and the commands share it, so that each process sees the same logs under the
same keys. It decides nothing; the parts are plain attributes, passed to the services that need them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Engine

from carbonseal_api.anchor_book import AnchorBook
from carbonseal_api.assets.chain import AssetChain
from carbonseal_api.authentication import KeyRing
from carbonseal_api.database import migrate
from carbonseal_api.desks import Desks, SignerOf
from carbonseal_api.health import HealthBook
from carbonseal_api.operation.components import Schedule, register_components
from carbonseal_api.operation.job_runs import JobBook
from carbonseal_api.operation.schedule import periods
from carbonseal_api.operation.standing_figures import StandingReader
from carbonseal_api.problems import PartMissing
from carbonseal_api.projections.store import ProjectionStore
from carbonseal_api.reconciliation.holding import RECONCILIATION, RECONCILIATION_FIGURES, Holding, component
from carbonseal_api.settings import Settings
from carbonseal_api.standing import Standing
from carbonseal_api.witnesses.states import FIGURES, component_state
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outside_heads import OutsideView
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.witnessing import Witnessing


def system_clock() -> int:
    """Return the present instant in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one deployment.

    Attributes:
        settings: What was configured.
        engine: The one database.
        host: The log host's facade.
        published: The published copy that it writes, for tiles.
        log_key: The public log key, for relying parties.
        host_party: Party code of the log host itself.
        registrar: Party code of the registrar whose register log admits parties.
        clock: The injected clock.
        keys: The API keys.
        projections: Tables that can be dropped and replayed.
        desks: Where statements are signed with the keys that this deployment may use.
        anchors: What the chain says, where there is a chain.
        assets: The chain side of carbon-asset records, where they are kept.
        witnesses: Who cosigns the log of logs, where the settings name somebody.
        outside: Whom start-up and reconciliation ask besides: the contract and the witnesses.
        holding: Holds new reports and movements back while sources of the ledger disagree.
        health: The components' states; a part registers its own check there.
        jobs: The book of background jobs.
        standing_figures: Where the deployment stands, in figures.
        registration_pool: Threads in which registrations wait for their commit.
    """

    settings: Settings
    engine: Engine
    host: LogHost
    published: PublishedCopy
    log_key: PublicKey
    host_party: str
    registrar: str
    clock: Clock
    keys: KeyRing
    projections: ProjectionStore
    desks: Desks
    holding: Holding
    health: HealthBook
    jobs: JobBook
    standing_figures: StandingReader
    registration_pool: ThreadPoolExecutor = field(repr=False)
    anchors: AnchorBook | None = None
    assets: AssetChain | None = None
    witnesses: Witnessing | None = None
    outside: Sequence[OutsideView] = ()

    def close(self) -> None:
        """End the threads and the database connections."""
        self.health.close()
        if self.witnesses is not None:
            self.witnesses.close()
        self.registration_pool.shutdown(wait=True, cancel_futures=True)
        self.engine.dispose()


def assemble(
    settings: Settings,
    engine: Engine,
    host: LogHost,
    *,
    published: PublishedCopy,
    log_key: PublicKey,
    host_party: str,
    registrar: str,
    clock: Clock,
    anchors: AnchorBook | None = None,
    assets: AssetChain | None = None,
    witnesses: Witnessing | None = None,
    outside: Sequence[OutsideView] = (),
    signer_of: SignerOf | None = None,
) -> Parts:
    """Return the parts of a deployment over an open database and log host, its own tables migrated."""
    migrate(engine)
    projections = ProjectionStore(engine, host, registrar=registrar)
    projections.ensure()
    jobs, health = JobBook(engine, clock), HealthBook()
    reader = StandingReader(engine, clock, jobs)
    register_components(health, settings, host, reader, Schedule(periods(settings)))
    health.register("witnesses", partial(component_state, witnesses, host), figures=FIGURES)
    holding = Holding(engine, clock)
    health.register(RECONCILIATION, lambda: component(holding, clock()), figures=RECONCILIATION_FIGURES)
    return Parts(
        settings=settings,
        engine=engine,
        host=host,
        published=published,
        log_key=log_key,
        host_party=host_party,
        registrar=registrar,
        clock=clock,
        keys=KeyRing(engine, clock, Standing(host, f"{settings.log_host_name}/{registrar}/register")),
        projections=projections,
        desks=Desks(engine, host, clock, signer_of or _no_signer),
        holding=holding,
        health=health,
        jobs=jobs,
        standing_figures=reader,
        registration_pool=ThreadPoolExecutor(
            settings.registration_threads, thread_name_prefix="registration"
        ),
        anchors=anchors,
        assets=assets,
        witnesses=witnesses,
        outside=outside,
    )


def _no_signer(party: str) -> Signer:
    raise PartMissing(f"keys/{party}.key", "is not there", "sign where the party's key is")
