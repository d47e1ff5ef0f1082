"""Fetches what a log host publishes (C2SP tlog-tiles under `/logs/<origin>`), and whole epoch maps by token.

Everything is bounded and nothing is believed: checkpoints, tiles and maps are judged by the caller. A static
host may have only the full or a wider tile where a partial one is asked for; its beginning is the same.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx

from carbonseal_attest.checkpoint import Checkpoint
from carbonseal_attest.errors import NoteInvalid
from carbonseal_attest.note import MAX_NOTE
from carbonseal_attest.tiles import (
    HASH_SIZE,
    MAX_ENTRY,
    TILE_HEIGHT,
    TILE_WIDTH,
    ReadTile,
    decode_entries,
    entries_path,
    tile_path,
)
from carbonseal_verifier.errors import ServiceRefused
from carbonseal_verifier.service_client import ServiceUnreachable

TIMEOUT_S: Final = 30  # of each silence
ANSWER_S: Final = 600  # of a whole answer: who sends a byte now and then keeps no monitor from its round
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_MAX_TILE: Final = TILE_WIDTH * HASH_SIZE
_MAX_BUNDLE: Final = TILE_WIDTH * (MAX_ENTRY + 2)
MAX_MAP: Final = 64 << 20  # bytes; half a million origins
_KEY: Final = re.compile(r"[!-~]{1,4096}")


class LogReader:
    """A log host's public side, for a `with` block.

    Args:
        url: address of the service, without a path.
        token: API key or access token that may read whole epoch maps; empty: none.
        client: an httpx client to use instead of one of our own.

    Raises:
        ServiceRefused: no such address, or a token would go over an open line.
    """

    def __init__(self, url: str, *, token: str = "", client: httpx.Client | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ServiceRefused("url", f"{url[:120]!r} is no http(s) address", "give https://host[:port]")
        if token and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ServiceRefused("url", "the token would travel in the clear", "give an https address")
        if token and not _KEY.fullmatch(token):
            raise ServiceRefused(
                "token", "holds a space or another unfit character", "give it as it was made"
            )
        self._url = url.rstrip("/")
        self._client = client or httpx.Client(timeout=TIMEOUT_S)
        self._authorised = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._client.close()

    def checkpoint(self, origin: str) -> str:
        """Return the newest checkpoint's note as it is served, past any cache.

        Raises:
            ServiceRefused: there is none, or it is no text.
            ServiceUnreachable: nobody answers.
        """
        data = self._get(f"/logs/{origin}/checkpoint", MAX_NOTE, fresh=True)
        try:
            return (data or b"").decode()
        except UnicodeDecodeError as error:
            raise _unreadable(f"checkpoint of {origin}") from error

    def tiles_of(self, origin: str) -> ReadTile:
        """Return a reader of an origin's hash tiles."""

        def read(level: int, index: int, width: int) -> bytes:
            data = self._first(
                origin, level, index, width, lambda held: tile_path(level, index, held), _MAX_TILE
            )
            return data[: width * HASH_SIZE]

        return read

    def entries(self, origin: str, index: int, width: int) -> list[bytes]:
        """Return the entries of a bundle that everybody may read.

        Raises:
            ServiceRefused: it may not be read, or is not there.
            ProofInvalid: it is cut off or has too many entries.
        """
        data = self._first(origin, 0, index, width, lambda held: entries_path(index, held), _MAX_BUNDLE)
        return decode_entries(data)[:width]

    def epoch_map(self, epoch: int) -> bytes | None:
        """Return the leaves of an epoch's whole map as a CBOR array; None where we may not read it."""
        return self._get(f"/epochs/{epoch}/map", MAX_MAP, absent=(401, 403, 404))

    def note_at(self, url: str) -> str | None:
        """Return the note at another address, such as a witness's; None where there is none.

        Raises:
            ServiceRefused, ServiceUnreachable: as `checkpoint`.
        """
        data = self._get(url, MAX_NOTE, absent=(404,), fresh=True, whole=True)
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError as error:
            raise _unreadable("checkpoint of a witness") from error

    def _first(
        self, origin: str, level: int, index: int, width: int, path: Callable[[int], str], limit: int
    ) -> bytes:
        for held in dict.fromkeys((width, TILE_WIDTH)):
            data = self._get(f"/logs/{origin}/{path(held)}", limit, absent=(404,))
            if data is not None:
                return data
        try:
            size = Checkpoint.of_note(self.checkpoint(origin)).tree_size
        except NoteInvalid as error:
            raise _unreadable(f"checkpoint of {origin}") from error
        present = (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH
        data = None
        if width < present < TILE_WIDTH:
            data = self._get(f"/logs/{origin}/{path(present)}", limit, absent=(404,))
        if data is None:
            raise ServiceRefused(f"{origin} {path(width)}", "is not published", "ask the log host")
        return data

    def _get(
        self,
        path: str,
        limit: int,
        *,
        absent: tuple[int, ...] = (),
        fresh: bool = False,
        whole: bool = False,
    ) -> bytes | None:
        headers = {"Cache-Control": "no-cache"} if fresh else {}
        url = path if whole else self._url + path
        if path.startswith("/epochs/"):
            headers |= self._authorised
        asked: Future[tuple[int, bytes]] = Future()
        arguments = (asked, url, headers, limit)
        threading.Thread(target=self._ask, args=arguments, daemon=True, name="log-reader").start()
        try:
            status, data = asked.result(ANSWER_S)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            reason = f"does not answer ({type(error).__name__})"
            raise ServiceUnreachable(url[:120], reason, "ask again later") from error
        if len(data) > limit:
            raise _unreadable(path)
        if status == 200:
            return data
        if status in absent:
            return None
        kind = ServiceUnreachable if status >= 500 or status == 429 else ServiceRefused
        raise kind(url[:120], f"answered {status}", "ask the log host")

    def _ask(
        self, asked: Future[tuple[int, bytes]], url: str, headers: Mapping[str, str], limit: int
    ) -> None:
        """Ask in a thread that the caller need not wait for: httpx has limits for each silence alone."""
        try:
            with self._client.stream("GET", url, headers=headers, follow_redirects=False) as answer:
                data = bytearray()
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > limit:
                        break
            asked.set_result((answer.status_code, bytes(data)))
        except Exception as error:  # noqa: BLE001 - the caller's, whatever it is
            asked.set_exception(error)


def _unreadable(what: str) -> ServiceRefused:
    return ServiceRefused(what[:120], "is longer or of another form than documented", "ask the log host")
