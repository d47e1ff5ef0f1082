"""`Idempotency-Key` for writes (draft-ietf-httpapi-idempotency-key-header): done once, answered again.

A caller that lost an answer sends the same request with the same key and gets the first answer, for a day.
The same key with another request is refused, and so is one whose first call has not ended: where it was
broken off, the caller is told to look, and nothing is done twice in silence. A refused call has changed
nothing and keeps no key. Answers that hold a secret are not stored: asked again for one, the service says
that it was shown.

Uploads to the logs need none of this: a statement, a content and a document are known by their digest, and
sending them again answers as the first time did.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carbonseal_api.accounts.models import KeptAnswer
from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.bounded_bodies import replayed
from carbonseal_api.incoming import PRINCIPAL, parts_of, read_body
from carbonseal_api.problems import ApiError, RequestInvalid

HEADER: Final = "idempotency-key"
KEPT_MS: Final = 86_400_000
MAX_ANSWER: Final = 1 << 20  # bytes of an answer that is kept
MAX_BODY: Final = 256 << 20  # bytes; no setting allows more
_KEY: Final = re.compile(r'"?([\x21\x23-\x7e]{1,128})"?')  # a structured string (RFC 8941), or bare
_KEPT_HEADERS: Final = ("content-type", "location")
_NOTHING_DONE: Final = frozenset({429, 503})


class KeyReused(ApiError):
    """The idempotency key came before with another request."""

    code = "idempotency-key-reused"
    status = 422


class StillUnderWay(ApiError):
    """The first call with this idempotency key has not ended, or was broken off."""

    code = "idempotency-in-progress"
    status = 409


class ShownOnce(ApiError):
    """It was done, and its answer, which held a secret, is not kept."""

    code = "idempotency-shown-once"
    status = 409


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Idempotent:
    """A route's application that does a request with a key once and keeps its answer for a day."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the call, or answer it as the first time.

        Raises:
            RequestInvalid: The key is not one of the documented form, or stands twice.
            KeyReused, StillUnderWay, ShownOnce: As their names say.
        """
        request = Request(scope, receive)
        sent = request.headers.getlist(HEADER)
        if not sent:
            await self._app(scope, receive, send)
            return
        match = _KEY.fullmatch(sent[0].strip()) if len(sent) == 1 else None
        if match is None:
            raise RequestInvalid(HEADER, "is no key", "send one string of at most 128 visible characters")
        principal: Principal = scope[PRINCIPAL]
        parts, account, key = parts_of(request), principal.key_id, match.group(1)
        data = await read_body(request, MAX_BODY)  # bounded further by the route's own limit, before this
        known = await run_in_threadpool(_begin, parts, account, key, _fingerprint(request, data))
        if known is not None:
            await _replay(known, send)
            return

        async def keep(answer: _Answer | None) -> None:
            await run_in_threadpool(_end, parts, account, key, answer)

        # Nothing is kept when something unexpected breaks the call off: then nobody knows how far it came,
        # and the key stays taken.
        await self._app(scope, replayed(data, receive), _Recorder(send, keep))


class _Recorder:
    """Passes an answer on to the caller, its end only after a copy is kept.

    A caller that holds the whole answer and asks again at once must get it again, not hear that the first
    call has not ended. So one message is always held back, and the last two go out together.
    """

    def __init__(self, send: Send, keep: Callable[[_Answer | None], Awaitable[None]]) -> None:
        self._send = send
        self._keep = keep
        self._held: Message | None = None
        self._status = 500
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._is_secret = False

    async def __call__(self, message: Message) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            self._is_secret = "no-store" in headers.get("cache-control", "")
            self._headers = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        elif message["type"] == "http.response.body" and len(self._body) <= MAX_ANSWER:
            self._body += message.get("body", b"")
        if is_last:
            await self._keep(self._answer())
        if self._held is not None:
            await self._send(self._held)
        self._held = None if is_last else message
        if is_last:
            await self._send(message)

    def _answer(self) -> _Answer | None:
        """Return the answer to keep; None when nothing was done, so that the call may be tried again."""
        if 400 <= self._status < 500 or self._status in _NOTHING_DONE:
            return None
        is_kept = not self._is_secret and len(self._body) <= MAX_ANSWER
        return _Answer(self._status, self._headers, bytes(self._body) if is_kept else None)


def _begin(parts: Parts, account: str, key: str, fingerprint: bytes) -> _Answer | None:
    now = parts.clock()
    row = {"account": account, "key": key, "fingerprint": fingerprint, "expires_at": now + KEPT_MS}
    with parts.engine.begin() as connection:
        connection.execute(delete(KeptAnswer).where(KeptAnswer.expires_at <= now))
        # Of two at once, one inserts; the other waits for it here and then finds the row.
        if connection.execute(
            insert(KeptAnswer).values(row).on_conflict_do_nothing().returning(KeptAnswer.key)
        ).all():
            return None
        wanted = select(KeptAnswer.fingerprint, KeptAnswer.status, KeptAnswer.headers, KeptAnswer.body)
        found = connection.execute(
            wanted.where(KeptAnswer.account == account, KeptAnswer.key == key)
        ).one_or_none()
    if found is None or (found.fingerprint == fingerprint and found.status is None):
        raise StillUnderWay(
            HEADER,
            "the first call with this key has not ended, or was broken off",
            "look whether it was done, then take a new key",
        )
    if found.fingerprint != fingerprint:
        raise KeyReused(HEADER, "came before with another request", "take a new key for another request")
    if found.body is None:
        raise ShownOnce(
            HEADER,
            "it was done, and its answer is not kept",
            "look at the list of what was made; withdraw it if its secret is lost",
        )
    return _Answer(found.status, json.loads(found.headers or "{}"), bytes(found.body))


def _end(parts: Parts, account: str, key: str, answer: _Answer | None) -> None:
    mine = (KeptAnswer.account == account, KeptAnswer.key == key)
    with parts.engine.begin() as connection:
        if answer is None:
            connection.execute(delete(KeptAnswer).where(*mine))
            return
        kept = {"status": answer.status, "headers": json.dumps(dict(answer.headers)), "body": answer.body}
        connection.execute(update(KeptAnswer).where(*mine).values(kept))


async def _replay(answer: _Answer, send: Send) -> None:
    headers = MutableHeaders({**answer.headers, "Idempotency-Replayed": "true"})
    body = answer.body or b""
    if answer.status != 204:
        headers["content-length"] = str(len(body))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})


def _fingerprint(request: Request, body: bytes) -> bytes:
    target = f"{request.method} {request.url.path}?{request.url.query}".encode()
    return hashlib.sha256(hashlib.sha256(target).digest() + hashlib.sha256(body).digest()).digest()
