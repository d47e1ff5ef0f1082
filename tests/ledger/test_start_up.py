"""Start-up compares the two failure domains: it completes what a crash explains and refuses everything
else."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import text

from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.entry_reader import EntryReader
from carbonseal_ledger.errors import (
    ClockWentBack,
    LogDamaged,
    OutsideUnreachable,
    PublicationFailed,
    RollbackDetected,
)
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Status
from carbonseal_ledger.outside_heads import OutsideHead
from carbonseal_ledger.publication import Publisher
from carbonseal_ledger.publishing import PublishedCopy


def dump(world, table):
    with world.engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM {table}")).mappings().all()


def rows_of(world):
    return {name: dump(world, name) for name in ("ledger_logs", "ledger_streams", "ledger_entries")}


def restore_backup(world, backup):
    """Puts the tables back to an older state, as a restored backup would."""
    with world.engine.begin() as connection:
        connection.execute(
            text("TRUNCATE ledger_entries, ledger_streams, ledger_logs, ledger_equivocations CASCADE")
        )
        for name in ("ledger_logs", "ledger_streams", "ledger_subjects", "ledger_entries"):
            for row in backup[name]:
                columns = ", ".join(row)
                values = ", ".join(f":{key}" for key in row)
                connection.execute(text(f"INSERT INTO {name} ({columns}) VALUES ({values})"), dict(row))


def test_refuses_database_restored_from_an_old_backup(world):
    world.accept(world.readings(world.main))
    backup = rows_of(world) | {"ledger_subjects": dump(world, "ledger_subjects")}
    world.accept(world.readings(world.main))
    restore_backup(world, backup)
    with pytest.raises(RollbackDetected, match="restore a backup that is at least as new"):
        world.start()


def test_refuses_database_that_lost_a_whole_log(world, make_world):
    with world.engine.begin() as connection:
        connection.execute(
            text(
                "TRUNCATE ledger_entries, ledger_streams, ledger_logs, ledger_equivocations,"
                " ledger_subjects CASCADE"
            )
        )
    with pytest.raises(RollbackDetected, match="does not know"):
        world.start()


def test_refuses_published_copy_that_was_rolled_back(world):
    folder = world.folder / "published" / world.data
    world.accept(world.readings(world.main))
    old = (folder / "checkpoint").read_text()
    world.accept(world.readings(world.main))
    world.accept(world.readings(world.main))
    (folder / "checkpoint").write_text(old)
    with pytest.raises(RollbackDetected, match="were published"):
        world.start()


def test_refuses_published_copy_that_is_missing(world):
    world.accept(world.readings(world.main))
    world.accept(world.readings(world.main))
    shutil.rmtree(world.folder / "published" / world.data)
    with pytest.raises(RollbackDetected, match="shows 0 entries"):
        world.start()


def test_completes_publication_after_a_crash_between_commit_and_publication(world, monkeypatch):
    world.accept(world.readings(world.main))
    before = world.host.head(world.data)

    def crash(self, head):
        raise PublicationFailed("published copy", "pulled the plug", "restart")

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", crash)
        with pytest.raises(PublicationFailed):
            world.send(*[world.readings(world.main) for _ in range(300)])
    assert world.host.head(world.data) == before
    world.start()
    after = world.host.head(world.data)
    assert after.tree_size >= before.tree_size + 300
    path = world.host.consistency_path(world.data, before.tree_size, after.tree_size)
    assert path
    world.accept(world.readings(world.main))


def test_next_batch_completes_what_another_process_did_not_publish(world, monkeypatch):
    def crash(self, head):
        raise PublicationFailed("published copy", "pulled the plug", "restart")

    lost = world.readings(world.main)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", crash)
        with pytest.raises(PublicationFailed):
            world.send(lost)
    world.accept(world.readings(world.main))
    assert world.send(lost)[0].status is Status.DUPLICATE


def test_duplicate_is_not_receipted_before_its_entry_is_published(world, monkeypatch):
    def crash(self, head):
        raise PublicationFailed("published copy", "pulled the plug", "restart")

    lost = world.readings(world.main)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", crash)
        with pytest.raises(PublicationFailed):
            world.send(lost)
    (again,) = world.send(lost)
    assert again.status is Status.DUPLICATE
    assert world.host.head(world.data).tree_size > again.index


def test_refuses_tiles_that_do_not_give_the_checkpoint(world):
    world.accept(*[world.readings(world.main) for _ in range(10)])
    tile = next((world.folder / "published" / world.data / "tile/0").rglob("000.p/*"))
    for tile in (world.folder / "published" / world.data / "tile/0").rglob("000.p/*"):
        data = bytearray(tile.read_bytes())
        data[0] ^= 1
        tile.write_bytes(bytes(data))
    with pytest.raises(LogDamaged, match="do not give its checkpoint"):
        world.start()


def test_refuses_published_checkpoint_signed_by_another_key(world):
    world.log_key = Ed25519Signer.generate()
    with pytest.raises(LogDamaged, match="log's own key"):
        world.start()


def test_refuses_row_that_contradicts_its_checkpoint(world):
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE ledger_logs SET size = size + 1 WHERE origin = :o"), {"o": world.data}
        )
    with pytest.raises(LogDamaged, match="differ"):
        world.start()


def test_refuses_to_start_with_a_clock_behind_the_last_registration(world):
    world.accept(world.readings(world.main))
    world.now -= 10_000
    with pytest.raises(ClockWentBack):
        world.start()


class Outsider:
    """A witness or contract that follows one log."""

    name = "witness witness.example"

    def __init__(self, origin, head=None, *, is_reachable=True):
        self.origin, self.newest, self.is_reachable = origin, head, is_reachable

    def head(self, origin):
        if origin != self.origin:
            return None
        if not self.is_reachable:
            raise OutsideUnreachable(self.name, "does not answer", "start it, or see the runbook")
        return self.newest


def at(world, origin, size):
    return OutsideHead(size, world.host.root_at(origin, size))


def test_starts_with_an_outsider_at_any_earlier_head_or_none(world):
    for _ in range(3):
        world.host.build_epoch()
    for head in (None, *[at(world, world.log_of_logs, size) for size in range(5)]):
        world.outside = [Outsider(world.log_of_logs, head)]
        world.start()


def test_refuses_database_and_copy_restored_together_behind_an_outsider(world):
    world.host.build_epoch()
    backup = rows_of(world) | {"ledger_subjects": dump(world, "ledger_subjects")}
    shutil.copytree(world.folder / "published", world.folder / "old")
    world.host.build_epoch()
    world.outside = [Outsider(world.log_of_logs, at(world, world.log_of_logs, 3))]
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM ledger_epoch_heads WHERE epoch = 2"))
        connection.execute(text("DELETE FROM ledger_epochs WHERE epoch = 2"))
    restore_backup(world, backup)
    shutil.rmtree(world.folder / "published")
    (world.folder / "old").rename(world.folder / "published")
    with pytest.raises(
        RollbackDetected, match=r"2 entries where the witness witness\.example has 3"
    ) as refusal:
        world.start()
    assert refusal.value.field == "database"


def test_refuses_copy_behind_an_outsider_although_a_crash_would_explain_it(world):
    world.host.build_epoch()
    checkpoint = world.folder / "published" / world.log_of_logs / "checkpoint"
    old = checkpoint.read_text()
    world.host.build_epoch()
    world.outside = [Outsider(world.log_of_logs, at(world, world.log_of_logs, 3))]
    checkpoint.write_text(old)
    with pytest.raises(RollbackDetected, match="shows 2 entries where the witness"):
        world.start()
    assert checkpoint.read_text() == old


def test_refuses_outsider_with_another_root_at_any_size(world):
    world.host.build_epoch()
    world.host.build_epoch()
    for size in (1, 2, 3):
        world.outside = [Outsider(world.log_of_logs, OutsideHead(size, bytes(32)))]
        with pytest.raises(RollbackDetected, match=f"contradicts the witness .* at size {size}"):
            world.start()


def test_refuses_when_an_outsider_cannot_be_asked(world):
    world.outside = [
        Outsider(world.log_of_logs, at(world, world.log_of_logs, 1)),
        Outsider(world.log_of_logs, is_reachable=False),
    ]
    with pytest.raises(OutsideUnreachable, match="does not answer"):
        world.start()


def second_process(world):
    """Another log host over the same database and copy, as a replica is."""
    return LogHost(
        world.engine, PublishedCopy(world.folder / "published"), world.log_key, world.clock,
        name="log.carbonseal.example", party="h-host", registrar="r-registrar",
        registrar_keys=[world.registrar.public],
    )  # fmt: skip


def test_another_process_that_registers_during_the_comparison_is_no_rollback(world, monkeypatch):
    heads = EntryReader.stored_heads

    def slowly(self):
        stored = heads(self)
        world.accept(world.readings(world.main))
        return stored

    first = world.host
    with monkeypatch.context() as patch:
        patch.setattr(EntryReader, "stored_heads", slowly)
        second = second_process(world)
    assert second.head(world.data) == first.head(world.data)
    second.close()


def test_nothing_is_completed_while_another_log_is_refused(world, monkeypatch):
    def crash(self, head):
        raise PublicationFailed("published copy", "pulled the plug", "restart")

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", crash)
        with pytest.raises(PublicationFailed):
            world.send(world.readings(world.main))
    before = (world.folder / "published" / world.data / "checkpoint").read_text()
    world.outside = [Outsider(world.log_of_logs, is_reachable=False)]
    with pytest.raises(OutsideUnreachable):
        world.start()
    assert (world.folder / "published" / world.data / "checkpoint").read_text() == before


def test_running_process_refuses_a_database_that_was_put_back_under_it(world):
    world.accept(world.readings(world.main))
    backup = rows_of(world) | {"ledger_subjects": dump(world, "ledger_subjects")}
    world.accept(world.readings(world.main))
    before = (world.folder / "published" / world.data / "checkpoint").read_text()
    restore_backup(world, backup)
    for _ in range(2):
        with pytest.raises(RollbackDetected, match="where this process committed"):
            world.send(world.readings(world.main, keep=False))
    assert dump(world, "ledger_entries") == backup["ledger_entries"]
    assert (world.folder / "published" / world.data / "checkpoint").read_text() == before


def test_other_process_does_not_answer_out_of_a_database_that_was_put_back(world):
    """It has committed nothing itself; the published copy tells that its entry begins a second history."""
    world.accept(world.readings(world.main))
    backup = rows_of(world) | {"ledger_subjects": dump(world, "ledger_subjects")}
    fork = world.readings(world.main, keep=False)
    other = second_process(world)
    world.accept(*[world.readings(world.main, count=5) for _ in range(3)])
    restore_backup(world, backup)
    with pytest.raises(RollbackDetected, match="another history"):
        other.register(world.data, [fork])


def test_running_process_does_not_fill_up_a_copy_that_was_lost_under_it(world):
    world.accept(world.readings(world.main))
    world.accept(world.readings(world.main))
    shutil.rmtree(world.folder / "published" / world.data)
    with pytest.raises(RollbackDetected, match="shows 0 entries"):
        world.send(world.readings(world.main))
    assert not (world.folder / "published" / world.data / "checkpoint").exists()


def test_other_process_does_not_fill_up_a_copy_that_was_lost_either(world):
    other = second_process(world)
    world.accept(world.readings(world.main))
    world.accept(world.readings(world.main))
    shutil.rmtree(world.folder / "published" / world.data)
    with pytest.raises(RollbackDetected, match="shows 0 entries"):
        other.register(world.data, [world.readings(world.main)])
    other.close()
