"""Close a log host, found the one that goes on, and say what guardians and trust files have to say about it.

The successor has a name, a log key, a head key and a contract entry of its own; registrar and parties keep
theirs. Each genesis there names the last head of the log that it goes on for. Devices are enrolled anew: a
statement is valid in one log only. Whose word counts is the relying party's: its trust file closes the old
logs and names their successors, and only then does anything here matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import (
    CLOSED,
    SUCCEEDS,
    admit_again,
    found_deployment,
    is_founded,
    key_folder,
    read_identity,
)
from carbonseal_api.key_files import PASSPHRASE_FILE, write_private
from carbonseal_api.problems import PartMissing, RequestInvalid
from carbonseal_api.settings import Settings
from carbonseal_api.succession.plan import SuccessionPlan, make_plan, read_plan, write_plan
from carbonseal_attest.instants import Clock
from carbonseal_attest.trust import ClosedLog
from carbonseal_ledger.database import open_database

_REGISTRAR: Final = "registrar"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A successor that was founded: who was admitted again, and whose key lies elsewhere."""

    log_host_name: str
    admitted: Sequence[str]
    to_invite: Sequence[str]


def plan_of(settings: Settings, clock: Clock) -> SuccessionPlan:
    """Return the plan of the deployment of `settings`, whether it may still run or not."""
    identity = read_identity(settings)
    facts = identity.chain_facts()
    engine = open_database(settings.database_url, settings.data_folder / "pg")
    try:
        return make_plan(
            engine,
            log_host_name=identity.log_host_name,
            registrar=identity.registrar,
            chain=None if facts is None else (facts.chain_id, facts.contract),
            now=clock(),
        )
    finally:
        engine.dispose()


def close(settings: Settings, plan: SuccessionPlan) -> None:
    """Have the deployment of `settings` refuse to open from now on.

    Raises:
        RequestInvalid: the plan is another log host's.
    """
    if read_identity(settings).log_host_name != plan.log_host_name:
        raise RequestInvalid("--data", f"is not {plan.log_host_name}", "close the log host of the plan")
    write_private(settings.data_folder / CLOSED, write_plan(plan))


def found_successor(settings: Settings, plan: SuccessionPlan, keys: Path, clock: Clock) -> Succeeded:
    """Found the deployment of `settings` as the successor of a plan's log host; broken off, it goes on again.

    `keys` is the key folder of the old one: the registrar's and the parties' keys are taken over, those of
    the old log host never.

    Raises:
        RequestInvalid: the name is the old one's, or another deployment is here.
        PartMissing: the registrar's key is not in `keys`, or is another registrar's.
    """
    successors = plan.successors(settings.log_host_name)
    mine = settings.data_folder / SUCCEEDS
    if is_founded(settings) and not mine.exists():
        raise RequestInvalid("--data", "holds another deployment", "name a new data folder")
    _take_keys(settings, plan, keys)
    write_private(mine, write_plan(plan))
    parts: Parts = found_deployment(settings, clock)
    try:
        if parts.registrar != plan.registrar:
            raise PartMissing("registrar.key", "is another registrar's", "take the key folder of the plan's")
        admitted: list[str] = []
        elsewhere: list[str] = []
        for party in plan.parties:
            if f"{settings.log_host_name}/{party.code}/data" not in successors or "registrar" in party.roles:
                continue  # the registrar is founded already
            if "log_host" in party.roles:
                continue  # the old log host
            (admitted if admit_again(parts, party) else elsewhere).append(party.code)
    finally:
        parts.close()
    return Succeeded(settings.log_host_name, admitted, elsewhere)


def closed_logs(settings: Settings) -> list[ClosedLog]:
    """What a trust file says about the logs that the deployment of `settings` goes on for.

    Raises:
        PartMissing: it goes on for nobody.
    """
    mine = settings.data_folder / SUCCEEDS
    if not mine.exists():
        raise PartMissing(SUCCEEDS, "is not in the data folder", "name the data folder of a successor")
    plan, name = read_plan(mine), read_identity(settings).log_host_name
    engine = open_database(settings.database_url, settings.data_folder / "pg")
    try:
        with engine.connect() as connection:
            here = set(connection.exec_driver_sql("SELECT origin FROM ledger_logs").scalars())
    finally:
        engine.dispose()
    return [
        ClosedLog(head.origin, head.tree_size, head.root_hash, origin if origin in here else None)
        for origin, head in plan.successors(name).items()
    ]


def _take_keys(settings: Settings, plan: SuccessionPlan, keys: Path) -> None:
    target = settings.data_folder / "keys"
    if (target / f"{_REGISTRAR}.key").exists():
        return
    if not (keys / f"{_REGISTRAR}.key").is_file():
        raise PartMissing(f"{_REGISTRAR}.key", f"is not in {keys}", "name the key folder of the old log host")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = [_REGISTRAR, *(party.code for party in plan.parties if party.code != plan.registrar)]
    if (keys / PASSPHRASE_FILE).is_file():
        write_private(target / PASSPHRASE_FILE, (keys / PASSPHRASE_FILE).read_bytes())
    # The registrar's last: while it is missing here, taking over is not finished.
    for name in reversed(names):
        if (keys / f"{name}.key").is_file():
            write_private(target / f"{name}.key", (keys / f"{name}.key").read_bytes())
    key_folder(settings).signer(_REGISTRAR)
