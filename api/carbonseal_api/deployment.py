"""One deployment on disk: its identity, its keys, and how it is founded on first start and opened ever after.

On first start the registrar, the log host and their logs come into being, each as a signed statement, and
the log host gets an API key. The identity file says which party codes and keys this folder belongs to; it
holds no secret. In production the registrar's key lives elsewhere: with `registrar.key` absent the
deployment runs, but admits nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import Engine

from carbonseal_api.admitting import check_admission, check_key_may_be_here, first_roles
from carbonseal_api.assembly import Parts, assemble, system_clock
from carbonseal_api.assets.chain import account_name
from carbonseal_api.assets.opening import open_assets
from carbonseal_api.catalogue.service import publish_packages, shipped_packages
from carbonseal_api.chain_anchors import ChainAnchors
from carbonseal_api.founding import (
    DATA,
    DEFAULT_POLICY,
    EPOCHS,
    REGISTER,
    Chain,
    HostFacts,
    PartyFacts,
    admission,
    genesis,
)
from carbonseal_api.issuing import Issuer, StatementRefused
from carbonseal_api.key_files import KeyFolder, write_private
from carbonseal_api.problems import LogHostClosed, PartMissing
from carbonseal_api.published_place import open_published
from carbonseal_api.settings import Settings
from carbonseal_api.succession.plan import read_plan
from carbonseal_api.witnesses.opening import open_witnesses
from carbonseal_attest.algorithms import ADMITTED, ED25519, SM2
from carbonseal_attest.identifiers import opaque_code
from carbonseal_attest.instants import Clock
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Signer
from carbonseal_ledger.anvil_node import AnvilUnavailable
from carbonseal_ledger.database import open_database
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.log_key_rotation import Progress
from carbonseal_ledger.outcomes import Outcome, Status, Submission
from carbonseal_ledger.outside_heads import OutsideView
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.witness_views import WitnessesView
from carbonseal_ledger.witnessing import Witnessing

SUCCEEDS: Final = "succeeds.json"  # the plan of the log host that this one goes on for
CLOSED: Final = "closed.json"  # the plan by which this deployment was closed
IDENTITY: Final = "identity.json"
LOG: Final = "log"
NEXT_LOG: Final = "log-next"  # the key that takes over, while a rotation is under way
ROW_KEY: Final = "row-checksums"  # the key file; without it the same rows look changed
OPERATOR_KEY: Final = "operator.key"  # an API key, shown once and kept for the owner of the folder
_REGISTRAR_NAME: Final = {"zh": "本机登记机构", "en": "Registrar on this machine"}
_HOST_NAME: Final = {"zh": "本机日志运营方", "en": "Log host on this machine"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose deployment a folder is. Keys are public keys as text."""

    log_host_name: str
    host_party: str
    registrar: str
    registrar_key: str
    log_key: str
    chain: Mapping[str, Any] | None = None
    carbon_assets: str | None = None  # address of the contract, where records are kept

    def chain_facts(self) -> Chain | None:
        """Return what each genesis says about the chain, None for a deployment without one."""
        if self.chain is None:
            return None
        return Chain(
            self.chain["chain_id"],
            bytes.fromhex(self.chain["contract"]),
            bytes.fromhex(self.chain["head_key"]),
        )


@dataclass(frozen=True, slots=True)
class AdmittedParty:
    """A party that was just admitted, with what its programs need."""

    party: str
    register_origin: str
    data_origin: str
    api_key: str


@dataclass(frozen=True, slots=True)
class LogKeyChange:
    """A log key that took the place of another, in so many logs."""

    old: PublicKey
    new: PublicKey
    logs: int


def open_deployment(settings: Settings, clock: Clock = system_clock) -> Parts:
    """Return the parts of a founded deployment.

    Raises:
        PartMissing: The folder was never founded, or a key file is gone.
        LedgerError: Database or published copy cannot be used.
    """
    identity = read_identity(settings)
    engine = database_of(settings)
    return _open(settings, identity, engine, clock)


