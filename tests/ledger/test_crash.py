"""kill -9 of the process that registers, at random moments: nothing receipted is lost, nothing is doubled."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from carbonseal_attest.merkle import leaf_hash, root_of, verify_consistency
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.database import embedded_pid, open_database, stop_embedded
from carbonseal_ledger.errors import DatabaseUnusable
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.outcomes import Status
from carbonseal_ledger.publishing import PublishedCopy

UPLOADER = """
import pickle, sys
from pathlib import Path
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger.database import open_database
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.publishing import PublishedCopy

job = pickle.loads(Path(sys.argv[1]).read_bytes())
engine = open_database(job["url"], Path("/unused"))
host = LogHost(engine, PublishedCopy(Path(job["published"])), Ed25519Signer.from_seed(job["log_seed"]),
               lambda: job["now"], name=job["name"], party="h-host", registrar="r-registrar",
               registrar_keys=[Ed25519Signer.from_seed(job["registrar_seed"]).public])
print("ready", flush=True)
for batch in job["batches"]:
    for outcome in host.register(job["origin"], [Submission(*item) for item in batch]):
        # Only what is printed counts as receipted: the gateway would keep everything else.
        print(outcome.status, outcome.index, outcome.digest.hex(), flush=True)
print("done", flush=True)
"""


def start_uploader(world, url, items, size, tmp_path):
    pairs = [(item.statement, item.content) for item in items]
    job = {
        "url": url, "published": str(world.folder / "published"), "log_seed": world.log_key.seed,
        "registrar_seed": world.registrar.seed, "name": "log.carbonseal.example", "origin": world.data,
        "batches": [pairs[at : at + size] for at in range(0, len(items), size)], "now": world.now,
    }  # fmt: skip
    file = tmp_path / "job"
    file.write_bytes(pickle.dumps(job))
    return subprocess.Popen([sys.executable, "-c", UPLOADER, str(file)], stdout=subprocess.PIPE, text=True)


def run_and_kill(process, delay):
    lines = [process.stdout.readline()]
    assert lines[0] == "ready\n"
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    receipted = {}
    for line in process.stdout.read().splitlines():
        fields = line.split()
        if len(fields) == 3 and len(fields[2]) == 64:
            receipted[fields[2]] = int(fields[1])
    process.wait()
    return receipted


def check_history(world, receipted, heads):
    head = world.host.head(world.data)
    entries = world.host.entries(world.data, 0, head.tree_size)
    assert root_of([leaf_hash(e.raw) for e in entries]) == head.root_hash
    digests = [e.digest.hex() for e in entries]
    assert len(set(digests)) == len(digests)
    for digest, index in receipted.items():
        assert digests[index] == digest
    for size, root in heads:
        path = world.host.consistency_path(world.data, size, head.tree_size)
        verify_consistency(size, head.tree_size, root, head.root_hash, path)
    heads.append((head.tree_size, head.root_hash))


@pytest.mark.parametrize("size", [1, 40])
def test_killed_in_the_middle_of_registrations_nothing_is_lost_or_doubled(
    world, database_url, tmp_path, size, is_long_run
):
    rng = random.Random(size)
    items = [world.readings(world.main) for _ in range(4000 if is_long_run else 600)]
    receipted, heads = {}, []
    for _ in range(25 if is_long_run else 3):
        process = start_uploader(world, database_url, items, size, tmp_path)
        receipted |= run_and_kill(process, rng.uniform(0.0, 0.35))
        world.start()
        check_history(world, receipted, heads)
    outcomes = world.host.register(world.data, items)
    assert {o.status for o in outcomes} <= {Status.ACCEPTED, Status.DUPLICATE}
    for item, outcome in zip(items, outcomes, strict=True):
        digest = SignedStatement.parse(item.statement).digest
        assert receipted.get(digest.hex(), outcome.index) == outcome.index
    assert [e.sequence for e in world.host.select(world.data, kinds={"readings"})] == list(range(len(items)))
    check_history(world, receipted, heads)
    report = LogAudit(world.engine, PublishedCopy(world.folder / "published"), world.log_key.public).run()
    assert report.is_sound, report.first


def test_postgres_killed_in_the_middle_of_registrations_loses_nothing(world_class, tmp_path, is_long_run):
    folder = Path(tempfile.gettempdir()) / f"cs-kill-{os.getpid()}"
    rng = random.Random(3)
    try:
        world = world_class(open_database(None, folder), tmp_path).found()
        items = [world.readings(world.main) for _ in range(4000 if is_long_run else 500)]
        receipted, heads = {}, []

        def upload():
            for item in items:
                try:
                    (outcome,) = world.host.register(world.data, [item])
                except DatabaseUnusable:
                    return
                receipted[outcome.digest.hex()] = outcome.index

        for _ in range(25 if is_long_run else 2):
            thread = threading.Thread(target=upload)
            thread.start()
            time.sleep(rng.uniform(0.05, 0.4))
            os.kill(embedded_pid(folder), signal.SIGKILL)
            thread.join()
            world.engine.dispose()
            world.engine = open_database(None, folder)
            world.start()
            check_history(world, receipted, heads)
        world.host.register(world.data, items)
        check_history(world, receipted, heads)
        assert [e.sequence for e in world.host.select(world.data, kinds={"readings"})] == list(
            range(len(items))
        )
        world.engine.dispose()
    finally:
        stop_embedded(folder)
        shutil.rmtree(folder, ignore_errors=True)
