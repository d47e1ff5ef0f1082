"""JSON bodies within a limit: a route class that reads the body, up to so many bytes, before it is parsed.

FastAPI reads a JSON body whole, however long it claims to be. Routes of this class take `max_body_bytes` of
the settings, or what `body_limit` says of their endpoint. Raw bodies are read by `incoming.read_body`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from carbonseal_api.incoming import parts_of, read_body

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ATTRIBUTE: Final = "__body_limit__"


def body_limit(size: int) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint take a JSON body of at most `size` bytes."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, size)
        return endpoint

    return mark


class BoundedRoute(APIRoute):
    """A route whose JSON body is refused as soon as it is longer than its limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the body read before it."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def bounded(request: Request) -> Response:
            limit = getattr(self.endpoint, _ATTRIBUTE, None) or parts_of(request).settings.max_body_bytes
            data = await read_body(request, limit)

            async def replay() -> Message:
                return {"type": "http.request", "body": data, "more_body": False}

            return await handle(Request(request.scope, replay))

        return bounded
