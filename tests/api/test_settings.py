"""Settings, key files and the supervisor: what is refused, and that nothing is left running."""

from __future__ import annotations

import re
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from carbonseal_api.app import create_app
from carbonseal_api.cli import main
from carbonseal_api.deployment import found_deployment, open_deployment
from carbonseal_api.key_files import KeyFolder
from carbonseal_api.problems import PartMissing, SettingsInvalid
from carbonseal_api.published_place import open_published
from carbonseal_api.settings import OTHERS, load_settings
from carbonseal_api.supervision import Program, Supervisor
from carbonseal_attest.errors import KeyRefused
from s3_stand_in import fresh_bucket

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"CARBONSEAL_PROT": "1"}, "prot"),
        ({"CARBONSEAL_PORT": "high"}, "port"),
        ({"CARBONSEAL_PORT": "70000"}, "port"),
        ({"CARBONSEAL_EPOCH_SECONDS": "0"}, "epoch_seconds"),
    ],
)
def test_rejects_unknown_or_senseless_environment(
    environment: dict[str, str], place: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsInvalid, match=place):
        load_settings(environment | {"CARBONSEAL_DATA_FOLDER": str(tmp_path)})


def test_what_the_how_to_pages_export_for_programs_is_no_setting(tmp_path: Path) -> None:
    pages = (Path(__file__).parents[2] / "docs" / "how-to").glob("*.*")
    named = {name for page in pages for name in re.findall(r"CARBONSEAL_[A-Z_]+", page.read_text("utf-8"))}
    exported = named & OTHERS
    assert {"CARBONSEAL_TRUST", "CARBONSEAL_SERVICE", "CARBONSEAL_CLIENT_ID"} <= exported
    load_settings(dict.fromkeys(exported, "x"), data_folder=tmp_path)


def test_rejects_unknown_key_and_broken_toml_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "carbonseal.toml").write_text("speed = 9\n")
    with pytest.raises(SettingsInvalid, match="speed: is not a setting"):
        load_settings({}, data_folder=tmp_path)
    (tmp_path / "carbonseal.toml").write_text("port = \n")
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_settings({}, data_folder=tmp_path)


def test_arguments_win_over_environment_and_environment_over_file(tmp_path: Path) -> None:
    (tmp_path / "carbonseal.toml").write_text("port = 1001\nepoch_seconds = 60\nmax_batch_items = 7\n")
    environment = {"CARBONSEAL_PORT": "1002", "CARBONSEAL_EPOCH_SECONDS": "61"}
    settings = load_settings(environment, data_folder=tmp_path, port=1003)
    assert (settings.port, settings.epoch_seconds, settings.max_batch_items) == (1003, 61, 7)


def test_refuses_entry_bundles_in_public_places_and_two_places_for_one_copy(tmp_path: Path) -> None:
    for environment, place in (
        ({"ENTRIES_FOLDER": str(tmp_path / "published" / "entries")}, "entries_folder"),
        ({"ENTRIES_FOLDER": str(tmp_path / "other" / ".." / "published")}, "entries_folder"),
        ({"PUBLISHED_FOLDER": str(tmp_path), "PUBLISHED_BUCKET": "s3://b/c"}, "published_bucket"),
    ):
        named = {f"CARBONSEAL_{name}": value for name, value in environment.items()}
        with pytest.raises(SettingsInvalid, match=place):
            open_published(load_settings(named, data_folder=tmp_path))
    with pytest.raises(SettingsInvalid, match="published_bucket"):
        load_settings({"CARBONSEAL_PUBLISHED_BUCKET": "https://b/c"}, data_folder=tmp_path)


