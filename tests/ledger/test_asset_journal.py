"""Acts upon asset records on a real chain: killed at every step, reorganised, stuck, refused: done once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asset_world import BATCH, BUYER, HOLDER, REGISTRY, AssetHarbour, run_to_final
from sqlalchemy import select
from sqlalchemy.orm import Session

from carbonseal_attest.merkle import leaf_hash
from carbonseal_ledger import carbon_assets_calls as calls
from carbonseal_ledger.anvil_node import AnvilNode
from carbonseal_ledger.asset_acts import (
    ActInvalid,
    ActKind,
    Cancel,
    Freeze,
    Move,
    Record,
    Release,
    Retire,
    Split,
    Surrender,
    record_id_of,
    text_id,
)
from carbonseal_ledger.asset_agreement import Difference
from carbonseal_ledger.asset_book import ActState, AssetBook, MemberKeyMissing
from carbonseal_ledger.asset_evidence import AnchoredHeadForeign, ReportEvidence
from carbonseal_ledger.asset_journal import AssetJournal
from carbonseal_ledger.asset_machine import AssetConflict
from carbonseal_ledger.asset_models import AssetTransaction
from carbonseal_ledger.asset_refusals import (
    AlreadyHolds,
    NotFrozenFor,
    PartyUnknown,
    RecordFrozen,
    RecordNotLive,
    RecordUnknown,
    SerialsOverlap,
    SplitInvalid,
    TransferUsed,
)
from carbonseal_ledger.asset_sending import Members
from carbonseal_ledger.carbon_assets import AssetsNotReady, CarbonAssetsClient
from carbonseal_ledger.carbon_assets_calls import AssetState
from carbonseal_ledger.chain_answers import ChainUnreachable
from carbonseal_ledger.chain_fees import FeeLimits
from carbonseal_ledger.database import open_database
from conftest import World, made_database

LEAF = b"\x1e" * 32
CAUSE, CURE = b"\xca" * 32, b"\xce" * 32
DAY = 86_400_000


@pytest.fixture(scope="module")
def harbour(server, tmp_path_factory):
    """One chain and one contract for all tests here; each records serials of its own."""
    with made_database(server) as url:
        engine = open_database(url, Path("/unused"), pool_size=24)
        world = World(engine, tmp_path_factory.mktemp("assets")).found()
        with AnvilNode(started_at=world.now) as node:
            yield AssetHarbour(node, world).found()
        engine.dispose()


@pytest.fixture(autouse=True)
def begin_anew(request):
    """A harbour that another test lost is there again."""
    if "harbour" in request.fixturenames:
        harbour = request.getfixturevalue("harbour")
        harbour.limits = FeeLimits()
        harbour.restart()


def transactions(harbour: AssetHarbour, act_id: int) -> list[AssetTransaction]:
    query = select(AssetTransaction).where(AssetTransaction.act_id == act_id)
    with Session(harbour.engine) as session:
        return list(session.scalars(query.order_by(AssetTransaction.signed_at, AssetTransaction.max_fee_wei)))


def counts(harbour: AssetHarbour) -> list[int]:
    """How many transactions of the first and the second person the chain holds."""
    return [harbour.chain.transaction_count(harbour.accounts[name].address) for name in (HOLDER, "registrar")]


def acts_upon(harbour: AssetHarbour, record: bytes) -> list[ActKind]:
    return [event.act for event in harbour.book.events() if event.record == record]


# -- kills

BEFORE_SENDING = ["planned", "proposal_signed", "proposed", "confirm_signed"]
AFTER_SENDING = ["sending the proposal", "proposal_sent", "sending the confirmation", "confirm_sent"]
KILLS = [*BEFORE_SENDING, *AFTER_SENDING, "mined", "final"]


def killed_at(point: str, harbour: AssetHarbour, act) -> None:
    """Run in a process of its own: do the act, and be killed as soon as `point` is reached."""

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def kill_in_state(method):
        def call(*arguments, **named):
            told = method(*arguments, **named)
            if told.state == point:
                kill()
            return told

        return call

    sends = []

    def kill_while_sending(method):
        def call(client, raw):
            method(client, raw)
            sends.append(raw)
            if (len(sends), point) in {(1, AFTER_SENDING[0]), (2, AFTER_SENDING[2])}:
                kill()

        return call

    for name in ("plan", "sign", "sent", "change"):
        setattr(AssetJournal, name, kill_in_state(getattr(AssetJournal, name)))
    CarbonAssetsClient.send = kill_while_sending(CarbonAssetsClient.send)
    harbour.engine.dispose(close=False)  # its connections are the parent's
    run_to_final(harbour.restart(), harbour.book.plan(act).id, harbour.mine)
    os._exit(1)  # the point was never reached


def kill_at(point: str, harbour: AssetHarbour, act) -> None:
    process = multiprocessing.get_context("fork").Process(target=killed_at, args=(point, harbour, act))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, point
    # The child's blocks carry later times than this process knows of.
    harbour.world.now = harbour.chain.block("latest").block_at


def every_kill() -> list:
    """All of them in long runs; of those with a block meanwhile, else, only where it makes a difference."""
    sample = {(point, point in AFTER_SENDING[::2]) for point in KILLS} | {(AFTER_SENDING[2], False)}
    return [
        pytest.param(
            point,
            is_mined,
            id=f"{point}, {'a' if is_mined else 'no'} block meanwhile",
            marks=() if (point, is_mined) in sample else pytest.mark.long,
        )
        for point in KILLS
        for is_mined in (False, True)
    ]


@pytest.mark.parametrize(("point", "is_mined_meanwhile"), every_kill())
def test_killed_at_any_step_the_act_is_done_once_by_the_stored_bytes(
    harbour, point, is_mined_meanwhile, is_long_run
):
    for make in (new_record, new_move) if is_long_run else (new_record,):
        act = make(harbour)
        before = counts(harbour)
        kill_at(point, harbour, act)
        if is_mined_meanwhile:
            harbour.mine()
        harbour.restart()
        known = harbour.book.acts(record=act.record)[-1]
        stored = [t.transaction_hash for t in transactions(harbour, known.id)]
        told = harbour.do(act)  # whoever asked for it asks again

        assert (told.id, told.state) == (known.id, ActState.FINAL)
        assert acts_upon(harbour, act.record).count(act.kind) == 1
        assert [after - first for after, first in zip(counts(harbour), before, strict=True)] == [1, 1]
        sent = [t.transaction_hash for t in transactions(harbour, told.id)]
        assert len(sent) == 2
        assert sent[: len(stored)] == stored
        assert told.transaction_hash == sent[1]


def new_record(harbour: AssetHarbour) -> Record:
    return harbour.new_record()


def new_move(harbour: AssetHarbour) -> Move:
    return Move(harbour.recorded(), BUYER, f"transfer {harbour.next_serial}")


def test_node_that_falls_silent_right_after_sending_changes_nothing(harbour, monkeypatch):
    act = harbour.new_record()
    planned = harbour.book.plan(act)
    before = counts(harbour)

    def silent_after(method):
        def call(client, raw):
            method(client, raw)
            raise ChainUnreachable("chain", "no answer", "try again")

        return call

    with monkeypatch.context() as patch:
        patch.setattr(CarbonAssetsClient, "send", silent_after(CarbonAssetsClient.send))
        with pytest.raises(ChainUnreachable):
            harbour.book.step(planned.id)
    assert harbour.finish(planned.id).state == ActState.FINAL
    assert [after - first for after, first in zip(counts(harbour), before, strict=True)] == [1, 1]


def test_two_journals_at_once_do_one_act_once(harbour):
    act = harbour.new_record()
    books = [
        AssetBook(
            harbour.engine,
            harbour.client(),
            harbour.world.clock,
            members=harbour.members(),
            evidence=ReportEvidence(harbour.world.host),
        )
        for _ in range(2)
    ]
    before = counts(harbour)
    with ThreadPoolExecutor(2) as pool:
        ids = {told.id for told in pool.map(lambda book: book.plan(act), books)}
        assert len(ids) == 1
        (act_id,) = ids
        for _ in range(6):
            list(pool.map(lambda book: book.step(act_id), books))
            harbour.mine(2)
    assert harbour.finish(act_id).state == ActState.FINAL
    assert [after - first for after, first in zip(counts(harbour), before, strict=True)] == [1, 1]
    assert len(transactions(harbour, act_id)) == 2


def test_journal_restored_from_nothing_finds_the_act_done(harbour, server):
    act = harbour.new_record()
    first = harbour.do(act)
    before = counts(harbour)
    admins = harbour.chain.transaction_count(harbour.accounts["admin"].address)
    with made_database(server) as url:
        engine = open_database(url, Path("/unused"))
        client = CarbonAssetsClient(harbour.node.url, contract=harbour.book.contract)
        evidence = ReportEvidence(harbour.world.host)
        other = AssetBook(engine, client, harbour.world.clock, members=harbour.members(), evidence=evidence)
        again = run_to_final(other, other.plan(act).id, harbour.mine)
        founded = [run_to_final(other, told.id, harbour.mine) for told in other.found()]
        engine.dispose()
    assert (again.state, again.transaction_hash) == (ActState.FINAL, first.transaction_hash)
    assert (again.block_hash, again.log_index) == (first.block_hash, first.log_index)
    assert {(told.state, told.gas_used) for told in founded} == {(ActState.FINAL, None)}
    assert counts(harbour) == before
    assert harbour.chain.transaction_count(harbour.accounts["admin"].address) == admins


def test_two_journals_that_do_not_know_each_other_do_one_act_once(harbour, server):
    """An old copy of the database was started beside the one in use, with the same keys."""
    act = harbour.new_record()
    with made_database(server) as url:
        engine = open_database(url, Path("/unused"))
        client = CarbonAssetsClient(harbour.node.url, contract=harbour.book.contract)
        evidence = ReportEvidence(harbour.world.host)
        other = AssetBook(engine, client, harbour.world.clock, members=harbour.members(), evidence=evidence)
        ids = (harbour.book.plan(act).id, other.plan(act).id)
        for _ in range(12):
            harbour.book.step(ids[0])
            other.step(ids[1])
            harbour.mine()
        told = [harbour.finish(ids[0]), run_to_final(other, ids[1], harbour.mine)]
        engine.dispose()
    assert [one.state for one in told] == [ActState.FINAL] * 2, told
    assert told[0].transaction_hash == told[1].transaction_hash
    assert acts_upon(harbour, act.record) == [ActKind.RECORD]
    harbour.do(Retire(act.record, "the nonces go on"))


# -- reorganisations, lost and stuck transactions


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_reorganisation_that_drops_the_act_is_survived(harbour, depth):
    act = harbour.new_record()
    told = harbour.book.plan(act)
    while told.state != ActState.MINED:
        told = harbour.book.step(told.id)
        if told.state != ActState.MINED:
            harbour.mine()
    # Of depth 1 the confirmation is gone, of 2 and 3 the proposal too; the node puts neither back.
    before = [t.transaction_hash for t in transactions(harbour, told.id)]
    harbour.node.rpc("anvil_reorg", depth, [])
    assert harbour.book.record_of(act.record).state == AssetState.NONE
    again = harbour.finish(told.id)
    assert again.state == ActState.FINAL
    assert again.block_hash != told.block_hash
    assert again.transaction_hash == told.transaction_hash
    assert [t.transaction_hash for t in transactions(harbour, told.id)] == before
    assert acts_upon(harbour, act.record) == [ActKind.RECORD]


def test_reorganisation_that_drops_the_proposal_alone_sends_it_again(harbour):
    told = harbour.book.plan(Retire(harbour.recorded(), "reference"), is_held=True)
    while told.state != ActState.PROPOSED:
        told = harbour.book.step(told.id)
        harbour.mine()
    harbour.mine()
    harbour.book.step(told.id)
    harbour.node.rpc("anvil_reorg", 3, [])
    assert harbour.book.step(told.id).state == ActState.PROPOSAL_SENT
    harbour.book.step(told.id)
    harbour.mine()
    assert harbour.book.step(told.id).state == ActState.PROPOSED
    harbour.book.confirm(told.id)
    assert harbour.finish(told.id).state == ActState.FINAL
    assert len(transactions(harbour, told.id)) == 2


def test_transaction_that_the_node_forgot_is_sent_again(harbour):
    act = harbour.new_record()
    told = harbour.book.plan(act)
    for state in (ActState.PROPOSAL_SENT, ActState.CONFIRM_SENT):
        assert harbour.book.step(told.id).state == state
        harbour.node.rpc("anvil_dropAllTransactions")
        harbour.mine()
        assert harbour.book.step(told.id).state == state
        harbour.mine()
    assert harbour.finish(told.id).state == ActState.FINAL
    assert len(transactions(harbour, told.id)) == 2


def test_stuck_transactions_are_replaced_with_both_fees_raised(harbour):
    act = harbour.new_record()
    before = counts(harbour)
    told = harbour.book.plan(act)
    for state in (ActState.PROPOSAL_SENT, ActState.CONFIRM_SENT):
        assert harbour.book.step(told.id).state == state
        # What was sent stays unmined: the base fee is beyond what it offers.
        price = 3 * transactions(harbour, told.id)[-1].max_fee_wei
        harbour.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(price))
        harbour.mine()
        harbour.world.now += FeeLimits().replace_after_ms
        harbour.book.step(told.id)
        harbour.mine()
    told = harbour.finish(told.id)
    assert told.state == ActState.FINAL
    assert [after - first for after, first in zip(counts(harbour), before, strict=True)] == [1, 1]
    sent = transactions(harbour, told.id)
    for leg in ("proposal", "confirmation"):
        old, *_, new = (t for t in sent if t.leg == leg)
        assert old.nonce == new.nonce
        assert new.max_fee_wei * 8 >= old.max_fee_wei * 9
        assert new.max_priority_fee_wei * 8 >= old.max_priority_fee_wei * 9
    harbour.mine(40)  # the base fee comes down again


def test_fees_beyond_the_limit_are_not_paid(harbour):
    harbour.limits = FeeLimits(max_fee_wei=1)
    harbour.restart()
    told = harbour.book.plan(harbour.new_record())
    told = harbour.book.step(told.id)
    assert told.state == ActState.PLANNED
    assert "the limit is 1" in (told.problem or "")
    harbour.limits = FeeLimits()
    harbour.restart()
    assert harbour.finish(told.id).state == ActState.FINAL


def test_head_that_moves_on_between_the_two_persons_changes_nothing(harbour):
    told = harbour.book.plan(harbour.new_record(), is_held=True)
    while told.state != ActState.PROPOSED:
        told = harbour.book.step(told.id)
        harbour.mine()
    harbour.anchor_epoch()
    harbour.book.confirm(told.id)
    assert harbour.finish(told.id).state == ActState.FINAL
    assert len(transactions(harbour, told.id)) == 2


def test_head_that_moves_on_after_the_confirmation_was_signed_has_it_made_anew(harbour):
    told = harbour.book.plan(harbour.new_record())
    while told.state != ActState.CONFIRM_SENT:
        told = harbour.book.step(told.id)
        if told.state != ActState.CONFIRM_SENT:
            harbour.mine()
    harbour.node.rpc("anvil_dropAllTransactions")
    harbour.anchor_epoch()
    told = harbour.finish(told.id)  # the stored bytes are sent again, revert, and use their nonce up
    assert told.state == ActState.FINAL
    first, second = [t for t in transactions(harbour, told.id) if t.leg == "confirmation"]
    assert second.nonce == first.nonce + 1
    assert told.transaction_hash == second.transaction_hash


class HurriedEvidence(ReportEvidence):
    """Right after the first evidence was made, the next epoch is anchored; and so each time it is told to."""

    def __init__(self, harbour: AssetHarbour) -> None:
        super().__init__(harbour.world.host)
        self.harbour, self.hurries = harbour, 1

    def evidence(self, act, head):
        made = super().evidence(act, head)
        if self.hurries:
            self.hurries -= 1
            self.harbour.anchor_epoch()
        return made


def test_head_that_moves_on_between_evidence_and_question_is_asked_for_again(harbour):
    evidence = HurriedEvidence(harbour)
    book = AssetBook(
        harbour.engine, harbour.client(), harbour.world.clock, members=harbour.members(), evidence=evidence
    )
    told = book.plan(harbour.new_record())
    while told.state != ActState.PROPOSED:
        told = book.step(told.id)
        if told.state == ActState.PROPOSAL_SENT:
            evidence.hurries = 1
        harbour.mine()
        assert told.state in {ActState.PROPOSAL_SENT, ActState.PROPOSED}
    assert told.problem_code == "asset-head-moved-on"  # and it goes on all the same
    assert run_to_final(book, told.id, lambda: harbour.mine(5)).state == ActState.FINAL


def test_signed_nonce_is_used_up_even_when_the_act_fails(harbour):
    """Reorganised away, the proposer's nonce taken by something else, and the record frozen meanwhile."""
    told = harbour.book.plan(Retire(harbour.recorded(), "reference"))
    while told.state != ActState.CONFIRM_SENT:
        told = harbour.book.step(told.id)
        if told.state == ActState.PROPOSAL_SENT:
            harbour.mine()
    harbour.node.rpc("anvil_dropAllTransactions")
    harbour.node.rpc("anvil_reorg", 1, [])
    foreign = calls.proposal(Freeze(b"\x01" * 32, CAUSE))
    fees = harbour.chain.suggest_fees()
    for name, data in (
        (HOLDER, foreign),
        ("second", calls.confirmation(Freeze(told.record, CAUSE), None)),
    ):
        account = harbour.accounts[name]
        nonce = harbour.chain.transaction_count(account.address)
        signed = harbour.chain.sign(account, harbour.book.contract, data, nonce=nonce, fees=fees, gas=200_000)
        harbour.chain.send(signed.raw)
    harbour.mine()
    failed = harbour.finish(told.id)
    assert (failed.state, failed.problem_code) == (ActState.FAILED, "asset-record-frozen")
    before = counts(harbour)
    adopted = harbour.do(Freeze(told.record, CAUSE))  # another registrar has done that
    assert (adopted.state, adopted.gas_used) == (ActState.FINAL, None)
    assert harbour.do(harbour.new_record()).state == ActState.FINAL
    assert [after - first for after, first in zip(counts(harbour), before, strict=True)] == [1, 1]


