"""The log of the service as JSON lines: one for each request, with request id and statement digests.

Every line has `time`, `level`, `logger` and `message`; a request's line has method, route, status,
duration, the caller's account and the digests of the statements that it brought. What may be secret is
never taken: not the query, not the path (its parts may be tokens), not headers, not bodies. A caller may
send `X-Request-Id`; one that is no plain identifier is replaced, so that nobody writes lines of their own
into the log. Answers carry the id, and so does whatever is logged while the request is worked on in its own
task and threads.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carbonseal_api.authentication import Principal
from carbonseal_api.incoming import PRINCIPAL
from carbonseal_ledger.outcomes import Outcome

HEADER: Final = "x-request-id"
KNOWN_AS: Final = "carbonseal.request_id"  # where the id stands in the scope of a call
NOTES: Final = "carbonseal.notes"  # where a route leaves what its line shall say, in the scope of a call
MAX_DIGESTS: Final = 64  # of one line; a batch's others are found in the log of statements itself
PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
REQUESTS: Final = logging.getLogger("carbonseal.requests")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Libraries that write whole addresses, in which a chain node's key or a token may stand, or much of no use.
_TALKERS: Final = ("alembic", "httpx", "httpcore", "urllib3", "web3", "celery")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
# Path parameters that name public things; any other may be a token.
_SHOWN_PARTS: Final = ("origin", "party", "digest", "job")
Observer = Callable[[str, str, int, float], None]


def request_id(request: Request) -> str:
    """The id of a request."""
    return str(request.scope.get(KNOWN_AS, ""))


class JsonLines(logging.Formatter):
    """Formats each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; an exception's text goes into `exception`."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (known := _request_id.get()) is not None:
            line["request_id"] = known
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


def log_as_json(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Have the whole process log as JSON lines, to standard error unless told otherwise."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):  # their own handlers would write lines that are no JSON
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def note_statements(request: Request, outcomes: Sequence[Outcome]) -> None:
    """Have the request's line say which statements it brought and what became of them."""
    digests = [one.digest.hex() for one in outcomes if one.digest is not None]
    refused: dict[str, int] = {}
    for one in outcomes:
        if one.problem is not None:
            refused[one.problem.code] = refused.get(one.problem.code, 0) + 1
    notes: dict[str, Any] = {"statements": len(outcomes), "statement_digests": digests[:MAX_DIGESTS]}
    if refused:
        notes["refused"] = refused
    request.scope.setdefault(NOTES, {}).update(notes)


def note(request: Request, **fields: Any) -> None:
    """Have the request's line say something more; the caller vouches that it is no secret."""
    request.scope.setdefault(NOTES, {}).update(fields)


class RequestLog:
    """The application with an id for each request, a line in the log at its end, and its figures."""

    def __init__(self, app: ASGIApp, observe: Observer) -> None:
        self._app, self._observe = app, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known = scope[KNOWN_AS] = _known_id(scope)
        token = _request_id.set(known)
        notes: dict[str, Any] = scope.setdefault(NOTES, {})
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = known
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            route = _route_of(scope)
            self._observe(scope["method"], route, status, seconds)
            if REQUESTS.isEnabledFor(logging.INFO):
                self._say(scope, route, status, seconds, notes)
            _request_id.reset(token)

    def _say(self, scope: Scope, route: str, status: int, seconds: float, notes: dict[str, Any]) -> None:
        fields: dict[str, Any] = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
        }
        caller: Principal | None = scope.get(PRINCIPAL)
        if caller is not None:
            fields["account"], fields["caller"] = caller.key_id, caller.party
        parts = scope.get("path_params") or {}
        fields |= {name: str(parts[name])[:128] for name in _SHOWN_PARTS if name in parts}
        level = logging.INFO if status < 500 else logging.ERROR
        if route in PROBES and status in {200, 503}:  # asked every few seconds; their figures tell enough
            level = logging.DEBUG
        REQUESTS.log(level, "%s %s %s", scope["method"], route, status, extra={"fields": fields | notes})


def _known_id(scope: Scope) -> str:
    sent = [value for name, value in scope["headers"] if name == HEADER.encode()]
    given = sent[0].decode("latin-1") if len(sent) == 1 else ""
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


def _route_of(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path", None)
    return str(path) if path is not None else "none"
