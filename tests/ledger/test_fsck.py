"""One flipped byte anywhere: the audit says what and where. Many at once hide none of each other."""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import re
from dataclasses import replace

import byte_flips
import pytest
from byte_flips import Place, Stock
from sqlalchemy import text

import carbonseal_ledger
from carbonseal_ledger.coverage import LEDGER, Cover, Coverage
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.models import Base
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.row_checksums import SETTING, checksummed, row_name, wrong_rows

IS_LONG = os.environ.get("CARBONSEAL_LONG") == "1"
AT_ONCE, ONE_BY_ONE = (1_000, 50) if IS_LONG else (100, 6)


def audit(world):
    entries = world.folder / "entries" if world.with_entry_bundles else None
    published = PublishedCopy(world.folder / "published", entries=entries)
    return LogAudit(world.engine, published, world.log_key.public, limit=1_000_000).run()


@pytest.fixture
def filled_world(copied_world, full_world):
    """A world with something in every table: what the log does not need is made up."""
    world = copied_world
    if IS_LONG:  # so many entries that a thousand flips seldom meet in one
        world.start()
        world.main = replace(full_world.main)
        for _ in range(5):
            world.accept(*[world.readings(world.main) for _ in range(600)])
        world.host.build_epoch()
    first = world.host.select(world.data, kinds={"readings"})[0]
    world.host.contents.erase(first.raw[-98:-66], "order of a court")
    byte_flips.fill(world.engine, [LEDGER])
    report = audit(world)
    assert report.is_sound, report.first
    return world


def test_every_column_of_the_models_has_its_cover():
    """A new column needs a line in ledger/carbonseal_ledger/coverage.toml: by what is a change found?"""
    for module in pkgutil.iter_modules(carbonseal_ledger.__path__, "carbonseal_ledger."):
        if module.name.endswith("models"):
            importlib.import_module(module.name)
    models = {name: list(table.columns.keys()) for name, table in Base.metadata.tables.items()}
    assert LEDGER.differences(models) == []
    unknown = LEDGER.tables.keys() - models.keys() - {"ledger_alembic_version", "published"}
    assert unknown == set()


def test_refuses_an_exemption_without_a_reason(tmp_path):
    file = tmp_path / "coverage.toml"
    file.write_text('[a]\nb = "exempt"\n')
    with pytest.raises(ValueError, match="needs its reason"):
        Coverage.read(file)
    file.write_text('[a]\nb = "prayer"\n')
    with pytest.raises(ValueError, match="prayer"):
        Coverage.read(file)


class Finder:
    """Says which damages name a place; what rows are called is read before anything is flipped."""

    def __init__(self, world):
        self.folder = world.folder
        with world.engine.connect() as connection:
            self.origins = dict(connection.execute(text("SELECT id, origin FROM ledger_logs")).all())
            streams = connection.execute(text("SELECT id, log_id, stream FROM ledger_streams")).all()
            self.streams = {row.id: (self.origins[row.log_id], row.stream) for row in streams}
            subjects = text("SELECT subject_id, log_id, min(index) FROM ledger_entries GROUP BY 1, 2")
            self.subjects = {row[0]: (self.origins[row[1]], row[2]) for row in connection.execute(subjects)}
            users = text(
                "SELECT c.digest, e.log_id, e.index AS place FROM ledger_contents c JOIN ledger_entries e"
                " ON position(c.digest IN e.raw) > 0 AND e.stream_id IS NOT NULL"
            )
            self.users = {
                bytes(r.digest): (self.origins[r.log_id], r.place) for r in connection.execute(users)
            }

    def names(self, place: Place) -> list[str]:
        """What an audit may call a place, each a beginning of where or what it says."""
        key = place.key
        if place.file is not None:
            name = place.file.relative_to(self.folder).as_posix().split("/", 1)[1]
            origin, _, path = name.partition("/tile/")
            if not path:
                return [f"{origin.removesuffix('/checkpoint')} head", origin.removesuffix("/checkpoint")]
            names = [f"{origin} tile/{path}"]
            digits = re.fullmatch(r"0/((?:x\d{3}/)*\d{3})(?:\.p/\d+)?", path)
            if digits:
                index = int(digits[1].replace("x", "").replace("/", ""))
                names.append(f"{origin} entry {index * 256 + place.byte // 32}")
            return names
        if place.table == "ledger_entries" and place.cover is not Cover.ROW_CHECKSUM:
            return [f"{self.origins[key['log_id']]} entry {key['index']}"]
        if place.table == "ledger_logs" and place.cover is not Cover.ROW_CHECKSUM:
            return [f"{self.origins[key['id']]} {what}" for what in ("head", "log keys")]
        if place.table == "ledger_streams":
            origin, stream = self.streams[key["id"]]
            return [f"{origin} stream {stream}", f"{origin} stream", f"{origin} entry"]
        if place.table == "ledger_subjects":
            origin, first = self.subjects[key["id"]]
            return [f"{origin} entry {first}"]
        if place.table == "ledger_equivocations":
            return [f"{self.streams[key['stream_id']][0]} equivocations"]
        if place.table == "ledger_epochs":
            return [f"epoch {key['epoch']}"]
        if place.table == "ledger_epoch_heads":
            return [f"epoch {key['epoch']}"]
        if place.table == "ledger_contents" and place.cover is Cover.CONTENT_DIGEST:
            origin, index = self.users.get(bytes(key["digest"]), ("", 0))
            return [f"content {bytes(key['digest']).hex()}", f"{origin} entry {index} content"]
        return [f"{place.table} "] if place.is_key else [row_name(place.table, key)]

    def missing(self, places, moved, damages):
        """The places that no damage names; `moved` are the keys that rows have after the flips."""
        wheres = [damage.where for damage in damages]
        runs = [m for m in (re.fullmatch(r"(\S+) entries (\d+) to (\d+)", where) for where in wheres) if m]
        exact = set(wheres)

        def is_named(place):
            now = moved.get((place.table, *place.key.values()))
            names = self.names(place) + ([] if now is None else [row_name(place.table, now)])
            if now is not None and place.table == "ledger_contents":
                names.append(f"content {now['digest'].hex()}")
            if any(name in exact for name in names):
                return True
            if any(where.startswith(f"{name} ") for name in names for where in exact):
                return True
            if place.is_key and any(where.startswith(name) for name in names for where in exact):
                return True
            if place.table == "ledger_entries":
                origin, index = self.origins[place.key["log_id"]], place.key["index"]
                return any(m[1] == origin and int(m[2]) <= index <= int(m[3]) for m in runs)
            return False

        return [str(place) for place in places if not is_named(place)]