# -- refused before anything is sent


def refused_unsent(harbour: AssetHarbour, error, act, match: str | None = None) -> None:
    before, known = counts(harbour), len(harbour.book.acts())
    with pytest.raises(error, match=match):
        harbour.book.plan(act)
    harbour.mine()
    assert counts(harbour) == before
    assert len(harbour.book.acts()) == known


def test_recording_twice_and_overlapping_ranges_are_refused(harbour):
    act = harbour.new_record()
    harbour.serials(20)
    told = harbour.do(act)
    assert harbour.do(act) == told  # the same act again is the same act
    for first, last in ((act.first, act.last), (act.first + 3, act.last + 3), (act.last, act.last + 1)):
        other = harbour.new_record(first=first, last=last, holder=BUYER)
        refused_unsent(harbour, SerialsOverlap, other, f"serials {act.first} to {act.last} .* already")
    harbour.do(Retire(act.record, "used up"))
    again = harbour.new_record(first=act.first, last=act.last, holder=BUYER)
    refused_unsent(harbour, SerialsOverlap, again)


def test_of_two_acts_that_overlap_on_their_way_one_is_done(harbour):
    first = harbour.new_record()
    second = harbour.new_record(first=first.first, last=first.last + 1)
    harbour.serials(1)
    ids = [harbour.book.plan(act).id for act in (first, second)]
    told = [harbour.finish(act_id) for act_id in ids]
    assert [one.state for one in told] == [ActState.FINAL, ActState.FAILED]
    assert told[1].problem_code == "asset-serials-overlap"


