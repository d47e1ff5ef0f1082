"""JSON bodies within a limit: read before the framework does, which takes whatever length is claimed.

The guard puts it in front of every route that takes JSON. The limit is `max_body_bytes` of the settings, or
what `body_limit` says of an endpoint. Raw bodies are read by `incoming.read_body` with limits of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carbonseal_api.incoming import parts_of, read_body

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ATTRIBUTE: Final = "__body_limit__"


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
            RequestInvalid: The client went away in the middle of it.
        """
        request = Request(scope, receive)
        data = await read_body(request, self._limit or parts_of(request).settings.max_body_bytes)
        await self._app(scope, replayed(data, receive), send)


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
