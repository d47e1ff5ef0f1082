"""A load generator over HTTP/1.1 keep-alive connections, thin enough to leave the machine to the service.

Each connection sends its own bodies one after another and waits for each answer, as a gateway does. It knows
no redirects, no TLS and no chunked answers; it is a measuring tool, not a client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_READ_LIMIT = 1 << 24


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status and body, when the request left and when the answer was read (perf_counter)."""

    status: int
    body: bytes
    sent_at: float
    answered_at: float


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: a loopback port, a path, and headers that every request carries."""

    port: int
    path: str
    content_type: str
    authorization: str | None = None
    prefer: str | None = None

    def request(self, body: bytes, *, method: str = "POST") -> bytes:
        """The bytes of one request."""
        lines = [
            f"{method} {self.path} HTTP/1.1",
            f"host: 127.0.0.1:{self.port}",
            f"content-type: {self.content_type}",
            f"content-length: {len(body)}",
        ]
        if self.authorization:
            lines.append(f"authorization: {self.authorization}")
        if self.prefer:
            lines.append(f"prefer: {self.prefer}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
    sent_at = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    return Answer(status, body, sent_at, time.perf_counter())


async def _send_all(target: Target, bodies: Iterable[bytes], check: Callable[[Answer], None]) -> list[Answer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=_READ_LIMIT)
    answers = []
    try:
        for body in bodies:
            answer = await _exchange(reader, writer, target.request(body))
            check(answer)
            answers.append(answer)
    finally:
        writer.close()
    return answers


async def _watch(target: Target, every_seconds: float, seen: list[Answer], is_over: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=_READ_LIMIT)
    try:
        while True:
            is_last = is_over.is_set()  # asked before fetching, so that one fetch begins after the end
            seen.append(await _exchange(reader, writer, target.request(b"", method="GET")))
            if is_last:
                return
            await asyncio.sleep(every_seconds)
    finally:
        writer.close()


async def _run(
    target: Target,
    bodies: Sequence[Iterable[bytes]],
    check: Callable[[Answer], None],
    watched: Target | None,
    watch_seconds: float,
) -> tuple[list[list[Answer]], list[Answer]]:
    seen: list[Answer] = []
    is_over = asyncio.Event()
    watcher = asyncio.create_task(_watch(watched, watch_seconds, seen, is_over)) if watched else None
    try:
        answers = await asyncio.gather(*(_send_all(target, each, check) for each in bodies))
        if watcher is not None:
            is_over.set()
            await watcher
    finally:
        if watcher is not None:
            watcher.cancel()
    return answers, seen


def send(
    target: Target,
    bodies: Sequence[Iterable[bytes]],
    check: Callable[[Answer], None],
    *,
    watched: Target | None = None,
    watch_seconds: float = 0.02,
) -> tuple[list[list[Answer]], list[Answer]]:
    """Send each iterable of bodies over a connection of its own, all at the same time.

    Args:
        target: where the bodies go.
        bodies: one iterable a connection, sent in order.
        check: looks at each answer and raises when it is not what the figure assumes.
        watched: something to fetch again and again meanwhile over one more connection.
        watch_seconds: pause between two fetches.

    Returns:
        The answers of each connection, and what was fetched meanwhile.
    """
    return asyncio.run(_run(target, bodies, check, watched, watch_seconds))
