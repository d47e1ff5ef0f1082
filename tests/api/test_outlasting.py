"""Registrations that outlast their call: 303 and 302 with a time to ask again, then receipt or refusal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from fastapi.testclient import TestClient

from carbonseal_api.app import create_app
from carbonseal_api.logs.outlasting import patience_s
from carbonseal_api.logs.waiting import KEPT_MS, UNDER_WAY_MS, WaitingRoom
from carbonseal_attest.receipt import Receipt
from carbonseal_ledger.outcomes import Problem

START_MS = 1_767_196_800_000 + 500 * 3_600_000  # hours that no other test seals


class Held:
    """A log host that registers nothing until it is let."""

    def __init__(self, host: Any) -> None:
        self._host, self.gate = host, threading.Event()

    def register(self, origin: str, items: Any, **how: Any) -> Any:
        assert self.gate.wait(60)
        return self._host.register(origin, items, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


@pytest.fixture
def slow(site: Any) -> Iterator[Any]:
    """The site behind a service whose registrations wait, and a second replica that knows nothing of them."""
    host = Held(site.host)
    parts = replace(site.parts, host=host, registration_pool=ThreadPoolExecutor(4))  # closed with its service
    with TestClient(create_app(parts), follow_redirects=False) as client:
        yield client, host, site
        host.gate.set()


def statement(site: Any, hour: int, **changes: Any) -> tuple[Any, bytes]:
    start = START_MS + hour * 3_600_000
    site.clock.now = max(site.clock.now, start + 3_600_000)
    signed, content = site.seal_readings(["1"], start_ms=start, **changes)
    return signed, cbor2.dumps([signed.raw, content])


def post(client: Any, site: Any, body: bytes, **headers: str) -> Any:
    sent = site.headers("gateway", **{"Content-Type": "application/cbor"}, **headers)
    return client.post(f"/logs/{site.origin}/entries", content=body, headers=sent)


def ask(client: Any, site: Any, path: str, role: str = "gateway") -> Any:
    return client.get(path, headers=site.headers(role))


def settled(client: Any, site: Any, path: str) -> Any:
    """The first answer that is not a 302; registrations end in moments once they are let."""
    for _ in range(2_000):
        answer = ask(client, site, path)
        if answer.status_code != 302:
            return answer
    raise AssertionError(path)


@pytest.mark.parametrize(
    ("prefer", "want"),
    [
        ("", 20), ("return=minimal", 20), ("respond-async", 0), ("respond-async, wait=5", 5),
        ("wait=0", 0), ("wait=999999", 300), ("await=3", 20), ("wait=x", 20), ("wait=-1", 20),
    ],
)  # fmt: skip
def test_a_caller_waits_as_long_as_it_prefers(prefer: str, want: float) -> None:
    assert patience_s(prefer, 20) == want


def test_who_does_not_wait_is_told_where_to_ask_and_gets_the_receipt_there(slow: Any) -> None:
    client, host, site = slow
    signed, body = statement(site, 0)
    answer = post(client, site, body, Prefer="respond-async")
    path = f"/logs/{site.origin}/entries/{signed.digest.hex()}"
    assert (answer.status_code, answer.headers["location"], answer.content) == (303, path, b"")
    assert answer.headers["retry-after"] == "1"
    for replica in (client, site.client):
        running = ask(replica, site, path)
        assert (running.status_code, running.headers["location"]) == (302, path)
        assert running.headers["retry-after"] == "1"
    host.gate.set()
    receipt = settled(client, site, path)
    assert receipt.status_code == 200
    Receipt.parse(receipt.content).verify(signed.raw, origin=site.origin, key=site.cast.log_key.public)
    again = post(client, site, body, Prefer="respond-async, wait=20")
    assert (again.status_code, again.headers["location"]) == (303, path)
    assert "retry-after" not in again.headers


def test_a_refusal_after_the_call_is_told_at_the_locator(slow: Any) -> None:
    client, host, site = slow
    _, body = statement(site, 1, sequence=10_000, previous=bytes(32))
    answer = post(client, site, body, Prefer="wait=0")
    assert answer.status_code == 303
    host.gate.set()
    refused = settled(site.client, site, answer.headers["location"])
    assert (refused.status_code, refused.json()["code"]) == (409, "sequence-gap")
    assert ask(client, site, answer.headers["location"], "stranger").status_code == 404


def test_what_cannot_be_read_is_refused_in_its_call(slow: Any) -> None:
    client, host, site = slow
    host.gate.set()
    answer = post(client, site, cbor2.dumps([b"junk", None]), Prefer="respond-async")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-statement")


def test_nothing_is_known_of_what_was_never_sent(slow: Any) -> None:
    client, _, site = slow
    for digest, status in (("00" * 32, 404), ("00", 422)):
        assert ask(client, site, f"/logs/{site.origin}/entries/{digest}").status_code == status
    assert client.get(f"/logs/{site.origin}/entries/{'00' * 32}").status_code == 401


def test_a_row_of_a_process_that_died_is_believed_for_some_minutes_only(site: Any) -> None:
    now = [1_000_000_000_000]
    room = WaitingRoom(site.parts.engine, lambda: now[0])
    problem = Problem("sequence-gap", "header.sequence", "a gap", "fill it", 3)
    room.begin("log.example/e-x/data", bytes(32))
    room.begin("log.example/e-x/data", b"\1" * 32)
    room.end("log.example/e-x/data", b"\1" * 32, problem)
    assert room.look("log.example/e-x/data", bytes(32)) is True
    assert room.look("log.example/e-y/data", bytes(32)) is False
    now[0] += UNDER_WAY_MS
    assert room.look("log.example/e-x/data", bytes(32)) is False
    assert room.look("log.example/e-x/data", b"\1" * 32) == problem
    now[0] += KEPT_MS
    room.begin("log.example/e-x/data", b"\2" * 32)
    assert room.look("log.example/e-x/data", b"\1" * 32) is False
