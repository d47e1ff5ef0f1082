"""Brings up the real parts of a demo and takes them down again: PostgreSQL, EVM node, log host, HTTP service.

Everything listens on loopback, lives in a temporary folder and ends with the `with` block. One clock drives
log host and chain; where a plant is simulated, the gateway and the plant run on it too.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import uvicorn
from pydantic import SecretStr
from sqlalchemy import Engine

from carbonseal_api.app import create_app
from carbonseal_api.assembly import Parts, assemble
from carbonseal_api.demo.anchors import ChainDesk
from carbonseal_api.demo.cast import HOST_NAME, Cast, open_logs
from carbonseal_api.demo.memory import MemoryWatch
from carbonseal_api.problems import ServiceUnavailable
from carbonseal_api.settings import Settings
from carbonseal_api.web.sessions import open_session
from carbonseal_attest.instants import Clock
from carbonseal_ledger.database import embedded_pid, open_database, stop_embedded
from carbonseal_ledger.log_host import LogHost
from carbonseal_ledger.publishing import PublishedCopy

_START_SECONDS: Final = 20


class Stage:
    """The parts of one demo, for use in a `with` block.

    Attributes:
        folder: temporary folder of everything that is not the demo's output.
        host: the log host's facade; founding, filing and epochs go straight to it.
        chain: node, contract and anchors.
        url: address of the HTTP service, through which the gateway sends and people look.
        api_key: the enterprise's key for the service.
    """

    def __init__(self, cast: Cast, clock: Clock, *, port: int = 0) -> None:
        self.cast = cast
        self.clock = clock
        self.folder = Path()
        self.url = ""
        self.api_key = ""
        self.host: LogHost
        self.chain: ChainDesk
        self.engine: Engine
        self.parts: Parts
        self.memory = MemoryWatch(lambda: [embedded_pid(self.folder / "pg")])
        self._port = port
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._raise()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def _raise(self) -> None:
        listener = self._listen()
        # A short path: PostgreSQL's socket lies in this folder, and its path is limited to 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="cs-"))
        self._exit.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._exit.enter_context(self.memory)
        database = self.folder / "pg"
        self._exit.callback(stop_embedded, database)
        self.engine = open_database(None, database)
        self._exit.callback(self.engine.dispose)
        cast = self.cast
        self.chain = self._exit.enter_context(ChainDesk(self.engine, self.clock))
        published = PublishedCopy(self.folder / "published")
        self.host = LogHost(
            self.engine,
            published,
            cast.log_key,
            self.clock,
            name=HOST_NAME,
            party=cast.log_host.facts.code,
            registrar=cast.registrar.facts.code,
            registrar_keys=[cast.registrar.signer.public],
            anchors=self.chain,
        )
        genesis = open_logs(cast, self.host, self.chain.facts, self.clock)
        self.chain.open(genesis)
        settings = Settings(
            data_folder=self.folder, log_host_name=HOST_NAME, passphrase=SecretStr("unused"), port=self._port
        )
        self.parts = assemble(
            settings,
            self.engine,
            self.host,
            published=published,
            log_key=cast.log_key.public,
            host_party=cast.log_host.facts.code,
            registrar=cast.registrar.facts.code,
            clock=self.clock,
            anchors=self.chain,
            assets=self.chain.assets(self.host, cast.registrar.facts.code, settings),
            signer_of=cast.signer_here,
        )
        self._exit.callback(self.parts.close)
        self.api_key = self.parts.keys.issue(cast.enterprise.facts.code, ["gateway", "enterprise"], "demo")
        self._serve(listener)

    def page_links(self) -> dict[str, str]:
        """Return for each user of the demo a link that signs one browser in, once; the public needs none."""
        cast = self.cast
        members = {
            "enterprise": cast.enterprise,
            "verification_body": cast.verification_body,
            "bank": cast.bank,
            "regulator": cast.registrar,
        }
        links = {role: self._link(member.facts.code, role) for role, member in members.items()}
        return {**links, "public": f"{self.url}/public"}

    def _link(self, party: str, role: str) -> str:
        key = self.parts.keys.issue(party, [role], "a browser at the demo")
        principal = self.parts.keys.authenticate(f"Bearer {key}")
        return f"{self.url}/sign-in/once/{open_session(self.parts, principal, is_link=True)}"

    def _listen(self) -> socket.socket:
        try:
            listener = socket.create_server(("127.0.0.1", self._port))
        except OSError as error:
            raise ServiceUnavailable(
                "port", f"{self._port} cannot be listened at: {error.strerror}", "name another, or none"
            ) from error
        self._exit.callback(listener.close)
        return listener

    def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(create_app(self.parts), log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="service", daemon=True)
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join(_START_SECONDS)

        self._exit.callback(end)
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise ServiceUnavailable(
                    "service", "did not start", "read its messages above, then try again"
                )
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
