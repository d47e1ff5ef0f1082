"""Cosignatures of the log of logs: gathered to a quorum, kept, never believed unseen, never waited for."""

from __future__ import annotations

import copy
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from carbonseal_attest.checkpoint import Checkpoint, sign_checkpoint
from carbonseal_attest.cosignature import cosign, open_by_policy
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import SignedNote
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.tlog_witness import AddCheckpoint
from carbonseal_ledger import witness_client
from carbonseal_ledger.errors import OutsideUnreachable, RollbackDetected, WitnessPolicyInvalid
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import ReceiptState
from carbonseal_ledger.outside_heads import OutsideHead
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.witness_views import WitnessesView, WitnessView
from carbonseal_ledger.witnessing import Witnessing
from witness_house import WitnessHouse


@pytest.fixture
def house(world, tmp_path) -> Iterator[WitnessHouse]:
    made = WitnessHouse(world.log_of_logs, world.log_key.public, tmp_path, world.now + 60_000)
    yield made
    made.stop()


def witnessing_of(world, policy: TlogPolicy, **options) -> Witnessing:
    return Witnessing(world.engine, policy, world.log_of_logs, world.clock, **({"grace_s": 0} | options))


def restart(world, witnessing: Witnessing | None, outside=()) -> LogHost:
    world.host.close()
    world.host = LogHost(
        world.engine, PublishedCopy(world.folder / "published"), world.log_key, world.clock,
        name="log.carbonseal.example", party="h-host", registrar="r-registrar",
        registrar_keys=[world.registrar.public], witnesses=witnessing, outside=outside,
    )  # fmt: skip
    return world.host


# -- gathering


