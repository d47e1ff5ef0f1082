"""An end to one HTTP request as a whole, however little by little it is answered.

The time limits of httpx are of each silence: whoever sends a byte now and then keeps a reader for days. Here
the connection is shut when the time is over, which the reader meets as a connection that broke off. Resolving
names is left out; a TLS handshake has the limit of one silence.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

# A kept connection would be none that this request has opened, and so none that it can shut.
HEADERS: Final[Mapping[str, str]] = {"Connection": "close"}
_OPENED: Final = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})


class AnswerDeadline:
    """For a `with` block around one request, which is given `extensions` and `HEADERS`."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Begin to count."""
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting."""
        self._timer.cancel()
        with self._lock:
            self._socket = None

    @property
    def extensions(self) -> dict[str, Any]:
        """What httpx is given, so that the connection is known."""
        return {"trace": self._trace}

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name in _OPENED:
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                self._shut()

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._is_over and self._socket is not None:
            with suppress(OSError):
                # Of the plain socket: that of a TLS socket would take the state away from under a reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
