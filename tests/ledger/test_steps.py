"""kill -9 of the process, and of PostgreSQL, at every named step: the same roots as a run that was let be."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import signal
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from killed_run import Diary, Errand, perform, recovery, run_until, started
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from carbonseal_attest.checkpoint import Checkpoint, open_checkpoint
from carbonseal_attest.merkle import leaf_hash, root_of, verify_consistency
from carbonseal_attest.recovery_decision import approve
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger import steps
from carbonseal_ledger.database import embedded_pid, open_database, stop_embedded
from carbonseal_ledger.errors import DatabaseUnusable, RollbackDetected
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.publishing import PublishedCopy
from carbonseal_ledger.steps import STEPS

RECOVERING = ["decision registered", "copy discarded"]
RUNNING = [name for name in STEPS if name not in RECOVERING]
SAMPLE = {"entries written", "head written", "batch committed", "copy replaced", "epoch map written"}


@dataclass
class Result:
    """All logs after an undisturbed run: (size, root, checkpoint), and how often each step was passed."""

    logs: dict[str, tuple[int, bytes, str]]
    passed: dict[str, int]


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of this module's own, because its tests kill it."""
    folder = Path(tempfile.mkdtemp(prefix="cs-steps-"))
    engine = open_database(None, folder)
    admin = create_engine(engine.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("CREATE DATABASE ledger_template TEMPLATE postgres"))
    yield admin
    stop_embedded(folder)
    shutil.rmtree(folder, ignore_errors=True)


