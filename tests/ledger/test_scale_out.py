"""Several processes over one database: one sequencer a log at a time; killed ones leave nothing behind."""

from __future__ import annotations

import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from carbonseal_attest.merkle import leaf_hash, root_of
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.statement import SignedStatement
from carbonseal_ledger.errors import DatabaseUnusable, PublicationFailed
from carbonseal_ledger.log_audit import LogAudit
from carbonseal_ledger.outcomes import Status
from carbonseal_ledger.publishing import PublishedCopy

NAME = "log.carbonseal.example"
HOUR = 3_600_000
PATIENCE_S = 60

# A replica in a process of its own. It is told on standard input what to stop at, and says on standard output
# what it has been answered: only that counts as receipted.
REPLICA = """
import pickle, sys
from pathlib import Path
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_ledger import database, rows
from carbonseal_ledger.errors import LedgerError
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.object_store import FolderStore
from carbonseal_ledger.outcomes import Submission
from carbonseal_ledger.publishing import PublishedCopy

job = pickle.loads(Path(sys.argv[1]).read_bytes())
if job["idle_ms"]:
    database._SESSION = database._SESSION.replace("timeout=120s", f"timeout={job['idle_ms']}ms")
engine = database.open_database(job["url"], Path("/unused"), pool_size=2)
host = LogHost(engine, PublishedCopy(Path(job["published"])), Ed25519Signer.from_seed(job["log_seed"]),
               lambda: job["now"], name=job["name"], party="h-host", registrar="r-registrar",
               registrar_keys=[Ed25519Signer.from_seed(job["registrar_seed"]).public])
copy, calls = rows.copy_entries, 0

def copying(cursor, log_id, entries):
    global calls
    calls += 1
    if calls == job["stops_at"]:
        # Entries are written and nothing is committed: the log's row is this process's alone.
        copy(cursor, log_id, entries)
        print("holding", flush=True)
        sys.stdin.readline()
    else:
        copy(cursor, log_id, entries)

def replacing(store, *given):
    # Committed and not yet published: the lock of the published copy is this process's alone.
    print("holding", flush=True)
    sys.stdin.readline()
    return replace(store, *given)

rows.copy_entries = copying
replace = FolderStore.replace
if job["stops_publishing"]:
    FolderStore.replace = replacing
print("ready", flush=True)
sys.stdin.readline()
for origin, items in job["uploads"]:
    try:
        outcomes = host.register(origin, [Submission(*item) for item in items])
    except LedgerError as error:
        print("error", error.code, flush=True)
        continue
    for outcome in outcomes:
        print("entry", origin, outcome.status, outcome.index, outcome.digest.hex(), flush=True)
    head = host.head(origin)
    print("head", origin, head.tree_size, head.root_hash.hex(), flush=True)
print("done", flush=True)
"""


@dataclass
class Member:
    """An enterprise of its own with one gateway."""

    party: str
    signer: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    gateway: Ed25519Signer = field(default_factory=Ed25519Signer.generate)

    @property
    def data(self) -> str:
        return f"{NAME}/{self.party}/data"


def admit(world: Any, member: Member) -> None:
    for log in ("register", "data"):
        assert world.open(member.signer, member.party, log).status is Status.ACCEPTED
    body = world.party_body(member.party, member.signer, ["enterprise"])
    world.accept(world.parties.sign("party", member.party, body))
    devices = world.new_stream(member.signer, member.party, f"{NAME}/{member.party}/register", "devices")
    subjects = [f"m-at{at}" for at in range(5)]
    body = world.device_body("g-gateway", member.gateway, party=member.party, subjects=subjects)
    world.accept(devices.sign("device", "g-gateway", body))


def uploads_of(world: Any, members: list[Member], subject: str, rounds: int) -> dict[tuple[str, int], Any]:
    """The statements of one meter in every log, by log and round."""
    made = {}
    for member in members:
        stream = world.new_stream(member.gateway, "g-gateway", member.data, f"readings/{subject}")
        for turn in range(rounds):
            item = world.readings(stream)
            made[member.data, turn] = (item.statement, item.content)
    return made


