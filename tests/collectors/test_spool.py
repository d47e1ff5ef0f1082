from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from gateways import SIGNER, START, sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spool_parts import assert_chained, batch, chain, open_spool, sealer

from carbonseal_attest.statement import SignedStatement
from carbonseal_collectors.adapter import SourceFile
from carbonseal_collectors.errors import SpoolFull, SpoolRefused

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"gateway": "d-other"}, "is of gateway d-gateway, not d-other"),
        ({"origin": "log.x/e-y/data"}, "is of origin"),
    ],
)
def test_refuses_a_spool_of_another_gateway_or_log(tmp_path, more, said):
    open_spool(tmp_path).close()
    with pytest.raises(SpoolRefused, match=said):
        open_spool(tmp_path, **more)


def test_refuses_a_file_that_is_no_spool(tmp_path):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "spool.sqlite3").write_bytes(b"not a database, but long enough to look at" * 30)
    with pytest.raises(SpoolRefused, match="cannot be opened"):
        open_spool(tmp_path)


def test_refuses_a_statement_that_is_not_the_next_of_its_stream(tmp_path):
    spool = open_spool(tmp_path)
    with pytest.raises(SpoolRefused, match="does not follow -1"):
        spool.append(
            kid=b"k" * 32, stream="s", sequence=1, digest=b"d" * 32, kind="gap", interval=(0, 1),
            statement=b"",
            content=b"",
        )  # fmt: skip
    assert spool.head(b"k" * 32, "s").next_sequence == 0
    spool.close()


def test_says_when_it_is_full_and_loses_nothing(tmp_path):
    spool = open_spool(tmp_path, max_bytes=60_000)
    made = sealer(spool)

    def fill() -> None:
        for hour in range(1_000):
            spool.check_room()
            made.seal(batch(hour))

    with pytest.raises(SpoolFull, match="more than spool_max_bytes"):
        fill()
    assert_chained(chain(spool))
    spool.close()


