"""Reading requests: bodies within their limits, callers, path parts, preferred language.

Endpoints use these so that every border has its limit and every refusal names its place. Bodies are read
raw: the hot routes never build a model of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.problems import BodyTooLarge, MediaTypeRefused, RequestInvalid

PRINCIPAL: Final = "carbonseal.principal"  # where the guard leaves the caller in the scope of a call
Language = Annotated[
    Literal["zh", "en"] | None, Query(description="Left out: by `Accept-Language`, else Chinese.")
]
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def parts_of(request: Request) -> Parts:
    """Return the deployment that serves this request."""
    parts: Parts = request.app.state.parts
    return parts


async def read_body(request: Request, limit: int, *, what: str = "body") -> bytes:
    """Return the request's body.

    Raises:
        BodyTooLarge: It is longer than the limit; reading stops there.
        RequestInvalid: The client went away in the middle of it.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(what, limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(what, limit)
            chunks.append(chunk)
    except ClientDisconnect as problem:  # nobody reads the answer; it must not look like a fault of ours
        raise RequestInvalid(what, "ended before it was whole", "send it again, whole") from problem
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(what: str, limit: int) -> BodyTooLarge:
    return BodyTooLarge(what, f"is longer than {limit} bytes", "send it in smaller parts")


async def authenticated(request: Request) -> Principal:
    """Return who the `Authorization` header stands for; the guard asks it once a call.

    Raises:
        KeyMissing, KeyUnknown: Not authenticated. Two such headers are none: a proxy may have read the other.
    """
    keys = parts_of(request).keys
    sent = request.headers.getlist("authorization")
    authorization = sent[0] if len(sent) == 1 else None
    principal = keys.remembered(authorization)
    if principal is None:
        principal = await run_in_threadpool(keys.authenticate, authorization)
    return principal


async def caller(request: Request, roles: Iterable[str] | None = None) -> Principal:
    """Return the caller whom the guard let through, with the roles that the route's row names.

    Args:
        request: The call.
        roles: Where an endpoint asks for less than its row allows.

    Raises:
        KeyMissing, KeyUnknown: Not authenticated (a public route that asks who calls).
        RoleMissing: None of the roles.
    """
    principal: Principal | None = request.scope.get(PRINCIPAL)
    if principal is None:
        principal = await authenticated(request)
    if roles is not None:
        principal.require(roles)
    return principal


def media_type(request: Request, allowed: Iterable[str], *, default: str) -> str:
    """Return the media type of the body, without parameters.

    Raises:
        MediaTypeRefused: It is none of those allowed.
    """
    stated = request.headers.get("content-type", default).partition(";")[0].strip().lower()
    choices = tuple(allowed)
    if stated not in choices:
        raise MediaTypeRefused(
            "content-type", f"{stated!r} is not taken here", f"send {' or '.join(choices)}"
        )
    return stated


def parse_digest(text: str, field: str = "digest") -> bytes:
    """Return the 32 bytes of a digest in lower-case hex.

    Raises:
        RequestInvalid: Not 64 hexadecimal digits.
    """
    if not _DIGEST.fullmatch(text):
        raise RequestInvalid(field, "is not a SHA-256 digest", "write 64 lower-case hexadecimal digits")
    return bytes.fromhex(text)


def language_of(request: Request) -> str:
    """Return `zh` or `en`: the query's `lang`, else the browser's first wish, else Chinese.

    Raises:
        RequestInvalid: `lang` is neither.
    """
    asked = request.query_params.get("lang")
    if asked is not None:
        if asked not in {"zh", "en"}:
            raise RequestInvalid("lang", f"{asked[:10]!r} is not offered", "ask for zh or en")
        return asked
    wished = request.headers.get("accept-language", "").strip().lower()
    return "en" if wished.startswith("en") else "zh"
