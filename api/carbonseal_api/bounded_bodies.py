"""JSON bodies within a limit: read before the framework does, which takes whatever length is claimed.

The guard puts it in front of every route that takes JSON. The limit is `max_body_bytes` of the settings, or
what `body_limit` says of an endpoint. Raw bodies are read by `incoming.read_body` with limits of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carbonseal_api.incoming import parts_of, read_body
from carbonseal_api.problems import RequestInvalid

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ATTRIBUTE: Final = "__body_limit__"
_SUSPECT: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def body_limit(size: int) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint take a JSON body of at most `size` bytes."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, size)
        return endpoint

    return mark


class Bounded:
    """A route's application that refuses a body as soon as it is longer than the endpoint takes."""

    def __init__(self, app: ASGIApp, endpoint: Callable[..., Any]) -> None:
        self._app = app
        self._limit: int | None = getattr(endpoint, _ATTRIBUTE, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and hand it on.

        Raises:
            BodyTooLarge: It is longer than the limit; reading stops there.
            RequestInvalid: The client went away in the middle of it, or a text in it is none.
        """
        request = Request(scope, receive)
        data = await read_body(request, self._limit or parts_of(request).settings.max_body_bytes)
        if _SUSPECT.search(data):
            _check_texts(data)
        await self._app(scope, replayed(data, receive), send)


def _check_texts(data: bytes) -> None:
    # JSON can write the character of code zero and halves of characters; no table and no statement can.
    try:
        text = json.dumps(json.loads(data), ensure_ascii=False)
    except (ValueError, RecursionError):
        return  # no JSON: the framework says where
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise RequestInvalid("body", "holds half of a character", "write texts in Unicode") from problem
    if "\\u0000" in text.replace("\\\\", ""):
        raise RequestInvalid("body", "holds a character of code zero", "leave it out")


def replayed(data: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body which was read before, and then goes on as the connection does."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": data, "more_body": False}

    return give