def rotate_log_key(
    settings: Settings, reason: str, progress: Progress, clock: Clock = system_clock
) -> LogKeyChange:
    """Make a new log key, give every log its first head under it, and put it in the old one's place.

    Nothing else may run on the deployment. Begun again after an interruption it goes on with the same keys;
    until it is finished, the deployment opens for nothing else. The old key's file is kept, and not needed.

    Raises:
        PartMissing: The folder was never founded, or a key file is gone.
        LedgerError: Database or published copy cannot be used.
    """
    identity, keys = read_identity(settings), key_folder(settings)
    engine = open_database(settings.database_url, settings.data_folder / "pg", pool_size=16)
    parts = _open(settings, identity, engine, clock, is_rotating=True)
    try:
        old = keys.signer(LOG).public
        done = parts.host.rotate_log_key(reason, progress)
        changed = replace(identity, log_key=parts.log_key.text())
        write_private(settings.data_folder / IDENTITY, json.dumps(asdict(changed), indent=2).encode())
        # Last of all: while the next key has a file of its own, the rotation is not finished.
        keys.take_the_place(NEXT_LOG, LOG)
    finally:
        parts.close()
    return LogKeyChange(old, parts.log_key, done)


def is_founded(settings: Settings) -> bool:
    """Return whether the data folder holds a deployment."""
    return (settings.data_folder / IDENTITY).exists()


def found_deployment(settings: Settings, clock: Clock = system_clock) -> Parts:
    """Found a deployment in an empty data folder and return its parts; a half-founded one is completed.

    With a chain, the contract is deployed first, because each genesis names it.

    Raises:
        LedgerError: The database or a genesis was refused.
    """
    settings = _as_successor(settings)
    keys = key_folder(settings)
    registrar, host_key, log_key = (keys.make(name) for name in ("registrar", "log-host", "log"))
    engine = database_of(settings)
    anchors = chain_side(settings, engine, clock)
    chain = None if anchors is None else anchors.facts()
    identity = Identity(
        log_host_name=settings.log_host_name,
        host_party=opaque_code("h", host_key.public.raw),
        registrar=opaque_code("r", registrar.public.raw),
        registrar_key=registrar.public.text(),
        log_key=log_key.public.text(),
        chain=None
        if chain is None
        else {
            "chain_id": chain.chain_id,
            "contract": chain.contract.hex(),
            "head_key": chain.head_key.hex(),
        },
    )
    parts = _open(settings, identity, engine, clock)
    facts = _host_facts(settings, identity, log_key, chain)
    host = PartyFacts(identity.host_party, _HOST_NAME, ("log_host",))
    registry = PartyFacts(identity.registrar, _REGISTRAR_NAME, ("registrar",))
    _open_log(parts.host, facts.log_of_logs, host, host_key, facts, registrar, clock)
    _admit(parts, registry, registrar, facts, registrar, clock)
    _admit(parts, host, host_key, facts, registrar, clock)
    if isinstance(parts.anchors, ChainAnchors):
        parts.anchors.open_log(parts.host)
        if parts.assets is not None:
            identity = replace(identity, carbon_assets=parts.assets.deploy().hex())
    register = facts.origin(identity.registrar, REGISTER)
    publish_packages(parts.host, desk_of(parts, identity.registrar, registrar), register, shipped_packages())
    if not (settings.data_folder / OPERATOR_KEY).exists():
        key = parts.keys.issue(identity.host_party, ["operator"], "made on first start")
        write_private(settings.data_folder / OPERATOR_KEY, key.encode())
    # Written last: a folder with an identity is founded.
    write_private(settings.data_folder / IDENTITY, json.dumps(asdict(identity), indent=2).encode())
    parts.projections.refresh()
    return parts


def admit_enterprise(
    parts: Parts,
    name: Mapping[str, str],
    *,
    roles: Sequence[str] = ("enterprise",),
    org: str | None = None,
    industry: str | None = None,
    algorithm: int = ED25519,
) -> AdmittedParty:
    """Admit a party with a key of its own in the key folder, open its two logs, and make its API key.

    Raises:
        PartMissing: The registrar's key is not on this machine.
        RequestInvalid: The name lacks a language, or the party's key must not be here.
        RolesExclude, PartyKnown: See `admitting.check_admission`.
    """
    check_key_may_be_here(roles)
    check_admission(parts, name, roles, org)
    settings, keys = parts.settings, key_folder(parts.settings)
    identity, registrar, facts = read_identity(settings), keys.signer("registrar"), host_facts_of(parts)
    fresh = keys.make_new(roles[0], algorithm=algorithm)
    party = PartyFacts(fresh.code, name, roles, org, industry)
    _admit(parts, party, fresh.signer, facts, registrar, parts.clock)
    if identity.carbon_assets is not None and "enterprise" in roles:
        keys.secret(account_name(fresh.code))  # the worker makes it a member of the contract
    parts.projections.refresh()
    return AdmittedParty(
        party=party.code,
        register_origin=facts.origin(party.code, REGISTER),
        data_origin=facts.origin(party.code, DATA),
        api_key=parts.keys.issue(party.code, first_roles(roles), "made on admission"),
    )