def test_quorum_is_gathered_and_the_checkpoint_then_holds_under_the_policy(world, house):
    one, two, three = (house.witness(name) for name in ("a", "b", "c"))
    policy = house.policy(one, two, three, threshold=2)
    world.host.build_epoch()
    with closing(witnessing_of(world, policy, grace_s=5)) as witnessing:
        host = restart(world, witnessing)
        with pytest.raises(NoteInvalid, match="quorum"):
            open_by_policy(
                SignedNote.parse(host.checkpoint(world.log_of_logs).encode()), log_policy(house, policy)
            )
        found = witnessing.gather(host)
        assert (found.is_met, found.tree_size, found.witnessed_size) == (True, 2, 2)
        note = newest(host, world)
    head, times = open_by_policy(note, log_policy(house, policy))
    assert (head.tree_size, set(times)) == (2, {"w1", "w2", "w3"})
    assert set(times.values()) == {house.now // 1000}
    assert note.signatures[0].name == world.log_of_logs


def newest(host: LogHost, world) -> SignedNote:
    return SignedNote.parse(host.checkpoint(world.log_of_logs).encode())


def log_policy(house: WitnessHouse, policy: TlogPolicy) -> TlogPolicy:
    return TlogPolicy.parse(f"log {house.log}\n{policy.text}")


def test_growth_is_proved_from_what_each_witness_holds(world, house):
    one, two = house.witness("a"), house.witness("b")
    with closing(witnessing_of(world, house.policy(one, two, threshold=2))) as witnessing:
        for expected in (2, 3, 4):
            world.host.build_epoch()
            assert witnessing.gather(world.host).witnessed_size == expected
        two.stop()
        for _ in range(3):
            world.host.build_epoch()
            found = witnessing.gather(world.host)
        assert (found.is_met, found.witnessed_size, found.tree_size) == (False, 4, 7)
        assert [(s.cosigned_size, s.failures, s.problem_code) for s in found.standings] == [
            (7, 0, ""),
            (4, 3, "witness-unavailable"),
        ]
        two.start()
        assert witnessing.gather(world.host).witnessed_size == 7
        assert two.size == 7


def test_log_goes_on_and_says_so_while_every_witness_is_down(world, house, caplog):
    one = house.witness("a")
    one.stop()
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        host = restart(world, witnessing)
        sent = world.accept(world.readings(world.main))
        host.build_epoch()
        found = witnessing.gather(host)
        assert (found.is_met, found.witnessed_size) == (False, 0)
        assert "lacks the quorum g" in caplog.text
        assert host.receipt_state(world.data, sent[0].digest) is ReceiptState.LOGGED
        assert host.checkpoint(world.log_of_logs) == host.head(world.log_of_logs).checkpoint


def test_receipt_is_witnessed_when_an_epoch_with_the_quorum_holds_it(world, house):
    class Anchors:
        anchored = final = 0

        def anchored_size(self):
            return self.anchored

        def final_size(self):
            return self.final

    one, anchors = house.witness("a"), Anchors()
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        host = restart(world, witnessing)
        host._desk.anchors = anchors
        first = world.accept(world.readings(world.main))[0].digest
        host.build_epoch()
        witnessing.gather(host)
        second = world.accept(world.readings(world.main))[0].digest
        host.build_epoch()
        states = [host.receipt_state(world.data, digest) for digest in (first, second)]
        assert states == [ReceiptState.WITNESSED, ReceiptState.LOGGED]
        anchors.anchored = 2
        witnessing.gather(host)
        states = [host.receipt_state(world.data, digest) for digest in (first, second)]
        assert states == [ReceiptState.ANCHORED, ReceiptState.WITNESSED]
        anchors.final = 2
        assert host.receipt_state(world.data, first) is ReceiptState.FINAL


def test_cosignatures_outlive_the_process_and_are_not_asked_for_again(world, house):
    one = house.witness("a")
    policy = house.policy(one, threshold=1)
    world.host.build_epoch()
    with closing(witnessing_of(world, policy)) as witnessing:
        witnessing.gather(world.host)
    one.stop()
    with closing(witnessing_of(world, policy)) as witnessing:
        found = witnessing.gather(world.host)
        assert (found.is_met, witnessing.witnessed_size(), found.standings[0].failures) == (True, 2, 0)


def test_lost_record_of_what_a_witness_holds_is_learnt_from_its_409(world, house):
    one = house.witness("a")
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        for _ in range(2):
            world.host.build_epoch()
            witnessing.gather(world.host)
        with world.engine.begin() as connection:
            connection.execute(text("DELETE FROM ledger_witness_answers"))
        world.host.build_epoch()
        assert witnessing.gather(world.host).witnessed_size == 4
        with world.engine.begin() as connection:  # and the cosignature that was not stored in time
            connection.execute(text("DELETE FROM ledger_cosignatures WHERE tree_size = 4"))
        assert witnessing.gather(world.host).is_met


def test_two_workers_that_gather_at_once_get_the_same_cosignatures(world, house):
    one, two = house.witness("a"), house.witness("b")
    policy, start = house.policy(one, two, threshold=2), threading.Barrier(2)
    world.host.build_epoch()
    found = []

    def gather():
        with closing(witnessing_of(world, policy)) as witnessing:
            start.wait()
            found.append(witnessing.gather(world.host))

    threads = [threading.Thread(target=gather) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.is_met for one in found] == [True, True]


def test_slow_witness_is_not_waited_for_beyond_the_grace_and_still_counts_later(world, house):
    release, asked = threading.Event(), threading.Event()
    slow = house.witness("slow")

    def answer(method, path, body):
        asked.set()
        release.wait()
        given = slow.witness.add_checkpoint(body)
        return given.status, {"Content-Type": given.media_type}, given.body

    behind, quick = house.liar(answer), house.witness("quick")
    policy = house.policy(quick, replace_vkey(behind, slow), threshold=1)
    world.host.build_epoch()
    witnessing = witnessing_of(world, policy)
    found = witnessing.gather(world.host)
    assert asked.wait(10)
    assert (found.is_met, found.standings[1].cosigned_size) == (True, 0)
    again = witnessing.gather(world.host)  # the slow answer is still awaited: no second request
    assert again.is_met
    release.set()
    witnessing.close()
    with closing(witnessing_of(world, policy)) as after:
        assert after.standing(world.host.head(world.log_of_logs)).standings[1].cosigned_size == 2


def replace_vkey(liar, witness):
    """The witness under the other's address."""
    liar.vkey = witness.vkey
    return liar


# -- witnesses that lie, and those that know better


def unsigned(note: SignedNote, liar, seconds: int) -> bytes:
    return cosign(note, liar.vkey, liar.signer, time=seconds).signatures[-1].line().encode()


def lie_of(name: str, body: bytes, liar, world) -> tuple[int, dict[str, str], bytes]:
    request = AddCheckpoint.parse(body)
    head = Checkpoint.parse(request.note.text)
    other = replace(head, tree_size=head.tree_size + 1)
    match name:
        case "a cosignature of another head":
            note = SignedNote.parse(sign_checkpoint(other, world.log_key).encode())
            return 200, {}, unsigned(note, liar, 5)
        case "the log's own line":
            return 200, {}, request.note.signatures[0].line().encode()
        case "an endless walk of sizes":
            return 409, {}, b"%d\n" % (1 - request.old_size)
    return {
        "thanks": (200, {}, b"thank you\n"),
        "nothing": (200, {}, b""),
        "too much": (200, {}, b"x" * 200_000),
        "a redirect": (307, {"Location": "http://127.0.0.1:1/"}, b""),
        "no size": (409, {}, b"many\n"),
        "an error": (500, {}, b"\x1b[31mred"),
    }[name]


LIES = (
    *("a cosignature of another head", "the log's own line", "an endless walk of sizes", "thanks", "nothing"),
    *("too much", "a redirect", "no size", "an error"),
)


@pytest.mark.parametrize(
    "drip", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_answer_that_never_ends_holds_up_neither_epochs_nor_the_start(world, house, monkeypatch, drip):
    monkeypatch.setattr(witness_client, "ANSWER_S", 0.3)
    policy = house.policy(house.dripper(drip), house.witness("one"), threshold=2)
    world.host.build_epoch()
    with closing(witnessing_of(world, policy)) as witnessing:
        found = witnessing.gather(world.host)
        assert not found.is_met
        assert "does not answer" in found.standings[0].problem
        with pytest.raises(OutsideUnreachable, match="does not answer"):
            WitnessView(witnessing.clients["w1"], world.log_of_logs, [world.log_key.public]).head(
                world.log_of_logs
            )


def test_answer_that_is_no_cosignature_counts_for_nothing_and_is_shown(world, house):
    world.host.build_epoch()
    for lie in LIES:
        made = []

        def answer(method, path, body, lie=lie, made=made):
            return lie_of(lie, body, made[0], world)

        made.append(house.liar(answer))
        with closing(witnessing_of(world, house.policy(made[0], threshold=1))) as witnessing:
            found = witnessing.gather(world.host)
            assert (found.is_met, found.witnessed_size) == (False, 0), lie
            assert found.standings[0].problem_code == "witness-unavailable", lie
            assert "\x1b" not in found.standings[0].problem


def test_witness_that_does_not_know_the_log_is_named_so(world, house):
    world.host.build_epoch()
    for status in (400, 403, 404):
        liar = house.liar(lambda *_, status=status: (status, {}, b"who is \x1b[31m that?"))
        with closing(witnessing_of(world, house.policy(liar, threshold=1))) as witnessing:
            (standing,) = witnessing.gather(world.host).standings
            assert (standing.problem_code, "\x1b" in standing.problem) == ("witness-refuses", False)


def test_damaged_cosignature_in_the_published_checkpoint_gives_way_to_the_stored_one(world, house):
    one = house.witness("a")
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        host = restart(world, witnessing)
        host.build_epoch()
        witnessing.gather(host)
        assert host.publish_cosignatures()
        whole = host.head(world.log_of_logs).checkpoint
        note = SignedNote.parse(whole.encode())
        spoilt = note.signatures[1]._replace(signature=bytes(72))
        damaged = SignedNote(note.text, (note.signatures[0], spoilt)).encode().decode()
        assert witnessing.cosigned(damaged) == whole == witnessing.cosigned(whole)
        with world.engine.begin() as connection:
            connection.execute(text("DELETE FROM ledger_cosignatures"))
        assert witnessing.cosigned(whole) == whole, "what is published is not lost with the database"


def test_witness_that_holds_another_history_is_a_contradiction(world, house):
    """The log's key signed a fork, and the witness saw that first."""
    one = house.witness("a")
    fork = sign_checkpoint(Checkpoint(world.log_of_logs, 2, bytes(32)), world.log_key).encode()
    assert one.witness.add_checkpoint(AddCheckpoint(0, (), SignedNote.parse(fork)).encode()).status == 200
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        for _ in range(2):  # at the fork's size, and beyond it
            world.host.build_epoch()
            found = witnessing.gather(world.host)
            assert (found.is_met, found.contradicting) == (False, ["w1"])


def test_witness_that_holds_more_than_the_log_is_a_contradiction(world, house):
    one = house.witness("a")
    ahead = sign_checkpoint(Checkpoint(world.log_of_logs, 9, bytes(32)), world.log_key).encode()
    assert one.witness.add_checkpoint(AddCheckpoint(0, (), SignedNote.parse(ahead)).encode()).status == 200
    world.host.build_epoch()
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        found = witnessing.gather(world.host)
        assert found.contradicting == ["w1"]
        assert "holds a head of 9 entries" in found.standings[0].problem


def test_row_that_somebody_wrote_into_the_table_counts_for_nothing(world, house):
    one = house.witness("a")
    one.stop()
    world.host.build_epoch()
    head = world.host.head(world.log_of_logs)
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        with world.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO ledger_cosignatures VALUES (:o, :s, :w, :r, :x, 1)"),
                {
                    "o": head.origin,
                    "s": head.tree_size,
                    "w": str(one.vkey),
                    "r": head.root_hash,
                    "x": bytes(72),
                },
            )
        assert witnessing.witnessed_size() == 0
        assert witnessing.cosigned(head.checkpoint) == head.checkpoint
        one.start()
        assert not witnessing.gather(world.host).is_met, "the first row of a head stays; fsck finds it"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("witness a {v}\nquorum a\n", "no http"),
        ("witness a {v} ftp://x\nquorum a\n", "no http"),
        ("witness a {v} http://x\nquorum none\n", "asks nobody"),
        ("log {l}\nwitness a {v} http://x\nquorum a\n", "name a log"),
    ],
)
def test_policy_that_cannot_be_asked_is_refused(world, house, lines, reason):
    one = house.witness("a")
    policy = TlogPolicy.parse(lines.format(v=one.vkey, l=house.log))
    with pytest.raises(WitnessPolicyInvalid, match=reason):
        witnessing_of(world, policy)


