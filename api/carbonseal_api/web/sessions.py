"""Browser sessions: opened by a person or with an API key, kept as the hash of a random token.

The cookie is HttpOnly, SameSite=Strict and, over TLS, Secure and of this host alone. Its token is fresh at
each sign-in, and whatever the browser brought with it is ended, so that nobody can plant one beforehand. A
session ends with its account. What a page sends must come from a page of ours (`require_same_origin`). A
one-time link opens a session once; commands print it for the person at the machine.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from carbonseal_api.assembly import Parts
from carbonseal_api.authentication import Principal
from carbonseal_api.database import WebSession
from carbonseal_api.incoming import PRINCIPAL, parts_of
from carbonseal_api.permissions import shipped_table
from carbonseal_api.problems import ApiError, KeyMissing

COOKIE: Final = "carbonseal_session"
SESSION_MS: Final = 12 * 3_600_000  # a working day
LINK_MS: Final = 3_600_000


class OriginRefused(ApiError):
    """A form was not sent by a page of this service."""

    code = "origin-refused"
    status = 403


def open_session(parts: Parts, principal: Principal, *, is_link: bool = False) -> str:
    """Return the token of a new session (or one-time link) for a caller who may read pages.

    Raises:
        RoleMissing: The key's role reads no pages.
    """
    principal.require(shipped_table().page_roles)
    token = secrets.token_urlsafe(32)
    now = parts.clock()
    with Session(parts.engine) as session, session.begin():
        session.execute(delete(WebSession).where(WebSession.expires_at < now))
        session.add(
            WebSession(
                token_hash=_hash(token),
                key_id=principal.key_id,  # the account: an API key or a person
                is_link=is_link,
                expires_at=now + (LINK_MS if is_link else SESSION_MS),
            )
        )
    return token


def follow_link(parts: Parts, token: str) -> str | None:
    """Return the token of the session that a one-time link opens; None when it is spent or unknown."""
    wanted = delete(WebSession).where(WebSession.token_hash == _hash(token), WebSession.is_link.is_(True))
    wanted = wanted.where(WebSession.expires_at >= parts.clock())
    with Session(parts.engine) as session, session.begin():
        key_id = session.execute(wanted.returning(WebSession.key_id)).scalar()
    principal = None if key_id is None else parts.keys.principal_of(key_id)
    return None if principal is None else open_session(parts, principal)


def close_session(parts: Parts, token: str | None) -> None:
    """End a session."""
    if token:
        with Session(parts.engine) as session, session.begin():
            session.execute(delete(WebSession).where(WebSession.token_hash == _hash(token)))


def principal_of(parts: Parts, token: str | None) -> Principal | None:
    """Return who a session's token stands for, or None."""
    if not token or len(token) > 100:
        return None
    query = select(WebSession.key_id).where(
        WebSession.token_hash == _hash(token),
        WebSession.is_link.is_(False),
        WebSession.expires_at >= parts.clock(),
    )
    with Session(parts.engine) as session:
        key_id = session.execute(query).scalar()
    return None if key_id is None else parts.keys.principal_of(key_id)


async def visitor(request: Request) -> Principal:
    """Return who looks at a page: whom the guard let through, or on a public page whoever is signed in.

    Raises:
        KeyMissing: Not signed in, or the session ended.
    """
    principal: Principal | None = request.scope.get(PRINCIPAL)
    return principal if principal is not None else await signed_in(request)


async def signed_in(request: Request) -> Principal:
    """Return whom the session's cookie stands for; the guard asks it once a call.

    Raises:
        KeyMissing: Not signed in, or the session ended.
    """
    parts = parts_of(request)
    principal = await run_in_threadpool(principal_of, parts, session_token(request))
    if principal is None:
        raise KeyMissing("session", "you are not signed in", "sign in first")
    return principal


def require_same_origin(request: Request) -> None:
    """Refuse a form that no page of ours sent.

    Browsers say where a form comes from: by `Sec-Fetch-Site` over TLS and on this machine, by `Origin`
    always. What says neither is no browser of these years, and is refused.

    Raises:
        OriginRefused: It comes from elsewhere, or does not say.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    address = parts_of(request).settings.public_url
    if site is not None:
        is_own = site == "same-origin"
    elif address is not None:
        is_own = origin == address
    else:
        is_own = bool(origin) and urlsplit(origin).netloc == request.headers.get("host")
    if not is_own:
        raise OriginRefused("origin", "the form was not sent by a page of this service", "open the page here")


def session_token(request: Request) -> str | None:
    """Return the token that the browser's cookie holds."""
    return request.cookies.get(_cookie_name(request))


def set_cookie(response: Response, request: Request, token: str) -> None:
    """Give the browser its session."""
    response.set_cookie(
        _cookie_name(request),
        token,
        max_age=SESSION_MS // 1000,
        httponly=True,
        samesite="strict",
        secure=_is_tls(request),
        path="/",
    )


def delete_cookie(response: Response, request: Request) -> None:
    """Take the session from the browser."""
    response.delete_cookie(_cookie_name(request), path="/", secure=_is_tls(request), httponly=True)


def _cookie_name(request: Request) -> str:
    # The prefix keeps neighbours under the same domain from setting it (RFC 6265bis §4.1.3.2).
    return f"__Host-{COOKIE}" if _is_tls(request) else COOKIE


def _is_tls(request: Request) -> bool:
    # Behind a proxy that ends TLS, only the configured address says so.
    address = parts_of(request).settings.public_url or request.url.scheme
    return address.startswith("https")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
