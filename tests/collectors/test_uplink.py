from __future__ import annotations

import gzip
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from gateways import SIGNER
from log_server import ORIGIN, LogServer
from spool_parts import batch, open_spool, sealer

from carbonseal_attest.contents import parse_content
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_collectors.errors import UplinkUnusable
from carbonseal_collectors.gateway_config import UplinkConfig
from carbonseal_collectors.spool import Spool
from carbonseal_collectors.uplink import Uplink


def config(server: LogServer, **more) -> UplinkConfig:
    base = UplinkConfig(
        ledger_url=server.url,
        api_key_env="",
        log_key=server.key.public.raw.hex(),
        batch_statements=3,
        batch_bytes=1 << 20,
        timeout_ms=400,
        backoff_first_ms=100,
        backoff_max_ms=350,
    )
    return replace(base, **more)


class Site:
    """A spool with a few statements of two meters, and an uplink to the test log."""

    def __init__(self, folder: Path, server: LogServer, count: int = 8, **more) -> None:
        self.server = server
        self.spool: Spool = open_spool(folder)
        self.sealer = sealer(self.spool)
        for hour in range(count):
            self.sealer.seal(batch(hour, code="m-one" if hour % 2 else "m-two"))
        self.uplink = Uplink(
            config(server, **more), origin=ORIGIN, spool=self.spool, sealer=self.sealer, api_key="csk_test"
        )

    def close(self) -> None:
        self.uplink.close()
        self.spool.close()


@pytest.fixture
def site(tmp_path, log_server):
    made = Site(tmp_path, log_server)
    yield made
    made.close()


def registered(server: LogServer) -> list[tuple[str, int]]:
    return [(s.header.subject, s.header.sequence) for s in server.statements]


