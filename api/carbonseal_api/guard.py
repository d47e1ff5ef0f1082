"""The application-wide guard: every route is called through its row of the permission table, or not at all.

It stands in front of each route, before the body is read: who is not signed in sends us nothing that we would
keep. A route without a row is refused with a stable code. The endpoint then finds the caller in the request
(`incoming.caller`, `web.sessions.visitor`), with the roles that the row names and no other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from carbonseal_api.bounded_bodies import Bounded
from carbonseal_api.idempotency import Idempotent
from carbonseal_api.incoming import PRINCIPAL, authenticated
from carbonseal_api.permissions import PermissionTable, Rule, route_name
from carbonseal_api.problems import NotFound, PermissionMissing, RequestInvalid
from carbonseal_api.web.sessions import require_same_origin, signed_in

_READING = frozenset({"GET", "HEAD"})
_WRITING = frozenset({"POST", "PUT"})


class Guarded:
    """One route's application behind its row."""

    def __init__(self, app: ASGIApp, name: str, rule: Rule | None) -> None:
        self._app, self._name, self._rule = app, name, rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the call through to the route, or refuse it.

        Raises:
            NotFound, RequestInvalid: Path or query hold what no identifier holds.
            PermissionMissing: The route has no row.
            OriginRefused: A form of somebody else's page.
            KeyMissing, KeyUnknown: Nobody, or nobody known, calls.
            RoleMissing: The caller has none of the row's roles.
        """
        rule = self._rule
        if "\x00" in scope["path"]:
            # No identifier holds one, and the database cannot even be asked about it.
            raise NotFound("path", "no such resource", "leave out the character of code zero")
        if b"%00" in scope["query_string"]:
            raise RequestInvalid("query", "holds a character of code zero", "leave it out")
        if rule is None:
            raise PermissionMissing(
                "path", f"no permission names {self._name}", "tell whoever runs the service"
            )
        request = Request(scope)
        if rule.credential == "session" and scope["method"] not in _READING:
            require_same_origin(request)
        if not rule.is_public:
            find = signed_in if rule.credential == "session" else authenticated
            scope[PRINCIPAL] = rule.admit(await find(request))
        await self._app(scope, receive, send)


def guarded(routes: Iterable[BaseRoute], table: PermissionTable) -> Iterator[Route]:
    """Yield each route with the guard in front of it.

    The routers' routes become the application's own, flat: one match a call, and nothing in between that
    could route past the guard.

    Raises:
        TypeError: A mount, a websocket or a nested router: the table has no words for them.
    """
    for route in routes:
        if not isinstance(route, Route):
            raise TypeError(f"{type(route).__name__} cannot be guarded; give the application plain routes")
        names = route_names(route)
        found = {table.rule(*name.split(" ", 1)) for name in names}
        rule = found.pop() if len(found) == 1 else None
        behind = copy.copy(route)
        behind.app = Guarded(_within(route, rule), " ".join(names), rule)
        yield behind


def _within(route: Route, rule: Rule | None) -> ASGIApp:
    # Outermost the guard, then the body's limit, then the key of a repeated write, then the route.
    app: ASGIApp = route.app
    if takes_key(route, rule):
        return Bounded(Idempotent(app), route.endpoint)
    if isinstance(route, APIRoute) and route.body_field is not None:
        return Bounded(app, route.endpoint)
    return app


def takes_key(route: Route, rule: Rule | None) -> bool:
    """Return whether a route hears `Idempotency-Key`: it writes for a known caller, and is no upload.

    An upload reads raw bytes that are known by their digest; sending them again does nothing twice.
    """
    if not isinstance(route, APIRoute) or rule is None or rule.is_public or rule.credential != "bearer":
        return False
    is_raw = "requestBody" in (route.openapi_extra or {})
    return not is_raw and not _WRITING.isdisjoint(route.methods or ())


def route_names(route: Route) -> list[str]:
    """Return a route as the table writes it, once for each method; HEAD goes with GET."""
    return sorted(route_name(method, route.path) for method in (route.methods or ()) if method != "HEAD")


def disagreements(routes: Iterable[BaseRoute], table: PermissionTable) -> tuple[list[str], list[str]]:
    """Return the routes without a row, and the rows' routes that the service does not have."""
    served = {name for route in routes if isinstance(route, Route) for name in route_names(route)}
    return sorted(served - table.routes), sorted(table.routes - served)
