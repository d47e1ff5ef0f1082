"""The audit finds any changed byte and names the place."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import text

from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.publishing import PublishedCopy


@pytest.fixture
def audited(make_world):
    world = make_world(with_entry_bundles=True).found()
    world.accept(*[world.readings(world.main) for _ in range(300)])
    forked = world.readings(world.main, keep=False, sequence=5, previous=bytes(32), count=5)
    world.send(forked)
    world.host.build_epoch()
    world.accept(*[world.readings(world.main) for _ in range(20)])
    world.host.build_epoch()
    return world


def audit(world):
    published = PublishedCopy(world.folder / "published", with_entry_bundles=world.with_entry_bundles)
    return LogAudit(world.engine, published, world.log_key.public).run()


def run(world, statement, **values):
    with world.engine.begin() as connection:
        return connection.execute(text(statement), values)


def test_sound_ledger_passes(audited):
    report = audit(audited)
    assert report.is_sound, report.first
    assert (report.logs, report.epochs) == (5, 2)
    assert report.entries > 320


DAMAGES = {
    "leaf": (("UPDATE ledger_entries SET raw = set_byte(raw, 200, get_byte(raw, 200) # 1) WHERE index = 17 AND"
             " log_id = :data"), "entry 17"),
    "signature": (("UPDATE ledger_entries SET raw = set_byte(raw, length(raw) - 1, get_byte(raw, length(raw) - 1) # 1)"
                  " WHERE index = 301 AND log_id = :data"), "entry 301"),
    "content": (("UPDATE ledger_contents SET data = set_byte(data, 30, get_byte(data, 30) # 1) WHERE digest ="
                " (SELECT substr(raw, length(raw) - 97, 32) FROM ledger_entries WHERE index = 3 AND log_id = :data)"),
                "entry 3 content"),
    "content_removed": (("DELETE FROM ledger_contents WHERE digest = (SELECT substr(raw, length(raw) - 97, 32)"
                        " FROM ledger_entries WHERE index = 3 AND log_id = :data)"), "entry 3 content"),
    "statement_removed": ("DELETE FROM ledger_entries WHERE index = 9 AND log_id = :data", "entry 9"),
    "digest": (("UPDATE ledger_entries SET digest = set_byte(digest, 0, get_byte(digest, 0) # 1) WHERE index = 9 AND"
               " log_id = :data"), "entry 9"),
    "subject": ("UPDATE ledger_subjects SET name = 'm-gas' WHERE name = 'm-main' AND log_id = :data", "entry 1"),
    "interval": ("UPDATE ledger_entries SET interval_end = interval_end + 1 WHERE index = 9 AND log_id = :data",
                 "entry 9"),
    "order_of_registration": ("UPDATE ledger_entries SET registered_at = 1 WHERE index = 9 AND log_id = :data",
                              "entry 9"),
    "tick_time": (("UPDATE ledger_entries SET registered_at = registered_at + 1 WHERE log_id = :data AND kind_id ="
                  " (SELECT id FROM ledger_kinds WHERE name = 'tick')"), "entry 301"),
    "root": ("UPDATE ledger_logs SET root_hash = set_byte(root_hash, 0, get_byte(root_hash, 0) # 1) WHERE id = :data",
             "head"),
    "frontier": (("UPDATE ledger_logs SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1)"
                 " WHERE id = :data"), "head"),
    "checkpoint": ("UPDATE ledger_logs SET checkpoint = replace(checkpoint, 'A', 'B') WHERE id = :data", "head"),
    "policy": ("UPDATE ledger_logs SET policy = set_byte(policy, 30, get_byte(policy, 30) # 1) WHERE id = :data",
               "head"),
    "stream": ("UPDATE ledger_streams SET last_sequence = last_sequence - 1 WHERE stream = 'readings/m-main'",
               "stream readings/m-main"),
    "equivocation": ("DELETE FROM ledger_equivocations", "equivocations"),
    "epoch_root": (("UPDATE ledger_epochs SET map_root = set_byte(map_root, 0, get_byte(map_root, 0) # 1)"
                   " WHERE epoch = 2"), "epoch 2"),
    "epoch_head": ("UPDATE ledger_epoch_heads SET tree_size = tree_size - 1 WHERE epoch = 1 AND log_id = :data",
                   "head at"),
    "epoch_entry": (("UPDATE ledger_entries SET raw = set_byte(raw, 5, get_byte(raw, 5) # 1) WHERE kind_id ="
                    " (SELECT id FROM ledger_kinds WHERE name = 'epoch')"), "epochs entry 1"),
}  # fmt: skip


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_finds_a_change_in_the_database_and_names_the_place(audited, damage):
    statement, place = DAMAGES[damage]
    log_id = run(audited, "SELECT id FROM ledger_logs WHERE origin = :origin", origin=audited.data).scalar()
    if ":data" in statement:
        run(audited, statement, data=log_id)
    else:
        run(audited, statement)
    report = audit(audited)
    assert report.first is not None
    assert place in report.first.where


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/0/001.p/67", "tile/entries/000"])
def test_finds_a_changed_byte_in_the_published_copy(audited, path):
    file = audited.folder / "published" / audited.data / path
    if not file.exists():
        file = next(p for p in sorted(file.parent.iterdir()) if p.is_file())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    report = audit(audited)
    assert report.first is not None
    assert report.first.where.startswith(audited.data)


def test_finds_every_one_of_many_random_changes(audited):
    rng = random.Random(7)
    size = audited.host.head(audited.data).tree_size
    places = rng.sample(range(1, size), 12)
    for at in places:
        byte = rng.randrange(60, 300)
        run(
            audited,
            "UPDATE ledger_entries SET raw = set_byte(raw, :byte, get_byte(raw, :byte) # :bit) WHERE index = :at"
            " AND log_id = (SELECT id FROM ledger_logs WHERE origin = :origin)",
            byte=byte, bit=1 << rng.randrange(8), at=at, origin=audited.data,
        )  # fmt: skip
    found = {d.where for d in audit(audited).damages}
    assert {f"{audited.data} entry {at}" for at in places} <= found


def test_erased_content_is_no_damage(audited):
    entry = audited.host.select(audited.data, kinds={"readings"})[0]
    digest = entry.raw[-98:-66]
    audited.host.contents.erase(digest, "order of a court")
    assert audit(audited).is_sound
    (outcome,) = audited.host.register(audited.data, [Submission(entry.raw)])
    assert outcome.index == entry.index
