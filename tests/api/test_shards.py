"""Two shards, each a log host on a PostgreSQL server of its own, under one registrar."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from carbonseal_api.app import create_app
from carbonseal_api.assembly import Parts
from carbonseal_api.deployment import (
    AdmittedParty,
    admit_enterprise,
    desk_of,
    found_deployment,
    key_folder,
    open_deployment,
    read_identity,
)
from carbonseal_api.settings import Settings, load_settings
from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.database import embedded_pid, open_database, stop_embedded
from carbonseal_ledger.errors import RollbackDetected


@dataclass
class Shard:
    """A shard with one enterprise."""

    settings: Settings
    parts: Parts
    party: AdmittedParty
    client: TestClient

    def ready(self) -> int:
        self.parts.health.forget()
        return int(self.client.get("/ready").status_code)

    def enrol(self, device: str) -> int:
        """Register one statement in the party's register log; returns the log's size."""
        desk = desk_of(self.parts, self.party.party, key_folder(self.settings).signer(self.party.party))
        name = {"zh": "网关", "en": "gateway"}
        body = enrolment(self.party.party, device, Ed25519Signer.generate(), name=name, subjects=["m-one"])
        desk.issue(self.party.register_origin, "device", body, subject=device)
        return self.parts.host.head(self.party.register_origin).tree_size


def found(folder: Path, name: str, *, registrar: Path | None = None) -> Shard:
    settings = load_settings({}, data_folder=folder, log_host_name=name, database_connections=8)
    (folder / "keys").mkdir(mode=0o700, parents=True)
    if registrar is not None:
        for file in ("registrar.key", "passphrase"):
            shutil.copy2(registrar / "keys" / file, folder / "keys" / file)
    parts = found_deployment(settings)
    party = admit_enterprise(parts, {"zh": "示范厂", "en": f"Works on {name}"})
    parts.host.build_epoch()
    return Shard(settings, parts, party, TestClient(create_app(parts), raise_server_exceptions=False))


@pytest.fixture(scope="module")
def shards() -> Iterator[tuple[Shard, Shard]]:
    # PostgreSQL's sockets need short paths.
    folders = [Path(tempfile.gettempdir(), f"cs-shard{number}-{os.getpid()}") for number in (1, 2)]
    made: list[Shard] = []
    try:
        made.append(found(folders[0], "log1.example"))
        made.append(found(folders[1], "log2.example", registrar=folders[0]))
        yield made[0], made[1]
    finally:
        for shard in made:
            shard.parts.close()
        for folder in folders:
            stop_embedded(folder / "pg")
            shutil.rmtree(folder, ignore_errors=True)


def test_shards_have_one_registrar_and_otherwise_nothing_in_common(shards: Any) -> None:
    one, two = shards
    first, second = read_identity(one.settings), read_identity(two.settings)
    assert (first.registrar, first.registrar_key) == (second.registrar, second.registrar_key)
    assert first.log_key != second.log_key
    assert embedded_pid(one.settings.data_folder / "pg") != embedded_pid(two.settings.data_folder / "pg")
    origins = [{log.origin for log in shard.parts.host.logs()} for shard in shards]
    assert not origins[0] & origins[1]
    for shard, name in ((one, "log1.example"), (two, "log2.example")):
        assert {log.origin.split("/")[0] for log in shard.parts.host.logs()} == {name}
        assert f"{name}/{first.registrar}/register" in {log.origin for log in shard.parts.host.logs()}
        assert shard.parts.host.epochs()[-1].origins >= 4  # an epoch, and so an anchor, of its own


def test_each_shards_heads_are_signed_by_its_own_log_key(shards: Any) -> None:
    for shard, other in (shards, shards[::-1]):
        note = shard.parts.host.checkpoint(shard.party.data_origin)
        own, foreign = (PublicKey.from_text(read_identity(one.settings).log_key) for one in (shard, other))
        assert open_checkpoint(note, origin=shard.party.data_origin, key=own).tree_size >= 1
        with pytest.raises(CarbonsealError):
            open_checkpoint(note, origin=shard.party.data_origin, key=foreign)


def test_log_of_another_shard_is_unknown_and_its_party_is_a_stranger(shards: Any) -> None:
    one, two = shards
    answer = two.client.get(f"/logs/{one.party.data_origin}/checkpoint")
    assert (answer.status_code, answer.json()["code"]) == (404, "log-unknown")
    headers = {"Authorization": f"Bearer {one.party.api_key}"}
    assert two.client.get(f"/organisations/{one.party.party}", headers=headers).status_code == 401


@pytest.mark.parametrize(("folder", "database"), [(0, 1), pytest.param(1, 0, marks=pytest.mark.long)])
def test_folder_refuses_the_database_of_another_shard(shards: Any, folder: int, database: int) -> None:
    url = shards[database].parts.engine.url.render_as_string(hide_password=False)
    mixed = shards[folder].settings.model_copy(update={"database_url": url.replace("+psycopg2", "")})
    with pytest.raises(RollbackDetected, match="point the ledger at the right one"):
        open_deployment(mixed)
    assert shards[folder].ready() == 200  # and nothing was changed by the attempt
    assert shards[database].ready() == 200


def becomes(shard: Any, status: int) -> bool:
    """Whether a shard comes to say so: what each part said is a few seconds old. Patience, no measurement."""
    for _ in range(300):
        if shard.ready() == status:
            return True
        time.sleep(0.1)
    return False


def test_shard_whose_database_is_killed_leaves_the_other_at_work_and_comes_back(shards: Any) -> None:
    one, two = shards
    size = two.enrol("g-before")
    folder = two.settings.data_folder / "pg"
    pid = embedded_pid(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert becomes(two, 503)
    assert two.client.get("/health").status_code == 200
    assert one.ready() == 200
    grown = one.enrol("g-meanwhile")
    assert one.enrol("g-meanwhile2") > grown
    open_database(None, folder).dispose()  # as `carbonseal up` and PostgreSQL's own unit do
    two.parts.engine.dispose()
    assert becomes(two, 200)
    assert two.enrol("g-after") > size
