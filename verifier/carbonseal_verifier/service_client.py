"""What a verification body's machine asks of a log host over HTTP, and what it believes of the answers.

It sends signed statements and fetches receipts, checkpoints and proofs; it never sends a key. Proofs and
signatures are judged by the caller: an answer is only read here, within limits. The token in
`CARBONSEAL_TOKEN` says whose logs may be written, not who signed; it goes over TLS or to this machine alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from carbonseal_attest import cbor
from carbonseal_verifier.errors import ServiceRefused

TOKEN: Final = "CARBONSEAL_TOKEN"  # noqa: S105 - the name of a variable
TIMEOUT_S: Final = 30
MAX_ANSWER: Final = 4 << 20  # bytes
_MAX_PAGES: Final = 10_000  # of 200 epochs: a century of hourly ones
_CBOR: Final = "application/cbor"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SHOWN: Final = re.compile(r"[^ -~一-鿿,。;:()]")


class ServiceUnreachable(ServiceRefused):
    """The log host does not answer: what was signed stays stored and is sent again later."""

    code = "service-unreachable"


class ServiceClient:
    """A log host's HTTP address, for a `with` block.

    Args:
        url: address of the service, without a path.
        token: API key or access token of the body, None reads `CARBONSEAL_TOKEN`.
        client: an httpx client to use instead of one of our own.

    Raises:
        ServiceRefused: no such address, or a token would go over an open line.
    """

    def __init__(self, url: str, *, token: str | None = None, client: httpx.Client | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ServiceRefused(
                "--service", f"{url[:120]!r} is no http(s) address", "give https://host[:port]"
            )
        token = os.environ.get(TOKEN, "") if token is None else token
        if token and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ServiceRefused("--service", "the token would travel in the clear", "give an https address")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # trust_env would let an environment's proxy read the token.
        self._client = client or httpx.Client(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def open_log(self, statement: bytes, content: bytes) -> str:
        """Send a genesis; return `accepted`, or `duplicate` when that very log is open."""
        answer = self._ask("POST", "/logs", body=cbor.encode([statement, content]))
        return str(_object(answer).get("status", "accepted"))

    def register(self, origin: str, statement: bytes, content: bytes) -> None:
        """Send a statement with its content; logged already counts as done."""
        self._ask("POST", f"/logs/{origin}/entries", body=cbor.encode([statement, content]))

    def streams(self, origin: str, kid: bytes) -> dict[str, tuple[int, bytes]]:
        """Return stream to (sequence, statement digest) of one key."""
        rows = _json(self._ask("GET", f"/logs/{origin}/streams", query={"kid": kid.hex()}), "streams")
        try:
            return {row["stream"]: (int(row["sequence"]), bytes.fromhex(row["digest"])) for row in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable("streams") from error

    def checkpoint(self, origin: str) -> str:
        """Return the newest checkpoint note of a log; its signature is the caller's to verify."""
        return self._ask("GET", f"/logs/{origin}/checkpoint").text

    def consistency_path(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """Return the consistency path between two sizes of a log."""
        query = {"old_size": str(old_size), "new_size": str(new_size)}
        return _hashes(_object(self._ask("GET", f"/logs/{origin}/proofs/consistency", query=query)), "path")

    def inclusion(self, origin: str, index: int, tree_size: int) -> list[bytes]:
        """Return the inclusion path of an entry at a size of a log."""
        query = {"index": str(index), "tree_size": str(tree_size)}
        return _hashes(_object(self._ask("GET", f"/logs/{origin}/proofs/inclusion", query=query)), "path")

    def map_proof(self, origin: str, epoch: int) -> list[Any]:
        """Return [size, root, index, path]: a log's head in an epoch's map."""
        value = _object(self._ask("GET", f"/logs/{origin}/proofs/map", query={"epoch": str(epoch)}))
        try:
            root = bytes.fromhex(value["root_hash"])
            return [value["tree_size"], root, value["index"], _hashes(value, "path")]
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable("map proof") from error

    def receipt(self, origin: str, digest: bytes) -> tuple[bytes, str]:
        """Return the receipt of a statement and its state as the log host names it."""
        answer = self._ask("GET", f"/logs/{origin}/receipts/{digest.hex()}")
        return answer.content, answer.headers.get("carbonseal-receipt-state", "logged")[:20]

    def epoch(self, number: int) -> dict[str, Any]:
        """Return an epoch as the log host describes it.

        Raises:
            ServiceRefused: there is no such epoch yet.
        """
        rows = self._epochs(number, number + 1)
        if not rows:
            raise ServiceRefused("epoch", f"there is no epoch {number} yet", "wait until it is closed")
        if rows[0].get("epoch") != number:
            raise _unreadable("epochs")
        return rows[0]

    def newest_epoch(self, known: int) -> int:
        """Return the number of the newest epoch that the log host names, from `known` on.

        Raises:
            ServiceRefused: it names epochs without end.
        """
        newest = known
        for _ in range(_MAX_PAGES):
            rows = self._epochs(newest + 1, None)
            if not rows:
                return newest
            newest += len(rows)
        raise _unreadable("epochs")

    def _epochs(self, start: int, end: int | None) -> list[dict[str, Any]]:
        query = {"start": str(start)} | ({} if end is None else {"end": str(end)})
        rows = _json(self._ask("GET", "/epochs", query=query), "epochs")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _unreadable("epochs")
        return rows

    def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> httpx.Response:
        headers = self._headers if body is None else self._headers | {"Content-Type": _CBOR}
        try:
            with self._client.stream(
                method, self._url + path, params=query, content=body, headers=headers
            ) as answer:
                data = b""
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise _unreadable(path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(
                "service", f"does not answer ({type(error).__name__})", "send the same file again later"
            ) from error
        answer = httpx.Response(answer.status_code, headers=answer.headers, content=data)
        if answer.status_code in {200, 201, 303}:
            return answer
        raise _refused(answer)


def _refused(answer: httpx.Response) -> ServiceRefused:
    """Return the service's own words, cleaned: they end on a terminal."""
    try:
        problem = answer.json()
        field, reason, remedy = (str(problem[key]) for key in ("field", "reason", "remedy"))
    except (KeyError, TypeError, ValueError, RecursionError):
        field, reason, remedy = "service", f"answered {answer.status_code}", "ask the log host"
    words = [_SHOWN.sub("\N{REPLACEMENT CHARACTER}", text)[:300] for text in (field, reason, remedy)]
    kind = ServiceUnreachable if answer.status_code >= 500 else ServiceRefused
    return kind(f"service: {words[0]}", words[1], words[2])


def _json(answer: httpx.Response, what: str) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:
        raise _unreadable(what) from error


def _object(answer: httpx.Response) -> dict[str, Any]:
    value = _json(answer, "answer")
    if not isinstance(value, dict):
        raise _unreadable("answer")
    return value


def _hashes(value: Mapping[str, Any], key: str) -> list[bytes]:
    try:
        return [bytes.fromhex(one) for one in value[key]]
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(key) from error


def _unreadable(what: str) -> ServiceRefused:
    return ServiceRefused(
        f"service: {what[:80]}", "is not what the documented call answers", "ask the log host"
    )
