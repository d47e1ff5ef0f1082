"""`carbonseal backup` and `restore`: the same logs go on, or nothing runs, whatever was lost in between."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from carbonseal_api.assembly import Parts, system_clock
from carbonseal_api.backups.service import MANIFEST, back_up, new_backup_folder, restore
from carbonseal_api.cli import main
from carbonseal_api.deployment import admit_enterprise, desk_of, found_deployment, key_folder, open_deployment
from carbonseal_api.problems import PartMissing, RequestInvalid
from carbonseal_api.settings import Settings, load_settings
from carbonseal_attest.merkle import verify_consistency
from carbonseal_ledger.database import embedded_pid, stop_embedded
from carbonseal_ledger.errors import BackupRefused, RollbackDetected
from carbonseal_ledger.physical_backup import receiving_wal, take_base_backup

_numbers = count()


def quiet(_: str) -> None:
    return


@dataclass
class House:
    """A deployment on a machine of its own: database, keys, published copy on another disk."""

    settings: Settings
    parts: Parts
    party: str
    origin: str

    def issue(self, parts: Parts | None = None) -> bytes:
        parts = parts or self.parts
        desk = desk_of(parts, self.party, key_folder(self.settings).signer(self.party))
        body = {
            "title": "bill", "media_type": "text/plain", "size": 1, "relates_to": [],
            "document_digest": hashlib.sha256(str(next(_numbers)).encode()).digest(),
        }  # fmt: skip
        return desk.issue(self.origin, "document", body, subject=self.party).digest

    def lose(self) -> None:
        """The machine's disk is gone, with the database on it; keys and published copy lie elsewhere."""
        with contextlib.suppress(Exception):
            self.parts.close()
        pid = embedded_pid(self.settings.data_folder / "pg")
        if pid is not None:
            postmaster = psutil.Process(pid)
            family = [postmaster, *postmaster.children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(family, 20)
        shutil.rmtree(self.settings.data_folder / "pg", ignore_errors=True)
        (self.settings.data_folder / "identity.json").unlink(missing_ok=True)


@contextlib.contextmanager
def founded() -> Iterator[House]:
    root = Path(tempfile.gettempdir(), f"cs-bk-{os.getpid()}-{next(_numbers)}")
    settings = load_settings({}, data_folder=root / "d", published_folder=root / "other-disk")
    parts = found_deployment(settings)
    admitted = admit_enterprise(parts, {"zh": "示范厂", "en": "Example Works"})
    house = House(settings, parts, admitted.party, admitted.data_origin)
    try:
        house.issue()
        yield house
    finally:
        with contextlib.suppress(Exception):
            house.parts.close()
        stop_embedded(root / "d" / "pg")
        shutil.rmtree(root, ignore_errors=True)


def backed_up(house: House, name: str = "b") -> Path:
    folder = house.settings.data_folder.parent / name
    new_backup_folder(folder)
    back_up(house.settings, folder, system_clock, quiet)
    return folder


@contextlib.contextmanager
def load(house: House) -> Iterator[list[bytes]]:
    """Statements registered one after another while the block runs, and some after it has begun to end."""
    done: list[bytes] = []
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            done.append(house.issue())
        done.extend(house.issue() for _ in range(5))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield done
    finally:
        ended.set()
        worker.join()


def received_all(house: House) -> None:
    """Waits until the receiver has what the database has written."""
    asked = text(
        "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'pg_receivewal'"
        " AND flush_lsn >= pg_current_wal_flush_lsn()"
    )
    for _ in range(600):  # patience, not a measurement
        with house.parts.engine.connect() as connection:
            if connection.execute(asked).scalar():
                return
        time.sleep(0.1)
    pytest.fail("the receiver is behind for ever")


@pytest.fixture(scope="module")
def lost() -> Iterator[tuple[House, Path]]:
    """A house that was lost with its disk, and a backup that was taken before the last receipts."""
    with founded() as house:
        with load(house):
            folder = backed_up(house)
        house.lose()
        yield house, folder


@pytest.fixture
def taken_back(lost: tuple[House, Path]) -> Iterator[tuple[House, Path]]:
    yield lost
    lost[0].lose()


def test_backup_taken_under_load_and_followed_continues_the_same_log() -> None:
    with founded() as house:
        check_continuation(house)


def check_continuation(house: House) -> None:
    folder = house.settings.data_folder.parent / "b"
    new_backup_folder(folder)
    with receiving_wal(house.settings.data_folder / "pg", folder):
        with load(house) as receipted:
            back_up(house.settings, folder, system_clock, quiet)
        received_all(house)
        before = house.parts.host.head(house.origin)
        house.lose()
    restored = restore(house.settings, folder, quiet)
    assert restored.refusal is None
    assert restored.heads[house.origin] == before.tree_size
    again = open_deployment(house.settings)
    try:
        entries = again.host.entries(house.origin, 0, before.tree_size)
        assert set(receipted) <= {entry.digest for entry in entries}
        house.issue(again)
        after = again.host.head(house.origin)
        path = again.host.consistency_path(house.origin, before.tree_size, after.tree_size)
        verify_consistency(before.tree_size, after.tree_size, before.root_hash, after.root_hash, path)
    finally:
        again.close()


def test_backup_older_than_what_was_receipted_is_restored_and_refused(
    taken_back: tuple[House, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, folder = taken_back
    monkeypatch.setenv("CARBONSEAL_PUBLISHED_FOLDER", str(house.settings.published))
    assert main(["restore", "--from", str(folder), "--data", str(house.settings.data_folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["goes_on"], told["problem"]["code"]) == (False, RollbackDetected.code)
    assert told["problem"]["field"] == "database"
    with pytest.raises(RollbackDetected):
        open_deployment(house.settings)
    with pytest.raises(BackupRefused, match="holds a database"):
        restore(house.settings, folder, quiet)


def test_restore_without_the_published_copy_waits_for_two_persons(taken_back: tuple[House, Path]) -> None:
    house, folder = taken_back
    away = house.settings.published.with_name("away")
    house.settings.published.rename(away)
    refusal = restore(house.settings, folder, quiet).refusal
    shutil.rmtree(house.settings.published, ignore_errors=True)
    away.rename(house.settings.published)
    assert isinstance(refusal, RollbackDetected)
    assert refusal.field == "published copy"
    assert "two persons" in refusal.remedy


def flip_a_bit(folder: Path) -> None:
    file = max((folder / "base" / "base").rglob("*"), key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def lose_a_file(folder: Path) -> None:
    (folder / "base" / "global" / "pg_control").unlink()


def add_a_file(folder: Path) -> None:
    (folder / "base" / "postgresql.conf.d").write_text("x", encoding="utf-8")


def leave_unfinished(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def name_another_host(folder: Path) -> None:
    told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(
        json.dumps(told | {"log_host_name": "log.other.example"}), encoding="utf-8"
    )


@pytest.mark.parametrize("damage", [flip_a_bit, lose_a_file, add_a_file, leave_unfinished, name_another_host])
def test_refuses_backup_that_is_damaged_unfinished_or_of_another_host(
    lost: tuple[House, Path], damage: Callable[[Path], None]
) -> None:
    house, whole = lost
    folder = whole.with_name("damaged")
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(BackupRefused):
        restore(house.settings, folder, quiet)
    assert not (house.settings.data_folder / "pg").exists()
    shutil.rmtree(folder)


def test_refuses_to_restore_where_the_keys_are_not(lost: tuple[House, Path]) -> None:
    house, folder = lost
    keys = house.settings.data_folder / "keys"
    keys.rename(keys.with_name("elsewhere"))
    with pytest.raises(PartMissing, match="keys"):
        restore(house.settings, folder, quiet)
    keys.with_name("elsewhere").rename(keys)


def test_refuses_to_back_up_what_is_not_its_own_does_not_run_or_into_a_used_folder(
    lost: tuple[House, Path], tmp_path: Path
) -> None:
    house, _ = lost
    used = tmp_path / "used"
    used.mkdir()
    (used / "file").touch()
    with pytest.raises(RequestInvalid, match="not empty"):
        new_backup_folder(used)
    with pytest.raises(BackupRefused, match="no embedded PostgreSQL"):
        take_base_backup(house.settings.data_folder / "pg", tmp_path / "x", quiet)
    with pytest.raises(PartMissing):
        back_up(house.settings, tmp_path, system_clock, quiet)
    shutil.copyfile(lost[1] / "identity.json", house.settings.data_folder / "identity.json")
    foreign = house.settings.model_copy(update={"database_url": "postgresql://localhost/x"})
    with pytest.raises(BackupRefused, match="DATABASE_URL"):
        back_up(foreign, tmp_path, system_clock, quiet)