def test_report_that_nobody_anchored_is_no_evidence(harbour):
    late = harbour.world.accept(harbour.world.readings(harbour.world.main))[0].digest
    refused_unsent(harbour, AssetsNotReady, harbour.new_record(report=late), "no anchored epoch")
    harbour.anchor_epoch()
    assert harbour.do(harbour.new_record(report=late)).state == ActState.FINAL


def test_report_that_the_log_does_not_have_is_no_evidence(harbour):
    act = harbour.new_record()
    fields = {name: getattr(act, name) for name in ("registry", "batch", "first", "last", "holder", "origin")}
    foreign = Record(**fields, report=act.report, report_leaf=leaf_hash(b"another statement"))
    refused_unsent(harbour, ActInvalid, foreign, "another one")
    holder, registrar = (harbour.accounts[name].address for name in (HOLDER, "registrar"))
    stored = harbour.book._plan(foreign, holder, registrar, contract=harbour.book.contract)
    assert harbour.book.step(stored.id).problem_code == "asset-act-invalid"  # and no other act is held up
    missing = Record(**fields, report=b"\x01" * 32, report_leaf=act.report_leaf)
    refused_unsent(harbour, AssetsNotReady, missing, "report")
    nowhere = Record(
        **(fields | {"origin": "log.other.example/v-a/data"}), report=act.report, report_leaf=LEAF
    )
    refused_unsent(harbour, AssetsNotReady, nowhere, "report")


