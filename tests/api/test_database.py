"""The service's own tables: made by migrations exactly as the models say, and never dropped by going back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from carbonseal_api import database
from carbonseal_api.access_records import models as access_models
from carbonseal_api.accounts import models as account_models
from carbonseal_api.assets import models as asset_models
from carbonseal_api.database import VERSION_TABLE, Base, migrate
from carbonseal_api.operation import job_runs

OF_THE_ROOM = (
    access_models,
    account_models,
    asset_models,
    job_runs,
)  # loading them names every table to `Base`
UNDONE = r"cannot be undone|are kept"


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE own_tables"))
    server.dispose()
    made = create_engine(make_url(database_url).set(database="own_tables"))
    migrate(made)
    yield made
    made.dispose()


def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": False, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, Base.metadata)
    # Row checksums are PostgreSQL's own: no model reads or writes them.
    assert [one for one in differences if "row_checksum" not in str(one)] == []
    assert len(Base.metadata.tables) == len(inspect(engine).get_table_names()) - 1


@pytest.mark.parametrize("version", ["0003", "0002", "0001", "base"])
def test_going_back_is_refused_and_drops_nothing(engine: Engine, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    tables = inspect(engine).get_table_names()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(CommandError, match=UNDONE):
            command.downgrade(config, version)
    assert inspect(engine).get_table_names() == tables