# -- what start-up asks


def test_view_shows_the_newest_head_that_the_witness_cosigned(world, house):
    one = house.witness("a")
    with closing(witnessing_of(world, house.policy(one, threshold=1))) as witnessing:
        view = WitnessView(witnessing.clients["w1"], world.log_of_logs, [world.log_key.public])
        assert view.head(world.log_of_logs) is None
        world.host.build_epoch()
        witnessing.gather(world.host)
        head = world.host.head(world.log_of_logs)
        assert view.head(world.log_of_logs) == OutsideHead(2, head.root_hash)
        other = WitnessView(
            witnessing.clients["w1"],
            world.log_of_logs,
            [world.enterprise.public, world.log_key.public],
        )
        assert other.head(world.log_of_logs) == view.head(world.log_of_logs), "a retired key still counts"
        one.stop()
        assert view.head(world.data) is None, "nobody is asked about a log that is not witnessed"
        with pytest.raises(OutsideUnreachable):
            view.head(world.log_of_logs)


def test_view_refuses_a_head_without_both_signatures(world, house):
    for what in ("not cosigned", "not the log's", "of another log", "garbage"):
        made = []

        def answer(method, path, body, what=what, made=made):
            origin = world.data if what == "of another log" else world.log_of_logs
            signer = world.enterprise if what == "not the log's" else world.log_key
            note = SignedNote.parse(sign_checkpoint(Checkpoint(origin, 9, bytes(32)), signer).encode())
            if what != "not cosigned":
                note = cosign(note, made[0].vkey, made[0].signer, time=5)
            return 200, {}, b"nonsense" if what == "garbage" else note.encode()

        made.append(house.liar(answer))
        with closing(witnessing_of(world, house.policy(made[0], threshold=1))) as witnessing:
            view = WitnessView(witnessing.clients["w1"], world.log_of_logs, [world.log_key.public])
            with pytest.raises(OutsideUnreachable):
                view.head(world.log_of_logs)


