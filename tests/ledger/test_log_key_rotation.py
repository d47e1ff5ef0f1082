"""The log key changes hands: what stays checkable, what a stale process may not do, and interruptions."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text

from carbonseal_attest.checkpoint import open_checkpoint
from carbonseal_attest.contents import parse_content
from carbonseal_attest.endorsement import verify_endorsement
from carbonseal_attest.errors import NoteInvalid, ProofInvalid
from carbonseal_attest.note import SignedNote
from carbonseal_attest.receipt import Receipt
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_attest.trust import LogKey
from carbonseal_attest.trust.log_hosts import TrustedLogHost
from carbonseal_ledger.errors import DatabaseUnusable, LogDamaged, LogKeyRetired
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.object_store import FolderStore


class Stopped(Exception):
    """The process that rotates is gone."""


class Remembering(FolderStore):
    """Keeps every checkpoint that was ever published."""

    def __init__(self, folder):
        super().__init__(folder)
        self.seen = []

    def replace(self, name, expected, data):
        super().replace(name, expected, data)
        self.seen.append(data.decode())


@pytest.fixture
def measured(make_world, tmp_path):
    world = make_world(store=Remembering(tmp_path / "published")).found()
    world.accept(*[world.readings(world.main) for _ in range(3)])
    world.host.build_epoch()
    return world


def rotate(world, *, stop_after=None):
    """Rotate to a new key, from which the world goes on; returns the old one."""
    old = world.log_key if world.retiring is None else world.retiring
    if world.retiring is None:
        world.log_key, world.retiring = Ed25519Signer.generate(), old
    world.start()

    def progress(done, of):
        if done == stop_after:
            raise Stopped

    world.host.rotate_log_key("yearly", progress)
    world.retiring = None
    world.start()
    return old


def origins(world):
    return [log.origin for log in world.host.logs()]


def trusted(world, old):
    """The log host as a trust file would have it after the rotation."""
    rows = []
    for origin in origins(world):
        (_, first), (size, second) = world.host.log_key_spans(origin)
        assert first == old.public
        rows += [LogKey(first, 0, size, origin), LogKey(second, size, None, origin)]
    return TrustedLogHost("h-host", "log.carbonseal.example/", world.log_of_logs, tuple(rows))


def test_first_new_head_of_every_log_carries_both_signatures_and_says_so(measured):
    old = rotate(measured)
    host = trusted(measured, old)
    register = "log.carbonseal.example/h-host/register"
    for origin in origins(measured):
        size = measured.host.log_key_spans(origin)[1][0]
        notes = [n for n in measured.store.seen if n.startswith(f"{origin}\n{size}\n")]
        assert len(notes) == 1
        names = [line.key_id for line in SignedNote.parse(notes[0].encode()).signatures]
        assert names == [vkey.key_id for vkey in reversed(host.vkeys(origin))]
        assert host.open_checkpoint(notes[0], origin=origin).tree_size == size
        assert host.open_checkpoint(measured.host.checkpoint(origin), origin=origin).tree_size >= size
        for note in measured.store.seen:
            if note.startswith(f"{origin}\n"):
                host.open_checkpoint(note, origin=origin)
    said = {}
    for origin in origins(measured):
        for entry in measured.host.select(origin, kinds={"log_key"}):
            statement = SignedStatement.parse(entry.raw)
            statement.verify_signature(measured.log_key.public)
            body = parse_content(measured.host.contents.get(statement.payload)).body
            verify_endorsement("log_key", "h-host", "predecessor", body, old.public)
            said[body["origin"]] = (origin, entry.index, body["from_size"])
    for origin in origins(measured):
        where, index, size = said[origin]
        assert where == (register if origin == measured.log_of_logs else origin)
        assert size == measured.host.log_key_spans(origin)[1][0]
        assert where != origin or index == size - 1


def test_old_receipts_and_checkpoints_stay_checkable_and_new_ones_are_by_the_new_key(measured):
    item = measured.readings(measured.main)
    (outcome,) = measured.accept(item)
    before, note = (
        measured.host.receipt(measured.data, outcome.digest),
        measured.host.checkpoint(measured.data),
    )
    old = rotate(measured)
    host = trusted(measured, old)
    for receipt, kid in ((before, old.public.kid), (None, measured.log_key.public.kid)):
        read = Receipt.parse(receipt or measured.host.receipt(measured.data, outcome.digest))
        assert read.kid == kid
        read.verify(item.statement, origin=measured.data, key=host.key_for(measured.data, read.tree_size))
    host.open_checkpoint(note, origin=measured.data)
    with pytest.raises(ProofInvalid):
        Receipt.parse(before).verify(item.statement, origin=measured.data, key=measured.log_key.public)


def test_the_log_goes_on_as_one_history_and_the_audit_is_content(measured):
    before = measured.host.head(measured.data)
    old = rotate(measured)
    measured.accept(*[measured.readings(measured.main) for _ in range(3)])
    measured.host.tick(measured.data)
    measured.host.build_epoch()
    head = measured.host.head(measured.data)
    assert measured.host.root_at(measured.data, before.tree_size) == before.root_hash
    assert len(SignedNote.parse(head.checkpoint.encode()).signatures) == 1
    with pytest.raises(NoteInvalid):
        open_checkpoint(head.checkpoint, origin=measured.data, key=old.public)
    report = LogAudit(measured.engine, measured.published(), measured.log_key.public).run()
    assert report.is_sound, report.damages
    digest = hashlib.sha256(b"x").digest()
    item = measured.readings(measured.main)
    (outcome,) = measured.accept(item)
    measured.host.build_epoch()
    assert measured.host.extended_receipt(measured.data, outcome.digest)
    assert digest != outcome.digest


def test_an_extended_receipt_of_before_the_rotation_comes_by_a_later_epoch(measured):
    entry = measured.host.select(measured.data, kinds={"readings"})[0]
    rotate(measured)
    measured.host.build_epoch()
    made = measured.host.extended_receipt(measured.data, entry.digest)
    assert Receipt.parse(made.receipt).kid == measured.log_key.public.kid


def test_keys_are_listed_for_those_who_hold_old_receipts(measured):
    old = rotate(measured)
    older = rotate(measured)
    keys = measured.host.log_keys()
    assert keys[0] == measured.log_key.public
    assert {key.kid for key in keys} == {measured.log_key.public.kid, old.public.kid, older.public.kid}
    assert len(measured.host.log_key_spans(measured.data)) == 3
    report = LogAudit(measured.engine, measured.published(), measured.log_key.public).run()
    assert report.is_sound, report.damages


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5])
def test_a_rotation_that_was_interrupted_goes_on_and_does_nothing_twice(measured, stop_after):
    old = measured.log_key
    with pytest.raises(Stopped):
        rotate(measured, stop_after=stop_after)
    assert rotate(measured) is old
    host = trusted(measured, old)
    for origin in origins(measured):
        assert len(measured.host.log_key_spans(origin)) == 2
        host.open_checkpoint(measured.host.checkpoint(origin), origin=origin)
    assert sum(len(measured.host.select(o, kinds={"log_key"})) for o in origins(measured)) == len(
        origins(measured)
    )


def test_a_process_that_kept_the_old_key_writes_and_receipts_nothing(measured, world_class):
    item = measured.readings(measured.main)
    (outcome,) = measured.accept(item)
    stale = measured.host
    new = Ed25519Signer.generate()
    old, measured.log_key = measured.log_key, new
    del measured.host  # without closing it: it goes on running
    measured.retiring = old
    measured.start()
    measured.host.rotate_log_key("yearly")
    with pytest.raises(LogKeyRetired):
        stale.register(measured.data, [measured.readings(measured.main, keep=False)])
    with pytest.raises(LogKeyRetired):
        stale.receipt(measured.data, outcome.digest)
    with pytest.raises((LogKeyRetired, DatabaseUnusable)):
        stale.build_epoch()
    stale.close()
    report = LogAudit(measured.engine, measured.published(), new.public).run()
    assert report.is_sound, report.damages


def test_a_third_key_opens_nothing(measured):
    measured.log_key = Ed25519Signer.generate()
    with pytest.raises(LogDamaged):
        measured.start()
    measured.retiring = Ed25519Signer.generate()
    with pytest.raises(LogDamaged):
        measured.start()


def test_a_key_without_a_retiring_one_rotates_nothing(measured):
    with pytest.raises(LogKeyRetired):
        measured.host.rotate_log_key("yearly")


@pytest.mark.parametrize("origin", ["data", "log_of_logs"])
def test_the_audit_finds_a_changed_line_of_keys(measured, origin):
    name = getattr(measured, origin)
    rotate(measured)
    (_, first), (size, second) = measured.host.log_key_spans(name)
    for lines in (
        [f"0 {first.text()}", f"{size - 1} {second.text()}"],
        [f"0 {second.text()}"],
        [f"0 {first.text()}", f"{size} {Ed25519Signer.generate().public.text()}", f"{size} {second.text()}"],
    ):
        with measured.engine.begin() as connection:
            connection.execute(
                text("UPDATE ledger_logs SET log_keys = :lines WHERE origin = :name"),
                {"lines": lines, "name": name},
            )
        report = LogAudit(measured.engine, measured.published(), measured.log_key.public).run()
        assert any(damage.where.startswith(name) for damage in report.damages), lines


def test_a_device_may_not_be_enrolled_with_the_logs_present_key(measured):
    rotate(measured)
    item = measured.devices.sign(
        "device", "g-other", measured.device_body("g-other", measured.log_key), keep=False
    )
    (outcome,) = measured.send(item)
    assert outcome.problem is not None
    assert outcome.problem.code == "enrolment-invalid"
