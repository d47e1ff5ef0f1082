"""Recovery: only by two operators, only on a head that nobody contradicts, and written down in the log."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import text

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.contents import check_content
from carbonseal_attest.endorsement import endorse
from carbonseal_attest.errors import DecisionInvalid, SignatureInvalid
from carbonseal_attest.recovery_decision import approve
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger import publication
from carbonseal_ledger.decisions_in_force import Operators
from carbonseal_ledger.errors import (
    ClockWentBack,
    CopyUnreachable,
    LogDamaged,
    OutsideUnreachable,
    RecoveryRefused,
    RollbackDetected,
)
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.outside_heads import OutsideHead
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.recovery import Recovery

NAME = "log.carbonseal.example"
HOST_REGISTER = f"{NAME}/h-host/register"
HOUR = 3_600_000
ADA, BO, EVE = (Ed25519Signer.generate() for _ in range(3))


class Outsider:
    """A witness or contract that follows one log."""

    def __init__(self, name, origin, head=None):
        self.name, self.origin, self.newest = name, origin, head

    def head(self, origin):
        if origin != self.origin:
            return None
        if self.newest is None:
            raise OutsideUnreachable(self.name, "does not answer", "start it")
        return self.newest


def recovery(world):
    return Recovery(
        world.engine, PublishedCopy(world.folder / "published"), world.log_key, world.clock,
        operators=Operators(NAME, "h-host", [signer.public for signer in world.operator_keys]),
        outside=world.outside,
    )  # fmt: skip


def propose(world, act="rebuild_copy", *, by=(ADA, BO), **fields):
    if act == "rebuild_copy":
        fields.setdefault("origin", world.data)
    return recovery(world).propose(
        act, reason="the disk failed", deciders=[signer.public for signer in by], valid_ms=HOUR, **fields
    )


def signed(body, *signers):
    for signer in signers or (ADA, BO):
        body = approve(signer, "h-host", body)
    return body


def decisions(world):
    found = world.host.select(HOST_REGISTER, kinds={"recovery"})
    return [
        check_content(s, world.host.contents.get(s.payload)).body
        for s in (SignedStatement.parse(entry.raw) for entry in found)
    ]


@pytest.fixture
def world(world):
    world.operator_keys = [ADA, BO, EVE]
    world.operators = [signer.public for signer in world.operator_keys]
    return world


@pytest.fixture
def broken(world):
    """A data log whose published copy is gone."""
    world.accept(*[world.readings(world.main) for _ in range(600)])
    world.accept(world.readings(world.main))
    world.last = world.host.head(world.data)
    shutil.rmtree(world.folder / "published" / world.data)
    return world


def set_back(world, origin, note):
    (world.folder / "published" / origin / "checkpoint").write_text(note)


# -- rebuilding --


def test_rebuilt_copy_starts_goes_on_and_the_decision_stands_in_the_hosts_register(broken):
    with pytest.raises(RollbackDetected, match="rebuild it from the database on the word of two"):
        broken.start()
    body = signed(propose(broken))
    done = recovery(broken).carry_out(body, known_checkpoints=[broken.last.checkpoint])
    assert recovery(broken).findings() == []
    broken.start()
    assert broken.host.head(broken.data) == broken.last
    assert decisions(broken) == [body]
    assert broken.host.entry(HOST_REGISTER, done.index).kind == "recovery"
    broken.accept(broken.readings(broken.main))
    report = LogAudit(broken.engine, PublishedCopy(broken.folder / "published"), broken.log_key.public).run()
    assert report.is_sound, report.first


def test_rebuilt_in_parts_the_copy_has_the_same_bytes(broken, monkeypatch):
    recovery(broken).carry_out(signed(propose(broken)))
    folder = broken.folder / "published" / broken.data
    whole = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder)
    monkeypatch.setattr(publication, "_PAGE", 256)
    recovery(broken).carry_out(signed(propose(broken)))
    parts = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert parts == whole


def test_the_hosts_own_register_is_rebuilt_with_the_decision_in_it(world):
    world.host.tick(HOST_REGISTER)
    shutil.rmtree(world.folder / "published" / HOST_REGISTER)
    with world.engine.begin() as connection:  # as the next batch would have noted
        connection.execute(text("UPDATE ledger_logs SET published_size = size"))
    body = signed(propose(world, origin=HOST_REGISTER))
    recovery(world).carry_out(body)
    world.start()
    assert decisions(world) == [body]


def test_two_broken_copies_are_rebuilt_one_after_the_other(broken):
    shutil.rmtree(broken.folder / "published" / HOST_REGISTER)
    with broken.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_logs SET published_size = size"))
    for origin in (broken.data, HOST_REGISTER):
        recovery(broken).carry_out(signed(propose(broken, origin=origin)))
    broken.start()
    assert [body["origin"] for body in decisions(broken)] == [broken.data, HOST_REGISTER]


def test_interrupted_rebuild_is_finished_by_the_same_decision(broken, monkeypatch):
    body = signed(propose(broken))

    def crash(self, head):
        raise OSError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(publication.Publisher, "publish", crash)
        with pytest.raises(OSError, match="pulled"):
            recovery(broken).carry_out(body)
    with pytest.raises(RollbackDetected):
        broken.start()
    recovery(broken).carry_out(body)
    broken.start()
    assert decisions(broken) == [body]


def test_damaged_tiles_and_a_checkpoint_that_is_none_are_rebuilt(broken):
    recovery(broken).carry_out(signed(propose(broken)))
    folder = broken.folder / "published" / broken.data
    for tile in (folder / "tile").rglob("*"):
        if tile.is_file():
            tile.write_bytes(bytes(len(tile.read_bytes())))
    recovery(broken).carry_out(signed(propose(broken)))
    (folder / "checkpoint").write_bytes(b"\xff\xfe")
    recovery(broken).carry_out(signed(propose(broken)))
    (folder / "checkpoint").write_text("no checkpoint\n")
    recovery(broken).carry_out(signed(propose(broken)))
    broken.start()


# -- who decides --


def test_refuses_one_operator_twice(broken):
    body = propose(broken, by=(ADA, ADA))
    roles = ("first_operator", "second_operator")
    both = [endorse(ADA, "recovery", "h-host", role, body) for role in roles]
    with pytest.raises(DecisionInvalid, match="one key twice"):
        recovery(broken).carry_out({**body, "endorsements": both})
    assert PublishedCopy(broken.folder / "published").checkpoint(broken.data) is None


def test_refuses_a_decision_that_only_one_has_signed(broken):
    body = signed(propose(broken), ADA)
    doubled = {**body, "endorsements": body["endorsements"] * 2}
    with pytest.raises(SignatureInvalid, match="endorsement by"):
        recovery(broken).carry_out(doubled)


def test_refuses_a_key_that_the_settings_do_not_name(broken):
    mallory = Ed25519Signer.generate()
    body = signed(propose(broken, by=(ADA, mallory)), ADA, mallory)
    with pytest.raises(DecisionInvalid, match="no operator's key here"):
        recovery(broken).carry_out(body)


def test_a_third_operator_can_neither_sign_for_another_nor_add_a_name(broken):
    body = propose(broken)
    with pytest.raises(DecisionInvalid, match="does not name this key"):
        approve(EVE, "h-host", body)
    forged = {**signed(body), "operators": [ADA.public.cose_key(), EVE.public.cose_key()]}
    with pytest.raises(SignatureInvalid):
        recovery(broken).carry_out(forged)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("origin", f"{NAME}/e-enterprise/register"),
        ("tree_size", 1),
        ("root_hash", bytes(32)),
        ("reason", "another"),
        ("act", "clock_stands"),
    ],
)
def test_refuses_a_decision_changed_after_it_was_signed(broken, field, value):
    with pytest.raises(SignatureInvalid):
        recovery(broken).carry_out({**signed(propose(broken)), field: value})


def test_refuses_a_decision_for_another_log_host(broken):
    body = propose(broken)
    for signer in (ADA, BO):
        body = approve(signer, "h-other", body)
    with pytest.raises(SignatureInvalid):
        recovery(broken).carry_out(body)


def test_refuses_a_decision_that_is_over_or_not_yet_made(broken):
    body = signed(propose(broken))
    broken.now += HOUR
    with pytest.raises(RecoveryRefused, match="does not hold now"):
        recovery(broken).carry_out(body)
    broken.now -= 3 * HOUR
    with pytest.raises(RecoveryRefused, match="does not hold now"):
        recovery(broken).carry_out(body)


def test_refuses_a_decision_that_holds_for_more_than_seven_days(broken):
    body = propose(broken)
    with pytest.raises(DecisionInvalid, match="seven days"):
        recovery(broken).carry_out(signed({**body, "until": body["decided_at"] + 8 * 24 * HOUR}))
    with pytest.raises(RecoveryRefused, match="seven days"):
        recovery(broken).propose(
            "rebuild_copy", origin=broken.data, reason="x", deciders=[ADA.public, BO.public],
            valid_ms=8 * 24 * HOUR,
        )  # fmt: skip


def test_nothing_is_proposed_where_nothing_is_wrong(world):
    for act in ("rebuild_copy", "clock_stands", "start_without"):
        with pytest.raises(RecoveryRefused, match="nothing that is wrong"):
            propose(world, act)


# -- what is believed --


def test_refuses_to_rebuild_from_a_database_behind_what_the_copy_still_says(world):
    """The drill that matters: an old backup, and two operators who have been told that the copy is broken."""
    world.accept(*[world.readings(world.main) for _ in range(5)])
    note = world.host.head(world.data).checkpoint
    with world.engine.begin() as connection:
        old = connection.execute(
            text("SELECT * FROM ledger_logs WHERE origin = :o"), {"o": world.data}
        ).mappings().one()  # fmt: skip
    world.accept(*[world.readings(world.main) for _ in range(5)])
    with world.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM ledger_entries WHERE log_id = :id AND index >= :size"), dict(old)
        )
        names = ("size", "root_hash", "frontier", "checkpoint", "published_size", "last_registered_at")
        changes = ", ".join(f"{name} = :{name}" for name in names)
        connection.execute(text(f"UPDATE ledger_logs SET {changes} WHERE id = :id"), dict(old))
    for tile in (world.folder / "published" / world.data / "tile").rglob("*"):
        if tile.is_file():
            tile.write_bytes(b"")
    (finding,) = recovery(world).findings()
    assert finding.act is None
    assert "restore a backup that is at least as new" in str(finding.error)
    body = {
        "act": "rebuild_copy", "origin": world.data, "tree_size": old["size"],
        "root_hash": bytes(old["root_hash"]), "view": None, "finding": "told so", "reason": "told so",
        "decided_at": world.now, "until": world.now + HOUR,
        "operators": [ADA.public.cose_key(), BO.public.cose_key()], "endorsements": [],
    }  # fmt: skip
    with pytest.raises(RollbackDetected, match="behind the published checkpoint"):
        recovery(world).carry_out(signed(body), known_checkpoints=[note])
    assert not world.host.select(HOST_REGISTER, kinds={"recovery"})


def test_refuses_to_rebuild_behind_a_checkpoint_that_a_member_holds(broken):
    body = signed(propose(broken))
    fork = broken.last.checkpoint
    with broken.engine.begin() as connection:
        connection.execute(
            text("UPDATE ledger_logs SET size = 2 WHERE origin = :origin"), {"origin": broken.data}
        )
    with pytest.raises((RollbackDetected, RecoveryRefused)):
        recovery(broken).carry_out(body, known_checkpoints=[fork])
    assert PublishedCopy(broken.folder / "published").checkpoint(broken.data) is None


def test_refuses_to_rebuild_entries_that_do_not_give_the_checkpoint(broken):
    body = signed(propose(broken))
    with broken.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_entries SET raw = set_byte(raw, 99, 0) WHERE index = 5"))
    with pytest.raises(LogDamaged, match="do not give"):
        recovery(broken).carry_out(body)
    assert not broken.host.select(HOST_REGISTER, kinds={"recovery"})


def test_refuses_a_known_checkpoint_of_another_log(broken):
    other = broken.host.head(broken.register).checkpoint
    with pytest.raises(LogDamaged, match="checkpoint"):
        recovery(broken).carry_out(signed(propose(broken)), known_checkpoints=[other])


@pytest.mark.parametrize("root", [None, bytes(32)])
def test_refuses_to_rebuild_a_log_of_logs_behind_or_beside_an_outsider(world, root):
    for _ in range(2):
        world.host.build_epoch()
    size, right = 3, world.host.root_at(world.log_of_logs, 3)
    shutil.rmtree(world.folder / "published" / world.log_of_logs)
    body = signed(propose(world, origin=world.log_of_logs))
    head = OutsideHead(size + 1, right) if root is None else OutsideHead(size, root)
    world.outside = [Outsider("witness w", world.log_of_logs, head)]
    with pytest.raises((RollbackDetected, LogDamaged), match="witness w"):
        recovery(world).carry_out(body)
    world.outside = [Outsider("witness w", world.log_of_logs)]
    with pytest.raises(OutsideUnreachable):
        recovery(world).carry_out(body)


# -- starting without an outsider --


def test_starts_without_one_outsider_until_the_decision_ends(world):
    world.host.build_epoch()
    world.outside = [Outsider("witness w", world.log_of_logs)]
    with pytest.raises(OutsideUnreachable):
        world.start()
    body = signed(propose(world, "start_without", view="witness w"))
    recovery(world).carry_out(body)
    world.start()
    world.start()
    world.accept(world.readings(world.main))
    assert decisions(world) == [body]
    world.now = body["until"]
    with pytest.raises(OutsideUnreachable):
        world.start()


def test_each_outsider_needs_a_decision_of_its_own_and_one_that_answers_is_heard(world):
    world.host.build_epoch()
    world.outside = [Outsider("witness w", world.log_of_logs), Outsider("contract c", world.log_of_logs)]
    recovery(world).carry_out(signed(propose(world, "start_without", view="witness w")))
    with pytest.raises(OutsideUnreachable, match="contract c"):
        world.start()
    recovery(world).carry_out(signed(propose(world, "start_without", view="contract c")))
    world.start()
    world.outside[0].newest = OutsideHead(9, bytes(32))
    with pytest.raises(RollbackDetected, match="witness w has 9"):
        world.start()


def test_a_logged_decision_does_not_count_for_who_names_other_operators_or_none(world):
    world.outside = [Outsider("witness w", world.log_of_logs)]
    recovery(world).carry_out(signed(propose(world, "start_without", view="witness w")))
    for operators in ([], [ADA.public, EVE.public]):
        world.operators = operators
        with pytest.raises(OutsideUnreachable):
            world.start()


def test_a_logged_decision_does_not_count_on_another_history(world):
    world.host.build_epoch()
    world.outside = [Outsider("witness w", world.log_of_logs)]
    body = {**propose(world, "start_without", view="witness w"), "root_hash": bytes(32)}
    with pytest.raises(LogDamaged, match="the decision's head"):
        recovery(world).carry_out(signed(body))
    with pytest.raises(OutsideUnreachable):
        world.start()


# -- the clock --


def test_clock_stands_by_two_operators_until_time_has_caught_up(world):
    world.accept(world.readings(world.main))
    last = world.now
    world.now -= 2 * HOUR
    with pytest.raises(ClockWentBack):
        world.start()
    body = signed(propose(world, "clock_stands"))
    assert body["until"] == last
    recovery(world).carry_out(body)
    world.start()
    world.host.tick(world.data)
    assert world.host.entries(world.data, 0, world.host.head(world.data).tree_size)[-1].registered_at == last
    world.now = last + 1
    world.start()
    assert decisions(world) == [body]


def test_a_clock_more_than_seven_days_back_is_not_for_two_persons(world):
    world.accept(world.readings(world.main))
    world.now -= 8 * 24 * HOUR
    with pytest.raises(RecoveryRefused, match="seven days are the most"):
        propose(world, "clock_stands")


# -- what nobody may decide --


def test_a_copy_out_of_reach_is_refused_and_no_act_gets_over_it(world, monkeypatch):
    def unreachable(self, name, *rest, **more):
        raise OSError("no route to host")

    store = type(PublishedCopy(world.folder / "published").store)
    for method in ("read", "folders_with"):
        with monkeypatch.context() as patch:
            patch.setattr(store, method, unreachable)
            with pytest.raises(CopyUnreachable, match="no route to host"):
                world.start()
            assert {finding.act for finding in recovery(world).findings()} == {None}
    world.start()


def test_tiles_out_of_reach_are_no_damage_and_nobody_is_told_to_rebuild_them(broken, monkeypatch):
    recovery(broken).carry_out(signed(propose(broken)))
    store = type(PublishedCopy(broken.folder / "published").store)
    read = store.read

    def unreachable(self, name):
        if "/tile/" in name:
            raise OSError("no route to host")
        return read(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(store, "read", unreachable)
        with pytest.raises(CopyUnreachable, match="no route to host"):
            broken.start()
        assert {finding.act for finding in recovery(broken).findings()} == {None}
    broken.start()


def test_a_copy_that_contradicts_the_database_is_evidence_and_is_not_rebuilt(world):
    world.accept(world.readings(world.main))
    size = world.host.head(world.data).tree_size
    set_back(world, world.data, sign_checkpoint(Checkpoint(world.data, size, bytes(32)), world.log_key))
    (finding,) = recovery(world).findings()
    assert finding.act is None
    assert "evidence of a second history" in str(finding.error)
    body = {**propose_anyway(world), "tree_size": size, "root_hash": world.host.root_at(world.data, size)}
    with pytest.raises(LogDamaged, match="the published checkpoint"):
        recovery(world).carry_out(signed(body))


def propose_anyway(world):
    return {
        "act": "rebuild_copy", "origin": world.data, "view": None, "finding": "x", "reason": "x",
        "decided_at": world.now, "until": world.now + HOUR,
        "operators": [ADA.public.cose_key(), BO.public.cose_key()], "endorsements": [],
    }  # fmt: skip


def test_one_log_put_back_behind_the_newest_epoch_is_found_without_any_copy(world):
    world.accept(world.readings(world.main))
    world.host.build_epoch()
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE ledger_logs SET size = 2, published_size = 0 WHERE origin = :o"), {"o": world.data}
        )
    reasons = [str(finding.error) for finding in recovery(world).findings()]
    assert any("where epoch 1 maps" in reason for reason in reasons)


@pytest.mark.parametrize("act", ["start_without", "rebuild_copy", "clock_stands"])
def test_refuses_to_write_a_decision_into_a_register_that_is_behind_its_published_copy(world, act):
    """Else the log key signs a second head of a size at which others hold the first one."""
    for _ in range(2):  # the second one notes what was published of the first
        world.accept(world.readings(world.main))
    with world.engine.begin() as connection:
        old = connection.execute(
            text("SELECT * FROM ledger_logs WHERE origin = :o"), {"o": HOST_REGISTER}
        ).mappings().one()  # fmt: skip
    world.host.tick(HOST_REGISTER)
    with world.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM ledger_entries WHERE log_id = :id AND index >= :size"), dict(old)
        )
        names = ("size", "root_hash", "frontier", "checkpoint", "published_size", "last_registered_at")
        changes = ", ".join(f"{name} = :{name}" for name in names)
        connection.execute(text(f"UPDATE ledger_logs SET {changes} WHERE id = :id"), dict(old))
    fields = {}
    if act == "start_without":
        world.outside = [Outsider("witness w", world.log_of_logs)]
        fields["view"] = "witness w"
    elif act == "rebuild_copy":
        shutil.rmtree(world.folder / "published" / world.data)
    else:
        world.now -= HOUR
    body = signed(propose(world, act, **fields))
    with pytest.raises(RollbackDetected, match="1 entries where the published copy has 2"):
        recovery(world).carry_out(body)
    with world.engine.begin() as connection:
        sizes = text("SELECT size FROM ledger_logs WHERE origin = :o")
        assert connection.execute(sizes, {"o": HOST_REGISTER}).scalar() == old["size"]