def test_head_that_is_not_this_hosts_stops_everything(harbour, monkeypatch):
    act = harbour.new_record()
    head = harbour.chain.anchored_head()
    with pytest.raises(AnchoredHeadForeign, match="two histories"):
        ReportEvidence(harbour.world.host).evidence(act, type(head)(head.tree_size, b"\x01" * 32, 0))


def test_frozen_record_is_not_acted_upon_until_every_cause_is_cured(harbour):
    record = harbour.recorded()
    other = b"\xcb" * 32
    assert harbour.do(Freeze(record, CAUSE)).proposer is None
    harbour.do(Freeze(record, other))
    for act in (
        Split(record, harbour.chain.record_of(record).first),
        Move(record, BUYER, "transfer"),
        Retire(record, "r"),
        Surrender(record, "s"),
        Cancel(record, "c"),
    ):
        refused_unsent(harbour, RecordFrozen, act, "2 causes stand")
    refused_unsent(harbour, NotFrozenFor, Release(record, b"\x0f" * 32, CURE))
    harbour.do(Release(record, CAUSE, CURE))
    refused_unsent(harbour, RecordFrozen, Retire(record, "r"), "1 causes stand")
    harbour.do(Release(record, other, CURE))
    assert harbour.do(Retire(record, "r")).state == ActState.FINAL


