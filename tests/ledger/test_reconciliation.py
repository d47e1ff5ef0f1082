"""Reconciliation: what disagrees is found on real sources, and blocks until somebody has looked."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from carbonseal_attest.merkle import consistency_path, leaf_hash, root_of
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.anchoring import Anchorer
from carbonseal_ledger.anvil_node import BLOCKS_TO_FINALITY, AnvilNode
from carbonseal_ledger.contract_view import ContractView
from carbonseal_ledger.errors import OutsideUnreachable, RollbackDetected
from carbonseal_ledger.log_anchor import LogAnchorClient
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outside_heads import OutsideHead
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.reconciliation import (
    AnchorTelling,
    ContractTelling,
    Difference,
    Disagreement,
    LogTelling,
    OutsideTelling,
    Tellings,
    ToldHead,
    disagreements,
)
from carbonseal_ledger.reconciliation_book import (
    AcknowledgementInvalid,
    DisagreementUnknown,
    ReconciliationBook,
)
from carbonseal_ledger.reconciliation_tellings import TellingReader

GAS_KEY, OTHER_GAS_KEY, HEAD_KEY = b"\x51" * 32, b"\x53" * 32, b"\x52" * 32
EPOCHS, DATA = "log.example/epochs", "log.example/e-a/data"


# -- the comparison alone


def head(size: int, name: str = "root") -> ToldHead:
    return ToldHead(size, leaf_hash(f"{name} {size}".encode()))


def log_of(origin: str, size: int, mapped: int | None) -> LogTelling:
    stands, in_map = head(size, origin), None if mapped is None else head(mapped, origin)
    return LogTelling(
        origin=origin,
        database=stands,
        signed=stands,
        was_published=size,
        published=stands,
        is_copy_signed=True,
        tiles_root=stands.root_hash,
        mapped=in_map,
        mapped_root=None if in_map is None else in_map.root_hash,
    )


def agreeing() -> Tellings:
    epochs = tuple(head(size, EPOCHS) for size in (2, 3, 4))
    planned = (head(1, EPOCHS), *epochs)
    states = ("final", "final", "mined", "sent")
    return Tellings(
        EPOCHS,
        (log_of(DATA, 9, 7), log_of(EPOCHS, 4, None)),
        epochs,
        tuple(AnchorTelling(one, state, 0) for one, state in zip(planned, states, strict=True)),
        ContractTelling("contract 0xaa", planned[:3], planned[2], is_history_told=True),
        (OutsideTelling("witness w", EPOCHS, epochs[1], epochs[1].root_hash),),
    )


def with_log(told: Tellings, origin: str, **changes: object) -> Tellings:
    logs = tuple(replace(one, **changes) if one.origin == origin else one for one in told.logs)
    return replace(told, logs=logs)


def codes(told: Tellings) -> set[str]:
    return {one.code for one in disagreements(told)}


def test_sources_that_tell_one_story_do_not_disagree() -> None:
    assert disagreements(agreeing()) == []


def test_what_is_on_its_way_is_no_disagreement() -> None:
    told = with_log(agreeing(), DATA, database=head(12, DATA), signed=head(12, DATA))
    assert disagreements(told) == []  # committed, not published yet
    told = replace(agreeing(), anchors=agreeing().anchors[:3])
    assert disagreements(told) == []  # an epoch that nobody has planned yet
    assert disagreements(replace(agreeing(), contract=None, anchors=(), missing=("contract",))) == []


WRONG: dict[str, tuple[Callable[[Tellings], Tellings], str]] = {
    "copy of an unknown log": (lambda t: with_log(t, DATA, database=None), Difference.LOG_UNKNOWN),
    "no copy": (lambda t: with_log(t, DATA, published=None), Difference.COPY_MISSING),
    "copy under another key": (
        lambda t: with_log(t, DATA, published=None, is_copy_signed=False, was_published=0),
        Difference.COPY_MISSING,
    ),
    "copy behind": (lambda t: with_log(t, DATA, was_published=10), Difference.COPY_BEHIND),
    "database behind its copy": (
        lambda t: with_log(t, DATA, database=head(8, DATA), signed=head(8, DATA)),
        Difference.DATABASE_BEHIND,
    ),
    "other root in the database": (
        lambda t: with_log(t, DATA, database=head(9), signed=head(9)),
        Difference.ROOTS_DIFFER,
    ),
    "row and checkpoint differ": (
        lambda t: with_log(t, DATA, signed=head(8, DATA)),
        Difference.CHECKPOINT_DIFFERS,
    ),
    "checkpoint of another key": (lambda t: with_log(t, DATA, signed=None), Difference.CHECKPOINT_DIFFERS),
    "tiles unreadable": (lambda t: with_log(t, DATA, tiles_root=None), Difference.TILES_DIFFER),
    "tiles of another tree": (lambda t: with_log(t, DATA, tiles_root=bytes(32)), Difference.TILES_DIFFER),
    "map has more entries": (lambda t: with_log(t, DATA, mapped=head(10, DATA)), Difference.DATABASE_BEHIND),
    "map has another root": (lambda t: with_log(t, DATA, mapped=head(7)), Difference.EPOCH_HEAD_DIFFERS),
    "an epoch is gone": (lambda t: replace(t, epochs=t.epochs[:2]), Difference.EPOCHS_DIFFER),
    "an epoch in the middle is gone": (
        lambda t: replace(t, epochs=(t.epochs[0], t.epochs[2])),
        Difference.EPOCHS_DIFFER,
    ),
    "newest epoch says another root": (
        lambda t: replace(t, epochs=(*t.epochs[:2], head(4)), anchors=t.anchors[:3]),
        Difference.EPOCHS_DIFFER,
    ),
    "planned another root": (
        lambda t: replace(t, anchors=(*t.anchors[:3], AnchorTelling(head(4), "sent", 0))),
        Difference.ANCHOR_DIFFERS,
    ),
    "an epoch was left out": (
        lambda t: replace(t, anchors=(*t.anchors[:2], t.anchors[3])),
        Difference.EPOCH_NOT_PLANNED,
    ),
    "a head failed": (
        lambda t: replace(t, anchors=(*t.anchors[:3], replace(t.anchors[3], state="failed"))),
        Difference.ANCHOR_FAILED,
    ),
    "a final block went away": (
        lambda t: replace(t, anchors=(*t.anchors[:2], replace(t.anchors[2], losses=1), t.anchors[3])),
        Difference.FINALITY_LOST,
    ),
}


def with_contract(told: Tellings, **changes: object) -> Tellings:
    assert told.contract is not None
    return replace(told, contract=replace(told.contract, **changes))


WRONG |= {
    "contract holds what nobody planned": (
        lambda t: with_contract(t, heads=(t.anchors[0].head, head(3))),
        Difference.CONTRACT_AHEAD,
    ),
    "contract is ahead of the log": (
        lambda t: with_contract(t, newest=head(9, EPOCHS)),
        Difference.DATABASE_BEHIND,
    ),
    "contract lacks a final head": (
        lambda t: with_contract(t, heads=(t.anchors[0].head,), newest=t.anchors[0].head),
        Difference.CONTRACT_BEHIND,
    ),
    "contract is empty": (
        lambda t: with_contract(t, heads=(), newest=ToldHead(0, bytes(32))),
        Difference.CONTRACT_BEHIND,
    ),
    "events and head differ": (
        lambda t: with_contract(t, newest=t.anchors[1].head),
        Difference.CONTRACT_HISTORY,
    ),
    "events do not give the history": (
        lambda t: with_contract(t, is_history_told=False),
        Difference.CONTRACT_HISTORY,
    ),
    "a size twice": (
        lambda t: with_contract(t, heads=(*[one.head for one in t.anchors[:3]], t.anchors[2].head)),
        Difference.CONTRACT_HISTORY,
    ),
    "witness is ahead of the log": (
        lambda t: replace(t, outside=(replace(t.outside[0], head=head(5, EPOCHS)),)),
        Difference.DATABASE_BEHIND,
    ),
    "witness holds another root": (
        lambda t: replace(t, outside=(replace(t.outside[0], root_here=bytes(32)),)),
        Difference.ROOTS_DIFFER,
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_disagreement_is_found_by_name(case: str) -> None:
    change, code = WRONG[case]
    assert code in codes(change(agreeing()))


def test_a_difference_keeps_its_id_while_the_log_grows_and_gets_another_when_its_facts_change() -> None:
    behind = [with_log(agreeing(), DATA, was_published=size) for size in (10, 11)]
    (first,), (second,) = (disagreements(told) for told in behind)
    assert first.id == second.id
    assert first.detail != second.detail
    forked = [with_log(agreeing(), DATA, mapped=ToldHead(7, bytes([at]) * 32)) for at in (1, 2)]
    (first,), (second,) = (disagreements(told) for told in forked)
    assert first.id != second.id


# -- on a real database, copy and chain


class Site:
    """A world whose log of logs is anchored."""

    def __init__(self, world, node: AnvilNode) -> None:
        self.world, self.node, self.engine = world, node, world.engine
        self.chain = LogAnchorClient(node.url, gas_key=GAS_KEY, head_key=HEAD_KEY)
        node.fund(self.chain.gas_address)
        self.anchorer = Anchorer(self.engine, self.chain, world.clock)
        self.anchorer.deploy()
        self.leaf = leaf_hash(world.host.entry(world.log_of_logs, 0).raw)
        self.anchorer.open_log(self.leaf)
        self.published = PublishedCopy(world.folder / "published")

    @property
    def view(self) -> ContractView:
        return ContractView(
            self.chain,
            self.world.log_of_logs,
            contract=self.anchorer.contract,
            head_key=self.chain.head_address,
            first_leaf=lambda: self.leaf,
            is_open=lambda: self.anchorer.anchored_size() > 0,
        )

    def reader(self) -> TellingReader:
        return TellingReader(
            self.engine,
            self.published,
            log_key=self.world.log_key.public,
            log_of_logs=self.world.log_of_logs,
            anchorer=self.anchorer,
            outside=[self.view],
        )

    def found(self) -> set[str]:
        return {one.code for one in self.reader().compare().disagreements}

    def epoch(self) -> None:
        self.world.accept(self.world.readings(self.world.main))
        self.world.host.build_epoch()
        for plan in self.world.host.plan_anchors(self.anchorer.planned_size()):
            self.anchorer.plan(plan.old_size, plan.new_size, plan.new_root, plan.path)

    def finish(self) -> None:
        for _ in range(8):
            if self.anchorer.step() == []:
                return
            self.mine(BLOCKS_TO_FINALITY + 1)
        assert self.anchorer.step() == []

    def mine(self, count: int = 1) -> None:
        self.world.now += 60_000
        self.node.mine(count, at=self.world.now)

    def execute(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            assert connection.execute(text(statement), values).rowcount > 0


@pytest.fixture
def site(world) -> Iterator[Site]:
    with AnvilNode(started_at=world.now) as node:
        made = Site(world, node)
        made.finish()
        for _ in range(3):
            made.epoch()
        made.finish()
        yield made


def test_untouched_site_agrees_and_each_changed_source_is_found(site: Site) -> None:
    assert site.found() == set()
    row, data = "UPDATE ledger_logs SET root_hash = :value WHERE origin = :origin", site.world.data
    kept = site.world.host.head(data).root_hash
    site.execute(row, value=bytes(32), origin=data)
    assert site.found() >= {Difference.CHECKPOINT_DIFFERS, Difference.ROOTS_DIFFER}
    site.execute(row, value=kept, origin=data)

    head_row = "UPDATE ledger_epoch_heads SET root_hash = :value WHERE epoch = 3 AND root_hash = :kept"
    with site.engine.connect() as connection:
        mapped = connection.execute(
            text("SELECT root_hash FROM ledger_epoch_heads WHERE epoch = 3 LIMIT 1")
        ).scalar_one()
    site.execute(head_row, value=bytes(32), kept=bytes(mapped))
    assert site.found() == {Difference.EPOCH_HEAD_DIFFERS}
    site.execute(head_row, value=bytes(mapped), kept=bytes(32))

    site.execute("UPDATE anchoring_heads SET anchored_at = anchored_at + 1000 WHERE tree_size = 2")
    assert site.found() == {Difference.CONTRACT_HISTORY}
    site.execute("UPDATE anchoring_heads SET anchored_at = anchored_at - 1000 WHERE tree_size = 2")

    site.execute("UPDATE anchoring_steps SET root_hash = :value WHERE new_size = 3", value=bytes(32))
    assert site.found() == {
        Difference.ANCHOR_DIFFERS,
        Difference.CONTRACT_AHEAD,
        Difference.CONTRACT_BEHIND,
    }
    site.execute("UPDATE anchoring_steps SET final_losses = 1 WHERE new_size = 2")
    assert Difference.FINALITY_LOST in site.found()


def test_changed_tile_and_missing_copy_are_found(site: Site) -> None:
    folder = site.world.folder / "published" / site.world.data
    tile = max((folder / "tile").rglob("*"))
    data = bytearray(tile.read_bytes())
    data[3] ^= 1
    tile.write_bytes(data)
    assert Difference.TILES_DIFFER in site.found()
    (folder / "checkpoint").unlink()
    assert site.found() == {Difference.COPY_MISSING, Difference.EPOCH_HEAD_DIFFERS}


def test_database_taken_back_is_found_by_copy_and_contract(
    site: Site, server: Engine, tmp_path: Path
) -> None:
    name = site.engine.url.database
    site.engine.dispose()
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}_old TEMPLATE {name} STRATEGY file_copy"))
    try:
        site.epoch()
        site.finish()
        site.engine = create_engine(server.url.set(database=f"{name}_old"))
        site.anchorer = Anchorer(site.engine, site.chain, site.world.clock)
        found = site.reader().compare().disagreements
        assert {one.code for one in found} == {Difference.DATABASE_BEHIND, Difference.CONTRACT_AHEAD}
        told = " ".join(one.detail for one in found)
        assert "published copy" in told
        assert "contract 0x" in told
    finally:
        site.engine.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}_old WITH (FORCE)"))


def test_head_that_somebody_else_signed_is_found(site: Site) -> None:
    stranger = LogAnchorClient(site.node.url, gas_key=OTHER_GAS_KEY, head_key=HEAD_KEY)
    site.node.fund(stranger.gas_address)
    origin = site.world.log_of_logs
    leaves = [leaf_hash(one.raw) for one in site.world.host.entries(origin, 0, 4)] + [leaf_hash(b"forged")]
    path = consistency_path(4, 5, lambda level, at: root_of(leaves[at << level : (at + 1) << level]))
    place, fees = (site.anchorer.contract, site.anchorer.log_id), stranger.suggest_fees()
    stranger.send(stranger.sign_advance(*place, (4, 5, root_of(leaves)), path, 0, fees).raw)
    site.mine()
    assert site.found() == {Difference.CONTRACT_AHEAD, Difference.DATABASE_BEHIND}


def test_chain_that_is_away_is_missing_and_nothing_is_said_of_it(site: Site) -> None:
    site.node.stop()
    found = site.reader().compare()
    assert found.disagreements == ()
    assert [name.split(":")[0] for name in found.missing] == [site.view.name] * 2
    assert found.logs == 5


def test_nothing_is_found_while_the_site_is_at_work(site: Site) -> None:
    stop, found = threading.Event(), []

    def look() -> None:
        reader = site.reader()
        while not stop.is_set():
            found.extend(reader.compare().disagreements)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(5):
            site.epoch()
            site.anchorer.step()
            site.mine(2)
        site.finish()
    finally:
        stop.set()
        looker.join()
    assert found == []


def test_rotated_log_key_is_no_disagreement_and_a_strangers_is(site: Site) -> None:
    world = site.world
    world.log_key, world.retiring = Ed25519Signer.generate(), world.log_key
    world.start()
    world.host.rotate_log_key("yearly", lambda *_: None)
    assert site.found() == set()
    site.epoch()
    site.finish()
    assert site.found() == set()
    world.log_key = Ed25519Signer.generate()
    assert site.found() >= {Difference.CHECKPOINT_DIFFERS, Difference.COPY_MISSING}


# -- what the contract tells at start-up


def test_contract_view_tells_the_newest_head_of_the_log_of_logs_alone(site: Site) -> None:
    log_of_logs = site.world.host.head(site.world.log_of_logs)
    assert site.view.head(log_of_logs.origin) == OutsideHead(log_of_logs.tree_size, log_of_logs.root_hash)
    assert site.view.head(site.world.data) is None
    assert site.view.name == f"contract 0x{site.anchorer.contract.hex()}"


def test_contract_view_asks_without_the_journal_and_refuses_what_is_no_answer(site: Site) -> None:
    with AnvilNode(started_at=site.world.now) as other:
        empty = ContractView(
            LogAnchorClient(other.url, gas_key=GAS_KEY, head_key=HEAD_KEY),
            site.world.log_of_logs,
            contract=site.anchorer.contract,
            head_key=site.chain.head_address,
            first_leaf=lambda: site.leaf,
            is_open=lambda: False,
        )
        assert empty.head(site.world.log_of_logs) is None  # before it is deployed
        empty._is_open = lambda: True
        with pytest.raises(OutsideUnreachable, match="no such log, and it was open"):
            empty.head(site.world.log_of_logs)
    site.node.stop()
    with pytest.raises(OutsideUnreachable):
        site.view.head(site.world.log_of_logs)


def test_database_and_copy_taken_back_together_are_refused_by_what_the_contract_holds(
    site: Site, server: Engine, tmp_path: Path
) -> None:
    world, name = site.world, site.engine.url.database
    site.engine.dispose()
    shutil.copytree(world.folder / "published", tmp_path / "old")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}_both TEMPLATE {name} STRATEGY file_copy"))
    old = create_engine(server.url.set(database=f"{name}_both"))

    def start() -> LogHost:
        return LogHost(
            old, PublishedCopy(tmp_path / "old"), world.log_key, world.clock,
            name="log.carbonseal.example", party="h-host", registrar="r-registrar",
            registrar_keys=[world.registrar.public], outside=[site.view],
        )  # fmt: skip

    try:
        start().close()  # as long as nothing was anchored since
        site.epoch()
        site.finish()
        with pytest.raises(RollbackDetected, match=f"contract 0x{site.anchorer.contract.hex()}"):
            start()
        site.node.stop()
        with pytest.raises(OutsideUnreachable):
            start()
    finally:
        old.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}_both WITH (FORCE)"))


# -- the book


@pytest.fixture
def book(engine: Engine) -> ReconciliationBook:
    now = iter(range(1_000, 100_000, 1_000))
    return ReconciliationBook(engine, lambda: next(now))


ONE = Disagreement("ledger", "roots-differ", DATA, "database and copy differ", ("a",))
TWO = Disagreement("assets", "act-not-mirrored", "ab", "an act without its statement")


def test_disagreement_blocks_until_a_named_person_has_looked(book: ReconciliationBook) -> None:
    assert not book.is_blocking()
    assert book.note([ONE], areas=["ledger"]) == [ONE.id]
    assert book.is_blocking()
    for person, reason in (("", "looked into it"), ("Li Na", "ok"), ("Li Na", "x" * 501), ("  ", " " * 20)):
        with pytest.raises(AcknowledgementInvalid):
            book.acknowledge(ONE.id, person=person, reason=reason)
    with pytest.raises(DisagreementUnknown):
        book.acknowledge(TWO.id, person="Li Na", reason="looked into it")
    assert book.is_blocking()
    told = book.acknowledge(ONE.id, person=" Li Na ", reason="the row was edited by hand; put right")
    assert not book.is_blocking()
    assert (told.is_present, told.blocks) == (True, False)
    assert [(look.person, look.was_present) for look in told.looks] == [("Li Na", True)]
    with pytest.raises(AcknowledgementInvalid, match="somebody has looked"):
        book.acknowledge(ONE.id, person="Wang", reason="looked into it too")


def test_what_is_still_there_says_so_and_blocks_no_second_time(book: ReconciliationBook) -> None:
    book.note([ONE], areas=["ledger"])
    book.acknowledge(ONE.id, person="Li Na", reason="waits for the restore tonight")
    assert book.note([replace(ONE, detail="they still differ")], areas=["ledger"]) == []
    (told,) = book.disagreements()
    assert (told.is_present, told.blocks, told.detail) == (True, False, "they still differ")
    assert book.standing().present == 1
    assert book.standing().blocking == 0


def test_what_went_away_by_itself_still_has_to_be_looked_at(book: ReconciliationBook) -> None:
    book.note([ONE], areas=["ledger"])
    book.note([], areas=["ledger"])
    assert book.is_blocking()
    (told,) = book.disagreements()
    assert (told.is_present, told.blocks) == (False, True)
    book.acknowledge(ONE.id, person="Li Na", reason="a disk that was away for an hour")
    assert not book.is_blocking()


def test_what_comes_back_has_to_be_looked_at_again(book: ReconciliationBook) -> None:
    book.note([ONE], areas=["ledger"])
    book.acknowledge(ONE.id, person="Li Na", reason="put right from the backup")
    book.note([], areas=["ledger"])
    assert not book.is_blocking()
    assert book.note([ONE], areas=["ledger"]) == [ONE.id]
    assert book.is_blocking()
    other = replace(ONE, facts=("b",))
    assert book.note([ONE, other], areas=["ledger"]) == [ONE.id, other.id]


def test_a_comparison_of_one_area_says_nothing_about_another(book: ReconciliationBook) -> None:
    book.note([ONE], areas=["ledger"])
    book.note([TWO], areas=["assets"])
    assert {one.id for one in book.disagreements() if one.is_present} == {ONE.id, TWO.id}
    book.note([], areas=["assets"])
    assert {one.id for one in book.disagreements() if one.is_present} == {ONE.id}


def test_incomplete_run_is_told_apart_from_a_complete_one(book: ReconciliationBook) -> None:
    assert book.standing().newest is None
    complete = book.ran(500, logs=3, present=0, missing=[])
    incomplete = book.ran(900, logs=3, present=0, missing=["contract 0xaa: no answer"])
    standing = book.standing()
    assert standing.newest == incomplete
    assert standing.complete_at == complete.ended_at
