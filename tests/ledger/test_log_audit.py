"""The audit finds any changed byte and names the place."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import text

from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.outcomes import Status, Submission

IN_LOG = "log_id = (SELECT id FROM ledger_logs WHERE origin = :data)"
OF_LOG = "origin = :data"


def audit(world):
    published = world.published()
    return LogAudit(world.engine, published, world.log_key.public).run()


def run(world, statement, **values):
    if ":data" in statement:
        values["data"] = world.data
    with world.engine.begin() as connection:
        return connection.execute(text(statement), values)


def flip(table, column, byte, where):
    flipped = f"set_byte({column}, {byte}, get_byte({column}, {byte}) # 1)"
    return f"UPDATE {table} SET {column} = {flipped} WHERE {where}"


def entry(index):
    return f"index = {index} AND {IN_LOG}"


def content_of(index):
    return f"digest = (SELECT substr(raw, length(raw) - 97, 32) FROM ledger_entries WHERE {entry(index)})"


def of_kind(name):
    return f"kind_id = (SELECT id FROM ledger_kinds WHERE name = '{name}')"


# The whole alphabet is turned: one given letter need not occur in a signature.
TURNED = "translate(checkpoint, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'BCDEFGHIJKLMNOPQRSTUVWXYZA')"
DAMAGES = {
    "leaf": (flip("ledger_entries", "raw", 200, entry(17)), "entry 17"),
    "signature": (flip("ledger_entries", "raw", "length(raw) - 1", entry(301)), "entry 301"),
    "content": (flip("ledger_contents", "data", 30, content_of(3)), "entry 3 content"),
    "content_removed": (f"DELETE FROM ledger_contents WHERE {content_of(3)}", "entry 3 content"),
    "statement_removed": (f"DELETE FROM ledger_entries WHERE {entry(9)}", "entry 9"),
    "digest": (flip("ledger_entries", "digest", 0, entry(9)), "entry 9"),
    "subject": (f"UPDATE ledger_subjects SET name = 'm-gas' WHERE name = 'm-main' AND {IN_LOG}", "entry 1"),
    "interval": (f"UPDATE ledger_entries SET interval_end = interval_end + 1 WHERE {entry(9)}", "entry 9"),
    "registration_order": (f"UPDATE ledger_entries SET registered_at = 1 WHERE {entry(9)}", "entry 9"),
    "tick_time": (
        f"UPDATE ledger_entries SET registered_at = registered_at + 1 WHERE {of_kind('tick')} AND {IN_LOG}",
        "entry 301",
    ),
    "root": (flip("ledger_logs", "root_hash", 0, OF_LOG), "head"),
    "frontier": (flip("ledger_logs", "frontier", 0, OF_LOG), "head"),
    "checkpoint": (
        f"UPDATE ledger_logs SET checkpoint = {TURNED} WHERE {OF_LOG}",
        "head",
    ),
    "stream": (
        "UPDATE ledger_streams SET last_sequence = last_sequence - 1 WHERE stream = 'readings/m-main'",
        "stream readings/m-main",
    ),
    "equivocation": ("DELETE FROM ledger_equivocations", "equivocations"),
    "epoch_root": (flip("ledger_epochs", "map_root", 0, "epoch = 2"), "epoch 2"),
    "epoch_head": (
        f"UPDATE ledger_epoch_heads SET tree_size = tree_size - 1 WHERE epoch = 1 AND {IN_LOG}",
        "head at",
    ),
    "epoch_entry": (flip("ledger_entries", "raw", 5, of_kind("epoch")), "epochs entry 1"),
}


def test_sound_ledger_passes(copied_world):
    report = audit(copied_world)
    assert report.is_sound, report.first
    assert (report.logs, report.epochs) == (5, 2)
    assert report.entries > 320


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_finds_a_change_in_the_database_and_names_the_place(copied_world, damage):
    statement, place = DAMAGES[damage]
    run(copied_world, statement)
    report = audit(copied_world)
    assert report.first is not None
    assert place in report.first.where


PUBLISHED = ["checkpoint", "tile/0/000", "tile/0/001.p/*", "tile/1/000.p/1", "tile/entries/000"]


@pytest.mark.parametrize("path", PUBLISHED)
def test_finds_a_changed_byte_in_the_published_copy(copied_world, path):
    place = "entries" if "entries" in path else "published"
    file = min((copied_world.folder / place / copied_world.data).glob(path))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    report = audit(copied_world)
    assert report.first is not None
    assert report.first.where.startswith(copied_world.data)


def test_finds_every_one_of_many_random_changes_and_names_each(copied_world):
    rng = random.Random(7)
    size = copied_world.host.head(copied_world.data).tree_size
    places = rng.sample(range(1, size), 12)
    for at in places:
        run(copied_world, flip("ledger_entries", "raw", rng.randrange(60, 300), entry(at)))
    found = {d.where for d in audit(copied_world).damages}
    assert {f"{copied_world.data} entry {at}" for at in places} <= found


def test_finds_a_published_log_that_the_database_has_lost(copied_world):
    published = copied_world.folder / "published"
    (published / "log.carbonseal.example/e-lost/data").mkdir(parents=True)
    (published / "log.carbonseal.example/e-lost/data/checkpoint").write_text("x")
    report = audit(copied_world)
    assert [d.what for d in report.damages] == ["published, but not in the database"]


def test_erased_content_is_no_damage_and_its_statement_stays_a_duplicate(copied_world):
    world = copied_world
    first = world.host.select(world.data, kinds={"readings"})[0]
    world.host.contents.erase(first.raw[-98:-66], "order of a court")
    assert audit(world).is_sound
    (outcome,) = world.host.register(world.data, [Submission(first.raw)])
    assert (outcome.status, outcome.index) == (Status.DUPLICATE, first.index)