def test_record_frozen_between_its_two_persons_stays_and_goes_on_after_the_release(harbour):
    record = harbour.recorded()
    retirement = Retire(record, "reference")
    told = harbour.book.plan(retirement, is_held=True)
    while told.state != ActState.PROPOSED:
        told = harbour.book.step(told.id)
        harbour.mine()
    harbour.do(Freeze(record, CAUSE))
    harbour.book.confirm(told.id)
    failed = harbour.finish(told.id)
    assert (failed.state, failed.problem_code) == (ActState.FAILED, "asset-record-frozen")
    assert harbour.book.record_of(record).state == AssetState.LIVE
    harbour.do(Release(record, CAUSE, CURE))
    again = harbour.do(retirement)  # planned anew; the proposal is still open and serves
    assert (again.id, again.state) == (told.id, ActState.FINAL)
    assert [t.leg for t in transactions(harbour, told.id)] == ["proposal", "confirmation"]


def test_what_has_ended_stays_ended(harbour):
    for end, state in ((Retire, "retired"), (Surrender, "surrendered"), (Cancel, "cancelled")):
        record = harbour.recorded()
        harbour.do(end(record, "official act"))
        for act in (Move(record, BUYER, "t"), Freeze(record, CAUSE), Retire(record, "again")):
            refused_unsent(harbour, RecordNotLive, act, f"it is {state}")


