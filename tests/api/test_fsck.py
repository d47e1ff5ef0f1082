"""`carbonseal fsck` over a deployment: the service's own tables, documents, projections; its command."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

import carbonseal_api
from carbonseal_api.audit.covers import PAGE, all_covers, page
from carbonseal_api.audit.service import audit_deployment
from carbonseal_api.cli import main
from carbonseal_api.database import API, Base
from carbonseal_api.deployment import admit_enterprise, found_deployment, open_deployment
from carbonseal_api.impacts.service import travel
from carbonseal_api.settings import Settings, load_settings

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
import byte_flips

ONE_BY_ONE = 40 if os.environ.get("CARBONSEAL_LONG") == "1" else 4


@pytest.fixture(scope="module")
def founded(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE fsck"))
    server.dispose()
    url = make_url(database_url).set(database="fsck", drivername="postgresql")
    settings = load_settings(
        {},
        data_folder=tmp_path_factory.mktemp("fsck"),
        database_url=url.render_as_string(hide_password=False),
    )
    parts = found_deployment(settings)
    admit_enterprise(parts, {"zh": "甲厂", "en": "Works A"}, roles=("enterprise",))
    parts.host.build_epoch()
    parts.projections.refresh()
    with parts.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO api_documents (digest, party, name, media_type, stored_at, data)"
                " VALUES (sha256('bytes'), 'e-a', 'a.pdf', 'application/pdf', 1, 'bytes')"
            )
        )
    byte_flips.fill(parts.engine, [API])
    parts.close()
    return settings


def places(settings: Settings, **options: Any) -> list[str]:
    found = audit_deployment(settings, limit=1_000, **options)
    return [damage.where for damage in found.report.damages]


def run(settings: Settings, statement: str) -> None:
    engine = create_engine(make_url(settings.database_url or "").set(drivername="postgresql+psycopg2"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_every_column_of_the_services_models_has_its_cover() -> None:
    """A new column needs a line in api/carbonseal_api/coverage.toml: by what is a change found?"""
    for module in pkgutil.walk_packages(carbonseal_api.__path__, "carbonseal_api."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    models = {name: list(table.columns.keys()) for name, table in Base.metadata.tables.items()}
    assert API.differences(models) == []
    assert API.tables.keys() - models.keys() == {"api_alembic_version"}


def test_page_of_the_covers_is_as_the_code_makes_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `python -m carbonseal_api.audit.covers`"
    assert len({(one.table, one.column) for one in all_covers()}) == len(all_covers())


def test_deployment_whose_worker_looked_for_causes_is_sound_and_a_place_beyond_is_named(
    founded: Settings,
) -> None:
    parts = open_deployment(founded)
    parts.projections.refresh()
    travel(parts, parts.clock())
    parts.close()
    assert places(founded) == []
    run(founded, "UPDATE projection_settled SET next_index = next_index + 1000000")
    try:
        assert {place.split()[0] for place in places(founded)} == {"projection_settled"}
    finally:
        run(founded, "UPDATE projection_settled SET next_index = next_index - 1000000")


def test_sound_deployment_passes_and_says_what_was_covered(founded: Settings) -> None:
    found = audit_deployment(founded, limit=10)
    assert found.report.damages == []
    assert found.not_audited == []
    assert (found.documents, found.report.epochs) == (1, 1)
    assert found.projections > 50


@pytest.mark.parametrize(
    ("damage", "back", "where"),
    [
        (
            "UPDATE api_documents SET data = 'bytez'",
            "UPDATE api_documents SET data = 'bytes'",
            ["api_documents digest="],
        ),
        (
            "UPDATE api_keys SET roles = '{operator}' WHERE roles <> '{operator}'",
            "UPDATE api_keys SET roles = '{enterprise}' WHERE label <> 'made on first start'",
            ["api_keys key_id="],
        ),
        (
            "UPDATE projection_parties SET status = 'admittee' WHERE org IS NULL",
            "UPDATE projection_parties SET status = 'admitted' WHERE org IS NULL",
            ["projection_parties party="],
        ),
        (
            "UPDATE ledger_alembic_version SET version_num = '0' || version_num",
            "UPDATE ledger_alembic_version SET version_num = substr(version_num, 2)",
            [],
        ),
    ],
)
def test_finds_what_was_changed_at_the_databases_console(
    founded: Settings, damage: str, back: str, where: list[str]
) -> None:
    run(founded, damage)
    try:
        if not where:  # a version that no program knows: nothing can be opened any more
            with pytest.raises(Exception, match="00"):
                places(founded)
            return
        found = places(founded)
        assert [one for one in where if not any(place.startswith(one) for place in found)] == []
    finally:
        run(founded, back)
    assert places(founded) == []


def test_finds_a_flipped_byte_in_columns_drawn_at_random(founded: Settings) -> None:
    from carbonseal_api.deployment import database_of

    engine, rng = database_of(founded), random.Random(9)
    with engine.connect() as connection:
        stock = byte_flips.Stock(connection, [API], None)
        drawn = stock.draw(rng, ONE_BY_ONE, by_column=True)
    for place in (one for one in drawn if one.file is None):
        flipped, moved = byte_flips.flip_all(engine, [API], [place])
        if not flipped:
            continue
        found = places(founded, with_projections=False)
        assert any(where.startswith(f"{place.table} ") for where in found), str(place)
        now = moved.get((place.table, *place.key.values()), place.key)
        byte_flips.flip_all(engine, [API], [byte_flips.replace(place, key=now)])
    engine.dispose()
    assert places(founded, with_projections=False) == []


def test_command_names_the_place_draws_projections_again_and_ends_with_its_code(
    founded: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", founded.database_url or "")
    data = ["--data", str(founded.data_folder)]
    assert main(["fsck", *data]) == 0
    assert capsys.readouterr().out.endswith("sound\n")
    run(founded, "DELETE FROM projection_parties WHERE org IS NULL")
    assert main(["fsck", *data, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert not answer["sound"]
    assert {one["where"].split()[0] for one in answer["damages"]} == {"projection_parties"}
    url = make_url(founded.database_url or "").set(drivername="postgresql+psycopg2")
    with create_engine(url).connect() as connection:
        query = text("SELECT runs, failures, succeeded_at IS NOT NULL FROM api_job_runs WHERE name = 'fsck'")
        assert connection.execute(query).one() == (2, 1, True)  # what `/metrics` tells of its age
    assert main(["fsck", *data, "--no-projections", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_audited"] == ["projections: not asked for"]
    assert main(["fsck", *data, "--draw-projections"]) == 0
    assert main(["fsck", "--covers", "--json"]) == 0
    capsys.readouterr()
    assert main(["fsck", "--data", str(founded.data_folder / "nothing")]) == 2
    with pytest.raises(SystemExit) as caught:
        main(["fsck", "--limit", "0"])
    assert caught.value.code == 2


def test_audits_the_rest_where_the_ledger_refuses_to_start(founded: Settings) -> None:
    """A published checkpoint of nobody stops the ledger; the audit names it all the same."""
    stray = founded.published / "log.other.example/e-lost/data"
    stray.mkdir(parents=True)
    (stray / "checkpoint").write_text("x")
    try:
        found = audit_deployment(founded, limit=10)
        assert [damage.where for damage in found.report.damages] == ["log.other.example/e-lost/data"]
        assert len(found.not_audited) == 1
        assert found.not_audited[0].startswith("projections: the ledger does not start")
    finally:
        (stray / "checkpoint").unlink()