def kill_postgres(folder):
    """All of it at once: a postmaster killed alone lets its sessions finish what they are at."""
    postmaster = psutil.Process(embedded_pid(folder))
    for process in [postmaster, *postmaster.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture(scope="module")
def founded(server, world_class, databases, tmp_path_factory):
    """A ledger whose data log is a few entries short of a full tile, and an errand on it, not yet done."""
    with databases(server) as url:
        engine = open_database(url, Path("/unused"))
        world = world_class(engine, tmp_path_factory.mktemp("founded")).found()
        world.accept(*[world.readings(world.main) for _ in range(248)])
        world.host.build_epoch()
        uploads = [world.readings(world.main) for _ in range(6)]
        conflict = world.readings(world.main, keep=False, sequence=5, previous=bytes(32), count=5)
        more = [*(world.readings(world.main) for _ in range(4)), conflict, world.readings(world.main)]
        erasure = world.devices.sign(
            "erasure", "e-enterprise",
            {"erases": SignedStatement.parse(uploads[0].statement).payload, "reason": "asked for",
             "authority": "Article 47"},
        )  # fmt: skip
        world.now += 120_000  # a tick is due in each log
        bank = Ed25519Signer.generate()
        genesis = world.genesis(bank, "b-bank", "log.carbonseal.example/b-bank/register")
        batches = tuple(
            (origin, tuple((item.statement, item.content) for item in items))
            for origin, items in (
                (world.data, uploads), (world.data, more), (world.register, [erasure]),
            )
        )  # fmt: skip
        errand = Errand(
            url, str(world.folder / "published"), world.log_key.seed, world.registrar.seed, world.now,
            batches, (genesis.statement, genesis.content or b""), 1, "",
        )  # fmt: skip
        world.host.close()
        engine.dispose()
        yield errand, engine.url.database


@contextlib.contextmanager
def copied(founded, server, databases, folder):
    errand, template = founded
    with databases(server, template) as url:
        shutil.copytree(errand.published, folder / "published")
        yield replace(errand, url=url, published=str(folder / "published"), diary=str(folder / "diary"))


@pytest.fixture(scope="module")
def undisturbed(founded, server, databases, tmp_path_factory):
    passed: dict[str, int] = {}
    with copied(founded, server, databases, tmp_path_factory.mktemp("undisturbed")) as errand:
        engine = open_database(errand.url, Path("/unused"), pool_size=2)
        host = started(errand, engine)
        steps.watch(lambda name: passed.update({name: passed.get(name, 0) + 1}))
        try:
            perform(host, errand, lambda _: None)
        finally:
            steps.watch(None)
        result = Result(logs_of(engine), passed)
        engine.dispose()
    return result


@pytest.fixture(scope="module")
def in_own_process():
    """Runs the errand in a process forked from one that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["carbonseal_ledger.log_host", "carbonseal_ledger.database"])

    def run(errand, step, occurrence=1):
        process = context.Process(target=run_until, args=(errand, step, occurrence))
        process.start()
        process.join(60)
        return process.exitcode

    return run


def logs_of(engine):
    with engine.connect() as connection:
        found = connection.execute(text("SELECT origin, size, root_hash, checkpoint FROM ledger_logs"))
        return {row.origin: (row.size, bytes(row.root_hash), row.checkpoint) for row in found}


def finish_and_check(errand, undisturbed, engine, host=None):
    """Finish the errand, then hold everything that was ever seen or answered against the undisturbed run."""
    diary = Diary(errand, engine)
    host = host or started(errand, engine)
    diary.note()
    perform(host, errand, lambda answer: diary.write({"answer": answer}))
    diary.note()
    assert logs_of(engine) == undisturbed.logs
    published = PublishedCopy(Path(errand.published))
    for origin, (size, root, checkpoint) in undisturbed.logs.items():
        assert published.checkpoint(origin) == checkpoint
        entries = host.entries(origin, 0, size)
        assert root_of([leaf_hash(entry.raw) for entry in entries]) == root
        assert len({entry.digest for entry in entries}) == size
    for origin, index, digest in diary.lines("answer"):
        assert host.entry(origin, index).digest.hex() == digest
    key = Ed25519Signer.from_seed(errand.log_seed).public
    for note in diary.lines("checkpoint"):
        seen = Checkpoint.of_note(note)
        open_checkpoint(note, origin=seen.origin, key=key)
        size, root, _ = undisturbed.logs[seen.origin]
        path = host.consistency_path(seen.origin, seen.tree_size, size)
        verify_consistency(seen.tree_size, size, seen.root_hash, root, path)
    report = LogAudit(engine, published, key).run()
    assert report.is_sound, report.first
    host.close()


def test_the_errand_passes_every_named_step_and_fills_a_tile(undisturbed):
    assert undisturbed.passed.keys() == set(RUNNING)
    assert undisturbed.logs["log.carbonseal.example/e-enterprise/data"][0] > 256


@pytest.fixture
def copies(founded, server, databases, tmp_path):
    """Makes as many ledgers as are asked for, each with its errand."""
    with contextlib.ExitStack() as stack:

        def make(name):
            (tmp_path / name).mkdir()
            return stack.enter_context(copied(founded, server, databases, tmp_path / name))

        yield make


@pytest.mark.parametrize("step", RUNNING)
def test_process_killed_at_a_step_changes_no_root_and_loses_or_doubles_nothing(
    step, copies, undisturbed, in_own_process, is_long_run
):
    for occurrence in range(1, undisturbed.passed[step] + 1) if is_long_run else (1,):
        errand = copies(str(occurrence))
        assert in_own_process(errand, step, occurrence) == -signal.SIGKILL
        # And once more where it comes by next, which for the steps of publishing is in the start-up's
        # completion.
        assert in_own_process(errand, step, 1) in {-signal.SIGKILL, 0}
        engine = open_database(errand.url, Path("/unused"), pool_size=2)
        finish_and_check(errand, undisturbed, engine)
        engine.dispose()


@pytest.mark.parametrize(
    "step", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.long) for name in RUNNING]
)
def test_postgres_killed_at_a_step_changes_no_root_for_the_process_that_goes_on(
    step, copies, undisturbed, server, is_long_run
):
    folder = Path(server.url.query["host"])
    for occurrence in range(1, undisturbed.passed[step] + 1) if is_long_run else (1,):
        errand = copies(str(occurrence))
        engine = open_database(errand.url, Path("/unused"), pool_size=2)
        host, diary, passed = started(errand, engine), Diary(errand, engine), []

        def kill_at_step(name, passed=passed, occurrence=occurrence):
            passed.append(name)
            if passed.count(step) == occurrence and name == step:
                kill_postgres(folder)

        steps.watch(kill_at_step)
        try:
            with contextlib.suppress(DatabaseUnusable):
                perform(host, errand, lambda answer, diary=diary: diary.write({"answer": answer}))
        finally:
            steps.watch(None)
            open_database(None, folder).dispose()
        assert step in passed
        finish_and_check(errand, undisturbed, engine, host)
        started(errand, engine).close()
        engine.dispose()


@pytest.mark.parametrize(
    "step", ["entries written", "head written", *RECOVERING, "tiles made", "file named", "files durable"]
)
def test_process_killed_while_it_rebuilds_a_copy_is_taken_over_by_the_same_decision(
    step, copies, in_own_process
):
    errand = copies("lost")
    data = "log.carbonseal.example/e-enterprise/data"
    copy = Path(errand.published) / data
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    shutil.rmtree(copy)
    engine = open_database(errand.url, Path("/unused"), pool_size=2)
    operators = [Ed25519Signer.from_seed(seed) for seed in errand.operator_seeds]
    body = recovery(errand, engine).propose(
        "rebuild_copy", origin=data, reason="the disk failed", valid_ms=3_600_000,
        deciders=[operator.public for operator in operators],
    )  # fmt: skip
    for operator in operators:
        body = approve(operator, "h-host", body)
    errand = replace(errand, decision=body)
    assert in_own_process(errand, step) == -signal.SIGKILL
    if step != "files durable":
        with pytest.raises(RollbackDetected, match="were published"):
            started(errand, engine)
    recovery(errand, engine).carry_out(body)
    host = started(errand, engine)
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert after[copy / "checkpoint"] == before[copy / "checkpoint"]
    assert host.root_at(data, host.head(data).tree_size) == host.head(data).root_hash
    assert len(host.select("log.carbonseal.example/h-host/register", kinds={"recovery"})) == 1
    key = Ed25519Signer.from_seed(errand.log_seed).public
    report = LogAudit(engine, PublishedCopy(Path(errand.published)), key).run()
    assert report.is_sound, report.first
    host.close()
    engine.dispose()