def test_other_refusals_come_by_name(harbour):
    record = harbour.recorded()
    held = harbour.chain.record_of(record)
    refused_unsent(harbour, RecordUnknown, Retire(b"\x01" * 32, "r"))
    refused_unsent(harbour, SplitInvalid, Split(record, held.last))
    refused_unsent(harbour, AlreadyHolds, Move(record, HOLDER, "t"))
    refused_unsent(harbour, PartyUnknown, Move(record, "e-nobody", "t"))
    left, right = harbour.recorded(), harbour.recorded()
    harbour.do(Move(left, BUYER, "one transfer"))
    refused_unsent(harbour, TransferUsed, Move(right, BUYER, "one transfer"))
    with pytest.raises(MemberKeyMissing, match="key of a member of e-nobody is not here"):
        harbour.book.plan(Retire(record, "r"), proposer="e-nobody")


# -- two persons


def test_act_rests_at_proposed_until_the_second_person_says_so(harbour):
    act = harbour.new_record()
    told = harbour.book.plan(act, is_held=True)
    for _ in range(4):
        left = harbour.book.step_unfinished()
        harbour.mine()
    assert left == []  # nothing is left to do
    assert harbour.book.act(told.id).state == ActState.PROPOSED
    assert harbour.book.record_of(act.record).state == AssetState.NONE  # one signature is not enough
    assert harbour.book.plan(act).is_held  # asking again is not the second person's word
    harbour.book.confirm(told.id)
    harbour.book.confirm(told.id)
    assert harbour.finish(told.id).state == ActState.FINAL