def host_facts_of(parts: Parts) -> HostFacts:
    """Return what logs are opened with here: the log host's name, keys, chain and policy.

    Raises:
        PartMissing: The log key is gone, or the folder was never founded.
    """
    settings, identity = parts.settings, read_identity(parts.settings)
    return _host_facts(settings, identity, key_folder(settings).signer("log"), identity.chain_facts())


def desk_of(parts: Parts, party: str, signer: Signer) -> Issuer:
    """Return the desk that signs a party's statements and has them registered here."""
    host = parts.host
    return Issuer(
        party,
        signer,
        parts.clock,
        register=host.register,
        head=host.head,
        streams=lambda origin, kid: host.stream_heads(origin, kid=kid),
    )


def database_of(settings: Settings) -> Engine:
    """Return the deployment's database; its sessions carry the key of row checksums, made when missing.

    Raises:
        DatabaseUnusable: It cannot be started, reached or migrated.
    """
    # As many again as are kept open may be opened under load.
    size = settings.database_connections // 2
    key = key_folder(settings).secret(ROW_KEY)
    return open_database(settings.database_url, settings.data_folder / "pg", pool_size=size, row_key=key)


def key_folder(settings: Settings) -> KeyFolder:
    """Return the key folder of a deployment."""
    return KeyFolder(settings.data_folder / "keys", settings.passphrase)


def read_identity(settings: Settings) -> Identity:
    """Return whose deployment the data folder is.

    Raises:
        PartMissing: It was never founded, or the file is damaged.
    """
    try:
        value: dict[str, Any] = json.loads((settings.data_folder / IDENTITY).read_text(encoding="utf-8"))
        return Identity(**value)
    except FileNotFoundError as problem:
        raise PartMissing("data_folder", "holds no deployment", "run `carbonseal up` there once") from problem
    except (ValueError, TypeError) as problem:
        raise PartMissing(IDENTITY, "is damaged", "restore it from a backup") from problem


def _open(
    settings: Settings, identity: Identity, engine: Engine, clock: Clock, *, is_rotating: bool = False
) -> Parts:
    if (settings.data_folder / CLOSED).exists():
        raise LogHostClosed(
            "data_folder",
            f"{identity.log_host_name} was closed and is succeeded",
            f"use its successor; {CLOSED} says from which heads it goes on",
        )
    if identity.log_host_name != settings.log_host_name:
        raise PartMissing(
            "log_host_name",
            f"this folder belongs to {identity.log_host_name}",
            "use that name, or another data folder",
        )
    settings = _as_successor(settings)
    log_signer, retiring = _log_signers(settings, is_rotating=is_rotating)
    published = open_published(settings)
    founded_on = identity.chain_facts()
    anchors = None if founded_on is None else chain_side(settings, engine, clock, founded_on.chain_id)
    witnesses = open_witnesses(settings, engine, clock, f"{identity.log_host_name}/{EPOCHS}")
    log_keys = EntryReader(engine).keys(log_signer.public).all()
    outside = outside_of(anchors, witnesses, published, identity, log_keys)
    host = LogHost(
        engine,
        published,
        log_signer,
        clock,
        name=identity.log_host_name,
        party=identity.host_party,
        registrar=identity.registrar,
        registrar_keys=[PublicKey.from_text(identity.registrar_key)],
        anchors=anchors,
        algorithms=ADMITTED | {SM2} if settings.sm2 else ADMITTED,
        outside=outside,
        operators=[PublicKey.from_text(line.partition("=")[2]) for line in settings.operators],
        retiring=retiring,
        witnesses=witnesses,
    )
    return assemble(
        settings,
        engine,
        host,
        published=published,
        log_key=log_signer.public,
        host_party=identity.host_party,
        registrar=identity.registrar,
        clock=clock,
        anchors=anchors,
        assets=open_assets(settings, engine, host, anchors, identity.registrar, clock),
        witnesses=witnesses,
        outside=outside,
        signer_of=lambda party: _signer_of(settings, identity, party),
    )