def test_opens_published_copy_and_entry_bundles_in_buckets(
    tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    bucket = fresh_bucket(s3)
    values = {
        "published_bucket": f"s3://{bucket}/public",
        "s3_endpoint": s3.meta.endpoint_url,
        "s3_region": "us-east-1",
    }
    kept = load_settings({}, data_folder=tmp_path, entries_bucket=f"s3://{bucket}/private", **values)
    assert open_published(kept).with_entry_bundles
    inside = load_settings({}, data_folder=tmp_path, entries_bucket=f"s3://{bucket}/public/x", **values)
    with pytest.raises(SettingsInvalid, match="entries_bucket"):
        open_published(inside)
    plain = open_published(load_settings({}, data_folder=tmp_path, **values))
    assert (str(plain.store), plain.with_entry_bundles) == (f"s3://{bucket}/public/", False)
    assert not (tmp_path / "published").exists()


def test_passphrase_does_not_show_when_settings_are_printed() -> None:
    assert "hush" not in repr(load_settings({"CARBONSEAL_PASSPHRASE": "hush"}))


def test_key_file_opens_with_its_passphrase_alone_and_is_private(tmp_path: Path) -> None:
    made = KeyFolder(tmp_path / "keys", SecretStr("right")).make("log")
    assert KeyFolder(tmp_path / "keys", SecretStr("right")).signer("log").public == made.public
    with pytest.raises(KeyRefused, match=r"keys/log\.key.*does not open.*CARBONSEAL_PASSPHRASE is set"):
        KeyFolder(tmp_path / "keys", SecretStr("wrong")).signer("log")
    assert stat.S_IMODE((tmp_path / "keys" / "log.key").stat().st_mode) == 0o600
    assert made.seed not in (tmp_path / "keys" / "log.key").read_bytes()


def test_names_the_key_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PartMissing, match=r"keys/log\.key: is not there"):
        KeyFolder(tmp_path, SecretStr("x")).signer("log")


def test_supervisor_brings_back_what_was_killed_and_ends_it_at_last(tmp_path: Path) -> None:
    supervisor, ended, restarted = Supervisor(tmp_path), threading.Event(), threading.Event()
    first = supervisor.start(Program("sleeper", SLEEPER))
    watcher = threading.Thread(target=supervisor.watch, args=(ended,), kwargs={"on_restart": restarted.set})
    watcher.start()
    psutil.Process(first).kill()
    assert restarted.wait(20)
    second = supervisor.pid("sleeper")
    assert second != first
    ended.set()
    watcher.join(20)
    supervisor.stop()
    assert not psutil.pid_exists(second)


def test_supervisor_says_what_a_program_said_before_it_died(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    dying = [sys.executable, "-c", "import sys; sys.exit('no such database')"]
    with pytest.raises(PartMissing, match="no such database"):
        supervisor.start(Program("dying", dying, lambda: False))
    with pytest.raises(PartMissing, match="make setup"):
        supervisor.start(Program("absent", ["/nowhere/program"]))
    supervisor.stop()


def test_command_refuses_with_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admit = ["admit", "--data", str(tmp_path), "--name-zh", "厂", "--name-en", "Works"]
    assert main(admit) == 2
    assert capsys.readouterr().err == "data_folder: holds no deployment; run `carbonseal up` there once\n"
    assert main([*admit, "--org", "1" * 18]) == 2
    assert "credit code" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["up", "--help"], ["admit", "--help"], ["worker", "--help"]]
)
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    assert "carbonseal" in capsys.readouterr().out


def test_a_deployment_over_a_bucket_serves_what_it_published_and_opens_again(
    tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    bucket = fresh_bucket(s3)
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE over_a_bucket"))
    server.dispose()
    url = make_url(database_url).set(database="over_a_bucket", drivername="postgresql")
    settings = load_settings(
        {},
        data_folder=tmp_path,
        database_url=url.render_as_string(hide_password=False),
        published_bucket=f"s3://{bucket}/logs",
        s3_endpoint=s3.meta.endpoint_url,
        s3_region="us-east-1",
    )
    parts = found_deployment(settings)
    parts.host.build_epoch()
    parts.close()
    parts = open_deployment(settings)
    with TestClient(create_app(parts)) as client:
        for log in parts.host.logs():
            note = client.get(f"/logs/{log.origin}/checkpoint").content
            stored = s3.get_object(Bucket=bucket, Key=f"logs/{log.origin}/checkpoint")
            assert stored["Body"].read() == note
            tile = client.get(f"/logs/{log.origin}/tile/0/000.p/{log.tree_size}")
            assert len(tile.content) == 32 * log.tree_size
    parts.close()
