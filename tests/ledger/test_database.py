"""Opening PostgreSQL: embedded or by URL, migrated, and back after its server was killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import inspect, text

from carbonseal_ledger import (  # noqa: F401 - every table of the room
    anchoring_models,
    asset_models,
    database,
    reconciliation_models,
    witness_models,
)
from carbonseal_ledger.database import embedded_pid, open_database, stop_embedded
from carbonseal_ledger.errors import DatabaseUnusable
from carbonseal_ledger.models import Base


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="cs-db-"))
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_embedded_server_keeps_its_data_when_its_postmaster_is_killed(folder):
    engine = open_database(None, folder)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 42 AS answer"))
    os.kill(embedded_pid(folder), signal.SIGKILL)
    engine.dispose()
    again = open_database(None, folder)
    with again.connect() as connection:
        assert connection.scalar(text("SELECT answer FROM kept")) == 42
    again.dispose()


def test_embedded_server_starts_although_a_killed_start_left_a_half_written_pid_file(folder):
    open_database(None, folder).dispose()
    stop_embedded(folder)
    (folder / "postmaster.pid").write_text("4194000\n")
    engine = open_database(None, folder)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_embedded_server_starts_although_dead_owners_left_handles(folder):
    open_database(None, folder).dispose()
    stop_embedded(folder)
    assert embedded_pid(folder) is None
    (folder / ".handle_pids.json").write_text("[999999]")
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\n")
    engine = open_database(None, folder)
    assert embedded_pid(folder) not in {None, os.getpid()}
    engine.dispose()


def test_commits_are_synchronous(engine):
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_migrations_make_exactly_the_tables_of_the_models(engine):
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": False}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, Base.metadata)
    named = [
        d for d in differences if "ledger_alembic_version" not in str(d) and "row_checksum" not in str(d)
    ]
    assert named == []


@pytest.mark.parametrize("version", ["0002", "0001", "base"])
def test_going_back_is_refused_and_drops_nothing(engine, version):
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    tables = inspect(engine).get_table_names()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(CommandError, match="cannot be undone"):
            command.downgrade(config, version)
    assert inspect(engine).get_table_names() == tables


def test_processes_that_start_at_once_migrate_once(database_url, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(lambda _: open_database(database_url, tmp_path), range(4)))
    with engines[0].connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM ledger_alembic_version")) == 1
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("url", ["not a url", "sqlite:///x", "mysql://u@h/d"])
def test_refuses_what_is_no_postgresql_url(url, tmp_path):
    with pytest.raises(DatabaseUnusable, match=r"PostgreSQL|postgresql"):
        open_database(url, tmp_path)


def test_server_that_does_not_answer_is_named(tmp_path):
    with pytest.raises(DatabaseUnusable, match="database"):
        open_database(f"postgresql://nobody@/x?host={tmp_path}", tmp_path)