def _log_signers(settings: Settings, *, is_rotating: bool) -> tuple[Signer, Signer | None]:
    """Return the key that signs heads and, while a rotation is under way, the one that it takes over from."""
    keys = key_folder(settings)
    if is_rotating:
        old = keys.signer(LOG)
        return keys.make(NEXT_LOG), old
    if NEXT_LOG in keys.names():
        raise PartMissing(
            f"keys/{NEXT_LOG}.key",
            "is of a rotation of the log key that was not finished",
            "finish it with `carbonseal log-key rotate`",
        )
    return keys.signer(LOG), None


def _as_successor(settings: Settings) -> Settings:
    """The settings of a log host that goes on for a closed one: it is anchored in the same contract."""
    plan = settings.data_folder / SUCCEEDS
    if settings.anchor_contract is not None or not plan.exists():
        return settings
    return settings.model_copy(update={"anchor_contract": read_plan(plan).contract.hex()})


def _signer_of(settings: Settings, identity: Identity, party: str) -> Signer:
    names = {identity.registrar: "registrar", identity.host_party: "log-host"}
    return key_folder(settings).signer(names.get(party, party))


def outside_of(
    anchors: ChainAnchors | None,
    witnesses: Witnessing | None,
    published: PublishedCopy,
    identity: Identity,
    log_keys: Sequence[PublicKey],
) -> list[OutsideView]:
    """Return whom start-up and reconciliation ask besides database and copy: witnesses and the contract."""
    views: list[OutsideView] = [] if witnesses is None else [WitnessesView(witnesses, log_keys)]
    facts = identity.chain_facts()
    if anchors is not None and facts is not None:
        views.append(anchors.view(published, f"{identity.log_host_name}/{EPOCHS}", facts))
    return views


def chain_side(
    settings: Settings, engine: Engine, clock: Clock, chain_id: int | None = None
) -> ChainAnchors | None:
    """Return the chain side, None without a node; `chain_id` is that of a deployment that is founded."""
    if settings.chain_rpc_url is None:
        return None
    anchors = ChainAnchors(settings, engine, key_folder(settings), clock, chain_id=chain_id)
    if settings.is_anvil:
        # Founding needs the money; later a node that is away keeps nobody from looking.
        with suppress(*([] if chain_id is None else [AnvilUnavailable])):
            anchors.fund_on_anvil(settings.chain_rpc_url)
    return anchors


def _host_facts(settings: Settings, identity: Identity, log_key: Signer, chain: Chain | None) -> HostFacts:
    policy = {**DEFAULT_POLICY, "epoch_ms": max(settings.epoch_seconds * 1000, 60_000)}
    plan = settings.data_folder / SUCCEEDS
    predecessors = read_plan(plan).successors(identity.log_host_name) if plan.exists() else {}
    return HostFacts(identity.log_host_name, identity.host_party, log_key, chain, policy, predecessors)


def admit_again(parts: Parts, party: PartyFacts) -> bool:
    """Admit a party of a closed log host anew, with the key that it has; False where that lies elsewhere.

    Raises:
        LedgerError: a genesis or the admission was refused.
    """
    keys = key_folder(parts.settings)
    if party.code not in keys.names():
        return False
    registrar = keys.signer("registrar")
    facts = host_facts_of(parts)
    _admit(parts, party, keys.signer(party.code), facts, registrar, parts.clock)
    parts.projections.refresh()
    return True


def _admit(
    parts: Parts, party: PartyFacts, signer: Signer, facts: HostFacts, registrar: Signer, clock: Clock
) -> None:
    _open_log(parts.host, facts.origin(party.code, REGISTER), party, signer, facts, registrar, clock)
    register = facts.origin(parts.registrar, REGISTER)
    if not parts.host.select(register, kinds={"party"}, subject=party.code):
        desk = desk_of(parts, parts.registrar, registrar)
        desk.issue(register, "party", admission(party, signer.public, facts), subject=party.code)
    _open_log(parts.host, facts.origin(party.code, DATA), party, signer, facts, registrar, clock)


def _open_log(
    host: LogHost,
    origin: str,
    party: PartyFacts,
    signer: Signer,
    facts: HostFacts,
    registrar: Signer,
    clock: Clock,
) -> None:
    if any(log.origin == origin for log in host.logs()):
        return
    opened: Submission = genesis(
        origin, party, signer, host=facts, registrar=registrar, issued_at=clock() // 1000
    )
    outcome: Outcome = host.open_log(opened.statement, opened.content or b"")
    if outcome.status is Status.REFUSED:
        raise StatementRefused(outcome)