def test_finds_each_of_many_flipped_bytes_at_once(filled_world):
    world, rng, finder = filled_world, random.Random(2026), Finder(filled_world)
    with world.engine.connect() as connection:
        stock = Stock(connection, [LEDGER], world.folder / "published")
        drawn = stock.draw(rng, AT_ONCE + AT_ONCE // 20, by_column=False)
    flipped, moved = byte_flips.flip_all(world.engine, [LEDGER], drawn)
    assert len(flipped) >= AT_ONCE
    report = audit(world)
    assert finder.missing(flipped, moved, report.damages) == []
    assert all(damage.what and damage.remedy for damage in report.damages)


def one_at_a_time(world, places):
    """Flip, audit and flip back, each place; returns those that were not named."""
    finder, missed, tried = Finder(world), [], 0
    for place in places:
        flipped, moved = byte_flips.flip_all(world.engine, [LEDGER], [place])
        if flipped:
            tried += 1
            missed += finder.missing([place], moved, audit(world).damages)
            now = moved.get((place.table, *place.key.values()), place.key)
            assert byte_flips.flip_all(world.engine, [LEDGER], [replace(place, key=now)])[0]
    assert audit(world).is_sound
    return missed, tried


def test_finds_each_flipped_byte_alone(filled_world):
    with filled_world.engine.connect() as connection:
        stock = Stock(connection, [LEDGER], filled_world.folder / "published")
        places = stock.draw(random.Random(50), ONE_BY_ONE + 2, by_column=True)
    missed, tried = one_at_a_time(filled_world, places)
    assert missed == []
    assert tried >= ONE_BY_ONE


@pytest.mark.long
def test_finds_a_flipped_byte_in_every_column_alone(filled_world):
    rng = random.Random(51)
    with filled_world.engine.connect() as connection:
        stock = Stock(connection, [LEDGER], None)
        places = [stock.of_column(column, rng) for column in stock.columns]
    missed, tried = one_at_a_time(filled_world, places)
    assert missed == []
    assert tried > 0.9 * len(places)


# -- row checksums


def test_row_written_without_the_key_is_found_and_one_written_with_it_is_not(copied_world):
    with copied_world.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_logs SET opened_at = opened_at + 1 WHERE id = 1"))
    assert audit(copied_world).is_sound
    with copied_world.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL {SETTING} = ''"))
        connection.execute(text("UPDATE ledger_logs SET opened_at = opened_at + 1 WHERE id = 1"))
        connection.execute(
            text("INSERT INTO ledger_erasures (digest, erased_at, reason) VALUES ('x', 1, 'y')")
        )
    erased, changed = audit(copied_world).damages
    assert erased.where == "ledger_erasures digest=78"
    assert erased.what == "the row checksum over digest, erased_at, reason is missing"
    assert changed.where == "ledger_logs id=1"
    assert "opened_at" in changed.what


def test_row_written_with_another_hosts_key_is_found(copied_world):
    with copied_world.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL {SETTING} = '{'11' * 32}'"))
        connection.execute(text("UPDATE ledger_logs SET opened_at = opened_at + 1 WHERE id = 1"))
    assert [damage.where for damage in audit(copied_world).damages] == ["ledger_logs id=1"]


def test_two_values_that_run_into_each_other_have_another_checksum(copied_world):
    with copied_world.engine.begin() as connection:
        (table,) = (t for t in checksummed(connection, LEDGER) if t.table == "ledger_erasures")
        for reason in ("a;reason:1=b", "a"):
            connection.execute(
                text("INSERT INTO ledger_erasures VALUES (:d, 1, :r)"), {"d": reason.encode(), "r": reason}
            )
        assert list(wrong_rows(connection, table)) == []


def test_table_without_its_trigger_is_found(copied_world):
    with copied_world.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER row_checksum ON ledger_erasures"))
        connection.execute(text("ALTER TABLE ledger_kinds DISABLE TRIGGER row_checksum"))
    assert sorted(d.where for d in audit(copied_world).damages) == ["ledger_erasures", "ledger_kinds"]
