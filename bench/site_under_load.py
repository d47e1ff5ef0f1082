"""A founded service under load: the product's own deployment and serving process, with gateways enrolled.

The parties are founded and the gateways enrolled here, in one go, by the functions that `carbonseal up` and
`carbonseal admit` use; then the serving process is started as `carbonseal up` starts it. The worker is left
out, so that no epoch falls into one run and not into the next.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from carbonseal_api.deployment import admit_enterprise, desk_of, found_deployment, key_folder
from carbonseal_api.settings import load_settings
from carbonseal_attest.identity.device_statements import enrolment
from carbonseal_ledger.database import stop_embedded
from fleet import Gateway
from uploads import Site

START_SECONDS = 60.0
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunningSite:
    """A service under load: where to send, its database, and where its files are."""

    site: Site
    database: str
    published: Path
    processes: Sequence[int] = ()

    def cpu_seconds(self) -> float:
        """Processor time that the serving processes have spent."""
        times = [psutil.Process(pid).cpu_times() for pid in self.processes]
        return sum(each.user + each.system for each in times)


@contextmanager
def running_site(folder: Path, gateways: Sequence[Gateway]) -> Iterator[RunningSite]:
    """A founded service with these gateways enrolled, one replica a core; its folder's path must be short."""
    settings = load_settings({}, data_folder=folder)
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            running = found_site(folder, gateways, port=listener.getsockname()[1])
            with serving(folder, listener, os.cpu_count() or 1) as processes:
                yield replace(running, processes=processes)
    finally:
        stop_embedded(settings.data_folder / "pg")


@contextmanager
def serving(folder: Path, listener: socket.socket, replicas: int) -> Iterator[list[int]]:
    """The serving processes of a founded folder, on a socket that is bound already; closes it here.

    Yields their process ids.
    """
    port = listener.getsockname()[1]
    command = [sys.executable, "-m", "carbonseal_api.serving", "--data", folder]
    processes: list[subprocess.Popen[bytes]] = []
    log = (folder / "service.log").open("wb")  # a line a request, as in production
    try:
        for _ in range(replicas):
            # Those before it are held meanwhile, so that whoever answers is the new one.
            for before in processes:
                before.send_signal(signal.SIGSTOP)
            processes.append(
                subprocess.Popen(
                    [*command, "--fd", str(listener.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[listener.fileno()],
                )
            )
            _wait_until_it_answers(port, processes[-1])
            for before in processes:
                before.send_signal(signal.SIGCONT)
        listener.close()  # the processes have their own by now
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        log.close()


def found_site(folder: Path, gateways: Sequence[Gateway], *, port: int) -> RunningSite:
    """A founded deployment with one enterprise and these gateways enrolled; nothing runs yet."""
    settings = load_settings({}, data_folder=folder)
    parts = found_deployment(settings)
    try:
        admitted = admit_enterprise(parts, {"zh": "测量企业", "en": "Measured enterprise"})
        desk = desk_of(parts, admitted.party, key_folder(settings).signer(admitted.party))
        for gateway in gateways:
            body = enrolment(
                admitted.party,
                gateway.code,
                gateway.signer,
                name={"zh": "网关", "en": "Gateway"},
                subjects=[meter.code for meter in gateway.meters],
            )
            desk.issue(admitted.register_origin, "device", body, subject=gateway.code)
        url = parts.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        site = Site(port, admitted.party, admitted.data_origin, admitted.api_key)
        return RunningSite(site, url, settings.published)
    finally:
        parts.close()


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended at once"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    message = f"the service did not answer within {START_SECONDS:.0f} s"
    raise TimeoutError(message)