def test_nothing_of_a_failed_transaction_stays(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    made.seal(batch(0))

    def fail() -> None:
        with spool.transaction():
            made.seal(batch(1))
            spool.set_resume_from("m-one", 5)
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    assert len(chain(spool)) == 1
    assert spool.resume_from("m-one") is None
    made.seal(batch(1))
    assert_chained(chain(spool))
    spool.close()


def test_a_full_disk_is_said_and_loses_nothing_that_was_taken(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    made.seal(batch(0))
    spool._db.execute("PRAGMA max_page_count = 40")

    def fill() -> None:
        for hour in range(1, 1_000):
            with spool.transaction():
                made.seal(batch(hour))
                made.seal(batch(hour, code="m-two"))

    with pytest.raises(SpoolFull, match="make room on the disk"):
        fill()
    kept = len(chain(spool))
    assert kept % 2 == 1  # each pair whole or not at all
    spool._db.execute("PRAGMA max_page_count = 100000")
    made.seal(batch(2_000))
    assert len(chain(spool)) == kept + 1
    assert_chained(chain(spool))
    spool.close()


def test_keeps_the_bytes_until_the_receipt_is_anchored(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    for hour in range(4):
        made.seal(batch(hour))
    entries = spool.waiting(limit=10, max_bytes=1 << 30)
    spool.mark_logged([(entry, index + 1) for index, entry in enumerate(entries)])
    assert spool.mark_anchored(below=100) == 0  # no receipts yet
    for index, entry in enumerate(entries[:3]):
        spool.keep_receipt(entry, b"receipt", index=index + 1, tree_size=9)
    assert spool.mark_anchored(below=3) == 2
    assert spool.counts() == {"queued": 0, "sent": 0, "logged": 2, "anchored": 2, "voided": 0}
    assert spool.receipt(entries[0].digest) == b"receipt"
    with sqlite3.connect(tmp_path / "spool" / "spool.sqlite3") as db:
        kept = db.execute("SELECT count(*) FROM statements WHERE statement IS NOT NULL").fetchone()
    assert kept == (2,)
    spool.close()


def test_gives_the_oldest_first_within_the_limits_and_never_nothing(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    for hour in range(5):
        made.seal(batch(hour, code=f"m-{hour % 2}x"))
    assert [e.sequence for e in spool.waiting(limit=3, max_bytes=1 << 30)] == [0, 0, 1]
    assert len(spool.waiting(limit=3, max_bytes=1)) == 1
    kid = SIGNER.public.kid
    rest = spool.waiting(limit=9, max_bytes=1 << 30, without=[(kid, "readings/m-0x")])
    assert {e.stream for e in rest} == {"readings/m-1x"}
    other = spool.waiting(limit=9, max_bytes=1 << 30, without=[(bytes(32), "readings/m-0x")])
    assert len(other) == 5, "a stream of the same name under another key is another stream"
    spool.close()


def test_a_void_goes_out_in_the_place_of_what_it_replaces(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)
    for hour in range(3):
        made.seal(batch(hour))
    refused = spool.waiting(limit=10, max_bytes=1 << 30)[1]
    made.void(refused, "interval-invalid: ends in the future")
    waiting = spool.waiting(limit=10, max_bytes=1 << 30)
    assert [(e.kind, e.sequence) for e in waiting] == [("readings", 0), ("void", 1), ("readings", 2)]
    void, after = (SignedStatement.parse(e.statement) for e in waiting[1:])
    assert void.header.previous == SignedStatement.parse(waiting[0].statement).digest
    assert after.header.previous == refused.digest
    assert spool.problems()[0]["problem"] == "interval-invalid: ends in the future"
    spool.close()


def test_samples_files_and_marks_survive_closing(tmp_path):
    spool = open_spool(tmp_path)
    kept = [sample(START, "1.50"), sample(START + HOUR, None, quality="bad", source_status="timeout")]
    spool.journal("plant", kept)
    spool.add_files("files", [SourceFile("a.csv", 3, b"d" * 32, 1)])
    spool.add_marks("m-one", START, b"a" * 12)
    spool.add_marks("m-one", START, b"b" * 12)
    spool.close()
    spool = open_spool(tmp_path)
    assert spool.journalled("m-one") == kept
    assert str(spool.journalled("m-one")[0].value) == "1.50"
    spool.forget_samples("m-one", before=START + HOUR)
    assert spool.journalled("m-one") == kept[1:]
    assert spool.known_files("files") == [b"d" * 32]
    assert spool.signed_marks("m-one", START) == b"a" * 12 + b"b" * 12
    spool.close()


def test_several_threads_share_it_without_breaking_a_stream(tmp_path):
    spool = open_spool(tmp_path)
    made = sealer(spool)

    def work() -> None:
        for hour in range(15):
            made.seal(batch(hour))
            spool.waiting(limit=5, max_bytes=1 << 20)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statements = chain(spool)
    assert len(statements) == 60
    assert_chained(statements)
    spool.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["seal a", "seal b", "log", "void", "requeue", "anchor", "reopen"]), max_size=25)
)
def test_whatever_happens_no_statement_is_lost_and_streams_stay_chained(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("spool")
    spool = open_spool(folder)
    made, sealed, places, index = sealer(spool), 0, set(), 0
    for number, step in enumerate(steps):
        waiting = spool.waiting(limit=2, max_bytes=1 << 30)
        match step:
            case "seal a" | "seal b":
                statement = made.seal(batch(number, code=f"m-{step[-1]}x"))
                places.add((statement.header.stream, statement.header.sequence))
                sealed += 1
            case "log":
                spool.mark_sent(waiting)
                spool.mark_logged([(entry, index + at) for at, entry in enumerate(waiting)])
                index += len(waiting)
            case "void" if waiting and waiting[0].kind != "void":
                made.void(waiting[0], "refused")
            case "requeue":
                for entry in spool.logged(limit=1, without_receipt=True):
                    spool.requeue(entry, "unknown")
            case "anchor":
                for entry in spool.logged(limit=9, without_receipt=True):
                    spool.keep_receipt(entry, b"r", index=entry.entry_index or 0, tree_size=99)
                spool.mark_anchored(below=index)
            case "reopen":
                spool.close()
                spool = open_spool(folder)
                made = sealer(spool)
    counts = spool.counts()
    assert sum(counts.values()) - counts["voided"] == sealed
    with sqlite3.connect(folder / "spool" / "spool.sqlite3") as db:
        rows = db.execute("SELECT stream, sequence FROM statements WHERE state != 'voided'").fetchall()
    assert sorted(rows) == sorted(places)
    spool.close()


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from spool_parts import open_spool, sealer, batch
spool = open_spool(Path({folder!r}))
made = sealer(spool)
print("ready", flush=True)
for hour in range(100_000):
    with spool.transaction():
        digest = made.seal(batch(hour)).digest
        made.seal(batch(hour, code="m-two"))
    print(digest.hex(), flush=True)
"""


def test_what_was_committed_survives_kill_nine_at_any_moment(tmp_path, is_long_run):
    told: list[str] = []
    moments = random.Random(11)
    script = WRITER.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    for _ in range(40 if is_long_run else 4):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        # The moment of the kill is drawn by how much was told plus a little, so that it falls inside a
        # write.
        told += [process.stdout.readline().strip() for _ in range(moments.randrange(1, 25))]
        time.sleep(moments.random() / 200)
        process.send_signal(signal.SIGKILL)
        told += [line.strip() for line in process.stdout if len(line.strip()) == 64]
        process.wait()
        process.stdout.close()
    spool = open_spool(tmp_path)
    statements = chain(spool)
    assert set(told) <= {statement.digest.hex() for statement in statements}
    assert_chained(statements)
    lengths = {len([s for s in statements if s.header.subject == code]) for code in ("m-one", "m-two")}
    assert len(lengths) == 1  # both or none of each transaction
    spool.close()