def test_confirmed_act_rests_again_until_its_confirmation_is_signed(harbour):
    act = harbour.new_record()
    told = harbour.book.plan(act, is_held=True)
    harbour.book.confirm(told.id)
    assert harbour.book.hold(told.id).is_held
    for _ in range(4):
        harbour.book.step_unfinished()
        harbour.mine()
    assert harbour.book.act(told.id).state == ActState.PROPOSED
    harbour.book.confirm(told.id)
    harbour.book.step(told.id)
    assert harbour.book.act(told.id).state == ActState.CONFIRM_SENT
    assert not harbour.book.hold(told.id).is_held  # what is signed is sent
    assert harbour.finish(told.id).state == ActState.FINAL


def test_withdrawn_proposal_is_never_confirmed_or_renewed(harbour):
    act = harbour.new_record()
    told = harbour.book.plan(act, is_held=True)
    harbour.book.step(told.id)
    with pytest.raises(AssetsNotReady, match="proposal_sent"):
        harbour.book.withdraw(told.id)
    harbour.mine()
    harbour.book.step(told.id)
    assert harbour.finish(harbour.book.withdraw(told.id).id).state == ActState.FINAL
    harbour.book.confirm(told.id)
    failed = harbour.finish(told.id)
    assert (failed.state, failed.problem_code) == (ActState.FAILED, "asset-not-proposed")
    assert harbour.book.record_of(act.record).state == AssetState.NONE
    assert harbour.do(act).state == ActState.FINAL  # a person proposes it again


def test_act_that_nobody_signed_yet_is_given_up_at_once(harbour):
    told = harbour.book.plan(harbour.new_record(), is_held=True)
    given_up = harbour.book.withdraw(told.id)
    assert (given_up.id, given_up.state) == (told.id, ActState.FAILED)
    assert harbour.book.step(told.id).state == ActState.FAILED


