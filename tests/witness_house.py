"""Real witnesses on loopback, and one that answers whatever a test wants, for the ledger's tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from carbonseal_attest.keys import PublicKey
from carbonseal_attest.signing import Ed25519Signer
from carbonseal_attest.tlog_policy import TlogPolicy
from carbonseal_attest.vkey import ED25519_NOTE, Vkey
from carbonseal_verifier.witness.cosigner import Witness, cosigner_key
from carbonseal_verifier.witness.heads import CosignedHeads
from carbonseal_verifier.witness.serving import WitnessServer


@dataclass
class RunningWitness:
    """A witness in a thread of this process; it can be stopped and started at its address."""

    name: str
    log: Vkey
    folder: Path
    clock: Callable[[], int]
    signer: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    port: int = 0
    server: WitnessServer | None = None

    def __post_init__(self) -> None:
        CosignedHeads.create(self.state, [self.vkey])
        self.start()

    @property
    def vkey(self) -> Vkey:
        return cosigner_key(f"witness.example/{self.name}", self.signer.public)

    @property
    def state(self) -> Path:
        return self.folder / f"{self.name}.state"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def size(self) -> int | None:
        held = CosignedHeads(self.state).all()
        return held[0].tree_size if held else None

    @property
    def witness(self) -> Witness:
        return Witness([self.signer], [self.log], CosignedHeads(self.state), self.clock)

    def start(self) -> None:
        self.server = WitnessServer("127.0.0.1", self.port, self.witness)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class Liar:
    """Answers every request with what `answer(method, path, body)` returns: status, headers, body."""

    def __init__(self, answer: Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, headers, body = answer(self.command, self.path, self.rfile.read(length))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the standard library's name

            def log_message(self, *args: Any) -> None:
                pass

        self.signer = Ed25519Signer.generate()
        self.vkey = cosigner_key("witness.example/liar", self.signer.public)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Dripper:
    """Answers every request with these bytes, one at a time and never the last."""

    def __init__(self, answer: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with suppress(OSError):
                    for byte in answer:
                        self.wfile.write(bytes([byte]))
                        time.sleep(0.02)
                    while True:
                        self.wfile.write(b"x")
                        time.sleep(0.02)

            do_POST = do_GET  # noqa: N815 - the standard library's name

            def log_message(self, *args: Any) -> None:
                pass

        self.vkey = cosigner_key("witness.example/dripper", Ed25519Signer.generate().public)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class WitnessHouse:
    """The witnesses of one log, and policies over them."""

    origin: str
    log_key: PublicKey
    folder: Path
    now: int
    running: list[Any] = field(default_factory=list)

    @property
    def log(self) -> Vkey:
        return Vkey(self.origin, ED25519_NOTE, self.log_key)

    def witness(self, name: str) -> RunningWitness:
        made = RunningWitness(name, self.log, self.folder, lambda: self.now)
        self.running.append(made)
        return made

    def liar(self, answer: Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]) -> Liar:
        made = Liar(answer)
        self.running.append(made)
        return made

    def dripper(self, answer: bytes) -> Dripper:
        made = Dripper(answer)
        self.running.append(made)
        return made

    def policy(self, *witnesses: Any, threshold: int) -> TlogPolicy:
        lines = [f"witness w{at} {one.vkey} {one.url}" for at, one in enumerate(witnesses, 1)]
        names = " ".join(f"w{at}" for at in range(1, len(witnesses) + 1))
        return TlogPolicy.parse("\n".join([*lines, f"group g {threshold} {names}", "quorum g", ""]))

    def stop(self) -> None:
        for one in self.running:
            one.stop()