@dataclass
class Replica:
    """A replica's process, and what it has said so far."""

    process: subprocess.Popen[str]
    entries: list[tuple[str, str, int, str]] = field(default_factory=list)
    heads: list[tuple[str, int, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_done: bool = False
    holds: threading.Event = field(default_factory=threading.Event)
    answered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    reader: threading.Thread | None = None

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # killed in the middle of a word
            word, *rest = line.split()
            if word == "entry":
                self.entries.append((rest[0], rest[1], int(rest[2]), rest[3]))
            elif word == "head":
                self.heads.append((rest[0], int(rest[1]), rest[2]))
                self.answered.release()
            elif word == "error":
                self.errors.append(rest[0])
            elif word == "holding":
                self.holds.set()
            elif word == "done":
                self.is_done = True

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.join()

    def join(self) -> None:
        assert self.reader is not None
        self.reader.join(PATIENCE_S)
        self.process.wait(PATIENCE_S)


@pytest.fixture
def start(world: Any, database_url: str, tmp_path: Path) -> Any:
    running: list[Replica] = []

    def begin(
        uploads: list[Any], *, stops_at: int = 0, idle_ms: int = 0, stops_publishing: bool = False
    ) -> Replica:
        job = {
            "url": database_url, "published": str(world.folder / "published"), "uploads": uploads,
            "log_seed": world.log_key.seed, "registrar_seed": world.registrar.seed, "name": NAME,
            "now": world.now, "stops_at": stops_at, "idle_ms": idle_ms, "stops_publishing": stops_publishing,
        }  # fmt: skip
        file = tmp_path / f"job-{len(running)}"
        file.write_bytes(pickle.dumps(job))
        process = subprocess.Popen(
            [sys.executable, "-c", REPLICA, str(file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        replica = Replica(process)
        running.append(replica)
        return replica

    yield begin
    for replica in running:
        replica.process.kill()
        replica.process.wait()
        for stream in (replica.process.stdin, replica.process.stdout):
            if stream is not None:
                stream.close()


def go(*replicas: Replica) -> None:
    """Let replicas register once all of them are open."""
    for replica in replicas:
        assert replica.process.stdout is not None
        assert replica.process.stdout.readline() == "ready\n"
    for replica in replicas:
        replica.reader = threading.Thread(target=replica.listen)
        replica.reader.start()
        replica.tell()


def waits_for_a_lock(world: Any) -> None:
    """Return once a session waits for somebody's lock; a bound on patience, not a measurement."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with world.engine.connect() as connection:
            if connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock'"
                )
            ).scalar_one():
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


def check_logs(world: Any, origins: list[str], replicas: list[Replica]) -> None:
    """Every receipt holds, nothing is there twice, every head ever shown is one of the same history."""
    found: dict[str, list[str]] = {}
    for origin in origins:
        head = world.host.head(origin)
        entries = world.host.entries(origin, 0, head.tree_size)
        assert root_of([leaf_hash(entry.raw) for entry in entries]) == head.root_hash
        found[origin] = [entry.digest.hex() for entry in entries]
        assert len(set(found[origin])) == len(entries)
        places = defaultdict(list)
        for entry in entries:
            header = SignedStatement.parse(entry.raw).header
            places[header.kid, header.stream].append(header.sequence)
        for sequences in places.values():
            assert sequences == list(range(len(sequences)))
    for replica in replicas:
        assert not replica.errors
        for origin, status, index, digest in replica.entries:
            assert status in {"accepted", "duplicate"}
            assert found[origin][index] == digest
        for origin, size, root in replica.heads:
            assert world.host.root_at(origin, size).hex() == root


def test_four_processes_write_twenty_logs_and_two_are_killed(
    world: Any, start: Any, is_long_run: Any
) -> None:
    """One is killed at a drawn moment, the other while it holds a log; the other two end their work."""
    rounds = 60 if is_long_run else 3
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    drawn = random.Random(seed)
    members = [Member(f"e-works{at}") for at in range(20)]
    for member in members:
        admit(world, member)
    origins = [member.data for member in members]
    own = [uploads_of(world, members, f"m-at{at}", rounds) for at in range(4)]
    shared = uploads_of(world, members, "m-at4", rounds)  # all four bring the same: three come too late

    def order(at: int) -> list[Any]:
        turned = origins[at * 5 :] + origins[: at * 5]
        return [
            (origin, [own[at][origin, turn], shared[origin, turn]])
            for turn in range(rounds)
            for origin in turned
        ]

    replicas = [start(order(at), stops_at=20 + drawn.randrange(20) if at == 3 else 0) for at in range(4)]
    go(*replicas)
    for _ in range(5 + drawn.randrange(30)):
        assert replicas[2].answered.acquire(timeout=PATIENCE_S)
    replicas[2].kill()
    assert replicas[3].holds.wait(PATIENCE_S)
    waits_for_a_lock(world)  # the others have come to the log that it holds
    replicas[3].kill()
    for replica in replicas[:2]:
        replica.join()
        assert replica.is_done
    assert len(replicas[3].entries) < 2 * len(origins) * rounds
    # Whoever was not answered sends the same bytes again, to any replica.
    for at in range(4):
        for origin, items in order(at):
            outcomes = world.host.register(origin, [world_submission(item) for item in items])
            assert {one.status for one in outcomes} <= {Status.ACCEPTED, Status.DUPLICATE}
    check_logs(world, origins, replicas)
    for origin in origins:
        assert len(world.host.select(origin, kinds={"readings"})) == 5 * rounds
    accepted = [
        (origin, digest)
        for one in replicas
        for origin, status, _, digest in one.entries
        if status == "accepted"
    ]
    assert len(accepted) == len(set(accepted))  # of those who bring the same, one was first
    report = LogAudit(world.engine, PublishedCopy(world.folder / "published"), world.log_key.public).run()
    assert report.is_sound, report.first


def world_submission(item: tuple[bytes, bytes]) -> Any:
    from carbonseal_ledger.outcomes import Submission

    return Submission(*item)


def test_killed_holder_of_a_log_lets_the_next_go_on_where_nothing_was_committed(
    world: Any, start: Any
) -> None:
    other = Member("e-works0")
    admit(world, other)
    size = world.host.head(world.data).tree_size
    first, second = world.readings(world.main), world.readings(world.stream("m-gas"))
    elsewhere = uploads_of(world, [other], "m-at0", 1)[other.data, 0]
    holder = start([(world.data, [(first.statement, first.content)])], stops_at=1)
    go(holder)
    assert holder.holds.wait(PATIENCE_S)
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.extend(world.host.register(world.data, [second])))
    waiting.start()
    waits_for_a_lock(world)
    assert not answers  # one sequencer a log
    assert world.host.register(other.data, [world_submission(elsewhere)])[0].status is Status.ACCEPTED
    holder.kill()  # a crash releases the lock, and nothing of the holder's is there
    waiting.join(PATIENCE_S)
    assert answers[0].index == size
    assert world.host.register(world.data, [first])[0].index > size
    check_logs(world, [world.data, other.data], [holder])


def test_holder_that_was_frozen_past_its_time_cannot_commit_when_it_wakes(world: Any, start: Any) -> None:
    size = world.host.head(world.data).tree_size
    first, second = world.readings(world.main), world.readings(world.stream("m-gas"))
    frozen = start([(world.data, [(first.statement, first.content)])], stops_at=1, idle_ms=300)
    go(frozen)
    assert frozen.holds.wait(PATIENCE_S)
    # The database ends the session that does nothing; the next sequencer takes the place meanwhile.
    assert world.host.register(world.data, [second])[0].index == size
    frozen.tell()
    frozen.join()
    assert frozen.errors == [DatabaseUnusable.code]
    assert not frozen.entries
    assert world.host.register(world.data, [first])[0].index > size
    frozen.errors.clear()
    check_logs(world, [world.data], [frozen])


def test_process_that_hangs_while_it_publishes_keeps_one_log_from_receipts_and_nobody_waiting(
    world: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Member("e-works0")
    admit(world, other)
    elsewhere = uploads_of(world, [other], "m-at0", 1)[other.data, 0]
    first, second = world.readings(world.main), world.readings(world.stream("m-gas"))
    hanging = start([(world.data, [(first.statement, first.content)])], stops_publishing=True)
    go(hanging)
    assert hanging.holds.wait(PATIENCE_S)
    monkeypatch.setattr("carbonseal_ledger.object_store.LOCK_SECONDS", 0.2)
    with pytest.raises(PublicationFailed, match="does not let go"):
        world.host.register(world.data, [second])
    assert world.host.register(other.data, [world_submission(elsewhere)])[0].status is Status.ACCEPTED
    hanging.kill()
    outcomes = world.host.register(world.data, [second, first])
    assert [one.status for one in outcomes] == [Status.DUPLICATE] * 2  # both were committed, none receipted
    check_logs(world, [world.data, other.data], [hanging])


def test_registrations_use_up_no_number_of_a_kind(world: Any) -> None:
    def last() -> int:
        with world.engine.connect() as connection:
            return int(
                connection.execute(
                    text("SELECT last_value FROM pg_sequences WHERE sequencename = 'ledger_kinds_id_seq'")
                ).scalar_one()
            )

    before = last()
    for _ in range(3):
        world.accept(world.readings(world.main))
        world.start()
    assert last() == before