def test_expired_proposal_is_never_renewed(harbour):
    told = harbour.book.plan(harbour.new_record(), is_held=True)
    while told.state != ActState.PROPOSED:
        told = harbour.book.step(told.id)
        harbour.mine()
    harbour.world.now += 8 * DAY
    harbour.mine()
    failed = harbour.book.step(told.id)
    assert (failed.state, failed.problem_code) == (ActState.FAILED, "asset-not-proposed")


def test_registrars_cancel_and_release_what_no_key_here_holds(harbour):
    record = harbour.recorded()
    members = harbour.members()
    alone = Members(members.admin, members.registrar, "r-registrar", {}, members.second_registrar)
    book = AssetBook(harbour.engine, harbour.client(), harbour.world.clock, members=alone)
    with pytest.raises(MemberKeyMissing, match="not here"):
        book.plan(Retire(record, "r"))
    for act in (Freeze(record, CAUSE), Release(record, CAUSE, CURE), Cancel(record, "c")):
        told = run_to_final(book, book.plan(act).id, lambda: harbour.mine(5))
        assert told.state == ActState.FINAL
    assert told.proposer == members.second_registrar.address


# -- what there is


def test_a_part_keeps_its_lot_and_tells_whence_it_moved(harbour):
    late = harbour.world.accept(harbour.world.readings(harbour.world.main))[0].digest
    harbour.anchor_epoch()
    act = harbour.new_record(report=late)
    harbour.do(act)
    harbour.do(Split(act.record, act.first + 3))
    left, right = (
        record_id_of(REGISTRY, BATCH, *serials)
        for serials in ((act.first, act.first + 3), (act.first + 4, act.last))
    )
    harbour.do(Move(left, BUYER, f"transfer of {act.first}"))
    harbour.do(Retire(right, "r"))
    held = harbour.book.record_of(left)
    assert (held.lot, held.first, held.last) == (act.record, act.first, act.first + 3)
    assert (held.holder, held.state, held.is_free) == (text_id(BUYER), AssetState.LIVE, True)
    moved = [event for event in harbour.book.events() if event.record == left][-1]
    assert (moved.act, moved.from_party, moved.to_party) == ("move", text_id(HOLDER), text_id(BUYER))
    assert moved.reference == text_id(f"transfer of {act.first}")


def test_contract_for_another_log_is_refused(harbour):
    with pytest.raises(AssetConflict, match="another log"):
        harbour.book.deploy(harbour.anchor, b"\x01" * 32)
    assert harbour.book.deploy(harbour.anchor, harbour.log_id) == harbour.book.contract


def test_founding_again_changes_nothing(harbour):
    before = harbour.chain.transaction_count(harbour.accounts["admin"].address)
    assert {told.state for told in harbour.book.found()} == {ActState.FINAL}
    assert harbour.book.step_unfinished() == []
    assert harbour.chain.transaction_count(harbour.accounts["admin"].address) == before


@pytest.mark.parametrize(
    "change",
    [
        {"registry": ""},
        {"registry": " National registry"},
        {"batch": "b" * 81},
        {"batch": "2025\u200b/0001"},
        {"registry": "Re\u0301gistre"},
        {"first": 0},
        {"first": 11, "last": 10},
        {"last": 1 << 53},
        {"report_leaf": b"\x01" * 31},
        {"report": bytes(32)},
    ],
    ids=str,
)
def test_rejects_act_that_could_be_named_in_two_ways(change):
    fields = {
        "registry": REGISTRY, "batch": BATCH, "first": 1, "last": 10, "holder": HOLDER,
        "origin": "log.example/e-a/data", "report": b"\x01" * 32, "report_leaf": b"\x02" * 32,
    }  # fmt: skip
    assert Record(**fields).record == record_id_of(REGISTRY, BATCH, 1, 10)
    with pytest.raises(ActInvalid):
        Record(**(fields | change))


def test_after_everything_above_storage_events_and_journal_tell_one_story(harbour):
    harbour.do(Split(harbour.recorded(), harbour.next_serial - 5))
    found = harbour.book.disagreements([])
    assert {one.difference for one in found} == {Difference.NOT_MIRRORED}
    assert len(found) == len(harbour.book.events())
