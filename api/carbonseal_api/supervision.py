"""Starts the programs of a deployment and ends them by their own process ids; restarts one that died.

Children run in sessions of their own, so that Ctrl-C reaches the supervisor alone, which then ends them in
reverse order: terminate, wait, kill. Should the supervisor itself be killed, the kernel terminates the
children (Linux `PR_SET_PDEATHSIG`). Output goes to log files, never to a pipe that nobody reads; long ones
are moved aside, and the oldest go.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from carbonseal_api.problems import PartMissing

STOP_SECONDS: Final = 10.0  # between terminate and kill
START_SECONDS: Final = 60.0  # until a program must answer, on a busy machine
LOOK_SECONDS: Final = 0.2  # how soon a death is noticed
MAX_RESTARTS: Final = 1000  # of one program; a program that dies at once is given up by _MAX_QUICK
MAX_LOG_BYTES: Final = 64 << 20  # of one file; then it is moved aside
KEPT_LOGS: Final = 4  # older ones of one program
ROTATE_SECONDS: Final = 30.0
_QUICK_SECONDS: Final = 1.0
_MAX_QUICK: Final = 10
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run.

    Attributes:
        name: Short name, also of its log file.
        arguments: The command line; never through a shell.
        is_ready: Says whether it answers; called until it does.
        environment: Added to the supervisor's own.
        descriptors: File descriptors that it inherits (a listening socket).
    """

    name: str
    arguments: Sequence[str]
    is_ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()


@dataclass(slots=True)
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    quick_deaths: int = 0
    restarts: int = 0


class Supervisor:
    """Runs programs until `stop`; `watch` brings dead ones back.

    `_running` is guarded by `_lock`; once `_is_stopping` is set nothing is started any more.
    """

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._log_folder.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._rotates_at = 0.0

    def start(self, program: Program) -> int:
        """Start a program, wait until it answers and return its process id.

        Raises:
            PartMissing: It is not installed, ended at once, or stayed silent.
        """
        with self._lock:
            if self._is_stopping.is_set():
                raise PartMissing(
                    program.name, "the deployment is being stopped", "start it again afterwards"
                )
            running = _Running(program, self._spawn(program), time.monotonic())
            self._running[program.name] = running
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not self._is_stopping.is_set():
            if running.process.poll() is not None:
                break
            if program.is_ready():
                return running.process.pid
            time.sleep(0.05)
        raise PartMissing(program.name, f"did not start: {self.last_line(program.name)}", "read its log file")

    def pid(self, name: str) -> int:
        """Return the present process id of a program."""
        with self._lock:
            return self._running[name].process.pid

    def last_line(self, name: str) -> str:
        """Return the last line that a program wrote."""
        with contextlib.suppress(OSError):
            lines = (self._log_folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1][:200]
        return "it said nothing"

    def watch(self, until: threading.Event, *, on_restart: Callable[[], object] = lambda: None) -> None:
        """Bring programs back that died, until the event is set.

        Args:
            until: Ends the watch.
            on_restart: Called after each round that brought something back.

        Raises:
            PartMissing: A program died again and again just after its start.
        """
        while not until.wait(LOOK_SECONDS):
            self._rotate()
            with self._lock:
                dead = [running for running in self._running.values() if running.process.poll() is not None]
                for running in dead:
                    self._revive(running)
            if dead:
                on_restart()

    def stop(self) -> None:
        """End every program, the last started first: terminate, wait, kill."""
        self._is_stopping.set()
        with self._lock:
            for running in reversed(list(self._running.values())):
                end_process(running.process)
            self._running.clear()

    def _rotate(self) -> None:
        """Move what a log file holds aside once it is long; the programs go on writing to its end."""
        now = time.monotonic()
        if now < self._rotates_at:
            return
        self._rotates_at = now + ROTATE_SECONDS
        for file in self._log_folder.glob("*.log"):
            if file.stat().st_size < MAX_LOG_BYTES:
                continue
            for number in range(KEPT_LOGS - 1, 0, -1):
                older = file.with_suffix(f".log.{number}")
                if older.exists():
                    older.replace(file.with_suffix(f".log.{number + 1}"))
            shutil.copyfile(file, file.with_suffix(".log.1"))
            os.truncate(file, 0)  # they append: what is written between the two is lost, a few lines

    def _revive(self, running: _Running) -> None:
        if self._is_stopping.is_set():
            return
        name = running.program.name
        is_quick = time.monotonic() - running.started_at < _QUICK_SECONDS
        running.quick_deaths = running.quick_deaths + 1 if is_quick else 0
        running.restarts += 1
        if running.quick_deaths > _MAX_QUICK or running.restarts > MAX_RESTARTS:
            raise PartMissing(name, f"dies again and again: {self.last_line(name)}", "read its log file")
        running.process = self._spawn(running.program)
        running.started_at = time.monotonic()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        try:
            with (self._log_folder / f"{program.name}.log").open("ab") as log:
                return subprocess.Popen(
                    list(program.arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | dict(program.environment),
                    pass_fds=tuple(program.descriptors),
                    start_new_session=True,
                    preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads take locks there
                )
        except OSError as problem:
            raise PartMissing(
                program.name, f"cannot be run: {problem.strerror}", "run `make setup`"
            ) from problem


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End a child by its process id: terminate, wait, kill."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