ALL = [("m-two" if n % 2 == 0 else "m-one", n // 2) for n in range(8)]


def test_refuses_to_start_without_the_logs_key(log_server, tmp_path):
    spool = open_spool(tmp_path)
    with pytest.raises(UplinkUnusable, match=r"uplink\.log_key: is not set"):
        Uplink(config(log_server, log_key=""), origin=ORIGIN, spool=spool, sealer=sealer(spool))
    spool.close()


def test_drains_in_order_and_keeps_checked_receipts(site):
    report = site.uplink.drain()
    assert registered(site.server) == ALL
    assert (report.logged, report.receipts, report.failure) == (8, 8, "")
    assert site.spool.counts()["logged"] == 8
    assert site.sealer.known_checkpoint()[0] == 9
    assert "POST /logs/log.test.example/e-party/data/entries:batch" in site.server.requests[0]


@pytest.mark.parametrize("mode", ["down", "silent"])
def test_a_server_that_is_down_or_silent_is_never_a_loss(site, mode):
    site.server.mode = mode
    report = site.uplink.drain()
    assert report.failure
    assert site.spool.counts()["queued"] + site.spool.counts()["sent"] == 8
    site.server.mode = "ok"
    assert site.uplink.drain().logged == 8
    assert registered(site.server) == ALL


def test_nobody_listening_is_never_a_loss_and_waits_longer_each_time(tmp_path, log_server):
    made = Site(tmp_path, log_server, ledger_url="http://127.0.0.1:1")
    waits = []
    for _ in range(4):
        made.uplink.drain()
        waits.append(made.uplink.wait_ms)
    assert waits == [100, 200, 350, 350]
    assert made.spool.counts()["queued"] == 8
    made.close()


def test_an_answer_that_was_lost_leads_to_duplicates_not_to_doubles(site):
    site.server.mode = "lost"
    site.uplink.drain()
    assert len(site.server.statements) == 3
    site.server.mode = "ok"
    site.uplink.drain()
    assert registered(site.server) == ALL
    assert site.spool.counts()["logged"] == 8


def test_a_statement_refused_for_good_becomes_a_void_and_never_blocks(site):
    problem = {
        "code": "content-invalid",
        "field": "content.body",
        "reason": "no\x00good",
        "remedy": "seal again",
    }
    site.server.refuse = lambda s: (
        problem
        if s.header.kind != "void" and s.header.subject == "m-one" and s.header.sequence == 1
        else None
    )
    report = site.uplink.drain()
    assert report.voided == 1
    kinds = [
        (s.header.kind, s.header.sequence) for s in site.server.statements if s.header.subject == "m-one"
    ]
    assert kinds == [("readings", 0), ("void", 1), ("readings", 2), ("readings", 3)]
    counts = site.spool.counts()
    assert (counts["voided"], counts["logged"], counts["queued"]) == (1, 8, 0)
    assert "content-invalid" in site.spool.problems()[0]["problem"]


def test_a_refused_void_is_held_and_not_voided_again(site):
    problem = {"code": "content-invalid", "field": "f", "reason": "r", "remedy": "m"}
    site.server.refuse = lambda s: problem if s.header.subject == "m-one" else None
    report = site.uplink.drain()
    assert list(report.held) == ["readings/m-one"]
    assert site.spool.counts()["voided"] == 1
    assert len(registered(site.server)) == 4


def test_a_key_that_is_not_enrolled_yet_holds_its_stream_and_loses_nothing(site):
    problem = {
        "code": "unknown-device",
        "field": "header.kid",
        "reason": "not enrolled",
        "remedy": "enrol it",
    }
    site.server.refuse = lambda s: problem if s.header.subject == "m-one" else None
    report = site.uplink.drain()
    assert report.held["readings/m-one"].startswith("unknown-device: header.kid: not enrolled")
    assert [subject for subject, _ in registered(site.server)] == ["m-two"] * 4
    site.server.refuse = lambda _: None
    assert site.uplink.drain().logged == 4
    assert site.spool.counts()["voided"] == 0
    assert site.spool.problems() == []


def test_a_log_that_takes_no_more_for_now_is_asked_again_when_it_said_and_loses_nothing(site):
    problem = {
        "code": "rate-limited",
        "field": "log",
        "reason": "more than 2 statements a second",
        "remedy": "later",
        "retry_after_s": 7,
    }
    site.server.refuse = lambda s: problem if s.header.sequence >= 2 else None
    report = site.uplink.drain()
    assert "rate-limited" in report.failure
    assert site.uplink.wait_ms == 7_000
    assert site.spool.counts()["voided"] == 0
    assert {sequence for _, sequence in registered(site.server)} == {0, 1}
    site.server.refuse = lambda _: None
    site.uplink.drain()
    assert registered(site.server) == ALL


@pytest.mark.parametrize("asked", [10**9, -5, "soon", None, "9" * 40])
def test_no_answer_silences_a_gateway_for_longer_than_an_hour(site, asked):
    problem = {"code": "rate-limited", "field": "log", "reason": "r", "remedy": "m", "retry_after_s": asked}
    site.server.refuse = lambda _: problem
    site.uplink.drain()
    assert 100 <= site.uplink.wait_ms <= 3_600_000


def test_a_key_that_was_replaced_does_not_hold_up_the_same_stream_of_the_new_key(tmp_path, log_server):
    site = Site(tmp_path, log_server, count=4)
    new = sealer(site.spool, Ed25519Signer.from_seed(b"\x31" * 32))
    stale = {"code": "key-stale", "field": "header.kid", "reason": "revoked", "remedy": "use the present key"}
    log_server.refuse = lambda s: stale if s.header.kid == SIGNER.public.kid else None
    for hour in range(4, 8):
        new.seal(batch(hour, code="m-one" if hour % 2 else "m-two"))
    report = site.uplink.drain()
    assert report.logged == 4
    assert site.spool.counts()["queued"] + site.spool.counts()["sent"] == 4, "kept, and shown"
    assert "key-stale" in site.spool.problems()[0]["problem"]
    site.close()


def test_a_batch_longer_than_the_log_takes_is_sent_in_smaller_ones(tmp_path, log_server):
    site = Site(tmp_path, log_server, batch_statements=8)
    log_server.most = 3
    report = site.uplink.drain()
    assert report.failure == ""
    assert registered(log_server) == ALL
    site.close()


def test_a_receipt_of_another_key_is_not_believed(site):
    real = site.server.key
    site.server.key = Ed25519Signer.from_seed(b"\x09" * 32)
    assert "is not believed" in site.uplink.drain().failure
    assert site.spool.counts()["logged"] == 8
    assert site.spool.receipted() == []
    site.server.key = real
    assert site.uplink.drain().receipts == 8


def test_a_receipt_for_another_statement_is_not_believed(site):
    honest = site.server.receipt
    site.server.receipt = lambda _: honest(site.server.statements[0].digest)
    assert "is not believed" in site.uplink.drain().failure
    assert len(site.spool.receipted()) == 1
    assert "is not believed" in site.spool.problems()[0]["problem"]


def test_a_log_that_forgot_what_it_accepted_gets_it_again(site):
    honest = site.server.receipt
    site.uplink.drain(with_receipts=False)
    site.server.receipt = lambda _: None
    site.uplink.drain()
    assert site.spool.counts()["queued"] == 8
    site.server.receipt = honest
    site.uplink.drain()
    assert registered(site.server) == ALL
    assert len(site.spool.receipted()) == 8


def test_a_checkpoint_rolled_back_is_not_believed(site):
    site.uplink.drain()
    known = site.sealer.known_checkpoint()
    del site.server.leaves[4:]
    report = site.uplink.drain()
    assert "is not believed" in report.failure
    assert site.sealer.known_checkpoint() == known


def test_a_second_history_of_the_log_is_not_believed(site):
    site.uplink.drain()
    known = site.sealer.known_checkpoint()
    site.server.leaves = [b"other"] * 20
    assert "is not believed" in site.uplink.drain().failure
    assert site.sealer.known_checkpoint() == known


def test_bytes_are_let_go_only_below_the_anchor(site):
    site.server.anchored_below = 5
    report = site.uplink.drain()
    assert report.anchored == 4  # indexes 1 to 4; 0 is the genesis
    assert site.spool.counts()["anchored"] == 4
    site.server.anchored_below = 99
    assert site.uplink.drain().anchored == 4


def test_falls_back_to_single_receipts(site):
    site.server.has_batch_receipts = False
    assert site.uplink.drain().receipts == 8


def test_a_large_content_is_put_first(site, monkeypatch):
    monkeypatch.setattr("carbonseal_collectors.uplink._INLINE_CONTENT", 10)
    site.uplink.drain()
    assert registered(site.server) == ALL
    assert parse_content(next(iter(site.server.contents.values()))).kind == "readings"


@pytest.mark.parametrize("answer", [b"", b"\x80", b"\x83\x01\x02\x03", b"\xff" * 9, b"{}"])
def test_a_senseless_answer_is_never_a_loss(site, answer):
    honest = site.server._route
    site.server._route = lambda *_: (200, answer, "application/cbor")
    assert site.uplink.drain().failure
    site.server._route = honest
    assert site.uplink.drain().logged == 8


def test_an_answer_about_other_statements_is_not_believed(site):
    honest = site.server.register
    site.server.register = lambda *item: honest(*item) | {"digest": b"x" * 32}
    assert "not about what was sent" in site.uplink.drain().failure
    assert site.spool.counts()["logged"] == 0


@pytest.mark.parametrize("index", [-1, True, 1 << 48, (1 << 64) - 1])
def test_an_index_that_no_log_can_have_is_not_believed(site, index):
    honest = site.server.register
    site.server.register = lambda *item: honest(*item) | {"index": index}
    assert "not about what was sent" in site.uplink.drain().failure
    site.server.register = honest
    assert site.uplink.drain().logged == 8


@pytest.mark.parametrize("part", ["/state", "/proofs/consistency", "/entries"])
@pytest.mark.parametrize("answer", [b"[" * 100_000, b'{"code":' * 100_000])
def test_json_nested_without_end_is_never_a_loss(site, part, answer):
    site.uplink.drain(max_batches=1)
    honest = site.server._route

    def nested(method, target, body):
        is_meant = part in target
        return (503, answer, "application/problem+json") if is_meant else honest(method, target, body)

    site.server._route = nested
    assert site.uplink.drain().failure
    site.server._route = honest
    assert site.uplink.drain().failure == ""
    assert registered(site.server) == ALL


def test_what_a_ledger_says_is_made_printable(site):
    site.server._route = lambda *_: (
        503,
        b'{"code": "a\\u001b[2J", "detail": "b\\ud800"}',
        "application/json",
    )
    assert site.uplink.drain().failure.isprintable()


def test_a_packed_answer_is_not_unpacked(site):
    bomb = gzip.compress(bytes(32 << 20))

    def reply(request, _status, _data, _kind):
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(bomb)))
        request.end_headers()
        request.wfile.write(bomb)

    site.server._reply = reply
    assert "packed" in site.uplink.drain().failure


