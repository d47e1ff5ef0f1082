"""What a backup holds, how it is taken from a working deployment, and when a restored one may run.

A folder: `base` and `wal` (`physical_backup`), identity.json, and last of all backup.json, so that a backup
without it was never finished. Keys are not in it, nor the published copy: that is the second failure domain,
and a backup that brought both back would agree with itself whatever was lost. So a restored database meets
the copy, the witnesses and the contract as they are today, and goes on only where none of them knows more.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from carbonseal_api.deployment import IDENTITY, database_of, open_deployment, read_identity
from carbonseal_api.operation.job_runs import JobBook
from carbonseal_api.problems import PartMissing, RequestInvalid
from carbonseal_api.settings import Settings
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.instants import Clock
from carbonseal_ledger.database import open_database, stop_embedded
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import BackupRefused
from carbonseal_ledger.physical_backup import Progress, restore_cluster, take_base_backup

FORMAT: Final = "carbonseal-backup/1"
MANIFEST: Final = "backup.json"
DATABASE: Final = "pg"


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a restore: heads (origin → tree size), and why the logs may not go on, if so."""

    heads: Mapping[str, int]
    refusal: CarbonsealError | None


def new_backup_folder(folder: Path) -> None:
    """Make the folder of a backup; only its owner may look in, for the database holds what is secret.

    Raises:
        RequestInvalid: it is there already, with something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestInvalid("--to", f"{folder} is not empty", "name a new folder for each backup")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def back_up(settings: Settings, folder: Path, clock: Clock, progress: Progress) -> dict[str, Any]:
    """Back up the running deployment of `settings` into `folder`; returns what backup.json says.

    Raises:
        BackupRefused: the database is another server's, does not run, or the copy is damaged.
        PartMissing: the data folder holds no deployment.
    """
    identity = read_identity(settings)
    if settings.database_url is not None:
        raise BackupRefused(
            "DATABASE_URL",
            "names a server that this command does not own",
            "back it up by its own continuous archiving; see the runbook",
        )
    heads = _heads(settings)  # read first: what is copied afterwards holds at least these
    engine = database_of(settings)
    try:
        with JobBook(engine, clock).run("backup"):  # its age is a metric, and an alert
            take_base_backup(settings.data_folder / DATABASE, folder, progress)
    finally:
        engine.dispose()
    shutil.copyfile(settings.data_folder / IDENTITY, folder / IDENTITY)
    told = {
        "format": FORMAT,
        "made_at": clock(),
        "log_host_name": identity.log_host_name,
        "heads": heads,
    }
    (folder / MANIFEST).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return told


def restore(settings: Settings, folder: Path, progress: Progress) -> Restored:
    """Restore a backup into the data folder of `settings`, and say whether its logs go on.

    The keys, and the published copy where it survived, must be there already. A refusal leaves the restored
    database where it is: nothing runs on it before the cause is gone.

    Raises:
        BackupRefused: the backup is unfinished, damaged, of another log host, or a database is there.
        PartMissing: the key folder is not there.
    """
    told = _read_manifest(folder)
    if settings.database_url is not None:
        raise BackupRefused("DATABASE_URL", "is set", "unset it; a server of yours is restored its own way")
    if told["log_host_name"] != settings.log_host_name:
        raise BackupRefused(
            MANIFEST, f"is of {told['log_host_name']}, not {settings.log_host_name}", "set log_host_name"
        )
    if not (settings.data_folder / "keys").is_dir():
        raise PartMissing(
            "keys", "are not in the data folder", "put the key folder back first; it lies apart"
        )
    restore_cluster(folder, settings.data_folder / DATABASE, progress)
    identity = settings.data_folder / IDENTITY
    if not identity.exists():
        shutil.copyfile(folder / IDENTITY, identity)
    try:
        return _judge(settings, told["heads"], progress)
    finally:
        stop_embedded(settings.data_folder / DATABASE)


def _judge(settings: Settings, backed_up: Mapping[str, int], progress: Progress) -> Restored:
    progress("replaying what was written after the copy")
    heads = _heads(settings)
    for origin, size in backed_up.items():
        if heads.get(origin, 0) < size:
            raise BackupRefused(
                origin, f"came back with {heads.get(origin, 0)} of {size} entries", "take another"
            )
    progress("comparing with the published copy and with outsiders")
    try:
        open_deployment(settings).close()
    except CarbonsealError as refusal:
        return Restored(heads, refusal)
    return Restored(heads, None)


def _heads(settings: Settings) -> dict[str, int]:
    engine = open_database(None, settings.data_folder / DATABASE)
    try:
        return {head.origin: head.size for head in EntryReader(engine).stored_heads()}
    finally:
        engine.dispose()


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        is_known = told["format"] == FORMAT and all(type(n) is int for n in told["heads"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupRefused(MANIFEST, "is missing or damaged", "name a backup that was finished") from error
    if not is_known:
        raise BackupRefused(MANIFEST, f"is not {FORMAT}", "restore it with the version that made it")
    return dict(told)
