"""Rebuilding a published copy: only from sound entries, only by two persons, never behind a known head."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import text

from carbonseal_ledger.errors import LogDamaged, RollbackDetected
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.recovery import rebuild_published


def rebuild(world, *, known=(), persons=("Ada", "Bo"), engine=None):
    return rebuild_published(
        engine or world.engine, PublishedCopy(world.folder / "published"), world.data,
        log_key=world.log_key.public, known_checkpoints=known, persons=persons,
    )  # fmt: skip


@pytest.fixture
def broken(world):
    world.accept(*[world.readings(world.main) for _ in range(300)])
    world.accept(world.readings(world.main))
    world.last = world.host.head(world.data)
    shutil.rmtree(world.folder / "published" / world.data)
    return world


def test_rebuilt_copy_starts_and_goes_on(broken):
    with pytest.raises(RollbackDetected):
        broken.start()
    rebuild(broken, known=[broken.last.checkpoint])
    broken.start()
    assert broken.host.head(broken.data) == broken.last
    broken.accept(broken.readings(broken.main))


@pytest.mark.parametrize("persons", [("Ada", "Ada"), ("Ada", " "), ("", "")])
def test_refuses_one_person(broken, persons):
    with pytest.raises(RollbackDetected, match="two different persons"):
        rebuild(broken, persons=persons)


def test_refuses_database_behind_a_checkpoint_that_somebody_holds(broken):
    broken.start_size = broken.last.tree_size
    with broken.engine.begin() as connection:
        connection.execute(
            text("UPDATE ledger_logs SET size = 2 WHERE origin = :origin"), {"origin": broken.data}
        )
    with pytest.raises((RollbackDetected, LogDamaged)):
        rebuild(broken, known=[broken.last.checkpoint])
    assert PublishedCopy(broken.folder / "published").checkpoint(broken.data) is None


def test_refuses_entries_that_do_not_give_the_checkpoint(broken):
    with broken.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_entries SET raw = set_byte(raw, 99, 0) WHERE index = 5"))
    with pytest.raises(LogDamaged, match="do not give"):
        rebuild(broken)


def test_refuses_checkpoint_of_another_log(broken):
    other = broken.host.head(broken.register).checkpoint
    with pytest.raises(LogDamaged, match="checkpoint"):
        rebuild(broken, known=[other])