def test_an_answer_without_end_is_cut_off_at_the_limit(site, monkeypatch):
    monkeypatch.setattr("carbonseal_collectors.uplink.MAX_ANSWER", 1 << 16)
    site.server._route = lambda *_: (200, bytes(1 << 20), "application/cbor")
    assert "larger than" in site.uplink.drain().failure


def test_an_answer_that_comes_byte_by_byte_ends_at_the_deadline(site, monkeypatch):
    monkeypatch.setattr("carbonseal_collectors.uplink._TIMEOUTS_AN_ANSWER", 1)

    def reply(request, _status, _data, _kind):
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        with suppress(OSError):
            while True:
                request.wfile.write(b"x")
                request.wfile.flush()
                threading.Event().wait(0.05)

    site.server._reply = reply
    assert "does not come to an end" in site.uplink.drain().failure


def test_every_statement_was_signed_by_the_gateway(site):
    site.uplink.drain()
    for statement in site.server.statements:
        statement.verify_signature(SIGNER.public)


def test_an_announced_log_key_is_believed_beside_the_present_one(tmp_path, log_server):
    new = Ed25519Signer.generate()
    made = Site(tmp_path, log_server, next_log_key=new.public.text())
    made.uplink.drain()
    log_server.key = new
    for hour in range(8, 12):
        made.sealer.seal(batch(hour, code="m-one"))
    report = made.uplink.drain()
    assert (report.failure, report.receipts) == ("", 4)
    assert made.spool.waiting(limit=10, max_bytes=1 << 20) == []
    made.close()


def test_a_log_key_that_nobody_announced_is_not_believed(tmp_path, log_server):
    made = Site(tmp_path, log_server, next_log_key=Ed25519Signer.generate().public.text())
    log_server.key = Ed25519Signer.generate()
    report = made.uplink.drain()
    assert report.failure
    with pytest.raises(UplinkUnusable, match=r"uplink\.next_log_key"):
        Uplink(
            config(log_server, next_log_key="00" * 32), origin=ORIGIN, spool=made.spool, sealer=made.sealer
        )
    made.close()