def test_enough_witnesses_are_asked_when_the_silent_ones_could_be_no_quorum_alone(world, house):
    ones = [house.witness(name) for name in "abc"]
    with closing(witnessing_of(world, house.policy(*ones, threshold=2), grace_s=5)) as witnessing:
        world.host.build_epoch()
        witnessing.gather(world.host)
        view = WitnessesView(witnessing, [world.log_key.public])
        ones[0].stop()
        assert view.head(world.log_of_logs).size == 2
        ones[1].stop()
        with pytest.raises(OutsideUnreachable, match="too few"):
            view.head(world.log_of_logs)
        assert view.head(world.data) is None


def test_start_refuses_when_database_and_copy_went_back_together_behind_a_witness(
    world, house, server, tmp_path
):
    """What only an outsider can tell: both of ours were restored from one old backup."""

    one = house.witness("a")
    policy = house.policy(one, threshold=1)
    world.host.build_epoch()
    old = world.engine.url.database
    world.engine.dispose()
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {old}_old TEMPLATE {old}"))
    shutil.copytree(world.folder / "published", tmp_path / "old" / "published")
    with closing(witnessing_of(world, policy)) as witnessing:
        world.host.build_epoch()
        witnessing.gather(world.host)
        view = WitnessesView(witnessing, [world.log_key.public])
        restart(world, witnessing, [view])
        back = create_engine(world.engine.url.set(database=f"{old}_old"), poolclass=NullPool)
        rolled = replace_world(world, back, tmp_path / "old")
        with pytest.raises(RollbackDetected, match="witnesses of g has 3"):
            restart(rolled, None, [view])
        one.stop()
        with pytest.raises(OutsideUnreachable):
            restart(world, witnessing, [view])
    back.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {old}_old WITH (FORCE)"))


def replace_world(world, engine, folder):
    other = copy.copy(world)
    other.engine, other.folder = engine, folder
    return other
