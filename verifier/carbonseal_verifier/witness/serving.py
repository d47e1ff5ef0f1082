"""HTTP for a witness, by the standard library alone: the machine that holds the key runs few parts.

Two routes: `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for monitors. Bounded: bodies,
headers, connections, and the time for which a connection may say nothing. TLS is a proxy's in front.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from carbonseal_attest.tlog_witness import ADD_CHECKPOINT, MAX_REQUEST
from carbonseal_verifier.witness.cosigner import TEXT, Answer, Witness

MAX_CONNECTIONS: Final = 64
SILENCE_S: Final = 10  # a connection that sends nothing for so long is closed
REQUEST_S: Final = 30  # as is one whose request is not answered by then, however little by little it comes
_CHECKPOINT: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class WitnessServer(ThreadingHTTPServer):
    """Answers for one witness, each connection in a thread of its own, `MAX_CONNECTIONS` at a time."""

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, host: str, port: int, witness: Witness) -> None:
        self.witness = witness
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._open: set[socket.socket] = set()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The address it listens on."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, once one is free."""
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)
            self._free.release()

    def server_close(self) -> None:
        """Stop listening, and end the connections that are kept alive."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke off: whoever may connect could fill the log otherwise."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "carbonseal-witness"
    sys_version = ""
    timeout = SILENCE_S
    wbufsize = -1  # head and body in one packet, or a delayed acknowledgement holds the body up
    disable_nagle_algorithm = True
    server: WitnessServer

    def handle_one_request(self) -> None:
        """Answer one request; a connection that takes too long over it is shut, as if it had broken off."""
        over = threading.Timer(REQUEST_S, self._shut)
        over.daemon = True
        over.start()
        try:
            super().handle_one_request()
        finally:
            over.cancel()

    def _shut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not _LENGTH.fullmatch(length):
            self._answer(Answer(411, b"send the body with its length\n"), closes=True)
        elif int(length) > MAX_REQUEST:
            self._answer(Answer(413, b"the body is too long\n"), closes=True)
        else:
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True
            elif self.path != ADD_CHECKPOINT:
                self._answer(_NOWHERE)
            else:
                self._answer(self.server.witness.add_checkpoint(body))

    def do_GET(self) -> None:
        match = _CHECKPOINT.fullmatch(self.path)
        self._answer(_NOWHERE if match is None else self.server.witness.checkpoint(match[1]))

    def _answer(self, answer: Answer, *, closes: bool = False) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        if closes:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write no line a request."""


_NOWHERE: Final = Answer(404, b"there is nothing here\n", TEXT)
